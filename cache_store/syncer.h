// Puts what was written on stable storage every few seconds, and draws the consequences when that
// fails.
//
// The kernel reports a failed write-back once and calls the pages clean: nothing that was not known
// to be synced can be trusted then. A second failure soon after ends storing.
#pragma once

#include <cstdint>

#include "base/mutex.h"
#include "cache_store/health.h"
#include "cache_store/reclaimer.h"
#include "cache_store/slabs.h"
#include "cache_store/store_io.h"

namespace perigee::cache_store {

class Syncer {
 public:
  Syncer(StoreIo& io, Slabs& slabs, Reclaimer& reclaimer, Health& health)
      : io_(io), slabs_(slabs), reclaimer_(reclaimer), health_(health) {}

  /// At start: all is synced now.
  void begin(int64_t wall_ms);
  /// Pool. Syncs when it is due.
  void step(int64_t wall_ms);
  /// Pool. Syncs now.
  void sync();

 private:
  bool is_due(int64_t wall_ms) REQUIRES(mutex_);
  void sync_now() REQUIRES(mutex_);

  StoreIo& io_;
  Slabs& slabs_;
  Reclaimer& reclaimer_;
  Health& health_;
  /// Held while the file is synced: one sync at a time.
  base::Mutex mutex_{base::LockRank::kStoreSync};
  int64_t now_ms_ GUARDED_BY(mutex_) = 0;  ///< as step() was told last
  int64_t last_sync_ms_ GUARDED_BY(mutex_) = 0;
  int64_t last_failure_ms_ GUARDED_BY(mutex_) = 0;
  bool has_failed_ GUARDED_BY(mutex_) = false;
};

}  // namespace perigee::cache_store

// Keeps the purge journal written: makes room in it when it is full, and marks the superblock while
// purges cannot be written, so that the next start knows that some may be missing.
//
// Thread-safe; blocking.
#pragma once

#include <atomic>

#include "cache_store/health.h"
#include "cache_store/purge_log.h"
#include "cache_store/slabs.h"
#include "cache_store/superblocks.h"

namespace perigee::cache_store {

class JournalKeeper {
 public:
  JournalKeeper(PurgeLog& purges, Slabs& slabs, Superblocks& superblocks, Health& health)
      : purges_(purges), slabs_(slabs), superblocks_(superblocks), health_(health) {
    purges_.announce_with([this] {
      return superblocks_.update(
          [](format::Superblock& next) { next.incompat |= format::kPredicateUnits; });
    });
  }
  JournalKeeper(const JournalKeeper&) = delete;
  JournalKeeper& operator=(const JournalKeeper&) = delete;

  /// At start: writes the superblock of the new epoch, with the journal compacted if that is due.
  base::Status begin();
  /// Writes the queued entries durably, at least up to `seq`, and compacts when there is no room.
  base::Status commit(uint64_t seq);
  /// Compacts the journal before it is full, and tells when it cannot be written any more, or can
  /// be again. `committed`: how the last commit() ended.
  void tidy(const base::Status& committed);

 private:
  base::Status compact() REQUIRES(slabs_.mutex());
  void tell_state(const base::Status& last_write);

  PurgeLog& purges_;
  Slabs& slabs_;
  Superblocks& superblocks_;
  Health& health_;
  std::atomic<bool> was_bad_{false};
};

}  // namespace perigee::cache_store

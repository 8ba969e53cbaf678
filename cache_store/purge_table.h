// The fence: which URLs were purged lately, so that a fetch that began before is not stored after.
//
// A bounded ring; a ticket older than its tail is refused, since nobody can say any more.
// Thread-safe.
#pragma once

#include <atomic>
#include <cstdint>
#include <vector>

#include "base/limits.h"
#include "base/mutex.h"
#include "cache_store/store.h"

namespace perigee::cache_store {

class PurgeTable {
 public:
  static constexpr size_t kRemembered = base::limits::kPurgesRemembered;

  /// What happened to a URL since a ticket was taken.
  struct Verdict {
    bool removed = false;        ///< a hard purge or an erasure: the fetch must not be stored
    bool stale = false;          ///< a soft purge: stored stale
    int64_t stale_since_ms = 0;  ///< of the first such
    int64_t last_ms = 0;         ///< of the last such, and its number
    uint64_t last_seq = 0;
  };

  /// Sequence numbers go on from `first_seq`; tickets of at least that are judged.
  explicit PurgeTable(uint64_t first_seq)
      : ring_(kRemembered), first_seq_(first_seq), newest_(first_seq), oldest_known_(first_seq) {}

  uint64_t newest() const { return newest_.load(std::memory_order_acquire); }
  /// Tickets below this are refused.
  uint64_t oldest_known() const {
    const base::MutexLock lock(mutex_);
    return oldest_known_;
  }
  /// How many were added.
  uint64_t count() const { return newest() - first_seq_; }
  /// Draws the next sequence number for a purge of `digest`.
  uint64_t add(const Digest& digest, bool soft, int64_t time_ms);
  Verdict since(const Digest& digest, Ticket ticket) const;

 private:
  struct Entry {
    Digest digest;
    uint64_t seq = 0;
    int64_t time_ms = 0;
    bool soft = false;
  };
  mutable base::Mutex mutex_{base::LockRank::kPurgeTable};
  std::vector<Entry> ring_ GUARDED_BY(mutex_);  ///< by seq % kRemembered
  const uint64_t first_seq_;
  std::atomic<uint64_t> newest_;
  uint64_t oldest_known_ GUARDED_BY(mutex_);  ///< tickets below this are refused
};

}  // namespace perigee::cache_store

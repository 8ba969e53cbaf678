// The fence: which URLs were purged lately, so that a fetch that began before is not stored after.
//
// A bounded ring; a ticket older than its tail is refused, since nobody can say any more. Thread-safe.
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
#include <vector>

#include "cache_store/store.h"

namespace perigee::cache_store {

class PurgeTable {
 public:
  static constexpr size_t kRemembered = 4096;

  /// What happened to a URL since a ticket was taken.
  struct Verdict {
    bool removed = false;       ///< a hard purge or an erasure: the fetch must not be stored
    int64_t stale_since_ms = 0; ///< a soft purge: stored stale; 0: none
  };

  explicit PurgeTable(uint64_t first_seq) : newest_(first_seq), oldest_known_(first_seq) {}

  uint64_t newest() const { return newest_.load(std::memory_order_acquire); }
  /// Draws the next sequence number for a purge of `digest`.
  uint64_t add(const Digest& digest, bool soft, int64_t time_ms);
  Verdict since(const Digest& digest, Ticket ticket) const;

 private:
  struct Entry {
    Digest digest;
    uint64_t seq;
    int64_t time_ms;
    bool soft;
  };
  mutable std::mutex mutex_;
  std::vector<Entry> ring_;  ///< by seq % kRemembered
  std::atomic<uint64_t> newest_;
  uint64_t oldest_known_;    ///< tickets below this are refused
};

}  // namespace perigee::cache_store

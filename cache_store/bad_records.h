// Records that are not what was written: how they leave the store, whoever finds them.
#pragma once

#include <atomic>
#include <bit>
#include <cstdint>
#include <string>

#include "cache_store/health.h"
#include "cache_store/index.h"
#include "cache_store/purge_log.h"

namespace perigee::cache_store {

/// Thread-safe.
class BadRecords {
 public:
  BadRecords(Index& index, PurgeLog& purges, Health& health)
      : index_(index), purges_(purges), health_(health) {}

  /// Takes a record that is not good out of the index, if it is there still. The caller holds a Pin
  /// of its slab. The operator is told of the first, the second, the fourth and so on: a disk that
  /// goes bad does not fill the log.
  void drop(const EntryKey& key, const Location& location) {
    // An older version must not take its place at the next start; nor must it come back itself, if
    // it can be read then, and a newer one lay in the other ring and has gone.
    index_.erase_if(key, location, [&](bool) { purges_.drop(key); });
    const uint64_t count = count_.fetch_add(1, std::memory_order_relaxed) + 1;
    if (std::has_single_bit(count)) {
      health_.tell("damaged records found in the store and dropped: " + std::to_string(count) +
                   " since the start");
    }
  }
  /// How many were found.
  uint64_t count() const { return count_.load(std::memory_order_relaxed); }

 private:
  Index& index_;
  PurgeLog& purges_;
  Health& health_;
  std::atomic<uint64_t> count_{0};
};

}  // namespace perigee::cache_store

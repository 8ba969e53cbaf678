// How many records each of the last purges by tag, prefix or of everything took or made stale.
//
// Counted where a record is found to match, under the lock of its index shard; told when the sweep
// has passed. Thread-safe.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <optional>

#include "base/limits.h"
#include "base/mutex.h"

namespace perigee::cache_store {

class MatchCounts {
 public:
  /// A purge was drawn: from now on it is counted for.
  void begin(uint64_t seq);
  /// A record matched this purge. One that is not counted for any more changes the sum alone.
  void count(uint64_t seq);
  /// The sweep has passed for all up to `seq`.
  void finish(uint64_t seq);
  /// Nothing: the sweep has not passed, or it is not remembered.
  std::optional<uint64_t> swept(uint64_t seq) const;
  /// Records of all purges.
  uint64_t sum() const { return sum_.load(std::memory_order_relaxed); }

 private:
  struct Count {
    uint64_t seq = 0;  ///< 0: none
    uint64_t records = 0;
  };
  Count* find(uint64_t seq) REQUIRES(mutex_);

  std::atomic<uint64_t> sum_{0};
  mutable base::Mutex mutex_{base::LockRank::kMatches};
  std::array<Count, base::limits::kPurgesCounted> counts_ GUARDED_BY(mutex_);
  size_t next_ GUARDED_BY(mutex_) = 0;  ///< the oldest, which goes
  uint64_t finished_ GUARDED_BY(mutex_) = 0;
};

}  // namespace perigee::cache_store

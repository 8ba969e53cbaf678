#include "cache_store/match_counts.h"

#include <algorithm>

#include "base/check.h"

namespace perigee::cache_store {

void MatchCounts::begin(uint64_t seq) {
  const base::MutexLock lock(mutex_);
  CHECK(seq != 0);
  counts_[next_] = {seq, 0};
  next_ = next_ + 1 < counts_.size() ? next_ + 1 : 0;
}

MatchCounts::Count* MatchCounts::find(uint64_t seq) {
  const auto found = std::find_if(counts_.begin(), counts_.end(),
                                  [&](const Count& count) { return count.seq == seq; });
  return found == counts_.end() ? nullptr : &*found;
}

void MatchCounts::count(uint64_t seq) {
  sum_.fetch_add(1, std::memory_order_relaxed);
  const base::MutexLock lock(mutex_);
  if (Count* found = find(seq); found != nullptr) ++found->records;
}

void MatchCounts::finish(uint64_t seq) {
  const base::MutexLock lock(mutex_);
  finished_ = std::max(finished_, seq);
}

std::optional<uint64_t> MatchCounts::swept(uint64_t seq) const {
  const base::MutexLock lock(mutex_);
  const auto found = std::find_if(counts_.begin(), counts_.end(),
                                  [&](const Count& count) { return count.seq == seq; });
  if (seq == 0 || seq > finished_ || found == counts_.end()) return std::nullopt;
  return found->records;
}

}  // namespace perigee::cache_store

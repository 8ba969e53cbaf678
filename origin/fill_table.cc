#include "origin/fill_table.h"

#include "base/check.h"

namespace perigee::origin {

void FillTable::remove(const Fill& fill) {
  Shard& owner = shard(fill.join_digest);
  const base::MutexLock lock(owner.mutex);
  const auto [first, last] = owner.fills.equal_range(fill.join_digest.lo);
  for (auto it = first; it != last; ++it) {
    if (it->second.get() != &fill) continue;
    owner.fills.erase(it);
    return;
  }
}

void FillTable::mark(const cache_store::Digest& join, base::Tick now) {
  const base::MutexLock lock(marks_mutex_);
  if (marks_.insert_or_assign(join.lo, now.ms + base::limits::kHitForMissMs).second) {
    marks_order_.push_back(join.lo);
  }
  while (marks_order_.size() > base::limits::kHitForMissMarks) {
    marks_.erase(marks_order_.front());
    marks_order_.pop_front();
  }
  CHECK(marks_.size() <= marks_order_.size());
}

void FillTable::unmark(const cache_store::Digest& join) {
  const base::MutexLock lock(marks_mutex_);
  // Its place in the order stays and is taken off when it becomes the oldest.
  const auto it = marks_.find(join.lo);
  if (it != marks_.end()) it->second = 0;
}

bool FillTable::marked(const cache_store::Digest& join, base::Tick now) const {
  const base::MutexLock lock(marks_mutex_);
  const auto it = marks_.find(join.lo);
  return it != marks_.end() && it->second > now.ms;
}

void FillTable::add_loop(unsigned loop, Fills* fills, base::Env* env) {
  const base::MutexLock lock(loops_mutex_);
  if (loops_.size() <= loop) loops_.resize(loop + 1);
  CHECK(loops_[loop].fills == nullptr);
  loops_[loop] = {fills, env};
}

void FillTable::remove_loop(unsigned loop) {
  const base::MutexLock lock(loops_mutex_);
  CHECK(loop < loops_.size() && loops_[loop].fills != nullptr);
  loops_[loop] = {};
}

Fills* FillTable::loop(unsigned loop) const {
  const base::MutexLock lock(loops_mutex_);
  return loop < loops_.size() ? loops_[loop].fills : nullptr;
}

}  // namespace perigee::origin

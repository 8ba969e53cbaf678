// The fills in flight of all loops, by what is joined, and the keys whose responses cannot be
// shared.
//
// Lock order: a shard of this table -> a fill's own locks -> the store's index.
#pragma once

#include <array>
#include <deque>
#include <memory>
#include <unordered_map>
#include <vector>

#include "base/mutex.h"
#include "origin/fill_progress.h"
#include "origin/fills.h"

namespace perigee::origin {

class LoopFills;

class FillTable {
 public:
  explicit FillTable(const FillShared& shared) : shared_(shared) {}

  const FillShared& shared() const { return shared_; }

  struct Shard {
    base::Mutex mutex{base::LockRank::kFillTable};
    std::unordered_multimap<uint64_t, std::shared_ptr<FillProgress>> fills GUARDED_BY(mutex);
  };
  Shard& shard(const cache_store::Digest& join) { return shards_[join.hi % shards_.size()]; }

  void remove(const FillProgress& progress);

  /// Hit-for-miss: remembered for some seconds, the oldest forgotten at the bound.
  void mark(const cache_store::Digest& join, base::Tick now);
  void unmark(const cache_store::Digest& join);
  bool marked(const cache_store::Digest& join, base::Tick now) const;

  /// Each loop registers its door once, before any fill begins.
  void add_loop(unsigned loop, LoopFills* fills, base::Env* env);
  void remove_loop(unsigned loop);
  LoopFills* loop(unsigned loop) const;
  /// Runs `task(fills)` on that loop; dropped when the loop is gone.
  template <typename F>
  void post(unsigned loop, F task) {
    const base::MutexLock lock(loops_mutex_);
    if (loop >= loops_.size() || loops_[loop].fills == nullptr) return;
    loops_[loop].env->post([this, loop, task = std::move(task)]() mutable {
      if (LoopFills* fills = this->loop(loop); fills != nullptr) task(*fills);
    });
  }

 private:
  struct Door {
    LoopFills* fills = nullptr;
    base::Env* env = nullptr;
  };
  const FillShared shared_;
  std::array<Shard, 64> shards_;
  mutable base::Mutex marks_mutex_{base::LockRank::kHitForMiss};
  /// Digest -> until, ms.
  std::unordered_map<uint64_t, int64_t> marks_ GUARDED_BY(marks_mutex_);
  std::deque<uint64_t> marks_order_ GUARDED_BY(marks_mutex_);
  mutable base::Mutex loops_mutex_{base::LockRank::kFillLoops};
  std::vector<Door> loops_ GUARDED_BY(loops_mutex_);
};

}  // namespace perigee::origin

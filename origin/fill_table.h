// The fills in flight of all loops, by what is joined, and the keys whose responses cannot be
// shared.
//
// Lock order: a shard of this table -> a fill's own locks -> the store's index.
#pragma once

#include <array>
#include <atomic>
#include <deque>
#include <memory>
#include <mutex>
#include <unordered_map>
#include <vector>

#include "origin/fill_progress.h"
#include "origin/fills.h"

namespace perigee::origin {

class LoopFills;

class FillTable {
 public:
  explicit FillTable(const FillShared& shared) : shared_(shared) {}

  const FillShared& shared() const { return shared_; }

  struct Shard {
    std::mutex mutex;
    std::unordered_multimap<uint64_t, std::shared_ptr<FillProgress>> fills;
  };
  Shard& shard(const cache_store::Digest& join) { return shards_[join.hi % shards_.size()]; }

  /// For one more fill that asks the origin. False: the bound is reached.
  bool take_permit() {
    if (asking_.fetch_add(1) < base::limits::kFills) return true;
    --asking_;
    return false;
  }
  void return_permit() { --asking_; }
  size_t asking() const { return asking_; }
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
    const std::lock_guard lock(loops_mutex_);
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
  std::atomic<size_t> asking_{0};
  mutable std::mutex marks_mutex_;
  std::unordered_map<uint64_t, int64_t> marks_;  ///< digest -> until, ms
  std::deque<uint64_t> marks_order_;
  mutable std::mutex loops_mutex_;
  std::vector<Door> loops_;
};

}  // namespace perigee::origin

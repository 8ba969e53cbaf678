// The fills in flight of all loops, by what is joined, and the keys whose responses cannot be
// shared.
//
// The order of the locks is base/lock_rank.h: a shard of this table comes first of all.
#pragma once

#include <array>
#include <deque>
#include <memory>
#include <unordered_map>
#include <vector>

#include "base/budget.h"
#include "base/mutex.h"
#include "origin/fill.h"

namespace perigee::origin {

class Fills;

/// What is told of fills, for counters. Any loop.
class FillObserver {
 public:
  virtual ~FillObserver() = default;
  virtual void on_fill_begun() = 0;
  /// `failed`: no whole response came.
  virtual void on_fill_ended(bool stored, bool failed) = 0;
};

/// Shared by all loops; outlives them.
struct FillShared {
  cache_store::Store& store;
  base::Budget& budget;  ///< bytes of all fill bodies
  FillObserver& observer;
};

/// Outlives the loops' Fills. Any thread.
class FillTable {
 public:
  explicit FillTable(const FillShared& shared) : shared_(shared) {}

  const FillShared& shared() const { return shared_; }

  struct Shard {
    base::Mutex mutex{base::LockRank::kFillTable};
    std::unordered_multimap<uint64_t, std::shared_ptr<Fill>> fills GUARDED_BY(mutex);
  };
  Shard& shard(const cache_store::Digest& join) { return shards_[join.hi % shards_.size()]; }

  void remove(const Fill& fill);

  /// Hit-for-miss: remembered for some seconds, the oldest forgotten at the bound.
  void mark(const cache_store::Digest& join, base::Tick now);
  void unmark(const cache_store::Digest& join);
  bool marked(const cache_store::Digest& join, base::Tick now) const;

  /// Each loop registers its door once, before any fill begins.
  void add_loop(unsigned loop, Fills* fills, base::Env* env);
  void remove_loop(unsigned loop);
  Fills* loop(unsigned loop) const;
  /// Runs `task(fills)` on that loop; dropped when the loop is gone.
  template <typename F>
  void post(unsigned loop, F task) {
    const base::MutexLock lock(loops_mutex_);
    if (loop >= loops_.size() || loops_[loop].fills == nullptr) return;
    loops_[loop].env->post([this, loop, task = std::move(task)]() mutable {
      if (Fills* fills = this->loop(loop); fills != nullptr) task(*fills);
    });
  }

 private:
  struct Door {
    Fills* fills = nullptr;
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

#include "cache_store/syncer.h"

#include <vector>

#include "base/limits.h"

namespace perigee::cache_store {

namespace limits = base::limits;
using base::Status;

void Syncer::begin(int64_t wall_ms) {
  const base::MutexLock lock(mutex_);
  now_ms_ = last_sync_ms_ = wall_ms;
}

bool Syncer::is_due(int64_t wall_ms) {
  if (wall_ms - last_sync_ms_ < limits::kSyncMs && wall_ms >= last_sync_ms_) return false;
  last_sync_ms_ = wall_ms;
  return true;
}

void Syncer::step(int64_t wall_ms) {
  const base::MutexLock lock(mutex_);
  now_ms_ = wall_ms;
  if (is_due(wall_ms)) sync_now();
}

void Syncer::sync() {
  const base::MutexLock lock(mutex_);
  sync_now();
}

void Syncer::sync_now() {
  std::vector<uint32_t> waiting;
  {
    const base::MutexLock lock(slabs_.mutex());
    waiting = slabs_.begin_sync();
  }
  const Status status = waiting.empty() ? Status(base::Done{}) : io_.sync();
  {
    const base::MutexLock lock(slabs_.mutex());
    slabs_.end_sync(waiting, status.ok());
    if (status.ok()) return;
    health_.tell("the store file cannot be synced: " + status.error().message);
    reclaimer_.drop_unsynced(slabs_);
  }
  if (has_failed_ && now_ms_ - last_failure_ms_ < limits::kSyncFailuresMs) health_.end_storing();
  has_failed_ = true;
  last_failure_ms_ = now_ms_;
}

}  // namespace perigee::cache_store

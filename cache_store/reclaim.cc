// Making room: whole slabs, first in, first out. A slab's entries leave the index first; when its last pin
// drops, its pages are detached (a socket may still hold some) and it is free.
#include <cstring>

#include "cache_store/store_core.h"

namespace perigee::cache_store {

namespace {
constexpr size_t kFreeReady = 2;  ///< detached slabs kept so that put() does not wait
}

/// Under the append mutex. Takes the oldest sealed slab without readers among the first four, else the
/// oldest, out of the index; frees it if nobody reads it. False: nothing could be freed now.
bool StoreCore::reclaim_one() {
  free_drained();
  if (!free_.empty()) return true;
  if (sealed_.empty()) return false;
  size_t choice = 0;
  for (size_t i = 0; i < std::min<size_t>(4, sealed_.size()); ++i) {
    const uint64_t word = words_[sealed_[i]].life_pins.load(std::memory_order_acquire);
    if (static_cast<uint32_t>(word) == 0) {
      choice = i;
      break;
    }
  }
  const uint32_t victim = sealed_[choice];
  sealed_.erase(sealed_.begin() + static_cast<ptrdiff_t>(choice));
  empty_slab(victim);
  free_drained();
  return !free_.empty();
}

/// Under the append mutex. Nobody finds the slab's records any more.
void StoreCore::empty_slab(uint32_t number) {
  std::vector<format::TableEntry> table;
  read_slab(number, table);
  for (const format::TableEntry& entry : table) {
    const Location location{number, entry.offset64, entry.length64};
    if (index_.erase_if({entry.digest_lo, entry.digest_hi}, entry.slot, location)) {
      evicted_.fetch_add(1, std::memory_order_relaxed);
    }
  }
  slabs_[number].state = SlabState::kDraining;
  draining_.push_back(number);
}

/// Under the append mutex. Detaches and frees what nobody reads any more.
void StoreCore::free_drained() {
  std::erase_if(draining_, [&](uint32_t number) {
    std::atomic<uint64_t>& word = words_[number].life_pins;
    uint64_t expected = word.load(std::memory_order_acquire) & ~uint64_t{0xffffffff};
    const uint64_t next_life = expected + (uint64_t{1} << 32);
    if (!word.compare_exchange_strong(expected, next_life, std::memory_order_acq_rel)) return false;
    SlabInfo& slab = slabs_[number];
    const base::Status detached =
        can_detach_ ? io_.detach(geometry_.slab_begin(number), geometry_.slab_bytes)
                    : base::Status(base::Done{});
    slab = SlabInfo{};
    words_[number].poisoned.store(false, std::memory_order_relaxed);
    if (!detached.ok() && can_lend_) {
      // Pages of it may be on loan: it is not written again.
      slab.state = SlabState::kQuarantined;
      observer_.on_store_event("a slab is out of use: " + detached.error().message);
      return true;
    }
    slab.state = SlabState::kFree;
    free_.push_back(number);
    return true;
  });
}

/// A slab with a bad page is dropped whole.
void StoreCore::drop_poisoned() {
  const std::lock_guard lock(append_mutex_);
  for (uint32_t number = 0; number < slabs_.size(); ++number) {
    SlabInfo& slab = slabs_[number];
    if (!words_[number].poisoned.load(std::memory_order_relaxed)) continue;
    if (slab.state == SlabState::kOpen) seal_open_slab();
    if (slab.state != SlabState::kSealed) continue;
    poisoned_.fetch_add(1, std::memory_order_relaxed);
    observer_.on_store_event("a page of the store file went bad; its slab is dropped");
    std::erase(sealed_, number);
    // The zero page stays in the map until the next start, so the slab is not used again before.
    empty_slab(number);
    std::erase(draining_, number);
    slab.state = SlabState::kQuarantined;
  }
}

void StoreCore::compact_journal(int64_t wall_ms) {
  if (!journal_->more_than_half_full()) return;
  const std::lock_guard lock(append_mutex_);
  uint64_t lowest = purges_->newest();
  for (const SlabInfo& slab : slabs_) {
    if (slab.state == SlabState::kOpen || slab.state == SlabState::kSealed) {
      lowest = std::min(lowest, slab.lowest_purge_seq);
    }
  }
  const base::Result<uint64_t> folded = journal_->compact(lowest, superblock_.epoch);
  if (!folded.ok()) {
    observer_.on_store_event("the purge journal cannot be rewritten: " + folded.error().message);
    return;
  }
  if (*folded > 0) {
    superblock_.stale_floor = *folded;
    superblock_.stale_floor_ms = wall_ms;
  }
  superblock_.journal_half = journal_->half();
  superblock_.journal_epoch = superblock_.epoch;
  const base::Status written = write_superblock();
  if (!written.ok()) observer_.on_store_event(written.error().message);
}

bool StoreCore::maintain(const StepBudget& budget) {
  const base::Status committed = commit(purges_->newest());
  if (!committed.ok()) observer_.on_store_event(committed.error().message);
  sync_if_due(budget.wall_ms);
  drop_poisoned();
  compact_journal(budget.wall_ms);
  const std::lock_guard lock(append_mutex_);
  free_drained();
  if (free_.size() < kFreeReady && !sealed_.empty() && sealed_.size() + kFreeReady >= slabs_.size() / 2) {
    return reclaim_one() && free_.size() < kFreeReady;
  }
  return false;
}

}  // namespace perigee::cache_store

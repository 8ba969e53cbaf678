// Making room, and upkeep: whole slabs, first in, first out.
//
// A slab's entries leave the index and its header is wiped; when its last pin drops, its pages are
// detached (a socket may still hold some) and it is free. The oldest always goes first, also when
// it is still read: if a newer slab went before it, the older versions in it would come back at the
// next start.
#include <algorithm>

#include "base/limits.h"
#include "cache_store/store_core.h"

namespace perigee::cache_store {

namespace limits = base::limits;
using base::Done;
using base::ErrorCode;
using base::Status;

/// Under the append mutex. Frees one slab that nobody reads any more; false: there is none.
bool StoreCore::ready_one() {
  for (size_t i = 0; i < draining_.size();) {
    const uint32_t number = draining_[i];
    std::atomic<uint64_t>& word = words_[number].life_pins;
    uint64_t expected = word.load(std::memory_order_acquire) & ~uint64_t{0xffffffff};
    const uint64_t next_life = expected + (uint64_t{1} << 32);
    if (!word.compare_exchange_strong(expected, next_life, std::memory_order_acq_rel)) {
      ++i;
      continue;
    }
    draining_.erase(draining_.begin() + static_cast<ptrdiff_t>(i));
    free_slab(number);
    if (slabs_[number].state == SlabState::kFree) return true;
  }
  return false;
}

/// Nobody reads the slab, nor will before it is opened again.
void StoreCore::free_slab(uint32_t number) {
  SlabInfo& slab = slabs_[number];
  const uint64_t begin = geometry_.slab_begin(number);
  const Status detached = can_detach_ ? io_.detach(begin, geometry_.slab_bytes) : Status(Done{});
  const bool must = can_lend_ || (!detached.ok() && detached.error().code == ErrorCode::kNoSpace);
  Status status = must ? detached : Status(Done{});
  if (status.ok() && words_[number].is_poisoned()) {
    status = io_.map_again(begin, geometry_.slab_bytes);
  }
  if (!status.ok()) {
    // Pages of it may be on loan, or it has none: it is not written again.
    slab.state = SlabState::kQuarantined;
    observer_.on_store_event("a slab is out of use: " + status.error().message);
    return;
  }
  words_[number].poisoned.store(false, std::memory_order_relaxed);
  slab.state = SlabState::kFree;
  free_.push_back(number);
}

/// Under the append mutex. Empties the oldest slabs until one of them can be freed; false: too many
/// are still read.
bool StoreCore::make_room() {
  while (!sealed_.empty() && pinned_draining() <= slabs_.size() / limits::kDrainingShare) {
    const uint32_t oldest = sealed_.front();
    sealed_.pop_front();
    empty_slab(oldest, false);
    if (ready_one()) return true;
  }
  return false;
}

size_t StoreCore::pinned_draining() const {
  return static_cast<size_t>(
      std::count_if(draining_.begin(), draining_.end(), [&](uint32_t number) {
        return static_cast<uint32_t>(words_[number].life_pins.load(std::memory_order_relaxed)) != 0;
      }));
}

/// Under the append mutex; the slab is in no list. Nobody finds its records any more, now or after
/// a crash. `newer_first`: older slabs stay, so that what goes is journalled as erased, lest an
/// older version of it comes back.
void StoreCore::empty_slab(uint32_t number, bool newer_first) {
  SlabInfo& slab = slabs_[number];
  std::vector<format::TableEntry> table = std::move(slab.table);
  if (table.empty()) {
    std::optional<ScannedSlab> scanned = read_slab(number);
    if (scanned && scanned->header.generation == slab.generation) table = std::move(scanned->table);
  }
  for (const format::TableEntry& entry : table) {
    const Digest digest{entry.digest_lo, entry.digest_hi};
    const Location location{number, entry.offset64, entry.length64};
    const bool erased = index_.erase_if(digest, entry.slot, location, [&] {
      if (newer_first) record_purge(digest, true, false, 0);
    });
    if (erased) evicted_.fetch_add(1, std::memory_order_relaxed);
  }
  if (table.size() != slab.records) {
    evicted_.fetch_add(index_.erase_slab(number), std::memory_order_relaxed);
  }
  // Readers still use its records, so only the header goes.
  const std::array<std::byte, sizeof(format::SlabHeader)> wiped{};
  const Status status = io_.pwrite(geometry_.slab_begin(number), wiped);
  slab.end_life();
  slab.synced = !status.ok();
  slab.state = SlabState::kDraining;
  draining_.push_back(number);
}

/// A slab is given up before its turn.
void StoreCore::drop_slab(uint32_t number) {
  if (slabs_[number].state == SlabState::kOpen) close_open_slab();
  std::erase(sealed_, number);
  empty_slab(number, true);
}

/// The last page of a file that was cut short reads as zeros to its end, without a signal; so its
/// slab and all behind it are bad, and nothing is stored any more.
void StoreCore::check_length() {
  const base::Result<uint64_t> size = io_.size();
  if (size.ok() && *size >= geometry_.file_bytes()) return;
  if (!failed_.exchange(true, std::memory_order_relaxed)) {
    observer_.on_store_event(size.ok() ? "the store file was cut short: nothing is stored any more"
                                       : size.error().message);
  }
  if (!size.ok()) return;
  for (uint32_t number = 0; number < geometry_.slab_count; ++number) {
    const bool cut = geometry_.slab_begin(number) + geometry_.slab_bytes > *size;
    if (cut) words_[number].poisoned.store(true, std::memory_order_seq_cst);
  }
}

/// A slab with a bad page is dropped whole.
void StoreCore::drop_poisoned() {
  const base::MutexLock lock(append_mutex_);
  for (uint32_t number = 0; number < slabs_.size(); ++number) {
    const SlabState state = slabs_[number].state;
    if (!words_[number].is_poisoned()) continue;
    if (state != SlabState::kOpen && state != SlabState::kSealed) continue;
    poisoned_.fetch_add(1, std::memory_order_relaxed);
    observer_.on_store_event("a page of the store file went bad; its slab is dropped");
    drop_slab(number);
  }
}

void StoreCore::sync_if_due(int64_t wall_ms) {
  std::vector<uint32_t> waiting;
  {
    const base::MutexLock lock(append_mutex_);
    if (wall_ms - last_sync_ms_ < limits::kSyncMs && wall_ms >= last_sync_ms_) return;
    last_sync_ms_ = wall_ms;
    for (uint32_t number = 0; number < slabs_.size(); ++number) {
      if (!slabs_[number].synced) waiting.push_back(number);
      slabs_[number].synced = true;
    }
  }
  if (waiting.empty()) return;
  const Status status = io_.sync();
  const base::MutexLock lock(append_mutex_);
  for (const uint32_t number : waiting) {
    SlabInfo& slab = slabs_[number];
    if (!status.ok()) slab.synced = false;
    // Written to again meanwhile: the next sync tells.
    if (slab.synced) slab.lowest_left = UINT64_MAX;
  }
  if (!status.ok()) {
    observer_.on_store_event("the store file cannot be synced: " + status.error().message);
    drop_unsynced(wall_ms);
  }
}

/// The kernel reports a failed write-back once and calls the pages clean: nothing that was not
/// known to be synced can be trusted. A second failure soon after ends storing.
void StoreCore::drop_unsynced(int64_t wall_ms) {
  for (uint32_t number = 0; number < slabs_.size(); ++number) {
    const SlabInfo& slab = slabs_[number];
    const bool holds = slab.state == SlabState::kOpen || slab.state == SlabState::kSealed;
    if (holds && !slab.synced) drop_slab(number);
  }
  index_.distrust_all();
  if (sync_failed_ && wall_ms - last_sync_failure_ms_ < limits::kSyncFailuresMs) {
    failed_.store(true, std::memory_order_relaxed);
  }
  sync_failed_ = true;
  last_sync_failure_ms_ = wall_ms;
}

/// Under the append mutex. Purges that concern no record any more go; when many are left, the
/// oldest of them become the stale floor.
Status StoreCore::compact_journal() {
  // A record that is yet to come may have been fetched before any purge that the fence remembers.
  uint64_t lowest = purges_->oldest_known();
  for (const SlabInfo& slab : slabs_) {
    lowest = std::min({lowest, slab.lowest_purge_seq, slab.lowest_left});
  }
  return journal_->compact(lowest, draw_number(),
                           [&](const PurgeJournal::Half& half) REQUIRES(append_mutex_) {
                             format::Superblock next = superblock_;
                             next.journal_half = half.half;
                             next.journal_generation = half.generation;
                             next.journal_seq = half.seq;
                             next.stale_floor = std::max(next.stale_floor, half.folded);
                             return write_superblock(next);
                           });
}

Status StoreCore::commit(uint64_t seq) {
  Status status = journal_->commit(seq);
  // Full is full until somebody compacts it: this thread, or another since.
  while (!status.ok() &&
         (status.error().code == ErrorCode::kNoSpace || journal_->needs_compaction())) {
    const base::MutexLock lock(append_mutex_);
    if (journal_->needs_compaction()) {
      const Status compacted = compact_journal();
      if (!compacted.ok()) return compacted;
    }
    status = journal_->commit(seq);
    if (!status.ok() && !journal_->needs_compaction()) break;
  }
  return status;
}

/// Under the append mutex. Also in the file, so that a start after this one knows that purges may
/// be missing.
void StoreCore::tell_journal_state(const Status& last_write) {
  const bool bad = journal_->bad();
  if (bad != journal_was_bad_) {
    observer_.on_store_event(bad ? "purges cannot be written" : "purges are written again");
    if (!last_write.ok()) observer_.on_store_event(last_write.error().message);
  }
  journal_was_bad_ = bad;
  if ((superblock_.journal_bad != 0) == bad) return;
  format::Superblock next = superblock_;
  next.journal_bad = bad ? 1 : 0;
  // When this fails too, the next step tries again.
  (void)write_superblock(next);
}

bool StoreCore::maintain(const StepBudget& budget) {
  Status written = commit(purges_->newest());
  sync_if_due(budget.wall_ms);
  check_length();
  drop_poisoned();
  const base::MutexLock lock(append_mutex_);
  if (journal_->needs_compaction()) written = compact_journal();
  tell_journal_state(written);
  const size_t wanted = std::min(limits::kSlabsReady, slabs_.size() / limits::kDrainingShare);
  if (failed_.load(std::memory_order_relaxed) || free_.size() >= wanted) return false;
  return (ready_one() || make_room()) && free_.size() < wanted;
}

}  // namespace perigee::cache_store

#include "cache_store/scrubber.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "base/check.h"
#include "base/limits.h"

namespace perigee::cache_store {

namespace limits = base::limits;

void Scrubber::begin(int64_t wall_ms) {
  const base::MutexLock lock(mutex_);
  last_ms_ = wall_ms;
}

/// A second's worth at most: a clock that was put forward, or a pool that was busy, earns no burst.
void Scrubber::earn(int64_t wall_ms) {
  constexpr int64_t kMostMs = 1'000;
  const int64_t ms = std::clamp<int64_t>(wall_ms - last_ms_, 0, kMostMs);
  last_ms_ = wall_ms;
  allowed_ = std::min(allowed_ + limits::kScrubBytesPerSecond * ms / kMostMs,
                      limits::kScrubBytesPerSecond);
}

void Scrubber::spend(uint64_t bytes) {
  allowed_ -= static_cast<int64_t>(bytes);
  bytes_.fetch_add(bytes, std::memory_order_relaxed);
}

bool Scrubber::may_go_on(uint64_t most) const { return allowed_ > 0 && bytes() < most; }

void Scrubber::step(const StepBudget& budget) {
  const base::MutexLock lock(mutex_);
  earn(budget.wall_ms);
  const uint64_t most = bytes() + budget.bytes;
  for (size_t looks = 0; looks < limits::kScrubSlabsLooked && may_go_on(most); ++looks) {
    const Pin pin = pin_slab();
    if (pin && !pin.is_poisoned() && (generation_ != 0 || read_table())) {
      while (next_ < table_.size() && may_go_on(most)) look_at(table_[next_++]);
      if (next_ < table_.size()) return;
      release_pages();
    }
    leave_slab();
  }
}

/// Empty: the slab is not sealed now, or it was used again since its table was read. What the table
/// said is then of no use.
Pin Scrubber::pin_slab() {
  const base::MutexLock lock(parts_.slabs.mutex());
  CHECK(slab_ < parts_.slabs.count());
  const SlabInfo& info = parts_.slabs.info(slab_);
  const bool same = generation_ == 0 || generation_ == info.contents.generation;
  if (info.state != SlabState::kSealed || !same) return {};
  return parts_.slabs.pin(slab_);
}

/// Pinned. False: there is nothing to look at.
bool Scrubber::read_table() {
  const Geometry& geometry = parts_.slabs.geometry();
  before_.resize(geometry.slab_bytes / format::kPage);
  if (!parts_.io.find_resident(geometry.slab_begin(slab_), before_)) before_.clear();
  std::optional<Recovery::ScannedSlab> scanned = parts_.recovery.read_slab(slab_);
  // Emptied since it was pinned: its header is gone.
  if (!scanned || scanned->header.generation != parts_.slabs.generation_of(slab_)) return false;
  generation_ = scanned->header.generation;
  table_ = std::move(scanned->table);
  spend(format::table_bytes(table_.size()));
  return true;
}

/// Pinned.
void Scrubber::look_at(const format::TableEntry& entry) {
  const Digest digest{entry.digest_lo, entry.digest_hi};
  const Location location{slab_, entry.offset64, entry.length64};
  // Dead records are left alone: nobody finds them.
  const auto found = parts_.index.peek(digest, [](const Location&) { return Pin(); });
  if (!found || found->slot != entry.slot || found->location != location) return;
  const RecordReader::Condition condition =
      parts_.reader.check(location, {digest, entry.slot}, buffer_);
  spend(buffer_.size());
  if (condition != RecordReader::Condition::kGood) {
    parts_.bad.drop({digest, entry.slot}, location);
  }
}

/// Pinned.
void Scrubber::release_pages() {
  const auto is_out = [](unsigned char page) { return (page & 1) == 0; };
  const uint64_t begin = parts_.slabs.geometry().slab_begin(slab_);
  for (auto run = std::find_if(before_.begin(), before_.end(), is_out); run != before_.end();) {
    const auto end = std::find_if_not(run, before_.end(), is_out);
    parts_.io.release(begin + static_cast<uint64_t>(run - before_.begin()) * format::kPage,
                      static_cast<uint64_t>(end - run) * format::kPage);
    run = std::find_if(end, before_.end(), is_out);
  }
}

void Scrubber::leave_slab() {
  slab_ = slab_ + 1 < parts_.slabs.count() ? slab_ + 1 : 0;
  generation_ = 0;
  table_.clear();
  next_ = 0;
}

}  // namespace perigee::cache_store

#include "cache_store/residency.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/limits.h"

namespace perigee::cache_store {

namespace limits = base::limits;

namespace {

uint64_t pages_of(uint64_t bytes) { return (bytes + format::kPage - 1) / format::kPage; }

bool is_in_memory(unsigned char page) { return (page & 1) != 0; }

int64_t pause_for(uint64_t file_bytes, uint64_t memory_bytes) {
  const bool large = file_bytes > memory_bytes / limits::kMemoryShare;
  return large ? limits::kResidencyMs : limits::kResidencyCalmMs;
}

}  // namespace

Residency::Residency(const Parts& parts, uint64_t memory_bytes)
    : parts_(parts),
      usual_pause_ms_(pause_for(parts.slabs.geometry().file_bytes(), memory_bytes)),
      noted_(std::make_unique<std::atomic<bool>[]>(parts.slabs.count())),
      pause_ms_(usual_pause_ms_),
      next_(static_cast<uint32_t>(parts.slabs.count())),
      seen_(parts.slabs.count()) {}

void Residency::begin(int64_t wall_ms) {
  const base::MutexLock lock(mutex_);
  last_ms_ = wall_ms;
}

void Residency::step(int64_t wall_ms) {
  const base::MutexLock lock(mutex_);
  if (next_ == seen_.size() && !begin_round(wall_ms)) return;
  size_t records = 0;
  for (size_t slabs = 0; slabs < limits::kResidencySlabs && records < limits::kResidencyRecords &&
                         next_ < seen_.size();
       ++slabs) {
    records += look_at(next_++);
  }
  if (next_ < seen_.size()) return;
  pause_ms_ = cooled() > cooled_before_ ? limits::kResidencyBusyMs : usual_pause_ms_;
}

/// False: none is due, or nothing has changed.
bool Residency::begin_round(int64_t wall_ms) {
  if (wall_ms - last_ms_ < pause_ms_ && wall_ms >= last_ms_) return false;
  last_ms_ = wall_ms;
  const bool noted = any_noted_.exchange(false, std::memory_order_relaxed);
  const std::optional<uint64_t> now =
      parts_.io.count_resident(0, parts_.slabs.geometry().file_bytes());
  if (!now || (now == whole_ && !noted)) {
    pause_ms_ = usual_pause_ms_;
    return false;
  }
  whole_ = now;
  next_ = 0;
  cooled_before_ = cooled();
  return true;
}

/// Returns how many records were looked at.
size_t Residency::look_at(uint32_t slab) {
  std::optional<Holder> held = holder(slab, false);
  if (!held) {
    seen_[slab] = {};
    return 0;
  }
  // Before the kernel is asked: what is verified from now on is looked at the next time.
  const bool noted = noted_[slab].exchange(false, std::memory_order_relaxed);
  const uint64_t begin = parts_.slabs.geometry().slab_begin(slab);
  const std::optional<uint64_t> count = parts_.io.count_resident(begin, held->bytes);
  if (!count) return 0;
  Seen& seen = seen_[slab];
  const bool same = seen.generation == held->generation && seen.pages == *count;
  if (*count == pages_of(held->bytes) || (same && !noted)) {
    seen = {held->generation, *count};
    return 0;
  }
  seen = {};
  const std::optional<std::vector<format::TableEntry>> table = table_of(slab, held->generation);
  if (!table) {
    whole_.reset();
    return 0;
  }
  // The table is in memory now, so the pages are counted as they are with it.
  pages_.resize(pages_of(parts_.slabs.geometry().slab_bytes));
  if (!parts_.io.find_resident(begin, pages_)) return 0;
  distrust_gone(slab, *table);
  const auto looked_at = pages_.begin() + static_cast<ptrdiff_t>(pages_of(held->bytes));
  seen = {held->generation,
          static_cast<uint64_t>(std::count_if(pages_.begin(), looked_at, is_in_memory))};
  return table->size();
}

/// Nothing: the slab has no records.
std::optional<Residency::Holder> Residency::holder(uint32_t slab, bool with_table) const {
  const base::MutexLock lock(parts_.slabs.mutex());
  if (!parts_.slabs.holds_records(slab)) return std::nullopt;
  const SlabInfo& info = parts_.slabs.info(slab);
  Holder holder;
  holder.generation = info.contents.generation;
  holder.open = info.state == SlabState::kOpen;
  holder.bytes = holder.open ? info.used : parts_.slabs.geometry().slab_bytes;
  if (with_table && holder.open) holder.table = info.table;
  return holder;
}

/// Nothing: the slab was used again, or cannot be read.
std::optional<std::vector<format::TableEntry>> Residency::table_of(uint32_t slab,
                                                                   uint64_t generation) const {
  std::optional<Holder> held = holder(slab, true);
  if (!held || held->generation != generation) return std::nullopt;
  if (held->open) return std::move(held->table);
  std::optional<Recovery::ScannedSlab> scanned = parts_.recovery.read_slab(slab);
  if (!scanned || scanned->header.generation != generation) return std::nullopt;
  return std::move(scanned->table);
}

/// The slab may have been used again meanwhile: then no entry is at these places, or one that is
/// verified once more than it had to be.
void Residency::distrust_gone(uint32_t slab, const std::vector<format::TableEntry>& table) {
  for (const format::TableEntry& entry : table) {
    const uint64_t begin = uint64_t{entry.offset64} * format::kAlignment;
    const uint64_t end = begin + format::bytes_of(entry);
    if (pages_of(end) > pages_.size() || begin == end) continue;
    const auto first = pages_.begin() + static_cast<ptrdiff_t>(begin / format::kPage);
    const auto last = pages_.begin() + static_cast<ptrdiff_t>(pages_of(end));
    if (std::all_of(first, last, is_in_memory)) continue;
    const EntryKey key{{entry.digest_lo, entry.digest_hi}, entry.slot};
    if (parts_.index.distrust(key, {slab, entry.offset64, entry.length64})) {
      cooled_.fetch_add(1, std::memory_order_relaxed);
    }
  }
}

}  // namespace perigee::cache_store

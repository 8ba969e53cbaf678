#include "cache_store/reclaimer.h"

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "base/check.h"
#include "base/limits.h"

namespace perigee::cache_store {

namespace limits = base::limits;
using base::Error;
using base::ErrorCode;
using base::Status;

Status Reclaimer::make_room(Slabs& slabs, uint64_t record_bytes) {
  if (slabs.has_room(record_bytes)) return base::Done{};
  if (slabs.has_open()) slabs.seal();
  if (slabs.free_count() == 0 && !slabs.free_one() && !empty_oldest(slabs)) {
    return Error{ErrorCode::kNoSpace, 0, "no slab is free"};
  }
  const Status opened = slabs.open(purges_.durable_seq());
  if (!opened.ok()) health_.note_write(opened);
  return opened;
}

bool Reclaimer::prepare_one(Slabs& slabs) {
  const size_t wanted = std::min(limits::kSlabsReady, slabs.count() / limits::kDrainingShare);
  if (health_.failed() || slabs.free_count() >= wanted) return false;
  return (slabs.free_one() || empty_oldest(slabs)) && slabs.free_count() < wanted;
}

/// Empties the oldest slabs until one of them can be freed; false: too many are still read.
bool Reclaimer::empty_oldest(Slabs& slabs) {
  const size_t most = slabs.count() / limits::kDrainingShare;
  while (slabs.draining_pinned() <= most) {
    const std::optional<uint32_t> oldest = slabs.oldest_sealed();
    if (!oldest) return false;
    empty(slabs, *oldest, Older::kAreGone);
    if (slabs.free_one()) return true;
  }
  return false;
}

/// Nobody finds the slab's records any more, now or after a crash. When older slabs stay, what goes
/// is journalled as erased, lest an older version of it comes back.
void Reclaimer::empty(Slabs& slabs, uint32_t slab, Older older) {
  CHECK(slabs.holds_records(slab));
  const SlabContents contents = slabs.info(slab).contents;
  std::vector<format::TableEntry> table = slabs.take_table(slab);
  if (table.empty()) {
    std::optional<Recovery::ScannedSlab> scanned = recovery_.read_slab(slab);
    if (scanned && scanned->header.generation == contents.generation) {
      table = std::move(scanned->table);
    }
  }
  for (const format::TableEntry& entry : table) {
    const Digest digest{entry.digest_lo, entry.digest_hi};
    const Location location{slab, entry.offset64, entry.length64};
    const bool erased = index_.erase_if({digest, entry.slot}, location, [&] {
      if (older == Older::kStay) purges_.drop(digest);
    });
    if (erased) evicted_.fetch_add(1, std::memory_order_relaxed);
    if (!erased && older == Older::kStay) keep_gone(entry);
  }
  if (table.size() != contents.records) {
    evicted_.fetch_add(index_.erase_slab(slab), std::memory_order_relaxed);
  }
  slabs.retire(slab);
}

/// A record that goes and is not found any more. One that a purge by its tags took leaves no
/// erasure of its key in the journal, and an older version without these tags may lie elsewhere.
void Reclaimer::keep_gone(const format::TableEntry& entry) {
  const Digest digest{entry.digest_lo, entry.digest_hi};
  const bool may_be_taken = entry.purge_seq < purges_.newest_predicate() && is_known_kind(entry) &&
                            entry.kind != static_cast<uint8_t>(RecordKind::kFragment);
  if (may_be_taken && purges_.has_predicates() &&
      !index_.peek(digest, [](const Location&) { return Pin(); })) {
    purges_.drop(digest);
  }
}

void Reclaimer::drop_poisoned(Slabs& slabs) {
  for (uint32_t slab = 0; slab < slabs.count(); ++slab) {
    if (!slabs.is_poisoned(slab) || !slabs.holds_records(slab)) continue;
    poisoned_.fetch_add(1, std::memory_order_relaxed);
    health_.tell("a page of the store file went bad; its slab is dropped");
    empty(slabs, slab, Older::kStay);
  }
}

void Reclaimer::drop_unsynced(Slabs& slabs) {
  for (uint32_t slab = 0; slab < slabs.count(); ++slab) {
    if (slabs.holds_records(slab) && !slabs.info(slab).synced) empty(slabs, slab, Older::kStay);
  }
  index_.distrust_all();
}

}  // namespace perigee::cache_store

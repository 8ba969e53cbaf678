#include "cache_store/store.h"

#include <xxhash.h>

#include <cstring>

#include "cache_store/record.h"
#include "cache_store/sigbus.h"
#include "cache_store/store_core.h"

namespace perigee::cache_store {

StoreCore::StoreCore(const StoreOptions& options, StoreIo& io, StoreObserver& observer)
    : options_(options), io_(io), observer_(observer) {}

StoreCore::~StoreCore() {
  // What was purged or erased must not come back, however the process ends.
  if (purges_ != nullptr && !commit(purges_->newest()).ok()) {
    observer_.on_store_event("the last purges are not durable");
  }
  if (guarded_) unguard_map(map_);
}

base::Result<std::unique_ptr<Store>> Store::open(const StoreOptions& options, StoreIo& io,
                                                 StoreObserver& observer, int64_t wall_ms) {
  auto store = std::make_unique<StoreCore>(options, io, observer);
  const base::Status status = store->start(wall_ms);
  if (!status.ok()) return status.error();
  return std::unique_ptr<Store>(std::move(store));
}

Digest StoreCore::digest(std::string_view key) const {
  const XXH128_hash_t hash =
      XXH3_128bits_withSecret(key.data(), key.size(), key_secret_.data(), key_secret_.size());
  // The low three bits are the slot's, and a tag of 0 means empty.
  const uint64_t lo = (hash.low64 & ~7ull) == 0 ? 8 : hash.low64;
  return {lo, hash.high64};
}

Found StoreCore::lookup(const Digest& digest, std::string_view key, SlotMask) {
  Found found;
  found.digest = digest;
  Slot slot = kHeadSlot;
  const std::optional<IndexEntry> entry =
      index_.find(digest, slot, [&](const Location& location) { found.pin = pin(location.slab); });
  if (!entry) return found;
  if (poisoned(found.pin)) {
    found.pin.reset();
    return found;
  }
  if (!entry->verified) {
    found.pin.reset();
    found.state = Found::kCold;
    return found;
  }
  if (!read_record(entry->location, key, found.record)) {
    found.pin.reset();
    return found;
  }
  found.record.stale_since_ms = int64_t{entry->stale_since_s} * 1000;
  found.record.stale_seq = entry->stale_seq;
  found.state = slot == kVarySlot ? Found::kVary : Found::kHit;
  return found;
}

namespace {

/// Whether a record's lengths stay within the `size` bytes that it is said to have. Each on its own
/// too: bytes gone bad may make the sum wrap.
bool stays_within(const format::RecordHeader& header, uint64_t size) {
  return header.magic == format::kRecordMagic && header.header_length >= sizeof header &&
         header.body_length <= size && format::layout(header).end <= size;
}

}  // namespace

/// Views a record that was verified before. False: another key under the same digest, or a bad
/// page.
bool StoreCore::read_record(const Location& location, std::string_view key, RecordView& out) const {
  const std::byte* base = at(location);
  format::RecordHeader header;
  std::memcpy(&header, base, sizeof header);
  if (!stays_within(header, uint64_t{location.length64} * format::kAlignment)) return false;
  const format::RecordLayout layout = format::layout(header);
  const auto* chars = reinterpret_cast<const char*>(base);
  if (std::string_view(chars + layout.key, header.key_length) != key) return false;
  out.kind = static_cast<RecordKind>(header.kind);
  out.slot = header.slot;
  out.rid = header.rid;
  out.ticket = {header.purge_seq, header.fetch_seq};
  out.policy = facts_of(header);
  out.key = {chars + layout.key, header.key_length};
  out.head = {base + layout.head, header.head_length};
  out.body = {base + layout.body, header.body_length};
  out.body_offset = static_cast<uint64_t>(base - map_) + layout.body;
  return true;
}

void StoreCore::warm(const Digest& digest, std::string_view, SlotMask) {
  Slot slot = kHeadSlot;
  Pin held;
  const std::optional<IndexEntry> entry =
      index_.find(digest, slot, [&](const Location& location) { held = pin(location.slab); });
  if (!entry || entry->verified || poisoned(held)) return;
  const Condition condition = verify(entry->location, digest, slot);
  if (condition == Condition::kGood) return index_.set_verified(digest, slot, entry->location);
  corrupt_.fetch_add(1, std::memory_order_relaxed);
  index_.erase_if(digest, slot, entry->location, [&] {
    // An older version must not take its place at the next start.
    if (condition == Condition::kDamaged) record_purge(digest, true, false, 0);
  });
}

/// Reads the record from the file, so that a bad block is an error and not a signal, and checks all
/// of it.
StoreCore::Condition StoreCore::verify(const Location& location, const Digest& digest,
                                       Slot slot) const {
  const uint64_t size = uint64_t{location.length64} * format::kAlignment;
  const uint64_t begin =
      geometry_.slab_begin(location.slab) + uint64_t{location.offset64} * format::kAlignment;
  std::vector<std::byte> bytes(size);
  if (!io_.pread(begin, bytes).ok()) return Condition::kUnreadable;
  format::RecordHeader header;
  if (size < sizeof header) return Condition::kDamaged;
  std::memcpy(&header, bytes.data(), sizeof header);
  const bool asked_for =
      stays_within(header, size) && header.generation == words_[location.slab].generation &&
      header.digest_lo == digest.lo && header.digest_hi == digest.hi && header.slot == slot;
  if (!asked_for) return Condition::kDamaged;
  const format::RecordLayout layout = format::layout(header);
  const std::span<const std::byte> all(bytes);
  const bool whole =
      head_checksum(header, all.subspan(layout.key, layout.body - layout.key)) ==
          header.head_checksum &&
      XXH3_64bits(bytes.data() + layout.body, header.body_length) == header.body_checksum;
  if (!whole) return Condition::kDamaged;
  // The map may still have to fault these pages in: here, not on a loop.
  for (uint64_t at_byte = 0; at_byte < size; at_byte += 4096) {
    const volatile std::byte* touched = map_ + begin + at_byte;
    (void)*touched;
  }
  return words_[location.slab].is_poisoned() ? Condition::kUnreadable : Condition::kGood;
}

/// Draws a sequence number and queues the journal entry as one step: the journal relies on the
/// order.
uint64_t StoreCore::record_purge(const Digest& digest, bool erasure, bool soft, int64_t time_ms) {
  const base::MutexLock lock(purge_mutex_);
  const uint64_t seq = purges_->add(digest, soft, time_ms);
  journal_->add({seq, digest, time_ms, erasure, soft});
  return seq;
}

int StoreCore::erase(const Digest& digest) {
  using Fence = AwaitedTable::Fence;
  bool remembered = false;
  index_.erase(digest, [&](bool stored) {
    const Fence fence = awaited_.fence(digest);
    remembered = stored || fence != Fence::kNone;
    if (stored || fence == Fence::kNew) record_purge(digest, true, false, 0);
  });
  return remembered ? 1 : 0;
}

PurgeResult StoreCore::purge(const Predicate& predicate) {
  PurgeResult result;
  const auto fence = [&] {
    return result.seq = record_purge(predicate.digest, false, predicate.soft, predicate.wall_ms);
  };
  const bool matched =
      predicate.soft ? index_.make_stale(predicate.digest, seconds_up(predicate.wall_ms), fence)
                     : index_.erase(predicate.digest, [&](bool) { fence(); });
  result.matched = matched ? 1 : 0;
  return result;
}

bool StoreCore::purged_since(const Digest& digest, Ticket ticket) const {
  const PurgeTable::Verdict verdict = purges_->since(digest, ticket);
  return verdict.removed || verdict.stale;
}

StoreStats StoreCore::stats() const {
  StoreStats stats;
  stats.objects = index_.size();
  stats.slabs = geometry_.slab_count;
  stats.slab_bytes = geometry_.slab_bytes;
  {
    const base::MutexLock lock(append_mutex_);
    stats.slabs_free = free_.size() + draining_.size();
  }
  for (uint64_t slab = 0; slab < geometry_.slab_count; ++slab) {
    stats.pins += static_cast<uint32_t>(words_[slab].life_pins.load(std::memory_order_relaxed));
  }
  stats.puts = puts_.load(std::memory_order_relaxed);
  stats.puts_refused = puts_refused_.load(std::memory_order_relaxed);
  stats.puts_no_room = puts_no_room_.load(std::memory_order_relaxed);
  stats.evicted = evicted_.load(std::memory_order_relaxed);
  stats.corrupt = corrupt_.load(std::memory_order_relaxed);
  stats.poisoned = poisoned_.load(std::memory_order_relaxed);
  stats.purges = purges_->count();
  stats.index_bytes = index_.memory_bytes();
  stats.recovered = recovered_;
  stats.journal_bad = journal_->bad();
  stats.failed = failed_.load(std::memory_order_relaxed);
  return stats;
}

}  // namespace perigee::cache_store

#include "cache_store/survivors.h"

#include <algorithm>
#include <cstring>

#include "base/check.h"
#include "base/limits.h"
#include "cache_store/record.h"

namespace perigee::cache_store {

namespace limits = base::limits;
using base::Done;
using base::Error;
using base::ErrorCode;
using base::Status;

namespace {

EntryKey key_of(const format::TableEntry& entry) {
  return {{entry.digest_lo, entry.digest_hi}, entry.slot};
}

bool has_expired(const format::TableEntry& entry, int64_t now_ms) {
  return int64_t{entry.expiry_s} * 1000 <= now_ms;
}

}  // namespace

Survivors::Survivors(const Parts& parts)
    : parts_(parts), credit_(limits::kSurvivorSlabs * parts.slabs.geometry().slab_bytes) {}

void Survivors::forget() {
  chosen_.clear();
  copied_at_.reset();
}

void Survivors::choose(const Victim& victim, int64_t now_ms) {
  forget();
  RingTotals all;
  for (const Ring ring : format::kAllRings) {
    const RingTotals totals = parts_.index.totals(ring);
    all.entries += totals.entries;
    all.bytes += totals.bytes;
  }
  small_bytes_ = all.entries == 0 ? 0 : all.bytes / all.entries / 2;
  for (const format::TableEntry& entry : victim.table) {
    const Location from{victim.slab, entry.offset64, entry.length64};
    const std::optional<Standing> standing = parts_.index.standing(key_of(entry), from);
    if (!standing) continue;
    parts_.counts.laps[place_of(victim.ring)].fetch_add(1, std::memory_order_relaxed);
    parts_.counts.uses[place_of(victim.ring)].fetch_add(standing->frequency,
                                                        std::memory_order_relaxed);
    const bool again = victim.ring == Ring::kProbation && has_second_lap(entry, *standing, now_ms);
    if (standing->frequency > 0 || again) chosen_.push_back({entry, standing->frequency});
  }
  const uint64_t slab_bytes = parts_.slabs.geometry().slab_bytes;
  credit_ = std::min<uint64_t>(credit_ + slab_bytes / limits::kSurvivorShare,
                               limits::kSurvivorSlabs * slab_bytes);
  // When more is in use than may be copied, what is used most comes along.
  std::stable_sort(chosen_.begin(), chosen_.end(),
                   [](const Candidate& a, const Candidate& b) { return a.uses < b.uses; });
}

/// Whether what was not used in probation goes to main all the same.
bool Survivors::has_second_lap(const format::TableEntry& entry, const Standing& standing,
                               int64_t now_ms) const {
  switch (static_cast<RecordKind>(entry.kind)) {
    case RecordKind::kFragment:
      // Only while a response of its URL is on its way: an object that is longer than probation, or
      // comes slowly, must not lose its begin while its end comes.
      return true;
    case RecordKind::kObject:
      return format::bytes_of(entry) < small_bytes_ && !standing.stale &&
             !has_expired(entry, now_ms);
    case RecordKind::kVarySpec:
      return format::bytes_of(entry) < small_bytes_;
    default:
      // A head is of no use without its fragments, nor a shell without a coding, so each stays no
      // longer than they do.
      return false;
  }
}

bool Survivors::copy_some(const Victim& victim, uint64_t bytes) {
  uint64_t done = 0;
  while (!chosen_.empty() && done < bytes) {
    const Candidate candidate = chosen_.back();
    chosen_.pop_back();
    // Probation shrinks by each slab that is emptied, so all that was used there is copied: a site
    // that was fetched at once comes to main whole. Main must give room.
    if (victim.ring == Ring::kMain && format::bytes_of(candidate.entry) > credit_) continue;
    done += format::bytes_of(candidate.entry);
    copy(victim, candidate);
  }
  return !chosen_.empty();
}

void Survivors::copy(const Victim& victim, const Candidate& candidate) {
  using Condition = RecordReader::Condition;
  const EntryKey key = key_of(candidate.entry);
  const Location from{victim.slab, candidate.entry.offset64, candidate.entry.length64};
  Pin pin;
  {
    const base::MutexLock lock(parts_.slabs.mutex());
    if (!parts_.slabs.is_in_life(victim.slab, victim.contents.generation)) return forget();
    pin = parts_.slabs.pin(victim.slab);
  }
  Condition condition = parts_.reader.check(from, key, bytes_);
  format::RecordHeader header{};
  if (condition == Condition::kGood) {
    std::memcpy(&header, bytes_.data(), sizeof header);
    // What a faulty writer left may pass its checksum.
    const bool as_told = format::layout(header).end == bytes_.size() &&
                         header.seq == candidate.entry.seq && header.kind == candidate.entry.kind;
    if (!as_told) condition = Condition::kDamaged;
  }
  if (condition == Condition::kDamaged) {
    parts_.counts.damaged.fetch_add(1, std::memory_order_relaxed);
    parts_.index.erase_if(key, from, [&](bool) { parts_.purges.drop(key); });
  }
  if (condition != Condition::kGood || !is_wanted(candidate, header)) return;
  const base::MutexLock lock(parts_.slabs.mutex());
  if (!parts_.slabs.is_in_life(victim.slab, victim.contents.generation)) return forget();
  if (header.seq == 0 || header.seq > parts_.slabs.newest_number()) return;
  // Before the entry is looked at: a purge that comes in between has a higher number.
  const uint64_t newest = parts_.purges.newest_in_force();
  const std::optional<Standing> standing = settle(key, from);
  if (!standing || !make_room(parts_.slabs, bytes_.size()).ok()) return;
  const uint64_t purge_seq = checked_purge(header, key, *standing, newest);
  const base::Result<Location> to = parts_.writer.append_copy(parts_.slabs, bytes_, purge_seq);
  if (!to.ok()) return;
  copied_at_ = parts_.slabs.syncs_begun();
  if (victim.ring == Ring::kMain) {
    CHECK(credit_ >= bytes_.size());
    credit_ -= bytes_.size();
  }
  parts_.counts.bytes.fetch_add(bytes_.size(), std::memory_order_relaxed);
  // A write that was told as done may not be there.
  parts_.reader.touch(*to);
  if (std::memcmp(parts_.slabs.at(*to), bytes_.data(), sizeof header) != 0) return;
  // On each lap in main a use is spent. What comes from probation has none left: it must be used in
  // main to stay there.
  const unsigned left = victim.ring == Ring::kMain ? candidate.uses - 1 : 0;
  if (!parts_.index.relocate(key, from, *to, Ring::kMain, left)) return;
  if (victim.ring != Ring::kProbation) return;
  SurvivorCounts::Count& laps =
      candidate.uses > 0 ? parts_.counts.promoted : parts_.counts.second_laps;
  laps.fetch_add(1, std::memory_order_relaxed);
}

/// Does what purges by tag, prefix and of everything are yet to do to the record, whose bytes are
/// at hand: all that are in force. What is left of its entry.
std::optional<Standing> Survivors::settle(const EntryKey& key, const Location& from) {
  const std::optional<Standing> found = parts_.index.standing(key, from);
  if (!found) return std::nullopt;
  parts_.purges.settle(parts_.index, key, from, found->checked,
                       RecordReader::read_filed(bytes_).subject);
  return parts_.index.standing(key, from);
}

/// What depends on a head that is gone is of no use, however much it was used.
bool Survivors::is_wanted(const Candidate& candidate, const format::RecordHeader& header) {
  const Digest base{header.base_lo, header.base_hi};
  switch (static_cast<RecordKind>(header.kind)) {
    case RecordKind::kCoded:
      return is_of_head({header.digest_lo, header.digest_hi}, header.rid);
    case RecordKind::kFragment:
      // The head of a variant lies under a key that the fragment does not tell.
      return parts_.purges.is_awaited(base) || (candidate.uses > 0 && is_of_head(base, header.rid));
    default:
      return true;
  }
}

/// A Vary spec stands for heads that are not known.
bool Survivors::is_of_head(const Digest& digest, uint64_t rid) {
  const std::optional<IndexEntry> head = parts_.index.peek(
      digest, [&](const Location& location) { return parts_.slabs.pin(location.slab); });
  if (!head) return false;
  return head->slot == kVarySlot || parts_.reader.rid_of(head->location) == rid;
}

Status Survivors::make_room(Slabs& slabs, uint64_t record_bytes) {
  if (slabs.has_room(Ring::kMain, record_bytes)) return Done{};
  if (slabs.has_open(Ring::kMain)) slabs.seal(Ring::kMain);
  if (slabs.free_count() == 0 && !slabs.free_one()) {
    return Error{ErrorCode::kNoSpace, 0, "no slab is free"};
  }
  const Status opened = slabs.open(Ring::kMain, parts_.purges.durable_seq());
  if (!opened.ok()) parts_.health.note_write(opened);
  return opened;
}

/// No purge up to this one concerns the record: so the journal can forget them. What a soft purge
/// marked keeps its number, by which a start knows it; and a variant has that of its spec's mark. A
/// fragment is not marked, and by tag or prefix its head goes: of those, nothing is left to know.
uint64_t Survivors::checked_purge(const format::RecordHeader& header, const EntryKey& key,
                                  const Standing& standing, uint64_t newest) const {
  const Digest base{header.base_lo, header.base_hi};
  const bool variant =
      !(base == key.digest) && static_cast<RecordKind>(header.kind) != RecordKind::kFragment;
  if (standing.stale || (variant && !parts_.index.has_fresh_spec(base))) return header.purge_seq;
  return std::max(header.purge_seq, newest);
}

}  // namespace perigee::cache_store

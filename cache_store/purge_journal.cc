#include "cache_store/purge_journal.h"

#include <xxhash.h>

#include <algorithm>
#include <cstring>
#include <iterator>
#include <utility>

#include "base/check.h"
#include "base/limits.h"

namespace perigee::cache_store {

using base::Done;
using base::Error;
using base::ErrorCode;
using base::Status;
using format::JournalUnit;

namespace {

constexpr uint8_t kErasure = 2;

bool is_predicate(const PurgeJournal::Entry& entry) { return entry.kind != PredicateKind::kKey; }

bool takes_all_before(const PurgeJournal::Entry& entry) {
  return entry.kind == PredicateKind::kEverything && !entry.soft;
}

void fill_in(const PurgeJournal::Entry& entry, JournalUnit& unit) {
  unit.seq = entry.seq;
  unit.digest_lo = entry.digest.lo;
  unit.digest_hi = entry.digest.hi;
  unit.time_ms = entry.time_ms;
  unit.kind = entry.erasure ? kErasure : static_cast<uint8_t>(entry.kind);
  unit.soft = entry.soft ? 1 : 0;
  unit.prefix_parts = entry.shape.parts;
  unit.prefix_bytes = entry.shape.bytes;
}

PurgeJournal::Entry entry_of(const JournalUnit& unit) {
  PurgeJournal::Entry entry;
  entry.seq = unit.seq;
  entry.digest = {unit.digest_lo, unit.digest_hi};
  entry.time_ms = unit.time_ms;
  entry.erasure = unit.kind == kErasure;
  entry.soft = unit.soft != 0;
  if (!entry.erasure) entry.kind = static_cast<PredicateKind>(unit.kind);
  entry.shape = {unit.prefix_parts, unit.prefix_bytes};
  return entry;
}

/// Its checksum holds; this is for what a faulty writer may have left.
bool is_plausible(const JournalUnit& unit) {
  static_assert(static_cast<uint8_t>(PredicateKind::kKey) == 1 && kErasure == 2);
  static_assert(static_cast<uint8_t>(PredicateKind::kEverything) == 5);
  return unit.kind >= 1 && unit.kind <= 5 && unit.prefix_parts <= PrefixShape::kPartsMost &&
         unit.prefix_bytes <= base::limits::kPrefixBytes;
}

uint64_t chain_of(const JournalUnit& unit, uint64_t before) {
  return XXH3_64bits_withSeed(&unit, offsetof(JournalUnit, chain), before);
}

/// Each use of a half begins a chain of its own, so that units of another use never continue it.
uint64_t first_chain(uint32_t half, uint64_t generation) {
  const uint64_t seed[2] = {half, generation};
  return XXH3_64bits(seed, sizeof seed);
}

}  // namespace

PurgeJournal::Loaded PurgeJournal::load(const Half& active) {
  const base::MutexLock lock(write_mutex_);
  active_ = active;
  chain_ = first_chain(active.half, active.generation);
  durable_seq_ = active.seq;
  Loaded loaded;
  std::vector<std::byte> bytes(half_bytes_);
  if (!io_.pread(begin_of(active.half), bytes).ok()) {
    loaded.damaged = true;
    return loaded;
  }
  uint64_t previous = 0;
  for (; used_bytes_ + sizeof(JournalUnit) <= bytes.size(); used_bytes_ += sizeof(JournalUnit)) {
    JournalUnit unit;
    std::memcpy(&unit, bytes.data() + used_bytes_, sizeof unit);
    const bool chained = unit.seq > previous && unit.generation == active.generation &&
                         unit.chain == chain_of(unit, chain_) && is_plausible(unit);
    if (!chained) break;
    chain_ = unit.chain;
    previous = unit.seq;
    durable_seq_ = std::max(durable_seq_, unit.seq);
    written_.push_back(entry_of(unit));
  }
  loaded.entries = written_;
  loaded.damaged = std::any_of(bytes.begin() + static_cast<ptrdiff_t>(used_bytes_), bytes.end(),
                               [](std::byte byte) { return byte != std::byte{0}; });
  return loaded;
}

void PurgeJournal::announce_with(Announce announce) {
  const base::MutexLock lock(write_mutex_);
  announce_ = std::move(announce);
}

/// Before `entries` are written into the active half.
Status PurgeJournal::announce(const std::vector<Entry>& entries) {
  if (active_.predicates || std::none_of(entries.begin(), entries.end(), is_predicate)) {
    return Done{};
  }
  const Status announced = announce_ ? announce_() : Status(Done{});
  if (announced.ok()) active_.predicates = true;
  return announced;
}

void PurgeJournal::add(const Entry& entry) {
  const base::MutexLock lock(pending_mutex_);
  if (pending_.size() >= base::limits::kPurgesPending) {
    dropped_seq_ = pending_.back().seq;
    pending_.clear();
  }
  CHECK(pending_.empty() || pending_.back().seq < entry.seq);
  pending_.push_back(entry);
}

Status PurgeJournal::commit(uint64_t seq) {
  const base::MutexLock lock(write_mutex_);
  if (durable_seq_ >= seq) return Done{};
  std::vector<Entry> batch;
  {
    const base::MutexLock pending_lock(pending_mutex_);
    batch.swap(pending_);
    fold_seq_ = std::max(fold_seq_, dropped_seq_);
    dropped_seq_ = 0;
  }
  if (batch.empty()) return Done{};
  const uint64_t room = (half_bytes_ - used_bytes_) / sizeof(JournalUnit);
  const size_t count = must_compact() ? 0 : std::min<size_t>(batch.size(), room);
  const std::vector<Entry> entries(batch.begin(), batch.begin() + static_cast<ptrdiff_t>(count));
  Status status = Done{};
  if (count > 0) {
    const uint64_t size = count * sizeof(JournalUnit);
    uint64_t chain = chain_;
    status = announce(entries);
    if (status.ok()) {
      status = write_units(active_.half, used_bytes_, size, active_.generation, entries, chain);
    }
    bad_ = !status.ok();
    if (status.ok()) {
      used_bytes_ += size;
      chain_ = chain;
      durable_seq_ = entries.back().seq;
      written_.insert(written_.end(), entries.begin(), entries.end());
      batch.erase(batch.begin(), batch.begin() + static_cast<ptrdiff_t>(count));
    }
  }
  if (status.ok() && !batch.empty()) {
    status = Error{ErrorCode::kNoSpace, 0, "the purge journal is full"};
  }
  if (!batch.empty()) {
    const base::MutexLock pending_lock(pending_mutex_);
    pending_.insert(pending_.begin(), batch.begin(), batch.end());
  }
  return durable_seq_ >= seq ? Status(Done{}) : status;
}

/// Writes `entries` as units and zeros behind them, `size` bytes in all.
Status PurgeJournal::write_units(uint32_t half, uint64_t offset, uint64_t size, uint64_t generation,
                                 const std::vector<Entry>& entries, uint64_t& chain) {
  CHECK(half <= 1 && offset + size <= half_bytes_);
  std::vector<JournalUnit> units(size / sizeof(JournalUnit));
  CHECK(entries.size() <= units.size());
  for (size_t i = 0; i < entries.size(); ++i) {
    JournalUnit& unit = units[i];
    fill_in(entries[i], unit);
    unit.generation = generation;
    unit.chain = chain = chain_of(unit, chain);
  }
  return io_.pwrite_durable(begin_of(half) + offset, std::as_bytes(std::span(units)));
}

/// Those that may concern a record: above `lowest`, and none before a hard purge of everything.
std::vector<PurgeJournal::Entry> PurgeJournal::still_needed(const std::vector<Entry>& entries,
                                                            uint64_t lowest) {
  const auto last = std::find_if(entries.rbegin(), entries.rend(), takes_all_before);
  const uint64_t first = last == entries.rend() ? 0 : last->seq;
  std::vector<Entry> kept;
  std::copy_if(entries.begin(), entries.end(), std::back_inserter(kept),
               [&](const Entry& entry) { return entry.seq > lowest && entry.seq >= first; });
  return kept;
}

Status PurgeJournal::compact(uint64_t lowest_purge_seq, uint64_t generation, const Flip& flip) {
  const base::MutexLock lock(write_mutex_);
  Half next{1 - active_.half, generation, std::max(durable_seq_, fold_seq_), fold_seq_};
  std::vector<Entry> kept = still_needed(written_, lowest_purge_seq);
  const size_t most = half_bytes_ / sizeof(JournalUnit) / 4;
  if (kept.size() > most) {
    const auto begin = kept.begin() + (takes_all_before(kept.front()) ? 1 : 0);
    const auto end = kept.end() - static_cast<ptrdiff_t>(most) + (begin - kept.begin());
    next.folded = std::max(next.folded, (end - 1)->seq);
    kept.erase(begin, end);
  }
  next.predicates = std::any_of(kept.begin(), kept.end(), is_predicate);
  uint64_t chain = first_chain(next.half, generation);
  // All of the half, so that zeros follow the last unit.
  Status status = write_units(next.half, 0, half_bytes_, generation, kept, chain);
  if (status.ok()) {
    // Until the superblock is known to name one half, a purge in either may be lost.
    unsure_ = true;
    status = flip(next);
  }
  bad_ = !status.ok();
  if (!status.ok()) return status;
  unsure_ = false;
  fold_seq_ = 0;
  active_ = next;
  durable_seq_ = next.seq;
  used_bytes_ = kept.size() * sizeof(JournalUnit);
  CHECK(used_bytes_ <= half_bytes_);
  chain_ = chain;
  written_ = std::move(kept);
  return Done{};
}

void PurgeJournal::fold(uint64_t seq) {
  const base::MutexLock lock(write_mutex_);
  fold_seq_ = std::max(fold_seq_, seq);
}

bool PurgeJournal::needs_compaction() const {
  const base::MutexLock lock(write_mutex_);
  return used_bytes_ > half_bytes_ / 2 || must_compact();
}

uint64_t PurgeJournal::durable_seq() const {
  const base::MutexLock lock(write_mutex_);
  return durable_seq_;
}

bool PurgeJournal::bad() const {
  const base::MutexLock lock(write_mutex_);
  return bad_;
}

}  // namespace perigee::cache_store

#include "cache_store/purge_journal.h"

#include <xxhash.h>

#include <algorithm>
#include <cstring>

namespace perigee::cache_store {

using base::Done;
using base::Status;
using format::JournalUnit;

namespace {

constexpr uint8_t kKeyPurge = 1;
constexpr uint8_t kErasure = 2;

uint64_t chain_of(const JournalUnit& unit, uint64_t before) {
  return XXH3_64bits_withSeed(&unit, offsetof(JournalUnit, chain), before);
}

/// Each half begins a chain of its own, so that units of an older use of it never continue it.
uint64_t first_chain(uint32_t half, uint64_t epoch) {
  const uint64_t seed[2] = {half, epoch};
  return XXH3_64bits(seed, sizeof seed);
}

}  // namespace

std::vector<PurgeJournal::Entry> PurgeJournal::load(uint32_t half, uint64_t epoch) {
  const std::lock_guard lock(write_mutex_);
  half_ = half;
  epoch_ = epoch;
  chain_ = first_chain(half, epoch);
  used_bytes_ = 0;
  written_.clear();
  std::vector<std::byte> bytes(half_bytes_);
  if (!io_.pread(begin_of(half), bytes).ok()) return {};
  for (uint64_t at = 0; at + sizeof(JournalUnit) <= bytes.size(); at += sizeof(JournalUnit)) {
    JournalUnit unit;
    std::memcpy(&unit, bytes.data() + at, sizeof unit);
    if (unit.seq == 0 || unit.epoch != epoch || unit.chain != chain_of(unit, chain_)) break;
    chain_ = unit.chain;
    used_bytes_ = at + sizeof unit;
    written_.push_back({unit.seq,
                        {unit.digest_lo, unit.digest_hi},
                        unit.time_ms,
                        unit.kind == kErasure,
                        unit.soft != 0});
    durable_seq_ = std::max(durable_seq_, unit.seq);
  }
  return written_;
}

void PurgeJournal::add(const Entry& entry) {
  const std::lock_guard lock(pending_mutex_);
  pending_.push_back(entry);
}

Status PurgeJournal::commit(uint64_t seq) {
  const std::lock_guard lock(write_mutex_);
  if (durable_seq_ >= seq) return Done{};
  std::vector<Entry> batch;
  {
    const std::lock_guard pending_lock(pending_mutex_);
    batch.swap(pending_);
  }
  if (batch.empty()) return Done{};
  std::sort(batch.begin(), batch.end(), [](const Entry& a, const Entry& b) { return a.seq < b.seq; });
  const Status status = write_locked(batch);
  if (!status.ok()) {
    // In force in memory; the next commit tries again.
    bad_ = true;
    const std::lock_guard pending_lock(pending_mutex_);
    pending_.insert(pending_.begin(), batch.begin(), batch.end());
    return status;
  }
  bad_ = false;
  durable_seq_ = std::max(durable_seq_, batch.back().seq);
  return Done{};
}

Status PurgeJournal::write_locked(const std::vector<Entry>& entries) {
  const uint64_t size = entries.size() * sizeof(JournalUnit);
  if (used_bytes_ + size > half_bytes_) {
    return base::Error{base::ErrorCode::kNoSpace, 0, "the purge journal is full"};
  }
  std::vector<JournalUnit> units;
  units.reserve(entries.size());
  uint64_t chain = chain_;
  for (const Entry& entry : entries) {
    JournalUnit unit{};
    unit.seq = entry.seq;
    unit.digest_lo = entry.digest.lo;
    unit.digest_hi = entry.digest.hi;
    unit.time_ms = entry.time_ms;
    unit.kind = entry.erasure ? kErasure : kKeyPurge;
    unit.soft = entry.soft ? 1 : 0;
    unit.epoch = epoch_;
    unit.chain = chain = chain_of(unit, chain);
    units.push_back(unit);
  }
  const Status status = io_.pwrite_durable(begin_of(half_) + used_bytes_,
                                           std::as_bytes(std::span(units)));
  if (!status.ok()) return status;
  used_bytes_ += size;
  chain_ = chain;
  written_.insert(written_.end(), entries.begin(), entries.end());
  return Done{};
}

bool PurgeJournal::more_than_half_full() const {
  const std::lock_guard lock(write_mutex_);
  return used_bytes_ > half_bytes_ / 2;
}

uint32_t PurgeJournal::half() const {
  const std::lock_guard lock(write_mutex_);
  return half_;
}

bool PurgeJournal::bad() const {
  const std::lock_guard lock(write_mutex_);
  return bad_;
}

base::Result<uint64_t> PurgeJournal::compact(uint64_t lowest_purge_seq, uint64_t epoch) {
  const std::lock_guard lock(write_mutex_);
  std::vector<Entry> kept;
  for (const Entry& entry : written_) {
    if (entry.seq > lowest_purge_seq) kept.push_back(entry);
  }
  uint64_t folded = 0;
  const size_t most = half_bytes_ / 2 / sizeof(JournalUnit);
  if (kept.size() > most / 2) {
    const size_t dropped = kept.size() - most / 2;
    folded = kept[dropped - 1].seq;
    kept.erase(kept.begin(), kept.begin() + static_cast<ptrdiff_t>(dropped));
  }
  const uint32_t old_half = half_;
  const uint64_t old_used = used_bytes_;
  const uint64_t old_chain = chain_;
  const uint64_t old_epoch = epoch_;
  std::vector<Entry> old_written = std::move(written_);
  half_ = 1 - half_;
  epoch_ = epoch;
  used_bytes_ = 0;
  chain_ = first_chain(half_, epoch_);
  written_.clear();
  const Status status = kept.empty() ? Status(Done{}) : write_locked(kept);
  if (!status.ok()) {
    half_ = old_half;
    used_bytes_ = old_used;
    chain_ = old_chain;
    epoch_ = old_epoch;
    written_ = std::move(old_written);
    return status.error();
  }
  return folded;
}

}  // namespace perigee::cache_store

#include "cache_store/purge_log.h"

#include <algorithm>
#include <tuple>
#include <utility>

#include "base/check.h"

namespace perigee::cache_store {

using base::Status;

namespace {

auto order_of(const PurgeJournal::Entry& entry) {
  return std::tuple(entry.digest.lo, entry.digest.hi, entry.seq);
}

bool is_before(const PurgeJournal::Entry& a, const PurgeJournal::Entry& b) {
  return order_of(a) < order_of(b);
}

/// A record is stale since the first soft purge; of a Vary spec the last one says which variants
/// are stale.
Staleness staleness(const PurgeTable::Verdict& verdict, Slot slot) {
  if (!verdict.stale) return {};
  const int64_t since_ms = slot == kVarySlot ? verdict.last_ms : verdict.stale_since_ms;
  return {seconds_up(since_ms), verdict.last_seq};
}

}  // namespace

PurgeHistory::PurgeHistory(std::vector<PurgeJournal::Entry> purges, uint64_t floor)
    : purges_(std::move(purges)), floor_(floor) {
  std::sort(purges_.begin(), purges_.end(), is_before);
}

Fate PurgeHistory::fate_of(const format::TableEntry& record) const {
  PurgeJournal::Entry first;
  first.digest = {record.digest_lo, record.digest_hi};
  first.seq = record.purge_seq + 1;
  PurgeTable::Verdict verdict;
  auto purge = std::lower_bound(purges_.begin(), purges_.end(), first, is_before);
  for (; purge != purges_.end() && purge->digest == first.digest; ++purge) {
    if (!purge->soft) verdict.removed = true;
    if (!verdict.stale) verdict.stale_since_ms = purge->time_ms;
    verdict.stale = true;
    verdict.last_ms = purge->time_ms;
    verdict.last_seq = purge->seq;
  }
  if (record.kind == static_cast<uint8_t>(RecordKind::kFragment)) return {verdict.removed, {}};
  Fate fate{verdict.removed, staleness(verdict, record.slot)};
  if (record.purge_seq < floor_) {
    fate.stale = {seconds_up(kUnconfirmedMs), std::max(fate.stale.seq, floor_)};
  }
  return fate;
}

void PurgeLog::begin(uint64_t newest, bool doubtful) {
  begun_ = newest;
  CHECK(!has_begun());
  table_.emplace(newest);
  fetches_ = newest + 1;
  if (doubtful) journal_.fold(newest);
}

Fate PurgeLog::fate_of(const PurgeSubject& subject) const {
  const PurgeTable::Verdict verdict = table_->since(subject.base, subject.ticket);
  if (subject.fragment) return {verdict.removed, {}};
  // A variant is not stored after a soft purge either: the mark would be its URL's, and lost at a
  // restart.
  return {verdict.removed || (verdict.stale && subject.variant), staleness(verdict, subject.slot)};
}

bool PurgeLog::purged_since(const Digest& base, Ticket ticket) const {
  const PurgeTable::Verdict verdict = table_->since(base, ticket);
  return verdict.removed || verdict.stale;
}

uint64_t PurgeLog::draw(PurgeJournal::Entry entry) {
  const base::MutexLock lock(mutex_);
  entry.seq = table_->add(entry.digest, entry.soft, entry.time_ms);
  journal_.add(entry);
  return entry.seq;
}

uint64_t PurgeLog::purge(const Predicate& predicate) {
  return draw({.digest = predicate.digest, .time_ms = predicate.wall_ms, .soft = predicate.soft});
}

bool PurgeLog::erase(const Digest& base, bool stored) {
  using Fence = AwaitedTable::Fence;
  const Fence fence = awaited_.fence(base);
  if (stored || fence == Fence::kNew) drop(base);
  return stored || fence != Fence::kNone || is_unwritten(base);
}

bool PurgeLog::is_unwritten(const Digest& base) const {
  // What earlier runs left is written, or lost.
  return table_->since(base, {.purge_seq = std::max(begun_, durable_seq())}).removed;
}

void PurgeLog::drop(const Digest& digest) { draw({.digest = digest, .erasure = true}); }

Status PurgeLog::compact(uint64_t lowest_of_records, uint64_t generation,
                         const PurgeJournal::Flip& flip) {
  // A record that is yet to come may have been fetched before any purge that the fence remembers.
  const uint64_t lowest = std::min(lowest_of_records, table_->oldest_known());
  CHECK(lowest <= newest());
  return journal_.compact(lowest, generation, flip);
}

}  // namespace perigee::cache_store

#include "cache_store/purge_log.h"

#include <algorithm>
#include <tuple>
#include <utility>

#include "base/check.h"
#include "cache_store/record.h"

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

/// Adds what predicates say. A Vary spec is not marked: its variants are tested each for itself.
/// Nor is what depends on a head: the head is.
void add_to(const PredicateTable::Verdict& verdict, bool marked, Staleness& stale) {
  stale.checked = static_cast<uint32_t>(verdict.newest);
  if (!verdict.stale || !marked) return;
  const uint32_t since_s = seconds_up(verdict.stale_since_ms);
  stale.since_s = stale.since_s == 0 ? since_s : std::min(stale.since_s, since_s);
}

}  // namespace

PurgeHistory::PurgeHistory(std::vector<PurgeJournal::Entry> purges, const Floors& floors)
    : purges_(std::move(purges)), floors_(floors) {
  std::erase_if(purges_, [](const auto& purge) { return purge.kind != PredicateKind::kKey; });
  std::sort(purges_.begin(), purges_.end(), is_before);
}

Fate PurgeHistory::fate_of(const format::TableEntry& record) const {
  PurgeJournal::Entry first;
  first.digest = {record.digest_lo, record.digest_hi};
  first.seq = record.purge_seq + 1;
  PurgeTable::Verdict verdict;
  verdict.removed = record.purge_seq < floors_.kill;
  auto purge = std::lower_bound(purges_.begin(), purges_.end(), first, is_before);
  for (; purge != purges_.end() && purge->digest == first.digest; ++purge) {
    if (!purge->soft) verdict.removed = true;
    if (!verdict.stale) verdict.stale_since_ms = purge->time_ms;
    verdict.stale = true;
    verdict.last_ms = purge->time_ms;
    verdict.last_seq = purge->seq;
  }
  if (is_dependent(static_cast<RecordKind>(record.kind))) return {verdict.removed, {}};
  Fate fate{verdict.removed, staleness(verdict, record.slot)};
  if (record.purge_seq < floors_.stale) {
    fate.stale = {seconds_up(kUnconfirmedMs), std::max(fate.stale.seq, floors_.stale)};
  }
  return fate;
}

void PurgeLog::begin(uint64_t newest, bool doubtful, std::span<const PurgeJournal::Entry> loaded) {
  begun_ = newest;
  CHECK(!has_begun());
  has_loaded_ = std::any_of(loaded.begin(), loaded.end(),
                            [](const auto& entry) { return entry.kind != PredicateKind::kKey; });
  predicates_.begin(newest, loaded);
  checked_ = newest;
  table_.emplace(newest);
  fetches_ = newest + 1;
  if (doubtful) journal_.fold(newest);
}

Fate PurgeLog::fate_of(const PurgeSubject& subject) const {
  const PurgeTable::Verdict keyed = table_->since(subject.base, subject.ticket);
  // What depends on a head needs no test by URL or tags: its head is tested, and nobody finds what
  // belongs to a head that is gone. A purge of everything refuses it all the same, since that costs
  // nothing.
  PredicateSubject named;
  if (!subject.dependent) named = {url_key_of(subject.key, subject.variant), subject.tags};
  const PredicateTable::Verdict lazy = predicates_.since(named, subject.ticket.purge_seq);
  Fate fate;
  fate.gone = keyed.removed || lazy.removed;
  // A variant is not stored after a soft purge of its URL either: the mark would be the URL's, and
  // lost at a restart. One by tag, prefix or of everything matches the variant itself, then too.
  const bool marked = !subject.dependent;
  fate.gone = fate.gone || (keyed.stale && subject.variant && marked);
  if (marked) fate.stale = staleness(keyed, subject.slot);
  add_to(lazy, marked && subject.slot != kVarySlot, fate.stale);
  return fate;
}

bool PurgeLog::purged_since(const Digest& base, std::string_view url_key, Ticket ticket) const {
  const PurgeTable::Verdict verdict = table_->since(base, ticket);
  return verdict.removed || verdict.stale || predicates_.may_match_since(url_key, ticket.purge_seq);
}

Fate PurgeLog::test(const FiledSubject& subject, uint32_t checked) const {
  const PredicateTable::Verdict verdict = checked == PredicateTable::kUntested
                                              ? predicates_.since(subject.named, subject.purge_seq)
                                              : predicates_.since_stamp(subject.named, checked);
  Fate fate{verdict.removed, {}, verdict.by};
  add_to(verdict, !subject.dependent && subject.slot != kVarySlot, fate.stale);
  return fate;
}

Fate PurgeLog::settle(Index& index, const EntryKey& key, const Location& location, uint32_t checked,
                      const FiledSubject& subject) {
  const Fate fate = test(subject, checked);
  const auto count = [&] {
    if (!subject.dependent) matches_.count(fate.by);
  };
  if (fate.gone) {
    index.erase_if(key, location, [&](bool hides_older) {
      if (hides_older) drop(key);
      count();
    });
  } else {
    index.note_tested(key, location, fate.stale, count);
  }
  return fate;
}

bool PurgeLog::matched_since(const PredicateSubject& subject, uint64_t seq) const {
  const PredicateTable::Verdict verdict = predicates_.since(subject, seq);
  return verdict.removed || verdict.stale;
}

/// A number that may be a stamp, and which in the fence is nobody's: no URL has this digest.
uint64_t PurgeLog::draw_blank() {
  for (;;) {
    const uint64_t seq = table_->add({}, false, 0);
    const bool another = static_cast<uint32_t>(seq) != predicates_.stamp();
    if (another && PredicateTable::may_stamp(seq)) return seq;
  }
}

void PurgeLog::begin_stamps() {
  const base::MutexLock lock(mutex_);
  const uint64_t seq = draw_blank();
  predicates_.advance(seq);
}

uint64_t PurgeLog::draw(PurgeJournal::Entry entry) {
  const base::MutexLock lock(mutex_);
  if (entry.kind == PredicateKind::kKey) {
    entry.seq = table_->add(entry.digest, entry.soft, entry.time_ms);
  } else {
    entry.seq = draw_blank();
    // Before it is in force, so that nothing it takes is missed.
    matches_.begin(entry.seq);
    predicates_.add(entry);
  }
  journal_.add(entry);
  return entry.seq;
}

uint64_t PurgeLog::purge(const Predicate& predicate) {
  PurgeJournal::Entry entry{.digest = predicate.digest,
                            .time_ms = predicate.wall_ms,
                            .soft = predicate.soft,
                            .kind = predicate.kind};
  switch (predicate.kind) {
    case PredicateKind::kKey:
      break;
    case PredicateKind::kTag:
      entry.digest = {predicate.tag, 0};
      break;
    case PredicateKind::kPrefix: {
      const KeyPrefix prefix = KeyPrefix::of(predicate.prefix);
      entry.digest = prefix.digest;
      entry.shape = prefix.shape;
      break;
    }
    case PredicateKind::kEverything:
      entry.digest = {};
      break;
  }
  return draw(entry);
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

void PurgeLog::drop(const EntryKey& key) {
  if (!is_coded_slot(key.slot)) drop(key.digest);
}

Status PurgeLog::compact(uint64_t lowest_of_records, uint64_t generation,
                         const PurgeJournal::Flip& flip) {
  // A record that is yet to come may have been fetched before any purge that the fence remembers.
  const uint64_t lowest = std::min(lowest_of_records, table_->oldest_known());
  CHECK(lowest <= newest());
  const Status compacted = journal_.compact(lowest, generation, flip);
  if (compacted.ok()) predicates_.forget(lowest);
  return compacted;
}

}  // namespace perigee::cache_store

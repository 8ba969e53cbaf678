#include "cache_store/predicate_table.h"

#include <algorithm>
#include <iterator>
#include <tuple>
#include <utility>

#include "base/check.h"
#include "base/limits.h"

namespace perigee::cache_store {

namespace limits = base::limits;

namespace {

using Entry = PurgeJournal::Entry;

/// What an entry names. Prefixes of two shapes with one digest are one to the eye of this order,
/// which matters to nobody: digests are 128 bits.
auto named_by(const Entry& entry) {
  return std::tuple(entry.kind, entry.digest.lo, entry.digest.hi);
}

bool is_before(const Entry& a, const Entry& b) {
  return std::tuple_cat(named_by(a), std::tuple(a.seq)) <
         std::tuple_cat(named_by(b), std::tuple(b.seq));
}

bool is_older(const Entry& a, const Entry& b) { return a.seq < b.seq; }

/// A hard purge makes those before it of the same needless: so one name has at most one, and it is
/// the first. `run` is sorted.
void drop_superseded(std::vector<Entry>& run) {
  std::vector<Entry> kept;
  kept.reserve(run.size());
  size_t group = 0;  // where the entries of the present name begin
  for (const Entry& entry : run) {
    if (kept.size() > group && named_by(kept.back()) != named_by(entry)) group = kept.size();
    if (!entry.soft) kept.resize(group);
    kept.push_back(entry);
  }
  run = std::move(kept);
}

/// Of what `named` names, those above its number.
void judge_run(const std::vector<Entry>& run, const Entry& named, PredicateTable::Verdict& out) {
  const auto first = std::upper_bound(run.begin(), run.end(), named, is_before);
  if (first == run.end() || named_by(*first) != named_by(named)) return;
  if (!first->soft) {
    out.removed = true;
    out.by = first->seq;
    return;
  }
  if (!out.stale || first->seq < out.by) out.by = first->seq;
  out.stale_since_ms = out.stale ? std::min(out.stale_since_ms, first->time_ms) : first->time_ms;
  out.stale = true;
}

}  // namespace

void PredicateTable::Snapshot::judge(const Entry& named, Verdict& verdict) const {
  if (!verdict.removed) judge_run(*older, named, verdict);
  if (!verdict.removed) judge_run(recent, named, verdict);
}

PredicateTable::Verdict PredicateTable::Snapshot::since(const PredicateSubject& subject,
                                                        uint64_t seq) const {
  Verdict verdict;
  verdict.newest = newest;
  if (seq >= newest) return verdict;
  if (seq < kill_floor) {
    verdict.removed = true;
    verdict.by = kill_floor;
    return verdict;
  }
  if (seq < stale_floor) {
    verdict.stale = true;
    verdict.stale_since_ms = stale_floor_ms;
    verdict.by = stale_floor;
  }
  judge({.seq = seq, .kind = PredicateKind::kEverything}, verdict);
  for (const uint64_t tag : subject.tags) {
    judge({.seq = seq, .digest = {tag, 0}, .kind = PredicateKind::kTag}, verdict);
  }
  if (shapes.empty() || subject.key.empty()) return verdict;
  const KeyParts parts(subject.key);
  for (const PrefixShape& shape : shapes) {
    const std::optional<Digest> digest = parts.digest(shape);
    if (digest) judge({.seq = seq, .digest = *digest, .kind = PredicateKind::kPrefix}, verdict);
  }
  return verdict;
}

PredicateTable::Run PredicateTable::Snapshot::all() const {
  Run result;
  result.reserve(size());
  std::merge(older->begin(), older->end(), recent.begin(), recent.end(), std::back_inserter(result),
             is_before);
  return result;
}

/// Makes `all`, in any order, what is remembered.
void PredicateTable::Snapshot::settle(Run all) {
  std::sort(all.begin(), all.end(), is_before);
  drop_superseded(all);
  shapes.clear();
  for (const Entry& entry : all) {
    if (entry.kind == PredicateKind::kPrefix) shapes.push_back(entry.shape);
  }
  std::sort(shapes.begin(), shapes.end());
  shapes.erase(std::unique(shapes.begin(), shapes.end()), shapes.end());
  older = std::make_shared<const Run>(std::move(all));
  recent.clear();
}

void PredicateTable::Snapshot::fold_half() {
  Run kept = all();
  CHECK(kept.size() >= 2);
  std::sort(kept.begin(), kept.end(), is_older);
  const auto half = kept.begin() + static_cast<ptrdiff_t>(kept.size() / 2);
  for (auto entry = kept.begin(); entry != half; ++entry) {
    if (!entry->soft) {
      kill_floor = std::max(kill_floor, entry->seq);
      continue;
    }
    const bool first = stale_floor == 0;
    stale_floor_ms = first ? entry->time_ms : std::min(stale_floor_ms, entry->time_ms);
    stale_floor = std::max(stale_floor, entry->seq);
  }
  kept.erase(kept.begin(), half);
  settle(std::move(kept));
}

void PredicateTable::Snapshot::take(const Entry& entry) {
  newest = std::max(newest, entry.seq);
  if (entry.kind == PredicateKind::kTag) newest_tag = entry.seq;
  if (entry.kind == PredicateKind::kEverything && !entry.soft) {
    // All before it concern only what is gone.
    CHECK(entry.seq > kill_floor);
    kill_floor = entry.seq;
    settle({});
    return;
  }
  recent.insert(std::upper_bound(recent.begin(), recent.end(), entry, is_before), entry);
  drop_superseded(recent);
  if (entry.kind == PredicateKind::kPrefix) {
    const auto place = std::lower_bound(shapes.begin(), shapes.end(), entry.shape);
    if (place == shapes.end() || *place != entry.shape) shapes.insert(place, entry.shape);
  }
  if (recent.size() > limits::kPredicatesRecent) settle(all());
  while (size() > limits::kPredicates || shapes.size() > limits::kPrefixShapes) fold_half();
}

void PredicateTable::publish(Snapshot&& next) {
  CHECK(next.size() <= limits::kPredicates && next.shapes.size() <= limits::kPrefixShapes);
  const uint64_t newest = next.newest;
  snapshot_ = std::make_shared<const Snapshot>(std::move(next));
  newest_.store(newest, std::memory_order_release);
}

void PredicateTable::begin(uint64_t newest, std::span<const Entry> loaded) {
  const base::MutexLock lock(mutex_);
  CHECK(newest_.load(std::memory_order_relaxed) == 0 && may_stamp(newest));
  Snapshot next;
  for (const Entry& entry : loaded) {
    if (entry.kind != PredicateKind::kKey) next.take(entry);
  }
  next.newest = std::max(next.newest, newest);
  publish(std::move(next));
}

void PredicateTable::add(const Entry& entry) {
  const base::MutexLock lock(mutex_);
  CHECK(entry.kind != PredicateKind::kKey && may_stamp(entry.seq) &&
        entry.seq > newest_.load(std::memory_order_relaxed));
  Snapshot next = *snapshot_;
  next.take(entry);
  publish(std::move(next));
}

void PredicateTable::advance(uint64_t seq) {
  const base::MutexLock lock(mutex_);
  Snapshot next = *snapshot_;
  CHECK(may_stamp(seq) && seq > next.newest &&
        static_cast<uint32_t>(seq) != static_cast<uint32_t>(next.newest));
  next.newest = seq;
  publish(std::move(next));
}

void PredicateTable::forget(uint64_t seq) {
  const base::MutexLock lock(mutex_);
  Run kept = snapshot_->all();
  const size_t forgotten =
      std::erase_if(kept, [&](const Entry& entry) { return entry.seq <= seq; });
  if (forgotten == 0) return;
  Snapshot next = *snapshot_;
  next.settle(std::move(kept));
  publish(std::move(next));
}

PredicateTable::Verdict PredicateTable::since(const PredicateSubject& subject, uint64_t seq) const {
  Verdict verdict;
  verdict.newest = newest();
  if (seq >= verdict.newest) return verdict;
  return snapshot()->since(subject, seq);
}

PredicateTable::Verdict PredicateTable::since_stamp(const PredicateSubject& subject,
                                                    uint32_t stamp) const {
  CHECK(stamp != kUntested);
  const std::shared_ptr<const Snapshot> now = snapshot();
  return now->since(subject, seq_of(stamp, now->newest));
}

bool PredicateTable::may_match_since(std::string_view url_key, uint64_t seq) const {
  if (seq >= newest()) return false;
  const std::shared_ptr<const Snapshot> now = snapshot();
  if (seq < now->newest_tag) return true;
  const Verdict verdict = now->since({url_key, {}}, seq);
  return verdict.removed || verdict.stale;
}

size_t PredicateTable::size() const { return snapshot()->size(); }

}  // namespace perigee::cache_store

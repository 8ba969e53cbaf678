#include "origin/coders.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "base/check.h"
#include "base/limits.h"
#include "origin/coded_record.h"

namespace perigee::origin {

namespace limits = base::limits;
using cache_store::RecordView;
using http::Coding;
using http::CodingSet;
using http::Effort;

namespace {

/// The first of a set in the order in which they are made.
Coding first_of(CodingSet set) {
  CHECK(!set.empty());
  for (const Coding coding : http::kMadeCodings) {
    if (set.has(coding)) return coding;
  }
  return Coding::kIdentity;
}

/// What is worth making for a client that likes these best, of a response that the origin sent so.
/// nullopt: nothing is, since it is served well.
std::optional<Coding> wanted(CodingSet liked, Coding sent) {
  if (liked.empty()) {
    return sent == Coding::kIdentity ? std::nullopt : std::optional(Coding::kIdentity);
  }
  const Coding first = first_of(liked);
  if (!liked.has(sent)) return first;
  // zstd is shorter than gzip; what came in br or zstd is short already.
  return sent == Coding::kGzip && first != sent ? std::optional(first) : std::nullopt;
}

/// Of one record, and long enough.
bool can_be_coded(const RecordView& object) {
  const uint32_t flags = object.policy.flags;
  const bool long_enough = object.whole_length >= limits::kCodedBytesLeast ||
                           http::sent_coding(flags) != Coding::kIdentity;
  return object.kind != cache_store::RecordKind::kHead && object.whole_length > 0 && long_enough &&
         (flags & http::ReuseFlag::kCodable) != 0;
}

/// The body need not be kept beside its coding, from which it can be decoded.
bool can_be_dropped(const RecordView& object) {
  return object.kind == cache_store::RecordKind::kObject &&
         http::sent_coding(object.policy.flags) == Coding::kIdentity;
}

}  // namespace

Coders::Coders(const CoderShared& shared, base::Env& env)
    : shared_(shared),
      env_(env),
      settled_(limits::kCodingsSettled),
      rest_timer_([this] { start_next(); }) {
  CHECK(shared.cpu_percent <= 100);
}

uint64_t Coders::id_of(uint64_t rid, Coding coding, Effort effort) {
  return (rid << 5) ^ (static_cast<uint64_t>(coding) << 2) ^ static_cast<uint64_t>(effort);
}

std::optional<Coding> Coders::coding_to_keep(uint32_t flags, uint64_t bytes,
                                             const http::AcceptedCodings& accepted) const {
  const CodingSet liked = accepted.sets[0];
  const bool kept_so = shared_.cpu_percent > 0 && !liked.empty() && shared_.store.is_short() &&
                       bytes >= limits::kCodedBytesLeast &&
                       (flags & http::ReuseFlag::kCodable) != 0 &&
                       http::sent_coding(flags) == Coding::kIdentity;
  return kept_so ? std::optional(first_of(liked)) : std::nullopt;
}

void Coders::on_stored(std::string_view key, const cache_store::Digest& base,
                       const RecordView& object, CodingSet offered,
                       const http::AcceptedCodings& accepted) {
  if (!can_be_coded(object)) return;
  const Coding sent = http::sent_coding(object.policy.flags);
  const std::optional<Coding> asked = wanted(accepted.sets[0], sent);
  if (sent == Coding::kIdentity && !offered.empty() && asked != first_of(offered)) {
    want(key, base, object, {first_of(offered), Effort::kFast});
  }
  if (asked) want(key, base, object, {*asked, Effort::kFast, true});
}

void Coders::on_hit(std::string_view key, const cache_store::Digest& base,
                    const cache_store::Found& found, const http::AcceptedCodings& accepted) {
  if (!can_be_coded(*found.head)) return;
  const CodingSet liked = accepted.sets[0];
  const std::optional<Coding> asked = wanted(liked, http::sent_coding(found.head->policy.flags));
  if (!asked) return;
  const bool served =
      found.coded && (*asked == Coding::kIdentity || liked.has(coding_of(found.coded->slot)));
  if (!served) return want(key, base, *found.head, {*asked, Effort::kFast, true});
  const Coding coding = coding_of(found.coded->slot);
  if (shared_.store.is_short() && can_be_dropped(*found.head)) {
    want(key, base, *found.head, {coding, Effort::kNone, true});
  }
  if (!is_best(*found.coded)) want(key, base, *found.head, {coding, Effort::kBest, true});
}

void Coders::want(std::string_view key, const cache_store::Digest& base, const RecordView& object,
                  const Making& making) {
  if (shared_.cpu_percent == 0) return;
  const uint64_t id = id_of(object.rid, making.coding, making.effort);
  if (is_settled(id) || (job_.waiting() && id == running_)) return;
  auto wish = wishes_.find(id);
  if (wish == wishes_.end()) {
    if (wishes_.size() >= limits::kCodingWishes) make_room();
    if (wishes_.size() >= limits::kCodingWishes) return;
    Wish made{{std::string(key), base, object.rid, making.coding, making.effort},
              object.whole_length,
              ++wished_};
    wish = wishes_.emplace(id, std::move(made)).first;
  }
  wish->second.task.wanted = wish->second.task.wanted || making.wanted;
  ++wish->second.heat;
  start_next();
}

void Coders::make_room() {
  for (auto& [id, wish] : wishes_) wish.heat /= 2;
  std::erase_if(wishes_, [](const auto& each) { return each.second.heat == 0; });
}

void Coders::start_next() {
  if (job_.waiting() || rest_timer_.armed()) return;
  const auto wish = next();
  if (wish == wishes_.end()) return;
  const uint64_t id = wish->first;
  std::unique_ptr<base::Job> job = std::make_unique<CodingJob>(
      shared_.store, std::move(wish->second.task), shared_.cpu_clock,
      [this, id](const CodingOutcome& outcome) { on_done(id, outcome); });
  wishes_.erase(wish);
  running_ = id;
  // A full lane: a later request asks again.
  (void)env_.offload(base::Lane::kBackground, job, job_);
}

/// The oldest wish for what is quick; else the best coding of the most bytes that were asked for,
/// if it was asked for often enough.
Coders::Wishes::iterator Coders::next() {
  auto best = wishes_.end();
  const auto is_before = [](const Wish& a, const Wish& b) {
    const bool quick = a.task.effort != Effort::kBest;
    if (quick != (b.task.effort != Effort::kBest)) return quick;
    if (quick) return a.number < b.number;
    const uint64_t bytes_a = a.heat * a.object_bytes;
    const uint64_t bytes_b = b.heat * b.object_bytes;
    return bytes_a != bytes_b ? bytes_a > bytes_b : a.number < b.number;
  };
  for (auto it = wishes_.begin(); it != wishes_.end(); ++it) {
    const bool due =
        it->second.task.effort != Effort::kBest || it->second.heat >= limits::kCodingHits;
    if (due && (best == wishes_.end() || is_before(it->second, best->second))) best = it;
  }
  return best;
}

void Coders::on_done(uint64_t id, const CodingOutcome& outcome) {
  shared_.observer.on_coded(outcome);
  const bool again =
      outcome.kind == CodingOutcome::kNoRoom || outcome.kind == CodingOutcome::kStopped;
  if (!again) settle(id);
  const int64_t busy_ms = outcome.cpu_us / 1000;
  const int64_t rest_ms = busy_ms * (100 - shared_.cpu_percent) / shared_.cpu_percent;
  if (rest_ms == 0) return start_next();
  env_.arm(rest_timer_, env_.now() + rest_ms);
}

}  // namespace perigee::origin

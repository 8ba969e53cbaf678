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

/// It may be, and is of such a length.
bool can_be_coded(const RecordView& object) {
  const uint32_t flags = object.policy.flags;
  const bool long_enough = object.whole_length >= limits::kCodedBytesLeast ||
                           http::sent_coding(flags) != Coding::kIdentity;
  return object.whole_length > 0 && long_enough && object.whole_length <= limits::kCodedBytesMost &&
         (flags & http::ReuseFlag::kCodable) != 0;
}

bool is_long(const RecordView& object) { return object.kind == cache_store::RecordKind::kHead; }

/// The body need not be kept beside its coding, from which it can be decoded.
bool can_be_dropped(const RecordView& object) {
  return object.kind == cache_store::RecordKind::kObject &&
         http::sent_coding(object.policy.flags) == Coding::kIdentity;
}

}  // namespace

Coders::Coders(const CoderShared& shared, base::Env& env)
    : shared_(shared),
      share_percent_(shared.cpu_percent > 0 ? shared.cpu_percent : limits::kReadyCpuPercent),
      env_(env),
      settled_(limits::kCodingsSettled),
      rest_timer_([this] { start_next(); }) {
  CHECK(shared.cpu_percent <= 100);
}

uint64_t Coders::id_of(uint64_t rid, Coding coding, CodingWay way) {
  return (rid << 5) ^ (static_cast<uint64_t>(coding) << 2) ^ static_cast<uint64_t>(way);
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

void Coders::on_stored(const CodedObject& object, const RecordView& record, CodingSet offered,
                       const http::AcceptedCodings& accepted) {
  if (!can_be_coded(record)) return;
  const CodingSet liked = accepted.sets[0];
  const Coding sent = http::sent_coding(record.policy.flags);
  const std::optional<Coding> asked = wanted(liked, sent);
  if (asked == Coding::kIdentity) want(object, record, {*asked, CodingWay::kFast, true});
  for (const Coding coding : http::kMadeCodings) {
    if (!offered.has(coding)) continue;
    const CodingWay way = coding == asked ? CodingWay::kFast : CodingWay::kReady;
    want(object, record, {coding, way, liked.has(coding)});
  }
}

void Coders::on_hit(const CodedObject& object, const cache_store::Found& found,
                    const http::AcceptedCodings& accepted) {
  const RecordView& record = *found.head;
  if (!can_be_coded(record)) return;
  const CodingSet liked = accepted.sets[0];
  const Coding sent = http::sent_coding(record.policy.flags);
  const std::optional<Coding> asked = wanted(liked, sent);
  if (!asked) return;
  const bool served =
      found.coded && (*asked == Coding::kIdentity || liked.has(coding_of(found.coded->slot)));
  if (!served) {
    // Was it not worth making? Then the identity is left, for who does not take what was sent.
    const bool tried = is_settled(id_of(record.rid, *asked, CodingWay::kFast));
    const bool decoded = tried && sent != Coding::kIdentity && !liked.has(sent);
    want(object, record, {decoded ? Coding::kIdentity : *asked, CodingWay::kFast, true});
    return want_ready(object, record, liked, *asked);
  }
  const Coding coding = coding_of(found.coded->slot);
  if (shared_.store.is_short() && can_be_dropped(record)) {
    want(object, record, {coding, CodingWay::kDrop, true});
  }
  if (!is_best(*found.coded)) {
    want(object, record, {coding, CodingWay::kBest, true});
    want_ready(object, record, liked, coding);
  } else if (coding == Coding::kGzip && *asked != coding) {
    // Shorter than what was made fast in another coding, it would hide the best of that.
    want(object, record, {*asked, CodingWay::kBest, true});
  }
}

void Coders::want_ready(const CodedObject& object, const RecordView& record, CodingSet liked,
                        Coding other) {
  for (const Coding coding : http::kMadeCodings) {
    if (liked.has(coding) && coding != other)
      want(object, record, {coding, CodingWay::kReady, true});
  }
}

void Coders::want(const CodedObject& object, const RecordView& record, Making making) {
  const bool encodes = making.way == CodingWay::kFast || making.way == CodingWay::kBest;
  if (encodes && shared_.cpu_percent == 0) making.way = CodingWay::kReady;
  const bool may_be_ready = object.precoded != nullptr && making.coding != Coding::kIdentity;
  const bool only_ready = shared_.cpu_percent == 0 || making.way == CodingWay::kReady;
  if (only_ready && !may_be_ready) return;
  const uint64_t id = id_of(record.rid, making.coding, making.way);
  if (is_settled(id) || is_settled(object_of(id)) || (job_.waiting() && id == running_)) return;
  auto wish = wishes_.find(id);
  if (wish == wishes_.end()) {
    if (is_long(record) && !is_complete(shared_.store, fragmented_object(record))) return;
    if (wishes_.size() >= limits::kCodingWishes) make_room();
    if (wishes_.size() >= limits::kCodingWishes) return;
    Wish made{{std::string(object.key), object.base, record.rid, making.coding, making.way},
              record.whole_length,
              ++wished_};
    if (may_be_ready) {
      made.task.precoded = object.precoded;
      made.task.target = object.target;
    }
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

void Coders::settle_object(uint64_t id) {
  settle(object_of(id));
  std::erase_if(wishes_, [&](const auto& each) { return object_of(each.first) == object_of(id); });
}

void Coders::start_next() {
  if (job_.waiting() || rest_timer_.armed()) return;
  const auto wish = next();
  if (wish == wishes_.end()) return;
  const uint64_t id = wish->first;
  const CodingWay way = wish->second.task.way;
  wish->second.task.begun_ms = env_.wall().ms;
  std::unique_ptr<base::Job> job = std::make_unique<CodingJob>(
      shared_.store, std::move(wish->second.task), shared_.cpu_clock,
      [this, id, way](const CodingOutcome& outcome) { on_done(id, way, outcome); });
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
    const bool quick = a.task.way != CodingWay::kBest;
    if (quick != (b.task.way != CodingWay::kBest)) return quick;
    if (quick) return a.number < b.number;
    const uint64_t bytes_a = a.heat * a.object_bytes;
    const uint64_t bytes_b = b.heat * b.object_bytes;
    return bytes_a != bytes_b ? bytes_a > bytes_b : a.number < b.number;
  };
  for (auto it = wishes_.begin(); it != wishes_.end(); ++it) {
    const bool due =
        it->second.task.way != CodingWay::kBest || it->second.heat >= limits::kCodingHits;
    if (due && (best == wishes_.end() || is_before(it->second, best->second))) best = it;
  }
  return best;
}

void Coders::on_done(uint64_t id, CodingWay way, const CodingOutcome& outcome) {
  shared_.observer.on_coded(outcome);
  // What was stored, here or by another loop, may be evicted, and is worth making again then.
  const bool there = outcome.kind == CodingOutcome::kStored ||
                     (outcome.kind == CodingOutcome::kPresent && way == CodingWay::kFast);
  const bool again = there || outcome.kind == CodingOutcome::kNoRoom ||
                     outcome.kind == CodingOutcome::kIncomplete ||
                     outcome.kind == CodingOutcome::kStopped;
  if (!again) settle(id);
  if (outcome.kind == CodingOutcome::kUndecodable) settle_object(id);
  // What is less than a millisecond adds up.
  rest_us_ += outcome.cpu_us * (100 - share_percent_) / share_percent_;
  const int64_t rest_ms = rest_us_ / 1000;
  rest_us_ %= 1000;
  if (rest_ms == 0) return start_next();
  env_.arm(rest_timer_, env_.now() + rest_ms);
}

}  // namespace perigee::origin

#include "origin/coding_job.h"

#include <algorithm>
#include <span>

#include "base/limits.h"
#include "origin/coded_record.h"
#include "origin/long_coding.h"
#include "origin/verified_coding.h"

namespace perigee::origin {

namespace limits = base::limits;
using cache_store::Found;
using cache_store::RecordView;
using Kind = CodingOutcome::Kind;

namespace {

/// What a put made of it.
Kind kind_of(const base::Result<Found>& put, Kind done) {
  return put.ok() ? done : origin::kind_of(put.error());
}

}  // namespace

void CodingJob::work(const std::atomic<bool>& stop) noexcept {
  begun_us_ = cpu_clock_();
  outcome_.kind = code(stop);
  outcome_.cpu_us = cpu_us();
}

Kind CodingJob::code(const std::atomic<bool>& stop) {
  const cache_store::Slot slot = slot_of(task_.coding);
  // From before the object was looked up: it may have been stored by an earlier run, of whose
  // purges not all are remembered.
  const cache_store::Ticket ticket = store_.ticket();
  Found found = store_.peek(store_.digest(task_.key), task_.key,
                            static_cast<cache_store::SlotMask>(1 << slot));
  if (!found.head || found.head->rid != task_.rid) return Kind::kGone;
  if (task_.way == CodingWay::kDrop) return found.coded ? drop_body(*found.head) : Kind::kGone;
  const bool there = found.coded && is_there(store_, *found.coded);
  const bool better = task_.way != CodingWay::kFast && there && !is_best(*found.coded);
  if (there && !better) return Kind::kPresent;
  if (found.head->kind == cache_store::RecordKind::kHead) {
    return code_long(found, ticket, stop);
  }
  std::span<const std::byte> body;
  std::vector<std::byte> decoded;
  const Kind source = find_identity(*found.head, stop, body, decoded);
  if (source == Kind::kUndecodable && outcome_.wrong == Verified::kTooLong) {
    // For one record it is.
    outcome_ = {};
    return code_long(found, ticket, stop);
  }
  if (source != Kind::kStored) return source;
  outcome_.object_bytes = body.size();
  std::vector<std::byte> coded;
  if (task_.coding != http::Coding::kIdentity) {
    const Kind made = make(body, stop, coded);
    if (made != Kind::kStored) return made;
    body = coded;
  }
  const Kind stored = put(*found.head, body, ticket);
  if (stored != Kind::kStored) return stored;
  outcome_.coded_bytes = body.size();
  // Clients take it, so the body is of little use beside it.
  outcome_.dropped = task_.wanted && store_.is_short() && drop_body(*found.head) == Kind::kDropped;
  return stored;
}

/// kStored: `coded` is `body` in the coding of the task.
Kind CodingJob::make(std::span<const std::byte> body, const std::atomic<bool>& stop,
                     std::vector<std::byte>& coded) {
  outcome_.was_ready = find_ready(body, coded);
  if (outcome_.was_ready) return Kind::kStored;
  if (task_.way == CodingWay::kReady) return Kind::kNotReady;
  return within_bounds(stop, Kind::kFailed, [&](GoOn& go_on) {
    return encode_verified(task_.coding, effort(), body, go_on, coded);
  });
}

/// The origin has it ready.
bool CodingJob::find_ready(std::span<const std::byte> body, std::vector<std::byte>& coded) {
  if (task_.precoded == nullptr) return false;
  const auto ready =
      task_.precoded->open({task_.target, task_.coding, body.size(), task_.begun_ms});
  // Beside another body by now it says nothing of this one.
  if (ready == nullptr || !ready->lies_beside(0, body)) return false;
  coded.resize(ready->size());
  const bool whole = ready->read(0, coded);
  if (whole && decodes_to(task_.coding, coded, body)) return true;
  // While it is written it holds a part.
  if (whole && ready->settled()) outcome_.not_coding = ready->name();
  coded.clear();
  return false;
}

/// Of what was made. Nothing better will come than what the origin has ready.
http::Effort CodingJob::effort() const {
  return outcome_.was_ready ? http::Effort::kBest : effort_of(task_);
}

/// Of an object whose identity is longer than a record.
Kind CodingJob::code_long(Found& found, const cache_store::Ticket& ticket,
                          const std::atomic<bool>& stop) {
  int64_t begun_us = 0;
  LongCoding::Bounds within([&](uint64_t done, uint64_t of) -> std::optional<Kind> {
    // Decoding, before that, is no measure of it.
    if (done == 0) begun_us = cpu_us();
    // What would take far too long is given up after its first fragment.
    const bool too_long = done >= store_.fragment_bytes() &&
                          static_cast<uint64_t>(cpu_us() - begun_us) / 1000 * of / done >
                              limits::kCodingTooLongTimes * limits::kCodingCpuMs;
    return too_long ? std::optional(Kind::kTooSlow) : bounds(stop);
  });
  LongCoding coding(store_, task_, *found.head, ticket, within);
  // Its fragments are read one by one. No other slab is held meanwhile.
  if (found.head->kind == cache_store::RecordKind::kHead) found = {};
  return coding.make(outcome_);
}

/// kStored: `identity` is the object's body, in the store or in `decoded`.
Kind CodingJob::find_identity(const RecordView& object, const std::atomic<bool>& stop,
                              std::span<const std::byte>& identity,
                              std::vector<std::byte>& decoded) {
  const http::Coding sent = http::sent_coding(object.policy.flags);
  if (object.kind == cache_store::RecordKind::kObject && sent == http::Coding::kIdentity) {
    identity = object.body;
    return Kind::kStored;
  }
  Kind result = Kind::kGone;
  if (object.kind == cache_store::RecordKind::kObject) {
    result = decode_sent(sent, object.body, stop, decoded);
  } else if (object.kind == cache_store::RecordKind::kShell) {
    const Found source = store_.peek(object.digest, task_.key, http::CodingSet::all().bits());
    if (!source.coded || source.head->rid != task_.rid) return Kind::kGone;
    result = within_bounds(stop, Kind::kFailed, [&](GoOn& go_on) {
      return decode_whole(coding_of(source.coded->slot), source.coded->body, object.whole_length,
                          go_on, decoded);
    });
    if (result == Kind::kStored && decoded.size() != object.whole_length) return Kind::kFailed;
  }
  identity = decoded;
  return result;
}

/// What an origin sent in this coding.
Kind CodingJob::decode_sent(http::Coding sent, std::span<const std::byte> coded,
                            const std::atomic<bool>& stop, std::vector<std::byte>& decoded) {
  const uint64_t most =
      std::min<uint64_t>(store_.max_object_bytes(), coded.size() * limits::kDecodedTimes);
  Verified verified = Verified::kMade;
  const Kind result = within_bounds(stop, Kind::kUndecodable, [&](GoOn& go_on) {
    return verified = decode_whole(sent, coded, most, go_on, decoded);
  });
  if (result == Kind::kUndecodable) {
    outcome_.key = task_.key;
    outcome_.sent = sent;
    outcome_.wrong = verified;
  }
  return result;
}

/// Set when no more may be done.
std::optional<Kind> CodingJob::bounds(const std::atomic<bool>& stop) const {
  if (stop.load(std::memory_order_relaxed)) return Kind::kStopped;
  if (cpu_us() > limits::kCodingCpuMs * 1000) return Kind::kTooSlow;
  return std::nullopt;
}

/// Calls `work` with a GoOn of these bounds; what came of it.
template <typename Work>
Kind CodingJob::within_bounds(const std::atomic<bool>& stop, Kind failed, Work work) const {
  std::optional<Kind> ended;
  GoOn go_on([&] {
    ended = bounds(stop);
    return !ended;
  });
  switch (work(go_on)) {
    case Verified::kMade:
      return Kind::kStored;
    case Verified::kNotWorthIt:
      return Kind::kNotWorthIt;
    case Verified::kFailed:
    case Verified::kCut:
    case Verified::kTooLong:
      return failed;
    case Verified::kLeft:
      return *ended;
  }
  return failed;
}

Kind CodingJob::put(const RecordView& object, std::span<const std::byte> coded,
                    const cache_store::Ticket& ticket) const {
  cache_store::Draft draft;
  draft.rid = task_.rid;
  draft.key = task_.key;
  draft.base = task_.base;
  draft.ticket = ticket;
  draft.source = &object.pin;
  return kind_of(put_coding(store_, draft, task_.coding, effort(), coded), Kind::kStored);
}

/// Its codings are all that is left of the body.
Kind CodingJob::drop_body(const RecordView& object) const {
  const bool whole = object.kind == cache_store::RecordKind::kObject &&
                     http::sent_coding(object.policy.flags) == http::Coding::kIdentity;
  if (!whole) return Kind::kPresent;
  cache_store::Draft draft;
  draft.kind = cache_store::RecordKind::kShell;
  draft.replaces = true;
  draft.rid = task_.rid;
  draft.key = task_.key;
  draft.base = task_.base;
  draft.policy = object.policy;
  draft.tags = object.tags;
  draft.head = object.head;
  draft.whole_length = object.body.size();
  draft.ticket = object.ticket;
  draft.source = &object.pin;
  return kind_of(store_.put(draft), Kind::kDropped);
}

}  // namespace perigee::origin

#include "origin/coding_job.h"

#include <algorithm>
#include <cstring>
#include <memory>
#include <span>

#include "base/limits.h"
#include "http/coding/decoder.h"
#include "origin/coded_record.h"

namespace perigee::origin {

namespace limits = base::limits;
using cache_store::Found;
using cache_store::RecordView;
using Kind = CodingOutcome::Kind;

namespace {

/// What a coding of so many bytes must stay below.
uint64_t most_coded_bytes(uint64_t object_bytes) {
  return object_bytes - object_bytes / limits::kCodedGainShare;
}

}  // namespace

void CodingJob::work(const std::atomic<bool>& stop) noexcept {
  begun_us_ = cpu_clock_();
  outcome_.kind = code(stop);
  outcome_.cpu_us = cpu_us();
}

Kind CodingJob::code(const std::atomic<bool>& stop) {
  const cache_store::Slot slot = slot_of(task_.coding);
  const Found found = store_.peek(store_.digest(task_.key), task_.key,
                                  static_cast<cache_store::SlotMask>(1 << slot));
  if (!found.head || found.head->rid != task_.rid) return Kind::kGone;
  if (task_.effort == http::Effort::kNone) {
    return found.coded ? drop_body(*found.head) : Kind::kGone;
  }
  const bool better = task_.effort == http::Effort::kBest && found.coded && !is_best(*found.coded);
  if (found.coded && !better) return Kind::kPresent;
  std::span<const std::byte> body;
  std::vector<std::byte> decoded;
  const Kind source = find_identity(*found.head, stop, body, decoded);
  if (source != Kind::kStored) return source;
  outcome_.object_bytes = body.size();
  std::vector<std::byte> coded;
  if (task_.coding != http::Coding::kIdentity) {
    const Kind encoded = encode(body, stop, coded);
    if (encoded != Kind::kStored) return encoded;
    if (!decodes_to(body, coded)) return Kind::kFailed;
    body = coded;
  }
  const Kind stored = put(*found.head, body);
  if (stored != Kind::kStored) return stored;
  outcome_.coded_bytes = body.size();
  // Clients take it, so the body is of little use beside it.
  outcome_.dropped = task_.wanted && store_.is_short() && drop_body(*found.head) == Kind::kDropped;
  return stored;
}

/// kStored: `identity` is the object's body, in the store or in `decoded`.
Kind CodingJob::find_identity(const RecordView& object, const std::atomic<bool>& stop,
                              std::span<const std::byte>& identity,
                              std::vector<std::byte>& decoded) const {
  const http::Coding sent = http::sent_coding(object.policy.flags);
  if (object.kind == cache_store::RecordKind::kObject && sent == http::Coding::kIdentity) {
    identity = object.body;
    return Kind::kStored;
  }
  Kind result = Kind::kGone;
  if (object.kind == cache_store::RecordKind::kObject) {
    const uint64_t most =
        std::min<uint64_t>(store_.max_object_bytes(), object.body.size() * limits::kDecodedTimes);
    result = decode(sent, object.body, most, stop, decoded);
  } else if (object.kind == cache_store::RecordKind::kShell) {
    const Found source = store_.peek(object.digest, task_.key, http::CodingSet::all().bits());
    if (!source.coded || source.head->rid != task_.rid) return Kind::kGone;
    result = decode(coding_of(source.coded->slot), source.coded->body, object.whole_length, stop,
                    decoded);
    if (result == Kind::kStored && decoded.size() != object.whole_length) return Kind::kFailed;
  }
  identity = decoded;
  return result;
}

/// kStored: `out` holds all of it, at most `most` bytes.
Kind CodingJob::decode(http::Coding sent, std::span<const std::byte> body, uint64_t most,
                       const std::atomic<bool>& stop, std::vector<std::byte>& out) const {
  const auto decoder = http::Decoder::make(sent);
  if (decoder == nullptr) return Kind::kFailed;
  for (;;) {
    if (const std::optional<Kind> ended = bounds(stop)) return *ended;
    const size_t before = out.size();
    // A byte of room more than may be used: at the bound the end can still be told.
    out.resize(std::min<uint64_t>(before + limits::kCodingStepBytes, most + 1));
    const http::Decoder::Step step =
        decoder->decode(body, std::span(out).subspan(before, out.size() - before));
    out.resize(before + step.made);
    body = body.subspan(step.taken);
    const bool bad = step.state == http::Decoder::State::kBad || out.size() > most ||
                     (step.taken == 0 && step.made == 0);
    const bool end = step.state == http::Decoder::State::kEnd;
    if (end && body.empty() && !out.empty() && out.size() <= most) return Kind::kStored;
    if (end || bad) return Kind::kUndecodable;
  }
}

/// Set when no more may be done.
std::optional<Kind> CodingJob::bounds(const std::atomic<bool>& stop) const {
  if (stop.load(std::memory_order_relaxed)) return Kind::kStopped;
  if (cpu_us() > limits::kCodingCpuMs * 1000) return Kind::kTooSlow;
  return std::nullopt;
}

/// kStored: `out` holds what is worth to be.
Kind CodingJob::encode(std::span<const std::byte> body, const std::atomic<bool>& stop,
                       std::vector<std::byte>& out) const {
  const auto encoder = http::Encoder::make(task_.coding, task_.effort, body.size());
  if (encoder == nullptr) return Kind::kFailed;
  const uint64_t most = most_coded_bytes(body.size());
  while (!body.empty()) {
    if (const std::optional<Kind> ended = bounds(stop)) return *ended;
    const size_t n = std::min(body.size(), limits::kCodingStepBytes);
    const bool last = n == body.size();
    if (!encoder->encode(body.first(n), last, out)) return Kind::kFailed;
    if (out.size() >= most) return Kind::kNotWorthIt;
    body = body.subspan(n);
  }
  return out.empty() ? Kind::kFailed : Kind::kStored;
}

/// A fault of a library, or of memory, must not reach a client.
bool CodingJob::decodes_to(std::span<const std::byte> body,
                           std::span<const std::byte> coded) const {
  const auto decoder = http::Decoder::make(task_.coding);
  if (decoder == nullptr) return false;
  std::vector<std::byte> buffer(limits::kCodingStepBytes);
  for (;;) {
    const http::Decoder::Step step = decoder->decode(coded, buffer);
    const bool same = step.state != http::Decoder::State::kBad && step.made <= body.size() &&
                      std::memcmp(buffer.data(), body.data(), step.made) == 0;
    if (!same) return false;
    coded = coded.subspan(step.taken);
    body = body.subspan(step.made);
    if (step.state == http::Decoder::State::kEnd) return coded.empty() && body.empty();
    if (step.taken == 0 && step.made == 0) return false;
  }
}

Kind CodingJob::put(const RecordView& object, std::span<const std::byte> coded) const {
  const bool final = task_.coding == http::Coding::kIdentity;
  const auto head = coded_head(final ? http::Effort::kBest : task_.effort);
  cache_store::Draft draft;
  draft.kind = cache_store::RecordKind::kCoded;
  draft.slot = slot_of(task_.coding);
  draft.rid = task_.rid;
  draft.key = task_.key;
  draft.base = task_.base;
  draft.head = head;
  draft.body = {&coded, 1};
  draft.ticket = object.ticket;
  draft.source = &object.pin;
  return store_.put(draft).ok() ? Kind::kStored : Kind::kGone;
}

/// Its codings are all that is left of the body.
Kind CodingJob::drop_body(const RecordView& object) const {
  const bool whole = object.kind == cache_store::RecordKind::kObject &&
                     http::sent_coding(object.policy.flags) == http::Coding::kIdentity;
  if (!whole) return Kind::kPresent;
  cache_store::Draft draft;
  draft.kind = cache_store::RecordKind::kShell;
  draft.rid = task_.rid;
  draft.key = task_.key;
  draft.base = task_.base;
  draft.policy = object.policy;
  draft.tags = object.tags;
  draft.head = object.head;
  draft.whole_length = object.body.size();
  draft.ticket = object.ticket;
  draft.source = &object.pin;
  return store_.put(draft).ok() ? Kind::kDropped : Kind::kGone;
}

}  // namespace perigee::origin

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
  const bool whole = found.head && found.head->kind == cache_store::RecordKind::kObject;
  if (!whole || found.head->rid != task_.rid) return Kind::kGone;
  const bool better = task_.effort == http::Effort::kBest && found.coded && !is_best(*found.coded);
  if (found.coded && !better) return Kind::kPresent;
  std::span<const std::byte> body = found.head->body;
  std::vector<std::byte> identity;
  if (const http::Coding sent = http::sent_coding(found.head->policy.flags);
      sent != http::Coding::kIdentity) {
    const Kind decoded = decode(sent, body, stop, identity);
    if (decoded != Kind::kStored) return decoded;
    body = identity;
  }
  outcome_.object_bytes = body.size();
  std::vector<std::byte> coded;
  if (task_.coding != http::Coding::kIdentity) {
    const Kind encoded = encode(body, stop, coded);
    if (encoded != Kind::kStored) return encoded;
    if (!decodes_to(body, coded)) return Kind::kFailed;
    body = coded;
  }
  const Kind stored = put(*found.head, body);
  if (stored == Kind::kStored) outcome_.coded_bytes = body.size();
  return stored;
}

/// kStored: `out` holds all of it.
Kind CodingJob::decode(http::Coding sent, std::span<const std::byte> body,
                       const std::atomic<bool>& stop, std::vector<std::byte>& out) const {
  const auto decoder = http::Decoder::make(sent);
  if (decoder == nullptr) return Kind::kFailed;
  const uint64_t most =
      std::min<uint64_t>(store_.max_object_bytes(), body.size() * limits::kDecodedTimes);
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

}  // namespace perigee::origin

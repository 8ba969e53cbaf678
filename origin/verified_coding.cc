#include "origin/verified_coding.h"

#include <algorithm>
#include <cstring>
#include <memory>

#include "base/limits.h"
#include "http/coding/decoder.h"

namespace perigee::origin {

namespace limits = base::limits;
using http::Coding;
using http::Decoder;

namespace {

Verified encode(Coding coding, http::Effort effort, std::span<const std::byte> body, GoOn& go_on,
                std::vector<std::byte>& out) {
  const auto encoder = http::Encoder::make(coding, effort, body.size());
  if (encoder == nullptr) return Verified::kFailed;
  const uint64_t most = most_coded_bytes(body.size());
  while (!body.empty()) {
    if (!go_on()) return Verified::kLeft;
    const size_t n = std::min(body.size(), limits::kCodingStepBytes);
    const bool last = n == body.size();
    if (!encoder->encode(body.first(n), last, out)) return Verified::kFailed;
    if (out.size() >= most) return Verified::kNotWorthIt;
    body = body.subspan(n);
  }
  return out.empty() ? Verified::kFailed : Verified::kMade;
}

}  // namespace

uint64_t most_coded_bytes(uint64_t body_bytes) {
  return body_bytes - body_bytes / limits::kCodedGainShare;
}

bool decodes_to(Coding coding, std::span<const std::byte> coded, std::span<const std::byte> body) {
  const auto decoder = Decoder::make(coding, http::Members::kOne);
  if (decoder == nullptr) return false;
  std::vector<std::byte> buffer(limits::kCodingStepBytes);
  for (;;) {
    const Decoder::Step step = decoder->decode(coded, buffer);
    const bool same = step.state != Decoder::State::kBad && step.made <= body.size() &&
                      std::memcmp(buffer.data(), body.data(), step.made) == 0;
    if (!same) return false;
    coded = coded.subspan(step.taken);
    body = body.subspan(step.made);
    if (step.state == Decoder::State::kEnd) return body.empty();
    if (step.taken == 0 && step.made == 0) return false;
  }
}

Verified encode_verified(Coding coding, http::Effort effort, std::span<const std::byte> body,
                         GoOn& go_on, std::vector<std::byte>& out) {
  const Verified encoded = encode(coding, effort, body, go_on, out);
  if (encoded != Verified::kMade) return encoded;
  // A fault of a library, or of memory, must not reach a client.
  return decodes_to(coding, out, body) ? Verified::kMade : Verified::kFailed;
}

Verified decode_whole(Coding coding, std::span<const std::byte> coded, uint64_t most, GoOn& go_on,
                      std::vector<std::byte>& out) {
  const auto decoder = Decoder::make(coding);
  if (decoder == nullptr) return Verified::kFailed;
  for (;;) {
    if (!go_on()) return Verified::kLeft;
    const size_t before = out.size();
    // A byte of room more than may be used: at the bound the end can still be told.
    out.resize(std::min<uint64_t>(before + limits::kCodingStepBytes, most + 1));
    // A piece of it only: many members may hold nothing.
    const Decoder::Step step =
        decoder->decode(coded.first(std::min(coded.size(), limits::kCodingStepBytes)),
                        std::span(out).subspan(before, out.size() - before));
    out.resize(before + step.made);
    coded = coded.subspan(step.taken);
    const bool stuck = step.taken == 0 && step.made == 0;
    if (out.size() > most) return Verified::kTooLong;
    if (step.state == Decoder::State::kBad) return Verified::kFailed;
    if (step.state == Decoder::State::kEnd && coded.empty()) {
      return out.empty() ? Verified::kFailed : Verified::kMade;
    }
    if (stuck) return Verified::kCut;
  }
}

}  // namespace perigee::origin

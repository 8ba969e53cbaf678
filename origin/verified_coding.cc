#include "origin/verified_coding.h"

#include <algorithm>
#include <memory>

#include "base/limits.h"
#include "origin/content_reader.h"

namespace perigee::origin {

namespace limits = base::limits;
using http::Coding;

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

Verified verified_of(ContentReader::State state) {
  switch (state) {
    case ContentReader::State::kPiece:
    case ContentReader::State::kEnd:
      return Verified::kMade;
    case ContentReader::State::kCut:
      return Verified::kCut;
    case ContentReader::State::kTooLong:
      return Verified::kTooLong;
    case ContentReader::State::kGone:
    case ContentReader::State::kBad:
      return Verified::kFailed;
  }
  return Verified::kFailed;
}

bool decodes_to(Coding coding, std::span<const std::byte> coded, std::span<const std::byte> body) {
  ContentReader decoded(coded, coding, body.size(), http::Members::kOne);
  ContentReader plain(body, Coding::kIdentity, body.size());
  GoOn go_on([] { return true; });
  return compare(decoded, plain, go_on) == Compared::kSame;
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
  if (coding == Coding::kIdentity) return Verified::kFailed;
  ContentReader content(coded, coding, most);
  for (;;) {
    if (!go_on()) return Verified::kLeft;
    std::span<const std::byte> piece;
    const ContentReader::State state = content.next(piece);
    if (state != ContentReader::State::kPiece) return verified_of(state);
    out.insert(out.end(), piece.begin(), piece.end());
  }
}

}  // namespace perigee::origin

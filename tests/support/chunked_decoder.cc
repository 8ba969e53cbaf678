#include "tests/support/chunked_decoder.h"

#include <algorithm>
#include <string_view>

#include "base/limits.h"
#include "http/headers.h"

namespace perigee::test {

namespace limits = base::limits;

namespace {

/// The value of a hexadecimal digit, or -1.
int digit_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  const char lower = static_cast<char>(c | 0x20);
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

}  // namespace

ChunkedDecoder::Step ChunkedDecoder::next(std::span<const std::byte> input) {
  size_t used = 0;
  while (used < input.size() && state_ != State::kDone && state_ != State::kFailed) {
    if (state_ == State::kData) {
      const auto n = static_cast<size_t>(std::min<uint64_t>(left_, input.size() - used));
      left_ -= n;
      if (left_ == 0) state_ = State::kDataCr;
      return {used + n, input.subspan(used, n)};
    }
    state_ = take(static_cast<char>(input[used++]));
  }
  return {used, {}};
}

ChunkedDecoder::State ChunkedDecoder::take(char c) {
  switch (state_) {
    case State::kSize:
      return take_size(c);
    case State::kExtension:
    case State::kExtensionName:
    case State::kExtensionNameEnd:
    case State::kExtensionEquals:
    case State::kExtensionToken:
    case State::kExtensionQuoted:
    case State::kExtensionEscape:
    case State::kExtensionValueEnd:
      return take_extension(c);
    case State::kSizeLf:
      if (c != '\n') break;
      digits_ = 0;
      extension_bytes_ = 0;
      return left_ > 0 ? State::kData : State::kTrailer;
    case State::kDataCr:
      if (c != '\r') break;
      return State::kDataLf;
    case State::kDataLf:
      if (c != '\n') break;
      return State::kSize;
    case State::kTrailer:
      if (c == '\r') return State::kLastLf;
      return take_trailer(c);
    case State::kTrailerName:
    case State::kTrailerValue:
      return take_trailer(c);
    case State::kTrailerLf:
      if (c != '\n') break;
      return State::kTrailer;
    case State::kLastLf:
      if (c != '\n') break;
      return State::kDone;
    case State::kData:
    case State::kDone:
    case State::kFailed:
      break;
  }
  return fail(Error::kMalformed);
}

ChunkedDecoder::State ChunkedDecoder::take_size(char c) {
  if (const int value = digit_value(c); value >= 0) {
    if (++digits_ > limits::kChunkSizeDigits || left_ > INT64_MAX >> 4)
      return fail(Error::kMalformed);
    left_ = left_ << 4 | static_cast<uint64_t>(value);
    return State::kSize;
  }
  if (digits_ == 0) return fail(Error::kMalformed);
  if (c == '\r') return State::kSizeLf;
  return c == ';' ? take_extension(c) : fail(Error::kMalformed);
}

/// Extensions mean nothing here, but whoever takes a quote that is not closed, or a name that is
/// none, for something else would see another chunk.
ChunkedDecoder::State ChunkedDecoder::take_extension(char c) {
  if (c != '\r' && (++extension_bytes_ > limits::kChunkExtensionBytes ||
                    ++extensions_bytes_ > limits::kChunkExtensionsBytes)) {
    return fail(Error::kMalformed);
  }
  const State next = next_extension(c);
  return next == State::kFailed ? fail(Error::kMalformed) : next;
}

ChunkedDecoder::State ChunkedDecoder::next_extension(char c) const {
  const bool blank = c == ' ' || c == '\t';
  const bool token = http::is_token({&c, 1});
  switch (state_) {
    case State::kSize:
      return State::kExtension;
    case State::kExtension:
      if (blank) return State::kExtension;
      return token ? State::kExtensionName : State::kFailed;
    case State::kExtensionEquals:
      if (blank) return State::kExtensionEquals;
      if (c == '"') return State::kExtensionQuoted;
      return token ? State::kExtensionToken : State::kFailed;
    case State::kExtensionQuoted:
      if (c == '"') return State::kExtensionValueEnd;
      if (c == '\\') return State::kExtensionEscape;
      return http::is_field_value({&c, 1}) ? State::kExtensionQuoted : State::kFailed;
    case State::kExtensionEscape:
      return http::is_field_value({&c, 1}) ? State::kExtensionQuoted : State::kFailed;
    default:
      break;
  }
  const bool in_name = state_ == State::kExtensionName || state_ == State::kExtensionNameEnd;
  if (c == '\r') return State::kSizeLf;
  if (c == ';') return State::kExtension;
  if (c == '=' && in_name) return State::kExtensionEquals;
  if (blank) return in_name ? State::kExtensionNameEnd : State::kExtensionValueEnd;
  const bool inside = state_ == State::kExtensionName || state_ == State::kExtensionToken;
  return token && inside ? state_ : State::kFailed;
}

ChunkedDecoder::State ChunkedDecoder::take_trailer(char c) {
  if (++trailer_bytes_ > limits::kTrailerBytes) return fail(Error::kTrailersTooLarge);
  if (state_ == State::kTrailerValue) {
    if (c == '\r') return State::kTrailerLf;
    return http::is_field_value({&c, 1}) ? State::kTrailerValue : fail(Error::kMalformed);
  }
  if (c == ':' && state_ == State::kTrailerName) return State::kTrailerValue;
  return http::is_token({&c, 1}) ? State::kTrailerName : fail(Error::kMalformed);
}

ChunkedDecoder::State ChunkedDecoder::fail(Error error) {
  error_ = error;
  return State::kFailed;
}

}  // namespace perigee::test

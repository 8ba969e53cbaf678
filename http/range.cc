#include "http/range.h"

#include <algorithm>
#include <charconv>
#include <optional>

#include "base/limits.h"
#include "base/text.h"
#include "http/headers.h"

namespace perigee::http {
namespace {

/// Digits only; a number too large for 64 bits is the largest.
std::optional<uint64_t> parse_position(std::string_view text) {
  if (text.empty() || text.find_first_not_of("0123456789") != std::string_view::npos) {
    return std::nullopt;
  }
  uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc::result_out_of_range ? UINT64_MAX : value;
}

/// A suffix-range of at least one byte, of which no body is too short (RFC 9110 §14.1.2).
bool is_nonzero_suffix(std::string_view spec) {
  return spec.starts_with('-') && spec.find_first_not_of('0', 1) != std::string_view::npos;
}

/// One int-range or suffix-range within a body of `size` bytes: empty when it lies outside, nullopt
/// when it is neither.
std::optional<ByteSpan> parse_range_spec(std::string_view spec, uint64_t size) {
  const size_t dash = spec.find('-');
  if (dash == std::string_view::npos) return std::nullopt;
  const std::string_view first_text = spec.substr(0, dash);
  const std::string_view last_text = spec.substr(dash + 1);
  if (first_text.empty()) {
    const std::optional<uint64_t> suffix = parse_position(last_text);
    if (!suffix) return std::nullopt;
    return ByteSpan{size - std::min(size, *suffix), size};
  }
  const std::optional<uint64_t> first = parse_position(first_text);
  const std::optional<uint64_t> last =
      last_text.empty() ? std::optional(UINT64_MAX) : parse_position(last_text);
  if (!first || !last || *last < *first) return std::nullopt;
  if (*first >= size) return ByteSpan{size, size};
  return ByteSpan{*first, *last >= size ? size : *last + 1};
}

}  // namespace

void ByteSpans::add(ByteSpan span) {
  if (count_ == 0) {
    only_ = span;
    count_ = 1;
    return;
  }
  if (count_ == 1) several_.assign(1, only_);
  // Spans that touch make one without a gap, so what it touches is known from `span` alone.
  const auto touches = [&](const ByteSpan& other) {
    return other.begin <= span.end && span.begin <= other.end;
  };
  const auto first = std::find_if(several_.begin(), several_.end(), touches);
  if (first == several_.end()) {
    several_.push_back(span);
  } else {
    ByteSpan joined = span;
    for (auto other = first; other != several_.end(); ++other) {
      if (!touches(*other)) continue;
      joined = {std::min(joined.begin, other->begin), std::max(joined.end, other->end)};
    }
    several_.erase(std::remove_if(first + 1, several_.end(), touches), several_.end());
    *first = joined;
  }
  count_ = several_.size();
  if (count_ == 1) only_ = several_.front();
}

bool ByteSpans::ascending() const {
  return std::is_sorted(begin(), end(),
                        [](const ByteSpan& a, const ByteSpan& b) { return a.begin < b.begin; });
}

RangeRequest parse_range(std::string_view range_field, uint64_t size) {
  const size_t equals = range_field.find('=');
  if (equals == std::string_view::npos || !base::iequals(range_field.substr(0, equals), "bytes")) {
    return {};
  }
  RangeRequest result;
  bool whole = false;
  size_t specs = 0;
  ListCursor cursor(range_field.substr(equals + 1));
  while (const auto spec = cursor.next()) {
    const std::optional<ByteSpan> span = parse_range_spec(*spec, size);
    if (!span) return {};
    if (++specs > base::limits::kRangeSpecs) return {};
    // The last bytes of an empty body are all of it, for which Content-Range has no words.
    whole = whole || (size == 0 && is_nonzero_suffix(*spec));
    if (span->size() > 0) result.spans.add(*span);
  }
  if (specs == 0 || whole) return {};
  result.kind = result.spans.empty() ? RangeRequest::kUnsatisfiable : RangeRequest::kSatisfiable;
  return result;
}

}  // namespace perigee::http

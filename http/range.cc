#include "http/range.h"

#include <algorithm>
#include <charconv>

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

}  // namespace

RangeSpec parse_range(std::string_view range_field, uint64_t size) {
  const size_t equals = range_field.find('=');
  if (equals == std::string_view::npos || !iequals(range_field.substr(0, equals), "bytes")) {
    return {};
  }
  const std::string_view spec = trim_ows(range_field.substr(equals + 1));
  const size_t dash = spec.find('-');
  if (dash == std::string_view::npos || spec.find(',') != std::string_view::npos) return {};
  const std::string_view first_text = spec.substr(0, dash);
  const std::string_view last_text = spec.substr(dash + 1);
  if (first_text.empty()) {
    const std::optional<uint64_t> suffix = parse_position(last_text);
    if (!suffix) return {};
    if (*suffix == 0 || size == 0) return {RangeSpec::kUnsatisfiable, 0, 0};
    return {RangeSpec::kSatisfiable, size - std::min(size, *suffix), size};
  }
  const std::optional<uint64_t> first = parse_position(first_text);
  const std::optional<uint64_t> last =
      last_text.empty() ? std::optional(UINT64_MAX) : parse_position(last_text);
  if (!first || !last || *last < *first) return {};
  if (*first >= size) return {RangeSpec::kUnsatisfiable, 0, 0};
  return {RangeSpec::kSatisfiable, *first, *last >= size ? size : *last + 1};
}

}  // namespace perigee::http

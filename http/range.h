// Range requests (RFC 9110 §14): which bytes a Range field asks for.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace perigee::http {

struct RangeSpec {
  enum Kind : uint8_t {
    kNone,           ///< no Range, an unknown unit, bad syntax, or several ranges: the whole
    kSatisfiable,    ///< bytes [begin, end)
    kUnsatisfiable,  ///< 416
  } kind = kNone;
  uint64_t begin = 0;
  uint64_t end = 0;
};
/// One range or suffix of a body of `size` bytes.
RangeSpec parse_range(std::string_view range_field, uint64_t size);

}  // namespace perigee::http

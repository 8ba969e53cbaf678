// Inputs of fuzz targets as text: lines, so that a corpus can be read and written by hand.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace perigee::fuzz {

inline std::string_view text_of(const uint8_t* data, size_t size) {
  return {reinterpret_cast<const char*>(data), size};
}

/// Cuts the first line off; empty when there is none left.
inline std::string_view take_line(std::string_view& rest) {
  const std::string_view line = rest.substr(0, rest.find('\n'));
  rest.remove_prefix(line.size() < rest.size() ? line.size() + 1 : rest.size());
  return line;
}

/// Is `part` a view into `whole`?
inline bool within(std::string_view part, std::string_view whole) {
  return part.data() >= whole.data() && part.data() + part.size() <= whole.data() + whole.size();
}

}  // namespace perigee::fuzz

// One JSON object as a line. Strings come from strangers: whatever bytes they hold, the line is
// printable ASCII.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace perigee::tools {

/// Bytes that are no printable ASCII, quotes and backslashes as \u00HH, one for each byte.
std::string escaped(std::string_view text);

/// Members in the order in which they are added.
class JsonLine {
 public:
  void add(std::string_view name, std::string_view text);
  void add(std::string_view name, int64_t number);
  /// -1: null, as lifetimes and windows that are absent.
  void add_unless_absent(std::string_view name, int64_t number);
  /// As a string of digits: a JSON number has 53 bits in most readers.
  void add_wide(std::string_view name, uint64_t number);
  /// Each as 16 hexadecimal digits.
  void add(std::string_view name, const std::vector<uint64_t>& numbers);
  /// The object and the line's end.
  std::string line() const { return "{" + members_ + "}\n"; }

 private:
  void begin(std::string_view name);

  std::string members_;
};

/// 16 hexadecimal digits.
std::string hex(uint64_t number);

}  // namespace perigee::tools

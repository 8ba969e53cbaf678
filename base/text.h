// Text in ASCII, whatever protocol it belongs to: case, hexadecimal and decimal digits.
#pragma once

#include <charconv>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace perigee::base {

/// ASCII letters in lower case, every other byte as it is.
constexpr char to_lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }

/// ASCII case-insensitive equality.
constexpr bool iequals(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  for (size_t i = 0; i < a.size(); ++i) {
    if (a[i] != b[i] && to_lower(a[i]) != to_lower(b[i])) return false;
  }
  return true;
}

/// The value of a hexadecimal digit of either case; -1: it is none.
constexpr int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  const char lower = to_lower(c);
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

/// The same bytes as characters.
inline std::string_view as_text(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

/// A number in decimal digits. The text lives as long as this object.
class Decimal {
 public:
  template <typename Number>
  explicit Decimal(Number number)
      : size_(static_cast<size_t>(std::to_chars(digits_, digits_ + sizeof digits_, number).ptr -
                                  digits_)) {}
  std::string_view text() const { return {digits_, size_}; }

 private:
  char digits_[20];  ///< the longest int64_t, sign included, and the longest uint64_t
  size_t size_;
};

}  // namespace perigee::base

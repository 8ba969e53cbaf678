// Just enough JSON to read test vectors; no part of the product.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace perigee::test {

struct Json {
  enum Kind : uint8_t { kNull, kBool, kNumber, kString, kArray, kObject };
  Kind kind = kNull;
  bool boolean = false;
  double number = 0;
  std::string text;         ///< of a string, UTF-8; of a number, as it stands
  std::vector<Json> items;  ///< of an array; of an object, beside `names`
  std::vector<std::string> names;

  /// Null when there is no such member.
  const Json* find(std::string_view name) const {
    for (size_t i = 0; i < names.size(); ++i) {
      if (names[i] == name) return &items[i];
    }
    return nullptr;
  }
};

/// nullopt: not JSON.
std::optional<Json> parse_json(std::string_view text);

}  // namespace perigee::test

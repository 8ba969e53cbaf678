// The ways in which origins may read one path: rules by prefix hold for all of them.
#pragma once

#include <array>
#include <cstddef>
#include <span>
#include <string>
#include <string_view>

namespace perigee::http {

/// Memory that is reused from path to path.
class PathReadings {
 public:
  static constexpr size_t kMost = 9;

  /// The readings of a path (without its query). The first is the canonical one: percent-decoded
  /// once, `\` and `%2f` as slashes, slashes merged, dot segments removed. Then the path as it
  /// came, and what it is without dots and spaces at the ends of segments, without `;parameters`,
  /// with
  /// `%2f` as data, decoded until nothing is left to decode, and where `//` begins a host. The last
  /// that stands for every path has lost the most. Case is left to the comparison. Views into
  /// `path` and into this; valid until the next call. Linear in the path.
  std::span<const std::string_view> of(std::string_view path);

 private:
  void add(std::string_view path, const struct Reading& reading);

  std::array<std::string, kMost> texts_;
  std::array<std::string_view, kMost> views_;
  std::string decoded_;
  size_t count_ = 0;
};

/// Every origin reads this path alike, but for letters' case: nothing in it is encoded, a
/// parameter, doubled or dangling.
bool is_plain_path(std::string_view path);

}  // namespace perigee::http

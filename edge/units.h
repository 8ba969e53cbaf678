// Sizes, durations and networks as people write them.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "base/address.h"

namespace perigee::edge {

/// "512MiB", "64KiB", "1GiB", "4096B", also KB, MB, GB as thousands. A bare number is refused.
std::optional<uint64_t> parse_size(std::string_view text);

/// "250ms", "30s", "5m", "1h", "7d" in milliseconds. A bare number is refused.
std::optional<int64_t> parse_duration_ms(std::string_view text);

/// A block of addresses.
struct Network {
  base::Address address;
  unsigned prefix_bits = 0;
  /// An IPv4 peer of a dual-stack socket (::ffff:10.0.0.1) counts as IPv4.
  bool contains(const base::Address& peer) const;
};
/// "10.0.0.0/8", "::1/128", or a single address.
std::optional<Network> parse_network(std::string_view text);
/// One of the networks holds `address`.
bool contains(const std::vector<Network>& networks, const base::Address& address);

}  // namespace perigee::edge

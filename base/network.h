// A block of addresses, as configuration names whom to trust.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "base/address.h"

namespace perigee::base {

struct Network {
  Address address;
  unsigned prefix_bits = 0;
  /// An IPv4 peer of a dual-stack socket (::ffff:10.0.0.1) counts as IPv4.
  bool contains(const Address& peer) const;
};
/// "10.0.0.0/8", "::1/128", or a single address.
std::optional<Network> parse_network(std::string_view text);
/// One of the networks holds `address`.
bool contains(const std::vector<Network>& networks, const Address& address);

}  // namespace perigee::base

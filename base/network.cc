#include "base/network.h"

#include <algorithm>
#include <charconv>

namespace perigee::base {

bool Network::contains(const Address& peer) const {
  const Address candidate = peer.family == address.family ? peer : peer.unmapped();
  if (candidate.family != address.family) return false;
  for (unsigned bit = 0; bit < prefix_bits; ++bit) {
    const auto mask = static_cast<uint8_t>(0x80 >> bit % 8);
    if ((candidate.bytes[bit / 8] & mask) != (address.bytes[bit / 8] & mask)) return false;
  }
  return true;
}

std::optional<Network> parse_network(std::string_view text) {
  const size_t slash = text.find('/');
  const std::optional<Address> address = Address::parse_host(text.substr(0, slash), 0);
  if (!address) return std::nullopt;
  const unsigned most = address->family == Address::Family::kV4 ? 32 : 128;
  if (slash == std::string_view::npos) return Network{*address, most};
  const std::string_view digits = text.substr(slash + 1);
  unsigned bits = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), bits);
  if (error != std::errc() || end != digits.data() + digits.size() || bits > most)
    return std::nullopt;
  return Network{*address, bits};
}

bool contains(const std::vector<Network>& networks, const Address& address) {
  return std::any_of(networks.begin(), networks.end(),
                     [&](const Network& network) { return network.contains(address); });
}

}  // namespace perigee::base

#include "edge/units.h"

#include <algorithm>
#include <charconv>
#include <span>

namespace perigee::edge {
namespace {

struct Unit {
  std::string_view name;
  uint64_t factor;
};

constexpr Unit kSizes[] = {
    {"KiB", 1ull << 10}, {"MiB", 1ull << 20}, {"GiB", 1ull << 30},   {"TiB", 1ull << 40},
    {"KB", 1000},        {"MB", 1'000'000},   {"GB", 1'000'000'000}, {"B", 1}};
constexpr Unit kDurations[] = {
    {"ms", 1}, {"s", 1000}, {"m", 60'000}, {"h", 3'600'000}, {"d", 86'400'000}};

std::optional<uint64_t> parse(std::string_view text, std::span<const Unit> units) {
  uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc()) return std::nullopt;
  const std::string_view unit = text.substr(static_cast<size_t>(end - text.data()));
  for (const Unit& known : units) {
    if (known.name != unit) continue;
    if (number > INT64_MAX / known.factor) return std::nullopt;
    return number * known.factor;
  }
  return std::nullopt;
}

}  // namespace

std::optional<uint64_t> parse_size(std::string_view text) { return parse(text, kSizes); }

std::optional<int64_t> parse_duration_ms(std::string_view text) {
  const std::optional<uint64_t> ms = parse(text, kDurations);
  return ms ? std::optional(static_cast<int64_t>(*ms)) : std::nullopt;
}

bool Network::contains(const base::Address& peer) const {
  const base::Address candidate = peer.family == address.family ? peer : peer.unmapped();
  if (candidate.family != address.family) return false;
  for (unsigned bit = 0; bit < prefix_bits; ++bit) {
    const auto mask = static_cast<uint8_t>(0x80 >> bit % 8);
    if ((candidate.bytes[bit / 8] & mask) != (address.bytes[bit / 8] & mask)) return false;
  }
  return true;
}

std::optional<Network> parse_network(std::string_view text) {
  const size_t slash = text.find('/');
  const std::optional<base::Address> address = base::Address::parse_host(text.substr(0, slash), 0);
  if (!address) return std::nullopt;
  const unsigned most = address->family == base::Address::Family::kV4 ? 32 : 128;
  if (slash == std::string_view::npos) return Network{*address, most};
  const std::string_view digits = text.substr(slash + 1);
  unsigned bits = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), bits);
  if (error != std::errc() || end != digits.data() + digits.size() || bits > most)
    return std::nullopt;
  return Network{*address, bits};
}

bool contains(const std::vector<Network>& networks, const base::Address& address) {
  return std::any_of(networks.begin(), networks.end(),
                     [&](const Network& network) { return network.contains(address); });
}

}  // namespace perigee::edge

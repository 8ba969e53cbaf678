#include "base/address.h"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>
#include <cstring>

namespace perigee::base {

namespace {

constexpr std::array<uint8_t, 12> kMapped = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
constexpr std::array<uint8_t, 16> kLoopbackV6 = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};

}  // namespace

bool Address::is_loopback() const {
  const Address plain = unmapped();
  if (plain.family == Family::kV4) return plain.bytes[0] == 127;
  return plain.family == Family::kV6 && plain.bytes == kLoopbackV6;
}

Address Address::unmapped() const {
  if (family != Family::kV6 || !std::equal(kMapped.begin(), kMapped.end(), bytes.begin())) {
    return *this;
  }
  Address plain;
  plain.family = Family::kV4;
  plain.port = port;
  std::copy(bytes.begin() + kMapped.size(), bytes.end(), plain.bytes.begin());
  return plain;
}

std::string Address::host_text() const {
  char text[INET6_ADDRSTRLEN] = "";
  if (family == Family::kNone) return "unknown";
  inet_ntop(family == Family::kV4 ? AF_INET : AF_INET6, bytes.data(), text, sizeof text);
  return text;
}

std::string Address::text() const {
  const std::string host = host_text();
  const std::string suffix = ":" + std::to_string(port);
  return family == Family::kV6 ? "[" + host + "]" + suffix : host + suffix;
}

std::optional<Address> Address::parse_host(std::string_view literal, uint16_t port) {
  char text[INET6_ADDRSTRLEN + 1];
  // A NUL would end the text for inet_pton, and hide what stands behind it.
  if (literal.size() >= sizeof text || literal.find('\0') != std::string_view::npos)
    return std::nullopt;
  std::memcpy(text, literal.data(), literal.size());
  text[literal.size()] = '\0';
  Address address;
  address.port = port;
  if (inet_pton(AF_INET, text, address.bytes.data()) == 1) {
    address.family = Family::kV4;
    return address;
  }
  if (inet_pton(AF_INET6, text, address.bytes.data()) == 1) {
    address.family = Family::kV6;
    return address;
  }
  return std::nullopt;
}

std::optional<Address> Address::parse(std::string_view address_and_port) {
  const size_t colon = address_and_port.rfind(':');
  if (colon == std::string_view::npos) return std::nullopt;
  const std::string_view digits = address_and_port.substr(colon + 1);
  uint16_t port = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
  if (error != std::errc() || end != digits.data() + digits.size() || digits.empty()) {
    return std::nullopt;
  }
  std::string_view host = address_and_port.substr(0, colon);
  if (host.empty()) host = "0.0.0.0";
  if (host.size() >= 2 && host.front() == '[' && host.back() == ']') {
    host = host.substr(1, host.size() - 2);
  } else if (host.find(':') != std::string_view::npos) {
    return std::nullopt;
  }
  return parse_host(host, port);
}

}  // namespace perigee::base

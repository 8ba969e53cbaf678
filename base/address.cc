#include "base/address.h"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>
#include <cstring>

namespace perigee::base {

bool Address::is_loopback() const {
  if (family == Family::kV4) return bytes[0] == 127;
  if (family != Family::kV6) return false;
  const bool zeros = std::all_of(bytes.begin(), bytes.begin() + 10, [](uint8_t b) { return b == 0; });
  if (!zeros) return false;
  if (bytes[10] == 0xff && bytes[11] == 0xff) return bytes[12] == 127;
  return std::all_of(bytes.begin() + 10, bytes.begin() + 15, [](uint8_t b) { return b == 0; }) &&
         bytes[15] == 1;
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
  if (literal.size() >= sizeof text) return std::nullopt;
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

// An IP address and port as plain data, so that whatever decides about peers needs no socket
// header.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace perigee::base {

struct Address {
  enum class Family : uint8_t { kNone, kV4, kV6 };
  Family family = Family::kNone;
  std::array<uint8_t, 16> bytes{};  ///< network order; the first four for kV4
  uint16_t port = 0;                ///< host order

  bool operator==(const Address&) const = default;

  /// 127.0.0.0/8, ::1, and v4-mapped forms of the first.
  bool is_loopback() const;
  /// The IPv4 address that a v4-mapped one (::ffff:192.0.2.1) stands for; any other as it is.
  Address unmapped() const;
  /// "192.0.2.1:80" or "[::1]:80".
  std::string text() const;
  /// The address alone, without brackets or port, as a log writes it.
  std::string host_text() const;
  /// Parses "ADDR:PORT", "[V6]:PORT" or ":PORT" (every v4 address). nullopt: not an address
  /// literal.
  static std::optional<Address> parse(std::string_view address_and_port);
  /// Parses a literal without a port ("192.0.2.1", "::1"). nullopt: a name, or nothing valid.
  static std::optional<Address> parse_host(std::string_view literal, uint16_t port);
};

}  // namespace perigee::base

// What both directions of HTTP/1 read alike in a head: field lines, Content-Length and Connection.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "http/headers.h"

namespace perigee::http {

/// Cuts a field line, given without its CRLF, into name and value and checks every byte of both
/// (RFC 9112 §5): no space before the colon, no fold, no control byte. False: it is malformed.
bool parse_field_line(std::string_view line, Field& field);

/// A Content-Length (RFC 9110 §8.6): digits and nothing else, below 2^63.
std::optional<uint64_t> parse_content_length(std::string_view value);

/// What the lines of Connection say together (RFC 9110 §7.6.1).
struct ConnectionOptions {
  bool close = false;
  bool keep_alive = false;
  /// It names a field without which the request means something else.
  bool names_critical = false;
  /// Takes one line of it into account.
  void add(std::string_view value);
  /// RFC 9112 §9.3: close wins, and HTTP/1.0 must ask to go on.
  bool persists(uint8_t version_minor) const { return !close && (version_minor > 0 || keep_alive); }
};

}  // namespace perigee::http

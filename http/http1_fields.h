// What both directions of HTTP/1 read alike in a head: field lines and Content-Length.
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

}  // namespace perigee::http

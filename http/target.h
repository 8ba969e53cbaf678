// The target of a request (RFC 9112 §3.2) in the one spelling that is keyed and forwarded.
//
// Spellings that RFC 3986 §6.2.2 calls equivalent become one: dot segments are removed, the digits
// of percent-encodings are upper case, raw UTF-8 is percent-encoded. What could be read in two ways
// is refused: a dot segment with an encoded dot or beside an encoded slash, a backslash, %00.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace perigee::http {

/// The target as it is keyed and forwarded: `target` itself, or a text in `memory`. Path and query
/// begin with a slash. nullopt: it is malformed (400). At most three times as long as `target`.
std::optional<std::string_view> normal_target(std::string_view target, std::string& memory);

/// A byte above 0x7f is in it.
bool has_raw_bytes(std::string_view text);
/// Appends `text` with its bytes above 0x7f percent-encoded. False: these are not UTF-8.
bool append_encoded(std::string_view text, std::string& out);

}  // namespace perigee::http

// HTTP dates (RFC 9110 §5.6.7): the three forms that are read, and the one that is written.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace perigee::http {

/// Milliseconds since 1970; nullopt when the text is none of the three forms. Names and GMT match
/// in any case, the day name is not checked against the date. `now_ms` places two-digit years (RFC
/// 850).
std::optional<int64_t> parse_date(std::string_view text, int64_t now_ms);

/// "Sun, 06 Nov 1994 08:49:37 GMT": 29 characters into `out`, which is returned as a view.
inline constexpr size_t kDateSize = 29;
std::string_view format_date(int64_t ms, char (&out)[kDateSize]);

}  // namespace perigee::http

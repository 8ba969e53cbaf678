// What an origin says and surely does not mean: nothing is decided by it, its operator is told.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "http/stored_response.h"

namespace perigee::http {

/// A Date that lags behind receipt by more is no delay: a clock is wrong.
inline constexpr int64_t kLateDateMs = 60'000;

/// By how many milliseconds Date lags behind receipt, when by more than kLateDateMs and when it
/// must be the clock: with Age or Via the response may have been in a cache (http-rules 3.7).
std::optional<int64_t> late_date_ms(const ReceivedResponse& received, const ResponseTimes& times);

/// The first directive of Cache-Control with a semicolon outside quotes, such as
/// `public; max-age=60`: one unknown directive where several were meant (http-rules 4.17). Empty:
/// none.
std::string_view directive_with_semicolon(const HeaderList& fields);

/// Access-Control-Allow-Origin names an origin, and neither Vary nor `key_fields` names Origin: one
/// origin's answer reaches pages of another.
bool is_cors_without_vary(const HeaderList& fields, std::span<const std::string> key_fields);

}  // namespace perigee::http

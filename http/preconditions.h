// Conditional requests (RFC 9110 §13): entity-tag comparison, and what the conditions of a request
// say about a stored response.
#pragma once

#include <string_view>

#include "http/message.h"
#include "http/stored_response.h"

namespace perigee::http {

/// RFC 9110 §8.8.3.2. A tag that does not parse is opaque: equal only byte for byte.
bool weakly_equal(std::string_view a, std::string_view b);
bool strongly_equal(std::string_view a, std::string_view b);

enum class Precondition : uint8_t {
  kNone,         ///< no condition, or all hold: the full answer
  kNotModified,  ///< 304
  kFailed,       ///< If-Match or If-Unmodified-Since does not hold
};
/// RFC 9110 §13.2.2 against a stored 2xx. A malformed condition is ignored.
Precondition evaluate(const StoredResponse& stored, const RequestHead& request);

/// If-Match or If-Unmodified-Since is there: when it does not hold here, only the origin may say
/// so.
bool is_conditional_on_origin(const RequestHead& request);

/// Whether If-Range, if there, permits a partial answer: an exact strong tag, or a date byte-equal
/// to Last-Modified with Date at least 1 s later (RFC 9110 §13.1.5).
bool if_range_holds(const StoredResponse& stored, const RequestHead& request);

}  // namespace perigee::http

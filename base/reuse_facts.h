// The seven facts that decide whether a stored response may be used again.
//
// http/ derives them from a response and judges by them, cache_store/ keeps them in the header of a
// record, and origin/ carries them from one to the other.
#pragma once

#include <cstdint>

namespace perigee::base {

/// Times are milliseconds; instants are wall time since 1970.
struct ReuseFacts {
  /// Of a duration: it was not stated, which is different from 0.
  static constexpr int64_t kAbsent = -1;
  int64_t response_time_ms = 0;   ///< when the final head was received
  int64_t initial_age_ms = 0;     ///< corrected_initial_age (RFC 9111 §4.2.3)
  int64_t lifetime_ms = kAbsent;  ///< freshness_lifetime; kAbsent: never fresh
  int64_t stale_while_revalidate_ms = kAbsent;
  int64_t stale_if_error_ms = kAbsent;
  uint32_t flags = 0;  ///< bits of http::ReuseFlag
  uint16_t status = 0;
  bool operator==(const ReuseFacts&) const = default;
};

}  // namespace perigee::base

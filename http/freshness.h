// How old a response is and how long it stays fresh (RFC 9111 §4.2), computed and never stored.
#pragma once

#include <cstdint>

#include "http/stored_response.h"

namespace perigee::http {

/// Milliseconds all. Fresh means lifetime > age, so a lifetime of 0 never is.
struct Freshness {
  int64_t age_ms = 0;       ///< current_age, never negative
  int64_t lifetime_ms = 0;  ///< 0 when there is none, and when a soft purge ended it
  int64_t stale_ms = 0;     ///< how long it has been stale; 0 while fresh
  bool fresh() const { return lifetime_ms > age_ms; }
};

/// Of a stored response at `now_ms` (wall time). A soft purge makes it stale since then.
Freshness freshness(const StoredResponse& stored, int64_t now_ms);

/// What is left of the lifetime, rounded down: negative from the first millisecond after its end.
int64_t remaining_seconds(const Freshness& freshness);

/// The floor of the current age, for the Age field (RFC 9111 §5.1).
int64_t age_seconds(const Freshness& freshness);

}  // namespace perigee::http

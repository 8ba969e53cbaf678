#include "http/freshness.h"

#include <algorithm>

namespace perigee::http {

Freshness freshness(const StoredResponse& stored, int64_t now_ms) {
  const base::ReuseFacts& policy = stored.policy;
  Freshness result;
  // A clock that stepped back must not make a response younger than it came.
  const int64_t resident_ms = std::max<int64_t>(now_ms - policy.response_time_ms, 0);
  result.age_ms = policy.initial_age_ms + resident_ms;
  result.lifetime_ms = std::max<int64_t>(policy.lifetime_ms, 0);
  if (stored.stale_since_ms != 0) {
    // Stale since the purge, or since its own end, whichever was first.
    const int64_t purged_for = std::max<int64_t>(now_ms - stored.stale_since_ms, 0);
    result.stale_ms = std::max(purged_for, result.age_ms - result.lifetime_ms);
    result.lifetime_ms = std::min(result.lifetime_ms, result.age_ms - result.stale_ms);
    result.lifetime_ms = std::max<int64_t>(std::min(result.lifetime_ms, result.age_ms), 0);
    return result;
  }
  result.stale_ms = std::max<int64_t>(result.age_ms - result.lifetime_ms, 0);
  return result;
}

int64_t remaining_seconds(const Freshness& freshness) {
  const int64_t left_ms = freshness.lifetime_ms - freshness.age_ms;
  return left_ms >= 0 ? left_ms / 1000 : -((-left_ms + 999) / 1000);
}

int64_t age_seconds(const Freshness& freshness) { return freshness.age_ms / 1000; }

}  // namespace perigee::http

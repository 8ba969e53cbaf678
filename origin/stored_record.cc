#include "origin/stored_record.h"

namespace perigee::origin {

cache_store::RecordPolicy record_policy(const http::StoredPolicy& policy) {
  return {policy.response_time_ms,
          policy.initial_age_ms,
          policy.lifetime_ms,
          policy.stale_while_revalidate_ms,
          policy.stale_if_error_ms,
          policy.flags,
          policy.status};
}

std::optional<http::StoredResponse> view_of(const cache_store::RecordView& record) {
  http::StoredPolicy policy;
  policy.response_time_ms = record.policy.response_time_ms;
  policy.initial_age_ms = record.policy.initial_age_ms;
  policy.lifetime_ms = record.policy.lifetime_ms;
  policy.stale_while_revalidate_ms = record.policy.stale_while_revalidate_ms;
  policy.stale_if_error_ms = record.policy.stale_if_error_ms;
  policy.flags = record.policy.flags;
  policy.status = record.policy.status;
  std::optional<http::StoredResponse> stored = http::view_head_image(record.head, policy);
  if (stored) stored->stale_since_ms = record.stale_since_ms;
  return stored;
}

}  // namespace perigee::origin

#include "origin/stored_record.h"

#include "http/head_image.h"

namespace perigee::origin {

std::optional<http::StoredResponse> view_of(const cache_store::Found& found) {
  if (!found.head) return std::nullopt;
  const cache_store::RecordView& record = *found.head;
  std::optional<http::StoredResponse> stored = http::view_head_image(record.head, record.policy);
  if (stored) stored->stale_since_ms = record.stale_since_ms;
  return stored;
}

}  // namespace perigee::origin

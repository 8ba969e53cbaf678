#include "origin/stored_record.h"

#include "http/head_image.h"
#include "origin/fragmented_object.h"
#include "origin/missing_fragments.h"

namespace perigee::origin {

std::optional<http::StoredResponse> view_of(const cache_store::Found& found,
                                            cache_store::Store& store) {
  if (!found.head) return std::nullopt;
  const cache_store::RecordView& record = *found.head;
  std::optional<http::StoredResponse> stored = http::view_head_image(record.head, record.policy);
  if (record.kind == cache_store::RecordKind::kShell && !found.coded) return std::nullopt;
  if (stored && record.kind == cache_store::RecordKind::kHead && !is_refetchable(*stored) &&
      !is_complete(store, fragmented_object(record))) {
    return std::nullopt;
  }
  if (stored) stored->stale_since_ms = record.stale_since_ms;
  return stored;
}

}  // namespace perigee::origin

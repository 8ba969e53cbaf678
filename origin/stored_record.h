// Between the store's records and HTTP's stored responses: the same facts in each layer's own
// words.
#pragma once

#include <optional>

#include "cache_store/store.h"
#include "http/stored_response.h"

namespace perigee::origin {

cache_store::RecordPolicy record_policy(const http::StoredPolicy& policy);

/// Views a record; nullopt when its head is not an image of ours. Valid while the record is pinned.
std::optional<http::StoredResponse> view_of(const cache_store::RecordView& record);

}  // namespace perigee::origin

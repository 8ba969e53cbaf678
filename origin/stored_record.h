// The store's records as HTTP's stored responses.
#pragma once

#include <optional>

#include "cache_store/store.h"
#include "http/stored_response.h"

namespace perigee::origin {

/// Views the record of slot 0; nullopt when there is none, or when its head is not an image of
/// ours. Valid while the record is pinned.
std::optional<http::StoredResponse> view_of(const cache_store::Found& found);

}  // namespace perigee::origin

// The store's records as HTTP's stored responses.
#pragma once

#include <optional>

#include "cache_store/store.h"
#include "http/stored_response.h"

namespace perigee::origin {

/// Loop. Views the record of slot 0, which `store` has found; nullopt when there is none, when its
/// head is not an image of ours, when a fragment of its body is gone and cannot be asked for again,
/// or when no coding of a shell was found with it. Valid while the record is pinned.
std::optional<http::StoredResponse> view_of(const cache_store::Found& found,
                                            cache_store::Store& store);

}  // namespace perigee::origin

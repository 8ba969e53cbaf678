// What the store has for a request: the response of its URL or, where the URL has a Vary spec, the
// one of its variant.
#pragma once

#include <optional>
#include <string_view>

#include "cache_store/store.h"
#include "edge/route.h"
#include "http/content_coding.h"
#include "http/message.h"
#include "http/stored_response.h"

namespace perigee::edge {

struct Lookup {
  cache_store::Found found;
  /// A view over `found`; empty: a miss, cold, or not to be used.
  std::optional<http::StoredResponse> stored;
  /// Besides the identity, by the client and the site; a range is one of the identity.
  http::AcceptedCodings accepted;
  bool decodes = false;        ///< `found.coded` is what the identity is decoded from
  bool vary_miss = false;      ///< other variants of the URL are stored
  TurnText key;                ///< of the URL or of the variant
  std::string_view vary_spec;  ///< encoded; valid while `vary_pin` is held
  cache_store::Pin vary_pin;
};

/// Nothing is looked up for methods that are not cached, or under a rule that bypasses the cache.
/// The key lies in the memory that `route` uses.
Lookup look_up(const http::RequestHead& request, const Route& route, cache_store::Store& store);

}  // namespace perigee::edge

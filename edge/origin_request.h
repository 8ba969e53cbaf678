// What is asked of the origin for a request: by a fill, whose response others may share, or by a
// relay for this client alone.
#pragma once

#include "cache_store/store.h"
#include "edge/lookup.h"
#include "edge/route.h"
#include "http/exchange/exchange.h"
#include "origin/fetch.h"
#include "origin/fill_request.h"

namespace perigee::edge {

/// The client behind the proxies that `sites` trust.
base::Address client_of(const http::Exchange& exchange, const LoopSites& sites);

/// The request of a fill; it takes what `lookup` found, to validate it. False: no memory for it.
bool make_fill_request(const http::RequestHead& request, const Route& route,
                       cache_store::Store& store, Lookup& lookup, origin::FillRequest& out);

/// The request of a relay. It lies in the exchange's arena. False: that is full. `shared`: what is
/// stored, which the answer will be compared with, so that nothing in the request may depend on
/// this one client. Null: it is sent as the client sent it.
bool make_relay_request(http::Exchange& exchange, const KeptRoute& route, const Lookup* shared,
                        origin::FetchRequest& out);

}  // namespace perigee::edge

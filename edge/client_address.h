// Who asks, and how, when a proxy that we trust stands before us.
//
// Its connection says nothing about the client, so what it tells counts: X-Forwarded-Proto and
// X-Forwarded-For. From everybody else both are words of a stranger, and are dropped.
#pragma once

#include <string_view>
#include <vector>

#include "base/address.h"
#include "base/budget.h"
#include "base/network.h"
#include "http/message.h"

namespace perigee::edge {

/// The scheme that the client of a trusted proxy used: one X-Forwarded-Proto with one of "http" and
/// "https" in it. Empty: it does not say. Of static storage.
std::string_view forwarded_scheme(const http::RequestHead& request);

/// The client's address: the peer's; when that one is trusted and sent X-Forwarded-For, the
/// rightmost address there that is not (all are: the leftmost). Family::kNone, nobody, when
/// something stands there instead that is no address, or more than kForwardedHops. Port 0 or as
/// written there. Allocates nothing.
base::Address client_address(const http::RequestHead& request, const base::Address& peer,
                             const std::vector<base::Network>& trusted_proxies);

/// What bounds per client count as one client: the address in IPv4, the /64 in IPv6. Never
/// base::kAnybody.
base::Holder client_network(const base::Address& client);

}  // namespace perigee::edge

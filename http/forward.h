// What of a client's request goes to the origin, and what of a response goes anywhere: end-to-end fields.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "http/arena.h"
#include "http/message.h"
#include "http/stored_response.h"

namespace perigee::http {

struct ForwardOptions {
  std::string_view site_name;          ///< X-Forwarded-Host
  std::string_view scheme;             ///< X-Forwarded-Proto: the key's scheme
  std::string_view cdn_id = "perigee"; ///< CDN-Loop (RFC 8586) and Via pseudonym
  std::string_view accept_encoding = "identity";  ///< sent on fills, constant for a site
  std::string_view client_address;     ///< X-Forwarded-For, only on requests that are not shared
  bool shared = true;                  ///< a fill: no conditions, Range, client directives, X-Forwarded-For
  bool send_client_directives = false; ///< Cache-Control and Pragma too (honoured by the site)
  const std::vector<std::string>* allow = nullptr;  ///< the per-site allow-list; null: all
};

/// Appends the fields to forward: end-to-end ones without the poison list, then Via, CDN-Loop,
/// X-Forwarded-*. Views into the request and the arena. False: no room.
bool forwarded_fields(const RequestHead& request, const ForwardOptions& options, Arena& arena,
                      HeaderList& out);
/// Adds If-None-Match and If-Modified-Since from what is stored (RFC 9111 §4.3.1).
bool add_validators(const StoredResponse& stored, HeaderList& out);
/// CDN-Loop names `cdn_id`: the request went through this tier before (508).
bool loops(const RequestHead& request, std::string_view cdn_id);

/// Hop-by-hop: the fixed list, and what `connection` names (RFC 9110 §7.6.1).
bool is_hop_by_hop(const Field& field, const HeaderList& all);
/// Connection names a field without which the message means something else: 400 (request), unstorable
/// (response). protocol.md §1.4.
bool connection_names_critical(const HeaderList& fields, bool response);

}  // namespace perigee::http

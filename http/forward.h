// What of a client's request goes to the origin, and what of a response goes anywhere: end-to-end
// fields.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "http/arena.h"
#include "http/message.h"
#include "http/policy.h"
#include "http/stored_response.h"

namespace perigee::http {

/// How a request is to be forwarded. The texts go into the fields as they are: they must live as
/// long as these.
struct ForwardOptions {
  std::string_view site_name;                     ///< X-Forwarded-Host
  std::string_view scheme;                        ///< X-Forwarded-Proto: the key's scheme
  std::string_view cdn_id = "perigee";            ///< CDN-Loop (RFC 8586) and Via pseudonym
  std::string_view accept_encoding = "identity";  ///< sent when shared, constant for a site
  std::string_view client_address;  ///< X-Forwarded-For and Forwarded, only when not shared
  /// A trusted proxy sent the request: the two go on with our member behind what came. If only one
  /// of them came, only that one does, since the other would know less.
  bool extends_chain = false;
  /// What the stored Vary of the URL names: sent on a shared request though it could poison, since
  /// it is keyed (http-rules 5.1).
  VaryNames vary_names;
  bool shared = true;  ///< the answer may be stored, served to others, or freshen what is stored
};

/// The fields of `request` that reach the origin on a shared request: not the hop-by-hop ones, what
/// we write ourselves, conditions, Range, Accept-Encoding, client directives (unless the site
/// honours them), what is known to poison caches (unless the site lists it, or `vary_names` holds
/// it), and what the site does not list where it lists any. `storage` holds at least as many.
HeaderList shared_fields(const HeaderList& request, const PolicyOptions& policy,
                         VaryNames vary_names, std::span<Field> storage);

/// A request that no browser sends, so that an error that answers it may be of its own making
/// (http-rules 5.7): its target and field lines are above limits::kUsualRequestBytes, a value holds
/// another byte than visible ASCII, space and HTAB, or a field is held back from a shared request
/// because of its name. Of a trusted proxy, what proxies write is usual.
bool is_unusual_request(const RequestHead& request, const PolicyOptions& policy,
                        VaryNames vary_names);

/// Every field that could poison and went on because `sent_for`, the Vary that was stored then,
/// named it, is still named by `names`, the Vary of the answer (lower case). Otherwise the answer
/// is one client's.
bool keys_what_was_sent(const HeaderList& sent, VaryNames sent_for,
                        const std::vector<std::string>& names);

/// What is added to a request's own fields at most: Via, CDN-Loop, X-Forwarded-Proto, -Host and
/// -For, Forwarded, Accept-Encoding, Accept and two validators.
inline constexpr size_t kForwardedFields = 10;

/// Appends the fields to forward: the client's (Accept reduced on a shared request where the site
/// names the types that it looks at), Max-Forwards of an OPTIONS one less, then Via,
/// CDN-Loop, X-Forwarded-* and, when not shared, Forwarded. Views into the request and the arena.
/// False: no room.
bool forwarded_fields(const RequestHead& request, const ForwardOptions& options,
                      const PolicyOptions& policy, Arena& arena, HeaderList& out);
/// Adds If-None-Match and If-Modified-Since from what is stored (RFC 9111 §4.3.1).
bool add_validators(const StoredResponse& stored, HeaderList& out);
/// Max-Forwards of an OPTIONS (RFC 9110 §7.6.2). nullopt: none, or not a number.
std::optional<uint64_t> max_forwards(const RequestHead& request);
/// CDN-Loop names `cdn_id`: the request went through this tier before (508).
bool loops(const RequestHead& request, std::string_view cdn_id);

}  // namespace perigee::http

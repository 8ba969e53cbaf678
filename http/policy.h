// RFC 9111 §3 and §4 as functions: may this response answer that request, may it be stored, and
// why.
//
// Pure: time is an argument. The first file to read after request_flow.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "http/content_coding.h"
#include "http/freshness.h"
#include "http/message.h"
#include "http/preflight.h"
#include "http/stored_response.h"

namespace perigee::http {

enum class SetCookieMode : uint8_t { kPass, kStrip, kStore };

/// How long an origin may take. Milliseconds.
struct OriginTimes {
  int64_t connect_ms = base::limits::kConnectMs;  ///< per address
  int64_t first_byte_ms = base::limits::kFirstByteMs;
  int64_t between_bytes_ms = base::limits::kBetweenBytesMs;
  int64_t head_ms = base::limits::kOriginHeadMs;
  int64_t bytes_per_second = base::limits::kBodyBytesPerSecond;  ///< of content, the least
};

/// What a site or a rule of it decides. Seconds; nullopt: not configured.
struct PolicyOptions {
  bool bypass = false;                    ///< never looked up, never stored
  std::optional<int64_t> ttl_s;           ///< replaces the origin's lifetime
  std::optional<int64_t> default_ttl_s;   ///< where the origin is silent
  std::optional<int64_t> negative_ttl_s;  ///< 404 and 410 without any freshness of their own
  std::optional<int64_t> stale_while_revalidate_s;  ///< where the origin is silent
  std::optional<int64_t> stale_if_error_s;          ///< where the origin is silent
  std::optional<int64_t> stale_if_slow_ms;  ///< an origin without a head for so long is covered
  int64_t unreachable_stale_s = base::limits::kUnreachableStaleSeconds;
  int64_t heuristic_cap_s = 3600;
  int64_t error_ttl_cap_s = 10;    ///< of errors that a request can provoke, whatever they say
  bool trust_origin_clock = true;  ///< false: apparent_age is not used (§4.2.3)
  bool honour_client_directives =
      false;  ///< Cache-Control of requests; only-if-cached always holds
  SetCookieMode set_cookie = SetCookieMode::kPass;
  std::vector<uint16_t> forbidden_statuses;  ///< never stored
  bool shape_guard = true;     ///< a page in place of a script or a font is not stored (stand_in.h)
  int64_t retain_s = 604'800;  ///< how long what an origin has deleted goes on being served
  bool retain_hashed =
      false;  ///< so do names that hold a hash of the content, not only `immutable`
  /// Protocols that a client may switch to, and the node then passes on: "websocket".
  std::vector<std::string> upgrades;
  bool drop_interim = false;  ///< 1xx responses do not go on to clients
  /// Of a large object that is not stored, only what a range needs is asked for.
  bool fetch_ranges = true;
  bool surrogate_control = false;  ///< Surrogate-Control and X-Accel-Expires govern, and end here
  /// Request fields that reach the origin on fills; empty: all end-to-end ones but the poisonous.
  std::vector<std::string> forward_headers;
  /// Responses are keyed by these request fields as if their Vary named them.
  std::vector<std::string> key_fields;
  /// What the origin looks at, though its Vary says more: nothing of these fields …
  std::vector<std::string> vary_ignore;
  /// … of Cookie only these (empty: all, and only requests without cookies share a variant) …
  std::vector<std::string> vary_cookies;
  /// … and of Accept only whether these types are named (empty: all of it); it sees no more.
  std::vector<std::string> vary_accept;
  PreflightOptions preflight;
  OriginTimes times;
  CodingOptions coding;
  bool repr_digest = false;  ///< responses say the SHA-256 of what is stored (RFC 9530)
};

/// The request carries credentials of NTLM or Negotiate, which authenticate its connection to the
/// origin and all that follows on it.
bool authenticates_connection(const HeaderList& fields);

/// The protocol that the request asks for and the site lets it have (RFC 9110 §7.8), as `options`
/// spells it; empty: none. A request with content switches to nothing.
std::string_view allowed_upgrade(const RequestHead& request, const PolicyOptions& options);

/// What is done with a request.
enum class Action : uint8_t {
  kServe,           ///< a hit
  kServeStale,      ///< the same, and refresh behind
  kRevalidate,      ///< ask the origin with the stored validators
  kFetch,           ///< ask the origin
  kPass,            ///< relay alone: never shared, never stored
  kGatewayTimeout,  ///< only-if-cached, and nothing usable: 504 (RFC 9111 §5.2.1.7)
};

/// RFC 9211 §2.2: why a request goes forward. kNone with a hit.
enum class Forward : uint8_t {
  kNone,
  kBypass,
  kMethod,
  kUriMiss,
  kVaryMiss,
  kRequest,
  kStale,
  kPartial
};
std::string_view forward_text(Forward forward);

/// What decide() says: the action, and what the answer tells of it.
struct Decision {
  Action action = Action::kFetch;
  Forward forward = Forward::kUriMiss;
  int64_t ttl_s = 0;  ///< remaining lifetime; negative when stale (RFC 9211 §2.5)
  int64_t age_s = 0;
};

/// What a request needs, given what is stored under its key (null: nothing). `vary_miss`: variants
/// exist, none for this request. Allocates nothing, unless the site honours directives of clients.
Decision decide(const StoredResponse* stored, bool vary_miss, const RequestHead& request,
                int64_t now_ms, const PolicyOptions& options);

/// Why a response is not stored. kStorable: it is.
enum class Storable : uint8_t {
  kStorable,
  kMethod,
  kStatus,
  kNoStore,
  kPrivate,
  kAuthorization,
  kVaryStar,
  kVaryCookie,  ///< Vary: Cookie, and this request had one
  kSetCookie,
  kNoFreshnessNoValidator,
  kMustUnderstand,
  kPartial,
  kConnectionNamed,
  kConfigured,
  kUnusualRequest,  ///< an error that this one request may have provoked
  kShape,           ///< a page in place of what the path promises
  kMissingAsset,    ///< a script, a font or the like that is not there: the next release has it
};

/// What admit() says of a response.
struct Admission {
  Storable storable = Storable::kStorable;
  /// True when the reason lies in the response, not in this one request: the key is worth
  /// remembering as hit-for-miss (never because of Authorization, Range, Cookie, method, client
  /// directives or what is unusual in the request).
  bool remember = false;
  base::ReuseFacts policy;  ///< filled in any case: waiters and Cache-Status need it
  /// Fields to leave out of what is stored (qualified no-cache and private); views into `received`.
  std::vector<std::string_view> drop_names;
  /// Set-Cookie goes to nobody: the site strips it, and the response is stored for everybody.
  bool drop_set_cookie = false;
};

/// May the response to `request` (the client's head) be stored for GET (RFC 9111 §3), and under
/// what policy. `vary_names`: of the Vary that the request was forwarded by.
Admission admit(const RequestHead& request, const ReceivedResponse& received,
                const ResponseTimes& times, const PolicyOptions& options,
                VaryNames vary_names = {});

/// May a response that is still arriving, or was just fetched for another request, answer
/// `request`? As a hit: fresh, no no-cache, Authorization and Set-Cookie rules (RFC 9111 §4).
bool may_share(const StoredResponse& fetched, const RequestHead& request, int64_t now_ms,
               const PolicyOptions& options);

/// A status that stale-if-error covers (RFC 5861 §4).
constexpr bool is_server_failure(uint16_t status) {
  return status == 500 || (status >= 502 && status <= 504);
}

/// Why the origin could not be asked or did not help.
enum class OriginFailure : uint8_t {
  kUnreachable,  ///< name, connect, TLS, timeout, or the connection ended before a whole head
  kServerError,  ///< 500, 502, 503 or 504 was answered
  kSlow,         ///< no answer yet, within the site's stale_if_slow
};
/// May `stored` answer `request` now that the origin failed (RFC 9111 §4.2.4, RFC 5861 §4)? A slow
/// one is covered within one of the two windows only (http-rules 2.8).
bool may_serve_stale(const StoredResponse& stored, const RequestHead& request,
                     OriginFailure failure, int64_t now_ms, const PolicyOptions& options);

/// May a 304 with these fields freshen `stored` (RFC 9111 §4.3.4): no, when its ETag is another
/// one. Tags are compared weakly: some origins answer a condition on `W/"x"` with `"x"`.
bool may_freshen(const StoredResponse& stored, const ReceivedResponse& not_modified);

/// Does the stored response of a GET stand after this 200 to a HEAD (RFC 9111 §4.3.5)?
bool head_agrees(const StoredResponse& stored, const ReceivedResponse& head_response);

}  // namespace perigee::http

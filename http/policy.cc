#include "http/policy.h"

#include <algorithm>

#include "http/cache_control.h"
#include "http/date.h"
#include "http/forward.h"
#include "http/preconditions.h"

namespace perigee::http {
namespace {

using Flag = StoredPolicy::Flag;
constexpr int64_t kAbsent = StoredPolicy::kAbsent;

bool has_cookie_setting(const HeaderList& fields) {
  return fields.find(FieldName::kSetCookie) != nullptr;
}

/// RFC 9110 §15.1 less 206: a lifetime may be estimated.
bool is_heuristic_status(uint16_t status) {
  switch (status) {
    case 200: case 203: case 204: case 300: case 301: case 308:
    case 404: case 405: case 410: case 414: case 501:
      return true;
    default:
      return false;
  }
}

/// Statuses that a configured lifetime is meant for: what a site serves, not how it fails.
bool is_site_status(uint16_t status) {
  return is_heuristic_status(status) && status < 400;
}

/// Never reused, whatever a response says (http-rules 1.9, RFC 6585).
bool is_never_stored_status(uint16_t status) {
  switch (status) {
    case 206: case 304: case 416: case 428: case 429: case 431: case 511:
      return true;
    default:
      return status < 200;
  }
}

/// RFC 9110 statuses whose caching we implement (RFC 9111 §5.2.2.3).
bool is_understood_status(uint16_t status) {
  switch (status) {
    case 200: case 201: case 202: case 203: case 204: case 205:
    case 300: case 301: case 302: case 303: case 305: case 307: case 308:
    case 400: case 401: case 402: case 403: case 404: case 405: case 406: case 407: case 408:
    case 409: case 410: case 411: case 412: case 413: case 414: case 415: case 416: case 417:
    case 421: case 422: case 426:
    case 500: case 501: case 502: case 503: case 504: case 505:
      return true;
    default:
      return false;
  }
}

std::optional<int64_t> received_age_s(const HeaderList& fields) {
  const Field* age = fields.find(FieldName::kAge);
  if (age == nullptr) return std::nullopt;
  return parse_delta_seconds(ListCursor(age->value).next().value_or(""));
}

bool has_vary_star(const HeaderList& fields) {
  for (const Field& field : fields) {
    if (field.token != FieldName::kVary) continue;
    ListCursor cursor(field.value);
    while (const auto member = cursor.next()) {
      if (*member == "*") return true;
    }
  }
  return false;
}

/// corrected_initial_age of RFC 9111 §4.2.3, milliseconds.
int64_t initial_age_ms(const HeaderList& fields, int64_t date_ms, const ResponseTimes& times,
                       const PolicyOptions& options) {
  const int64_t apparent =
      options.trust_origin_clock ? std::max<int64_t>(times.response_ms - date_ms, 0) : 0;
  const int64_t delay = std::max<int64_t>(times.response_ms - times.request_ms, 0);
  const int64_t corrected = received_age_s(fields).value_or(0) * 1000 + delay;
  return std::max(apparent, corrected);
}

/// What the response says of its lifetime, before a site has its say. kAbsent: nothing explicit.
int64_t explicit_lifetime_ms(const CacheControl& governing, bool targeted, const HeaderList& fields,
                             int64_t date_ms, int64_t now_ms) {
  if (governing.s_maxage_s) return *governing.s_maxage_s * 1000;
  if (governing.max_age_s) return *governing.max_age_s * 1000;
  if (targeted) return kAbsent;
  const Field* expires = fields.find(FieldName::kExpires);
  if (expires == nullptr) return kAbsent;
  const std::optional<int64_t> at = parse_date(expires->value, now_ms);
  return at ? std::max<int64_t>(*at - date_ms, 0) : 0;
}

int64_t heuristic_lifetime_ms(const HeaderList& fields, int64_t date_ms, int64_t now_ms,
                              const PolicyOptions& options) {
  const Field* modified = fields.find(FieldName::kLastModified);
  if (modified == nullptr) return kAbsent;
  const std::optional<int64_t> at = parse_date(modified->value, now_ms);
  if (!at || *at > date_ms) return kAbsent;
  return std::min((date_ms - *at) / 10, options.heuristic_cap_s * 1000);
}

struct Lifetime {
  int64_t ms = kAbsent;
  bool stated = false;     ///< by the origin or the site, not estimated
  bool heuristic = false;
};

Lifetime lifetime_of(const CacheControl& governing, bool targeted, const ReceivedResponse& received,
                     int64_t date_ms, int64_t now_ms, const PolicyOptions& options) {
  const uint16_t status = received.status;
  const int64_t stated =
      explicit_lifetime_ms(governing, targeted, received.fields, date_ms, now_ms);
  if (options.ttl_s && is_site_status(status)) return {*options.ttl_s * 1000, true, false};
  if (stated != kAbsent) return {stated, true, false};
  if (options.default_ttl_s && is_site_status(status)) {
    return {*options.default_ttl_s * 1000, true, false};
  }
  const bool silent = !governing.present &&
                      received.fields.find(FieldName::kCacheControl) == nullptr;
  if (options.negative_ttl_s && (status == 404 || status == 410) && silent) {
    return {*options.negative_ttl_s * 1000, true, false};
  }
  if (!is_heuristic_status(status) && !governing.is_public) return {};
  const int64_t estimated =
      heuristic_lifetime_ms(received.fields, date_ms, now_ms, options);
  return {estimated, false, estimated != kAbsent};
}

uint32_t policy_flags(const RequestHead& request, const HeaderList& fields,
                      const CacheControl& governing) {
  uint32_t flags = 0;
  const auto set = [&](bool condition, Flag flag) { flags |= condition ? flag : 0u; };
  const bool authorized =
      governing.is_public || governing.s_maxage_s.has_value() || governing.must_revalidate;
  set(governing.no_cache, Flag::kNoCache);
  set(governing.must_revalidate, Flag::kMustRevalidate);
  set(governing.proxy_revalidate, Flag::kProxyRevalidate);
  set(governing.s_maxage_s.has_value(), Flag::kSharedMaxAge);
  set(governing.is_public, Flag::kPublic);
  set(authorized, Flag::kAuthorized);
  set(request.fields.find(FieldName::kAuthorization) != nullptr, Flag::kForAuthorization);
  set(has_cookie_setting(fields), Flag::kSetCookie);
  set(fields.find(FieldName::kVary) != nullptr, Flag::kVary);
  set(has_vary_star(fields), Flag::kVaryStar);
  set(governing.immutable, Flag::kImmutable);
  set(governing.no_transform, Flag::kNoTransform);
  set(fields.find(FieldName::kAge) != nullptr, Flag::kHadAge);
  return flags;
}

void set_stale_windows(const CacheControl& governing, const PolicyOptions& options,
                       StoredPolicy& policy) {
  // A site's window must not overrule s-maxage; the origin's own one beside it is its permission.
  const bool site_may = (policy.flags & Flag::kSharedMaxAge) == 0;
  const auto window = [&](std::optional<int64_t> stated, std::optional<int64_t> configured) {
    if (stated) return *stated * 1000;
    return configured && site_may ? *configured * 1000 : kAbsent;
  };
  policy.stale_while_revalidate_ms =
      window(governing.stale_while_revalidate_s, options.stale_while_revalidate_s);
  policy.stale_if_error_ms = window(governing.stale_if_error_s, options.stale_if_error_s);
}

/// RFC 9111 §3, in the order in which a reason is most useful to whoever reads it.
Storable judge(const RequestHead& request, const ReceivedResponse& received,
               const CacheControl& governing, const Lifetime& lifetime, const StoredPolicy& policy,
               const PolicyOptions& options) {
  const uint16_t status = received.status;
  const auto& forbidden = options.forbidden_statuses;
  if (options.bypass || std::find(forbidden.begin(), forbidden.end(), status) != forbidden.end()) {
    return Storable::kConfigured;
  }
  if (request.method != Method::kGet) return Storable::kMethod;
  if (status == 206) return Storable::kPartial;
  if (is_never_stored_status(status)) return Storable::kStatus;
  if (governing.must_understand && !is_understood_status(status)) return Storable::kMustUnderstand;
  if (governing.no_store && !governing.must_understand) return Storable::kNoStore;
  if (governing.is_private) return Storable::kPrivate;
  if ((policy.flags & Flag::kForAuthorization) != 0 && (policy.flags & Flag::kAuthorized) == 0) {
    return Storable::kAuthorization;
  }
  if ((policy.flags & Flag::kVaryStar) != 0) return Storable::kVaryStar;
  if ((policy.flags & Flag::kSetCookie) != 0 && options.set_cookie == SetCookieMode::kPass) {
    return Storable::kSetCookie;
  }
  if (connection_names_critical(received.fields, true)) return Storable::kConnectionNamed;
  if (!lifetime.stated && !governing.is_public && !is_heuristic_status(status)) {
    return Storable::kStatus;
  }
  const bool validator = received.fields.find(FieldName::kEtag) != nullptr ||
                         received.fields.find(FieldName::kLastModified) != nullptr;
  const bool window = policy.stale_while_revalidate_ms > 0 || policy.stale_if_error_ms > 0;
  if (policy.lifetime_ms <= 0 && !validator && !window) return Storable::kNoFreshnessNoValidator;
  return Storable::kStorable;
}

/// The reason lies in the response, and will lie in the next one too.
bool is_worth_remembering(Storable storable, uint16_t status) {
  switch (storable) {
    case Storable::kNoStore:
    case Storable::kPrivate:
    case Storable::kVaryStar:
    case Storable::kSetCookie:
    case Storable::kNoFreshnessNoValidator:
    case Storable::kMustUnderstand:
    case Storable::kConnectionNamed:
    case Storable::kConfigured:
      return true;
    case Storable::kStatus:
      return status < 500 && status >= 200 && !is_never_stored_status(status);
    default:
      return false;
  }
}

bool forbids_stale(const StoredPolicy& policy) {
  return (policy.flags & (Flag::kNoCache | Flag::kMustRevalidate | Flag::kProxyRevalidate)) != 0;
}

/// Floor division, so that a response 1 ms past its end has a ttl of -1.
int64_t floor_seconds(int64_t ms) { return ms >= 0 ? ms / 1000 : -((-ms + 999) / 1000); }

bool client_accepts(const CacheControl& client, const StoredPolicy& policy, const Freshness& age) {
  if (client.no_cache) return false;
  if (client.max_age_s && age.age_ms > *client.max_age_s * 1000 && !client.max_stale_any &&
      !client.max_stale_s) {
    return false;
  }
  if (client.min_fresh_s && age.lifetime_ms - age.age_ms < *client.min_fresh_s * 1000) return false;
  if (age.fresh()) return true;
  if (forbids_stale(policy) || (policy.flags & Flag::kSharedMaxAge) != 0) return false;
  if (client.max_stale_any) return true;
  return client.max_stale_s && age.stale_ms <= *client.max_stale_s * 1000;
}

}  // namespace

std::string_view forward_text(Forward forward) {
  switch (forward) {
    case Forward::kNone: return "";
    case Forward::kBypass: return "bypass";
    case Forward::kMethod: return "method";
    case Forward::kUriMiss: return "uri-miss";
    case Forward::kVaryMiss: return "vary-miss";
    case Forward::kRequest: return "request";
    case Forward::kStale: return "stale";
    case Forward::kPartial: return "partial";
  }
  return "";
}

std::string_view storable_text(Storable storable) {
  static constexpr std::string_view kTexts[] = {
      "storable",   "method",     "status",          "no-store",        "private",
      "authorization", "vary-star", "set-cookie",    "no-freshness",    "must-understand",
      "partial",    "connection", "configured"};
  return kTexts[static_cast<size_t>(storable)];
}

Admission admit(const RequestHead& request, const ReceivedResponse& received,
                const ResponseTimes& times, const PolicyOptions& options) {
  Admission result;
  const HeaderList& fields = received.fields;
  const std::optional<CacheControl> targeted = parse_targeted(fields);
  const CacheControl governing = targeted ? *targeted : parse_cache_control(fields);
  const Field* date = fields.find(FieldName::kDate);
  const int64_t date_ms =
      (date != nullptr ? parse_date(date->value, times.response_ms) : std::nullopt)
          .value_or(times.response_ms);
  StoredPolicy& policy = result.policy;
  policy.status = received.status;
  policy.response_time_ms = times.response_ms;
  policy.initial_age_ms = initial_age_ms(fields, date_ms, times, options);
  const Lifetime lifetime = lifetime_of(governing, targeted.has_value(), received, date_ms,
                                        times.response_ms, options);
  policy.lifetime_ms = lifetime.ms;
  policy.flags = policy_flags(request, fields, governing);
  if (lifetime.heuristic) policy.flags |= Flag::kHeuristic;
  set_stale_windows(governing, options, policy);
  result.drop_names = governing.named_fields;
  result.vary = fields.value(FieldName::kVary);
  result.storable = judge(request, received, governing, lifetime, policy, options);
  result.remember = is_worth_remembering(result.storable, received.status);
  return result;
}

Decision decide(const StoredResponse* stored, bool vary_miss, const RequestHead& request,
                int64_t now_ms, const PolicyOptions& options) {
  if (request.method != Method::kGet && request.method != Method::kHead) {
    return {.action = Action::kPass, .forward = Forward::kMethod};
  }
  if (options.bypass) return {.action = Action::kPass, .forward = Forward::kBypass};
  CacheControl client;
  if (request.fields.find(FieldName::kCacheControl) != nullptr) {
    client = parse_cache_control(request.fields);
  }
  const auto go = [&](Action action, Forward forward, Decision decision) {
    decision.action = client.only_if_cached ? Action::kGatewayTimeout : action;
    decision.forward = forward;
    decision.unstored = options.honour_client_directives && client.no_store;
    return decision;
  };
  const bool usable = stored != nullptr && (stored->policy.flags & Flag::kVaryStar) == 0;
  if (!usable) return go(Action::kFetch, vary_miss ? Forward::kVaryMiss : Forward::kUriMiss, {});

  const StoredPolicy& policy = stored->policy;
  const Freshness age = freshness(*stored, now_ms);
  Decision decision;
  decision.ttl_s = floor_seconds(age.lifetime_ms - age.age_ms);
  decision.age_s = age_seconds(age);
  const bool validator = !stored->etag.empty() || !stored->last_modified.empty();
  const Action ask = validator ? Action::kRevalidate : Action::kFetch;
  if ((policy.flags & Flag::kNoCache) == 0) {
    const bool accepted = options.honour_client_directives ? client_accepts(client, policy, age)
                                                           : age.fresh();
    if (accepted) {
      decision.action = Action::kServe;
      decision.forward = Forward::kNone;
      return decision;
    }
    if (age.fresh()) return go(ask, Forward::kRequest, decision);
    const bool client_waits = options.honour_client_directives && client.no_cache;
    if (!client_waits && !forbids_stale(policy) && policy.stale_while_revalidate_ms > 0 &&
        age.stale_ms <= policy.stale_while_revalidate_ms) {
      decision.action = Action::kServeStale;
      decision.forward = Forward::kNone;
      return decision;
    }
  }
  return go(ask, Forward::kStale, decision);
}

bool may_share(const StoredResponse& fetched, const RequestHead& request, int64_t now_ms,
               const PolicyOptions& options) {
  const uint32_t flags = fetched.policy.flags;
  if ((flags & (Flag::kNoCache | Flag::kVaryStar)) != 0) return false;
  if ((flags & Flag::kSetCookie) != 0 && options.set_cookie != SetCookieMode::kStore) return false;
  if ((flags & Flag::kForAuthorization) != 0 && (flags & Flag::kAuthorized) == 0) return false;
  if (is_never_stored_status(fetched.policy.status)) return false;
  return decide(&fetched, false, request, now_ms, options).action == Action::kServe;
}

bool may_serve_stale(const StoredResponse& stored, OriginFailure failure, int64_t now_ms,
                     const PolicyOptions& options) {
  const StoredPolicy& policy = stored.policy;
  if (forbids_stale(policy) || policy.status >= 500) return false;
  const Freshness age = freshness(stored, now_ms);
  if (policy.stale_if_error_ms > 0 && age.stale_ms <= policy.stale_if_error_ms) return true;
  if (failure == OriginFailure::kServerError) return false;
  if (policy.stale_while_revalidate_ms > 0 && age.stale_ms <= policy.stale_while_revalidate_ms) {
    return true;
  }
  if ((policy.flags & Flag::kSharedMaxAge) != 0) return age.fresh();
  return age.stale_ms <= options.unreachable_stale_s * 1000;
}

bool may_freshen(const StoredResponse& stored, const ReceivedResponse& not_modified) {
  const Field* etag = not_modified.fields.find(FieldName::kEtag);
  return etag == nullptr || weakly_equal(etag->value, stored.etag);
}

bool head_agrees(const StoredResponse& stored, const ReceivedResponse& head_response) {
  const HeaderList& fields = head_response.fields;
  const Field* etag = fields.find(FieldName::kEtag);
  if (etag != nullptr && etag->value != stored.etag) return false;
  const Field* modified = fields.find(FieldName::kLastModified);
  if (modified != nullptr && modified->value != stored.last_modified) return false;
  const Field* length = fields.find(FieldName::kContentLength);
  if (length == nullptr || !stored.content_length) return true;
  return length->value == std::to_string(*stored.content_length);
}

}  // namespace perigee::http

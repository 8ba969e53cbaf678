#include "http/policy.h"

#include <algorithm>

#include "base/text.h"
#include "http/cache_control.h"
#include "http/connection_options.h"
#include "http/date.h"
#include "http/forward.h"
#include "http/preconditions.h"
#include "http/stand_in.h"
#include "http/vary.h"

namespace perigee::http {
namespace {

using Flag = ReuseFlag::Bit;
constexpr int64_t kAbsent = base::ReuseFacts::kAbsent;

/// RFC 9110 §15.1 less 206: a lifetime may be estimated.
bool is_heuristic_status(uint16_t status) {
  switch (status) {
    case 200:
    case 203:
    case 204:
    case 300:
    case 301:
    case 308:
    case 404:
    case 405:
    case 410:
    case 414:
    case 501:
      return true;
    default:
      return false;
  }
}

/// Statuses that a configured lifetime is meant for: what a site serves, not how it fails.
bool is_site_status(uint16_t status) { return is_heuristic_status(status) && status < 400; }

/// Errors that a request's own oddity can provoke, while the next one would get the page
/// (http-rules 5.7).
bool is_provokable(uint16_t status) {
  switch (status) {
    case 400:
    case 401:
    case 408:
    case 413:
    case 414:
    case 421:
    case 425:
    case 426:
    case 431:
      return true;
    default:
      return status >= 500;
  }
}

/// Never reused, whatever a response says (http-rules 1.9, RFC 6585).
bool is_never_stored_status(uint16_t status) {
  switch (status) {
    case 206:
    case 304:
    case 416:
    case 428:
    case 429:
    case 431:
    case 511:
      return true;
    default:
      return status < 200;
  }
}

/// RFC 9110 statuses whose caching we implement (RFC 9111 §5.2.2.3).
bool is_understood_status(uint16_t status) {
  switch (status) {
    case 200:
    case 201:
    case 202:
    case 203:
    case 204:
    case 205:
    case 300:
    case 301:
    case 302:
    case 303:
    case 305:
    case 307:
    case 308:
    case 400:
    case 401:
    case 402:
    case 403:
    case 404:
    case 405:
    case 406:
    case 407:
    case 408:
    case 409:
    case 410:
    case 411:
    case 412:
    case 413:
    case 414:
    case 415:
    case 416:
    case 417:
    case 421:
    case 422:
    case 426:
    case 500:
    case 501:
    case 502:
    case 503:
    case 504:
    case 505:
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

/// No word about caching at all, valid or not (http-rules 4.16).
bool says_nothing(const HeaderList& fields) {
  return fields.find(FieldName::kCacheControl) == nullptr &&
         fields.find(FieldName::kCdnCacheControl) == nullptr &&
         fields.find(FieldName::kExpires) == nullptr;
}

struct Lifetime {
  int64_t ms = kAbsent;
  enum Source : uint8_t { kNone, kOrigin, kSite, kEstimated } source = kNone;
  bool stated() const { return source == kOrigin || source == kSite; }
};

Lifetime lifetime_of(const CacheControl& governing, bool targeted, const ReceivedResponse& received,
                     int64_t date_ms, int64_t now_ms, const PolicyOptions& options) {
  const uint16_t status = received.status;
  const HeaderList& fields = received.fields;
  if (options.ttl_s && is_site_status(status)) return {*options.ttl_s * 1000, Lifetime::kSite};
  const int64_t stated = explicit_lifetime_ms(governing, targeted, fields, date_ms, now_ms);
  if (stated != kAbsent) return {stated, Lifetime::kOrigin};
  if (options.default_ttl_s && is_site_status(status)) {
    return {*options.default_ttl_s * 1000, Lifetime::kSite};
  }
  if (options.negative_ttl_s && (status == 404 || status == 410) && says_nothing(fields)) {
    return {*options.negative_ttl_s * 1000, Lifetime::kSite};
  }
  if (!is_heuristic_status(status) && !governing.is_public) return {};
  const int64_t estimated = heuristic_lifetime_ms(fields, date_ms, now_ms, options);
  if (estimated == kAbsent) return {};
  return {estimated, Lifetime::kEstimated};
}

uint32_t policy_flags(const RequestHead& request, const HeaderList& fields,
                      const CacheControl& governing, const PolicyOptions& options) {
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
  // A stripped one is neither stored nor sent to anybody, so it keeps nothing from being shared.
  const bool stripped = options.set_cookie == SetCookieMode::kStrip;
  set(!stripped && fields.find(FieldName::kSetCookie) != nullptr, Flag::kSetCookie);
  set(fields.find(FieldName::kVary) != nullptr, Flag::kVary);
  set(varies_by(fields, "*"), Flag::kVaryStar);
  set(governing.immutable, Flag::kImmutable);
  // Whoever transforms is no cache in that, so that a field for caches does not hide it.
  set(governing.no_transform || parse_cache_control(fields).no_transform, Flag::kNoTransform);
  set(fields.find(FieldName::kAge) != nullptr, Flag::kHadAge);
  return flags;
}

void set_stale_windows(const CacheControl& governing, const PolicyOptions& options,
                       base::ReuseFacts& policy) {
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

/// However long an error says that it holds, it is kept no longer than the site allows.
void cap_error(const PolicyOptions& options, base::ReuseFacts& policy) {
  if (!is_provokable(policy.status)) return;
  const int64_t most_ms = policy.initial_age_ms + options.error_ttl_cap_s * 1000;
  policy.lifetime_ms = std::min(policy.lifetime_ms, most_ms);
  policy.stale_while_revalidate_ms = policy.stale_if_error_ms = kAbsent;
}

/// Of what varies by Cookie one variant is kept, that of requests without; or one for each value of
/// the cookies that the site names (http-rules 1.8).
bool is_for_one_visitor(const RequestHead& request, const HeaderList& fields,
                        const PolicyOptions& options) {
  const auto& ignored = options.vary_ignore;
  const bool counts = std::none_of(ignored.begin(), ignored.end(), [](const std::string& name) {
    return base::iequals(name, "cookie");
  });
  return counts && options.vary_cookies.empty() &&
         request.fields.find(FieldName::kCookie) != nullptr && varies_by(fields, "cookie");
}

/// RFC 9111 §3, in the order in which a reason is most useful to whoever reads it.
Storable judge(const RequestHead& request, const ReceivedResponse& received,
               const CacheControl& governing, const Lifetime& lifetime,
               const base::ReuseFacts& policy, const PolicyOptions& options) {
  const uint16_t status = received.status;
  const auto& forbidden = options.forbidden_statuses;
  if (options.bypass || std::find(forbidden.begin(), forbidden.end(), status) != forbidden.end()) {
    return Storable::kConfigured;
  }
  // An answer to POST that says that it is what a GET would get (RFC 9110 §9.3.3) was asked for
  // with fields of one client that no fill sends: it is not for everybody.
  if (request.method != Method::kGet) return Storable::kMethod;
  if (status == 206) return Storable::kPartial;
  if (is_misshapen(request, received, options)) return Storable::kShape;
  if (is_never_stored_status(status)) return Storable::kStatus;
  if (governing.must_understand && !is_understood_status(status)) return Storable::kMustUnderstand;
  if (governing.no_store && !governing.must_understand) return Storable::kNoStore;
  if (governing.is_private) return Storable::kPrivate;
  if ((policy.flags & Flag::kForAuthorization) != 0 && (policy.flags & Flag::kAuthorized) == 0) {
    return Storable::kAuthorization;
  }
  if ((policy.flags & Flag::kVaryStar) != 0) return Storable::kVaryStar;
  if (is_for_one_visitor(request, received.fields, options)) return Storable::kVaryCookie;
  if ((policy.flags & Flag::kSetCookie) != 0 && options.set_cookie == SetCookieMode::kPass) {
    return Storable::kSetCookie;
  }
  if (ConnectionOptions(received.fields).names_critical(/*response=*/true))
    return Storable::kConnectionNamed;
  if (!lifetime.stated() && !governing.is_public && !is_heuristic_status(status)) {
    return Storable::kStatus;
  }
  const bool validator = received.fields.find(FieldName::kEtag) != nullptr ||
                         received.fields.find(FieldName::kLastModified) != nullptr;
  const bool window = policy.stale_while_revalidate_ms > 0 || policy.stale_if_error_ms > 0;
  const bool usable = (policy.lifetime_ms > 0 || window) && !governing.no_cache;
  if (!usable && !validator) return Storable::kNoFreshnessNoValidator;
  // The next release may have it at any moment.
  return is_missing_asset(request, status) ? Storable::kMissingAsset : Storable::kStorable;
}

/// The reason lies in the response, and will lie in the next one too. An error of the origin
/// passes, and requests must not go to it one by one meanwhile.
bool is_worth_remembering(Storable storable, uint16_t status) {
  if (status >= 500) return false;
  switch (storable) {
    case Storable::kNoStore:
    case Storable::kPrivate:
    case Storable::kVaryStar:
    case Storable::kSetCookie:
    case Storable::kNoFreshnessNoValidator:
    case Storable::kMustUnderstand:
    case Storable::kConnectionNamed:
    case Storable::kConfigured:
    case Storable::kShape:
      return true;
    case Storable::kStatus:
      return !is_never_stored_status(status);
    default:
      return false;
  }
}

bool forbids_stale(const base::ReuseFacts& policy) {
  return is_provokable(policy.status) ||
         (policy.flags & (Flag::kNoCache | Flag::kMustRevalidate | Flag::kProxyRevalidate)) != 0;
}

/// Directives of the client, where the site honours them (RFC 9111 §5.2.1). Each one is a condition
/// of its own; a default-constructed CacheControl permits everything.
bool client_permits(const CacheControl& client, const base::ReuseFacts& policy,
                    const Freshness& age) {
  if (client.no_cache) return false;
  if (client.min_fresh_s && age.lifetime_ms - age.age_ms < *client.min_fresh_s * 1000) return false;
  const bool too_old = client.max_age_s && age.age_ms > *client.max_age_s * 1000;
  if (age.fresh()) {
    // A reload alone does not have what is immutable checked again while it is fresh (RFC 8246 §2).
    return !too_old || (policy.flags & Flag::kImmutable) != 0;
  }
  if (too_old) return false;
  if (client.max_stale_any) return true;
  if (client.max_stale_s) return age.stale_ms <= *client.max_stale_s * 1000;
  return !client.max_age_s;
}

CacheControl honoured_directives(const RequestHead& request, const PolicyOptions& options) {
  if (!options.honour_client_directives) return {};
  return parse_cache_control(request.fields);
}

bool within(int64_t window_ms, const Freshness& age) {
  return window_ms > 0 && age.stale_ms <= window_ms;
}

/// A lifetime that is only a guess yields to a client that asks for fresh content: package managers
/// see what is there now (http-rules 2.11).
bool guess_yields(const base::ReuseFacts& policy, const RequestHead& request) {
  if ((policy.flags & Flag::kHeuristic) == 0) return false;
  const CacheControl client = parse_cache_control(request.fields);
  if (client.present) return client.no_cache || client.max_age_s == 0;
  const Field* pragma = request.fields.find(FieldName::kPragma);
  return pragma != nullptr && base::iequals(pragma->value, "no-cache");
}

/// How `stored` may answer without a word from the origin. nullopt: not at all.
std::optional<Action> serves(const base::ReuseFacts& policy, const CacheControl& client,
                             const Freshness& age) {
  if ((policy.flags & Flag::kNoCache) != 0 || !client_permits(client, policy, age)) {
    return std::nullopt;
  }
  if (age.fresh()) return Action::kServe;
  if (forbids_stale(policy)) return std::nullopt;
  const bool asked_for_stale = client.max_stale_any || client.max_stale_s;
  if (asked_for_stale && (policy.flags & Flag::kSharedMaxAge) == 0) return Action::kServe;
  if (within(policy.stale_while_revalidate_ms, age)) return Action::kServeStale;
  return std::nullopt;
}

}  // namespace

bool authenticates_connection(const HeaderList& fields) {
  const Field* field = fields.find(FieldName::kAuthorization);
  if (field == nullptr) return false;
  const std::string_view scheme = field->value.substr(0, field->value.find(' '));
  return base::iequals(scheme, "NTLM") || base::iequals(scheme, "Negotiate");
}

std::string_view forward_text(Forward forward) {
  switch (forward) {
    case Forward::kNone:
      return "";
    case Forward::kBypass:
      return "bypass";
    case Forward::kMethod:
      return "method";
    case Forward::kUriMiss:
      return "uri-miss";
    case Forward::kVaryMiss:
      return "vary-miss";
    case Forward::kRequest:
      return "request";
    case Forward::kStale:
      return "stale";
    case Forward::kPartial:
      return "partial";
  }
  return "";
}

Admission admit(const RequestHead& request, const ReceivedResponse& received,
                const ResponseTimes& times, const PolicyOptions& options, VaryNames vary_names) {
  Admission result;
  const HeaderList& fields = received.fields;
  std::optional<CacheControl> targeted = parse_targeted(fields);
  if (!targeted && options.surrogate_control) targeted = parse_surrogate(fields, times.response_ms);
  const CacheControl governing = targeted ? *targeted : parse_cache_control(fields);
  const Field* date = fields.find(FieldName::kDate);
  const int64_t date_ms =
      (date != nullptr ? parse_date(date->value, times.response_ms) : std::nullopt)
          .value_or(times.response_ms);
  base::ReuseFacts& policy = result.policy;
  policy.status = received.status;
  policy.response_time_ms = times.response_ms;
  policy.initial_age_ms = initial_age_ms(fields, date_ms, times, options);
  const Lifetime lifetime =
      lifetime_of(governing, targeted.has_value(), received, date_ms, times.response_ms, options);
  policy.lifetime_ms = lifetime.ms;
  policy.flags = policy_flags(request, fields, governing, options);
  if (lifetime.source == Lifetime::kEstimated) policy.flags |= Flag::kHeuristic;
  set_stale_windows(governing, options, policy);
  cap_error(options, policy);
  result.drop_names = governing.named_fields;
  const bool provoked = is_provokable(received.status) && request.method == Method::kGet &&
                        is_unusual_request(request, options, vary_names);
  result.storable = provoked ? Storable::kUnusualRequest
                             : judge(request, received, governing, lifetime, policy, options);
  result.drop_set_cookie =
      options.set_cookie == SetCookieMode::kStrip && result.storable == Storable::kStorable;
  const bool whole = result.storable == Storable::kStorable && result.drop_names.empty();
  if (whole) policy.flags |= coding_flags(received, policy.flags, options.coding);
  result.remember = is_worth_remembering(result.storable, received.status);
  return result;
}

std::string_view allowed_upgrade(const RequestHead& request, const PolicyOptions& options) {
  if (options.upgrades.empty() || !request.asks_upgrade) return {};
  const bool has_content = request.content_length.has_value() ||
                           request.fields.find(FieldName::kTransferEncoding) != nullptr;
  const bool http11 = request.version_major == 1 && request.version_minor > 0;
  if (!http11 || has_content || !ConnectionOptions(request.fields).upgrades()) return {};
  for (const Field& field : request.fields) {
    if (field.token != FieldName::kUpgrade) continue;
    ListCursor cursor(field.value);
    while (const auto member = cursor.next()) {
      for (const std::string& allowed : options.upgrades) {
        if (base::iequals(*member, allowed)) return allowed;
      }
    }
  }
  return {};
}

Decision decide(const StoredResponse* stored, bool vary_miss, const RequestHead& request,
                int64_t now_ms, const PolicyOptions& options) {
  const bool only_if_cached = asks_only_if_cached(request.fields);
  const auto forward = [&](Action action, Forward why) {
    return Decision{only_if_cached ? Action::kGatewayTimeout : action, why};
  };
  if (request.method != Method::kGet && request.method != Method::kHead) {
    return forward(Action::kPass, Forward::kMethod);
  }
  if (options.bypass) return forward(Action::kPass, Forward::kBypass);
  if (!allowed_upgrade(request, options).empty()) return forward(Action::kPass, Forward::kRequest);
  if (authenticates_connection(request.fields)) return forward(Action::kPass, Forward::kRequest);
  const CacheControl client = honoured_directives(request, options);
  // No part of the answer to a request with no-store may be kept (RFC 9111 §5.2.1.5).
  const Action fetch = client.no_store ? Action::kPass : Action::kFetch;
  if (stored == nullptr || (stored->policy.flags & Flag::kVaryStar) != 0) {
    return forward(fetch, vary_miss ? Forward::kVaryMiss : Forward::kUriMiss);
  }
  const Freshness age = freshness(*stored, now_ms);
  Decision decision;
  const std::optional<Action> served = serves(stored->policy, client, age);
  if (served && !guess_yields(stored->policy, request)) {
    decision = {*served, Forward::kNone};
  } else {
    const bool validator = !stored->etag.empty() || !stored->last_modified.empty();
    const bool asked = age.fresh() && (stored->policy.flags & Flag::kNoCache) == 0;
    decision = forward(validator && !client.no_store ? Action::kRevalidate : fetch,
                       asked ? Forward::kRequest : Forward::kStale);
  }
  decision.ttl_s = remaining_seconds(age);
  decision.age_s = age_seconds(age);
  return decision;
}

bool may_share(const StoredResponse& fetched, const RequestHead& request, int64_t now_ms,
               const PolicyOptions& options) {
  const uint32_t flags = fetched.policy.flags;
  if ((flags & (Flag::kNoCache | Flag::kVaryStar)) != 0) return false;
  if ((flags & Flag::kSetCookie) != 0 && options.set_cookie != SetCookieMode::kStore) return false;
  if ((flags & Flag::kForAuthorization) != 0 && (flags & Flag::kAuthorized) == 0) return false;
  if (is_never_stored_status(fetched.policy.status)) return false;
  if (request.method != Method::kGet && request.method != Method::kHead) return false;
  // What was fetched just now is fresh content: a guess need not yield here.
  return !options.bypass && serves(fetched.policy, honoured_directives(request, options),
                                   freshness(fetched, now_ms)) == Action::kServe;
}

bool may_serve_stale(const StoredResponse& stored, const RequestHead& request,
                     OriginFailure failure, int64_t now_ms, const PolicyOptions& options) {
  const base::ReuseFacts& policy = stored.policy;
  // Nor is a stored error a substitute for the answer that did not come.
  if (forbids_stale(policy)) return false;
  const Freshness age = freshness(stored, now_ms);
  if (!client_permits(honoured_directives(request, options), policy, age)) return false;
  if (age.fresh() || within(policy.stale_if_error_ms, age)) return true;
  if (failure == OriginFailure::kServerError) return false;
  if (within(policy.stale_while_revalidate_ms, age)) return true;
  if (failure == OriginFailure::kSlow) return false;
  if ((policy.flags & Flag::kSharedMaxAge) != 0) return false;
  return within(options.unreachable_stale_s * 1000, age);
}

bool may_freshen(const StoredResponse& stored, const ReceivedResponse& not_modified) {
  const HeaderList& fields = not_modified.fields;
  if (const Field* etag = fields.find(FieldName::kEtag); etag != nullptr) {
    return weakly_equal(etag->value, stored.etag);
  }
  const Field* modified = fields.find(FieldName::kLastModified);
  return modified == nullptr || stored.last_modified.empty() ||
         modified->value == stored.last_modified;
}

bool head_agrees(const StoredResponse& stored, const ReceivedResponse& head_response) {
  if (stored.policy.status != 200) return false;
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

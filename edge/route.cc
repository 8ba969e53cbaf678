#include "edge/route.h"

#include <variant>

#include "base/check.h"
#include "base/poison.h"
#include "http/cache_key.h"
#include "http/digest_fields.h"

namespace perigee::edge {

std::string_view origin_authority(const SiteConfig& site) {
  const auto* http_origin = std::get_if<origin::HttpOriginOptions>(&site.origin);
  return http_origin != nullptr ? std::string_view(http_origin->authority) : "localhost";
}

std::string_view host_for_origin(const SiteConfig& site, std::string_view name) {
  if (site.host_header == kClientHost) return name;
  if (!site.host_header.empty()) return site.host_header;
  return site.hosts.empty() ? origin_authority(site) : name;
}

http::Presentation presentation(const SiteConfig& site, const http::PolicyOptions& policy,
                                const http::RequestHead& request) {
  http::ReprDigest digest = http::ReprDigest::kAsStored;
  if (policy.repr_digest) {
    const bool refused = http::refuses_sha256(request.fields);
    digest = refused ? http::ReprDigest::kRefused : http::ReprDigest::kTold;
  }
  return {.cache_name = kCacheName,
          .alt_svc = site.alt_svc,
          .remove_cdn_cache_control = site.remove_cdn_cache_control,
          .remove_surrogate = site.policy->surrogate_control,
          .repr_digest = digest};
}

void RouteScratch::poison() {
  for (const std::string* text : {&authority, &target.text, &key, &variant_key, &selected}) {
    base::poison(*text);
  }
  base::poison(target.parameters);
  selecting.poison();
}

void RouteScratch::unpoison() {
  for (const std::string* text : {&authority, &target.text, &key, &variant_key, &selected}) {
    base::unpoison(*text);
  }
  base::unpoison(target.parameters);
  selecting.unpoison();
}

Route::Route(const http::RequestHead& request, const LoopSitesPtr& looked_in,
             const cache_store::Store& store, RouteScratch& scratch)
    : sites(looked_in), scratch_(scratch) {
  scratch_.enter();
  scratch.authority.clear();
  if (!request.authority.empty() &&
      !http::canonical_authority(request.authority, request.scheme, scratch.authority)) {
    return;
  }
  authority = TurnText(scratch.authority);
  loop_site = sites->find(scratch.authority);
  if (loop_site == nullptr) return;
  site = &loop_site->config();
  std::string_view name = scratch.authority;
  if (!loop_site->site().keys_each_host) {
    name = site->hosts.front();
  } else if (name.empty()) {
    name = origin_authority(*site);
  }
  site_name = TurnText(name);
  host = TurnText(host_for_origin(*site, name));
  const std::string_view keyed = http::normalize_query(request.target, site->query, scratch.target);
  target = TurnText(keyed);
  policy = &policy_for(*site, keyed, scratch.path);
  key = TurnText(http::make_cache_key(request.scheme, name, keyed, scratch.key));
  digest = store.digest(scratch.key);
}

Route::Route(const KeptRoute& kept, RouteScratch& scratch)
    : sites(kept.sites),
      loop_site(kept.loop_site),
      site(&kept.site()),
      policy(kept.policy),
      authority(kept.authority),
      site_name(kept.site_name),
      host(kept.host),
      target(kept.target),
      key(kept.key),
      digest(kept.digest),
      scratch_(scratch) {
  scratch_.enter();
}

std::optional<KeptRoute> Route::keep(http::Arena& arena) const {
  CHECK(loop_site != nullptr);
  KeptRoute kept{.sites = sites, .loop_site = loop_site, .policy = policy, .digest = digest};
  kept.authority = authority.copy_to(arena);
  kept.site_name = site_name.copy_to(arena);
  kept.host = host.copy_to(arena);
  kept.key = key.copy_to(arena);
  for (const std::string_view text : {kept.authority, kept.site_name, kept.host, kept.key}) {
    if (text.data() == nullptr) return std::nullopt;
  }
  // A key ends with its target, which may be long.
  kept.target = kept.key.substr(kept.key.size() - target.now().size());
  CHECK(kept.target == target.now());
  return kept;
}

}  // namespace perigee::edge

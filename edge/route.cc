#include "edge/route.h"

#include <variant>

#include "http/cache_key.h"

namespace perigee::edge {

std::string_view origin_authority(const SiteConfig& site) {
  const auto* http_origin = std::get_if<origin::HttpOriginOptions>(&site.origin);
  return http_origin != nullptr ? std::string_view(http_origin->authority) : "localhost";
}

http::Presentation presentation(const SiteConfig& site) {
  return {kCacheName, site.alt_svc, site.remove_cdn_cache_control};
}

Route route(const http::RequestHead& request, const Config& config, const cache_store::Store& store,
            RouteScratch& scratch) {
  Route result;
  scratch.authority.clear();
  if (!request.authority.empty() &&
      !http::canonical_authority(request.authority, request.scheme, scratch.authority)) {
    return result;
  }
  result.site = find_site(config, scratch.authority);
  if (result.site == nullptr) return result;
  const SiteConfig& site = *result.site;
  result.site_index = static_cast<size_t>(&site - config.sites.data());
  if (!site.hosts.empty()) {
    result.site_name = site.hosts.front();
  } else {
    result.site_name = scratch.authority.empty() ? origin_authority(site) : scratch.authority;
  }
  result.host = site.host_header.empty() ? result.site_name : std::string_view(site.host_header);
  result.target = http::normalize_query(request.target, site.query, scratch.target);
  result.policy = &policy_for(site, result.target, scratch.path);
  result.key = http::make_cache_key(request.scheme, result.site_name, result.target, scratch.key);
  result.digest = store.digest(result.key);
  return result;
}

}  // namespace perigee::edge

// Which site and rule a request belongs to, and under which key it is cached. Pure but for the
// digest.
#pragma once

#include <string>
#include <string_view>

#include "cache_store/store.h"
#include "edge/config.h"
#include "http/message.h"
#include "http/response.h"
#include "http/selecting.h"

namespace perigee::edge {

/// Views into the request, the configuration and the RouteScratch that made it.
struct Route {
  const SiteConfig* site = nullptr;  ///< null: no such site here, 421
  size_t site_index = 0;
  std::shared_ptr<const http::PolicyOptions> const* policy = nullptr;
  std::string_view site_name;  ///< keyed, and X-Forwarded-Host
  std::string_view host;       ///< the Host field for the origin
  std::string_view target;     ///< keyed and forwarded
  std::string_view key;
  cache_store::Digest digest;
};

/// Memory that routing reuses from request to request, so that a hit allocates nothing.
struct RouteScratch {
  std::string authority;
  http::QueryScratch target;
  std::string key;
  std::string variant_key;
  std::string selected;
  http::SelectingFields selecting;
  http::PathReadings path;
};

Route route(const http::RequestHead& request, const Config& config, const cache_store::Store& store,
            RouteScratch& scratch);

/// What the site adds to and takes from its responses; views into the configuration.
http::Presentation presentation(const SiteConfig& site);

/// The Host to send and the site name for a request of `site` (http-rules 3.5).
std::string_view origin_authority(const SiteConfig& site);

}  // namespace perigee::edge

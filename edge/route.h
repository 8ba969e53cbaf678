// Which site and rule a request belongs to, and under which key it is cached. Pure but for the
// digest.
//
// What a route says lies in memory that the next request of the loop writes over. So a Route lives
// on the stack, its texts do not turn into views by themselves, and under AddressSanitizer the
// memory is poisoned when the last Route of the turn is gone.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "cache_store/store.h"
#include "edge/config.h"
#include "edge/snapshot.h"
#include "http/message.h"
#include "http/response.h"
#include "http/selecting.h"
#include "http/vary.h"

namespace perigee::edge {

/// Text that is there for one turn only. Whoever needs it longer says where it is kept.
class TurnText {
 public:
  TurnText() = default;
  explicit TurnText(std::string_view text) : text_(text) {}

  /// For a call that does not keep it.
  std::string_view now() const { return text_; }
  /// A copy that lives as long as `arena`; its data() is null when there was no room.
  std::string_view copy_to(http::Arena& arena) const { return arena.copy(text_); }
  std::string copy() const { return std::string(text_); }

 private:
  std::string_view text_;
};

/// Memory that routing reuses from request to request, so that a hit allocates nothing. One loop.
class RouteScratch {
 public:
  RouteScratch() { poison(); }
  ~RouteScratch() { unpoison(); }
  RouteScratch(const RouteScratch&) = delete;
  RouteScratch& operator=(const RouteScratch&) = delete;

  std::string authority;
  http::QueryScratch target;
  std::string key;
  std::string variant_key;
  std::string selected;
  http::SelectingFields selecting;
  http::PathReadings path;
  http::VarySpec vary;  ///< decoded

 private:
  friend class Route;
  void enter() {
    if (users_++ == 0) unpoison();
  }
  void leave() {
    if (--users_ == 0) poison();
  }
  void poison();
  void unpoison();

  int users_ = 0;  ///< Routes that live now
};

/// What a Route says, in the arena of a request that waits. It holds the snapshot.
struct KeptRoute {
  const SiteConfig& site() const { return loop_site->config(); }

  LoopSitesPtr sites;
  LoopSite* loop_site = nullptr;
  const PolicyPtr* policy = nullptr;
  std::string_view authority;
  std::string_view site_name;
  std::string_view host;
  std::string_view target;
  std::string_view key;
  cache_store::Digest digest;
};

/// Where one request belongs. It stays where it is made: nothing outlives the turn with it.
class Route {
 public:
  /// The texts lie in `scratch`, in the request, and in the snapshot.
  Route(const http::RequestHead& request, const LoopSitesPtr& sites,
        const cache_store::Store& store, RouteScratch& scratch);
  /// Of a request that waited: nothing is looked for again.
  Route(const KeptRoute& kept, RouteScratch& scratch);
  ~Route() { scratch_.leave(); }
  Route(const Route&) = delete;
  Route& operator=(const Route&) = delete;

  /// A copy, of a route that has a site. Empty: the arena is full.
  std::optional<KeptRoute> keep(http::Arena& arena) const;
  /// For what is worked out from it within the turn.
  RouteScratch& scratch() const { return scratch_; }

  const LoopSitesPtr& sites;         ///< that it was looked for in
  LoopSite* loop_site = nullptr;     ///< null: no such site here, 421
  const SiteConfig* site = nullptr;  ///< of `loop_site`
  const PolicyPtr* policy = nullptr;
  TurnText authority;  ///< of the request, canonical; empty: it named none
  TurnText site_name;  ///< keyed, and X-Forwarded-Host
  TurnText host;       ///< the Host field for the origin
  TurnText target;     ///< keyed and forwarded
  TurnText key;
  cache_store::Digest digest;

 private:
  RouteScratch& scratch_;
};

/// What the site adds to and takes from the response to a request under one of its policies; views
/// into its snapshot.
http::Presentation presentation(const SiteConfig& site, const http::PolicyOptions& policy,
                                const http::RequestHead& request);

/// Host and port of the origin, the port unless it is the default one; "localhost" for a folder.
/// The site name of a request without Host, where the site has no `hosts`.
std::string_view origin_authority(const SiteConfig& site);

/// The Host field that the origin of `site` gets for a request that is keyed under `name`
/// (http-rules 3.5).
std::string_view host_for_origin(const SiteConfig& site, std::string_view name);

}  // namespace perigee::edge

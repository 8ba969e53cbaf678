// The sites of one configuration, as the node runs them: immutable, counted, found by name.
//
// Each worker holds the snapshot that new requests follow, and each request that waits holds the
// one that it began under. So another snapshot can take its place at any time, and the last one to
// need the old one ends it. Nobody keeps a bare reference into a snapshot.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/budget.h"
#include "base/env.h"
#include "base/fn.h"
#include "edge/config.h"
#include "edge/metrics.h"
#include "edge/origin_watch.h"
#include "origin/fills.h"
#include "origin/http_origin.h"
#include "origin/precoded.h"
#include "origin/resolver_cache.h"
#include "origin/shared_folder.h"

namespace perigee::edge {

/// The bounds that all requests of a site keep, whatever snapshot they follow. Any thread.
struct SiteBounds {
  explicit SiteBounds(size_t connections) : gate(connections) {}
  origin::OriginGate gate;                   ///< connections to an HTTP origin
  base::Budget fills{base::limits::kFills};  ///< that ask the origin
};

/// One site, and what its requests share on all loops. Any thread.
struct Site {
  Site(const SiteConfig& configured, size_t at, std::shared_ptr<SiteBounds> kept, Metrics& metrics,
       OriginWatch::Warn warn);

  const SiteConfig config;
  const size_t place;  ///< among the sites of its snapshot
  const bool keys_each_host;
  const std::shared_ptr<SiteBounds> bounds;
  std::shared_ptr<origin::SharedFolder> folder;  ///< null for HTTP origins
  origin::PrecodedPtr precoded;                  ///< null for HTTP origins
  OriginWatch watch;
};

class Snapshot {
 public:
  using MakePlace = base::Fn<std::unique_ptr<origin::FolderPlace>(origin::FolderPlaceOptions)>;
  /// `metrics` outlives the snapshot. A site that asks the same origin as one of `former` (null:
  /// none) keeps its bounds.
  static std::shared_ptr<const Snapshot> make(const Config& config, const Snapshot* former,
                                              Metrics& metrics, OriginWatch::Warn warn,
                                              MakePlace make_place = &origin::make_folder_place);

  /// The site of a canonical authority: of its name with the port, of its name, of the longest
  /// wildcard that it falls under (with the port before without), or else the default. Null: none.
  /// The cost is bounded by the length of a host, 253 bytes, whatever is configured.
  Site* find(std::string_view authority) const;
  const std::vector<std::unique_ptr<Site>>& sites() const { return sites_; }
  /// What these say of their clients counts.
  const std::vector<base::Network>& trusted_proxies() const { return trusted_proxies_; }

 private:
  /// Looked up by views, in constant time.
  struct Hash {
    using is_transparent = void;
    size_t operator()(std::string_view text) const { return std::hash<std::string_view>()(text); }
  };

  explicit Snapshot(const Config& config) : trusted_proxies_(config.trusted_proxies) {}
  using Names = std::unordered_map<std::string, Site*, Hash, std::equal_to<>>;
  void add_name(std::string_view name, Site& site);
  /// Of the name with its port, or else without. Null: neither is there.
  static Site* look_up(const Names& names, std::string_view authority, std::string_view host);
  Site* under_wildcard(std::string_view authority, std::string_view host) const;

  std::vector<std::unique_ptr<Site>> sites_;
  Names by_name_;
  Names by_suffix_;            ///< wildcards, without their "*."
  size_t longest_suffix_ = 0;  ///< of these
  Site* default_ = nullptr;
  const std::vector<base::Network> trusted_proxies_;
};
using SnapshotPtr = std::shared_ptr<const Snapshot>;

/// Why the folder cannot be opened now, in a sentence; nullopt: it can. Blocking.
std::optional<std::string> absent_folder(const origin::DirectoryOriginOptions& options);
/// What follows from it: the end of that sentence.
inline constexpr const char* kUntilThere = "; its site answers 503 until it is there";
/// A sentence for each folder of a `dir:` site that cannot be opened now. Blocking.
std::vector<std::string> absent_folders(const Config& config);

/// A site as one loop uses it: with an origin of its own. Loop-local.
class LoopSite final : public origin::FillSite {
 public:
  LoopSite(Site& site, base::Env& env, origin::ResolverCache& names);

  Site& site() const { return site_; }
  const SiteConfig& config() const { return site_.config; }

  // FillSite
  origin::Origin& origin() override { return *origin_; }
  const origin::PrecodedPtr& precoded() const override { return site_.precoded; }
  base::Budget& fills() override { return site_.bounds->fills; }
  void on_head(const http::ReceivedResponse& head, const http::ResponseTimes& times,
               const http::PolicyOptions& policy) override {
    site_.watch.on_head(head, times, policy);
  }
  void on_stand_in(http::StandIn why, std::string_view target) override {
    site_.watch.on_stand_in(why, target);
  }
  void on_wrong_digest(std::string_view target) override { site_.watch.on_wrong_digest(target); }
  void on_failure(const origin::FetchError& error, base::Tick now) override {
    site_.watch.on_failure(error, now);
  }

 private:
  Site& site_;
  std::unique_ptr<origin::Origin> origin_;
};

/// The sites of a snapshot as one loop uses them. Loop-local.
class LoopSites {
 public:
  LoopSites(SnapshotPtr snapshot, base::Env& env, origin::ResolverCache& names);

  const Snapshot& snapshot() const { return *snapshot_; }
  /// Null: no site of this name.
  LoopSite* find(std::string_view authority) const;
  /// Nothing new begins: idle connections to the origins close.
  void drain();

 private:
  const SnapshotPtr snapshot_;
  std::vector<std::unique_ptr<LoopSite>> sites_;
};
using LoopSitesPtr = std::shared_ptr<LoopSites>;

}  // namespace perigee::edge

#include "edge/snapshot.h"

#include <algorithm>
#include <utility>
#include <variant>

#include "edge/host_names.h"
#include "edge/route.h"
#include "http/cache_key.h"
#include "origin/directory_origin.h"
#include "origin/folder_siblings.h"

namespace perigee::edge {

namespace {

constexpr size_t kPortMost = 6;  ///< ":65535"

std::string_view name_of(const SiteConfig& site) {
  return site.hosts.empty() ? origin_authority(site) : std::string_view(site.hosts.front());
}

size_t connections_of(const SiteConfig& site) {
  const auto* http_origin = std::get_if<origin::HttpOriginOptions>(&site.origin);
  return http_origin != nullptr ? http_origin->connections : base::limits::kOriginConnections;
}

/// Both ask the same origin, within the same bounds.
bool asks_the_same(const SiteConfig& one, const SiteConfig& other) {
  if (one.origin.index() != other.origin.index()) return false;
  if (const auto* folder = std::get_if<origin::DirectoryOriginOptions>(&one.origin)) {
    return folder->path == std::get<origin::DirectoryOriginOptions>(other.origin).path;
  }
  const auto& a = std::get<origin::HttpOriginOptions>(one.origin);
  const auto& b = std::get<origin::HttpOriginOptions>(other.origin);
  return a.secure == b.secure && a.authority == b.authority && a.connections == b.connections;
}

/// The bounds of each site: those of a former site, of which none is taken twice, or new ones.
std::vector<std::shared_ptr<SiteBounds>> bounds_of(const Config& config, const Snapshot* former) {
  std::vector<const Site*> left;
  if (former != nullptr) {
    for (const auto& site : former->sites()) left.push_back(site.get());
  }
  std::vector<std::shared_ptr<SiteBounds>> all;
  for (const SiteConfig& site : config.sites) {
    const auto known = std::find_if(left.begin(), left.end(), [&](const Site* other) {
      return asks_the_same(site, other->config);
    });
    if (known == left.end()) {
      all.push_back(std::make_shared<SiteBounds>(connections_of(site)));
    } else {
      all.push_back((*known)->bounds);
      left.erase(known);
    }
  }
  return all;
}

origin::FolderPlaceOptions place_of(const origin::DirectoryOriginOptions& options) {
  return {.path = options.path, .follow_links = options.follow_links};
}

}  // namespace

Site::Site(const SiteConfig& configured, size_t at, std::shared_ptr<SiteBounds> kept,
           Metrics& metrics, OriginWatch::Warn warn)
    : config(configured),
      place(at),
      keys_each_host(edge::keys_each_host(configured)),
      bounds(std::move(kept)),
      watch(name_of(configured), metrics, warn) {}

std::shared_ptr<const Snapshot> Snapshot::make(const Config& config, const Snapshot* former,
                                               Metrics& metrics, OriginWatch::Warn warn,
                                               MakePlace make_place) {
  std::shared_ptr<Snapshot> snapshot(new Snapshot(config));
  const std::vector<std::shared_ptr<SiteBounds>> bounds = bounds_of(config, former);
  for (size_t place = 0; place < config.sites.size(); ++place) {
    const SiteConfig& configured = config.sites[place];
    auto site = std::make_unique<Site>(configured, place, bounds[place], metrics, warn);
    if (const auto* options = std::get_if<origin::DirectoryOriginOptions>(&configured.origin)) {
      site->folder =
          std::make_shared<origin::SharedFolder>(*options, make_place(place_of(*options)));
      site->precoded = std::make_shared<origin::FolderSiblings>(site->folder);
    }
    for (const std::string& name : configured.hosts) snapshot->add_name(name, *site);
    if (configured.is_default && snapshot->default_ == nullptr) snapshot->default_ = site.get();
    snapshot->sites_.push_back(std::move(site));
  }
  return snapshot;
}

/// Of sites that share a name the first one has it.
void Snapshot::add_name(std::string_view name, Site& site) {
  if (!is_wildcard(name)) {
    by_name_.emplace(name, &site);
    return;
  }
  const std::string_view suffix = name.substr(name.find('.') + 1);
  by_suffix_.emplace(suffix, &site);
  longest_suffix_ = std::max(longest_suffix_, suffix.size());
}

Site* Snapshot::look_up(const Names& names, std::string_view authority, std::string_view host) {
  auto it = names.find(authority);
  if (it == names.end() && host.size() < authority.size()) it = names.find(host);
  return it != names.end() ? it->second : nullptr;
}

Site* Snapshot::under_wildcard(std::string_view authority, std::string_view host) const {
  if (by_suffix_.empty()) return nullptr;
  for (size_t dot = host.find('.'); dot != std::string_view::npos; dot = host.find('.', dot + 1)) {
    // What stands before the suffix ends in a label that is not empty.
    const bool label = dot > 0 && host[dot - 1] != '.';
    const size_t suffix = dot + 1;
    if (!label || authority.size() - suffix > longest_suffix_ + kPortMost) continue;
    Site* site = look_up(by_suffix_, authority.substr(suffix), host.substr(suffix));
    if (site != nullptr) return site;
  }
  return nullptr;
}

Site* Snapshot::find(std::string_view authority) const {
  const std::string_view host = http::host_of(authority);
  Site* site = look_up(by_name_, authority, host);
  if (site == nullptr) site = under_wildcard(authority, host);
  return site != nullptr ? site : default_;
}

std::optional<std::string> absent_folder(const origin::DirectoryOriginOptions& options) {
  const auto opened = origin::make_folder_place(place_of(options))->open();
  if (opened.ok()) return std::nullopt;
  return opened.error().message;
}

std::vector<std::string> absent_folders(const Config& config) {
  std::vector<std::string> sentences;
  for (const SiteConfig& site : config.sites) {
    const auto* options = std::get_if<origin::DirectoryOriginOptions>(&site.origin);
    if (options == nullptr) continue;
    if (const auto absent = absent_folder(*options)) sentences.push_back(*absent + kUntilThere);
  }
  return sentences;
}

LoopSite::LoopSite(Site& site, base::Env& env, origin::ResolverCache& names) : site_(site) {
  if (site.folder != nullptr) {
    origin_ = origin::make_directory_origin(site.folder, env);
  } else {
    const auto& options = std::get<origin::HttpOriginOptions>(site.config.origin);
    origin_ = origin::make_http_origin(options, site.bounds->gate, names, env);
  }
}

LoopSites::LoopSites(SnapshotPtr snapshot, base::Env& env, origin::ResolverCache& names)
    : snapshot_(std::move(snapshot)) {
  for (const auto& site : snapshot_->sites()) {
    sites_.push_back(std::make_unique<LoopSite>(*site, env, names));
  }
}

LoopSite* LoopSites::find(std::string_view authority) const {
  const Site* site = snapshot_->find(authority);
  return site != nullptr ? sites_[site->place].get() : nullptr;
}

void LoopSites::drain() {
  for (const auto& site : sites_) site->origin().drain();
}

}  // namespace perigee::edge

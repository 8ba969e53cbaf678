#include "edge/snapshot.h"

#include <variant>

#include "edge/route.h"
#include "http/cache_key.h"
#include "origin/directory_origin.h"

namespace perigee::edge {

namespace {

std::string_view name_of(const SiteConfig& site) {
  return site.hosts.empty() ? origin_authority(site) : std::string_view(site.hosts.front());
}

}  // namespace

Site::Site(const SiteConfig& configured, size_t at, Metrics& metrics, OriginWatch::Warn warn)
    : config(configured), place(at), watch(name_of(configured), metrics, warn) {}

base::Result<std::shared_ptr<const Snapshot>> Snapshot::make(const Config& config, Metrics& metrics,
                                                             OriginWatch::Warn warn,
                                                             OpenFolder open_folder) {
  std::shared_ptr<Snapshot> snapshot(new Snapshot(config));
  for (const SiteConfig& configured : config.sites) {
    auto site = std::make_unique<Site>(configured, snapshot->sites_.size(), metrics, warn);
    if (const auto* directory = std::get_if<origin::DirectoryOriginOptions>(&configured.origin)) {
      base::Result<std::unique_ptr<origin::FolderIo>> opened = open_folder(directory->path);
      if (!opened.ok()) return opened.error();
      site->folder = std::move(*opened);
    } else {
      site->gate = std::make_unique<origin::OriginGate>(
          std::get<origin::HttpOriginOptions>(configured.origin).connections);
    }
    // Of sites that share a name the first one has it.
    for (const std::string& name : configured.hosts) {
      snapshot->by_name_.emplace(name, site.get());
    }
    if (configured.is_default && snapshot->default_ == nullptr) snapshot->default_ = site.get();
    snapshot->sites_.push_back(std::move(site));
  }
  return std::shared_ptr<const Snapshot>(std::move(snapshot));
}

Site* Snapshot::named(std::string_view name) const {
  const auto it = by_name_.find(name);
  return it != by_name_.end() ? it->second : nullptr;
}

Site* Snapshot::find(std::string_view authority) const {
  if (Site* exact = named(authority)) return exact;
  const std::string_view host = http::host_of(authority);
  Site* site = host.size() < authority.size() ? named(host) : nullptr;
  return site != nullptr ? site : default_;
}

LoopSite::LoopSite(Site& site, base::Env& env, origin::ResolverCache& names) : site_(site) {
  if (site.folder != nullptr) {
    const auto& options = std::get<origin::DirectoryOriginOptions>(site.config.origin);
    origin_ = origin::make_directory_origin(options, *site.folder, env);
  } else {
    const auto& options = std::get<origin::HttpOriginOptions>(site.config.origin);
    origin_ = origin::make_http_origin(options, *site.gate, names, env);
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

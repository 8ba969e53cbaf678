#include "tests/sim/sim_node.h"

#include <algorithm>

namespace perigee::sim {

namespace {

constexpr uint64_t kJournalBytes = 64 * 1024;
constexpr uint64_t kAreaBytes = 2 * 1024 * 1024;

edge::PolicyPtr make_policy(const SitePolicy& drawn) {
  http::PolicyOptions policy;
  policy.bypass = drawn.bypass;
  policy.ttl_s = drawn.ttl_s;
  policy.default_ttl_s = drawn.default_ttl_s;
  policy.negative_ttl_s = drawn.negative_ttl_s;
  policy.stale_while_revalidate_s = drawn.stale_while_revalidate_s;
  policy.stale_if_error_s = drawn.stale_if_error_s;
  policy.stale_if_slow_ms = drawn.stale_if_slow_ms;
  policy.unreachable_stale_s = drawn.unreachable_stale_s;
  policy.heuristic_cap_s = drawn.heuristic_cap_s;
  policy.error_ttl_cap_s = drawn.error_ttl_cap_s;
  policy.retain_s = drawn.retain_s;
  policy.trust_origin_clock = drawn.trust_origin_clock;
  policy.honour_client_directives = drawn.honour_client_directives;
  policy.set_cookie = drawn.set_cookie == Cookies::kPass    ? http::SetCookieMode::kPass
                      : drawn.set_cookie == Cookies::kStrip ? http::SetCookieMode::kStrip
                                                            : http::SetCookieMode::kStore;
  for (const int status : drawn.forbidden_statuses) {
    policy.forbidden_statuses.push_back(static_cast<uint16_t>(status));
  }
  policy.forward_headers = drawn.forward_headers;
  policy.vary_ignore = drawn.vary_ignore;
  policy.vary_cookies = drawn.vary_cookies;
  policy.vary_accept = drawn.vary_accept;
  if (drawn.preflights) {
    policy.preflight.origins = {kPreflightOrigin};
    policy.preflight.methods = "PUT";
  }
  return std::make_shared<const http::PolicyOptions>(policy);
}

edge::SiteConfig make_site(const SiteOptions& options) {
  edge::SiteConfig site;
  site.hosts = options.hosts;
  site.is_default = options.is_default;
  site.host_header = options.host_header;
  site.accept_encoding = options.accept_encoding;
  site.cdn_id = options.cdn_id;
  site.query.sort = options.query == QueryRule::kSorted;
  site.query.ignore = options.query == QueryRule::kIgnored;
  if (options.query == QueryRule::kStripped) site.query.strip = {"utm_*"};
  origin::HttpOriginOptions origin;
  origin.host = options.origin_host;
  origin.port = options.origin_port;
  origin.authority = options.origin_authority();
  origin.connections = options.permits;
  site.origin = origin;
  site.alt_svc = options.alt_svc;
  site.remove_cdn_cache_control = options.removes_cdn_cache_control;
  site.purge_from = {*base::parse_network(kPurgers)};
  if (options.peer_may_purge) {
    site.purge_from.push_back(*base::parse_network(std::string(kPeerAddress) + "/32"));
  }
  site.policy = make_policy(options.policy);
  for (const SiteRule& rule : options.rules) {
    site.rules.push_back({rule.prefix, rule.prefix, make_policy(rule.policy)});
  }
  return site;
}

edge::SiteConfig make_folder_site() {
  edge::SiteConfig site;
  site.hosts = {kFolderHost};
  site.cdn_id = "perigee";
  site.origin = origin::DirectoryOriginOptions{};
  site.policy = std::make_shared<const http::PolicyOptions>();
  return site;
}

edge::Config make_config(const Options& options) {
  edge::Config config;
  config.workers = options.loops;
  config.store.path = "simulated";
  config.store.size_bytes = kAreaBytes + options.slabs * options.slab_bytes;
  if (options.trusted) {
    config.trusted_proxies = {*base::parse_network(std::string(kPeerAddress) + "/32")};
  }
  for (const SiteOptions& site : options.sites) config.sites.push_back(make_site(site));
  if (options.folder_requests > 0) config.sites.push_back(make_folder_site());
  return config;
}

}  // namespace

SimNode::SimNode(World& world, Internet& internet, FolderHistory& folder)
    : world_(world),
      internet_(internet),
      folder_(folder),
      disk_(world.random, world.options.lends),
      config_(make_config(world.options)) {}

SimNode::~SimNode() {
  if (running()) kill();
}

void SimNode::on_store_event(std::string_view sentence) { world_.trace("store: ", sentence); }

bool SimNode::start() {
  CHECK(!running());
  io_ = disk_.make_io();
  cache_store::StoreOptions options;
  options.path = config_.store.path;
  options.size_bytes = config_.store.size_bytes;
  options.slab_bytes = world_.options.slab_bytes;
  options.journal_bytes = kJournalBytes;
  for (std::byte& byte : options.entropy) byte = static_cast<std::byte>(world_.random.below(256));
  disk_.errors_per_mille =
      world_.scheduler.seq() == 0 || world_.calm ? 0 : world_.options.disk_errors;
  auto opened = cache_store::Store::open(options, *io_, *this, world_.scheduler.wall_ms());
  if (!opened.ok()) {
    CHECK(disk_.errors_per_mille > 0);
    world_.trace("the node cannot start: ", opened.error().message);
    io_.reset();
    return false;
  }
  store_ = std::move(*opened);
  metrics_ = std::make_unique<edge::Metrics>(world_.options.loops);
  access_log_ = std::make_unique<edge::AccessLog>(config_.log);
  node_ = std::make_unique<edge::Node>(
      config_, *store_, *metrics_, *access_log_, [] { return int64_t{0}; },
      [](std::string_view) {});
  snapshots_.push_back(make_snapshot());
  PoolRules rules;
  rules.most_delay_ms = world_.options.pool_delay_ms;
  if (world_.options.full_lanes != 0) rules.capacity = {2, 2, 1};
  pool_ = std::make_unique<SimPool>(world_.scheduler, rules);
  for (unsigned loop = 0; loop < world_.options.loops; ++loop) {
    envs_.push_back(std::make_unique<SimEnv>(world_.scheduler, *pool_, internet_, loop));
    workers_.push_back(std::make_unique<edge::Worker>(*node_, snapshots_.back(), *envs_.back()));
    envs_.back()->at_end_of_turn([worker = workers_.back().get()] { return worker->turn(); });
  }
  accepting_ = true;
  world_.trace("the node starts with ", store_->stats().recovered, " records");
  return true;
}

edge::SnapshotPtr SimNode::make_snapshot() {
  return edge::Snapshot::make(
      config_, snapshots_.empty() ? nullptr : snapshots_.back().get(), *metrics_,
      [](std::string_view) {},
      [this](const origin::FolderPlaceOptions&) { return make_sim_folder(folder_); });
}

void SimNode::reload() {
  world_.trace("the node takes another snapshot of its configuration");
  snapshots_.push_back(make_snapshot());
  for (size_t i = 0; i < workers_.size(); ++i) {
    envs_[i]->post([worker = workers_[i].get(), snapshot = snapshots_.back()]() mutable {
      worker->use(std::move(snapshot));
    });
  }
}

void SimNode::mend_disk() { disk_.errors_per_mille = 0; }

bool SimNode::accept(const LinkPtr& link) {
  if (!accepting_) return false;
  const size_t loop = world_.random.below(envs_.size());
  links_.push_back(link);
  link->lender = &disk_;
  envs_[loop]->post([worker = workers_[loop].get(),
                     channel = std::make_unique<SimChannel>(*envs_[loop], link)]() mutable {
    worker->adopt(std::move(channel), worker->site_service());
  });
  return true;
}

void SimNode::drain(int64_t most_ms) {
  accepting_ = false;
  const base::Tick deadline{world_.scheduler.now_ms() + most_ms};
  for (size_t i = 0; i < workers_.size(); ++i) {
    envs_[i]->post([worker = workers_[i].get(), deadline] { worker->drain(deadline); });
  }
}

bool SimNode::idle() const {
  return std::all_of(workers_.begin(), workers_.end(),
                     [](const auto& worker) { return worker->idle(); });
}

bool SimNode::quiet() const {
  return pool_->busy() == 0 &&
         std::all_of(envs_.begin(), envs_.end(), [](const auto& env) { return env->quiet(); });
}

std::string SimNode::held() const {
  std::string held;
  const auto note = [&](const char* what, uint64_t count) {
    if (count > 0) held += std::to_string(count) + " " + what + " are still held; ";
  };
  note("pins", store_->stats().pins);
  note("bytes of fills", node_->fill_bytes());
  for (const edge::SnapshotPtr& snapshot : snapshots_) {
    for (const auto& site : snapshot->sites()) {
      note("permits of fills", site->bounds->fills.used());
    }
  }
  return held;
}

std::string SimNode::exceeded() const {
  const size_t most_bytes = std::max<size_t>(config_.store.size_bytes / 4, base::limits::kMiB);
  if (node_->fill_bytes() > most_bytes) return "fills hold more memory than they may";
  for (const edge::SnapshotPtr& snapshot : snapshots_) {
    for (const auto& site : snapshot->sites()) {
      if (site->bounds->fills.used() > base::limits::kFills) return "too many fills ask";
    }
  }
  return {};
}

std::string SimNode::stop() {
  world_.scheduler.finish_paused();
  std::string left;
  for (const auto& worker : workers_) worker->stop();
  pool_->drop_all();
  // Loops run until posts are gone.
  for (int turns = 0; turns < 100; ++turns) {
    for (const auto& env : envs_) env->act();
  }
  for (const auto& env : envs_) {
    const std::string loop = "loop " + std::to_string(env->loop());
    if (env->has_tasks()) left += loop + " still has tasks; ";
  }
  workers_.clear();
  for (const auto& env : envs_) {
    const std::string loop = "loop " + std::to_string(env->loop());
    // Names may be asked for as long as the worker is there.
    if (env->questions() > 0) left += loop + " still waits for answers; ";
    if (env->timers() > 0) left += loop + " still has timers; ";
    if (env->channels() > 0) left += loop + " still has channels; ";
  }
  left += held();
  for (const edge::SnapshotPtr& snapshot : snapshots_) {
    if (snapshot.use_count() > 1) left += "a snapshot is still held; ";
  }
  destroy();
  return left;
}

void SimNode::kill() {
  disk_.kill();
  for (const LinkPtr& link : links_) link->killed = true;
  // Whatever they still do, nobody sees it.
  world_.scheduler.finish_paused();
  destroy();
}

void SimNode::cut_power() {
  disk_.cut_power(world_.random.chance(world_.options.torn_sectors));
  for (const LinkPtr& link : links_) link->killed = true;
  world_.scheduler.finish_paused();
  destroy();
}

void SimNode::destroy() {
  accepting_ = false;
  workers_.clear();
  if (pool_ != nullptr) pool_->drop_all();
  envs_.clear();
  pool_.reset();
  node_.reset();
  snapshots_.clear();
  access_log_.reset();
  metrics_.reset();
  store_.reset();
  io_.reset();
  links_.clear();
}

}  // namespace perigee::sim

#include "tests/sim/origins.h"

#include <algorithm>

#include "tests/sim/origin_connection.h"

namespace perigee::sim {

LinkPtr make_link(World& world) {
  auto link = std::make_shared<Link>();
  Random& random = world.random;
  LinkRules& rules = link->rules;
  if (world.fault(world.options.one_byte)) {
    rules.most_a_recv = static_cast<size_t>(random.between(1, 7));
    rules.most_a_send = random.chance(500) ? static_cast<size_t>(random.between(1, 7)) : SIZE_MAX;
  } else if (random.chance(300)) {
    rules.most_a_recv = static_cast<size_t>(random.between(100, 5'000));
  }
  rules.refused_send = world.calm ? 0 : world.options.refused_send;
  rules.reset_loses_bytes = world.fault(world.options.reset_loses);
  if (random.chance(300)) {
    link->pipes[kFromNode].capacity = static_cast<size_t>(random.between(500, 20'000));
  }
  return link;
}

Origins::Origins(World& world) : world_(world), catalogue_(world) {
  const std::vector<SiteOptions>& sites = world.options.sites;
  for (size_t i = 0; i < sites.size(); ++i) {
    // Sites of one origin host have its address, and ports of their own.
    const auto same = std::find_if(sites.begin(), sites.end(), [&](const SiteOptions& site) {
      return site.origin_host == sites[i].origin_host;
    });
    const std::string last = std::to_string(1 + (same - sites.begin()));
    const std::string port = std::to_string(sites[i].origin_port);
    servers_.push_back({base::Address::parse("192.0.2." + last + ":" + port).value(), 0, 0});
  }
}

Origins::~Origins() = default;

Internet::Reply<base::Addresses> Origins::resolve(const std::string& host) {
  Random& random = world_.random;
  const std::vector<SiteOptions>& sites = world_.options.sites;
  const auto site = std::find_if(sites.begin(), sites.end(),
                                 [&](const auto& known) { return known.origin_host == host; });
  CHECK(site != sites.end());
  Reply<base::Addresses> reply{
      random.between(0, 20),
      base::Addresses{servers_[static_cast<size_t>(site - sites.begin())].address}};
  if (world_.fault(world_.options.resolve_fails)) {
    for (size_t i = 0; i < sites.size(); ++i) {
      if (sites[i].origin_host == host) note_failure(i);
    }
    reply.result = base::Error{base::ErrorCode::kResolve, 0, "no such name"};
    if (random.chance(300)) reply.after_ms = kNever;
  }
  return reply;
}

void Origins::note_failure(size_t site) {
  world_.ledger.failures.push_back({world_.scheduler.stamp(), static_cast<int>(site), -1, false});
}

size_t Origins::site_at(const base::Address& address) const {
  const auto server = std::find_if(servers_.begin(), servers_.end(),
                                   [&](const Server& known) { return known.address == address; });
  CHECK(server != servers_.end());
  return static_cast<size_t>(server - servers_.begin());
}

Internet::Reply<base::Done> Origins::connect(const base::Address& address) {
  Random& random = world_.random;
  Reply<base::Done> reply{random.between(0, 20), base::Done{}};
  const int64_t down_until_ms = servers_[site_at(address)].down_until_ms;
  const bool down = !world_.calm && world_.scheduler.now_ms() < down_until_ms;
  if (down || world_.fault(world_.options.connect_fails)) {
    note_failure(site_at(address));
    reply.result = base::Error{base::ErrorCode::kConnect, 111, "connection refused"};
    if (random.chance(300)) reply.after_ms = kNever;
  }
  return reply;
}

std::unique_ptr<base::Channel> Origins::connected(SimEnv& env, const base::Address& address) {
  const LinkPtr link = make_link(world_);
  const size_t site = site_at(address);
  connections_.push_back(
      std::make_unique<OriginConnection>(world_, catalogue_, static_cast<int>(site), link));
  auto channel = std::make_unique<SimChannel>(env, link);
  Server& server = servers_[site];
  server.most_connections = std::max(server.most_connections, open_connections(site));
  return channel;
}

void Origins::go_down(size_t site, int64_t until_ms) {
  servers_[site].down_until_ms = until_ms;
  note_failure(site);
  for (const auto& connection : connections_) {
    if (connection->site() == static_cast<int>(site)) connection->break_off();
  }
}

void Origins::tidy() {
  std::erase_if(connections_, [](const auto& connection) { return connection->over(); });
}

size_t Origins::open_connections(size_t site) const {
  return static_cast<size_t>(
      std::count_if(connections_.begin(), connections_.end(), [&](const auto& connection) {
        return connection->site() == static_cast<int>(site) && !connection->link().node_gone;
      }));
}

size_t Origins::open_connections() const {
  size_t open = 0;
  for (size_t site = 0; site < servers_.size(); ++site) open += open_connections(site);
  return open;
}

}  // namespace perigee::sim

#include "tests/sim/origin_site.h"

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

OriginSite::OriginSite(World& world) : world_(world), catalogue_(world) {}

OriginSite::~OriginSite() = default;

Internet::Reply<base::Addresses> OriginSite::resolve(const std::string&) {
  Random& random = world_.random;
  Reply<base::Addresses> reply{random.between(0, 20),
                               base::Addresses{base::Address::parse("192.0.2.1:80").value()}};
  if (world_.fault(world_.options.resolve_fails)) {
    world_.ledger.failures.push_back(world_.scheduler.seq());
    reply.result = base::Error{base::ErrorCode::kResolve, 0, "no such name"};
    if (random.chance(300)) reply.after_ms = kNever;
  }
  return reply;
}

Internet::Reply<base::Done> OriginSite::connect(const base::Address&) {
  Random& random = world_.random;
  Reply<base::Done> reply{random.between(0, 20), base::Done{}};
  const bool down = !world_.calm && world_.scheduler.now_ms() < down_until_ms_;
  if (down || world_.fault(world_.options.connect_fails)) {
    world_.ledger.failures.push_back(world_.scheduler.seq());
    reply.result = base::Error{base::ErrorCode::kConnect, 111, "connection refused"};
    if (random.chance(300)) reply.after_ms = kNever;
  }
  return reply;
}

std::unique_ptr<base::Channel> OriginSite::connected(SimEnv& env) {
  const LinkPtr link = make_link(world_);
  connections_.push_back(std::make_unique<OriginConnection>(world_, catalogue_, link));
  auto channel = std::make_unique<SimChannel>(env, link);
  most_connections_ = std::max(most_connections_, open_connections());
  return channel;
}

void OriginSite::go_down(int64_t until_ms) {
  down_until_ms_ = until_ms;
  world_.ledger.failures.push_back(world_.scheduler.seq());
  for (const auto& connection : connections_) connection->break_off();
}

void OriginSite::tidy() {
  std::erase_if(connections_, [](const auto& connection) { return connection->over(); });
}

size_t OriginSite::open_connections() const {
  return static_cast<size_t>(
      std::count_if(connections_.begin(), connections_.end(),
                    [](const auto& connection) { return !connection->link().node_gone; }));
}

}  // namespace perigee::sim

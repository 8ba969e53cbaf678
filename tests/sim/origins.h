// The origins of all sites as servers: they may refuse, hang, answer slowly, break off, and say
// more or less than they should.
//
// Here's how it works:
//  1. Origins is the Internet of the node: names and connections succeed or fail as the options
//  say. Each site's origin has an address and port of its own, so that a request that reaches the
//  wrong one is seen.
//  2. Each connection is an actor that reads requests, asks the Catalogue, spoils the answer now
//  and then,
//     and sends it at its own pace.
//  3. What was sent is entered in the ledger, with what it was worth: whole as it was framed, or
//  not.
#pragma once

#include <memory>
#include <vector>

#include "tests/sim/catalogue.h"
#include "tests/sim/sim_env.h"

namespace perigee::sim {

class Origins final : public Internet {
 public:
  explicit Origins(World& world);
  ~Origins() override;

  // Internet
  Reply<base::Addresses> resolve(const std::string& host) override;
  Reply<base::Done> connect(const base::Address& address) override;
  std::unique_ptr<base::Channel> connected(SimEnv& env, const base::Address& address) override;

  /// Nobody is there until then, at one site's origin; its connections break.
  void go_down(size_t site, int64_t until_ms);
  /// Forgets connections that are over.
  void tidy();
  /// Connections that the node has open.
  size_t open_connections() const;
  size_t open_connections(size_t site) const;
  size_t most_connections(size_t site) const { return servers_[site].most_connections; }

 private:
  struct Server {
    base::Address address;
    int64_t down_until_ms = 0;
    size_t most_connections = 0;
  };
  size_t site_at(const base::Address& address) const;
  void note_failure(size_t site);

  World& world_;
  Catalogue catalogue_;
  std::vector<std::unique_ptr<class OriginConnection>> connections_;
  std::vector<Server> servers_;  ///< by site
};

/// How connections of a run behave, drawn anew for each.
LinkPtr make_link(World& world);

}  // namespace perigee::sim

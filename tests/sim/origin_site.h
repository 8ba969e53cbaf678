// The origin as a server: it may refuse, hang, answer slowly, break off, and say more or less than
// it should.
//
// Here's how it works:
//  1. OriginSite is the Internet of the node: names and connections succeed or fail as the options
//  say.
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

class OriginSite final : public Internet {
 public:
  explicit OriginSite(World& world);
  ~OriginSite() override;

  // Internet
  Reply<base::Addresses> resolve(const std::string& host) override;
  Reply<base::Done> connect(const base::Address& address) override;
  std::unique_ptr<base::Channel> connected(SimEnv& env) override;

  /// Nobody is there until then; connections break.
  void go_down(int64_t until_ms);
  /// Forgets connections that are over.
  void tidy();
  /// Connections that the node has open.
  size_t open_connections() const;
  size_t most_connections() const { return most_connections_; }

 private:
  friend class OriginConnection;
  World& world_;
  Catalogue catalogue_;
  std::vector<std::unique_ptr<class OriginConnection>> connections_;
  int64_t down_until_ms_ = 0;
  size_t most_connections_ = 0;
};

/// How connections of a run behave, drawn anew for each.
LinkPtr make_link(World& world);

}  // namespace perigee::sim

// Outgoing connections: TCP, and TLS on top of it when the endpoint asks for it.
#pragma once

#include <list>
#include <memory>

#include "base/env.h"

namespace perigee::edge {

class UvEnv;

/// Makes the connections of one loop.
class UvConnector {
 public:
  explicit UvConnector(UvEnv& env);
  /// Gives up what is under way; nobody is told.
  ~UvConnector();
  /// See base::Env::connect().
  base::Pending connect(const base::Endpoint& endpoint, base::OnConnect on_connect);

 private:
  class Attempt;
  using Attempts = std::list<std::unique_ptr<Attempt>>;
  void end(Attempt& attempt);

  UvEnv& env_;
  Attempts attempts_;
  Attempts ended_;  ///< destroyed in the next turn: one may be inside a callback of its own
  base::Soon bury_;
};

}  // namespace perigee::edge

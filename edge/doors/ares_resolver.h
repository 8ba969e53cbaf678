// Names to addresses with c-ares, on the loop: no thread waits for a name.
#pragma once

#include <ares.h>
#include <uv.h>

#include <list>
#include <map>
#include <memory>
#include <string_view>

#include "base/env.h"

namespace perigee::edge {

class UvEnv;

class AresResolver {
 public:
  /// `servers`: "ADDRESS:PORT,..." for tests; null: those of the system.
  explicit AresResolver(UvEnv& env, const char* servers = nullptr);
  /// Whoever still waits is not told.
  ~AresResolver();
  /// Answers what is in flight, in a later turn, with an error.
  void cancel();
  /// See base::Env::resolve().
  base::Pending resolve(std::string_view host, uint16_t port, base::OnResolve on_resolve);

 private:
  class Query;
  using Queries = std::list<std::unique_ptr<Query>>;
  struct Watch;
  static void on_socket(void* data, ares_socket_t fd, int readable, int writable);
  void process(ares_socket_t readable, ares_socket_t writable);
  void arm_timer();
  void end(Query& query);

  UvEnv& env_;
  ares_channel channel_ = nullptr;
  std::map<ares_socket_t, Watch*> watches_;
  base::Timer timer_;
  Queries queries_;
  Queries ended_;  ///< destroyed in the next turn: one may be inside a callback of its own
  base::Soon bury_;
};

}  // namespace perigee::edge

// The connections of one loop to one origin: idle ones kept for a while, and fetches that wait for
// one.
//
// Permits are shared with other loops. A connection that falls idle goes to the fetch of this loop
// that waits longest, unless another loop has waited long: then it is closed, and its permit
// travels.
#pragma once

#include <cstddef>
#include <list>
#include <memory>

#include "base/env.h"
#include "origin/http_origin.h"

namespace perigee::origin {

/// A connection and its permit, which goes back when it is destroyed.
class OriginConnection {
 public:
  OriginConnection(std::unique_ptr<base::Channel> channel, base::Share permit)
      : permit_(std::move(permit)), channel_(std::move(channel)) {}
  base::Channel& channel() { return *channel_; }
  /// Gives its permit back for a place among the tunnels. False: none is free.
  bool become_tunnel(OriginGate& gate, base::Holder client) {
    base::Share place = gate.tunnels.try_take(1, client);
    if (!place) return false;
    permit_ = std::move(place);
    return true;
  }
  /// While idle: nothing has come on it, not even its end.
  bool silent() {
    std::byte word;
    return channel_->recv({&word, 1}).state == base::Io::kAgain;
  }

 private:
  base::Share permit_;
  std::unique_ptr<base::Channel> channel_;  ///< closed before the permit goes back
};

class OwnConnection;

class OriginPool {
 public:
  /// A fetch that waits for a connection that falls idle.
  class Waiter {
   public:
    virtual ~Waiter() = default;
    /// The pool does not know it any more. Calls nobody back.
    virtual void on_idle_connection(std::unique_ptr<OriginConnection> connection) = 0;
  };

  OriginPool(OriginGate& gate, base::Env& env);
  ~OriginPool();

  /// An idle connection on which nothing has come, the one used last. `surely_open`: for what is
  /// never repeated, one idle for at most kFreshConnectionMs (http-rules 3.13).
  std::unique_ptr<OriginConnection> take_idle(bool surely_open);
  /// A permit for a new connection; empty: none is free.
  base::Share take_permit() { return gate_.connections.try_take(1); }
  /// Keeps it for `idle_ms`, or hands it on; anything it says meanwhile closes it.
  void put_idle(std::unique_ptr<OriginConnection> connection, int64_t idle_ms);
  /// Closes the idle ones; what comes back later is kept again.
  void clear() { idle_.clear(); }

  /// Idle connections that belong to clients: they are let go, the oldest first, when somebody
  /// waits for a permit.
  void add_own(OwnConnection& own);
  void remove_own(OwnConnection& own) { own_.remove(&own); }

  /// False: too many wait.
  bool add_waiter(Waiter& waiter);
  void remove_waiter(Waiter& waiter) { waiters_.remove(&waiter); }

  size_t idle() const { return idle_.size(); }
  OriginGate& gate() { return gate_; }

 private:
  class Idle final : private base::ChannelUser {
   public:
    Idle(OriginPool& pool, std::unique_ptr<OriginConnection> held, base::Tick now, int64_t idle_ms);
    std::unique_ptr<OriginConnection> release();
    bool silent() { return held_->silent(); }
    const base::Tick since;

   private:
    void on_ready(bool, bool) noexcept override { pool_.drop(*this); }
    OriginPool& pool_;
    std::unique_ptr<OriginConnection> held_;
    base::Timer timer_;
  };
  void drop(Idle& idle);
  void watch_others();
  void give_way();
  bool others_come_first() const;

  OriginGate& gate_;
  base::Env& env_;
  std::list<std::unique_ptr<Idle>> idle_;  ///< used last first
  std::list<OwnConnection*> own_;          ///< idle ones, kept longest first
  std::list<Waiter*> waiters_;             ///< waiting longest first
  base::Timer yield_timer_;  ///< runs while there are idle ones: somebody elsewhere may wait
};

}  // namespace perigee::origin

// The connections of one loop to one origin: idle ones kept for a while, permits shared with other loops.
#pragma once

#include <deque>
#include <list>
#include <memory>
#include <optional>

#include "base/env.h"
#include "origin/http_origin.h"

namespace perigee::origin {

/// A connection and its permit, which goes back when it is destroyed.
class OriginConnection {
 public:
  OriginConnection(std::unique_ptr<base::Channel> channel, OriginGate& gate)
      : channel_(std::move(channel)), gate_(gate) {}
  ~OriginConnection() { gate_.give_back(); }
  base::Channel& channel() { return *channel_; }

 private:
  std::unique_ptr<base::Channel> channel_;
  OriginGate& gate_;
};

class OriginPool {
 public:
  OriginPool(OriginGate& gate, base::Env& env) : gate_(gate), env_(env) {}

  /// An idle connection, the one used last; `fresh`: only one idle for at most kFreshConnectionMs.
  std::unique_ptr<OriginConnection> take_idle(bool fresh);
  /// A permit for a new connection. The oldest idle connection of this loop gives way for it.
  bool take_permit();
  void return_permit() { gate_.give_back(); }
  std::unique_ptr<OriginConnection> wrap(std::unique_ptr<base::Channel> channel) {
    return std::make_unique<OriginConnection>(std::move(channel), gate_);
  }
  /// Keeps it for `idle_ms`; anything it says meanwhile closes it.
  void put_idle(std::unique_ptr<OriginConnection> connection, int64_t idle_ms);
  void clear() { idle_.clear(); }

 private:
  class Idle final : private base::ChannelUser {
   public:
    Idle(OriginPool& pool, std::unique_ptr<OriginConnection> held, base::Tick now, int64_t idle_ms);
    std::unique_ptr<OriginConnection> release();
    bool dead = false;
    const base::Tick since;

   private:
    void on_ready(bool, bool) noexcept override { pool_.drop_later(*this); }
    OriginPool& pool_;
    std::unique_ptr<OriginConnection> held_;
    base::Timer timer_;
  };
  void drop_later(Idle& idle);

  OriginGate& gate_;
  base::Env& env_;
  std::list<std::unique_ptr<Idle>> idle_;  ///< used last first
  base::Timer reap_timer_{[this] { idle_.remove_if([](const auto& idle) { return idle->dead; }); }};
};

}  // namespace perigee::origin

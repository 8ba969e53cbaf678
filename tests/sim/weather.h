// What befalls the machine and the origin during a run: outages, sleeps, clock steps, crashes,
// drains.
#pragma once

#include "tests/sim/origins.h"
#include "tests/sim/sim_node.h"

namespace perigee::sim {

class Weather final : public Actor {
 public:
  Weather(World& world, Origins& origins, SimNode& node);
  ~Weather() override;

  int64_t due() const override {
    if (world_.strikes) return 0;
    return world_.calm && !down_ ? kNever : next_ms_;
  }
  void act() override;
  /// The node's process ended in the middle of its writes.
  void on_death();
  /// What a stop left behind, over all stops.
  std::vector<std::string> leftovers;

 private:
  void crash();
  void end_process(const char* when);
  void drain();
  void restart_later();

  World& world_;
  Origins& origins_;
  SimNode& node_;
  int64_t next_ms_;
  int64_t drained_by_ms_ = kNever;
  bool down_ = false;  ///< the node has to be started again
};

}  // namespace perigee::sim

#include "tests/sim/weather.h"

#include <utility>

namespace perigee::sim {

Weather::Weather(World& world, Origins& origins, SimNode& node)
    : world_(world), origins_(origins), node_(node), next_ms_(world.scheduler.now_ms() + 1'000) {
  world_.scheduler.add(*this);
}

Weather::~Weather() { world_.scheduler.remove(*this); }

void Weather::act() {
  if (std::exchange(world_.strikes, false)) {
    if (!down_ && node_.running()) end_process(" right after an answer");
    return;
  }
  Random& random = world_.random;
  const Options& options = world_.options;
  Scheduler& scheduler = world_.scheduler;
  next_ms_ = scheduler.now_ms() + random.between(100, 4'000);
  origins_.tidy();
  if (down_) {
    if (node_.running()) {
      if (!node_.idle() && scheduler.now_ms() < drained_by_ms_) return;
      if (const std::string left = node_.stop(); !left.empty()) leftovers.push_back(left);
      world_.trace("the node has stopped");
      return restart_later();
    }
    if (!node_.start()) return restart_later();
    world_.ledger.losses.push_back({scheduler.stamp().seq, Ledger::Loss::kRestart});
    down_ = false;
    return;
  }
  if (world_.fault(options.outages)) {
    const int64_t length = random.between(100, 40'000);
    const size_t site = random.below(options.sites.size());
    world_.trace("the origin of site ", site, " is down for ", length, " ms");
    origins_.go_down(site, scheduler.now_ms() + length);
  }
  if (world_.fault(options.sleeps)) {
    const int64_t length = random.between(1'000, random.chance(200) ? 3'600'000 : 20'000);
    world_.trace("the machine sleeps for ", length, " ms");
    const Stamp begun = scheduler.stamp();
    scheduler.sleep(length);
    world_.ledger.sleeps.push_back({begun, scheduler.stamp()});
    next_ms_ += length;
  }
  if (world_.fault(options.wall_steps)) {
    const int64_t by = random.between(-100'000, 100'000);
    world_.ledger.wall_steps.push_back(scheduler.stamp().seq);
    scheduler.step_wall(by);
    world_.trace("the wall clock steps by ", by, " ms");
  }
  if (world_.fault(options.reloads)) node_.reload();
  if (world_.fault(options.drains)) return drain();
  if (world_.fault(options.crashes)) crash();
}

void Weather::drain() {
  const int64_t most = world_.random.between(0, 30'000);
  world_.trace("the node drains for at most ", most, " ms");
  node_.drain(most);
  world_.ledger.stops.push_back(world_.scheduler.stamp());
  drained_by_ms_ = world_.scheduler.now_ms() + most + 1'000;
  down_ = true;
}

void Weather::crash() {
  if (world_.random.chance(400)) return node_.die_soon();
  end_process("");
}

void Weather::on_death() { end_process(" while it writes"); }

/// With its machine, or alone.
void Weather::end_process(const char* when) {
  const bool power = world_.random.chance(world_.options.power_cuts);
  world_.trace(power ? "the power fails" : "the node is killed", when);
  world_.ledger.losses.push_back(
      {world_.scheduler.stamp().seq, power ? Ledger::Loss::kPowerCut : Ledger::Loss::kRestart});
  if (power) {
    node_.cut_power();
  } else {
    node_.kill();
  }
  restart_later();
}

void Weather::restart_later() {
  down_ = true;
  next_ms_ = world_.scheduler.now_ms() + world_.random.between(0, 3'000);
}

}  // namespace perigee::sim

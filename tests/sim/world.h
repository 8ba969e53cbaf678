// What all actors of one run share.
#pragma once

#include <iostream>
#include <string>

#include "tests/sim/ledger.h"
#include "tests/sim/options.h"
#include "tests/sim/random.h"
#include "tests/sim/scheduler.h"

namespace perigee::sim {

struct World {
  explicit World(const Options& drawn, bool tell)
      : options(drawn), random(drawn.seed), scheduler(random), verbose(tell) {}

  const Options options;
  Random random;
  Scheduler scheduler;
  Ledger ledger;
  const bool verbose;
  bool calm = false;  ///< the faults have stopped

  /// A fault of that rate happens now.
  bool fault(unsigned per_mille) { return !calm && random.chance(per_mille); }
  std::string target(uint64_t number) const { return "/r" + std::to_string(number); }
  std::string any_target() { return target(random.below(options.targets)); }
  template <typename... Parts>
  void trace(const Parts&... parts) {
    if (!verbose) return;
    std::cerr << scheduler.seq() << " " << scheduler.now_ms() % 100'000'000 << "ms  ";
    (std::cerr << ... << parts) << "\n";
  }
};

}  // namespace perigee::sim

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
      : options(drawn),
        places(places_of(drawn)),
        random(drawn.seed),
        scheduler(random),
        verbose(tell) {}

  const Options options;
  const std::vector<Place> places;
  Random random;
  Scheduler scheduler;
  Ledger ledger;
  const bool verbose;
  bool calm = false;  ///< the faults have stopped
  /// The node is to end now: a client has just been told of what must hold from here on.
  bool strikes = false;

  /// A fault of that rate happens now.
  bool fault(unsigned per_mille) { return !calm && random.chance(per_mille); }
  /// A target of that site (-1: of none), as it is keyed.
  std::string any_target(int site) {
    static const SiteOptions kNone;
    return keyed_target(site < 0 ? kNone : options.sites[static_cast<size_t>(site)],
                        random.below(options.targets));
  }
  template <typename... Parts>
  void trace(const Parts&... parts) {
    if (!verbose) return;
    std::cerr << scheduler.seq() << " " << scheduler.now_ms() % 100'000'000 << "ms  ";
    (std::cerr << ... << parts) << "\n";
  }
};

}  // namespace perigee::sim

// One run of the simulator: a seed, a world drawn from it, and what went wrong in it.
//
// Here's how it works:
//  1. Options::draw(seed) decides what kind of run it is.
//  2. Clients ask, the origin answers and lies, and the weather (outages, clock steps, sleeps,
//  crashes,
//     drains) happens in between, all in an order that the seed decides.
//  3. Then the faults stop. What is in flight must end, and a few sane requests must be answered,
//  within
//     bounded time. The node is drained and stopped, and must leave nothing behind.
//  4. The judge reads the ledger of all that went over the wires and compares it with a naive model
//  of
//     RFC 9111 (model.h), with what cannot be (judge.h), and with what an origin may be asked
//     (judge_asked.h).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tests/sim/tally.h"

namespace perigee::sim {

struct Outcome {
  std::vector<std::string> violations;  ///< empty: the run was right
  std::string options;
  Tally tally;
};

/// `tell`: every event goes to standard error.
Outcome simulate(uint64_t seed, bool tell);

}  // namespace perigee::sim

// Runs of the whole cache in the simulator. PERIGEE_SIM_SEED=n replays one and tells all of it;
// PERIGEE_SIM_SEEDS=from-to hunts, and says how much happened.
#include <gtest/gtest.h>

#include <cstdlib>
#include <iostream>
#include <string>

#include "tests/sim/simulation.h"

namespace perigee::sim {
namespace {

void expect_right(uint64_t seed, bool tell, Tally& sum) {
  const Outcome outcome = simulate(seed, tell);
  for (const std::string& violation : outcome.violations) {
    ADD_FAILURE() << "make sim SEED=" << seed << ": " << violation;
  }
  if (!outcome.violations.empty()) std::cerr << outcome.options << "\n";
  sum.add(outcome.tally);
}

void expect_right(uint64_t first, uint64_t last, Tally& sum) {
  for (uint64_t seed = first; seed <= last; ++seed) expect_right(seed, false, sum);
  for (const std::string& why : sum.too_tame()) {
    ADD_FAILURE() << "seeds " << first << " to " << last << ": " << why;
  }
}

bool asked_for_seeds() {
  return std::getenv("PERIGEE_SIM_SEED") != nullptr || std::getenv("PERIGEE_SIM_SEEDS") != nullptr;
}

TEST(Simulator, SeedsThatWereAskedFor) {
  if (const char* seed = std::getenv("PERIGEE_SIM_SEED")) {
    Tally tally;
    expect_right(std::strtoull(seed, nullptr, 10), true, tally);
  }
  if (const char* range = std::getenv("PERIGEE_SIM_SEEDS")) {
    char* dash = nullptr;
    const uint64_t first = std::strtoull(range, &dash, 10);
    const uint64_t last = *dash == '-' ? std::strtoull(dash + 1, nullptr, 10) : first;
    Tally sum;
    expect_right(first, last, sum);
    std::cerr << sum.text() << "\n";
  }
}

/// 25 runs each, so that CTest spreads them over the cores.
class SimulatorSeeds : public testing::TestWithParam<uint64_t> {};

TEST_P(SimulatorSeeds, NothingForbiddenHappens) {
  if (asked_for_seeds()) return;
  Tally sum;
  expect_right(GetParam(), GetParam() + 24, sum);
}

INSTANTIATE_TEST_SUITE_P(From, SimulatorSeeds, testing::Range<uint64_t>(1, 301, 25),
                         [](const auto& range) { return std::to_string(range.param); });

}  // namespace
}  // namespace perigee::sim

// Runs of the whole cache in the simulator: fixed seeds, and as many that nobody saw before.
//
// What fails says how to see it again: make sim SEED=n. PERIGEE_SIM_SEED=n replays one run and
// tells all of it; PERIGEE_SIM_SEEDS=from-to hunts, and says how much happened; each of them makes
// a test of its own, the only one that may run then. PERIGEE_SIM_FRESH=n has the fresh seeds begin
// there.
#include <gtest/gtest.h>

#include <chrono>
#include <cstdlib>
#include <iostream>
#include <optional>
#include <string>

#include "tests/sim/simulation.h"

namespace perigee::sim {
namespace {

constexpr uint64_t kBatch = 25;
#if defined(__SANITIZE_THREAD__)
// Fibers of one thread race with nothing: one batch shows what there is to see, and takes minutes.
constexpr uint64_t kFixedSeeds = kBatch;
constexpr uint64_t kFreshBatches = 1;
#else
constexpr uint64_t kFixedSeeds = 300;
constexpr uint64_t kFreshBatches = 2;
#endif

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

/// What the environment asks for.
struct Asked {
  bool tell = false;
  uint64_t first = 0;
  uint64_t last = 0;
};
std::optional<Asked> asked_for() {
  if (const char* seed = std::getenv("PERIGEE_SIM_SEED")) {
    const uint64_t number = std::strtoull(seed, nullptr, 10);
    return Asked{true, number, number};
  }
  const char* range = std::getenv("PERIGEE_SIM_SEEDS");
  if (range == nullptr) return std::nullopt;
  char* dash = nullptr;
  const uint64_t first = std::strtoull(range, &dash, 10);
  return Asked{false, first, *dash == '-' ? std::strtoull(dash + 1, nullptr, 10) : first};
}

class SeedsThatWereAskedFor : public testing::Test {
 public:
  explicit SeedsThatWereAskedFor(const Asked& asked) : asked_(asked) {}
  void TestBody() override {
    Tally sum;
    for (uint64_t seed = asked_.first; seed <= asked_.last; ++seed) {
      expect_right(seed, asked_.tell, sum);
    }
    if (!asked_.tell) expect_untamed(sum);
    std::cerr << sum.text() << "\n";
  }

 private:
  static void expect_untamed(const Tally& sum) {
    for (const std::string& why : sum.too_tame()) ADD_FAILURE() << why;
  }
  const Asked asked_;
};

/// There is such a test only when seeds are asked for.
[[maybe_unused]] const bool kRegistered = [] {
  const std::optional<Asked> asked = asked_for();
  if (!asked) return false;
  testing::RegisterTest("Simulator", "SeedsThatWereAskedFor", nullptr, nullptr, __FILE__, __LINE__,
                        [asked]() -> testing::Test* { return new SeedsThatWereAskedFor(*asked); });
  return true;
}();

/// 25 runs each, so that CTest spreads them over the cores.
class SimulatorSeeds : public testing::TestWithParam<uint64_t> {
 protected:
  void SetUp() override {
    ASSERT_FALSE(asked_for()) << "other seeds are asked for: --gtest_filter='*AskedFor'";
  }
};

TEST_P(SimulatorSeeds, NothingForbiddenHappens) {
  Tally sum;
  expect_right(GetParam(), GetParam() + kBatch - 1, sum);
}

INSTANTIATE_TEST_SUITE_P(From, SimulatorSeeds, testing::Range<uint64_t>(1, kFixedSeeds + 1, kBatch),
                         [](const auto& range) { return std::to_string(range.param); });

/// Seeds that no earlier run had.
class FreshSeeds : public SimulatorSeeds {};

TEST_P(FreshSeeds, NothingForbiddenHappens) {
  const char* begin = std::getenv("PERIGEE_SIM_FRESH");
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  const uint64_t drawn =
      static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::milliseconds>(now).count());
  uint64_t first = begin != nullptr ? std::strtoull(begin, nullptr, 10) : drawn;
  first += GetParam() * kBatch;
  std::cerr << "seeds " << first << " to " << first + kBatch - 1 << "\n";
  Tally sum;
  expect_right(first, first + kBatch - 1, sum);
}

INSTANTIATE_TEST_SUITE_P(Batch, FreshSeeds, testing::Range<uint64_t>(0, kFreshBatches),
                         [](const auto& batch) { return std::to_string(batch.param); });

}  // namespace
}  // namespace perigee::sim

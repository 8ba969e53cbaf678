// The simulated loop keeps the promises of base/env.h, as the loop of production does.
#include "tests/sim/sim_env.h"

#include <gtest/gtest.h>

#include "tests/support/soon_suite.h"

namespace perigee::test {
namespace {

/// Nothing is reached.
class NoInternet final : public sim::Internet {
 public:
  Reply<base::Addresses> resolve(const std::string&) override { return {sim::kNever, nowhere_}; }
  Reply<base::Done> connect(const base::Address&) override { return {sim::kNever, nowhere_}; }
  std::unique_ptr<base::Channel> connected(sim::SimEnv&, const base::Address&) override {
    return nullptr;
  }

 private:
  const base::Error nowhere_{base::ErrorCode::kConnect, 0, "nothing is there"};
};

struct TurnedSimEnv {
  void turn() { env.act(); }

  sim::Random chance{1};
  sim::Scheduler scheduler{chance};
  NoInternet internet;
  sim::SimPool pool{scheduler, {}};
  sim::SimEnv env{scheduler, pool, internet, 0};
};
INSTANTIATE_TYPED_TEST_SUITE_P(SimEnv, PutOff, TurnedSimEnv);

TEST(SimEnv, IsDueWhenSomethingWasPutOff) {
  TurnedSimEnv loop;
  loop.turn();
  EXPECT_EQ(loop.env.due(), sim::kNever);
  base::Soon work([] {});
  loop.env.soon(work);
  EXPECT_LE(loop.env.due(), loop.scheduler.now_ms());
  EXPECT_TRUE(loop.env.has_tasks());
  loop.turn();
  EXPECT_EQ(loop.env.due(), sim::kNever);
  EXPECT_FALSE(loop.env.has_tasks());
}

}  // namespace
}  // namespace perigee::test

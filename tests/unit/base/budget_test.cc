// Units are granted in the order of asking, across loops, and always come back.
#include "base/budget.h"

#include <gtest/gtest.h>

#include <string>
#include <thread>
#include <vector>

#include "tests/support/fake_env.h"

namespace perigee::base {
namespace {

class BudgetTest : public ::testing::Test {
 protected:
  /// A claim that writes down its name when it is granted, and keeps what it got.
  struct Client {
    Client(BudgetTest& test, std::string its_name)
        : name(std::move(its_name)), claim([this, &test](Share granted) {
            test.order_ += name;
            share = std::move(granted);
          }) {}
    std::string name;
    Claim claim;
    Share share;
  };

  test::FakeEnv env_;
  test::FakeEnv other_{1};
  Budget budget_{10};
  std::string order_;
};

TEST_F(BudgetTest, GrantsUpToItsLimit) {
  Share six = budget_.try_take(6);
  EXPECT_EQ(six.units(), 6u);
  EXPECT_FALSE(budget_.try_take(5));
  Share four = budget_.try_take(4);
  EXPECT_TRUE(four);
  six.shrink_to(1);
  EXPECT_EQ(budget_.used(), 5u);
  six = {};
  EXPECT_EQ(budget_.used(), 4u);
}

TEST_F(BudgetTest, WhoWantsLittleDoesNotPassWhoWantsMuch) {
  Share held = budget_.try_take(5);
  Client much(*this, "m");
  much.claim.wait(budget_, env_, 10);
  EXPECT_FALSE(budget_.try_take(1)) << "there is room, and somebody before";
  held = {};
  EXPECT_EQ(order_, "") << "never inside the call";
  env_.run();
  EXPECT_EQ(order_, "m");
  EXPECT_EQ(much.share.units(), 10u);
}

TEST_F(BudgetTest, ServesLoopsInTheOrderOfAsking) {
  Share all = budget_.try_take(10);
  Client a(*this, "a");
  Client b(*this, "b");
  Client c(*this, "c");
  a.claim.wait(budget_, env_, 5);
  b.claim.wait(budget_, other_, 5);
  c.claim.wait(budget_, env_, 5);
  EXPECT_TRUE(budget_.waiting_elsewhere(other_).has_value());
  EXPECT_FALSE(budget_.waiting_elsewhere(env_).has_value()) << "the first in line is of this loop";
  all = {};
  env_.run();
  other_.run();
  EXPECT_EQ(order_, "ab");
  a.share = {};
  env_.run();
  EXPECT_EQ(order_, "abc");
  EXPECT_EQ(budget_.waiting(), 0u);
}

TEST_F(BudgetTest, OneHolderHasOnlyItsPart) {
  Budget parted(10, 4);
  Share three = parted.try_take(3, 7);
  EXPECT_TRUE(three);
  EXPECT_FALSE(parted.try_take(2, 7)) << "one more than it may have";
  Share fourth = parted.try_take(1, 7);
  EXPECT_TRUE(fourth);
  Share other = parted.try_take(4, 8);
  EXPECT_TRUE(other);
  Share anybody = parted.try_take(2);
  EXPECT_TRUE(anybody) << "nobody's units are bounded by the whole alone";
  three.shrink_to(1);
  EXPECT_TRUE(parted.try_take(2, 7)) << "what came back counts no longer";
}

TEST_F(BudgetTest, AHolderAtItsPartIsPassedByOthers) {
  Budget parted(3, 1);
  Share held = parted.try_take(1, 7);
  Client greedy(*this, "g");
  Client other(*this, "o");
  Client late(*this, "l");
  greedy.claim.wait(parted, env_, 1, 7);
  env_.run();
  EXPECT_EQ(order_, "") << "units are free, and not for this one";
  EXPECT_TRUE(parted.try_take(1, 9)) << "whoever waits for its own units is passed";
  other.claim.wait(parted, env_, 1, 8);
  env_.run();
  EXPECT_EQ(order_, "o");
  late.claim.wait(parted, env_, 1, 8);
  held = {};
  env_.run();
  EXPECT_EQ(order_, "og");
  other.share = {};
  env_.run();
  EXPECT_EQ(order_, "ogl");
  for (Client* client : {&greedy, &other, &late}) client->share = {};
}

TEST_F(BudgetTest, WhoLeavesLetsTheNextOneThrough) {
  Share held = budget_.try_take(5);
  Client much(*this, "m");
  Client little(*this, "l");
  much.claim.wait(budget_, env_, 10);
  little.claim.wait(budget_, env_, 5);
  env_.run();
  EXPECT_EQ(order_, "");
  much.claim.abandon();
  env_.run();
  EXPECT_EQ(order_, "l");
}

TEST_F(BudgetTest, AGrantThatFindsNobodyGoesBack) {
  Share held = budget_.try_take(10);
  {
    Client gone(*this, "g");
    gone.claim.wait(budget_, env_, 10);
    held = {};  // granted and on its way
  }
  EXPECT_EQ(budget_.used(), 10u);
  env_.run();
  EXPECT_EQ(order_, "");
  EXPECT_EQ(budget_.used(), 0u);
}

TEST_F(BudgetTest, WhatIsFreeIsGrantedToAWaiterWithoutAnybodyGivingBack) {
  Client a(*this, "a");
  a.claim.wait(budget_, env_, 3);
  env_.run();
  EXPECT_EQ(order_, "a");
  EXPECT_FALSE(a.claim.waiting()) << "it may wait again";
}

/// Takes and gives back from threads at once: what is counted wrong stays wrong.
TEST_F(BudgetTest, NothingIsLostBetweenThreads) {
  constexpr int kRounds = 50'000;
  std::vector<std::thread> threads;
  for (Holder holder = 1; holder <= 3; ++holder) {
    threads.emplace_back([this, holder] {
      for (int round = 0; round < kRounds; ++round) {
        Share many = budget_.try_take(4, holder);
        const Share one = budget_.try_take(1);
        many.shrink_to(2);
        EXPECT_LE(budget_.used(), budget_.limit());
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(budget_.used(), 0u);
  EXPECT_EQ(budget_.try_take(10).units(), 10u);
}

}  // namespace
}  // namespace perigee::base

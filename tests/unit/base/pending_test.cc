// Interest in an answer: who lets go of it is never called back.
#include <gtest/gtest.h>

#include <memory>

#include "base/env.h"

namespace perigee::base {
namespace {

/// An answer on its way, as an Env keeps it.
class Answer final : public InFlight {
 public:
  void deliver() {
    if (!wanted()) return;
    settle();
    ++called;
  }
  int called = 0;
  int abandoned = 0;

 private:
  void on_abandoned() override { ++abandoned; }
};

TEST(Pending, IsCalledWhileItIsHeld) {
  Answer answer;
  Pending pending(&answer);
  EXPECT_TRUE(pending.waiting());
  answer.deliver();
  EXPECT_EQ(answer.called, 1);
  EXPECT_FALSE(pending.waiting());
  EXPECT_EQ(answer.abandoned, 0) << "settled is not abandoned";
}

TEST(Pending, LettingGoAbandonsOnce) {
  Answer answer;
  { Pending pending(&answer); }
  answer.deliver();
  EXPECT_EQ(answer.called, 0);
  EXPECT_EQ(answer.abandoned, 1);
}

TEST(Pending, InterestMovesAlong) {
  Answer answer;
  Pending first(&answer);
  Pending second(std::move(first));
  EXPECT_FALSE(first.waiting());
  EXPECT_TRUE(second.waiting());
  first = std::move(second);
  EXPECT_TRUE(first.waiting());
  EXPECT_EQ(answer.abandoned, 0);
  answer.deliver();
  EXPECT_EQ(answer.called, 1);
}

TEST(Pending, ANewInterestLetsGoOfTheOld) {
  Answer old;
  Answer fresh;
  Pending pending(&old);
  pending = Pending(&fresh);
  EXPECT_EQ(old.abandoned, 1);
  EXPECT_TRUE(fresh.wanted());
}

TEST(Pending, AssigningItselfKeepsTheInterest) {
  Answer answer;
  Pending pending(&answer);
  Pending& same = pending;
  pending = std::move(same);
  EXPECT_TRUE(pending.waiting());
  EXPECT_EQ(answer.abandoned, 0);
}

TEST(Pending, OneThatWaitsForNothingMayGo) {
  Pending pending;
  pending.abandon();
  EXPECT_FALSE(pending.waiting());
}

}  // namespace
}  // namespace perigee::base

// The timer wheel: never early, at most one slot late, and safe against timers that act on each
// other.
#include "base/timer_wheel.h"

#include <gtest/gtest.h>

#include <memory>

namespace perigee::base {
namespace {

TEST(TimerWheel, FiresNeverEarlyAndAtMostOneSlotLate) {
  for (int64_t due = 0; due < 60; ++due) {
    TimerWheel wheel(Tick{0});
    int fired = 0;
    Timer timer([&] { ++fired; });
    wheel.arm(timer, Tick{due});
    for (int64_t now = 0; now < due; ++now) wheel.advance(Tick{now});
    EXPECT_EQ(fired, 0) << due;
    wheel.advance(Tick{due + TimerWheel::kSlotMs});
    EXPECT_EQ(fired, 1) << due;
    EXPECT_FALSE(timer.armed());
  }
}

TEST(TimerWheel, WaitsMoreThanOneTurnOfTheWheel) {
  TimerWheel wheel(Tick{5});
  int fired = 0;
  Timer timer([&] { ++fired; });
  const int64_t due = 3 * TimerWheel::kSlotMs * static_cast<int64_t>(TimerWheel::kSlots) + 7;
  wheel.arm(timer, Tick{due});
  for (int64_t now = 5; now < due; now += 10) wheel.advance(Tick{now});
  EXPECT_EQ(fired, 0);
  wheel.advance(Tick{due + 10});
  EXPECT_EQ(fired, 1);
}

TEST(TimerWheel, RearmingMovesTheDeadlineBothWays) {
  TimerWheel wheel(Tick{0});
  int fired = 0;
  Timer timer([&] { ++fired; });
  wheel.arm(timer, Tick{100});
  wheel.arm(timer, Tick{500});
  wheel.advance(Tick{300});
  EXPECT_EQ(fired, 0);
  wheel.arm(timer, Tick{320});
  wheel.advance(Tick{330});
  EXPECT_EQ(fired, 1);
  wheel.advance(Tick{1000});
  EXPECT_EQ(fired, 1);
}

TEST(TimerWheel, ATimerMayDestroyItsNeighbourAndRearmItself) {
  TimerWheel wheel(Tick{0});
  int fired = 0;
  auto neighbour = std::make_unique<Timer>([&] { ++fired; });
  Timer* self = nullptr;
  Timer killer([&] {
    neighbour.reset();
    ++fired;
    if (fired < 3) wheel.arm(*self, Tick{0});
  });
  self = &killer;
  wheel.arm(*neighbour, Tick{10});
  wheel.arm(killer, Tick{10});
  for (int64_t now = 10; now <= 100; now += 10) wheel.advance(Tick{now});
  EXPECT_EQ(fired, 3);
  EXPECT_EQ(wheel.size(), 0u);
}

TEST(TimerWheel, ALongSleepFiresEverythingOnce) {
  TimerWheel wheel(Tick{0});
  int fired = 0;
  Timer near([&] { ++fired; });
  Timer far([&] { ++fired; });
  wheel.arm(near, Tick{20});
  wheel.arm(far, Tick{3'600'000});
  wheel.advance(Tick{4'000'000});
  EXPECT_EQ(fired, 2);
  EXPECT_FALSE(wheel.next().has_value());
}

}  // namespace
}  // namespace perigee::base

// The loop: posts in order, timers never early, and an end in which nothing that was posted is
// lost.
#include "edge/doors/uv_env.h"

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <chrono>
#include <functional>
#include <vector>

#include "tests/support/soon_suite.h"
#include "tests/unit/doors/running_loop.h"

namespace perigee::edge {
namespace {

using base::Tick;

TEST(UvEnv, PostsOfEachThreadRunInTheirOrder) {
  constexpr int kThreads = 4;
  constexpr int kPosts = 2'000;
  RunningLoop loop;
  std::vector<std::pair<int, int>> ran;
  std::vector<std::thread> threads;
  for (int thread = 0; thread < kThreads; ++thread) {
    threads.emplace_back([&, thread] {
      for (int i = 0; i < kPosts; ++i)
        loop.env.post([&ran, thread, i] { ran.emplace_back(thread, i); });
    });
  }
  for (std::thread& thread : threads) thread.join();
  loop.call([] {});
  ASSERT_EQ(ran.size(), static_cast<size_t>(kThreads * kPosts));
  std::array<int, kThreads> next{};
  for (const auto& [thread, i] : ran) EXPECT_EQ(i, next[static_cast<size_t>(thread)]++);
}

TEST(UvEnv, APostRunsOnTheLoopThatItWasGivenTo) {
  RunningLoop first;
  RunningLoop second(1, first.pool);
  EXPECT_EQ(first.env.loop(), 0u);
  EXPECT_EQ(second.env.loop(), 1u);
  std::array<std::thread::id, 2> there;
  std::promise<std::thread::id> back;
  // From a thread that is neither, and from one loop to the other and back.
  first.call([&] { there[0] = std::this_thread::get_id(); });
  second.call([&] { there[1] = std::this_thread::get_id(); });
  EXPECT_EQ(there[0], first.id());
  EXPECT_EQ(there[1], second.id());
  first.env.post([&] {
    second.env.post([&] {
      EXPECT_EQ(std::this_thread::get_id(), second.id());
      first.env.post([&] { back.set_value(std::this_thread::get_id()); });
    });
  });
  EXPECT_EQ(back.get_future().get(), first.id());
}

TEST(UvEnv, APostIsNeverRunInline) {
  RunningLoop loop;
  std::vector<int> order;
  loop.call([&] {
    loop.env.post([&] { order.push_back(2); });
    order.push_back(1);
  });
  loop.call([] {});
  EXPECT_EQ(order, (std::vector<int>{1, 2}));
}

struct TurnedUvEnv {
  ~TurnedUvEnv() {
    pool.stop();
    env.close();
  }
  void turn() {
    env.set_turn([this] {
      env.quit();
      return false;
    });
    env.post([] {});
    env.run();
  }
  ThreadPool pool{1};
  UvEnv env{0, pool};
};

}  // namespace
}  // namespace perigee::edge

namespace perigee::test {
INSTANTIATE_TYPED_TEST_SUITE_P(UvEnv, PutOff, edge::TurnedUvEnv);
}  // namespace perigee::test

namespace perigee::edge {
namespace {

TEST(UvEnv, WhatIsPutOffKeepsTheLoopFromBlocking) {
  RunningLoop loop;
  std::promise<void> ended;
  base::Soon second([&] { ended.set_value(); });
  base::Soon first([&] { loop.env.soon(second); });
  loop.call([&] { loop.env.soon(first); });
  EXPECT_EQ(ended.get_future().wait_for(std::chrono::seconds(20)), std::future_status::ready);
}

TEST(UvEnv, TimersFireInTheirOrderAndNeverEarly) {
  RunningLoop loop;
  struct Alarm {
    std::unique_ptr<base::Timer> timer;
    Tick due;
    Tick fired;
  };
  std::vector<Alarm> alarms(20);
  std::vector<size_t> order;
  std::promise<void> all;
  loop.call([&] {
    const Tick begin = loop.env.now();
    for (size_t i = 0; i < alarms.size(); ++i) {
      // Armed in an order of no meaning, each to a time of its own.
      const size_t place = i * 7 % alarms.size();
      Alarm& alarm = alarms[place];
      alarm.due = begin + static_cast<int64_t>(15 * place);
      alarm.timer = std::make_unique<base::Timer>([&, place] {
        alarms[place].fired = loop.env.now();
        order.push_back(place);
        if (order.size() == alarms.size()) all.set_value();
      });
      loop.env.arm(*alarm.timer, alarm.due);
    }
  });
  all.get_future().wait();
  for (size_t i = 0; i < alarms.size(); ++i) {
    EXPECT_EQ(order[i], i);
    EXPECT_GE(alarms[i].fired, alarms[i].due);
  }
  loop.call([&] { alarms.clear(); });
}

TEST(UvEnv, ATimerThatIsGoneOrDisarmedNeverFires) {
  RunningLoop loop;
  bool fired = false;
  std::promise<void> past;
  auto gone = std::make_unique<base::Timer>([&] { fired = true; });
  auto disarmed = std::make_unique<base::Timer>([&] { fired = true; });
  auto after = std::make_unique<base::Timer>([&] { past.set_value(); });
  loop.call([&] {
    loop.env.arm(*gone, loop.env.now() + 10);
    loop.env.arm(*disarmed, loop.env.now() + 10);
    loop.env.arm(*after, loop.env.now() + 50);
    gone.reset();
    disarmed->disarm();
  });
  past.get_future().wait();
  EXPECT_FALSE(fired);
  loop.call([&] {
    disarmed.reset();
    after.reset();
  });
}

TEST(UvEnv, ATimerArmedAgainFiresOnceAtItsNewTime) {
  RunningLoop loop;
  Tick due;
  Tick fired;
  int times = 0;
  std::promise<void> done;
  auto timer = std::make_unique<base::Timer>([&] {
    fired = loop.env.now();
    if (++times == 1) done.set_value();
  });
  loop.call([&] {
    loop.env.arm(*timer, loop.env.now() + 10);
    due = loop.env.now() + 60;
    loop.env.arm(*timer, due);
  });
  done.get_future().wait();
  EXPECT_GE(fired, due);
  loop.call([&] { timer.reset(); });
  EXPECT_EQ(times, 1);
}

TEST(UvEnv, ADeadlineThatPassesDuringALongTurnStillWakesTheLoop) {
  ThreadPool pool(1);
  UvEnv env(0, pool);
  base::Timer timer([&] { env.quit(); });
  env.arm(timer, env.now() + 10);
  env.set_turn([&] {
    // Longer than the deadline is away; nothing but the timer wakes the loop after it.
    if (timer.armed()) std::this_thread::sleep_for(std::chrono::milliseconds(40));
    return false;
  });
  env.post([] {});
  std::promise<void> ended;
  std::atomic<bool> slept_on{false};
  std::thread watch([&] {
    if (ended.get_future().wait_for(std::chrono::seconds(20)) == std::future_status::ready) return;
    slept_on = true;
    env.post([&] { env.quit(); });
  });
  env.run();
  ended.set_value();
  watch.join();
  EXPECT_FALSE(slept_on);
  pool.stop();
  env.close();
}

TEST(UvEnv, ANearerTimerArmedAfterAFartherOneWakesTheLoop) {
  RunningLoop loop;
  std::promise<Tick> fired;
  auto farther = std::make_unique<base::Timer>([] {});
  auto nearer = std::make_unique<base::Timer>([&] { fired.set_value(loop.env.now()); });
  Tick far_due;
  loop.call([&] {
    // Within one turn of the wheel, which wakes the loop in any case.
    far_due = loop.env.now() + 9'000;
    loop.env.arm(*farther, far_due);
  });
  // In another turn: by then the loop sleeps until the farther one.
  loop.call([&] { loop.env.arm(*nearer, loop.env.now() + 40); });
  EXPECT_LT(fired.get_future().get(), far_due + -4'000);
  loop.call([&] {
    EXPECT_TRUE(farther->armed());
    nearer.reset();
    farther.reset();
  });
}

// The loop wakes for what is gone, finds nothing, and must wake again for what is left.
TEST(UvEnv, ATimerBehindOneThatWasDisarmedStillWakesTheLoop) {
  RunningLoop loop;
  std::promise<void> fired;
  auto nearer = std::make_unique<base::Timer>([] {});
  auto farther = std::make_unique<base::Timer>([&] { fired.set_value(); });
  loop.call([&] { loop.env.arm(*nearer, loop.env.now() + 40); });
  loop.call([&] {
    nearer.reset();
    loop.env.arm(*farther, loop.env.now() + 120);
  });
  EXPECT_EQ(fired.get_future().wait_for(std::chrono::seconds(20)), std::future_status::ready);
  loop.call([&] { farther.reset(); });
}

// Between the two nothing is armed, and the loop sleeps without a bound.
TEST(UvEnv, ATimerArmedAfterTheLastOneWasDisarmedWakesTheLoop) {
  RunningLoop loop;
  std::promise<void> fired;
  auto first = std::make_unique<base::Timer>([] {});
  auto second = std::make_unique<base::Timer>([&] { fired.set_value(); });
  loop.call([&] { loop.env.arm(*first, loop.env.now() + 100); });
  loop.call([&] { first.reset(); });
  loop.call([&] { loop.env.arm(*second, loop.env.now() + 150); });
  EXPECT_EQ(fired.get_future().wait_for(std::chrono::seconds(20)), std::future_status::ready);
  loop.call([&] { second.reset(); });
}

TEST(UvEnv, ALoopThatHadMoreToDoBlocksAgain) {
  ThreadPool pool(1);
  UvEnv env(0, pool);
  base::Timer end([&] { env.quit(); });
  int turns = 0;
  env.set_turn([&] { return ++turns < 5; });
  env.arm(end, env.now() + 200);
  env.post([] {});
  env.run();
  EXPECT_GE(turns, 5);
  EXPECT_LT(turns, 50);
  pool.stop();
}

TEST(UvEnv, ATurnThatHasMoreToDoIsFollowedByAnother) {
  ThreadPool pool(1);
  UvEnv env(0, pool);
  int turns = 0;
  env.set_turn([&] {
    if (++turns == 5) env.quit();
    return turns < 5;
  });
  env.post([] {});
  env.run();
  EXPECT_EQ(turns, 5);
  pool.stop();
}

// --- the end ---

TEST(UvEnv, WhatIsPostedToADrainingLoopStillRuns) {
  ThreadPool pool(1);
  UvEnv env(0, pool);
  std::vector<std::string> ran;
  base::Soon put_off([&] {
    ran.push_back("put off");
    env.post([&] { ran.push_back("posted by what was put off"); });
  });
  env.post([&] { env.quit(); });
  env.run();
  // The loop has ended; its posts go on until close().
  env.post([&] {
    ran.push_back("posted");
    env.soon(put_off);
  });
  env.close();
  EXPECT_EQ(ran, (std::vector<std::string>{"posted", "put off", "posted by what was put off"}));
}

TEST(UvEnv, WhatIsPutOffAtTheEndStillRuns) {
  ThreadPool pool(1);
  UvEnv env(0, pool);
  int ran = 0;
  base::Soon second([&] { ++ran; });
  base::Soon first([&] {
    ++ran;
    env.soon(second);
  });
  env.soon(first);
  env.close();
  EXPECT_EQ(ran, 2);
}

TEST(UvEnvDeathTest, APostAfterTheEndIsABug) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  ThreadPool pool(1);
  UvEnv env(0, pool);
  env.close();
  EXPECT_DEATH(env.post([] {}), "closed_");
}

TEST(UvEnv, ALoopThatNeverRanEndsInOrder) {
  ThreadPool pool(1);
  bool ran = false;
  {
    UvEnv env(0, pool);
    env.post([&] { ran = true; });
  }
  EXPECT_TRUE(ran);
}

// --- the wall clock ---

std::atomic<int64_t> g_wall_step_ms{0};
int64_t stepped_wall_ms() { return system_wall_ms() + g_wall_step_ms; }

class WallClock : public testing::Test {
 protected:
  ~WallClock() override {
    g_wall_step_ms = 0;
    pool.stop();
    env.close();
  }
  int64_t offset_ms() const { return env.wall().ms - env.now().ms; }
  /// Turns of the loop, for so long.
  void run(int64_t for_ms) {
    base::Timer end([this] { env.quit(); });
    env.arm(end, env.now() + for_ms);
    env.run();
  }

  ThreadPool pool{1};
  UvEnv env{0, pool, stepped_wall_ms};
};

TEST_F(WallClock, IsTheSystemsAndMovesWithTheTick) {
  EXPECT_NEAR(static_cast<double>(env.wall().ms), static_cast<double>(stepped_wall_ms()), 5'000);
  const int64_t before = offset_ms();
  run(20);
  EXPECT_EQ(offset_ms(), before);
}

TEST_F(WallClock, FollowsAStepOfTheSystemsInEitherDirection) {
  const int64_t before = offset_ms();
  for (const int64_t step_ms : {int64_t{3'600'000}, int64_t{-7'200'000}}) {
    g_wall_step_ms = step_ms;
    run(1'100);
    EXPECT_NEAR(static_cast<double>(offset_ms() - before), static_cast<double>(step_ms), 5'000);
  }
}

// A clock that is slewed, or off by a leap second: ages must not jump.
TEST_F(WallClock, DoesNotFollowASmallStep) {
  const int64_t before = offset_ms();
  for (const int64_t step_ms : {int64_t{30'000}, int64_t{-30'000}}) {
    g_wall_step_ms = step_ms;
    run(1'100);
    EXPECT_EQ(offset_ms(), before);
  }
}

TEST_F(WallClock, AStepMovesNoTimer) {
  for (const int64_t step_ms : {int64_t{86'400'000}, int64_t{-86'400'000}}) {
    bool fired = false;
    base::Timer far([&] { fired = true; });
    env.arm(far, env.now() + 600'000);
    const Tick begin = env.now();
    g_wall_step_ms += step_ms;
    run(1'100);
    EXPECT_FALSE(fired);
    EXPECT_GE(env.now() - begin, 1'100) << "the nearer one was not early";
    EXPECT_LT(env.now() - begin, 60'000) << "and the tick did not step";
  }
}

}  // namespace
}  // namespace perigee::edge

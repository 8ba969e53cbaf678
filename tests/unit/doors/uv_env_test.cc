// The production loop by itself: what it promises of time, posts and jobs.
#include "edge/doors/uv_env.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <future>
#include <thread>

#include "edge/doors/thread_pool.h"

namespace perigee::edge {
namespace {

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

TEST(UvEnv, ATimerIsNeverEarly) {
  ThreadPool pool(1);
  UvEnv env(0, pool);
  const base::Tick due = env.now() + 25;
  base::Tick fired{0};
  base::Timer timer([&] {
    fired = env.now();
    env.quit();
  });
  env.arm(timer, due);
  env.run();
  EXPECT_GE(fired, due);
  pool.stop();
  env.close();
}

}  // namespace
}  // namespace perigee::edge

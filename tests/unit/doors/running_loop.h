// A loop on a thread of its own, for tests of what runs on it.
#pragma once

#include <future>
#include <thread>

#include "edge/doors/thread_pool.h"
#include "edge/doors/uv_env.h"

namespace perigee::edge {

/// Runs from construction to stop(), or to destruction.
class RunningLoop {
 public:
  explicit RunningLoop(unsigned pool_threads = 2) : pool(pool_threads), env(0, pool) {
    thread_ = std::thread([this] { env.run(); });
    call([this] { id_ = std::this_thread::get_id(); });
  }
  ~RunningLoop() { stop(); }

  /// Runs `task` on the loop and waits until it has.
  void call(std::function<void()> task) {
    std::promise<void> ran;
    env.post([&] {
      task();
      ran.set_value();
    });
    ran.get_future().wait();
  }
  /// In the order of the server: the pool, then the loop.
  void stop() {
    if (!thread_.joinable()) return;
    pool.stop();
    env.post([this] { env.quit(); });
    thread_.join();
    env.close();
  }
  std::thread::id id() const { return id_; }

  ThreadPool pool;
  UvEnv env;

 private:
  std::thread thread_;
  std::thread::id id_;
};

}  // namespace perigee::edge

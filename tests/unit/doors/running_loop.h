// A loop on a thread of its own, for tests of what runs on it.
#pragma once

#include <functional>
#include <future>
#include <memory>
#include <thread>

#include "edge/doors/thread_pool.h"
#include "edge/doors/uv_env.h"

namespace perigee::edge {

/// Runs from construction to stop(), or to destruction.
class RunningLoop {
  std::unique_ptr<ThreadPool> own_pool_;  ///< null: another loop's is used

 public:
  explicit RunningLoop(unsigned pool_threads = 2)
      : own_pool_(std::make_unique<ThreadPool>(pool_threads)), pool(*own_pool_), env(0, pool) {
    begin();
  }
  /// Another loop of the same process: it ends before the one whose pool it uses.
  RunningLoop(unsigned index, ThreadPool& shared) : pool(shared), env(index, pool) { begin(); }
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
    if (own_pool_ != nullptr) pool.stop();
    env.post([this] { env.quit(); });
    thread_.join();
    env.close();
  }
  std::thread::id id() const { return id_; }

  ThreadPool& pool;
  UvEnv env;

 private:
  void begin() {
    thread_ = std::thread([this] { env.run(); });
    call([this] { id_ = std::this_thread::get_id(); });
  }

  std::thread thread_;
  std::thread::id id_;
};

}  // namespace perigee::edge

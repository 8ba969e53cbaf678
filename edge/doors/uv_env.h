// A loop: libuv's, with our own timer wheel and post queue on top.
//
// Everything but post() belongs to the thread that runs it.
#pragma once

#include <uv.h>

#include <memory>
#include <vector>

#include "base/env.h"
#include "base/mutex.h"
#include "base/soon_list.h"
#include "base/timer_wheel.h"
#include "edge/doors/random.h"
#include "edge/doors/thread_pool.h"

namespace perigee::edge {

class AresResolver;
class TlsContexts;
class UvConnector;

/// Milliseconds since 1970, now, by the system's clock.
int64_t system_wall_ms();

class UvEnv final : public base::Env {
 public:
  /// `wall_clock`: milliseconds since 1970; the system's, but in tests.
  UvEnv(unsigned loop, ThreadPool& pool, int64_t (*wall_clock)() = system_wall_ms);
  ~UvEnv() override;

  base::Tick now() const override { return now_; }
  base::WallTime wall() const override { return {now_.ms + wall_offset_ms_}; }
  uint64_t random() override { return random_.next(); }
  unsigned loop() const override { return loop_index_; }
  void arm(base::Timer& timer, base::Tick due) override;
  void soon(base::Soon& work) override;
  void post(base::Task task) override;
  bool offload(base::Lane lane, std::unique_ptr<base::Job>& job, base::Pending& pending) override;
  base::Pending resolve(std::string_view host, uint16_t port, base::OnResolve on_resolve) override;
  base::Pending connect(const base::Endpoint& endpoint, base::OnConnect on_connect) override;

  /// Called once per turn, after I/O and posts. True: there is more to do, the loop must not block.
  void set_turn(base::Fn<bool()> turn) { turn_ = std::move(turn); }
  /// Runs until quit(), then until no post and no handle is left.
  void run();
  /// From a task of this loop: run() returns after the turn.
  void quit() { uv_stop(&loop_); }
  /// After run(): runs what is still posted, closes what is left. Nothing may be posted afterwards.
  void close();
  uv_loop_t* uv() { return &loop_; }
  TlsContexts& tls();

 private:
  void read_clock();
  void drain_posts();
  void after_poll();
  void before_poll();
  void schedule_timer();
  void call_pool();
  bool try_close();

  uv_loop_t loop_;
  uv_async_t async_;
  uv_timer_t timer_;
  uv_check_t check_;
  uv_prepare_t prepare_;
  uv_idle_t idle_;
  const unsigned loop_index_;
  ThreadPool& pool_;
  bool offloaded_ = false;  ///< since the pool was called last
  RandomSource random_;
  base::Tick now_;
  int64_t (*const wall_clock_)();
  int64_t wall_offset_ms_ = 0;
  base::Tick next_wall_check_;
  base::TimerWheel wheel_;
  int64_t timer_due_ms_ = INT64_MAX;
  base::Fn<bool()> turn_;
  base::SoonList soons_;
  base::Mutex posts_mutex_{base::LockRank::kPosts};
  std::vector<base::Task> posts_ GUARDED_BY(posts_mutex_);
  std::unique_ptr<AresResolver> resolver_;
  std::unique_ptr<UvConnector> connector_;
  std::unique_ptr<TlsContexts> tls_;
  bool closed_ GUARDED_BY(posts_mutex_) = false;
};

}  // namespace perigee::edge

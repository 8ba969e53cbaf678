// A loop of the node and the node's pool, without a kernel: everything happens when the scheduler
// lets it.
#pragma once

#include <array>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/env.h"
#include "base/limits.h"
#include "base/soon_list.h"
#include "base/timer_wheel.h"
#include "tests/sim/scheduler.h"
#include "tests/sim/sim_channel.h"

namespace perigee::sim {

/// What stands behind names and addresses.
class Internet {
 public:
  virtual ~Internet() = default;
  template <typename T>
  struct Reply {
    int64_t after_ms = 0;  ///< kNever: it hangs until the deadline of the question
    base::Result<T> result;
  };
  virtual Reply<base::Addresses> resolve(const std::string& host) = 0;
  /// Asked when the question is; the connection itself is made by connected() when the answer is
  /// due.
  virtual Reply<base::Done> connect(const base::Address& address) = 0;
  virtual std::unique_ptr<base::Channel> connected(class SimEnv& env,
                                                   const base::Address& address) = 0;
};

/// How the pool behaves.
struct PoolRules {
  size_t threads = 2;         ///< jobs at work at once
  int64_t most_delay_ms = 0;  ///< between a job's offer and its work
  std::array<size_t, base::kLanes> capacity{base::limits::kLatencyJobs, base::limits::kStoreJobs,
                                            base::limits::kBackgroundJobs};
};

/// Works off jobs of all loops in any order, each at a time of its own.
class SimPool final : public Actor {
 public:
  SimPool(Scheduler& scheduler, const PoolRules& rules);
  ~SimPool() override;

  int64_t due() const override;
  void act() override;
  bool is_thread() const override { return true; }
  /// Jobs queued, at work or on their way home.
  size_t busy() const { return queue_.size() + at_work_ + coming_home_; }
  /// The process stops: what was not begun never is.
  void drop_all();

 private:
  friend class SimEnv;
  class Offered;
  struct Queued {
    SimEnv* env;
    base::Lane lane;
    int64_t due_ms;
    std::unique_ptr<Offered> job;
  };
  bool offer(SimEnv& env, base::Lane lane, std::unique_ptr<base::Job>& job, base::Pending& pending);

  Scheduler& scheduler_;
  const PoolRules rules_;
  std::vector<Queued> queue_;
  std::array<size_t, base::kLanes> queued_{};
  size_t at_work_ = 0;
  size_t coming_home_ = 0;
};

class SimEnv final : public base::Env, public Actor {
 public:
  SimEnv(Scheduler& scheduler, SimPool& pool, Internet& internet, unsigned loop);
  ~SimEnv() override;

  // base::Env
  base::Tick now() const override { return now_; }
  base::WallTime wall() const override { return {scheduler_.wall_offset_ms() + now_.ms}; }
  uint64_t random() override { return scheduler_.random.next(); }
  unsigned loop() const override { return loop_; }
  void arm(base::Timer& timer, base::Tick due) override { wheel_.arm(timer, due); }
  void soon(base::Soon& work) override { soons_.arm(work); }
  void post(base::Task task) override { tasks_.push_back(std::move(task)); }
  bool offload(base::Lane lane, std::unique_ptr<base::Job>& job, base::Pending& pending) override {
    return pool_.offer(*this, lane, job, pending);
  }
  base::Pending resolve(std::string_view host, uint16_t port, base::OnResolve on_resolve) override;
  base::Pending connect(const base::Endpoint& endpoint, base::OnConnect on_connect) override;

  // Actor: one turn.
  int64_t due() const override;
  void act() override;
  bool is_thread() const override { return true; }
  /// What the end of each turn enters; says whether it has more to do.
  void at_end_of_turn(std::function<bool()> worker_turn) { worker_turn_ = std::move(worker_turn); }

  Scheduler& scheduler() { return scheduler_; }
  /// Nothing to do before somebody outside or the clock moves.
  bool quiet() const { return !in_turn_ && due() > now_.ms && due() > scheduler_.now_ms(); }
  void add(SimChannel& channel) { channels_.push_back(&channel); }
  void remove(SimChannel& channel);

  // What is left.
  size_t timers() const { return wheel_.size(); }
  size_t channels() const { return channels_.size(); }
  bool has_tasks() const { return !tasks_.empty() || !soons_.empty(); }
  /// Questions whose answer somebody still waits for.
  size_t questions() const;

 private:
  friend class SimPool;
  class Question;
  class Resolving;
  class Connecting;

  void run_tasks();
  void answer();
  void finish_jobs();
  void poll_channels();

  Scheduler& scheduler_;
  SimPool& pool_;
  Internet& internet_;
  const unsigned loop_;
  base::Tick now_;
  base::TimerWheel wheel_;
  base::SoonList soons_;
  std::deque<base::Task> tasks_;
  std::vector<std::unique_ptr<Question>> questions_;
  std::vector<std::unique_ptr<SimPool::Offered>> finished_;
  std::vector<SimChannel*> channels_;
  std::function<bool()> worker_turn_;
  bool more_to_do_ = true;
  bool in_turn_ = false;
};

}  // namespace perigee::sim

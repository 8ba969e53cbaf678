// A loop without a kernel: manual clock, tasks, jobs, names and connections under the control of a
// test.
//
// One thread, no chance but the seed. Several FakeEnvs may stand for several loops: run them in
// turn. Nothing happens but inside turn(), run() and advance(), so a test decides the order of
// everything.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <functional>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/env.h"
#include "base/soon_list.h"
#include "base/timer_wheel.h"

namespace perigee::test {

/// What FakeEnv polls once per turn: the end of a memory pipe.
class Pollable {
 public:
  virtual ~Pollable() = default;
  /// Calls its user when it is ready for what is wanted. True: it called.
  virtual bool poll() = 0;
};

class FakeEnv : public base::Env {
 public:
  explicit FakeEnv(unsigned loop = 0, uint64_t seed = 1);
  ~FakeEnv() override;
  FakeEnv(const FakeEnv&) = delete;
  FakeEnv& operator=(const FakeEnv&) = delete;

  // --- base::Env ---
  base::Tick now() const override { return now_; }
  base::WallTime wall() const override { return {wall_offset_ms_ + now_.ms}; }
  uint64_t random() override;
  unsigned loop() const override { return loop_; }
  void arm(base::Timer& timer, base::Tick due) override { wheel_.arm(timer, due); }
  void soon(base::Soon& work) override { soons_.arm(work); }
  void post(base::Task task) override { tasks_.push_back(std::move(task)); }
  bool offload(base::Lane lane, std::unique_ptr<base::Job>& job, base::Pending& pending) override;
  base::Pending resolve(std::string_view host, uint16_t port, base::OnResolve on_resolve) override;
  base::Pending connect(const base::Endpoint& endpoint, base::OnConnect on_connect) override;

  // --- driving ---
  /// What stands at the top of each turn, as a worker's run list does. True: something ran.
  std::function<bool()> each_turn;
  /// One turn: each_turn, then the tasks posted so far, what was put off, answers that are due,
  /// finished jobs, ready channels, then queued jobs (unless held). True: something ran.
  bool turn();
  /// Turns until nothing runs. CHECKs against spinning: a level-triggered event nobody takes never
  /// ends.
  void run();
  /// Moves the clock, stopping at every deadline on the way, and runs what comes up.
  void advance(int64_t ms);
  /// A step of the wall clock; the monotonic clock stays.
  void step_wall(int64_t ms) { wall_offset_ms_ += ms; }

  // --- names: answered in the next turn; nullopt hangs until kResolveMs, then kTimeout ---
  using ResolveScript =
      std::function<std::optional<base::Result<base::Addresses>>(const std::string& host)>;
  ResolveScript on_resolve;  ///< unset: every name is kResolve
  unsigned resolves = 0;     ///< questions asked

  // --- connections: answered in the next turn; nullopt hangs until the deadline, then kTimeout ---
  using ConnectResult = base::Result<std::unique_ptr<base::Channel>>;
  using ConnectScript = std::function<std::optional<ConnectResult>(const base::Endpoint&)>;
  ConnectScript on_connect;              ///< unset: every connection is refused
  std::vector<base::Endpoint> connects;  ///< attempts made

  // --- the pool ---
  bool hold_jobs = false;  ///< jobs wait for run_jobs()
  /// Works off the jobs that wait; done() follows in the next turn. Returns how many ran.
  size_t run_jobs();
  /// Jobs that wait in a lane.
  size_t jobs(base::Lane lane) const { return lanes_[static_cast<size_t>(lane)].size(); }
  /// Jobs that a lane took so far.
  uint64_t offloads(base::Lane lane) const { return offloads_[static_cast<size_t>(lane)]; }
  /// What a lane holds; beyond it offload() is refused.
  std::array<size_t, base::kLanes> lane_capacity{1024, 4096, 256};

  // --- what is left (for "nothing stays behind" checks) ---
  size_t timers() const { return wheel_.size(); }
  size_t waiting() const { return answers_.size(); }
  size_t channels() const { return channels_.size(); }

  // --- for channels ---
  void add(Pollable& channel) { channels_.push_back(&channel); }
  void remove(Pollable& channel);

 private:
  class Answer;
  class Resolving;
  class Connecting;
  class OffloadedJob;

  bool run_tasks();
  bool run_soons();
  bool run_answers();
  bool finish_jobs();
  bool poll_channels();
  base::Tick next_due() const;

  const unsigned loop_;
  uint64_t random_state_;
  base::Tick now_{1'000'000};
  int64_t wall_offset_ms_ = 1'767'225'600'000;  ///< 2026-01-01
  base::TimerWheel wheel_{now_};
  base::SoonList soons_;
  std::deque<base::Task> tasks_;
  std::list<std::unique_ptr<Answer>> answers_;
  std::array<std::deque<std::unique_ptr<OffloadedJob>>, base::kLanes> lanes_;
  std::array<uint64_t, base::kLanes> offloads_{};
  std::deque<std::unique_ptr<OffloadedJob>> finished_;
  std::vector<Pollable*> channels_;
};

/// Counts wake() calls.
class CountingWaker : public base::Waker {
 public:
  void wake() override { ++wakes; }
  int wakes = 0;
};

}  // namespace perigee::test

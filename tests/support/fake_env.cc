// The turns of a FakeEnv: tasks, what was put off, answers, finished jobs and channels, always in
// the same order.
#include "tests/support/fake_env.h"

#include <algorithm>
#include <atomic>
#include <limits>
#include <utility>

#include "base/limits.h"

namespace perigee::test {

namespace {
constexpr int kSpinTurns = 200'000;
constexpr base::Tick kNever{std::numeric_limits<int64_t>::max()};
}  // namespace

/// A name or a connection on its way.
class FakeEnv::Answer : public base::InFlight {
 public:
  explicit Answer(base::Tick due_at) : due(due_at) {}
  virtual void deliver() = 0;
  void cut() { settle(); }
  const base::Tick due;
};

class FakeEnv::Resolving : public Answer {
 public:
  Resolving(base::Tick due_at, base::Result<base::Addresses> result, base::OnResolve callback)
      : Answer(due_at), result_(std::move(result)), callback_(std::move(callback)) {}
  void deliver() override {
    settle();
    callback_(std::move(result_));
  }

 private:
  base::Result<base::Addresses> result_;
  base::OnResolve callback_;
};

class FakeEnv::Connecting : public Answer {
 public:
  Connecting(base::Tick due_at, ConnectResult result, base::OnConnect callback)
      : Answer(due_at), result_(std::move(result)), callback_(std::move(callback)) {}
  void deliver() override {
    settle();
    callback_(std::move(result_));
  }

 private:
  ConnectResult result_;
  base::OnConnect callback_;
};

class FakeEnv::OffloadedJob : public base::InFlight {
 public:
  explicit OffloadedJob(std::unique_ptr<base::Job> work) : job(std::move(work)) {}
  void finish() {
    if (!wanted()) return;
    settle();
    job->done();
  }
  void cut() { settle(); }
  std::unique_ptr<base::Job> job;
};

FakeEnv::FakeEnv(unsigned loop, uint64_t seed) : loop_(loop), random_state_(seed) {}

FakeEnv::~FakeEnv() {
  for (auto& answer : answers_) answer->cut();
  for (auto& lane : lanes_) {
    for (auto& job : lane) job->cut();
  }
  for (auto& job : finished_) job->cut();
}

uint64_t FakeEnv::random() {
  random_state_ += 0x9e3779b97f4a7c15u;
  uint64_t mixed = random_state_;
  mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9u;
  mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111ebu;
  return mixed ^ (mixed >> 31);
}

bool FakeEnv::offload(base::Lane lane, std::unique_ptr<base::Job>& job, base::Pending& pending) {
  const size_t index = static_cast<size_t>(lane);
  if (lanes_[index].size() >= lane_capacity[index]) return false;
  ++offloads_[index];
  lanes_[index].push_back(std::make_unique<OffloadedJob>(std::move(job)));
  pending = base::Pending(lanes_[index].back().get());
  return true;
}

base::Pending FakeEnv::resolve(std::string_view host, uint16_t port, base::OnResolve callback) {
  ++resolves;
  base::Result<base::Addresses> result = base::Error{base::ErrorCode::kResolve, 0, "no such name"};
  base::Tick due = now_;
  if (on_resolve) {
    auto scripted = on_resolve(std::string(host));
    if (scripted.has_value()) {
      result = std::move(*scripted);
    } else {
      result = base::Error{base::ErrorCode::kTimeout, 0, "the name server does not answer"};
      due = now_ + base::limits::kResolveMs;
    }
  }
  if (result.ok()) {
    for (base::Address& address : *result) address.port = port;
  }
  answers_.push_back(std::make_unique<Resolving>(due, std::move(result), std::move(callback)));
  return base::Pending(answers_.back().get());
}

base::Pending FakeEnv::connect(const base::Endpoint& endpoint, base::OnConnect callback) {
  connects.push_back(endpoint);
  ConnectResult result = base::Error{base::ErrorCode::kConnect, 111, "connection refused"};
  base::Tick due = now_;
  if (on_connect) {
    auto scripted = on_connect(endpoint);
    if (scripted.has_value()) {
      result = std::move(*scripted);
    } else {
      result = base::Error{base::ErrorCode::kTimeout, 0, "the peer does not answer"};
      due = endpoint.deadline;
    }
  }
  answers_.push_back(std::make_unique<Connecting>(due, std::move(result), std::move(callback)));
  return base::Pending(answers_.back().get());
}

bool FakeEnv::run_tasks() {
  const size_t count = tasks_.size();
  for (size_t i = 0; i < count; ++i) {
    base::Task task = std::move(tasks_.front());
    tasks_.pop_front();
    task();
  }
  return count > 0;
}

bool FakeEnv::run_soons() {
  const bool any = !soons_.empty();
  soons_.run();
  return any;
}

bool FakeEnv::run_answers() {
  std::list<std::unique_ptr<Answer>> due;
  for (auto it = answers_.begin(); it != answers_.end();) {
    const auto next = std::next(it);
    if ((*it)->due <= now_ || !(*it)->wanted()) due.splice(due.end(), answers_, it);
    it = next;
  }
  for (auto& answer : due) {
    if (answer->wanted()) answer->deliver();
  }
  return !due.empty();
}

bool FakeEnv::finish_jobs() {
  const size_t count = finished_.size();
  for (size_t i = 0; i < count; ++i) {
    std::unique_ptr<OffloadedJob> job = std::move(finished_.front());
    finished_.pop_front();
    job->finish();
  }
  return count > 0;
}

size_t FakeEnv::run_jobs() {
  const std::atomic<bool> stop{false};
  size_t ran = 0;
  for (auto& lane : lanes_) {
    for (size_t left = lane.size(); left > 0; --left) {
      std::unique_ptr<OffloadedJob> job = std::move(lane.front());
      lane.pop_front();
      job->job->work(stop);
      finished_.push_back(std::move(job));
      ++ran;
    }
  }
  return ran;
}

void FakeEnv::remove(Pollable& channel) {
  const auto it = std::find(channels_.begin(), channels_.end(), &channel);
  if (it != channels_.end()) channels_.erase(it);
}

bool FakeEnv::poll_channels() {
  bool ran = false;
  const std::vector<Pollable*> snapshot = channels_;
  for (Pollable* channel : snapshot) {
    const bool alive = std::find(channels_.begin(), channels_.end(), channel) != channels_.end();
    if (alive && channel->poll()) ran = true;
  }
  return ran;
}

bool FakeEnv::turn() {
  wheel_.advance(now_);
  bool ran = each_turn && each_turn();
  ran = run_tasks() || ran;
  ran = run_soons() || ran;
  ran = run_answers() || ran;
  ran = finish_jobs() || ran;
  ran = poll_channels() || ran;
  if (!hold_jobs) ran = run_jobs() > 0 || ran;
  return ran;
}

void FakeEnv::run() {
  for (int turns = 0; turn(); ++turns) CHECK(turns < kSpinTurns);
}

base::Tick FakeEnv::next_due() const {
  base::Tick next = wheel_.next().value_or(kNever);
  for (const auto& answer : answers_) next = std::min(next, answer->due);
  return next;
}

void FakeEnv::advance(int64_t ms) {
  const base::Tick target = now_ + ms;
  run();
  for (base::Tick next = next_due(); next <= target; next = next_due()) {
    now_ = std::max(now_, next);
    run();
  }
  now_ = target;
  run();
}

}  // namespace perigee::test

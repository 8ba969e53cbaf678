#include "tests/sim/sim_env.h"

#include <algorithm>
#include <atomic>

namespace perigee::sim {

/// A job between its offer and its end.
class SimPool::Offered final : public base::InFlight {
 public:
  explicit Offered(std::unique_ptr<base::Job> work) : job(std::move(work)) {}
  void come_home() {
    if (!wanted()) return;
    settle();
    job->done();
  }
  void cut() { settle(); }
  std::unique_ptr<base::Job> job;
};

SimPool::SimPool(Scheduler& scheduler, const PoolRules& rules)
    : scheduler_(scheduler), rules_(rules) {
  scheduler_.add(*this);
}

SimPool::~SimPool() {
  drop_all();
  scheduler_.remove(*this);
}

bool SimPool::offer(SimEnv& env, base::Lane lane, std::unique_ptr<base::Job>& job,
                    base::Pending& pending) {
  const auto index = static_cast<size_t>(lane);
  if (queued_[index] >= rules_.capacity[index]) return false;
  ++queued_[index];
  const int64_t due = scheduler_.now_ms() + scheduler_.random.between(0, rules_.most_delay_ms);
  queue_.push_back({&env, lane, due, std::make_unique<Offered>(std::move(job))});
  pending = base::Pending(queue_.back().job.get());
  return true;
}

int64_t SimPool::due() const {
  if (at_work_ == rules_.threads) return kNever;
  int64_t due = kNever;
  for (const Queued& queued : queue_) due = std::min(due, queued.due_ms);
  return due;
}

void SimPool::act() {
  std::vector<size_t> due;
  for (size_t i = 0; i < queue_.size(); ++i) {
    if (queue_[i].due_ms <= scheduler_.now_ms()) due.push_back(i);
  }
  const size_t chosen = scheduler_.random.pick(due);
  Queued queued = std::move(queue_[chosen]);
  queue_.erase(queue_.begin() + static_cast<ptrdiff_t>(chosen));
  --queued_[static_cast<size_t>(queued.lane)];
  const std::atomic<bool> stop{false};
  ++at_work_;
  queued.job->job->work(stop);
  --at_work_;
  ++coming_home_;
  queued.env->finished_.push_back(std::move(queued.job));
}

void SimPool::drop_all() {
  for (Queued& queued : queue_) queued.job->cut();
  queue_.clear();
  queued_ = {};
}

/// A name or a connection that was asked for.
class SimEnv::Question : public base::InFlight {
 public:
  explicit Question(int64_t due) : due_ms(due) {}
  virtual void deliver(SimEnv& env) = 0;
  void cut() { settle(); }
  const int64_t due_ms;
};

class SimEnv::Resolving final : public Question {
 public:
  Resolving(int64_t due, base::Result<base::Addresses> result, base::OnResolve callback)
      : Question(due), result_(std::move(result)), callback_(std::move(callback)) {}
  void deliver(SimEnv&) override {
    settle();
    callback_(std::move(result_));
  }

 private:
  base::Result<base::Addresses> result_;
  base::OnResolve callback_;
};

class SimEnv::Connecting final : public Question {
 public:
  Connecting(int64_t due, const base::Address& address, base::Result<base::Done> result,
             base::OnConnect callback)
      : Question(due),
        address_(address),
        result_(std::move(result)),
        callback_(std::move(callback)) {}
  void deliver(SimEnv& env) override {
    settle();
    if (result_.ok()) return callback_(env.internet_.connected(env, address_));
    callback_(result_.error());
  }

 private:
  const base::Address address_;
  base::Result<base::Done> result_;
  base::OnConnect callback_;
};

SimEnv::SimEnv(Scheduler& scheduler, SimPool& pool, Internet& internet, unsigned loop)
    : scheduler_(scheduler),
      pool_(pool),
      internet_(internet),
      loop_(loop),
      now_{scheduler.now_ms()},
      wheel_(now_) {
  scheduler_.add(*this);
}

SimEnv::~SimEnv() {
  tasks_.clear();  // they may hold channels
  for (const auto& question : questions_) question->cut();
  for (const auto& job : finished_) job->cut();
  pool_.coming_home_ -= finished_.size();
  scheduler_.remove(*this);
}

base::Pending SimEnv::resolve(std::string_view host, uint16_t port, base::OnResolve on_resolve) {
  auto reply = internet_.resolve(std::string(host));
  if (reply.result.ok()) {
    for (base::Address& address : *reply.result) address.port = port;
  }
  int64_t due = scheduler_.now_ms() + base::limits::kResolveMs;
  if (reply.after_ms > base::limits::kResolveMs) {
    reply.result = base::Error{base::ErrorCode::kTimeout, 0, "the name server does not answer"};
  } else {
    due = scheduler_.now_ms() + reply.after_ms;
  }
  questions_.push_back(
      std::make_unique<Resolving>(due, std::move(reply.result), std::move(on_resolve)));
  return base::Pending(questions_.back().get());
}

base::Pending SimEnv::connect(const base::Endpoint& endpoint, base::OnConnect on_connect) {
  auto reply = internet_.connect(endpoint.address);
  int64_t due = endpoint.deadline.ms;
  if (reply.after_ms > endpoint.deadline.ms - scheduler_.now_ms()) {
    reply.result = base::Error{base::ErrorCode::kTimeout, 0, "the peer does not answer"};
  } else {
    due = scheduler_.now_ms() + reply.after_ms;
  }
  questions_.push_back(std::make_unique<Connecting>(due, endpoint.address, std::move(reply.result),
                                                    std::move(on_connect)));
  return base::Pending(questions_.back().get());
}

int64_t SimEnv::due() const {
  if (in_turn_) return kNever;
  if (more_to_do_ || has_tasks() || !finished_.empty()) return 0;
  for (const SimChannel* channel : channels_) {
    if (channel->ready()) return 0;
  }
  int64_t due = kNever;
  if (const auto next = wheel_.next()) due = next->ms;
  for (const auto& question : questions_) {
    if (question->wanted()) due = std::min(due, question->due_ms);
  }
  return due;
}

void SimEnv::act() {
  in_turn_ = true;
  now_ = base::Tick{scheduler_.now_ms()};
  more_to_do_ = false;
  wheel_.advance(now_);
  run_tasks();
  soons_.run();
  answer();
  finish_jobs();
  poll_channels();
  if (worker_turn_) more_to_do_ = worker_turn_();
  in_turn_ = false;
}

void SimEnv::run_tasks() {
  for (size_t left = tasks_.size(); left > 0; --left) {
    base::Task task = std::move(tasks_.front());
    tasks_.pop_front();
    task();
  }
}

void SimEnv::answer() {
  std::vector<std::unique_ptr<Question>> due;
  for (auto& question : questions_) {
    if (question->due_ms <= now_.ms || !question->wanted()) due.push_back(std::move(question));
  }
  std::erase(questions_, nullptr);
  for (const auto& question : due) {
    if (question->wanted()) question->deliver(*this);
  }
}

void SimEnv::finish_jobs() {
  std::vector<std::unique_ptr<SimPool::Offered>> home = std::move(finished_);
  finished_.clear();
  pool_.coming_home_ -= home.size();
  while (!home.empty()) {
    const size_t chosen = scheduler_.random.below(home.size());
    const std::unique_ptr<SimPool::Offered> job = std::move(home[chosen]);
    home.erase(home.begin() + static_cast<ptrdiff_t>(chosen));
    job->come_home();
  }
}

void SimEnv::poll_channels() {
  std::vector<SimChannel*> order = channels_;
  while (!order.empty()) {
    const size_t chosen = scheduler_.random.below(order.size());
    SimChannel* channel = order[chosen];
    order.erase(order.begin() + static_cast<ptrdiff_t>(chosen));
    // A callback may have destroyed it.
    if (std::find(channels_.begin(), channels_.end(), channel) != channels_.end()) channel->poll();
  }
}

void SimEnv::remove(SimChannel& channel) {
  const auto it = std::find(channels_.begin(), channels_.end(), &channel);
  CHECK(it != channels_.end());
  channels_.erase(it);
}

size_t SimEnv::questions() const {
  return static_cast<size_t>(std::count_if(questions_.begin(), questions_.end(),
                                           [](const auto& q) { return q->wanted(); }));
}

}  // namespace perigee::sim

#include "edge/worker.h"

#include "base/limits.h"

namespace perigee::edge {

namespace limits = base::limits;

namespace {

/// One step of the store's upkeep on the pool.
class MaintainJob final : public base::Job {
 public:
  MaintainJob(cache_store::Store& store, int64_t wall_ms) : store_(store), wall_ms_(wall_ms) {}
  void work(const std::atomic<bool>& stop) noexcept override {
    while (!stop.load(std::memory_order_relaxed) && store_.maintain({.wall_ms = wall_ms_})) {
    }
  }
  void done() noexcept override {}

 private:
  cache_store::Store& store_;
  const int64_t wall_ms_;
};

/// One step of reading ahead what the start found.
class WarmJob final : public base::Job {
 public:
  WarmJob(cache_store::Store& store, int64_t wall_ms, bool& more)
      : store_(store), wall_ms_(wall_ms), more_(more) {}
  void work(const std::atomic<bool>&) noexcept override { left_ = store_.warm_ahead(wall_ms_); }
  void done() noexcept override { more_ = left_; }

 private:
  cache_store::Store& store_;
  const int64_t wall_ms_;
  bool& more_;  ///< of the loop
  bool left_ = true;
};

}  // namespace

Worker::Worker(Node& node, SnapshotPtr snapshot, base::Env& env)
    : node_(node),
      env_(env),
      read_buffer_(limits::kReadBufferBytes),
      scratch_(std::make_unique<http::RequestScratch>()),
      names_(env),
      sites_(std::make_shared<LoopSites>(std::move(snapshot), env, names_)),
      coders_(node.coders(), env),
      fills_(node.fills(), env, &coders_),
      flow_context_{env,
                    node.store(),
                    fills_,
                    coders_,
                    sites_,
                    node.metrics().loop(env.loop()),
                    node.access_log()},
      flow_(flow_context_),
      site_service_(flow_, node.http1(), *scratch_),
      connection_shared_{env, run_list_, quiet_list_, *this, read_buffer_, out_buffers_},
      maintain_timer_([this] { maintain(); }),
      drain_timer_([this] { stop(); }),
      to_warm_(node.warms_store()) {
  if (env.loop() == 0) env.arm(maintain_timer_, env.now() + limits::kMaintainMs);
  node.client_slots().add_loop(env);
}

Worker::~Worker() {
  stop();
  node_.client_slots().remove_loop(env_);
}

void Worker::adopt(std::unique_ptr<base::Channel> channel, Service& service) {
  if (draining_) return channel->abort();
  auto connection = std::make_unique<Connection>(connection_shared_, service, std::move(channel));
  connection->place = connections_.size();
  connections_.push_back(std::move(connection));
  connections_.back()->wake();
}

void Worker::use(SnapshotPtr snapshot) {
  former_sites_.push_back(std::move(sites_));
  sites_ = std::make_shared<LoopSites>(std::move(snapshot), env_, names_);
  if (draining_) sites_->drain();
}

bool Worker::turn() {
  run_list_.run(limits::kRunListTurn);
  make_room();
  reap();
  return !run_list_.empty();
}

void Worker::drain(base::Tick deadline) {
  draining_ = true;
  for (const auto& connection : connections_) connection->drain();
  sites_->drain();
  for (const LoopSitesPtr& sites : former_sites_) sites->drain();
  env_.arm(drain_timer_, deadline);
  reap();
}

void Worker::stop() {
  draining_ = true;
  connections_.clear();
  fills_.cancel();
  maintenance_.abandon();
  warming_.abandon();
  maintain_timer_.disarm();
  reap();
}

int64_t Worker::park_ms() const { return node_.store().is_crowded() ? 0 : limits::kParkMs; }

void Worker::on_connection_ended(Connection& connection) {
  const size_t place = connection.place;
  ended_.push_back(std::move(connections_[place]));
  if (place + 1 < connections_.size()) {
    connections_[place] = std::move(connections_.back());
    connections_[place]->place = place;
  }
  connections_.pop_back();
}

/// While clients wait to be accepted, the connections that are quiet the longest go. At the end of
/// a turn: what has arrived in it has been looked at, or counts as news.
void Worker::make_room() {
  ClientSlots& slots = node_.client_slots();
  while (slots.wanted() > 0) {
    QuietMember* longest = quiet_list_.longest(limits::kRunListTurn);
    if (longest == nullptr) return slots.ask_others(env_);
    longest->make_room();
  }
}

void Worker::reap() {
  ended_.clear();
  std::erase_if(former_sites_, [](const LoopSitesPtr& sites) { return sites.use_count() == 1; });
  if (draining_ && connections_.empty() && idle_task_) {
    base::Task task = std::move(idle_task_);
    idle_task_ = {};
    task();
  }
}

void Worker::maintain() {
  env_.arm(maintain_timer_, env_.now() + limits::kMaintainMs);
  warm_store();
  if (maintenance_.waiting()) return;
  std::unique_ptr<base::Job> job = std::make_unique<MaintainJob>(node_.store(), env_.wall().ms);
  // A full lane is no harm: the next tick tries again.
  (void)env_.offload(base::Lane::kStore, job, maintenance_);
}

void Worker::warm_store() {
  if (!to_warm_ || warming_.waiting()) return;
  std::unique_ptr<base::Job> job =
      std::make_unique<WarmJob>(node_.store(), env_.wall().ms, to_warm_);
  (void)env_.offload(base::Lane::kBackground, job, warming_);
}

}  // namespace perigee::edge

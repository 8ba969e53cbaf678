// Idle connections: taken last in, first out; closed at their first word, their time, or others'
// need.
#include "origin/origin_pool.h"

#include <optional>

#include "base/check.h"
#include "base/limits.h"
#include "origin/own_connection.h"

namespace perigee::origin {

namespace limits = base::limits;

namespace {
constexpr int64_t kYieldCheckMs = 50;
}  // namespace

OriginPool::Idle::Idle(OriginPool& pool, std::unique_ptr<OriginConnection> held, base::Tick now,
                       int64_t idle_ms)
    : since(now), pool_(pool), held_(std::move(held)), timer_([this] { pool_.drop(*this); }) {
  held_->channel().bind(this);
  held_->channel().want(true, false);
  pool_.env_.arm(timer_, now + idle_ms);
}

std::unique_ptr<OriginConnection> OriginPool::Idle::release() {
  timer_.disarm();
  held_->channel().bind(nullptr);
  return std::move(held_);
}

OriginPool::OriginPool(OriginGate& gate, base::Env& env)
    : gate_(gate), env_(env), yield_timer_([this] { give_way(); }) {}

OriginPool::~OriginPool() {
  while (!own_.empty()) own_.front()->let_go();
}

void OriginPool::add_own(OwnConnection& own) {
  own_.push_back(&own);
  watch_others();
}

/// Bytes, an end, a reset, or its time is over: it is of no more use.
void OriginPool::drop(Idle& idle) {
  idle_.remove_if([&](const auto& known) { return known.get() == &idle; });
}

std::unique_ptr<OriginConnection> OriginPool::take_idle(bool surely_open) {
  while (!idle_.empty()) {
    Idle& idle = *idle_.front();
    if (surely_open && env_.now() - idle.since > limits::kFreshConnectionMs) return nullptr;
    std::unique_ptr<OriginConnection> connection = idle.release();
    idle_.pop_front();
    // What was said unasked must not answer another request.
    if (connection->silent()) return connection;
  }
  return nullptr;
}

bool OriginPool::others_come_first() const {
  const std::optional<base::Tick> since = gate_.connections.waiting_elsewhere(env_);
  return since && (waiters_.empty() || env_.now() - *since > limits::kPermitYieldMs);
}

void OriginPool::put_idle(std::unique_ptr<OriginConnection> connection, int64_t idle_ms) {
  if (idle_ms <= 0 || others_come_first()) return;
  if (!waiters_.empty()) {
    Waiter& waiter = *waiters_.front();
    waiters_.pop_front();
    return waiter.on_idle_connection(std::move(connection));
  }
  CHECK(waiters_.empty() && connection != nullptr);
  idle_.push_front(std::make_unique<Idle>(*this, std::move(connection), env_.now(), idle_ms));
  watch_others();
}

void OriginPool::watch_others() {
  if (!yield_timer_.armed()) env_.arm(yield_timer_, env_.now() + kYieldCheckMs);
}

/// Idle connections of this loop hold permits that another loop may wait for; those of clients,
/// ones that any loop may.
void OriginPool::give_way() {
  for (size_t waiting = gate_.connections.waiting(); waiting > 0; --waiting) {
    if (!idle_.empty()) {
      idle_.pop_back();
    } else if (!own_.empty()) {
      own_.front()->let_go();
    }
  }
  if (!idle_.empty() || !own_.empty()) watch_others();
}

bool OriginPool::add_waiter(Waiter& waiter) {
  if (waiters_.size() >= limits::kOriginWaiters) return false;
  waiters_.push_back(&waiter);
  return true;
}

}  // namespace perigee::origin

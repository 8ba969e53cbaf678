#include "origin/origin_pool.h"

#include "base/limits.h"

namespace perigee::origin {

namespace limits = base::limits;

OriginPool::Idle::Idle(OriginPool& pool, std::unique_ptr<OriginConnection> held, base::Tick now,
                       int64_t idle_ms)
    : since(now), pool_(pool), held_(std::move(held)), timer_([this] { pool_.drop_later(*this); }) {
  held_->channel().bind(this);
  held_->channel().want(true, false);
  pool_.env_.arm(timer_, now + idle_ms);
}

std::unique_ptr<OriginConnection> OriginPool::Idle::release() {
  timer_.disarm();
  held_->channel().bind(nullptr);
  return std::move(held_);
}

/// Bytes, an end or a reset on an idle connection: it is of no more use. Dropped outside its callback.
void OriginPool::drop_later(Idle& idle) {
  idle.dead = true;
  env_.arm(reap_timer_, env_.now());
}

std::unique_ptr<OriginConnection> OriginPool::take_idle(bool fresh) {
  for (auto it = idle_.begin(); it != idle_.end(); ++it) {
    Idle& idle = **it;
    if (idle.dead) continue;
    if (fresh && env_.now() - idle.since > limits::kFreshConnectionMs) return nullptr;
    std::unique_ptr<OriginConnection> connection = idle.release();
    idle_.erase(it);
    return connection;
  }
  return nullptr;
}

bool OriginPool::take_permit() {
  if (gate_.try_take()) return true;
  if (idle_.empty()) return false;
  idle_.pop_back();
  return gate_.try_take();
}

void OriginPool::put_idle(std::unique_ptr<OriginConnection> connection, int64_t idle_ms) {
  if (idle_ms <= 0) return;
  idle_.push_front(std::make_unique<Idle>(*this, std::move(connection), env_.now(), idle_ms));
}

}  // namespace perigee::origin

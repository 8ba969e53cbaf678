#include "edge/background.h"

#include <chrono>
#include <thread>
#include <utility>

namespace perigee::edge {

Background::Background(base::Task task) {
  std::thread([end = end_, held = std::move(task)]() mutable noexcept {
    held();
    const base::MutexLock lock(end->mutex);
    end->ended = true;
    end->told.notify_all();
  }).detach();
}

bool Background::wait(int64_t most_ms) {
  using Clock = std::chrono::steady_clock;
  const auto deadline = Clock::now() + std::chrono::milliseconds(most_ms);
  const base::MutexLock lock(end_->mutex);
  while (!end_->ended && end_->told.wait_until(end_->mutex, deadline)) continue;
  return end_->ended;
}

}  // namespace perigee::edge

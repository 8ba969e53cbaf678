#include "edge/background.h"

#include <chrono>
#include <thread>
#include <utility>

namespace perigee::edge {

Background::Background(base::Task task) {
  std::thread([end = end_, held = std::move(task)]() mutable noexcept {
    held();
    const std::lock_guard lock(end->mutex);
    end->ended = true;
    end->told.notify_all();
  }).detach();
}

bool Background::wait(int64_t most_ms) {
  std::unique_lock lock(end_->mutex);
  return end_->told.wait_for(lock, std::chrono::milliseconds(most_ms),
                             [this] { return end_->ended; });
}

}  // namespace perigee::edge

#include "tests/support/interleaving.h"

#include <iterator>
#include <utility>

#include "base/check.h"

namespace perigee::test {

Interleaving::Interleaving(std::function<uint64_t(uint64_t)> below) : below_(std::move(below)) {
  CHECK(base::g_interleaver == nullptr);
  base::g_interleaver = this;
}

Interleaving::~Interleaving() {
  CHECK(paused_.empty());
  base::g_interleaver = nullptr;
}

void Interleaving::begin(std::function<void()> work, const Pauses& pauses) {
  CHECK(running_ == nullptr);
  if (idle_.empty()) idle_.push_back(std::make_unique<Thread>());
  std::unique_ptr<Thread> thread = std::move(idle_.back());
  idle_.pop_back();
  thread->pauses = pauses;
  enter(std::move(thread), std::move(work));
}

void Interleaving::resume(size_t which) {
  std::unique_ptr<Thread> thread = std::move(paused_[which]);
  paused_.erase(paused_.begin() + static_cast<ptrdiff_t>(which));
  enter(std::move(thread), nullptr);
}

/// `work` null: it goes on.
void Interleaving::enter(std::unique_ptr<Thread> thread, std::function<void()> work) {
  running_ = thread.get();
  const bool ended = work ? running_->fiber.begin(std::move(work)) : running_->fiber.resume();
  running_ = nullptr;
  (ended ? idle_ : paused_).push_back(std::move(thread));
}

void Interleaving::finish() {
  finishing_ = true;
  while (!paused_.empty()) resume(below_(paused_.size()));
  finishing_ = false;
}

void Interleaving::run(std::vector<std::function<void()>> works) {
  for (std::function<void()>& work : works) begin(std::move(work), {});
  // One goes on for a while, short or long, before the next is chosen: some races want many steps
  // of one between two of another.
  static constexpr uint64_t kRuns[] = {1, 1, 4, 30, 1'000};
  while (!paused_.empty()) {
    const size_t others = paused_.size() - 1;
    std::swap(paused_[below_(paused_.size())], paused_.back());
    for (uint64_t left = kRuns[below_(std::size(kRuns))]; left > 0; --left) {
      resume(paused_.size() - 1);
      if (paused_.size() == others) break;
    }
  }
}

void Interleaving::may_pause() {
  if (running_ == nullptr || finishing_ || running_->pauses.most == 0) return;
  if (below_(1000) >= running_->pauses.per_mille) return;
  --running_->pauses.most;
  pause();
}

void Interleaving::pause() {
  Thread* self = running_;
  self->fiber.pause();
  running_ = self;
}

void Interleaving::lock(std::mutex& mutex) {
  may_pause();
  while (!mutex.try_lock()) {
    // Whoever holds it is paused. Outside of the threads nobody may wait for one.
    CHECK(running_ != nullptr);
    pause();
  }
}

}  // namespace perigee::test

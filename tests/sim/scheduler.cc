#include "tests/sim/scheduler.h"

#include <algorithm>

namespace perigee::sim {

namespace {
constexpr unsigned kMostPauses = 6;  ///< of one act, beside those where it waits for a lock
}

Scheduler::Scheduler(Random& chance) : random(chance) {
  CHECK(base::g_interleaver == nullptr);
  base::g_interleaver = this;
}

Scheduler::~Scheduler() {
  CHECK(paused_.empty());
  base::g_interleaver = nullptr;
}

void Scheduler::remove(Actor& actor) {
  const auto it = std::find(actors_.begin(), actors_.end(), &actor);
  CHECK(it != actors_.end());
  actors_.erase(it);
}

bool Scheduler::step(int64_t until_ms) {
  ready_.clear();
  int64_t next = kNever;
  for (Actor* actor : actors_) {
    const int64_t due = actor->due();
    if (due <= now_ms_) ready_.push_back(actor);
    next = std::min(next, due);
  }
  const size_t choices = ready_.size() + paused_.size();
  if (choices == 0) {
    if (next > until_ms) {
      now_ms_ = std::max(now_ms_, until_ms);
      return false;
    }
    now_ms_ = next;
    return true;
  }
  const size_t chosen = random.below(choices);
  if (chosen < ready_.size()) {
    act(*ready_[chosen]);
  } else {
    resume(chosen - ready_.size());
  }
  // A turn of a loop takes no time: what it says is judged by the clock it began with.
  if (paused_.empty() && random.chance(busy_per_mille)) now_ms_ += random.between(1, 5);
  return true;
}

void Scheduler::act(Actor& actor) {
  if (!actor.is_thread() || pause_per_mille == 0) return actor.act();
  if (idle_.empty()) idle_.push_back(std::make_unique<Thread>());
  std::unique_ptr<Thread> thread = std::move(idle_.back());
  idle_.pop_back();
  thread->pause_per_mille = random.chance(500) ? pause_per_mille : pause_per_mille / 10;
  thread->pauses_left = kMostPauses;
  running_ = thread.get();
  const bool ended = thread->fiber.begin([&actor] { actor.act(); });
  running_ = nullptr;
  (ended ? idle_ : paused_).push_back(std::move(thread));
}

void Scheduler::resume(size_t paused) {
  running_ = paused_[paused].get();
  const bool ended = running_->fiber.resume();
  running_ = nullptr;
  if (!ended) return;
  idle_.push_back(std::move(paused_[paused]));
  paused_.erase(paused_.begin() + static_cast<ptrdiff_t>(paused));
}

void Scheduler::finish_paused() {
  CHECK(running_ == nullptr);
  finishing_ = true;
  while (!paused_.empty()) resume(random.below(paused_.size()));
  finishing_ = false;
}

void Scheduler::may_pause() {
  if (running_ == nullptr || finishing_ || running_->pauses_left == 0) return;
  if (!random.chance(running_->pause_per_mille)) return;
  --running_->pauses_left;
  pause();
}

void Scheduler::pause() {
  Thread* self = running_;
  self->fiber.pause();
  running_ = self;
}

void Scheduler::lock(std::mutex& mutex) {
  may_pause();
  while (!mutex.try_lock()) {
    // Whoever holds it is paused. Outside of the threads nobody may wait for one.
    CHECK(running_ != nullptr);
    pause();
  }
}

}  // namespace perigee::sim

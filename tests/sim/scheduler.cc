#include "tests/sim/scheduler.h"

#include <algorithm>

namespace perigee::sim {

namespace {
constexpr unsigned kMostPauses = 6;  ///< of one act, beside those where it waits for a lock
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
  const size_t choices = ready_.size() + threads_.paused();
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
    threads_.resume(chosen - ready_.size());
  }
  // A turn of a loop takes no time: what it says is judged by the clock it began with.
  if (threads_.paused() == 0 && random.chance(busy_per_mille)) now_ms_ += random.between(1, 5);
  return true;
}

/// Seldom or often, so that each place to pause has its turn.
void Scheduler::act(Actor& actor) {
  if (!actor.is_thread() || pause_per_mille == 0) return actor.act();
  const uint64_t rate = random.chance(500) ? pause_per_mille : pause_per_mille / 10;
  threads_.begin([&actor] { actor.act(); }, {rate, kMostPauses});
}

}  // namespace perigee::sim

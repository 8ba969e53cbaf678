#include "tests/sim/scheduler.h"

#include <algorithm>

namespace perigee::sim {

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
  if (ready_.empty()) {
    if (next > until_ms) {
      now_ms_ = std::max(now_ms_, until_ms);
      return false;
    }
    now_ms_ = next;
    return true;
  }
  ready_[random.below(ready_.size())]->act();
  if (random.chance(busy_per_mille)) now_ms_ += random.between(1, 5);
  return true;
}

}  // namespace perigee::sim

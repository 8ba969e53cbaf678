// The line of those who wait: served whenever units come back, by a post to each one's loop.
#include "base/budget.h"

#include <algorithm>

#include "base/check.h"

namespace perigee::base {

void Share::shrink_to(size_t units) {
  if (units >= units_) return;
  budget_->give_back(units_ - units, holder_);
  units_ = units;
}

void Claim::wait(Budget& budget, Env& env, size_t units, Holder holder) {
  CHECK(place_ == nullptr && units > 0 && units <= budget.limit());
  CHECK(holder == kAnybody || units <= budget.most_of_one_);
  budget_ = &budget;
  place_ = std::make_shared<Place>(Place{this, env, units, env.now(), holder});
  const MutexLock lock(budget.mutex_);
  budget.line_.push_back(place_);
  budget.serve_line_locked();
}

void Claim::abandon() {
  if (place_ == nullptr) return;
  // A grant on its way finds nobody, and goes back.
  place_->claim = nullptr;
  const MutexLock lock(budget_->mutex_);
  const auto it = std::find(budget_->line_.begin(), budget_->line_.end(), place_);
  if (it != budget_->line_.end()) budget_->line_.erase(it);
  place_.reset();
  // Whoever is behind may want less.
  budget_->serve_line_locked();
}

Budget::~Budget() { CHECK(used_ == 0 && line_.empty() && held_.empty()); }

Share Budget::try_take(size_t units, Holder holder) {
  const MutexLock lock(mutex_);
  // Whoever waits for its own holder's units alone is passed.
  const bool others_first =
      std::any_of(line_.begin(), line_.end(), [&](const PlacePtr& place) REQUIRES(mutex_) {
        return may_have_locked(place->units, place->holder);
      });
  if (others_first || units > limit_ - used_ || !may_have_locked(units, holder)) return {};
  take_locked(units, holder);
  return {*this, units, holder};
}

bool Budget::may_have_locked(size_t units, Holder holder) const {
  if (holder == kAnybody) return true;
  const auto it = held_.find(holder);
  const size_t held = it != held_.end() ? it->second : 0;
  return held < most_of_one_ && units <= most_of_one_ - held;
}

void Budget::take_locked(size_t units, Holder holder) {
  used_ += units;
  if (holder != kAnybody) held_[holder] += units;
}

std::optional<Tick> Budget::waiting_elsewhere(const Env& env) const {
  const MutexLock lock(mutex_);
  if (line_.empty() || &line_.front()->env == &env) return std::nullopt;
  return line_.front()->since;
}

size_t Budget::waiting() const {
  const MutexLock lock(mutex_);
  return line_.size();
}

size_t Budget::used() const {
  const MutexLock lock(mutex_);
  return used_;
}

void Budget::give_back(size_t units, Holder holder) {
  const MutexLock lock(mutex_);
  CHECK(used_ >= units);
  used_ -= units;
  if (holder != kAnybody) {
    const auto it = held_.find(holder);
    CHECK(it != held_.end() && it->second >= units);
    it->second -= units;
    if (it->second == 0) held_.erase(it);
  }
  serve_line_locked();
}

void Budget::serve_line_locked() {
  for (size_t i = 0; i < line_.size();) {
    const PlacePtr place = line_[i];
    if (!may_have_locked(place->units, place->holder)) {
      ++i;
      continue;
    }
    if (place->units > limit_ - used_) return;
    line_.erase(line_.begin() + static_cast<ptrdiff_t>(i));
    grant_locked(place);
  }
}

void Budget::grant_locked(const PlacePtr& place) {
  take_locked(place->units, place->holder);
  place->env.post([place, share = Share(*this, place->units, place->holder)]() mutable {
    if (place->claim == nullptr) return;
    Claim& claim = *place->claim;
    claim.place_.reset();
    claim.granted_(std::move(share));
  });
}

}  // namespace perigee::base

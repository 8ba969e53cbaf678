// The line of those who wait: served whenever units come back, by a post to each one's loop.
#include "base/budget.h"

#include <algorithm>

#include "base/check.h"

namespace perigee::base {

void Share::shrink_to(size_t units) {
  if (units >= units_) return;
  budget_->give_back(units_ - units);
  units_ = units;
}

void Claim::wait(Budget& budget, Env& env, size_t units) {
  CHECK(place_ == nullptr && units > 0 && units <= budget.limit());
  budget_ = &budget;
  place_ = std::make_shared<Place>(Place{this, env, units, env.now()});
  const std::lock_guard lock(budget.mutex_);
  budget.line_.push_back(place_);
  budget.serve_line_locked();
}

void Claim::abandon() {
  if (place_ == nullptr) return;
  // A grant on its way finds nobody, and goes back.
  place_->claim = nullptr;
  const std::lock_guard lock(budget_->mutex_);
  const auto it = std::find(budget_->line_.begin(), budget_->line_.end(), place_);
  if (it != budget_->line_.end()) budget_->line_.erase(it);
  place_.reset();
  // Whoever is behind may want less.
  budget_->serve_line_locked();
}

Budget::~Budget() { CHECK(used_ == 0 && line_.empty()); }

Share Budget::try_take(size_t units) {
  const std::lock_guard lock(mutex_);
  if (!line_.empty() || units > limit_ - used_) return {};
  used_ += units;
  return {*this, units};
}

std::optional<Tick> Budget::waiting_elsewhere(const Env& env) const {
  const std::lock_guard lock(mutex_);
  if (line_.empty() || &line_.front()->env == &env) return std::nullopt;
  return line_.front()->since;
}

size_t Budget::waiting() const {
  const std::lock_guard lock(mutex_);
  return line_.size();
}

size_t Budget::used() const {
  const std::lock_guard lock(mutex_);
  return used_;
}

void Budget::give_back(size_t units) {
  const std::lock_guard lock(mutex_);
  CHECK(used_ >= units);
  used_ -= units;
  serve_line_locked();
}

void Budget::serve_line_locked() {
  while (!line_.empty() && line_.front()->units <= limit_ - used_) {
    const std::shared_ptr<Claim::Place> place = std::move(line_.front());
    line_.pop_front();
    used_ += place->units;
    place->env.post([place, share = Share(*this, place->units)]() mutable {
      if (place->claim == nullptr) return;
      Claim& claim = *place->claim;
      claim.place_.reset();
      claim.granted_(std::move(share));
    });
  }
}

}  // namespace perigee::base

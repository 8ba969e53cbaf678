#include "base/timer_wheel.h"

#include <algorithm>

namespace perigee::base {

void Timer::disarm() {
  if (wheel_ != nullptr) wheel_->disarm(*this);
}

TimerWheel::~TimerWheel() {
  for (Timer*& head : slots_) {
    while (head != nullptr) unlink(*head);
  }
}

void TimerWheel::arm(Timer& timer, Tick due) {
  // A timer fires in the first slot that begins at or after its due time, so never early.
  const int64_t position = std::max((due.ms + kSlotMs - 1) / kSlotMs, cursor_);
  if (timer.wheel_ == this) {
    const bool later = due >= timer.due_;
    timer.due_ = due;
    if (later) return;
    unlink(timer);
  }
  CHECK(timer.wheel_ == nullptr);
  timer.due_ = due;
  link(timer, position);
}

void TimerWheel::disarm(Timer& timer) {
  CHECK(timer.wheel_ == this);
  unlink(timer);
}

void TimerWheel::link(Timer& timer, int64_t position) {
  timer.slot_ = static_cast<size_t>(position) % kSlots;
  timer.previous_ = nullptr;
  timer.next_ = slots_[timer.slot_];
  if (timer.next_ != nullptr) timer.next_->previous_ = &timer;
  slots_[timer.slot_] = &timer;
  timer.wheel_ = this;
  ++size_;
}

void TimerWheel::unlink(Timer& timer) {
  if (resume_ == &timer) resume_ = timer.next_;
  if (timer.next_ != nullptr) timer.next_->previous_ = timer.previous_;
  if (timer.previous_ != nullptr) {
    timer.previous_->next_ = timer.next_;
  } else {
    slots_[timer.slot_] = timer.next_;
  }
  timer.wheel_ = nullptr;
  timer.next_ = timer.previous_ = nullptr;
  --size_;
}

void TimerWheel::advance(Tick now) {
  const int64_t last = now.ms / kSlotMs;
  // After a long sleep every slot is run once, not once for each turn that was slept through.
  const int64_t span = std::min<int64_t>(last - cursor_ + 1, kSlots);
  const int64_t first = last - span + 1;
  cursor_ = std::max(cursor_, last + 1);
  for (int64_t position = first; position <= last; ++position) run_slot(position, now);
}

void TimerWheel::run_slot(int64_t position, Tick now) {
  resume_ = slots_[static_cast<size_t>(position) % kSlots];
  while (resume_ != nullptr) {
    Timer& timer = *resume_;
    resume_ = timer.next_;
    if (timer.due_ > now) {
      const int64_t due_position = (timer.due_.ms + kSlotMs - 1) / kSlotMs;
      if (static_cast<size_t>(due_position) % kSlots == timer.slot_) continue;
      unlink(timer);
      link(timer, std::max(due_position, cursor_));
      continue;
    }
    unlink(timer);
    timer.fire_();
  }
}

std::optional<Tick> TimerWheel::next() const {
  if (size_ == 0) return std::nullopt;
  for (size_t step = 0; step < kSlots; ++step) {
    const int64_t position = cursor_ + static_cast<int64_t>(step);
    if (slots_[static_cast<size_t>(position) % kSlots] != nullptr) {
      return Tick{position * kSlotMs};
    }
  }
  CHECK(false);
  return std::nullopt;
}

}  // namespace perigee::base

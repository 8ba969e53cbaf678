// The timers of one loop: a wheel of 1024 slots of 10 ms, intrusive lists, nothing allocated.
//
// A timer further away than one turn of the wheel waits in its slot and is looked at once per turn.
// Moving a deadline to later is one store: the timer is moved when its old slot comes up. One
// thread.
#pragma once

#include <array>
#include <cstddef>
#include <optional>

#include "base/env.h"

namespace perigee::base {

class TimerWheel {
 public:
  static constexpr int64_t kSlotMs = 10;
  static constexpr size_t kSlots = 1024;

  explicit TimerWheel(Tick start) : cursor_(start.ms / kSlotMs) {}
  /// Disarms what is still armed, without firing it.
  ~TimerWheel();
  TimerWheel(const TimerWheel&) = delete;
  TimerWheel& operator=(const TimerWheel&) = delete;

  void arm(Timer& timer, Tick due);
  void disarm(Timer& timer);
  /// Fires what is due at `now`, each once. Timers may arm, disarm or destroy any timer meanwhile.
  void advance(Tick now);
  /// When advance() should be called next at the latest; nullopt: nothing is armed.
  std::optional<Tick> next() const;
  size_t size() const { return size_; }

 private:
  void link(Timer& timer, int64_t position);
  void unlink(Timer& timer);
  void run_slot(int64_t position, Tick now);

  std::array<Timer*, kSlots> slots_{};
  int64_t cursor_;           ///< the first position (ms / kSlotMs) that has not been run
  Timer* resume_ = nullptr;  ///< the next timer of the slot being run, kept valid by unlink()
  size_t size_ = 0;
};

}  // namespace perigee::base

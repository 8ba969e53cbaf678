// Who acts next, and when: one thread, random order, a clock that moves only when it is moved.
//
// Here's how it works:
//  1. Everything that can act is an Actor: loops, the pool, clients, connections of the origin.
//     Each says when it wants to act next.
//  2. step() picks one of those that are due at random and lets it act. When nobody is due the
//     clock jumps to the first who will be; now and then it moves while others are due, since work
//     takes time.
//  3. Loops and pool jobs are threads in production. So they act on fibers, which may pause
//  wherever
//     a lock is taken or given back, or the disk is written; others act in between.
//  4. Every event that an oracle may ask about takes a Stamp. Its `seq` orders all events of a run,
//     its times are what the node's clocks said.
#pragma once

#include <cstdint>
#include <limits>
#include <memory>
#include <vector>

#include "tests/sim/random.h"
#include "tests/support/interleaving.h"

namespace perigee::sim {

inline constexpr int64_t kNever = std::numeric_limits<int64_t>::max();

/// When something happened. seq 0: it did not.
struct Stamp {
  uint64_t seq = 0;
  int64_t tick_ms = 0;
  int64_t wall_ms = 0;
  explicit operator bool() const { return seq != 0; }
};

class Actor {
 public:
  virtual ~Actor() = default;
  /// Tick at which it wants to act; in the past: now. kNever: it waits for somebody else.
  virtual int64_t due() const = 0;
  /// May add and remove actors, itself too.
  virtual void act() = 0;
  /// act() is the work of a thread, and may pause in the middle. It says itself, by due(), whether
  /// it may be entered again before it has ended.
  virtual bool is_thread() const { return false; }
};

class Scheduler {
 public:
  explicit Scheduler(Random& chance)
      : random(chance), threads_([this](uint64_t n) { return random.below(n); }) {}

  void add(Actor& actor) { actors_.push_back(&actor); }
  void remove(Actor& actor);

  /// One act, or one move of the clock, never beyond `until_ms`. False: nothing is due until then.
  bool step(int64_t until_ms);
  /// Work that stands in the middle.
  size_t paused() const { return threads_.paused(); }
  /// Lets all of it go on to its end, without anybody in between but those whom it waits for.
  void finish_paused() { threads_.finish(); }
  /// Called where a thread may lose its core: others may act before this returns.
  void may_pause() { threads_.may_pause(); }
  int64_t now_ms() const { return now_ms_; }
  int64_t wall_ms() const { return now_ms_ + wall_offset_ms_; }
  /// Somebody set the wall clock; the other one does not notice.
  void step_wall(int64_t by_ms) { wall_offset_ms_ += by_ms; }
  int64_t wall_offset_ms() const { return wall_offset_ms_; }
  /// The machine slept. No turn of a loop spans that.
  void sleep(int64_t ms) {
    finish_paused();
    now_ms_ += ms;
  }
  Stamp stamp() { return {++seq_, now_ms_, wall_ms()}; }
  uint64_t seq() const { return seq_; }

  Random& random;
  unsigned busy_per_mille = 20;  ///< how often an act takes a few milliseconds
  unsigned pause_per_mille = 0;  ///< how often others act where a thread may lose its core

 private:
  void act(Actor& actor);

  test::Interleaving threads_;
  std::vector<Actor*> actors_;
  std::vector<Actor*> ready_;
  int64_t now_ms_ = 1'000'000;
  int64_t wall_offset_ms_ = 1'767'225'600'000;  ///< 2026-01-01
  uint64_t seq_ = 0;
};

}  // namespace perigee::sim

// Work on a stack of its own, which pauses in the middle and goes on later: threads that run one at
// a time, in an order that a seed decides.
#pragma once

#include <ucontext.h>

#include <cstddef>
#include <functional>
#include <memory>

#include "base/lock_rank.h"

namespace perigee::test {

class Fiber {
 public:
  Fiber();
  /// It must not be in the middle of its work.
  ~Fiber();
  Fiber(const Fiber&) = delete;
  Fiber& operator=(const Fiber&) = delete;

  /// Runs `work` until it pauses or ends. True: it has ended, and the next may be begun.
  bool begin(std::function<void()> work);
  bool resume();

  /// From its work: whoever began or resumed it goes on.
  void pause();

 private:
  static void enter(unsigned high, unsigned low);
  void run();
  void switch_in();
  void switch_out();

  std::unique_ptr<std::byte[]> stack_;
  ucontext_t inside_;
  ucontext_t outside_;
  std::function<void()> work_;
  bool ended_ = true;
  /// The locks that the work holds while it is paused; of the thread outside while it runs.
  base::HeldLocks held_;
  // What the sanitizers want to know of a switch.
  void* inside_fake_ = nullptr;
  void* outside_fake_ = nullptr;
  const void* outside_bottom_ = nullptr;
  size_t outside_size_ = 0;
  void* inside_thread_ = nullptr;
  void* outside_thread_ = nullptr;
};

}  // namespace perigee::test

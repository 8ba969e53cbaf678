#include "tests/support/fiber.h"

#include <cstdint>
#include <utility>

#include "base/check.h"

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/common_interface_defs.h>
#endif
#if defined(__SANITIZE_THREAD__)
#include <sanitizer/tsan_interface.h>
#endif

namespace perigee::test {

namespace {
constexpr size_t kStackBytes = 512 * 1024;
}  // namespace

Fiber::Fiber() : stack_(new std::byte[kStackBytes]) {
#if defined(__SANITIZE_THREAD__)
  inside_thread_ = __tsan_create_fiber(0);
#endif
  CHECK(getcontext(&inside_) == 0);
  inside_.uc_stack.ss_sp = stack_.get();
  inside_.uc_stack.ss_size = kStackBytes;
  inside_.uc_link = nullptr;
  // makecontext passes integers only.
  const auto self = reinterpret_cast<uintptr_t>(this);
  makecontext(&inside_, reinterpret_cast<void (*)()>(&Fiber::enter), 2,
              static_cast<unsigned>(self >> 32), static_cast<unsigned>(self));
}

Fiber::~Fiber() {
  CHECK(ended_);
#if defined(__SANITIZE_THREAD__)
  __tsan_destroy_fiber(inside_thread_);
#endif
}

bool Fiber::begin(std::function<void()> work) {
  CHECK(ended_);
  work_ = std::move(work);
  ended_ = false;
  return resume();
}

bool Fiber::resume() {
  CHECK(!ended_);
  switch_in();
  return ended_;
}

void Fiber::pause() { switch_out(); }

void Fiber::enter(unsigned high, unsigned low) {
  const uintptr_t self = uintptr_t{high} << 32 | low;
  reinterpret_cast<Fiber*>(self)->run();
}

void Fiber::run() {
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_finish_switch_fiber(inside_fake_, &outside_bottom_, &outside_size_);
#endif
  while (true) {
    work_();
    work_ = {};
    ended_ = true;
    switch_out();
  }
}

void Fiber::switch_in() {
  std::swap(held_, base::HeldLocks::of_this_thread());
#if defined(__SANITIZE_THREAD__)
  outside_thread_ = __tsan_get_current_fiber();
  __tsan_switch_to_fiber(inside_thread_, 0);
#endif
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_start_switch_fiber(&outside_fake_, stack_.get(), kStackBytes);
#endif
  CHECK(swapcontext(&outside_, &inside_) == 0);
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_finish_switch_fiber(outside_fake_, nullptr, nullptr);
#endif
}

void Fiber::switch_out() {
  std::swap(held_, base::HeldLocks::of_this_thread());
#if defined(__SANITIZE_THREAD__)
  __tsan_switch_to_fiber(outside_thread_, 0);
#endif
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_start_switch_fiber(&inside_fake_, outside_bottom_, outside_size_);
#endif
  CHECK(swapcontext(&inside_, &outside_) == 0);
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_finish_switch_fiber(inside_fake_, &outside_bottom_, &outside_size_);
#endif
}

}  // namespace perigee::test

// A move-only callable without a heap: what a loop posts, arms and calls back.
//
// std::function allocates for three words; a Fn holds 48 bytes in place and a capture that is
// larger does not compile.
#pragma once

#include <cstddef>
#include <new>
#include <type_traits>
#include <utility>

#include "base/check.h"

namespace perigee::base {

template <typename Signature>
class Fn;

template <typename R, typename... Args>
class Fn<R(Args...)> {
 public:
  static constexpr size_t kCapacityBytes = 48;

  Fn() = default;
  template <typename F>
  requires(!std::is_same_v<std::remove_cvref_t<F>, Fn> && std::is_invocable_r_v<R, F&, Args...>)
      Fn(F&& callable) {
    using Held = std::remove_cvref_t<F>;
    static_assert(sizeof(Held) <= kCapacityBytes, "the capture is too big for a Fn");
    static_assert(alignof(Held) <= alignof(std::max_align_t));
    static_assert(std::is_nothrow_move_constructible_v<Held>);
    new (storage_) Held(std::forward<F>(callable));
    call_ = [](void* held, Args... args) -> R {
      return (*static_cast<Held*>(held))(std::forward<Args>(args)...);
    };
    relocate_ = [](void* from, void* to) {
      if (to != nullptr) new (to) Held(std::move(*static_cast<Held*>(from)));
      static_cast<Held*>(from)->~Held();
    };
  }
  Fn(Fn&& other) noexcept { take(other); }
  Fn& operator=(Fn&& other) noexcept {
    if (this != &other) {
      reset();
      take(other);
    }
    return *this;
  }
  Fn(const Fn&) = delete;
  Fn& operator=(const Fn&) = delete;
  ~Fn() { reset(); }

  explicit operator bool() const { return call_ != nullptr; }
  R operator()(Args... args) {
    CHECK(call_ != nullptr);
    return call_(storage_, std::forward<Args>(args)...);
  }

 private:
  void reset() {
    if (call_ != nullptr) relocate_(storage_, nullptr);
    call_ = nullptr;
  }
  void take(Fn& other) {
    if (other.call_ == nullptr) return;
    other.relocate_(other.storage_, storage_);
    call_ = std::exchange(other.call_, nullptr);
    relocate_ = other.relocate_;
  }

  alignas(std::max_align_t) std::byte storage_[kCapacityBytes];
  R (*call_)(void*, Args...) = nullptr;
  void (*relocate_)(void*, void*) = nullptr;
};

/// What a loop runs once. 48 bytes of capture, no heap.
using Task = Fn<void()>;

}  // namespace perigee::base

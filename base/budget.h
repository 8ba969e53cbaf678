// A bound on bytes shared by all threads: whoever wants memory for peers reserves it here first.
#pragma once

#include <atomic>
#include <cstddef>
#include <utility>

#include "base/check.h"

namespace perigee::base {

class ByteBudget {
 public:
  explicit ByteBudget(size_t limit_bytes) : limit_(limit_bytes) {}
  ~ByteBudget() { CHECK(used_.load(std::memory_order_relaxed) == 0); }

  /// Any thread. False: the bound is reached and nothing was taken.
  bool try_take(size_t bytes) {
    size_t used = used_.load(std::memory_order_relaxed);
    do {
      if (bytes > limit_ - used) return false;
    } while (!used_.compare_exchange_weak(used, used + bytes, std::memory_order_relaxed));
    return true;
  }
  /// Any thread.
  void give_back(size_t bytes) {
    const size_t before = used_.fetch_sub(bytes, std::memory_order_relaxed);
    CHECK(before >= bytes);
  }
  size_t used() const { return used_.load(std::memory_order_relaxed); }
  size_t limit() const { return limit_; }

 private:
  const size_t limit_;
  std::atomic<size_t> used_{0};
};

/// Bytes taken from a budget, given back on destruction. Move-only.
class Reservation {
 public:
  Reservation() = default;
  /// Holds `bytes` that try_take() granted before.
  Reservation(ByteBudget& budget, size_t bytes) : budget_(&budget), bytes_(bytes) {}
  Reservation(Reservation&& other) noexcept
      : budget_(other.budget_), bytes_(std::exchange(other.bytes_, 0)) {}
  Reservation& operator=(Reservation&& other) noexcept {
    shrink_to(0);
    budget_ = other.budget_;
    bytes_ = std::exchange(other.bytes_, 0);
    return *this;
  }
  ~Reservation() { shrink_to(0); }

  size_t bytes() const { return bytes_; }
  void shrink_to(size_t bytes) {
    if (bytes >= bytes_) return;
    budget_->give_back(bytes_ - bytes);
    bytes_ = bytes;
  }

 private:
  ByteBudget* budget_ = nullptr;
  size_t bytes_ = 0;
};

}  // namespace perigee::base

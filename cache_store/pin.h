// The right to read one record: its slab is not recycled while the Pin is held.
//
// A pin is one atomic add on the slab's word. Move-only; any thread may drop one.
#pragma once

#include <atomic>
#include <cstdint>
#include <utility>

#include "base/check.h"

namespace perigee::cache_store {

/// Lives in an array for as long as the store; one cache line each.
struct alignas(64) SlabWord {
  std::atomic<uint64_t> life_pins{0};  ///< life in the high 32 bits, pins in the low 32
  uint64_t generation = 0;             ///< of the slab; written while it has no entries
  std::atomic<bool> poisoned{false};   ///< set by the SIGBUS handler, before its zero page is seen

  /// True when what was read of the slab before this call cannot be trusted.
  bool is_poisoned() const {
    // The compiler must not look earlier. The processor does not: a zero page comes with a change
    // of the page table, before which it is told to forget what it read ahead.
    std::atomic_signal_fence(std::memory_order_acquire);
    return poisoned.load(std::memory_order_relaxed);
  }
};

class Pin {
 public:
  Pin() = default;
  /// Takes over one pin that was counted already.
  Pin(SlabWord* word, uint32_t slab, uint32_t life) : word_(word), slab_(slab), life_(life) {}
  Pin(Pin&& other) noexcept
      : word_(std::exchange(other.word_, nullptr)), slab_(other.slab_), life_(other.life_) {}
  Pin& operator=(Pin&& other) noexcept {
    if (this != &other) {
      reset();
      word_ = std::exchange(other.word_, nullptr);
      slab_ = other.slab_;
      life_ = other.life_;
    }
    return *this;
  }
  ~Pin() { reset(); }

  explicit operator bool() const { return word_ != nullptr; }
  uint32_t slab() const { return slab_; }
  uint32_t life() const { return life_; }
  const SlabWord* word() const { return word_; }
  /// What was read of the slab before this call cannot be trusted. False for an empty Pin.
  bool is_poisoned() const { return word_ != nullptr && word_->is_poisoned(); }
  /// A pin of one's own on the slab that this one holds. Empty for an empty Pin.
  Pin another() const {
    if (word_ == nullptr) return {};
    const uint64_t before = word_->life_pins.fetch_add(1, std::memory_order_relaxed);
    CHECK(static_cast<uint32_t>(before) != 0 && static_cast<uint32_t>(before) != UINT32_MAX);
    return {word_, slab_, life_};
  }
  void reset() {
    if (word_ == nullptr) return;
    const uint64_t before =
        std::exchange(word_, nullptr)->life_pins.fetch_sub(1, std::memory_order_release);
    CHECK(static_cast<uint32_t>(before) != 0);
  }

 private:
  SlabWord* word_ = nullptr;
  uint32_t slab_ = 0;
  uint32_t life_ = 0;
};

}  // namespace perigee::cache_store

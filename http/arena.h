// Memory of one exchange: a bump allocator whose blocks are freed at once when the exchange ends.
//
// Bounded: alloc() returns null beyond the limit, and the caller answers 503 or goes the uncached
// way.
#pragma once

#include <cstddef>
#include <cstring>
#include <memory>
#include <new>
#include <span>
#include <string_view>
#include <vector>

#include "base/limits.h"

namespace perigee::http {

class Arena {
 public:
  /// `first` is memory used before any block is taken from the heap; it must outlive the arena.
  explicit Arena(std::span<std::byte> first = {},
                 size_t limit_bytes = base::limits::kExchangeArenaBytes)
      : cursor_(first.data()), left_(first.size()), first_(first), limit_(limit_bytes) {}
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;

  /// Null when the limit is reached.
  void* alloc(size_t bytes, size_t alignment = alignof(std::max_align_t)) {
    const size_t skew = reinterpret_cast<uintptr_t>(cursor_) % alignment;
    const size_t padding = skew == 0 ? 0 : alignment - skew;
    if (left_ < bytes + padding || cursor_ == nullptr) return alloc_block(bytes);
    std::byte* start = cursor_ + padding;
    cursor_ = start + bytes;
    left_ -= bytes + padding;
    return start;
  }
  /// Empty when the limit is reached (or nothing was asked for).
  template <typename T>
  std::span<T> alloc_span(size_t count) {
    void* memory = alloc(count * sizeof(T), alignof(T));
    if (memory == nullptr) return {};
    return {new (memory) T[count](), count};
  }
  /// A copy whose data() is null when the limit is reached.
  std::string_view copy(std::string_view text) {
    char* memory = static_cast<char*>(alloc(text.size() + 1, 1));
    if (memory == nullptr) return {};
    if (!text.empty()) std::memcpy(memory, text.data(), text.size());
    return {memory, text.size()};
  }
  /// Frees all blocks; the first memory is used again.
  void reset() {
    blocks_.clear();
    taken_ = 0;
    cursor_ = first_.data();
    left_ = first_.size();
  }
  size_t heap_bytes() const { return taken_; }

 private:
  void* alloc_block(size_t bytes) {
    const size_t block =
        bytes > base::limits::kArenaBlockBytes / 4 ? bytes + 16 : base::limits::kArenaBlockBytes;
    if (taken_ + block > limit_) return nullptr;
    blocks_.push_back(std::make_unique_for_overwrite<std::byte[]>(block));
    taken_ += block;
    std::byte* start = blocks_.back().get();
    if (block == base::limits::kArenaBlockBytes) {
      cursor_ = start + bytes;
      left_ = block - bytes;
    }
    return start;
  }

  std::byte* cursor_;
  size_t left_;
  std::span<std::byte> first_;
  size_t limit_;
  size_t taken_ = 0;
  std::vector<std::unique_ptr<std::byte[]>> blocks_;
};

}  // namespace perigee::http

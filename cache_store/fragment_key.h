// The key of a fragment: text that no URL has, since it begins with a zero byte (FORMAT.md).
//
// So a fragment lies in the index and in the file as an object does, under a digest of its own.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

#include "base/check.h"
#include "cache_store/store.h"

namespace perigee::cache_store {

/// Immutable; any thread. `text()` is valid as long as the object.
class FragmentKey {
 public:
  explicit FragmentKey(const FragmentId& id) : size_(id.coding == 0 ? kBytes : kCodedBytes) {
    CHECK(id.rid != 0);
    put(1, id.rid);
    put(1 + sizeof id.rid, id.number);
    put(kBytes, id.coding);
  }
  std::string_view text() const { return {bytes_.data(), size_}; }
  /// What the text of a fragment's key names; nothing: it is no such text.
  static std::optional<FragmentId> parse(std::string_view text) {
    const bool sized = text.size() == kBytes || text.size() == kCodedBytes;
    if (!sized || text[0] != 0) return std::nullopt;
    const uint64_t coding = text.size() == kCodedBytes ? get(text, kBytes) : 0;
    return FragmentId{get(text, 1), get(text, 1 + sizeof(uint64_t)), coding};
  }

 private:
  static constexpr size_t kBytes = 1 + 2 * sizeof(uint64_t);
  static constexpr size_t kCodedBytes = kBytes + sizeof(uint64_t);

  static uint64_t get(std::string_view text, size_t at) {
    uint64_t number = 0;
    for (size_t i = 0; i < sizeof number; ++i) {
      number |= uint64_t{static_cast<unsigned char>(text[at + i])} << (8 * i);
    }
    return number;
  }
  void put(size_t at, uint64_t number) {
    for (size_t i = 0; i < sizeof number; ++i) {
      bytes_[at + i] = static_cast<char>(number >> (8 * i) & 0xff);
    }
  }

  std::array<char, kCodedBytes> bytes_{};
  size_t size_;
};

}  // namespace perigee::cache_store

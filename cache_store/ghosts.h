// The keys of records that left probation without a use: who asks for one of them again, and soon,
// did not ask by chance.
//
// Small tags in buckets, first in, first out within a bucket; about as many as main has records, so
// that a key is remembered for as long as it would have stayed in main. Two keys may share a tag:
// then a new one begins in main, which costs a place there and nothing else. Not kept over a
// restart. Thread-safe.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/mutex.h"
#include "cache_store/store.h"

namespace perigee::cache_store {

class Ghosts {
 public:
  Ghosts();

  /// At least so many are remembered from now on, up to a bound.
  void make_room_for(size_t tags);
  void add(const Digest& digest);
  bool contains(const Digest& digest);
  /// It is no ghost any more. False: it was none.
  bool remove(const Digest& digest);
  /// Of the tags.
  size_t memory_bytes() const;

 private:
  /// One cache line; the oldest tag is the last, and 0 is none.
  struct alignas(64) Bucket {
    std::array<uint32_t, 16> tags{};
  };
  static uint32_t tag_of(const Digest& digest) {
    const auto tag = static_cast<uint32_t>(digest.hi >> 32);
    return tag == 0 ? 1 : tag;
  }
  Bucket& bucket_of(uint32_t tag) REQUIRES(mutex_) {
    return buckets_[uint64_t{tag} * buckets_.size() >> 32];
  }
  void add(uint32_t tag) REQUIRES(mutex_);
  bool contains(uint32_t tag) REQUIRES(mutex_);

  mutable base::Mutex mutex_{base::LockRank::kGhosts};
  std::vector<Bucket> buckets_ GUARDED_BY(mutex_);
};

}  // namespace perigee::cache_store

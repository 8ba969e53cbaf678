#include "cache_store/ghosts.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/limits.h"

namespace perigee::cache_store {

namespace limits = base::limits;

Ghosts::Ghosts() { make_room_for(limits::kGhostsLeast); }

void Ghosts::make_room_for(size_t tags) {
  const base::MutexLock lock(mutex_);
  constexpr size_t kInBucket = std::tuple_size_v<decltype(Bucket::tags)>;
  const size_t wanted = std::min(tags, limits::kGhostsMost) / kInBucket;
  if (wanted <= buckets_.size()) return;
  // By a half at least, so that a store that fills up moves them a few times only.
  const size_t most = limits::kGhostsMost / kInBucket;
  std::vector<Bucket> old(std::min(std::max(wanted, buckets_.size() * 3 / 2), most));
  old.swap(buckets_);
  for (const Bucket& bucket : old) {
    for (auto tag = bucket.tags.rbegin(); tag != bucket.tags.rend(); ++tag) {
      if (*tag != 0) add(*tag);
    }
  }
  CHECK(buckets_.size() >= wanted && buckets_.size() <= most);
}

void Ghosts::add(uint32_t tag) {
  auto& tags = bucket_of(tag).tags;
  std::move_backward(tags.begin(), tags.end() - 1, tags.end());
  tags.front() = tag;
}

bool Ghosts::contains(uint32_t tag) {
  const auto& tags = bucket_of(tag).tags;
  return std::find(tags.begin(), tags.end(), tag) != tags.end();
}

void Ghosts::add(const Digest& digest) {
  const base::MutexLock lock(mutex_);
  const uint32_t tag = tag_of(digest);
  if (!contains(tag)) add(tag);
}

bool Ghosts::contains(const Digest& digest) {
  const base::MutexLock lock(mutex_);
  return contains(tag_of(digest));
}

bool Ghosts::remove(const Digest& digest) {
  const base::MutexLock lock(mutex_);
  const uint32_t tag = tag_of(digest);
  auto& tags = bucket_of(tag).tags;
  const auto end = std::remove(tags.begin(), tags.end(), tag);
  const bool found = end != tags.end();
  std::fill(end, tags.end(), 0);
  return found;
}

size_t Ghosts::memory_bytes() const {
  const base::MutexLock lock(mutex_);
  return buckets_.size() * sizeof(Bucket);
}

}  // namespace perigee::cache_store

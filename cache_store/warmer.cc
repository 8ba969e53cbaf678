#include "cache_store/warmer.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "base/check.h"
#include "base/limits.h"

namespace perigee::cache_store {

namespace limits = base::limits;

Warmer::Warmer(const Parts& parts, uint64_t memory_bytes)
    : parts_(parts), left_(memory_bytes / limits::kMemoryShare) {}

void Warmer::begin(const std::vector<ScannedFile::Slab>& slabs, int64_t wall_ms) {
  const base::MutexLock lock(mutex_);
  last_ms_ = wall_ms;
  CHECK(targets_.empty());
  for (const Ring ring : {Ring::kProbation, Ring::kMain}) {
    for (const ScannedFile::Slab& slab : slabs) {
      if (slab.ring == ring) targets_.push_back({slab.number, slab.contents.generation});
    }
  }
}

bool Warmer::step(int64_t wall_ms) {
  const base::MutexLock lock(mutex_);
  // A pool that was busy, or a clock that was put forward, earns no burst.
  constexpr int64_t kMostMs = 250;
  constexpr int64_t kSecondMs = 1'000;
  const int64_t ms = std::clamp<int64_t>(wall_ms - last_ms_, 0, kMostMs);
  last_ms_ = wall_ms;
  allowed_ = std::min(allowed_ + limits::kWarmBytesPerSecond * ms / kSecondMs,
                      limits::kWarmBytesPerSecond * kMostMs / kSecondMs);
  while (left_ > 0 && (next_ < table_.size() || !targets_.empty())) {
    if (allowed_ <= 0) return true;
    if (next_ < table_.size()) {
      warm(table_[next_++]);
    } else {
      read_table();
    }
  }
  table_ = {};
  targets_ = {};
  next_ = 0;
  return false;
}

/// Of the next slab. If it was used again, what it holds was put since the start.
void Warmer::read_table() {
  const Target target = targets_.back();
  targets_.pop_back();
  table_.clear();
  next_ = 0;
  slab_ = target.slab;
  std::optional<Recovery::ScannedSlab> scanned = parts_.recovery.read_slab(target.slab);
  spend(sizeof(format::SlabHeader));
  if (!scanned || scanned->header.generation != target.generation) return;
  table_ = std::move(scanned->table);
  spend(format::table_bytes(table_.size()));
}

void Warmer::warm(const format::TableEntry& entry) {
  const Digest digest{entry.digest_lo, entry.digest_hi};
  const auto found = parts_.index.peek(
      digest, [&](const Location& location) { return parts_.slabs.pin(location.slab); });
  const Location location{slab_, entry.offset64, entry.length64};
  const bool same = found && found->slot == entry.slot && found->location == location;
  if (!same || found->verified) return;
  parts_.verifier.verify(digest, *found);
  spend(location.bytes());
}

void Warmer::spend(uint64_t bytes) {
  allowed_ -= static_cast<int64_t>(bytes);
  left_ -= std::min(left_, bytes);
}

}  // namespace perigee::cache_store

// Whether what was verified still is in memory: a loop that reads a page which is not there waits
// for the disk.
//
// The kernel drops pages as it likes, most of all when the store is larger than the memory. So it
// is asked at a slow pace, and at a quick one while pages go: first how many pages of the file are
// there, then of each slab, and only for a slab that has changed, which ones. Records whose pages
// went are no longer verified: who looks one up finds it cold, and the pool reads it.
//
// If a slab loses pages and others bring in just as many of it between two looks, nobody notices
// until it changes again.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "base/mutex.h"
#include "cache_store/index.h"
#include "cache_store/recovery.h"
#include "cache_store/slabs.h"
#include "cache_store/store.h"
#include "cache_store/store_io.h"

namespace perigee::cache_store {

class Residency {
 public:
  /// The parts of the store that it looks at.
  struct Parts {
    StoreIo& io;
    const Recovery& recovery;
    Slabs& slabs;
    Index& index;
  };
  /// `memory_bytes`: see StoreOptions.
  Residency(const Parts& parts, uint64_t memory_bytes);

  /// At start: from now on.
  void begin(int64_t wall_ms);
  /// Any thread. A record of the slab has just become verified.
  void note_verified(uint32_t slab) {
    noted_[slab].store(true, std::memory_order_relaxed);
    any_noted_.store(true, std::memory_order_relaxed);
  }
  /// Pool. A part of a look at the whole store, if one is due or not at its end: of limits::
  /// kResidencySlabs slabs at most. The kernel is asked without the lock of the slabs or of the
  /// index.
  void step(int64_t wall_ms);
  /// Verified records that lost pages, since the start.
  uint64_t cooled() const { return cooled_.load(std::memory_order_relaxed); }

 private:
  /// What was found at the last look at a slab.
  struct Seen {
    uint64_t generation = 0;  ///< 0: nothing
    uint64_t pages = 0;
  };
  /// A slab with records, as it is now.
  struct Holder {
    uint64_t generation = 0;
    uint64_t bytes = 0;                     ///< from its begin on, that may hold records
    bool open = false;                      ///< it has no table in the file
    std::vector<format::TableEntry> table;  ///< of an open one, when asked for
  };
  bool begin_round(int64_t wall_ms) REQUIRES(mutex_);
  size_t look_at(uint32_t slab) REQUIRES(mutex_);
  std::optional<Holder> holder(uint32_t slab, bool with_table) const;
  std::optional<std::vector<format::TableEntry>> table_of(uint32_t slab, uint64_t generation) const;
  void distrust_gone(uint32_t slab, const std::vector<format::TableEntry>& table) REQUIRES(mutex_);

  const Parts parts_;
  const int64_t usual_pause_ms_;
  const std::unique_ptr<std::atomic<bool>[]> noted_;  ///< by slab, since its last look
  std::atomic<bool> any_noted_{true};
  std::atomic<uint64_t> cooled_{0};

  base::Mutex mutex_{base::LockRank::kResidency};
  int64_t last_ms_ GUARDED_BY(mutex_) = 0;
  int64_t pause_ms_ GUARDED_BY(mutex_);            ///< until the next look
  uint64_t cooled_before_ GUARDED_BY(mutex_) = 0;  ///< `cooled_` when this look began
  uint32_t next_ GUARDED_BY(mutex_);  ///< slab of this look; as many as there are: it is over
  std::optional<uint64_t> whole_ GUARDED_BY(mutex_);  ///< pages of the file in memory, then
  std::vector<Seen> seen_ GUARDED_BY(mutex_);
  std::vector<unsigned char> pages_ GUARDED_BY(mutex_);
};

}  // namespace perigee::cache_store

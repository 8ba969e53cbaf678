// Verifies what a start found, ahead of who asks for it, so that first hits are not cold.
//
// Nothing is kept of how records were used. So main goes first, whose records were used once, and
// of each ring the youngest slab; it ends when half of the memory is filled.
#pragma once

#include <cstdint>
#include <vector>

#include "base/mutex.h"
#include "cache_store/index.h"
#include "cache_store/recovery.h"
#include "cache_store/slabs.h"
#include "cache_store/verifier.h"

namespace perigee::cache_store {

class Warmer {
 public:
  /// The parts of the store that it needs.
  struct Parts {
    const Recovery& recovery;
    Slabs& slabs;
    Index& index;
    Verifier& verifier;
  };
  /// `memory_bytes`: see StoreOptions.
  Warmer(const Parts& parts, uint64_t memory_bytes);

  /// At start: these slabs hold records, the oldest first.
  void begin(const std::vector<ScannedFile::Slab>& slabs, int64_t wall_ms);
  /// Pool. Reads as much as the time since the last step allows (limits::kWarmBytesPerSecond), and
  /// one record. False: nothing is left to do. Holds no lock of another part while it reads.
  bool step(int64_t wall_ms);

 private:
  /// A slab, in the life that the start found.
  struct Target {
    uint32_t slab = 0;
    uint64_t generation = 0;
  };
  void read_table() REQUIRES(mutex_);
  void warm(const format::TableEntry& entry) REQUIRES(mutex_);
  void spend(uint64_t bytes) REQUIRES(mutex_);

  const Parts parts_;

  base::Mutex mutex_{base::LockRank::kWarmer};
  std::vector<Target> targets_ GUARDED_BY(mutex_);  ///< the last one is next
  uint32_t slab_ GUARDED_BY(mutex_) = 0;            ///< of `table_`
  std::vector<format::TableEntry> table_ GUARDED_BY(mutex_);
  size_t next_ GUARDED_BY(mutex_) = 0;  ///< in the table
  int64_t last_ms_ GUARDED_BY(mutex_) = 0;
  int64_t allowed_ GUARDED_BY(mutex_) = 0;  ///< bytes; below 0 after a long record
  uint64_t left_ GUARDED_BY(mutex_);        ///< bytes that may still be read
};

}  // namespace perigee::cache_store

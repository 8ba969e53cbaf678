// Reads what lies in the store and compares its checksums, slab after slab, at a slow pace: rot is
// found before a client asks for what it took.
//
// The bytes are read with pread into a buffer of its own, and never through the map. Pages that
// nobody asks for are then not brought into the map, where they would look used and push out those
// that loops serve; and a bad block is an error here, not a signal. What is found good is not
// marked verified, since a loop that served it would wait for its pages. Pages of a slab that were
// not in memory before leave it when the slab has been looked at, unless somebody maps them by
// then.
#pragma once

#include <atomic>
#include <cstdint>
#include <vector>

#include "base/mutex.h"
#include "cache_store/bad_records.h"
#include "cache_store/index.h"
#include "cache_store/record_reader.h"
#include "cache_store/recovery.h"
#include "cache_store/slabs.h"
#include "cache_store/store.h"
#include "cache_store/store_io.h"

namespace perigee::cache_store {

class Scrubber {
 public:
  /// The parts of the store that it looks at.
  struct Parts {
    StoreIo& io;
    const Recovery& recovery;
    Slabs& slabs;
    Index& index;
    const RecordReader& reader;
    BadRecords& bad;
  };
  explicit Scrubber(const Parts& parts) : parts_(parts) {}

  /// At start: from now on.
  void begin(int64_t wall_ms);
  /// Pool. Reads as much as the time since the last step allows (limits::kScrubBytesPerSecond), but
  /// not more than the budget and one record. Records of sealed slabs that are in the index are
  /// looked at, in the order in which they lie; what is not good is dropped. Holds the Pin of one
  /// slab while it reads, and neither the lock of the slabs nor one of the index.
  void step(const StepBudget& budget);
  /// How many were read since the start.
  uint64_t bytes() const { return bytes_.load(std::memory_order_relaxed); }

 private:
  void earn(int64_t wall_ms) REQUIRES(mutex_);
  Pin pin_slab() REQUIRES(mutex_);
  bool read_table() REQUIRES(mutex_);
  void look_at(const format::TableEntry& entry) REQUIRES(mutex_);
  void spend(uint64_t bytes) REQUIRES(mutex_);
  bool may_go_on(uint64_t most) const REQUIRES(mutex_);
  void release_pages() REQUIRES(mutex_);
  void leave_slab() REQUIRES(mutex_);

  const Parts parts_;
  std::atomic<uint64_t> bytes_{0};

  base::Mutex mutex_{base::LockRank::kScrub};
  int64_t last_ms_ GUARDED_BY(mutex_) = 0;
  int64_t allowed_ GUARDED_BY(mutex_) = 0;  ///< bytes; below 0 after a long record
  uint32_t slab_ GUARDED_BY(mutex_) = 0;    ///< that is being looked at
  /// Of its life that `table_` tells of; 0: its table was not read yet.
  uint64_t generation_ GUARDED_BY(mutex_) = 0;
  std::vector<format::TableEntry> table_ GUARDED_BY(mutex_);
  size_t next_ GUARDED_BY(mutex_) = 0;  ///< in the table
  std::vector<std::byte> buffer_ GUARDED_BY(mutex_);
  /// Which pages of the slab were in memory before; empty: not known.
  std::vector<unsigned char> before_ GUARDED_BY(mutex_);
};

}  // namespace perigee::cache_store

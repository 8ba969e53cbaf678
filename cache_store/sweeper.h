// Goes through the index behind purges by tag, prefix or of everything, and tests the records that
// nobody has looked up since: so that they are gone, or stale, and counted, though nobody asks.
//
// Such a purge is in force without it: each lookup tests what it finds. Records are read with pread
// into a buffer of its own, up to their bodies, so that pages which nobody asks for stay out of the
// map and a bad block is an error. No lock of the index or the slabs is held meanwhile; the record
// that is read is pinned.
#pragma once

#include <cstdint>
#include <vector>

#include "base/mutex.h"
#include "cache_store/bad_records.h"
#include "cache_store/index.h"
#include "cache_store/purge_log.h"
#include "cache_store/record_reader.h"
#include "cache_store/recovery.h"
#include "cache_store/slabs.h"

namespace perigee::cache_store {

class Sweeper {
 public:
  /// The parts of the store that it looks at.
  struct Parts {
    const Recovery& recovery;
    Slabs& slabs;
    Index& index;
    const RecordReader& reader;
    PurgeLog& purges;
    BadRecords& bad;
  };
  explicit Sweeper(const Parts& parts) : parts_(parts) {}

  /// At start. `tested`: what is in the index needs no pass before the next purge.
  void begin(bool tested);
  /// Pool. Tests as many records as a step may (limits::kSweepRecords, kSweepShards, and the bytes
  /// of the budget, read up to the bodies, and one record). A pass goes to the purge that was the
  /// newest when it began.
  void step(const StepBudget& budget);

 private:
  void look_at(const Index::Behind& entry) REQUIRES(mutex_);
  Digest digest_of(const Index::Behind& entry) const;

  const Parts parts_;

  base::Mutex mutex_{base::LockRank::kSweep};
  uint64_t done_ GUARDED_BY(mutex_) = 0;  ///< the pass up to this purge is over
  bool running_ GUARDED_BY(mutex_) = false;
  uint64_t target_ GUARDED_BY(mutex_) = 0;  ///< of the pass
  size_t shard_ GUARDED_BY(mutex_) = 0;     ///< that is looked through
  size_t from_ GUARDED_BY(mutex_) = 0;      ///< in it
  uint64_t read_ GUARDED_BY(mutex_) = 0;    ///< bytes, by this step
  std::vector<Index::Behind> batch_ GUARDED_BY(mutex_);
  std::vector<std::byte> buffer_ GUARDED_BY(mutex_);
};

}  // namespace perigee::cache_store

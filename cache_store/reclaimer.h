// Makes room: whole slabs, first in, first out within their ring. This is S3-FIFO over slabs.
//
// New records go to probation, a small share of all slabs. What was used there goes to main when
// its slab is emptied, and goes round in main for as long as it is used; the rest leaves, and of
// what leaves probation a ghost remains for some time. So what is asked for once passes through
// probation and never pushes out what is used.
//
// The oldest slab of a ring always goes first, also when it is still read, and a new version of a
// record goes to the ring of the present one: so an older version in the file goes before a newer
// one, and never comes back at a start. Where this cannot be known, the index entry says so, and
// the journal gets an entry when the newer version goes.
//
// The work is cut into steps, one thread at a time (mutex()); of a step only what must be seen by
// others as one thing is done under the lock of the slabs.
#pragma once

#include <atomic>
#include <cstdint>
#include <optional>

#include "base/mutex.h"
#include "cache_store/ghosts.h"
#include "cache_store/health.h"
#include "cache_store/index.h"
#include "cache_store/purge_log.h"
#include "cache_store/recovery.h"
#include "cache_store/slabs.h"
#include "cache_store/survivors.h"

namespace perigee::cache_store {

class Reclaimer {
 public:
  struct Parts {
    Index& index;
    PurgeLog& purges;
    Slabs& slabs;
    const Recovery& recovery;
    const RecordReader& reader;
    RecordWriter& writer;
    Health& health;
  };
  /// `probation_percent`: its share of all slabs.
  Reclaimer(const Parts& parts, unsigned probation_percent);

  enum class Progress : uint8_t {
    kMore,    ///< another step may do more
    kSync,    ///< the file must be synced before the next step does anything
    kEnough,  ///< enough slabs are free
    kStuck,   ///< none can be freed now
  };
  /// Pool; blocking. One step towards free slabs, which copies about so many bytes at most.
  Progress step(uint64_t bytes);
  /// Wall time, to tell what has expired.
  void set_time(int64_t wall_ms) { now_ms_.store(wall_ms, std::memory_order_relaxed); }

  // --- under the lock of the slabs ---

  /// Where a new record belongs.
  Ring ring_for(const Slabs& slabs, RecordKind kind, const Digest& digest) REQUIRES(slabs.mutex());
  /// The ring's open slab has room for a new record, or a slab is free for it.
  bool has_room(const Slabs& slabs, Ring ring, uint64_t record_bytes) const REQUIRES(slabs.mutex());
  /// After has_room(): in the open slab. An error: the file cannot be written.
  base::Status make_room(Slabs& slabs, Ring ring, uint64_t record_bytes) REQUIRES(slabs.mutex());
  /// Drops the slabs that have a bad page.
  void drop_poisoned(Slabs& slabs) REQUIRES(slabs.mutex());
  /// Drops the slabs that are not known to be synced, and trusts no record before it was read
  /// again.
  void drop_unsynced(Slabs& slabs) REQUIRES(slabs.mutex());

  // --- any thread ---

  /// A new record of this key is stored: it is no ghost any more.
  void note_stored(const Digest& digest);
  /// Slabs are wanted, and readers hold those that were emptied.
  bool is_crowded() const { return crowded_.load(std::memory_order_relaxed); }
  /// Fills in what is known here.
  void add_to(StoreStats& stats) const;

 private:
  enum class Older : uint8_t { kAreGone, kStay };
  bool is_enough(const Slabs& slabs) const REQUIRES(slabs.mutex());
  std::optional<Ring> victims_ring(const Slabs& slabs) const REQUIRES(slabs.mutex());
  std::optional<Victim> choose_victim(const Slabs& slabs) const REQUIRES(slabs.mutex());
  void read_table(Victim& victim) const;
  void finish(const Victim& victim);
  bool evict(const format::TableEntry& entry, uint32_t slab, Older older);
  void empty(Slabs& slabs, uint32_t slab) REQUIRES(slabs.mutex());
  void keep_gone(const format::TableEntry& entry);

  Index& index_;
  PurgeLog& purges_;
  Slabs& slabs_;
  Health& health_;
  const Recovery& recovery_;
  const size_t probation_slabs_;

  SurvivorCounts survivor_counts_;
  Ghosts ghosts_;
  base::Mutex mutex_{base::LockRank::kReclaim};
  std::optional<Victim> victim_ GUARDED_BY(mutex_);
  Survivors survivors_ GUARDED_BY(mutex_);

  std::atomic<int64_t> now_ms_{0};
  std::atomic<bool> crowded_{false};
  std::atomic<uint64_t> evicted_{0};
  std::atomic<uint64_t> poisoned_{0};
  std::atomic<uint64_t> ghost_hits_{0};
};

}  // namespace perigee::cache_store

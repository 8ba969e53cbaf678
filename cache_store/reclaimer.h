// Makes room: whole slabs, first in, first out.
//
// The entries of a slab leave the index and its header is wiped; when its last pin drops it is
// free. The oldest always goes first, also when it is still read: if a newer slab went before it,
// the older versions in it would come back at the next start.
//
// All is done under the lock of the Slabs that the caller passes.
#pragma once

#include <atomic>
#include <cstdint>

#include "cache_store/health.h"
#include "cache_store/index.h"
#include "cache_store/purge_log.h"
#include "cache_store/recovery.h"
#include "cache_store/slabs.h"

namespace perigee::cache_store {

class Reclaimer {
 public:
  Reclaimer(Index& index, PurgeLog& purges, const Recovery& recovery, Health& health)
      : index_(index), purges_(purges), recovery_(recovery), health_(health) {}

  /// Sees to it that the open slab has room for a record. kNoSpace: no slab can be freed now; kIo:
  /// the file cannot be written.
  base::Status make_room(Slabs& slabs, uint64_t record_bytes) REQUIRES(slabs.mutex());
  /// One slab more is made ready ahead of its use. False: enough are, or none can be.
  bool prepare_one(Slabs& slabs) REQUIRES(slabs.mutex());
  /// Drops the slabs that have a bad page.
  void drop_poisoned(Slabs& slabs) REQUIRES(slabs.mutex());
  /// Drops the slabs that are not known to be synced, and trusts no record before it was read
  /// again.
  void drop_unsynced(Slabs& slabs) REQUIRES(slabs.mutex());

  /// Index entries that went with their slab.
  uint64_t evicted() const { return evicted_.load(std::memory_order_relaxed); }
  /// Slabs dropped after a bad page.
  uint64_t poisoned() const { return poisoned_.load(std::memory_order_relaxed); }

 private:
  enum class Older : uint8_t { kAreGone, kStay };
  bool empty_oldest(Slabs& slabs) REQUIRES(slabs.mutex());
  void empty(Slabs& slabs, uint32_t slab, Older older) REQUIRES(slabs.mutex());

  void keep_gone(const format::TableEntry& entry);

  Index& index_;
  PurgeLog& purges_;
  const Recovery& recovery_;
  Health& health_;
  std::atomic<uint64_t> evicted_{0};
  std::atomic<uint64_t> poisoned_{0};
};

}  // namespace perigee::cache_store

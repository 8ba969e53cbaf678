// The order in which locks are taken, and the check that a thread keeps to it.
//
// Every base::Mutex has a rank. A thread that holds one takes only locks of a higher rank, so no
// two threads can wait for each other. Builds with tests and debug builds check each lock that is
// taken (PERIGEE_CHECK_LOCK_ORDER); the binary that is installed has no trace of it.
#pragma once

#include <bit>
#include <cstdint>
#include <string>

#include "base/check.h"

namespace perigee::base {

/// All locks of Perigee, the outermost first. Locks of one rank are never held together.
enum class LockRank : uint8_t {
  kFillTable,       ///< origin: a shard of the fills in flight
  kFill,            ///< origin: the phase of one fill
  kFillBody,        ///< origin: the bytes of one fill
  kHitForMiss,      ///< origin: the keys whose responses cannot be shared
  kContentTags,     ///< origin: the tags of a folder's files
  kReclaim,         ///< cache_store: the slab that is being emptied
  kStoreSync,       ///< cache_store: when the file was synced
  kScrub,           ///< cache_store: how far the scrubber is
  kResidency,       ///< cache_store: what was known of the pages in memory
  kWarmer,          ///< cache_store: how far the warming after a start is
  kSweep,           ///< cache_store: how far the sweep is
  kPredicateDraw,   ///< cache_store: the order of purges by tag, prefix and of everything
  kSlabs,           ///< cache_store: where records are appended, and the state of each slab
  kIndex,           ///< cache_store: a shard of the index
  kGhosts,          ///< cache_store: the keys of records that left probation
  kAwaited,         ///< cache_store: a shard of the URLs with a response on its way
  kPurges,          ///< cache_store: the drawing of a purge's number
  kPurgeTable,      ///< cache_store: the purges that the fence remembers
  kPredicates,      ///< cache_store: the purges by tag, prefix and of everything
  kMatches,         ///< cache_store: how many records each of them took
  kJournal,         ///< cache_store: what is written of the purge journal
  kJournalPending,  ///< cache_store: purges that are not written yet
  kSuperblocks,     ///< cache_store: the newest superblock
  kGuardedMaps,     ///< cache_store: the maps that the SIGBUS handler knows
  kFillLoops,       ///< origin: the doors of the loops
  kBudget,          ///< base: units that loops share, and who waits for them
  kPathsTold,       ///< edge: the paths that the log told of
  kClientSlots,     ///< edge: who waits for a connection's slot
  kThreadPool,      ///< edge/doors: the lanes of the pool
  kBackground,      ///< edge: the end of a task on a thread of its own
  kPosts,           ///< edge/doors: tasks that were posted to a loop
};

/// For messages.
constexpr const char* name_of(LockRank rank) {
  switch (rank) {
    case LockRank::kFillTable:
      return "fill table shard";
    case LockRank::kFill:
      return "fill";
    case LockRank::kFillBody:
      return "fill body";
    case LockRank::kHitForMiss:
      return "hit-for-miss marks";
    case LockRank::kContentTags:
      return "content tags";
    case LockRank::kReclaim:
      return "reclaim";
    case LockRank::kStoreSync:
      return "store sync";
    case LockRank::kScrub:
      return "scrub";
    case LockRank::kResidency:
      return "residency";
    case LockRank::kWarmer:
      return "warmer";
    case LockRank::kSweep:
      return "sweep";
    case LockRank::kPredicateDraw:
      return "predicate draw";
    case LockRank::kSlabs:
      return "slabs";
    case LockRank::kIndex:
      return "index shard";
    case LockRank::kGhosts:
      return "ghosts";
    case LockRank::kAwaited:
      return "awaited shard";
    case LockRank::kPurges:
      return "purges";
    case LockRank::kPurgeTable:
      return "purge table";
    case LockRank::kPredicates:
      return "predicates";
    case LockRank::kMatches:
      return "matches";
    case LockRank::kJournal:
      return "purge journal";
    case LockRank::kJournalPending:
      return "pending purges";
    case LockRank::kSuperblocks:
      return "superblocks";
    case LockRank::kGuardedMaps:
      return "guarded maps";
    case LockRank::kFillLoops:
      return "fill loops";
    case LockRank::kBudget:
      return "budget";
    case LockRank::kPathsTold:
      return "paths told";
    case LockRank::kClientSlots:
      return "client slots";
    case LockRank::kThreadPool:
      return "thread pool";
    case LockRank::kBackground:
      return "background";
    case LockRank::kPosts:
      return "posts";
  }
  return "";
}

/// The ranks that one thread holds; a value, so that a fiber can take its own along.
class HeldLocks {
 public:
  /// Those of the thread that asks.
  static HeldLocks& of_this_thread() {
    static constinit thread_local HeldLocks held;
    return held;
  }
  /// Before a lock is waited for. CHECK: all that are held have a lower rank.
  void take(LockRank rank) {
    const uint64_t bit = uint64_t{1} << static_cast<unsigned>(rank);
    if (ranks_ >= bit) [[unlikely]]
      refuse(rank);
    ranks_ |= bit;
  }
  /// After a lock was given back. CHECK: it was held.
  void give_back(LockRank rank) {
    const uint64_t bit = uint64_t{1} << static_cast<unsigned>(rank);
    CHECK((ranks_ & bit) != 0);
    ranks_ &= ~bit;
  }

 private:
  [[noreturn]] void refuse(LockRank rank) const {
    const auto highest = static_cast<LockRank>(std::bit_width(ranks_) - 1);
    const std::string what = std::string("lock order: '") + name_of(rank) + "' is taken while '" +
                             name_of(highest) + "' is held";
    check_failed(__FILE__, __LINE__, what.c_str());
  }

  uint64_t ranks_ = 0;  ///< bit r: a lock of rank r is held
};

}  // namespace perigee::base

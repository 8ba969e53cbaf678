// What is known in memory of each slab: its state and ring, what its records need, and the table of
// an open one.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "cache_store/format.h"

namespace perigee::cache_store {

using format::Ring;

/// A place in an array with one of something for each ring.
constexpr size_t place_of(Ring ring) { return static_cast<size_t>(ring); }

enum class SlabState : uint8_t {
  kFree,         ///< detached (or never lent) and ready to be opened
  kOpen,         ///< being appended to
  kSealed,       ///< full, with its table; emptied first in, first out within its ring
  kDraining,     ///< its entries are out of the index; free when its last pin drops
  kQuarantined,  ///< its blocks could not be had again; out of use until the next start
};

/// What the table of a slab adds up to.
struct SlabContents {
  uint64_t generation = 0;
  uint32_t records = 0;
  uint64_t highest_seq = 0;
  uint64_t lowest_purge_seq = UINT64_MAX;

  void note(const format::TableEntry& entry) {
    ++records;
    lowest_purge_seq = std::min(lowest_purge_seq, entry.purge_seq);
    highest_seq = std::max(highest_seq, entry.seq);
  }
};

/// Guarded by the lock of the Slabs that hold it.
struct SlabInfo {
  SlabState state = SlabState::kFree;
  Ring ring = Ring::kProbation;  ///< of an open or sealed slab
  SlabContents contents;
  uint64_t used = 0;  ///< bytes appended, header included
  /// Of the records of earlier lives that a power cut may still bring back: until the next sync.
  uint64_t lowest_left = UINT64_MAX;
  bool synced = true;                     ///< nothing was written since the last sync
  std::vector<format::TableEntry> table;  ///< of an open slab; empty once sealed

  void begin_life(const SlabContents& new_contents) {
    contents = new_contents;
    used = sizeof(format::SlabHeader);
    table.clear();
  }
  void end_life() {
    lowest_left = std::min(lowest_left, contents.lowest_purge_seq);
    begin_life({});
  }
};

}  // namespace perigee::cache_store

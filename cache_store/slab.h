// What is known in memory of each slab: its word for pins, its state, and the table of the open one.
#pragma once

#include <cstdint>
#include <vector>

#include "cache_store/format.h"
#include "cache_store/pin.h"

namespace perigee::cache_store {

enum class SlabState : uint8_t {
  kFree,         ///< detached (or never lent) and ready to be opened
  kOpen,         ///< being appended to
  kSealed,       ///< full, with its table; evicted first in, first out
  kDraining,     ///< its entries are out of the index; free when its last pin drops
  kQuarantined,  ///< its blocks could not be allocated again; out of use until the next start
};

/// Guarded by the store's append mutex, but for what Pin touches.
struct SlabInfo {
  SlabState state = SlabState::kFree;
  uint64_t generation = 0;
  uint64_t lowest_purge_seq = UINT64_MAX;
  uint64_t highest_seq = 0;
  uint64_t used = 0;       ///< bytes appended, header included
  bool synced = true;
  std::vector<format::TableEntry> table;  ///< of an open slab; empty once sealed
};

}  // namespace perigee::cache_store

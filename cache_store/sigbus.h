// What happens when a page of the map goes bad under a reader: a zero page, and a mark on its slab.
//
// The kernel raises SIGBUS in whoever touches a page that was truncated away or cannot be read. The
// handler sets the slab's poison mark and maps a zero page there; readers look at the mark before
// what they read leaves.
#pragma once

#include <cstddef>
#include <cstdint>

#include "cache_store/pin.h"

namespace perigee::cache_store {

/// Where one store's map lies. At most kMaps stores in a process.
struct GuardedMap {
  const std::byte* begin = nullptr;
  uint64_t size = 0;
  uint64_t area = 0;  ///< where the slabs begin
  uint64_t slab_bytes = 0;
  SlabWord* words = nullptr;
};

/// Installs the handler once per process, and guards the map until unguard_map(). False: too many
/// stores.
bool guard_map(const GuardedMap& map);
void unguard_map(const std::byte* begin);

}  // namespace perigee::cache_store

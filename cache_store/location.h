// A place in the slab area.
#pragma once

#include <cstdint>

namespace perigee::cache_store {

/// Where one record lies. Offsets and lengths are in units of 64 bytes.
struct Location {
  uint32_t slab = 0;
  uint32_t offset64 = 0;
  uint32_t length64 = 0;
  bool operator==(const Location&) const = default;
};

}  // namespace perigee::cache_store

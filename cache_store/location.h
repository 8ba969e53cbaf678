// A place in the slab area.
#pragma once

#include <cstdint>

#include "cache_store/format.h"

namespace perigee::cache_store {

/// Where one record lies. Offsets and lengths are in units of 64 bytes.
struct Location {
  uint32_t slab = 0;
  uint32_t offset64 = 0;
  uint32_t length64 = 0;
  uint64_t bytes() const { return uint64_t{length64} * format::kAlignment; }  ///< of the record
  bool operator==(const Location&) const = default;
};

}  // namespace perigee::cache_store

// What a store loses that is opened with a smaller size: the slabs at its end, and with them the
// newest versions of what also lies, older, in the slabs that stay.
//
// An older version must not come back in the place of one that was dropped. So what is newest in
// the slabs that go is journalled as erased before they go.
#pragma once

#include <cstdint>
#include <vector>

#include "cache_store/recovery.h"
#include "cache_store/store.h"

namespace perigee::cache_store {

struct Shrunk {
  /// Of keys whose newest record goes while an older one stays.
  std::vector<Digest> outdated;
  /// Of all records that go: purges since then concern them until they are gone.
  uint64_t lowest_purge_seq = UINT64_MAX;
};

/// Takes the slabs from number `slab_count` on, with their records, out of `file`.
Shrunk take_slabs_beyond(uint64_t slab_count, ScannedFile& file);

}  // namespace perigee::cache_store

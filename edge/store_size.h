// How large the store is when nobody said it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace perigee::edge {

/// What a store would live on.
struct StoreGround {
  uint64_t memory_bytes = UINT64_MAX;  ///< of the machine, or of the control group if less
  uint64_t disk_free = UINT64_MAX;     ///< where the store is, or would be made
  uint64_t present_bytes = 0;          ///< of the store that is there; 0: none
};

/// A size, and why it is this one: the end of a sentence.
struct ChosenSize {
  uint64_t bytes = 0;
  std::string_view why;
};

/// A store that is there keeps its size: else it would lose records as the disk fills. A new one
/// gets 1 GiB, but at most half of the memory and a tenth of the free disk.
ChosenSize choose_store_size(const StoreGround& ground);

/// For a store at this path. Opens nothing.
StoreGround look_at_ground(const std::string& path);

}  // namespace perigee::edge

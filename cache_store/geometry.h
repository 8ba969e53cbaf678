// Where the parts of the store file lie: superblocks, journal, scratch area, slabs.
//
// Fixed while the store is open. It is chosen when the file is created; later only the number of
// slabs follows the configured size.
#pragma once

#include <cstdint>

#include "base/result.h"
#include "cache_store/format.h"
#include "cache_store/store.h"

namespace perigee::cache_store {

/// Sizes and offsets in the file, in bytes.
struct Geometry {
  uint64_t slab_bytes = 0;
  uint64_t slab_count = 0;
  uint64_t journal_bytes = 0;  ///< of one half
  uint64_t scratch = 0;        ///< for the self-test of lending; ends where `area` begins
  uint64_t area = 0;           ///< where the slabs begin
  /// Of the whole file.
  uint64_t file_bytes() const { return area + slab_count * slab_bytes; }
  /// Where a slab begins in the file.
  uint64_t slab_begin(uint32_t slab) const { return area + slab * slab_bytes; }
  /// The largest body of one record.
  uint64_t body_bytes_most() const { return slab_bytes / 4; }
  /// The body of each fragment but the last of its object.
  uint64_t fragment_bytes() const;
  /// The longest body that is kept in fragments.
  uint64_t fragmented_bytes_most() const;
};

/// A smaller store cannot be made: superblocks, journal, scratch area and the fewest slabs.
inline constexpr uint64_t kLeastStoreBytes = 18 << 20;

/// For a new file of the wanted size. kInvalid, with the least size, when it is too small.
base::Result<Geometry> choose_geometry(const StoreOptions& options);
/// Of a file that exists, grown or shrunk to `size_bytes`. kInvalid: its slabs are too large for
/// that.
base::Result<Geometry> adopt_geometry(const format::Superblock& found, uint64_t size_bytes);

/// Of a file as its superblock says.
Geometry geometry_of(const format::Superblock& found);

/// What StoreOptions and superblocks may say.
bool is_slab_size(uint64_t bytes);
bool is_journal_size(uint64_t bytes);

}  // namespace perigee::cache_store

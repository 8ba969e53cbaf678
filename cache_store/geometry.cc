#include "cache_store/geometry.h"

#include <algorithm>
#include <array>
#include <string>

#include "base/check.h"

namespace perigee::cache_store {

using base::Error;
using base::ErrorCode;

namespace {

constexpr uint64_t kKiB = 1024;
constexpr uint64_t kMiB = 1024 * kKiB;
constexpr uint64_t kLeastChosenSlabs = 4;  ///< when the slab size was chosen before the file size

/// Behind the journal comes a scratch area: one block of pages that no folio shares with anything
/// else where slabs may be lent, else what the alignment leaves.
void place_area(Geometry& geometry) {
  const uint64_t alignment = std::max(geometry.slab_bytes, format::kAreaAlignment);
  geometry.scratch =
      format::align(format::kJournalBegin + 2 * geometry.journal_bytes, format::kPage);
  geometry.area = format::align(geometry.scratch, alignment);
  if (geometry.slab_bytes < format::kAreaAlignment) return;
  geometry.scratch = geometry.area;
  geometry.area += alignment;
}

void place_slabs(Geometry& geometry, uint64_t size_bytes) {
  place_area(geometry);
  const uint64_t left = size_bytes > geometry.area ? size_bytes - geometry.area : 0;
  geometry.slab_count = std::min(left / geometry.slab_bytes, format::kMostSlabs);
  CHECK(geometry.scratch >= format::kJournalBegin + 2 * geometry.journal_bytes);
  CHECK(geometry.scratch <= geometry.area && geometry.area % format::kAreaAlignment == 0);
  CHECK(geometry.slab_count == 0 || geometry.file_bytes() <= size_bytes);
}

}  // namespace

/// Four fill a slab, with room for their headers and its table. The smallest slabs, which are for
/// tests, take fewer.
uint64_t Geometry::fragment_bytes() const {
  constexpr uint64_t kBesides = 16 * kKiB;
  CHECK(slab_bytes >= kBesides);
  const uint64_t bytes = (slab_bytes - kBesides) / 4 / format::kPage * format::kPage;
  return std::max(bytes, format::kPage);
}

/// An eighth, so that one object cannot drive out all others.
uint64_t Geometry::fragmented_bytes_most() const {
  const uint64_t fragment = fragment_bytes();
  CHECK(fragment <= body_bytes_most());
  return slab_count * slab_bytes / 8 / fragment * fragment;
}

bool is_slab_size(uint64_t bytes) {
  return bytes >= format::kLeastSlabBytes && bytes <= format::kMostSlabBytes && bytes % 4096 == 0;
}

bool is_journal_size(uint64_t bytes) {
  return bytes >= format::kLeastJournalBytes && bytes <= format::kMostJournalBytes &&
         bytes % sizeof(format::JournalUnit) == 0;
}

base::Result<Geometry> choose_geometry(const StoreOptions& options) {
  const bool chosen = options.slab_bytes != 0;
  if ((chosen && !is_slab_size(options.slab_bytes)) ||
      (options.journal_bytes != 0 && !is_journal_size(options.journal_bytes))) {
    return Error{ErrorCode::kInvalid, 0, "the store's slab or journal size cannot be"};
  }
  Geometry geometry;
  geometry.journal_bytes =
      options.journal_bytes != 0
          ? options.journal_bytes
          : std::clamp(options.size_bytes / 64, 256 * kKiB, 4 * kMiB) / (64 * kKiB) * (64 * kKiB);
  const std::array<uint64_t, 3> sizes = {4 * kMiB, 2 * kMiB, 256 * kKiB};
  for (size_t i = 0; i < (chosen ? 1 : sizes.size()); ++i) {
    geometry.slab_bytes = chosen ? options.slab_bytes : sizes[i];
    place_slabs(geometry, options.size_bytes);
    if (geometry.slab_count >= (chosen ? kLeastChosenSlabs : format::kLeastSlabs)) return geometry;
  }
  return Error{ErrorCode::kInvalid, 0,
               "a store of " + std::to_string(options.size_bytes) +
                   " bytes is too small: the least size is " +
                   std::to_string(kLeastStoreBytes / kMiB) + " MiB"};
}

base::Result<Geometry> adopt_geometry(const format::Superblock& found, uint64_t size_bytes) {
  Geometry geometry;
  geometry.slab_bytes = found.slab_bytes;
  geometry.journal_bytes = found.journal_bytes;
  place_slabs(geometry, size_bytes);
  if (geometry.slab_count >= kLeastChosenSlabs) return geometry;
  return Error{ErrorCode::kInvalid, 0,
               "the store file's slabs are too large for its new size; it begins anew, empty"};
}

Geometry geometry_of(const format::Superblock& found) {
  Geometry geometry;
  geometry.slab_bytes = found.slab_bytes;
  geometry.journal_bytes = found.journal_bytes;
  place_area(geometry);
  geometry.slab_count = found.slab_count;
  return geometry;
}

}  // namespace perigee::cache_store

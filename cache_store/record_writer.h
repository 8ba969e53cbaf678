// Turns a draft into a record of an open slab: checks it, makes its image, appends it; and appends
// copies of records.
//
// The body is written first and the header last: after a crash in between, the walk of a start ends
// there. What tears all the same, the checksums find.
#pragma once

#include <vector>

#include "cache_store/file_secret.h"
#include "cache_store/format.h"
#include "cache_store/geometry.h"
#include "cache_store/health.h"
#include "cache_store/location.h"
#include "cache_store/slabs.h"
#include "cache_store/store.h"
#include "cache_store/store_io.h"

namespace perigee::cache_store {

class RecordWriter {
 public:
  RecordWriter(StoreIo& io, const FileSecret& secret, Health& health, const Geometry& geometry)
      : io_(io), secret_(secret), health_(health), geometry_(geometry) {}

  /// A record as it will lie in its slab, header first. A small body lies in `bytes` too.
  struct Image {
    format::RecordHeader header{};
    format::RecordLayout layout{};
    std::vector<std::byte> bytes;
    bool whole = false;
  };

  /// Whether a draft may be stored at all. kNoSpace: it is larger than one record may be, or the
  /// head of an object that is too long for fragments; kIo: the file failed.
  base::Status check(const Draft& draft) const;
  /// Of a draft that was checked; `digest` is that of its key. All but what append() draws.
  Image make_image(const Draft& draft, const Digest& digest) const;
  /// Writes the image behind the last record of the ring's open slab, which has room for it, and
  /// returns its place. kIo: nothing may be published; when the file failed, the slab is sealed.
  /// What the order of appends decides is drawn here, hence the lock.
  base::Result<Location> append(Slabs& slabs, Ring ring, const Draft& draft, Image& image)
      REQUIRES(slabs.mutex());
  /// The same with a copy of a good record, for main. It keeps all but what belongs to its slab,
  /// and `purge_seq`: no purge up to this one concerns it.
  base::Result<Location> append_copy(Slabs& slabs, std::span<std::byte> record, uint64_t purge_seq)
      REQUIRES(slabs.mutex());

 private:
  base::Status write(const Draft& draft, const Image& image, uint64_t begin);
  base::Status note_write(Slabs& slabs, Ring ring, const base::Status& written)
      REQUIRES(slabs.mutex());

  StoreIo& io_;
  const FileSecret& secret_;
  Health& health_;
  const Geometry geometry_;
};

}  // namespace perigee::cache_store

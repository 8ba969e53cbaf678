// Whether pages of the store may be lent to sockets: found out once, by lending one.
#pragma once

#include <cstddef>

#include "cache_store/geometry.h"
#include "cache_store/store_io.h"

namespace perigee::cache_store {

/// What the file system can do with pages that a socket still holds (FORMAT.md).
struct Lending {
  bool can_detach = false;  ///< a range can get new pages before it is written again
  bool can_lend = false;    ///< sendfile from the store file is safe
};

/// At start. Lends a page of the scratch area to a socket, detaches it, and looks whether the
/// socket still has the old bytes. `map` is that of the whole file.
Lending probe_lending(StoreIo& io, const Geometry& geometry, const std::byte* map);

}  // namespace perigee::cache_store

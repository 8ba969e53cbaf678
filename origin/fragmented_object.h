// A body that lies in the store as fragments (FORMAT.md): an object's own, or that of a long coding
// of it.
#pragma once

#include <cstdint>
#include <optional>

#include "cache_store/store.h"
#include "http/range.h"

namespace perigee::origin {

/// Where such a body lies.
struct FragmentedObject {
  uint64_t rid = 0;
  uint64_t size = 0;    ///< of the whole body
  uint64_t coding = 0;  ///< as in FragmentId

  cache_store::FragmentId fragment(uint64_t number) const { return {rid, number, coding}; }
};
/// What the head of such an object says.
inline FragmentedObject fragmented_object(const cache_store::RecordView& head) {
  return {head.rid, head.whole_length};
}

/// Bytes of a stored object's body or of a coding of it, wherever they lie.
inline uint64_t body_size_of(const cache_store::RecordView& record) { return record.whole_length; }

/// Any thread. The first fragment with a byte of `span` that is not there, verified or not;
/// nullopt: all are. Linear in their number.
std::optional<uint64_t> first_missing(cache_store::Store& store, const FragmentedObject& object,
                                      const http::ByteSpan& span);

/// Any thread. All fragments are there, verified or not. Linear in their number.
bool is_complete(cache_store::Store& store, const FragmentedObject& object);

/// The bytes of a body that a fragment holds, of a store whose fragments have `fragment_bytes`.
http::ByteSpan fragment_span(const FragmentedObject& object, uint64_t number,
                             uint64_t fragment_bytes);

}  // namespace perigee::origin

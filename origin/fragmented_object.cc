#include "origin/fragmented_object.h"

#include <algorithm>

#include "base/check.h"

namespace perigee::origin {

std::optional<uint64_t> first_missing(cache_store::Store& store, const FragmentedObject& object,
                                      const http::ByteSpan& span) {
  const uint64_t each = store.fragment_bytes();
  CHECK(each > 0 && span.begin <= span.end);
  for (uint64_t at = span.begin / each * each; at < span.end; at += each) {
    if (!store.has_fragment(object.fragment(at / each))) return at / each;
  }
  return std::nullopt;
}

bool is_complete(cache_store::Store& store, const FragmentedObject& object) {
  return !first_missing(store, object, {0, object.size});
}

http::ByteSpan fragment_span(const FragmentedObject& object, uint64_t number,
                             uint64_t fragment_bytes) {
  const uint64_t begin = number * fragment_bytes;
  CHECK(begin < object.size);
  return {begin, std::min(begin + fragment_bytes, object.size)};
}

}  // namespace perigee::origin

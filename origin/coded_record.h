// What a coding that we made says of itself in the store, before its body.
#pragma once

#include <cstddef>
#include <span>

#include "cache_store/store.h"
#include "http/coding/encoder.h"
#include "http/content_coding.h"
#include "http/response.h"

namespace perigee::origin {

/// The slot of what is made here.
constexpr cache_store::Slot slot_of(http::Coding coding) {
  return static_cast<cache_store::Slot>(coding);
}

/// The coding that such a slot holds.
constexpr http::Coding coding_of(cache_store::Slot slot) { return static_cast<http::Coding>(slot); }

/// Pool. Puts a coding beside its object; `draft` says which: key, base, rid, ticket, and the
/// source if there is one. Errors: as Store::put().
base::Result<cache_store::Found> put_coding(cache_store::Store& store, cache_store::Draft draft,
                                            http::Coding coding, http::Effort effort,
                                            std::span<const std::byte> coded);

/// Made with the most effort that there is: nothing better will come.
bool is_best(const cache_store::RecordView& coded);

/// An answer's body is, or would be, this one.
void set_made(const cache_store::RecordView& coded, http::Selection& out);

}  // namespace perigee::origin

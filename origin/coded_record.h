// What a coding that we made says of itself in the store, before its body.
#pragma once

#include <cstddef>
#include <span>
#include <string_view>

#include "cache_store/store.h"
#include "http/coding/encoder.h"
#include "http/content_coding.h"
#include "http/response.h"
#include "origin/fragmented_object.h"

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

/// Pool. The same for a coding of which all fragments are there. `sha256`: of its bytes, in base64.
base::Result<cache_store::Found> put_long_coding(cache_store::Store& store,
                                                 cache_store::Draft draft, http::Coding coding,
                                                 http::Effort effort, const FragmentedObject& coded,
                                                 std::string_view sha256);

/// The body of a stored object or of a coding lies in fragments.
bool lies_in_fragments(const cache_store::RecordView& record);

/// Where the body of such a record lies. Of a coding: one that is_there().
FragmentedObject fragments_of(const cache_store::RecordView& record);

/// Any thread. All of a coding is there, verified or not. Linear in the number of its fragments.
bool is_there(cache_store::Store& store, const cache_store::RecordView& coded);

/// Made with the most effort that there is: nothing better will come.
bool is_best(const cache_store::RecordView& coded);

/// An answer's body is, or would be, this one.
void set_made(const cache_store::RecordView& coded, http::Selection& out);

}  // namespace perigee::origin

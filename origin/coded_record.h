// What a coding that we made says of itself in the store, before its body.
#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <span>

#include "cache_store/store.h"
#include "http/coding/encoder.h"
#include "http/content_coding.h"

namespace perigee::origin {

/// The slot of what is made here.
constexpr cache_store::Slot slot_of(http::Coding coding) {
  return static_cast<cache_store::Slot>(coding);
}

/// The coding that such a slot holds.
constexpr http::Coding coding_of(cache_store::Slot slot) { return static_cast<http::Coding>(slot); }

/// The `head` of a coded record: one byte, the effort.
constexpr std::array<std::byte, 1> coded_head(http::Effort effort) {
  return {static_cast<std::byte>(effort)};
}

/// Pool. Puts a coding beside its object; `draft` says which: key, base, rid, ticket, and the
/// source if there is one. Errors: as Store::put().
inline base::Result<cache_store::Found> put_coding(cache_store::Store& store,
                                                   cache_store::Draft draft, http::Coding coding,
                                                   http::Effort effort,
                                                   std::span<const std::byte> coded) {
  const auto head = coded_head(effort);
  draft.kind = cache_store::RecordKind::kCoded;
  draft.slot = slot_of(coding);
  draft.head = head;
  draft.body = {&coded, 1};
  return store.put(draft);
}

/// Made with the most effort that there is: nothing better will come.
inline bool is_best(const cache_store::RecordView& coded) {
  return coded.head.size() == 1 && coded.head[0] == static_cast<std::byte>(http::Effort::kBest);
}

}  // namespace perigee::origin

// A record, as far as purges by tag, prefix and of everything concern it.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "cache_store/store.h"

namespace perigee::cache_store {

/// Views the record.
struct PredicateSubject {
  std::string_view key;            ///< of its URL; empty: no prefix matches
  std::span<const uint64_t> tags;  ///< of its own
};

/// One that is found in the index.
struct FiledSubject {
  uint64_t purge_seq = 0;  ///< when its fetch began
  Slot slot = kHeadSlot;
  bool dependent = false;  ///< a fragment or a coding: its head is tested in its place
  PredicateSubject named;
};

}  // namespace perigee::cache_store

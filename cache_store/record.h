// One record as bytes: what its header on disk says, in the words of the rest of the store.
#pragma once

#include "base/reuse_facts.h"
#include "cache_store/format.h"

namespace perigee::cache_store {

/// The facts about reuse that a header holds.
base::ReuseFacts facts_of(const format::RecordHeader& header);
/// Writes all of them into a header.
void put_facts(const base::ReuseFacts& facts, format::RecordHeader& header);

}  // namespace perigee::cache_store

// One record as bytes: what its header on disk says, in the words of the rest of the store.
#pragma once

#include <cstdint>

#include "base/reuse_facts.h"
#include "cache_store/format.h"
#include "cache_store/geometry.h"

namespace perigee::cache_store {

/// The facts about reuse that a header holds.
base::ReuseFacts facts_of(const format::RecordHeader& header);
/// Writes all of them into a header.
void put_facts(const base::ReuseFacts& facts, format::RecordHeader& header);

/// Whether a record's lengths stay within the `size` bytes that it is said to have.
bool stays_within(const format::RecordHeader& header, uint64_t size);
/// Whether a head or a fragment is of the shape that its kind has in such a store. Other kinds say
/// nothing that could disagree.
bool is_well_shaped(const format::RecordHeader& header, const Geometry& geometry);
/// The entry in its slab's table of a record that lies at `offset` there.
format::TableEntry table_entry(const format::RecordHeader& header, uint64_t offset);

}  // namespace perigee::cache_store

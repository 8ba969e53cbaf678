// One record as bytes: what its header on disk says, in the words of the rest of the store.
#pragma once

#include <cstdint>
#include <span>

#include "base/reuse_facts.h"
#include "cache_store/file_secret.h"
#include "cache_store/format.h"
#include "cache_store/geometry.h"

namespace perigee::cache_store {

/// The facts about reuse that a header holds.
base::ReuseFacts facts_of(const format::RecordHeader& header);
/// Writes all of them into a header.
void put_facts(const base::ReuseFacts& facts, format::RecordHeader& header);

/// Whether a record's lengths stay within the `size` bytes that it is said to have.
bool stays_within(const format::RecordHeader& header, uint64_t size);
/// Of use beside a head of its rid alone: a fragment, or a coding. Its head is tested in its place.
constexpr bool is_dependent(RecordKind kind) {
  return kind == RecordKind::kFragment || kind == RecordKind::kCoded;
}
/// Whether a head or what depends on one is of the shape that its kind has in such a store. Other
/// kinds say nothing that could disagree.
bool is_well_shaped(const format::RecordHeader& header, const Geometry& geometry);
/// What tells a record from others that lay at its place.
struct RecordIdentity {
  uint64_t generation = 0;  ///< of its slab
  Digest digest;
  Slot slot = kHeadSlot;
};
/// Whether `bytes` are this record as it was written: its head and its body hold their checksums.
bool is_whole(std::span<const std::byte> bytes, const RecordIdentity& identity,
              const FileSecret& secret);
/// The entry in its slab's table of a record that lies at `offset` there.
format::TableEntry table_entry(const format::RecordHeader& header, uint64_t offset);

}  // namespace perigee::cache_store

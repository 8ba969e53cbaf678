#include "cache_store/record.h"

#include <xxhash.h>

#include <algorithm>
#include <cstring>

namespace perigee::cache_store {

namespace {

uint32_t expiry_s(const format::RecordHeader& header) {
  constexpr int64_t kMost = int64_t{UINT32_MAX} * 1000;
  const int64_t begin = std::clamp<int64_t>(header.response_time_ms, 0, kMost);
  const int64_t age = std::clamp<int64_t>(header.initial_age_ms, 0, kMost);
  const int64_t lifetime = std::clamp<int64_t>(header.lifetime_ms, 0, kMost);
  return static_cast<uint32_t>(std::min(begin + std::max<int64_t>(lifetime - age, 0), kMost) /
                               1000);
}

}  // namespace

base::ReuseFacts facts_of(const format::RecordHeader& header) {
  return {.response_time_ms = header.response_time_ms,
          .initial_age_ms = header.initial_age_ms,
          .lifetime_ms = header.lifetime_ms,
          .stale_while_revalidate_ms = header.stale_while_revalidate_ms,
          .stale_if_error_ms = header.stale_if_error_ms,
          .flags = header.flags,
          .status = header.status};
}

void put_facts(const base::ReuseFacts& facts, format::RecordHeader& header) {
  header.response_time_ms = facts.response_time_ms;
  header.initial_age_ms = facts.initial_age_ms;
  header.lifetime_ms = facts.lifetime_ms;
  header.stale_while_revalidate_ms = facts.stale_while_revalidate_ms;
  header.stale_if_error_ms = facts.stale_if_error_ms;
  header.flags = facts.flags;
  header.status = facts.status;
}

/// Each length on its own too: bytes gone bad may make the sum wrap.
bool stays_within(const format::RecordHeader& header, uint64_t size) {
  return header.magic == format::kRecordMagic && header.header_length >= sizeof header &&
         header.body_length <= size && format::layout(header).end <= size;
}

/// What a faulty writer left may pass its checksum; and the store may have been larger.
bool is_well_shaped(const format::RecordHeader& header, const Geometry& geometry) {
  switch (static_cast<RecordKind>(header.kind)) {
    case RecordKind::kHead:
      return header.slot == kHeadSlot && header.rid != 0 && header.body_length == 0 &&
             header.whole_length > 0 && header.whole_length <= geometry.fragmented_bytes_most();
    case RecordKind::kShell:
      return header.slot == kHeadSlot && header.rid != 0 && header.body_length == 0 &&
             header.whole_length > 0 && header.whole_length <= geometry.body_bytes_most();
    case RecordKind::kFragment:
      return header.slot == kHeadSlot && header.rid != 0 && header.head_length == 0 &&
             header.tag_count == 0 && header.body_length > 0 &&
             header.body_length <= geometry.fragment_bytes();
    case RecordKind::kCoded:
      return is_coded_slot(header.slot) && header.rid != 0 && header.whole_length > 0 &&
             (header.body_length > 0 ? header.whole_length == header.body_length
                                     : header.whole_length <= geometry.fragmented_bytes_most());
    case RecordKind::kObject:
      return header.whole_length == header.body_length;
    default:
      return true;
  }
}

bool is_whole(std::span<const std::byte> bytes, const RecordIdentity& identity,
              const FileSecret& secret) {
  format::RecordHeader header;
  if (bytes.size() < sizeof header) return false;
  std::memcpy(&header, bytes.data(), sizeof header);
  const bool asked_for =
      stays_within(header, bytes.size()) && header.generation == identity.generation &&
      Digest{header.digest_lo, header.digest_hi} == identity.digest && header.slot == identity.slot;
  if (!asked_for) return false;
  const format::RecordLayout layout = format::layout(header);
  return secret.head_checksum(header, bytes.subspan(layout.key, layout.body - layout.key)) ==
             header.head_checksum &&
         XXH3_64bits(bytes.data() + layout.body, header.body_length) == header.body_checksum;
}

format::TableEntry table_entry(const format::RecordHeader& header, uint64_t offset) {
  return {header.digest_lo,
          header.digest_hi,
          header.seq,
          header.purge_seq,
          expiry_s(header),
          static_cast<uint32_t>(offset / format::kAlignment),
          static_cast<uint32_t>(format::layout(header).end / format::kAlignment),
          header.kind,
          header.slot,
          0};
}

}  // namespace perigee::cache_store

#include "cache_store/record_reader.h"

#include <xxhash.h>

#include <cstring>

#include "cache_store/record.h"

namespace perigee::cache_store {

bool RecordReader::view(const Location& location, std::string_view key, RecordView& out) const {
  const std::byte* base = slabs_.at(location);
  format::RecordHeader header;
  std::memcpy(&header, base, sizeof header);
  if (!stays_within(header, uint64_t{location.length64} * format::kAlignment) ||
      !is_well_shaped(header, slabs_.geometry())) {
    return false;
  }
  const format::RecordLayout layout = format::layout(header);
  const auto* chars = reinterpret_cast<const char*>(base);
  if (std::string_view(chars + layout.key, header.key_length) != key) return false;
  out.kind = static_cast<RecordKind>(header.kind);
  out.slot = header.slot;
  out.rid = header.rid;
  out.ticket = {header.purge_seq, header.fetch_seq};
  out.policy = facts_of(header);
  out.key = {chars + layout.key, header.key_length};
  // Records and their tags are aligned; a header that says otherwise is one of bad bytes.
  if (layout.tags % alignof(uint64_t) == 0) {
    out.tags = {reinterpret_cast<const uint64_t*>(base + layout.tags), header.tag_count};
  }
  out.head = {base + layout.head, header.head_length};
  out.body = {base + layout.body, header.body_length};
  out.whole_length = header.whole_length;
  out.body_offset = slabs_.offset_of(location) + layout.body;
  return true;
}

RecordReader::Condition RecordReader::verify(const Location& location, const Digest& digest,
                                             Slot slot) const {
  std::vector<std::byte> bytes;
  const Condition condition = read(location, digest, slot, bytes);
  if (condition != Condition::kGood) return condition;
  // The map may still have to fault these pages in: here, not on a loop.
  touch(location);
  return slabs_.is_poisoned(location.slab) ? Condition::kUnreadable : Condition::kGood;
}

RecordReader::Condition RecordReader::read(const Location& location, const Digest& digest,
                                           Slot slot, std::vector<std::byte>& bytes) const {
  const uint64_t size = uint64_t{location.length64} * format::kAlignment;
  bytes.resize(size);
  if (!io_.pread(slabs_.offset_of(location), bytes).ok()) return Condition::kUnreadable;
  format::RecordHeader header;
  if (size < sizeof header) return Condition::kDamaged;
  std::memcpy(&header, bytes.data(), sizeof header);
  const bool asked_for =
      stays_within(header, size) && header.generation == slabs_.generation_of(location.slab) &&
      header.digest_lo == digest.lo && header.digest_hi == digest.hi && header.slot == slot;
  if (!asked_for) return Condition::kDamaged;
  const format::RecordLayout layout = format::layout(header);
  const std::span<const std::byte> all(bytes);
  const bool whole =
      secret_.head_checksum(header, all.subspan(layout.key, layout.body - layout.key)) ==
          header.head_checksum &&
      XXH3_64bits(bytes.data() + layout.body, header.body_length) == header.body_checksum;
  return whole ? Condition::kGood : Condition::kDamaged;
}

uint64_t RecordReader::rid_of(const Location& head) const {
  format::RecordHeader header;
  std::memcpy(&header, slabs_.at(head), sizeof header);
  return static_cast<RecordKind>(header.kind) == RecordKind::kHead ? header.rid : 0;
}

void RecordReader::touch(const Location& location) const {
  const std::byte* base = slabs_.at(location);
  const uint64_t size = uint64_t{location.length64} * format::kAlignment;
  for (uint64_t page = 0; page < size; page += format::kPage) {
    const volatile std::byte* touched = base + page;
    (void)*touched;
  }
}

}  // namespace perigee::cache_store

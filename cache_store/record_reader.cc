#include "cache_store/record_reader.h"

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
  out.digest = {header.digest_lo, header.digest_hi};
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

const std::byte* RecordReader::body_of(const Location& location, uint64_t rid) const {
  const std::byte* base = slabs_.at(location);
  format::RecordHeader header;
  std::memcpy(&header, base, sizeof header);
  const bool right = header.rid == rid &&
                     stays_within(header, uint64_t{location.length64} * format::kAlignment) &&
                     is_well_shaped(header, slabs_.geometry());
  return right ? base + format::layout(header).body : nullptr;
}

RecordReader::Condition RecordReader::check(const Location& location, const EntryKey& key,
                                            std::vector<std::byte>& buffer) const {
  buffer.resize(uint64_t{location.length64} * format::kAlignment);
  if (!io_.pread(slabs_.offset_of(location), buffer).ok()) return Condition::kUnreadable;
  const RecordIdentity identity{slabs_.generation_of(location.slab), key.digest, key.slot};
  return is_whole(buffer, identity, secret_) ? Condition::kGood : Condition::kDamaged;
}

RecordReader::Condition RecordReader::verify(const Location& location, const EntryKey& key) const {
  std::vector<std::byte> buffer;
  const Condition condition = check(location, key, buffer);
  if (condition != Condition::kGood) return condition;
  // The map may still have to fault these pages in: here, not on a loop.
  touch(location);
  return slabs_.is_poisoned(location.slab) ? Condition::kUnreadable : Condition::kGood;
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

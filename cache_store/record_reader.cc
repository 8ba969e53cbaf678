#include "cache_store/record_reader.h"

#include <algorithm>
#include <cstring>

#include "base/check.h"
#include "cache_store/key_prefix.h"
#include "cache_store/record.h"

namespace perigee::cache_store {

namespace {

constexpr uint64_t kFiledBytes = 1024;

}  // namespace

bool RecordReader::view(const Location& location, std::string_view key, RecordView& out) const {
  const std::byte* base = slabs_.at(location);
  format::RecordHeader header;
  std::memcpy(&header, base, sizeof header);
  if (!stays_within(header, location.bytes()) || !is_well_shaped(header, slabs_.geometry())) {
    return false;
  }
  const format::RecordLayout layout = format::layout(header);
  const auto* chars = reinterpret_cast<const char*>(base);
  if (std::string_view(chars + layout.key, header.key_length) != key) return false;
  out.kind = static_cast<RecordKind>(header.kind);
  out.slot = header.slot;
  out.digest = {header.digest_lo, header.digest_hi};
  out.rid = header.rid;
  out.checksum = header.body_checksum;
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

const std::byte* RecordReader::body_of(const Location& location, const ParkedRecord& record) const {
  const std::byte* base = slabs_.at(location);
  format::RecordHeader header;
  std::memcpy(&header, base, sizeof header);
  const bool right = header.rid == record.rid && header.body_checksum == record.checksum &&
                     stays_within(header, location.bytes()) &&
                     is_well_shaped(header, slabs_.geometry());
  return right ? base + format::layout(header).body : nullptr;
}

FiledSubject RecordReader::filed(const Location& location, const RecordView& record) const {
  format::RecordHeader header;
  std::memcpy(&header, slabs_.at(location), sizeof header);
  const bool variant = header.base_lo != header.digest_lo || header.base_hi != header.digest_hi;
  return {header.purge_seq, record.slot, false, {url_key_of(record.key, variant), record.tags}};
}

RecordReader::Condition RecordReader::read_filed(const Location& location,
                                                 std::vector<std::byte>& buffer, Filed& out) const {
  const uint64_t size = location.bytes();
  const uint64_t begin = slabs_.offset_of(location);
  // Most heads end within it, so that one read is enough.
  buffer.resize(std::min<uint64_t>(size, kFiledBytes));
  if (!io_.pread(begin, buffer).ok()) return Condition::kUnreadable;
  format::RecordHeader header;
  if (buffer.size() < sizeof header) return Condition::kDamaged;
  std::memcpy(&header, buffer.data(), sizeof header);
  if (!stays_within(header, size) || header.generation != slabs_.generation_of(location.slab)) {
    return Condition::kDamaged;
  }
  const format::RecordLayout layout = format::layout(header);
  const uint64_t read = buffer.size();
  buffer.resize(layout.body);
  if (layout.body > read && !io_.pread(begin + read, std::span(buffer).subspan(read)).ok()) {
    return Condition::kUnreadable;
  }
  const std::span<const std::byte> meta = std::span(buffer).subspan(layout.key);
  if (secret_.head_checksum(header, meta) != header.head_checksum) return Condition::kDamaged;
  out = read_filed(buffer);
  return Condition::kGood;
}

RecordReader::Filed RecordReader::read_filed(std::span<const std::byte> record) {
  format::RecordHeader header;
  CHECK(record.size() >= sizeof header);
  std::memcpy(&header, record.data(), sizeof header);
  const format::RecordLayout layout = format::layout(header);
  CHECK(layout.body <= record.size() && layout.tags % alignof(uint64_t) == 0);
  Filed filed{{header.digest_lo, header.digest_hi}, {}};
  const bool dependent = is_dependent(static_cast<RecordKind>(header.kind));
  filed.subject = {header.purge_seq, header.slot, dependent, {}};
  if (dependent) return filed;
  const bool variant = !(filed.digest == Digest{header.base_lo, header.base_hi});
  const std::string_view key(reinterpret_cast<const char*>(record.data() + layout.key),
                             header.key_length);
  filed.subject.named = {
      url_key_of(key, variant),
      {reinterpret_cast<const uint64_t*>(record.data() + layout.tags), header.tag_count}};
  return filed;
}

RecordReader::Condition RecordReader::check(const Location& location, const EntryKey& key,
                                            std::vector<std::byte>& buffer) const {
  buffer.resize(location.bytes());
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
  return header.rid;
}

void RecordReader::touch(const Location& location) const {
  const std::byte* base = slabs_.at(location);
  const uint64_t size = location.bytes();
  for (uint64_t page = 0; page < size; page += format::kPage) {
    const volatile std::byte* touched = base + page;
    (void)*touched;
  }
}

}  // namespace perigee::cache_store

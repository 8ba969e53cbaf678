#include "cache_store/record_writer.h"

#define XXH_STATIC_LINKING_ONLY  // the state on the stack
#include <xxhash.h>

#include <cstring>

#include "base/check.h"
#include "base/limits.h"
#include "cache_store/record.h"

namespace perigee::cache_store {

namespace limits = base::limits;
using base::Done;
using base::Error;
using base::ErrorCode;
using base::Status;

namespace {

/// Records up to this are one write; the body of a larger one is written from where it lies, before
/// its header.
constexpr uint64_t kOneWriteBytes = 16 * limits::kKiB;

using Pieces = std::span<const std::span<const std::byte>>;

uint64_t size_of(Pieces pieces) {
  uint64_t size = 0;
  for (const auto& piece : pieces) size += piece.size();
  return size;
}

uint64_t hash_of(Pieces pieces) {
  if (pieces.size() == 1) return XXH3_64bits(pieces[0].data(), pieces[0].size());
  XXH3_state_t state;
  XXH3_64bits_reset(&state);
  for (const auto& piece : pieces) XXH3_64bits_update(&state, piece.data(), piece.size());
  return XXH3_64bits_digest(&state);
}

void copy_to(std::byte* to, std::span<const std::byte> bytes) {
  if (!bytes.empty()) std::memcpy(to, bytes.data(), bytes.size());
}

/// The pages that the body is read from went bad: the checksum may be one of zeros.
bool has_bad_source(const Draft& draft) {
  return draft.source != nullptr && draft.source->is_poisoned();
}

}  // namespace

Status RecordWriter::check(const Draft& draft) const {
  const uint64_t body_bytes = size_of(draft.body);
  const bool head = draft.kind == RecordKind::kHead || draft.kind == RecordKind::kShell;
  const bool fragment = draft.kind == RecordKind::kFragment;
  const bool coded = draft.kind == RecordKind::kCoded;
  const bool in_fragments = coded && body_bytes == 0;
  CHECK(draft.slot <= kVarySlot && (head || in_fragments) == (draft.whole_length > 0));
  CHECK(!head || (draft.slot == kHeadSlot && draft.rid != 0 && body_bytes == 0));
  CHECK(!fragment || (draft.slot == kHeadSlot && draft.rid != 0 && body_bytes > 0));
  CHECK(!coded || (is_coded_slot(draft.slot) && draft.rid != 0));
  const uint64_t most = fragment ? geometry_.fragment_bytes() : geometry_.body_bytes_most();
  const bool fits = body_bytes <= most && draft.whole_length <= geometry_.fragmented_bytes_most() &&
                    draft.key.size() <= limits::kKeyBytes &&
                    draft.head.size() <= limits::kHeadImageBytes &&
                    draft.tags.size() <= limits::kTags;
  const uint64_t whole = format::layout(sizeof(format::RecordHeader), draft.key.size(),
                                        draft.tags.size(), draft.head.size(), body_bytes)
                             .end;
  if (!fits || sizeof(format::SlabHeader) + whole + format::table_bytes(1) > geometry_.slab_bytes) {
    return Error{ErrorCode::kNoSpace, 0, "larger than one record may be"};
  }
  if (health_.failed()) {
    return Error{ErrorCode::kIo, 0, "the store file failed; nothing is stored"};
  }
  return Done{};
}

RecordWriter::Image RecordWriter::make_image(const Draft& draft, const Digest& digest) const {
  Image image;
  format::RecordHeader& header = image.header;
  header.magic = format::kRecordMagic;
  header.kind = static_cast<uint8_t>(draft.kind);
  header.slot = draft.slot;
  header.header_length = sizeof header;
  header.rid = draft.rid;
  header.digest_lo = digest.lo;
  header.digest_hi = digest.hi;
  header.base_lo = draft.base.lo;
  header.base_hi = draft.base.hi;
  header.key_length = static_cast<uint32_t>(draft.key.size());
  header.head_length = static_cast<uint32_t>(draft.head.size());
  header.tag_count = static_cast<uint16_t>(draft.tags.size());
  put_facts(draft.policy, header);
  header.body_length = size_of(draft.body);
  header.whole_length = draft.whole_length > 0 ? draft.whole_length : header.body_length;
  header.purge_seq = draft.ticket.purge_seq;
  header.fetch_seq = draft.ticket.fetch_seq;
  header.body_checksum = hash_of(draft.body);

  const format::RecordLayout& layout = image.layout = format::layout(header);
  image.whole = layout.end <= kOneWriteBytes;
  image.bytes.resize(image.whole ? layout.end : layout.body);
  copy_to(image.bytes.data() + layout.key, std::as_bytes(std::span(draft.key)));
  copy_to(image.bytes.data() + layout.tags, std::as_bytes(draft.tags));
  copy_to(image.bytes.data() + layout.head, draft.head);
  if (image.whole) {
    std::byte* to = image.bytes.data() + layout.body;
    for (const auto& piece : draft.body) {
      copy_to(to, piece);
      to += piece.size();
    }
    CHECK(to <= image.bytes.data() + image.bytes.size());
  }
  return image;
}

base::Result<Location> RecordWriter::append(Slabs& slabs, Ring ring, const Draft& draft,
                                            Image& image) {
  CHECK(slabs.has_room(ring, image.layout.end));
  if (has_bad_source(draft)) return Error{ErrorCode::kIo, 0, "the stored body cannot be read"};
  format::RecordHeader& header = image.header;
  header.generation = slabs.open_generation(ring);
  header.seq = slabs.draw_number();
  if (header.rid == 0) header.rid = header.seq;
  const std::span<const std::byte> bytes(image.bytes);
  header.head_checksum = secret_.head_checksum(
      header, bytes.subspan(image.layout.key, image.layout.body - image.layout.key));
  std::memcpy(image.bytes.data(), &header, sizeof header);
  const Status written = note_write(slabs, ring, write(draft, image, slabs.tail(ring)));
  if (!written.ok()) return written.error();
  const Location location =
      slabs.append(ring, table_entry(header, slabs.used(ring)), Slabs::Origin::kNew);
  CHECK(location.bytes() == image.layout.end);
  if (has_bad_source(draft)) return Error{ErrorCode::kIo, 0, "the stored body cannot be read"};
  return location;
}

base::Result<Location> RecordWriter::append_copy(Slabs& slabs, std::span<std::byte> record,
                                                 uint64_t purge_seq) {
  constexpr Ring kRing = Ring::kMain;
  CHECK(slabs.has_room(kRing, record.size()));
  format::RecordHeader header;
  CHECK(record.size() >= sizeof header);
  std::memcpy(&header, record.data(), sizeof header);
  const format::RecordLayout layout = format::layout(header);
  CHECK(layout.end == record.size() && header.purge_seq <= purge_seq);
  header.generation = slabs.open_generation(kRing);
  header.purge_seq = purge_seq;
  header.head_checksum = secret_.head_checksum(
      header, std::span<const std::byte>(record).subspan(layout.key, layout.body - layout.key));
  std::memcpy(record.data(), &header, sizeof header);
  const uint64_t begin = slabs.tail(kRing);
  const uint64_t first = record.size() <= kOneWriteBytes ? record.size() : layout.body;
  Status written = Done{};
  if (first < record.size()) written = io_.pwrite(begin + first, record.subspan(first));
  if (written.ok()) written = io_.pwrite(begin, record.first(first));
  written = note_write(slabs, kRing, written);
  if (!written.ok()) return written.error();
  return slabs.append(kRing, table_entry(header, slabs.used(kRing)), Slabs::Origin::kCopy);
}

Status RecordWriter::note_write(Slabs& slabs, Ring ring, const Status& written) {
  health_.note_write(written);
  // The hole would end the walk of a start.
  if (!written.ok()) slabs.seal(ring);
  return written;
}

Status RecordWriter::write(const Draft& draft, const Image& image, uint64_t begin) {
  if (!image.whole) {
    uint64_t at_byte = begin + image.layout.body;
    for (const auto& piece : draft.body) {
      const Status written = io_.pwrite(at_byte, piece);
      if (!written.ok()) return written;
      at_byte += piece.size();
    }
  }
  return io_.pwrite(begin, image.bytes);
}

}  // namespace perigee::cache_store

// Writing: records are appended to the open slab and published when whole.
#define XXH_STATIC_LINKING_ONLY  // the state on the stack
#include <xxhash.h>

#include <algorithm>
#include <cstring>

#include "base/limits.h"
#include "cache_store/checksum.h"
#include "cache_store/record.h"
#include "cache_store/store_core.h"

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

uint64_t table_bytes(size_t records) {
  return records * sizeof(format::TableEntry) + sizeof(format::SlabTrailer);
}

uint64_t hash_of(std::span<const std::span<const std::byte>> pieces) {
  if (pieces.size() == 1) return XXH3_64bits(pieces[0].data(), pieces[0].size());
  XXH3_state_t state;
  XXH3_64bits_reset(&state);
  for (const auto& piece : pieces) XXH3_64bits_update(&state, piece.data(), piece.size());
  return XXH3_64bits_digest(&state);
}

void copy_to(std::byte* to, std::span<const std::byte> bytes) {
  if (!bytes.empty()) std::memcpy(to, bytes.data(), bytes.size());
}

bool is_same_spec(const Draft& draft, const RecordView& present) {
  std::span<const std::byte> left = present.body;
  for (const auto& piece : draft.body) {
    if (piece.size() > left.size() || !std::equal(piece.begin(), piece.end(), left.begin())) {
      return false;
    }
    left = left.subspan(piece.size());
  }
  return draft.kind == RecordKind::kVarySpec && left.empty();
}

uint32_t expiry_s(const format::RecordHeader& header) {
  constexpr int64_t kMost = int64_t{UINT32_MAX} * 1000;
  const int64_t begin = std::clamp<int64_t>(header.response_time_ms, 0, kMost);
  const int64_t age = std::clamp<int64_t>(header.initial_age_ms, 0, kMost);
  const int64_t lifetime = std::clamp<int64_t>(header.lifetime_ms, 0, kMost);
  return static_cast<uint32_t>(std::min(begin + std::max<int64_t>(lifetime - age, 0), kMost) /
                               1000);
}

}  // namespace

format::TableEntry table_entry(const format::RecordHeader& header, uint64_t offset,
                               const format::RecordLayout& layout) {
  return {header.digest_lo,
          header.digest_hi,
          header.seq,
          header.purge_seq,
          expiry_s(header),
          static_cast<uint32_t>(offset / format::kAlignment),
          static_cast<uint32_t>(layout.end / format::kAlignment),
          header.kind,
          header.slot,
          0};
}

/// Seeded with the secret and the generation: bytes of an older life of the slab never pass.
uint64_t StoreCore::head_checksum(const format::RecordHeader& header,
                                  std::span<const std::byte> meta) const {
  XXH3_state_t state;
  // Else the reset may take what an earlier call left on the stack for the secret of this seed.
  XXH3_INITSTATE(&state);
  XXH3_64bits_reset_withSeed(&state, checksum_seed_ ^ header.generation);
  XXH3_64bits_update(&state, &header, offsetof(format::RecordHeader, head_checksum));
  XXH3_64bits_update(&state, meta.data(), meta.size());
  return XXH3_64bits_digest(&state);
}

base::Result<Found> StoreCore::put(const Draft& draft) {
  uint64_t body_bytes = 0;
  for (const auto& piece : draft.body) body_bytes += piece.size();
  const Digest key_digest = digest(draft.key);
  const Status fit = check(draft, key_digest, body_bytes);
  if (!fit.ok()) return fit.error();
  RecordImage image = make_image(draft, key_digest, body_bytes);
  // Held until the entry stands: a slab is emptied under it, and must not miss this record.
  const base::MutexLock lock(append_mutex_);
  {
    // Not pinned any longer than this: its slab may be the one to make room.
    Found present = present_under(key_digest, draft.key);
    if (present.state == Found::kVary && is_same_spec(draft, present.record)) return present;
    // Refused before it is written: the file order goes on saying which one is the newest.
    const bool older =
        present.state != Found::kMiss && draft.ticket.fetch_seq < present.record.ticket.fetch_seq;
    if (older) return refuse("a response that was asked for later is there");
  }
  Location location;
  const Status appended = append(draft, image, location);
  if (!appended.ok()) return appended.error();
  return publish(draft, key_digest, location);
}

/// What a put would replace, if it is good and of this run; a Vary spec of any run. Under the
/// append mutex: only puts bring something there.
Found StoreCore::present_under(const Digest& digest, std::string_view key) {
  Found found;
  found.digest = digest;
  Slot slot = kHeadSlot;
  const std::optional<IndexEntry> entry =
      index_.peek(digest, slot, [&](const Location& location) { found.pin = pin(location.slab); });
  const bool readable =
      entry && !poisoned(found.pin) &&
      (entry->verified ||
       (slot == kVarySlot && verify(entry->location, digest, slot) == Condition::kGood)) &&
      read_record(entry->location, key, found.record);
  // Its pages may have gone bad while they were read.
  if (!readable || poisoned(found.pin)) return {};
  found.record.stale_since_ms = int64_t{entry->stale_since_s} * 1000;
  found.state = slot == kVarySlot ? Found::kVary : Found::kHit;
  return found;
}

/// A variant is not stored after a soft purge either: the mark would be its URL's, and lost at a
/// restart.
bool StoreCore::is_fenced(const Draft& draft, const Digest& digest,
                          const PurgeTable::Verdict& verdict) {
  return verdict.removed || (verdict.stale && !(draft.base == digest));
}

/// Whether a draft may be stored at all.
Status StoreCore::check(const Draft& draft, const Digest& digest, uint64_t body_bytes) {
  const bool fits = body_bytes <= max_object_bytes() && draft.key.size() <= limits::kKeyBytes &&
                    draft.head.size() <= limits::kHeadImageBytes &&
                    draft.tags.size() <= limits::kTags;
  const uint64_t whole = format::layout(sizeof(format::RecordHeader), draft.key.size(),
                                        draft.tags.size(), draft.head.size(), body_bytes)
                             .end;
  if (!fits || sizeof(format::SlabHeader) + whole + table_bytes(1) > geometry_.slab_bytes) {
    return Error{ErrorCode::kNoSpace, 0, "larger than one record may be"};
  }
  if (failed_.load(std::memory_order_relaxed)) {
    return Error{ErrorCode::kIo, 0, "the store file failed; nothing is stored"};
  }
  if (is_fenced(draft, digest, purges_->since(draft.base, draft.ticket))) {
    return refuse("purged since the fetch began");
  }
  return Done{};
}

Error StoreCore::refuse(std::string_view why) {
  puts_refused_.fetch_add(1, std::memory_order_relaxed);
  return {ErrorCode::kCancelled, 0, std::string(why)};
}

StoreCore::RecordImage StoreCore::make_image(const Draft& draft, const Digest& digest,
                                             uint64_t body_bytes) const {
  RecordImage image;
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
  header.body_length = header.whole_length = body_bytes;
  put_facts(draft.policy, header);
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
  }
  return image;
}

/// Under the append mutex: what is left to do needs the order of appends.
Status StoreCore::append(const Draft& draft, RecordImage& image, Location& location) {
  if (!has_room(image.layout.end)) {
    if (open_ >= 0) seal_open_slab();
    const Status opened = open_slab();
    if (!opened.ok()) {
      if (opened.error().code == ErrorCode::kNoSpace) {
        puts_no_room_.fetch_add(1, std::memory_order_relaxed);
      }
      return opened;
    }
  }
  // Its pages went bad while the body was read: the checksum may be one of zeros.
  if (draft.source != nullptr && poisoned(*draft.source)) {
    return Error{ErrorCode::kIo, 0, "the stored body cannot be read"};
  }
  const auto number = static_cast<uint32_t>(open_);
  SlabInfo& slab = slabs_[number];
  format::RecordHeader& header = image.header;
  header.generation = slab.generation;
  header.seq = draw_number();
  if (header.rid == 0) header.rid = header.seq;
  const std::span<const std::byte> bytes(image.bytes);
  header.head_checksum =
      head_checksum(header, bytes.subspan(image.layout.key, image.layout.body - image.layout.key));
  std::memcpy(image.bytes.data(), &header, sizeof header);
  const Status written = write_record(draft, image, geometry_.slab_begin(number) + slab.used);
  note_write(written);
  if (!written.ok()) {
    seal_open_slab();
    return written;
  }
  slab.table.push_back(table_entry(header, slab.used, image.layout));
  slab.note(slab.table.back());
  location = {number, slab.table.back().offset64, slab.table.back().length64};
  slab.used += image.layout.end;
  slab.synced = false;
  return Done{};
}

/// The header last: after a crash in between, the walk ends there. What tears all the same, the
/// checksums find.
Status StoreCore::write_record(const Draft& draft, const RecordImage& image, uint64_t begin) {
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

/// One failed write may be one bad block; several in a row are a bad disk, and each would cost a
/// slab.
void StoreCore::note_write(const Status& status) {
  if (status.ok()) {
    write_failures_ = 0;
    return;
  }
  observer_.on_store_event(status.error().message);
  if (++write_failures_ < limits::kWriteFailures) return;
  observer_.on_store_event("the store file cannot be written: nothing is stored any more");
  failed_.store(true, std::memory_order_relaxed);
}

/// Under the append mutex. The Pin and the view let readers go on from what was just written.
base::Result<Found> StoreCore::publish(const Draft& draft, const Digest& digest,
                                       const Location& location) {
  Found found;
  found.digest = digest;
  found.pin = pin(location.slab);
  // The pages were just written, so this only fills in this process's page table, off the loops.
  const uint64_t size = uint64_t{location.length64} * format::kAlignment;
  for (uint64_t page = 0; page < size; page += 4096) {
    const volatile std::byte* touched = at(location) + page;
    (void)*touched;
  }
  const bool bad_source = draft.source != nullptr && poisoned(*draft.source);
  if (bad_source || !read_record(location, draft.key, found.record) || poisoned(found.pin)) {
    return Error{ErrorCode::kIo, 0, "what was written cannot be read"};
  }
  PurgeTable::Verdict verdict;
  const bool published =
      index_.insert(digest, draft.slot, location, true, [&]() -> std::optional<Staleness> {
        verdict = purges_->since(draft.base, draft.ticket);
        if (is_fenced(draft, digest, verdict)) return std::nullopt;
        if (!verdict.stale) return Staleness{};
        // Of a Vary spec the last purge says which variants are stale.
        const bool spec = draft.slot == kVarySlot;
        return Staleness{seconds_up(spec ? verdict.last_ms : verdict.stale_since_ms),
                         verdict.last_seq};
      });
  if (!published) return refuse("purged since the fetch began");
  puts_.fetch_add(1, std::memory_order_relaxed);
  found.state = draft.slot == kVarySlot ? Found::kVary : Found::kHit;
  if (verdict.stale) {
    found.record.stale_since_ms = int64_t{seconds_up(verdict.stale_since_ms)} * 1000;
  }
  return found;
}

bool StoreCore::has_room(uint64_t record_bytes) const {
  if (open_ < 0) return false;
  const SlabInfo& slab = slabs_[static_cast<size_t>(open_)];
  return slab.used + record_bytes + table_bytes(slab.table.size() + 1) <= geometry_.slab_bytes;
}

Status StoreCore::open_slab() {
  if (free_.empty() && !ready_one() && !make_room()) {
    return Error{ErrorCode::kNoSpace, 0, "no slab is free"};
  }
  const uint32_t number = free_.front();
  SlabInfo& slab = slabs_[number];
  format::SlabHeader header{};
  header.magic = format::kSlabMagic;
  header.number = number;
  header.generation = draw_number();
  std::memcpy(header.uuid, superblock_.uuid, sizeof header.uuid);
  header.journal_seq = journal_->durable_seq();
  header.checksum = checksum_of(header);
  slab.synced = false;
  const Status status = io_.pwrite(geometry_.slab_begin(number), bytes_of(header));
  if (!status.ok()) {
    note_write(status);
    return status;
  }
  // In one go: a fault for every page of every record cost a tenth of a put.
  io_.populate(geometry_.slab_begin(number), geometry_.slab_bytes);
  free_.pop_front();
  slab.begin_life(header.generation);
  words_[number].generation = header.generation;
  slab.state = SlabState::kOpen;
  open_ = number;
  return Done{};
}

void StoreCore::close_open_slab() {
  const auto number = static_cast<uint32_t>(open_);
  open_ = -1;
  slabs_[number].state = SlabState::kSealed;
  sealed_.push_back(number);
}

void StoreCore::seal_open_slab() {
  const auto number = static_cast<uint32_t>(open_);
  SlabInfo& slab = slabs_[number];
  close_open_slab();
  format::SlabTrailer trailer{};
  trailer.magic = format::kTrailerMagic;
  trailer.count = static_cast<uint32_t>(slab.table.size());
  trailer.generation = slab.generation;
  trailer.table_offset = geometry_.slab_bytes - table_bytes(slab.table.size());
  trailer.lowest_purge_seq = slab.lowest_purge_seq;
  trailer.highest_seq = slab.highest_seq;
  const std::span<const std::byte> table = std::as_bytes(std::span(slab.table));
  trailer.table_checksum = XXH3_64bits(table.data(), table.size());
  trailer.checksum = checksum_of(trailer);
  std::vector<std::byte> bytes(table.size() + sizeof trailer);
  copy_to(bytes.data(), table);
  copy_to(bytes.data() + table.size(), bytes_of(trailer));
  const Status status = io_.pwrite(geometry_.slab_begin(number) + trailer.table_offset, bytes);
  slab.synced = false;
  slab.table = {};
  // Without a table the next start walks the slab by lengths; nothing is lost.
  if (!status.ok()) observer_.on_store_event(status.error().message);
}

}  // namespace perigee::cache_store

// Writing: records are appended to the open slab, body first and header last, and published when whole.
#define XXH_STATIC_LINKING_ONLY  // the state on the stack
#include <xxhash.h>

#include <algorithm>
#include <cstring>

#include "base/limits.h"
#include "cache_store/store_core.h"

namespace perigee::cache_store {

using base::Done;
using base::Error;
using base::ErrorCode;
using base::Status;

namespace {

constexpr int64_t kSyncMs = 2'000;
constexpr size_t kKeyMost = 16 * 1024;
constexpr size_t kHeadMost = 64 * 1024;
constexpr size_t kTagsMost = 64;

uint64_t table_bytes(size_t records) {
  return records * sizeof(format::TableEntry) + sizeof(format::SlabTrailer);
}

std::span<const std::byte> bytes_of(const auto& value) { return std::as_bytes(std::span(&value, 1)); }

}  // namespace

uint64_t StoreCore::head_checksum(const format::RecordHeader& header,
                                  std::span<const std::span<const std::byte>> parts) const {
  // Seeded with the secret and the generation: bytes of an older life of the slab never pass.
  XXH3_state_t state;
  XXH3_64bits_reset_withSeed(&state, checksum_seed_ ^ header.generation);
  XXH3_64bits_update(&state, &header, offsetof(format::RecordHeader, head_checksum));
  for (const auto& part : parts) XXH3_64bits_update(&state, part.data(), part.size());
  return XXH3_64bits_digest(&state);
}

base::Result<Found> StoreCore::put(const Draft& draft) {
  uint64_t body_bytes = 0;
  for (const auto& piece : draft.body) body_bytes += piece.size();
  const bool fits = body_bytes <= max_object_bytes() && draft.key.size() <= kKeyMost &&
                    draft.head.size() <= kHeadMost && draft.tags.size() <= kTagsMost;
  if (!fits) return Error{ErrorCode::kNoSpace, 0, "larger than one record may be"};
  if (failed_.load(std::memory_order_relaxed)) {
    return Error{ErrorCode::kIo, 0, "the store file failed; nothing is stored"};
  }
  const Digest key_digest = digest(draft.key);
  if (purges_->since(draft.base, draft.ticket).removed) {
    puts_refused_.fetch_add(1, std::memory_order_relaxed);
    return Error{ErrorCode::kCancelled, 0, "purged since the fetch began"};
  }
  XXH3_state_t body_hash;
  XXH3_64bits_reset(&body_hash);
  for (const auto& piece : draft.body) XXH3_64bits_update(&body_hash, piece.data(), piece.size());

  format::RecordHeader header{};
  header.body_checksum = XXH3_64bits_digest(&body_hash);
  Location location;
  Found found;
  // Held until the entry stands: a slab is emptied under it, and must not miss this record.
  const std::lock_guard lock(append_mutex_);
  const Status written = write_record(draft, key_digest, body_bytes, header, location);
  if (!written.ok()) {
    if (written.error().code == ErrorCode::kNoSpace) puts_no_room_.fetch_add(1);
    return written.error();
  }
  found.pin = pin(location.slab);
  // The pages were just written, so this only fills in this process's page table, off the loops.
  const uint64_t size = uint64_t{location.length64} * 64;
  for (uint64_t page = 0; page < size; page += 4096) {
    const volatile std::byte* touched = at(location) + page;
    (void)*touched;
  }
  const bool published =
      index_.insert(key_digest, draft.slot, location, true, [&]() -> std::optional<uint32_t> {
        const PurgeTable::Verdict verdict = purges_->since(draft.base, draft.ticket);
        if (verdict.removed) return std::nullopt;
        return static_cast<uint32_t>(verdict.stale_since_ms / 1000);
      });
  if (!published || !read_record(location, draft.key, found.record)) {
    puts_refused_.fetch_add(1, std::memory_order_relaxed);
    return Error{ErrorCode::kCancelled, 0, "purged since the fetch began"};
  }
  puts_.fetch_add(1, std::memory_order_relaxed);
  found.state = draft.slot == kVarySlot ? Found::kVary : Found::kHit;
  found.digest = key_digest;
  return found;
}

Status StoreCore::write_record(const Draft& draft, const Digest& digest, uint64_t body_bytes,
                               format::RecordHeader& header, Location& location) {
  const format::RecordLayout layout = format::layout(
      sizeof header, draft.key.size(), draft.tags.size(), draft.head.size(), body_bytes);
  const auto room = [&] {
    if (open_ < 0) return false;
    const SlabInfo& slab = slabs_[static_cast<size_t>(open_)];
    return slab.used + layout.end + table_bytes(slab.table.size() + 1) <= geometry_.slab_bytes;
  };
  if (!room()) {
    if (open_ >= 0) seal_open_slab();
    const Status opened = open_slab();
    if (!opened.ok()) return opened;
    if (!room()) return Error{ErrorCode::kNoSpace, 0, "larger than a slab"};
  }
  const auto number = static_cast<uint32_t>(open_);
  SlabInfo& slab = slabs_[number];
  header.magic = format::kRecordMagic;
  header.kind = static_cast<uint8_t>(draft.kind);
  header.slot = draft.slot;
  header.header_length = sizeof header;
  header.generation = slab.generation;
  header.seq = superblock_.epoch << 40 | ++counter_;
  header.rid = draft.rid != 0 ? draft.rid : header.seq;
  header.digest_lo = digest.lo;
  header.digest_hi = digest.hi;
  header.base_lo = draft.base.lo;
  header.base_hi = draft.base.hi;
  header.key_length = static_cast<uint32_t>(draft.key.size());
  header.head_length = static_cast<uint32_t>(draft.head.size());
  header.tag_count = static_cast<uint16_t>(draft.tags.size());
  header.status = draft.policy.status;
  header.flags = draft.policy.flags;
  header.body_length = header.whole_length = body_bytes;
  header.response_time_ms = draft.policy.response_time_ms;
  header.initial_age_ms = draft.policy.initial_age_ms;
  header.lifetime_ms = draft.policy.lifetime_ms;
  header.stale_while_revalidate_ms = draft.policy.stale_while_revalidate_ms;
  header.stale_if_error_ms = draft.policy.stale_if_error_ms;
  header.purge_seq = draft.ticket.purge_seq;

  std::vector<std::byte> head(layout.body);
  const auto put_at = [&](uint64_t offset, std::span<const std::byte> bytes) {
    if (!bytes.empty()) std::memcpy(head.data() + offset, bytes.data(), bytes.size());
  };
  put_at(layout.key, std::as_bytes(std::span(draft.key)));
  put_at(layout.tags, std::as_bytes(draft.tags));
  put_at(layout.head, draft.head);
  const std::span<const std::byte> meta = std::span(head).subspan(layout.key);
  header.head_checksum = head_checksum(header, {&meta, 1});
  put_at(0, bytes_of(header));

  // Body first, header last: a crash in between leaves no header, and the walk ends there.
  const uint64_t begin = geometry_.slab_begin(number) + slab.used;
  uint64_t at_byte = begin + layout.body;
  Status status = Done{};
  for (const auto& piece : draft.body) {
    if (status.ok()) status = io_.pwrite(at_byte, piece);
    at_byte += piece.size();
  }
  if (status.ok()) status = io_.pwrite(begin, head);
  if (!status.ok()) {
    observer_.on_store_event(status.error().message);
    seal_open_slab();
    return status;
  }
  location = {number, static_cast<uint32_t>(slab.used / 64), static_cast<uint32_t>(layout.end / 64)};
  const int64_t expiry_ms =
      header.response_time_ms + std::max<int64_t>(header.lifetime_ms - header.initial_age_ms, 0);
  slab.table.push_back({digest.lo, digest.hi, header.seq, header.purge_seq,
                        static_cast<uint32_t>(expiry_ms / 1000), location.offset64, location.length64,
                        header.kind, header.slot, 0});
  slab.used += layout.end;
  slab.lowest_purge_seq = std::min(slab.lowest_purge_seq, header.purge_seq);
  slab.highest_seq = std::max(slab.highest_seq, header.seq);
  slab.synced = false;
  return Done{};
}

Status StoreCore::open_slab() {
  if (free_.empty() && !reclaim_one()) {
    return Error{ErrorCode::kNoSpace, 0, "no slab is free"};
  }
  const uint32_t number = free_.front();
  free_.pop_front();
  SlabInfo& slab = slabs_[number];
  slab = SlabInfo{};
  slab.generation = superblock_.epoch << 40 | ++counter_;
  format::SlabHeader header{};
  header.magic = format::kSlabMagic;
  header.number = number;
  header.generation = slab.generation;
  std::memcpy(header.uuid, superblock_.uuid, sizeof header.uuid);
  header.purge_seq = purges_->newest();
  header.checksum = XXH3_64bits(&header, offsetof(format::SlabHeader, checksum));
  const Status status = io_.pwrite(geometry_.slab_begin(number), bytes_of(header));
  if (!status.ok()) {
    free_.push_back(number);
    observer_.on_store_event(status.error().message);
    return status;
  }
  slab.state = SlabState::kOpen;
  slab.used = sizeof header;
  open_ = number;
  return Done{};
}

void StoreCore::seal_open_slab() {
  const auto number = static_cast<uint32_t>(open_);
  SlabInfo& slab = slabs_[number];
  open_ = -1;
  format::SlabTrailer trailer{};
  trailer.magic = format::kTrailerMagic;
  trailer.count = static_cast<uint32_t>(slab.table.size());
  trailer.generation = slab.generation;
  trailer.table_offset = geometry_.slab_bytes - table_bytes(slab.table.size());
  trailer.lowest_purge_seq = slab.lowest_purge_seq;
  trailer.highest_seq = slab.highest_seq;
  const std::span<const std::byte> table = std::as_bytes(std::span(slab.table));
  trailer.table_checksum = XXH3_64bits(table.data(), table.size());
  trailer.checksum = XXH3_64bits(&trailer, offsetof(format::SlabTrailer, checksum));
  const uint64_t begin = geometry_.slab_begin(number);
  Status status = io_.pwrite(begin + trailer.table_offset, table);
  if (status.ok()) {
    status = io_.pwrite(begin + geometry_.slab_bytes - sizeof trailer, bytes_of(trailer));
  }
  // Without a table the next start walks the slab by lengths; nothing is lost.
  if (!status.ok()) observer_.on_store_event(status.error().message);
  slab.state = SlabState::kSealed;
  slab.synced = false;
  sealed_.push_back(number);
}

void StoreCore::sync_if_due(int64_t wall_ms) {
  std::vector<uint32_t> waiting;
  {
    const std::lock_guard lock(append_mutex_);
    if (wall_ms - last_sync_ms_ < kSyncMs && wall_ms >= last_sync_ms_) return;
    last_sync_ms_ = wall_ms;
    for (uint32_t i = 0; i < slabs_.size(); ++i) {
      if (!slabs_[i].synced) waiting.push_back(i);
      slabs_[i].synced = true;
    }
  }
  if (waiting.empty()) return;
  const Status status = io_.sync();
  if (status.ok()) return;
  // The kernel reports a failed write-back once and calls the pages clean: nothing that was not known
  // synced can be trusted. A second failure ends storing.
  observer_.on_store_event("the store file cannot be synced: " + status.error().message);
  const std::lock_guard lock(append_mutex_);
  if (open_ >= 0) seal_open_slab();
  for (const uint32_t number : waiting) {
    if (slabs_[number].state != SlabState::kSealed) continue;
    std::erase(sealed_, number);
    empty_slab(number);
  }
  index_.distrust_all();
  if (sync_failures_++ > 0) failed_.store(true, std::memory_order_relaxed);
}

}  // namespace perigee::cache_store

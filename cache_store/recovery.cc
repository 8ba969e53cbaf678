// Opening: one path after a clean stop, a kill and a power cut. The tables say what is there; slabs without
// one are walked by lengths, never searched, since bodies are chosen by strangers.
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <unistd.h>
#define XXH_STATIC_LINKING_ONLY  // XXH3_generateSecret
#include <xxhash.h>

#include <algorithm>
#include <cstring>
#include <unordered_map>

#include "cache_store/sigbus.h"
#include "cache_store/store_core.h"

namespace perigee::cache_store {

using base::Done;
using base::Error;
using base::ErrorCode;
using base::Status;

namespace {

constexpr uint32_t kByteOrder = 0x01020304;

uint64_t checksum_of(const format::Superblock& block) {
  return XXH3_64bits(&block, offsetof(format::Superblock, checksum));
}

std::span<const std::byte> bytes_of(const auto& value) { return std::as_bytes(std::span(&value, 1)); }
std::span<std::byte> writable_bytes_of(auto& value) {
  return std::as_writable_bytes(std::span(&value, 1));
}

uint64_t area_of(uint64_t slab_bytes, uint64_t journal_bytes) {
  return format::align(format::kJournalBegin + 2 * journal_bytes,
                       std::max(slab_bytes, format::kAreaAlignment));
}

}  // namespace

base::Result<Geometry> choose_geometry(const StoreOptions& options) {
  constexpr uint64_t kKiB = 1024;
  constexpr uint64_t kMiB = 1024 * kKiB;
  Geometry geometry;
  geometry.journal_bytes =
      options.journal_bytes != 0
          ? options.journal_bytes
          : std::clamp(options.size_bytes / 64, 256 * kKiB, 4 * kMiB) / (64 * kKiB) * (64 * kKiB);
  for (const uint64_t slab_bytes : {4 * kMiB, 2 * kMiB, 256 * kKiB}) {
    if (options.slab_bytes != 0 && slab_bytes != options.slab_bytes) continue;
    geometry.slab_bytes = slab_bytes;
    geometry.area = area_of(slab_bytes, geometry.journal_bytes);
    const uint64_t left = options.size_bytes > geometry.area ? options.size_bytes - geometry.area : 0;
    geometry.slab_count = std::min(left / slab_bytes, format::kMostSlabs);
    const uint64_t least = options.slab_bytes != 0 ? 4 : format::kLeastSlabs;
    if (geometry.slab_count >= least) return geometry;
  }
  return Error{ErrorCode::kInvalid, 0,
               "a store of " + std::to_string(options.size_bytes) +
                   " bytes is too small: the least size is 18 MiB"};
}

Status StoreCore::start(int64_t wall_ms) {
  const base::Result<FileFacts> facts = io_.open(options_.path);
  if (!facts.ok()) return facts.error();
  const Status adopted = adopt_or_create(*facts, wall_ms);
  if (!adopted.ok()) return adopted;

  const base::Result<const std::byte*> map = io_.map(geometry_.file_bytes());
  if (!map.ok()) return map.error();
  map_ = *map;
  words_ = std::make_unique<SlabWord[]>(geometry_.slab_count);
  slabs_.resize(geometry_.slab_count);
  XXH3_generateSecret(key_secret_.data(), key_secret_.size(), superblock_.secret,
                      sizeof superblock_.secret);
  checksum_seed_ = XXH3_64bits(superblock_.secret, sizeof superblock_.secret);
  if (!guard_map({map_, geometry_.file_bytes(), geometry_.area, geometry_.slab_bytes, words_.get()})) {
    return Error{ErrorCode::kUnsupported, 0, "the store's pages cannot be guarded"};
  }
  journal_ = std::make_unique<PurgeJournal>(io_, geometry_.journal_bytes);
  const std::vector<PurgeJournal::Entry> purges =
      journal_->load(superblock_.journal_half, superblock_.journal_epoch);
  uint64_t newest = superblock_.purge_floor;
  for (const PurgeJournal::Entry& entry : purges) newest = std::max(newest, entry.seq);

  const bool copied = superblock_.inode != facts->inode || superblock_.birth_ns != facts->birth_ns;
  if (copied) {
    // Purges made since the copy are unknown: everything is stale until the origin confirms it.
    superblock_.stale_floor = ++newest;
    superblock_.stale_floor_ms = wall_ms;
    superblock_.inode = facts->inode;
    superblock_.birth_ns = facts->birth_ns;
    observer_.on_store_event("the store file was copied: what it holds is checked with the origin");
  }
  ++superblock_.epoch;
  superblock_.purge_floor = newest;
  purges_ = std::make_unique<PurgeTable>(newest);
  // Raised and synced before the first write, so that no generation or seq is ever used twice.
  Status status = write_superblock();
  if (status.ok()) status = io_.sync();
  if (!status.ok()) return status;
  recover(purges);
  probe_lending();
  return Done{};
}

Status StoreCore::adopt_or_create(const FileFacts& facts, int64_t wall_ms) {
  const base::Result<Geometry> wanted = choose_geometry(options_);
  if (!wanted.ok()) return wanted.error();
  const std::optional<format::Superblock> found = facts.size > 0 ? read_superblock() : std::nullopt;
  if (!found) {
    if (facts.size > 0) {
      uint64_t magic_a = 0;
      uint64_t magic_b = 0;
      const bool readable_a = io_.pread(format::kSuperblockA, writable_bytes_of(magic_a)).ok();
      const bool readable_b = io_.pread(format::kSuperblockB, writable_bytes_of(magic_b)).ok();
      const bool ours = (readable_a && magic_a == format::kSuperblockMagic) ||
                        (readable_b && magic_b == format::kSuperblockMagic);
      const bool blank = magic_a == 0 && magic_b == 0;
      if (!ours && !blank) {
        return Error{ErrorCode::kInvalid, 0, options_.path + " is not a store of perigee"};
      }
      if (ours) observer_.on_store_event("the store file is damaged; it begins anew, empty");
    }
    return create(facts, *wanted, wall_ms);
  }
  superblock_ = *found;
  geometry_.slab_bytes = superblock_.slab_bytes;
  geometry_.journal_bytes = superblock_.journal_bytes;
  geometry_.area = area_of(geometry_.slab_bytes, geometry_.journal_bytes);
  // The slab size stays what it was; only the number of slabs follows the configured size.
  const uint64_t left =
      options_.size_bytes > geometry_.area ? options_.size_bytes - geometry_.area : 0;
  geometry_.slab_count =
      std::clamp<uint64_t>(left / geometry_.slab_bytes, 4, format::kMostSlabs);
  superblock_.slab_count = geometry_.slab_count;
  if (facts.size == geometry_.file_bytes()) return Done{};
  return io_.allocate(geometry_.file_bytes());
}

Status StoreCore::create(const FileFacts& facts, const Geometry& geometry, int64_t wall_ms) {
  geometry_ = geometry;
  // Old blocks go first, so that no record of an earlier life survives.
  if (facts.size > 0) {
    const Status emptied = io_.allocate(0);
    if (!emptied.ok()) return emptied;
  }
  const Status allocated = io_.allocate(geometry.file_bytes());
  if (!allocated.ok()) {
    Error error = allocated.error();
    error.message += " (" + std::to_string(geometry.file_bytes()) + " bytes at " + options_.path + ")";
    return error;
  }
  superblock_ = format::Superblock{};
  superblock_.magic = format::kSuperblockMagic;
  superblock_.major = format::kMajor;
  superblock_.minor = format::kMinor;
  superblock_.byte_order = kByteOrder;
  std::memcpy(superblock_.uuid, options_.entropy.data(), sizeof superblock_.uuid);
  std::memcpy(superblock_.secret, options_.entropy.data() + sizeof superblock_.uuid,
              sizeof superblock_.secret);
  superblock_.slab_bytes = geometry.slab_bytes;
  superblock_.slab_count = geometry.slab_count;
  superblock_.journal_bytes = geometry.journal_bytes;
  superblock_.inode = facts.inode;
  superblock_.birth_ns = facts.birth_ns;
  superblock_.epoch = static_cast<uint64_t>(wall_ms / 1000) & 0xffffff;
  return Done{};
}

std::optional<format::Superblock> StoreCore::read_superblock() {
  std::optional<format::Superblock> best;
  for (const uint64_t offset : {format::kSuperblockA, format::kSuperblockB}) {
    format::Superblock block;
    if (!io_.pread(offset, writable_bytes_of(block)).ok()) continue;
    const bool valid = block.magic == format::kSuperblockMagic && block.checksum == checksum_of(block) &&
                       block.major == format::kMajor && block.incompat == 0 &&
                       block.byte_order == kByteOrder;
    if (valid && (!best || block.version > best->version)) best = block;
  }
  return best;
}

Status StoreCore::write_superblock() {
  ++superblock_.version;
  superblock_.journal_bad = journal_ != nullptr && journal_->bad() ? 1 : 0;
  superblock_.checksum = checksum_of(superblock_);
  // Alternately, so that one bad write leaves the other.
  const uint64_t offset =
      superblock_.version % 2 == 0 ? format::kSuperblockA : format::kSuperblockB;
  return io_.pwrite_durable(offset, bytes_of(superblock_));
}

bool StoreCore::read_slab(uint32_t number, std::vector<format::TableEntry>& table) {
  format::SlabHeader header;
  if (!io_.pread(geometry_.slab_begin(number), writable_bytes_of(header)).ok()) return false;
  const bool valid =
      header.magic == format::kSlabMagic && header.number == number &&
      header.checksum == XXH3_64bits(&header, offsetof(format::SlabHeader, checksum)) &&
      std::memcmp(header.uuid, superblock_.uuid, sizeof header.uuid) == 0;
  if (!valid) return false;
  SlabInfo& slab = slabs_[number];
  slab.generation = header.generation;
  if (!read_table(number, header, table)) walk_slab(number, header, table);
  for (const format::TableEntry& entry : table) {
    slab.lowest_purge_seq = std::min(slab.lowest_purge_seq, entry.purge_seq);
    slab.highest_seq = std::max(slab.highest_seq, entry.seq);
  }
  return true;
}

bool StoreCore::read_table(uint32_t number, const format::SlabHeader& header,
                           std::vector<format::TableEntry>& table) {
  format::SlabTrailer trailer;
  const uint64_t begin = geometry_.slab_begin(number);
  const uint64_t trailer_at = geometry_.slab_bytes - sizeof trailer;
  if (!io_.pread(begin + trailer_at, writable_bytes_of(trailer)).ok()) return false;
  const uint64_t size = uint64_t{trailer.count} * sizeof(format::TableEntry);
  const bool valid =
      trailer.magic == format::kTrailerMagic && trailer.generation == header.generation &&
      trailer.checksum == XXH3_64bits(&trailer, offsetof(format::SlabTrailer, checksum)) &&
      trailer.table_offset <= trailer_at && size == trailer_at - trailer.table_offset;
  if (!valid) return false;
  table.resize(trailer.count);
  const std::span<std::byte> bytes = std::as_writable_bytes(std::span(table));
  if (!io_.pread(begin + trailer.table_offset, bytes).ok() ||
      XXH3_64bits(bytes.data(), bytes.size()) != trailer.table_checksum) {
    table.clear();
    return false;
  }
  return true;
}

/// Reads record after record by their lengths until the first header that is not whole.
void StoreCore::walk_slab(uint32_t number, const format::SlabHeader& slab_header,
                          std::vector<format::TableEntry>& table) {
  table.clear();
  const uint64_t begin = geometry_.slab_begin(number);
  uint64_t at_byte = sizeof slab_header;
  std::vector<std::byte> meta;
  while (at_byte + sizeof(format::RecordHeader) <= geometry_.slab_bytes) {
    format::RecordHeader header;
    if (!io_.pread(begin + at_byte, writable_bytes_of(header)).ok()) return;
    if (header.magic != format::kRecordMagic || header.generation != slab_header.generation ||
        header.header_length < sizeof header || header.body_length > geometry_.slab_bytes) {
      return;
    }
    const format::RecordLayout layout =
        format::layout(header.header_length, header.key_length, header.tag_count,
                       header.head_length, header.body_length);
    if (at_byte + layout.end > geometry_.slab_bytes) return;
    meta.resize(layout.body - layout.key);
    if (!io_.pread(begin + at_byte + layout.key, meta).ok()) return;
    const std::span<const std::byte> part(meta);
    if (head_checksum(header, {&part, 1}) != header.head_checksum) return;
    const int64_t expiry_ms = header.response_time_ms + header.lifetime_ms - header.initial_age_ms;
    table.push_back({header.digest_lo, header.digest_hi, header.seq, header.purge_seq,
                     static_cast<uint32_t>(std::max<int64_t>(expiry_ms, 0) / 1000),
                     static_cast<uint32_t>(at_byte / 64), static_cast<uint32_t>(layout.end / 64),
                     header.kind, header.slot, 0});
    at_byte += layout.end;
  }
}

void StoreCore::recover(const std::vector<PurgeJournal::Entry>& purges) {
  struct Candidate {
    format::TableEntry entry;
    uint32_t slab;
  };
  std::vector<Candidate> candidates;
  std::vector<std::pair<uint64_t, uint32_t>> by_age;
  for (uint32_t number = 0; number < slabs_.size(); ++number) {
    std::vector<format::TableEntry> table;
    if (!read_slab(number, table) || table.empty()) {
      draining_.push_back(number);
      continue;
    }
    slabs_[number].state = SlabState::kSealed;
    by_age.emplace_back(slabs_[number].generation, number);
    for (const format::TableEntry& entry : table) candidates.push_back({entry, number});
  }
  std::sort(by_age.begin(), by_age.end());
  for (const auto& [generation, number] : by_age) sealed_.push_back(number);

  struct Purged {
    uint64_t hard_seq = 0;
    uint64_t soft_seq = 0;
    int64_t soft_ms = 0;
  };
  std::unordered_map<uint64_t, Purged> purged;
  for (const PurgeJournal::Entry& entry : purges) {
    Purged& known = purged[entry.digest.lo];
    if (entry.soft) {
      known.soft_seq = entry.seq;
      known.soft_ms = entry.time_ms;
    } else {
      known.hard_seq = entry.seq;
    }
  }
  // The highest seq of a key wins; put in last, it takes out the slot that it excludes.
  std::sort(candidates.begin(), candidates.end(),
            [](const Candidate& a, const Candidate& b) { return a.entry.seq < b.entry.seq; });
  for (const Candidate& candidate : candidates) {
    const format::TableEntry& entry = candidate.entry;
    const bool known_kind = entry.kind == static_cast<uint8_t>(RecordKind::kObject) ||
                            entry.kind == static_cast<uint8_t>(RecordKind::kVarySpec);
    if (!known_kind) continue;
    const Digest digest{entry.digest_lo, entry.digest_hi};
    const auto purge = purged.find(digest.lo);
    const Purged fate = purge != purged.end() ? purge->second : Purged{};
    if (fate.hard_seq > entry.purge_seq) {
      // An older version of the same key must not come back in its place either.
      index_.erase(digest, [] {});
      continue;
    }
    int64_t stale_ms = fate.soft_seq > entry.purge_seq ? fate.soft_ms : 0;
    if (entry.purge_seq < superblock_.stale_floor) {
      stale_ms = stale_ms == 0 ? superblock_.stale_floor_ms
                               : std::min(stale_ms, superblock_.stale_floor_ms);
    }
    index_.insert(digest, entry.slot, {candidate.slab, entry.offset64, entry.length64}, false,
                  [&]() -> std::optional<uint32_t> { return static_cast<uint32_t>(stale_ms / 1000); });
  }
  recovered_ = index_.size();
  // Slabs that hold nothing wait to be detached: sockets that outlived a killed process may still be
  // sending pages of them.
  for (const uint32_t number : draining_) {
    slabs_[number] = SlabInfo{};
    slabs_[number].state = SlabState::kDraining;
  }
}

/// Lends a page of a scratch slab to a socket, detaches it, and looks whether the socket still has the old
/// bytes.
void StoreCore::probe_lending() {
  const std::lock_guard lock(append_mutex_);
  if (draining_.empty()) {
    empty_slab(sealed_.front());
    sealed_.pop_front();
  }
  const uint64_t begin = geometry_.slab_begin(draining_.front());
  std::array<std::byte, 4096> before;
  before.fill(std::byte{0x5a});
  int pair[2] = {-1, -1};
  if (!io_.pwrite(begin, before).ok() || ::socketpair(AF_UNIX, SOCK_STREAM, 0, pair) != 0) return;
  auto offset = static_cast<off_t>(begin);
  const ssize_t lent = ::sendfile(pair[0], io_.fd(), &offset, before.size());
  can_detach_ = io_.detach(begin, geometry_.slab_bytes).ok();
  std::array<std::byte, 4096> after;
  after.fill(std::byte{0xa5});
  const bool written = io_.pwrite(begin, after).ok();
  std::array<std::byte, 4096> received{};
  const ssize_t got = ::recv(pair[1], received.data(), received.size(), MSG_DONTWAIT);
  ::close(pair[0]);
  ::close(pair[1]);
  const bool intact = lent == static_cast<ssize_t>(before.size()) && got == lent && received == before;
  const bool mapped = std::memcmp(map_ + begin, after.data(), after.size()) == 0;
  can_lend_ = can_detach_ && written && mapped && intact &&
              geometry_.slab_bytes % largest_folio_bytes() == 0;
}

}  // namespace perigee::cache_store

// Opening: one path after a clean stop, a kill and a power cut. The tables say what is there; slabs
// without one are walked by lengths, never searched, since bodies are chosen by strangers.
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <unistd.h>
#define XXH_STATIC_LINKING_ONLY  // XXH3_generateSecret
#include <xxhash.h>

#include <algorithm>
#include <cstring>
#include <tuple>

#include "cache_store/checksum.h"
#include "cache_store/sigbus.h"
#include "cache_store/store_core.h"

namespace perigee::cache_store {

using base::Done;
using base::Error;
using base::ErrorCode;
using base::Status;

namespace {

/// Both know kinds and slots that this version does not: they lie in the file and are not looked
/// up.
bool is_known_kind(const format::TableEntry& entry) {
  return entry.kind == static_cast<uint8_t>(RecordKind::kObject)
             ? entry.slot == kHeadSlot
             : entry.kind == static_cast<uint8_t>(RecordKind::kVarySpec) && entry.slot == kVarySlot;
}

auto order_of(const PurgeJournal::Entry& entry) {
  return std::tuple(entry.digest.lo, entry.digest.hi, entry.seq);
}

/// What the purges since its fetch did to a record.
struct Fate {
  bool gone = false;
  int64_t stale_since_ms = 0;  ///< 0: not stale
  uint64_t stale_seq = 0;      ///< of the last soft purge
};

/// `purges` in order_of().
Fate fate_of(const std::vector<PurgeJournal::Entry>& purges, const format::TableEntry& record) {
  PurgeJournal::Entry first;
  first.digest = {record.digest_lo, record.digest_hi};
  first.seq = record.purge_seq + 1;
  auto purge =
      std::lower_bound(purges.begin(), purges.end(), first,
                       [](const auto& a, const auto& b) { return order_of(a) < order_of(b); });
  Fate fate;
  for (; purge != purges.end() && purge->digest == first.digest; ++purge) {
    if (!purge->soft) fate.gone = true;
    fate.stale_seq = purge->seq;
    // A record is stale since the first; of a Vary spec the last says which variants are stale.
    if (fate.stale_since_ms == 0 || record.slot == kVarySlot) {
      fate.stale_since_ms = std::max<int64_t>(purge->time_ms, 1);
    }
  }
  return fate;
}

}  // namespace

Status StoreCore::start(int64_t wall_ms) {
  // Nobody else is here yet.
  const base::MutexLock lock(append_mutex_);
  const base::Result<FileFacts> facts = io_.open(options_.path);
  if (!facts.ok()) return facts.error();
  Status status = adopt_or_create(*facts);
  if (!status.ok()) return status;
  const base::Result<const std::byte*> map = io_.map(geometry_.file_bytes());
  if (!map.ok()) return map.error();
  map_ = *map;
  words_ = std::make_unique<SlabWord[]>(geometry_.slab_count);
  slabs_.resize(geometry_.slab_count);
  derive_secrets();
  guarded_ =
      guard_map({map_, geometry_.file_bytes(), geometry_.area, geometry_.slab_bytes, words_.get()});
  if (!guarded_) return Error{ErrorCode::kUnsupported, 0, "the store's pages cannot be guarded"};

  journal_ = std::make_unique<PurgeJournal>(io_, geometry_.journal_bytes);
  PurgeJournal::Loaded journal = journal_->load(
      {superblock_.journal_half, superblock_.journal_generation, superblock_.journal_seq, 0});
  const ScannedFile file = scan();
  status = begin_epoch(*facts, journal, file);
  if (!status.ok()) return status;
  last_sync_ms_ = wall_ms;
  publish_scanned(file, std::move(journal.entries));
  probe_lending();
  return Done{};
}

void StoreCore::derive_secrets() {
  XXH3_generateSecret(key_secret_.data(), key_secret_.size(), superblock_.secret,
                      sizeof superblock_.secret);
  checksum_seed_ = XXH3_64bits(superblock_.secret, sizeof superblock_.secret);
}

/// Raised and synced before the first write, so that no generation, seq or purge seq is used twice.
Status StoreCore::begin_epoch(const FileFacts& facts, const PurgeJournal::Loaded& journal,
                              const ScannedFile& file) {
  const char* doubt = nullptr;
  if (superblock_.inode != facts.inode || superblock_.birth_ns != facts.birth_ns) {
    doubt = "the store file was copied";
  } else if (file.newest_epoch > superblock_.epoch) {
    doubt = "the store file's superblock is an old one";
  } else if (journal.damaged || file.journal_seq > journal_->durable_seq()) {
    doubt = "the store's purge journal is damaged";
  } else if (superblock_.journal_bad != 0) {
    doubt = "the last purges could not be written";
  }
  superblock_.epoch = std::max(superblock_.epoch, file.newest_epoch) + 1;
  superblock_.inode = facts.inode;
  superblock_.birth_ns = facts.birth_ns;
  superblock_.journal_bad = 0;
  const uint64_t newest = superblock_.epoch << format::kEpochShift;
  purges_ = std::make_unique<PurgeTable>(newest);
  fetches_ = newest + 1;
  if (doubt != nullptr) {
    observer_.on_store_event(std::string(doubt) + ": what it holds is confirmed with the origin");
    journal_->fold(newest);
  }
  const Status written =
      journal_->needs_compaction() ? compact_journal() : write_superblock(superblock_);
  return written.ok() ? io_.sync() : written;
}

StoreCore::ScannedFile StoreCore::scan() {
  ScannedFile file;
  std::vector<std::pair<ScannedFile::Slab, std::vector<format::TableEntry>>> slabs;
  size_t records = 0;
  for (uint32_t number = 0; number < slabs_.size(); ++number) {
    std::optional<ScannedSlab> slab = read_slab(number);
    if (!slab) {
      slabs_[number].state = SlabState::kDraining;
      draining_.push_back(number);
      continue;
    }
    file.newest_epoch = std::max(file.newest_epoch, slab->header.generation >> format::kEpochShift);
    file.journal_seq = std::max(file.journal_seq, slab->header.journal_seq);
    if (slab->table.empty()) {
      slabs_[number].state = SlabState::kDraining;
      draining_.push_back(number);
      continue;
    }
    slabs_[number].state = SlabState::kSealed;
    slabs_[number].begin_life(slab->header.generation);
    words_[number].generation = slab->header.generation;
    for (const format::TableEntry& entry : slab->table) slabs_[number].note(entry);
    records += slab->table.size();
    slabs.emplace_back(ScannedFile::Slab{slab->header.generation, number}, std::move(slab->table));
  }
  std::sort(slabs.begin(), slabs.end(),
            [](const auto& a, const auto& b) { return a.first.generation < b.first.generation; });
  file.records.reserve(records);
  for (const auto& [slab, table] : slabs) {
    file.slabs.push_back(slab);
    for (const format::TableEntry& entry : table) file.records.push_back({entry, slab.number});
  }
  const auto by_seq = [](const auto& a, const auto& b) { return a.entry.seq < b.entry.seq; };
  if (!std::is_sorted(file.records.begin(), file.records.end(), by_seq)) {
    std::sort(file.records.begin(), file.records.end(), by_seq);
  }
  return file;
}

/// Nothing when the slab's header is not one of this file.
std::optional<StoreCore::ScannedSlab> StoreCore::read_slab(uint32_t number) const {
  ScannedSlab slab;
  if (!io_.pread(geometry_.slab_begin(number), writable_bytes_of(slab.header)).ok() ||
      !is_slab_header(slab.header, number, superblock_)) {
    return std::nullopt;
  }
  if (!read_table(number, slab)) walk_slab(number, slab);
  return slab;
}

bool StoreCore::read_table(uint32_t number, ScannedSlab& slab) const {
  format::SlabTrailer trailer;
  const uint64_t begin = geometry_.slab_begin(number);
  const uint64_t trailer_at = geometry_.slab_bytes - sizeof trailer;
  if (!io_.pread(begin + trailer_at, writable_bytes_of(trailer)).ok()) return false;
  const uint64_t size = uint64_t{trailer.count} * sizeof(format::TableEntry);
  const bool valid =
      trailer.magic == format::kTrailerMagic && trailer.generation == slab.header.generation &&
      trailer.checksum == checksum_of(trailer) && trailer.table_offset <= trailer_at &&
      size == trailer_at - trailer.table_offset;
  if (!valid) return false;
  slab.table.resize(trailer.count);
  const std::span<std::byte> bytes = std::as_writable_bytes(std::span(slab.table));
  if (!io_.pread(begin + trailer.table_offset, bytes).ok() ||
      XXH3_64bits(bytes.data(), bytes.size()) != trailer.table_checksum) {
    slab.table.clear();
    return false;
  }
  return true;
}

/// Reads record after record by their lengths until the first header that is not whole. The last
/// one may have been in the making when the process was killed, so its body is looked at too.
void StoreCore::walk_slab(uint32_t number, ScannedSlab& slab) const {
  const uint64_t begin = geometry_.slab_begin(number);
  uint64_t at_byte = sizeof slab.header;
  std::vector<std::byte> meta;
  format::RecordHeader last{};
  while (at_byte + sizeof(format::RecordHeader) <= geometry_.slab_bytes) {
    format::RecordHeader header;
    if (!io_.pread(begin + at_byte, writable_bytes_of(header)).ok()) break;
    if (header.magic != format::kRecordMagic || header.generation != slab.header.generation ||
        header.header_length < sizeof header || header.body_length > geometry_.slab_bytes) {
      break;
    }
    const format::RecordLayout layout = format::layout(header);
    if (at_byte + layout.end > geometry_.slab_bytes) break;
    meta.resize(layout.body - layout.key);
    if (!io_.pread(begin + at_byte + layout.key, meta).ok()) break;
    if (head_checksum(header, meta) != header.head_checksum) break;
    slab.table.push_back(table_entry(header, at_byte, layout));
    last = header;
    at_byte += layout.end;
  }
  if (slab.table.empty()) return;
  const uint64_t body = begin + at_byte - format::layout(last).end + format::layout(last).body;
  std::vector<std::byte> bytes(last.body_length);
  if (!io_.pread(body, bytes).ok() ||
      XXH3_64bits(bytes.data(), bytes.size()) != last.body_checksum) {
    slab.table.pop_back();
  }
}

/// The table's checksum finds rot; this is for what a faulty writer may have left.
bool StoreCore::is_plausible(const format::TableEntry& entry) const {
  const uint64_t end = (uint64_t{entry.offset64} + entry.length64) * format::kAlignment;
  return entry.length64 > 0 && entry.offset64 > 0 && end <= geometry_.slab_bytes &&
         (entry.digest_lo & ~uint64_t{7}) != 0;
}

/// In the order of their seq, so that the highest of a key wins and takes out the slots it
/// excludes.
void StoreCore::publish_scanned(const ScannedFile& file, std::vector<PurgeJournal::Entry> purges) {
  for (const ScannedFile::Slab& slab : file.slabs) sealed_.push_back(slab.number);
  std::sort(purges.begin(), purges.end(),
            [](const auto& a, const auto& b) { return order_of(a) < order_of(b); });
  index_.reserve(file.records.size());
  for (const ScannedFile::Record& record : file.records) {
    const format::TableEntry& entry = record.entry;
    if (!is_known_kind(entry) || !is_plausible(entry)) continue;
    Fate fate = fate_of(purges, entry);
    if (fate.gone) continue;
    if (entry.purge_seq < superblock_.stale_floor) {
      fate.stale_since_ms = kUnconfirmedMs;
      fate.stale_seq = std::max(fate.stale_seq, superblock_.stale_floor);
    }
    const uint32_t stale_since_s = fate.stale_since_ms == 0 ? 0 : seconds_up(fate.stale_since_ms);
    index_.insert({entry.digest_lo, entry.digest_hi}, entry.slot,
                  {record.slab, entry.offset64, entry.length64}, false,
                  [&]() -> std::optional<Staleness> {
                    return Staleness{stale_since_s, fate.stale_seq};
                  });
  }
  recovered_ = index_.size();
}

/// Lends a page of the scratch area to a socket, detaches it, and looks whether the socket still
/// has the old bytes.
void StoreCore::probe_lending() {
  if (const std::optional<bool> known = io_.keeps_lent_pages()) {
    can_detach_ = true;
    can_lend_ = *known;
    return;
  }
  const uint64_t begin = geometry_.scratch;
  const uint64_t length = std::min(geometry_.area - begin, geometry_.slab_bytes);
  std::array<std::byte, format::kPage> before;
  before.fill(std::byte{0x5a});
  int pair[2] = {-1, -1};
  if (length < before.size() || !io_.pwrite(begin, before).ok() ||
      ::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0) {
    return;
  }
  auto offset = static_cast<off_t>(begin);
  const ssize_t lent = ::sendfile(pair[0], io_.fd(), &offset, before.size());
  can_detach_ = io_.detach(begin, length).ok();
  std::array<std::byte, format::kPage> after;
  after.fill(std::byte{0xa5});
  const bool written = io_.pwrite(begin, after).ok();
  std::array<std::byte, format::kPage> received{};
  const ssize_t got = ::recv(pair[1], received.data(), received.size(), MSG_DONTWAIT);
  ::close(pair[0]);
  ::close(pair[1]);
  const bool intact =
      lent == static_cast<ssize_t>(before.size()) && got == lent && received == before;
  const bool mapped = std::memcmp(map_ + begin, after.data(), after.size()) == 0;
  can_lend_ = can_detach_ && written && mapped && intact &&
              geometry_.slab_bytes % largest_folio_bytes() == 0;
}

}  // namespace perigee::cache_store

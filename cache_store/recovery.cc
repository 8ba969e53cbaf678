#include "cache_store/recovery.h"

#include <xxhash.h>

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "cache_store/checksum.h"
#include "cache_store/record.h"

namespace perigee::cache_store {

namespace {

/// A ring of a later version is one whose rules are not known: its slabs are read, and go first.
Ring ring_of(const format::SlabHeader& header) {
  return header.ring == static_cast<uint8_t>(Ring::kMain) ? Ring::kMain : Ring::kProbation;
}

}  // namespace

bool is_known_kind(const format::TableEntry& entry) {
  switch (static_cast<RecordKind>(entry.kind)) {
    case RecordKind::kObject:
    case RecordKind::kHead:
    case RecordKind::kFragment:
    case RecordKind::kShell:
      return entry.slot == kHeadSlot;
    case RecordKind::kCoded:
      return is_coded_slot(entry.slot);
    case RecordKind::kVarySpec:
      return entry.slot == kVarySlot;
    default:
      return false;
  }
}

ScannedFile Recovery::scan() const {
  ScannedFile file;
  std::vector<std::pair<ScannedFile::Slab, std::vector<format::TableEntry>>> slabs;
  size_t records = 0;
  for (uint32_t number = 0; number < geometry_.slab_count; ++number) {
    std::optional<ScannedSlab> slab = read_slab(number);
    if (slab) {
      file.newest_epoch =
          std::max(file.newest_epoch, slab->header.generation >> format::kEpochShift);
      file.journal_seq = std::max(file.journal_seq, slab->header.journal_seq);
    }
    if (!slab || slab->table.empty()) {
      file.empty.push_back(number);
      continue;
    }
    SlabContents contents{.generation = slab->header.generation};
    for (const format::TableEntry& entry : slab->table) contents.note(entry);
    records += slab->table.size();
    slabs.emplace_back(ScannedFile::Slab{number, ring_of(slab->header), contents},
                       std::move(slab->table));
  }
  CHECK(slabs.size() + file.empty.size() == geometry_.slab_count);
  std::sort(slabs.begin(), slabs.end(), [](const auto& a, const auto& b) {
    return a.first.contents.generation < b.first.contents.generation;
  });
  file.records.reserve(records);
  for (const auto& [slab, table] : slabs) {
    file.slabs.push_back(slab);
    for (const format::TableEntry& entry : table) {
      if (is_known_kind(entry) && is_plausible(entry)) {
        file.records.push_back({entry, slab.number, slab.ring});
      }
    }
  }
  const auto by_seq = [](const auto& a, const auto& b) { return a.entry.seq < b.entry.seq; };
  if (!std::is_sorted(file.records.begin(), file.records.end(), by_seq)) {
    // The younger slab has the copy: of two with one seq it stays the last.
    std::stable_sort(file.records.begin(), file.records.end(), by_seq);
  }
  return file;
}

std::optional<Recovery::ScannedSlab> Recovery::read_slab(uint32_t number) const {
  CHECK(number < geometry_.slab_count);
  ScannedSlab slab;
  if (!io_.pread(geometry_.slab_begin(number), writable_bytes_of(slab.header)).ok() ||
      !is_slab_header(slab.header, number, identity_.uuid)) {
    return std::nullopt;
  }
  slab.ending = read_table(number, slab);
  if (slab.ending != Ending::kTable) walk_slab(number, slab);
  return slab;
}

Recovery::Ending Recovery::read_table(uint32_t number, ScannedSlab& slab) const {
  format::SlabTrailer trailer;
  const uint64_t begin = geometry_.slab_begin(number);
  const uint64_t trailer_at = geometry_.slab_bytes - sizeof trailer;
  if (!io_.pread(begin + trailer_at, writable_bytes_of(trailer)).ok()) return Ending::kDamaged;
  const bool whole =
      trailer.magic == format::kTrailerMagic && trailer.checksum == checksum_of(trailer);
  // Only a trailer is ever written there: what is not blank, or of an earlier life, is one.
  if (is_blank(trailer) || (whole && trailer.generation != slab.header.generation)) {
    return Ending::kOpen;
  }
  const uint64_t size = uint64_t{trailer.count} * sizeof(format::TableEntry);
  const bool valid =
      whole && trailer.table_offset <= trailer_at && size == trailer_at - trailer.table_offset;
  if (!valid) return Ending::kDamaged;
  slab.table.resize(trailer.count);
  const std::span<std::byte> bytes = std::as_writable_bytes(std::span(slab.table));
  if (!io_.pread(begin + trailer.table_offset, bytes).ok() ||
      XXH3_64bits(bytes.data(), bytes.size()) != trailer.table_checksum) {
    slab.table.clear();
    return Ending::kDamaged;
  }
  return Ending::kTable;
}

/// Reads record after record by their lengths until the first header that is not whole. The last
/// one may have been in the making when the process was killed, so its body is looked at too.
void Recovery::walk_slab(uint32_t number, ScannedSlab& slab) const {
  const uint64_t begin = geometry_.slab_begin(number);
  uint64_t at_byte = sizeof slab.header;
  std::vector<std::byte> meta;
  format::RecordHeader last{};
  while (at_byte + sizeof(format::RecordHeader) <= geometry_.slab_bytes) {
    format::RecordHeader header;
    if (!io_.pread(begin + at_byte, writable_bytes_of(header)).ok()) break;
    slab.torn = header.generation == slab.header.generation;
    if (header.magic != format::kRecordMagic || header.generation != slab.header.generation ||
        header.header_length < sizeof header || header.body_length > geometry_.slab_bytes) {
      break;
    }
    const format::RecordLayout layout = format::layout(header);
    if (at_byte + layout.end > geometry_.slab_bytes) break;
    meta.resize(layout.body - layout.key);
    if (!io_.pread(begin + at_byte + layout.key, meta).ok()) break;
    if (identity_.secret.head_checksum(header, meta) != header.head_checksum) break;
    slab.table.push_back(table_entry(header, at_byte));
    last = header;
    slab.torn = false;
    at_byte += layout.end;
  }
  if (slab.table.empty()) return;
  const uint64_t body = begin + at_byte - format::layout(last).end + format::layout(last).body;
  std::vector<std::byte> bytes(last.body_length);
  if (!io_.pread(body, bytes).ok() ||
      XXH3_64bits(bytes.data(), bytes.size()) != last.body_checksum) {
    slab.table.pop_back();
    slab.torn = true;
  }
}

/// The table's checksum finds rot; this is for what a faulty writer may have left.
bool Recovery::is_plausible(const format::TableEntry& entry) const {
  const uint64_t end = (uint64_t{entry.offset64} + entry.length64) * format::kAlignment;
  return entry.length64 > 0 && entry.offset64 > 0 && end <= geometry_.slab_bytes &&
         (entry.digest_lo & ~uint64_t{7}) != 0;
}

}  // namespace perigee::cache_store

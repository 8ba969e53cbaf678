#include "cache_store/inspection.h"

#include <xxhash.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <unordered_set>
#include <utility>

#include "base/check.h"
#include "base/limits.h"
#include "cache_store/checksum.h"
#include "cache_store/index.h"
#include "cache_store/key_prefix.h"
#include "cache_store/purge_log.h"
#include "cache_store/record.h"

namespace perigee::cache_store {

using base::Error;
using base::ErrorCode;

namespace {

constexpr std::array<const char*, 2> kPlaceNames = {"superblock A (at 0)",
                                                    "superblock B (at 65536)"};

std::string text_of(uint64_t number) { return std::to_string(number); }

/// What the table says of a record, and what the record itself says.
bool agrees(const format::TableEntry& entry, const format::RecordHeader& header) {
  const format::TableEntry own = table_entry(header, uint64_t{entry.offset64} * format::kAlignment);
  return std::memcmp(&own, &entry, sizeof own) == 0;
}

/// Whether a problem was found twice over the same bytes: then nobody is writing them.
bool holds(const PartReport& first, const PartReport::Problem& second) {
  return std::any_of(first.problems.begin(), first.problems.end(), [&](const auto& problem) {
    return problem.text == second.text && problem.fingerprint == second.fingerprint;
  });
}

/// The second look counts. What it finds wrong, and the first did not, is being written.
PartReport settle(const PartReport& first, PartReport second) {
  const size_t found = second.problems.size();
  std::erase_if(second.problems, [&](const auto& problem) { return !holds(first, problem); });
  second.changing =
      second.problems.size() < found || second.problems.size() < first.problems.size();
  return second;
}

void count_damaged(PartReport& report) {
  for (const PartReport::Problem& problem : report.problems) {
    if (problem.record_bytes) report.damaged.add(*problem.record_bytes);
  }
}

}  // namespace

base::Result<std::unique_ptr<Inspection>> Inspection::begin(StoreIo& io, uint64_t file_size) {
  FoundBlocks found = read_superblocks(io, file_size);
  // One of them may have been in the writing.
  if (!found.newest) found = read_superblocks(io, file_size);
  if (!found.newest) {
    if (!found.unreadable.ok()) return found.unreadable.error();
    if (found.other) return Error{ErrorCode::kInvalid, 0, why_not_read(*found.other)};
    if (found.ours) return Error{ErrorCode::kCorrupt, 0, "neither superblock is whole"};
    return Error{ErrorCode::kInvalid, 0,
                 file_size == 0 ? "it is empty: no store was made in it yet"
                                : "it is not a store of perigee"};
  }
  std::unique_ptr<Inspection> inspection(new Inspection(io, *found.newest));
  // What is wrong with the journal, check_frame() tells.
  if (!inspection->load_journal()) (void)inspection->load_journal();
  return inspection;
}

Inspection::Inspection(StoreIo& io, const format::Superblock& superblock)
    : io_(io),
      superblock_(superblock),
      geometry_(geometry_of(superblock)),
      secret_(superblock),
      recovery_(io, geometry_, {std::to_array(superblock.uuid), secret_}) {
  CHECK(geometry_.slab_count > 0 && geometry_.file_bytes() > geometry_.area);
}

/// False: there may have been more in it.
bool Inspection::load_journal() {
  const base::Result<uint64_t> size = io_.size();
  const FoundBlocks found = read_superblocks(io_, size.ok() ? *size : 0);
  // A node compacts its journal into the other half; the superblock then names that.
  if (found.newest && found.newest->slab_count == geometry_.slab_count) {
    superblock_ = *found.newest;
  }
  PurgeJournal journal(io_, geometry_.journal_bytes);
  PurgeJournal::Loaded loaded = journal.load(
      {superblock_.journal_half, superblock_.journal_generation, superblock_.journal_seq, 0,
       (superblock_.incompat & format::kPredicateUnits) != 0});
  purges_ = std::move(loaded.entries);
  return !loaded.damaged;
}

PartReport Inspection::check_frame() {
  PartReport first = look_at_frame();
  if (first.problems.empty()) return first;
  return settle(first, look_at_frame());
}

PartReport Inspection::look_at_frame() {
  PartReport report;
  const base::Result<uint64_t> size = io_.size();
  const uint64_t file_size = size.ok() ? *size : 0;
  if (file_size < geometry_.file_bytes()) {
    report.problems.push_back(
        {"the file ends at byte " + text_of(file_size) + " of " + text_of(geometry_.file_bytes()),
         file_size, std::nullopt});
  }
  const FoundBlocks found = read_superblocks(io_, file_size);
  for (size_t i = 0; i < found.places.size(); ++i) {
    if (found.places[i] == SuperblockPlace::kWhole) continue;
    const bool unreadable = found.places[i] == SuperblockPlace::kUnreadable;
    report.problems.push_back(
        {std::string(kPlaceNames[i]) + (unreadable ? " cannot be read" : " is not whole"),
         found.newest ? found.newest->version : 0, std::nullopt});
  }
  if (!load_journal()) {
    const uint64_t newest = purges_.empty() ? 0 : purges_.back().seq;
    report.problems.push_back({"the journal is not whole behind unit " + text_of(purges_.size()) +
                                   " of half " + text_of(superblock_.journal_half),
                               newest ^ superblock_.journal_generation, std::nullopt});
  }
  return report;
}

PartReport Inspection::check_slab(uint32_t number) const {
  CHECK(number < geometry_.slab_count);
  PartReport report = look_at_slab(number);
  if (!report.problems.empty()) report = settle(report, look_at_slab(number));
  count_damaged(report);
  return report;
}

/// Of what stands at `offset` in the file now.
template <typename Bytes>
uint64_t Inspection::fingerprint(uint64_t offset) const {
  Bytes bytes{};
  if (!io_.pread(offset, writable_bytes_of(bytes)).ok()) return 0;
  return XXH3_64bits(&bytes, sizeof bytes);
}

PartReport Inspection::look_at_slab(uint32_t number) const {
  PartReport report;
  const std::string name = "slab " + text_of(number) + ": ";
  const uint64_t begin = geometry_.slab_begin(number);
  const std::optional<Recovery::ScannedSlab> slab = recovery_.read_slab(number);
  if (!slab) {
    format::SlabHeader header{};
    const base::Result<uint64_t> size = io_.size();
    if (size.ok() && *size <= begin) return report;  // the frame tells where the file ends
    const bool readable = io_.pread(begin, writable_bytes_of(header)).ok();
    if (readable && is_blank(header)) return report;
    report.problems.push_back(
        {name + (readable ? "its header is not whole" : "its header cannot be read"),
         XXH3_64bits(&header, sizeof header), std::nullopt});
    return report;
  }
  if (slab->ending == Recovery::Ending::kDamaged) {
    const uint64_t trailer = begin + geometry_.slab_bytes - sizeof(format::SlabTrailer);
    report.problems.push_back({name + "its table is not whole; its records were found one by one",
                               fingerprint<format::SlabTrailer>(trailer), std::nullopt});
  }
  uint64_t end = sizeof slab->header;
  for (const format::TableEntry& entry : slab->table) {
    look_at_record(slab->header.generation, {.entry = entry, .slab = number}, report);
    end = uint64_t{entry.offset64} * format::kAlignment + format::bytes_of(entry);
  }
  if (slab->torn) {
    report.problems.push_back({name + "the record at byte " + text_of(end) + " is not whole",
                               fingerprint<format::RecordHeader>(begin + end), 0});
  }
  return report;
}

void Inspection::look_at_record(uint64_t generation, const FiledRecord& record,
                                PartReport& report) const {
  const format::TableEntry& entry = record.entry;
  const uint64_t offset = uint64_t{entry.offset64} * format::kAlignment;
  const uint64_t size = format::bytes_of(entry);
  if (!is_known_kind(entry)) return report.unknown.add(size);
  const auto wrong = [&](const char* what, uint64_t fingerprint) {
    report.problems.push_back({"slab " + text_of(record.slab) + ": the record at byte " +
                                   text_of(offset) + " (" + text_of(size) + " bytes, seq " +
                                   text_of(entry.seq) + ") " + what,
                               fingerprint, size});
  };
  if (size < sizeof(format::RecordHeader) || offset + size > geometry_.slab_bytes) {
    return wrong("lies outside of its slab", generation);
  }
  std::vector<std::byte> bytes(size);
  if (!io_.pread(begin_of(record), bytes).ok()) return wrong("cannot be read", generation);
  format::RecordHeader header;
  std::memcpy(&header, bytes.data(), sizeof header);
  const uint64_t read = XXH3_64bits(bytes.data(), bytes.size());
  const RecordIdentity identity{generation, {entry.digest_lo, entry.digest_hi}, entry.slot};
  if (!is_whole(bytes, identity, secret_)) return wrong("does not hold its checksums", read);
  if (!agrees(entry, header)) return wrong("is not what the table of its slab says", read);
  report.good.add(size);
}

uint64_t Inspection::begin_of(const FiledRecord& record) const {
  return geometry_.slab_begin(record.slab) + uint64_t{record.entry.offset64} * format::kAlignment;
}

std::vector<FiledRecord> Inspection::records(size_t& empty_slabs) const {
  const ScannedFile file = recovery_.scan();
  empty_slabs = file.empty.size();
  PredicateTable predicates;
  predicates.begin(0, purges_);
  const PurgeHistory history(purges_, {superblock_.stale_floor, predicates.kill_floor()});
  // As a start does it, so that the same record of a key wins.
  Index index;
  index.reserve(file.records.size());
  std::vector<FiledRecord> all;
  all.reserve(file.records.size());
  const auto place = [](const FiledRecord& record) {
    return Location{record.slab, record.entry.offset64, record.entry.length64};
  };
  for (const ScannedFile::Record& each : file.records) {
    FiledRecord record{.entry = each.entry, .slab = each.slab};
    const Fate fate = history.fate_of(each.entry);
    record.standing = fate.gone ? FiledRecord::Standing::kPurged : FiledRecord::Standing::kLive;
    record.stale_since_s = fate.stale.since_s;
    if (!fate.gone) {
      index.insert({{each.entry.digest_lo, each.entry.digest_hi}, each.entry.slot},
                   {place(record), each.ring, false, 1},
                   [&]() -> std::optional<Staleness> { return fate.stale; });
    }
    all.push_back(record);
  }
  for (FiledRecord& record : all) {
    if (record.standing == FiledRecord::Standing::kPurged) continue;
    const EntryKey key{{record.entry.digest_lo, record.entry.digest_hi}, record.entry.slot};
    if (!index.standing(key, place(record))) record.standing = FiledRecord::Standing::kSuperseded;
  }
  find_taken(predicates, all);
  find_orphans(all);
  return all;
}

/// As lookups would find out after a start: by what a record says of itself.
void Inspection::find_taken(const PredicateTable& predicates, std::vector<FiledRecord>& all) const {
  if (predicates.newest() == 0) return;
  for (FiledRecord& record : all) {
    const bool dependent = is_dependent(static_cast<RecordKind>(record.entry.kind));
    if (record.standing != FiledRecord::Standing::kLive || dependent) continue;
    const std::optional<RecordText> text = read(record);
    if (!text) continue;
    const format::RecordHeader& header = text->header;
    const bool variant = header.base_lo != header.digest_lo || header.base_hi != header.digest_hi;
    const PredicateTable::Verdict verdict =
        predicates.since({url_key_of(text->key, variant), text->tags}, header.purge_seq);
    if (verdict.removed) record.standing = FiledRecord::Standing::kPurged;
    if (!verdict.stale || record.entry.slot == kVarySlot) continue;
    const uint32_t since_s = seconds_up(verdict.stale_since_ms);
    const bool earlier = record.stale_since_s == 0 || since_s < record.stale_since_s;
    if (earlier) record.stale_since_s = since_s;
  }
}

void Inspection::find_orphans(std::vector<FiledRecord>& all) const {
  const auto each_live = [&](RecordKind kind, auto&& see) {
    for (FiledRecord& record : all) {
      if (record.standing != FiledRecord::Standing::kLive) continue;
      if (record.entry.kind != static_cast<uint8_t>(kind)) continue;
      if (const std::optional<RecordText> text = read(record)) see(record, text->header.rid);
    }
  };
  std::unordered_set<uint64_t> heads;
  const auto note_head = [&](const FiledRecord&, uint64_t rid) { heads.insert(rid); };
  each_live(RecordKind::kHead, note_head);
  each_live(RecordKind::kObject, note_head);
  each_live(RecordKind::kShell, note_head);
  const auto judge = [&](FiledRecord& dependent, uint64_t rid) {
    if (!heads.contains(rid)) dependent.standing = FiledRecord::Standing::kOrphan;
  };
  each_live(RecordKind::kFragment, judge);
  each_live(RecordKind::kCoded, judge);
}

std::optional<RecordText> Inspection::read(const FiledRecord& record) const {
  const uint64_t size = format::bytes_of(record.entry);
  RecordText text;
  if (size < sizeof text.header ||
      !io_.pread(begin_of(record), writable_bytes_of(text.header)).ok()) {
    return std::nullopt;
  }
  const format::RecordHeader& header = text.header;
  const bool usable = stays_within(header, size) && agrees(record.entry, header) &&
                      header.key_length <= base::limits::kKeyBytes &&
                      header.head_length <= base::limits::kHeadImageBytes &&
                      header.tag_count <= base::limits::kTags;
  if (!usable) return std::nullopt;
  const format::RecordLayout layout = format::layout(header);
  std::vector<std::byte> meta(layout.body - layout.key);
  if (!io_.pread(begin_of(record) + layout.key, meta).ok() ||
      secret_.head_checksum(header, meta) != header.head_checksum) {
    return std::nullopt;
  }
  text.key.assign(reinterpret_cast<const char*>(meta.data()), header.key_length);
  text.tags.resize(header.tag_count);
  if (!text.tags.empty()) {
    std::memcpy(text.tags.data(), meta.data() + (layout.tags - layout.key),
                text.tags.size() * sizeof(uint64_t));
  }
  return text;
}

}  // namespace perigee::cache_store

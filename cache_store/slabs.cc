#include "cache_store/slabs.h"

#include <xxhash.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "base/check.h"
#include "cache_store/checksum.h"
#include "cache_store/sigbus.h"

namespace perigee::cache_store {

using base::Done;
using base::ErrorCode;
using base::Status;

Slabs::Slabs(StoreIo& io, Health& health, const MappedFile& file)
    : io_(io),
      health_(health),
      file_(file),
      words_count_(file.geometry.slab_count),
      words_(std::make_unique<SlabWord[]>(file.geometry.slab_count)),
      slabs_(file.geometry.slab_count) {
  CHECK(words_count_ > 0 && words_count_ <= format::kMostSlabs && file.map != nullptr);
}

Slabs::~Slabs() {
  if (guarded_) unguard_map(file_.map);
}

bool Slabs::guard() {
  const Geometry& geometry = file_.geometry;
  guarded_ = guard_map(
      {file_.map, geometry.file_bytes(), geometry.area, geometry.slab_bytes, words_.get()});
  return guarded_;
}

void Slabs::begin_epoch(uint64_t epoch) {
  CHECK(!epoch_.has_value());
  epoch_ = epoch;
}

void Slabs::probe_lending() {
  lending_ = cache_store::probe_lending(io_, file_.geometry, file_.map);
}

uint64_t Slabs::draw_number() {
  CHECK(epoch_.has_value() && counter_ + 1 < uint64_t{1} << format::kEpochShift);
  ++counter_;
  return newest_number();
}

uint64_t Slabs::newest_number() const { return *epoch_ << format::kEpochShift | counter_; }

/// The last page of a file that was cut short reads as zeros to its end, without a signal; so its
/// slab and all behind it are bad.
void Slabs::poison_beyond(uint64_t file_bytes) {
  for (uint32_t number = 0; number < words_count_; ++number) {
    const bool cut = file_.geometry.slab_begin(number) + file_.geometry.slab_bytes > file_bytes;
    if (cut) words_[number].poisoned.store(true, std::memory_order_seq_cst);
  }
}

uint64_t Slabs::pins() const {
  uint64_t pins = 0;
  for (size_t number = 0; number < words_count_; ++number) {
    pins += static_cast<uint32_t>(words_[number].life_pins.load(std::memory_order_relaxed));
  }
  return pins;
}

size_t Slabs::draining_pinned() const {
  return static_cast<size_t>(
      std::count_if(draining_.begin(), draining_.end(), [&](uint32_t number) {
        return static_cast<uint32_t>(words_[number].life_pins.load(std::memory_order_relaxed)) != 0;
      }));
}

std::optional<uint32_t> Slabs::oldest_sealed(Ring ring) const {
  const std::deque<uint32_t>& sealed = sealed_[place_of(ring)];
  if (sealed.empty()) return std::nullopt;
  return sealed.front();
}

uint64_t Slabs::lowest_purge_seq() const {
  uint64_t lowest = UINT64_MAX;
  for (const SlabInfo& slab : slabs_) {
    lowest = std::min({lowest, slab.contents.lowest_purge_seq, slab.lowest_left});
  }
  return lowest;
}

/// A slab is in one list at a time, the one that its state names.
void Slabs::move(uint32_t slab, SlabState from, SlabState to) {
  CHECK(slab < slabs_.size() && slabs_[slab].state == from);
  slabs_[slab].state = to;
  if (to == SlabState::kSealed) sealed_[place_of(slabs_[slab].ring)].push_back(slab);
  if (to == SlabState::kDraining) draining_.push_back(slab);
  if (to == SlabState::kFree) free_.push_back(slab);
  if (to == SlabState::kQuarantined) ++quarantined_;
}

/// Each slab is in exactly one place.
bool Slabs::is_whole() const {
  size_t in_rings = 0;
  for (const Ring ring : format::kAllRings) in_rings += ring_count(ring);
  return free_.size() + in_rings + draining_.size() + quarantined_ == slabs_.size();
}

void Slabs::adopt_sealed(uint32_t slab, Ring ring, const SlabContents& contents) {
  slabs_[slab].begin_life(contents);
  slabs_[slab].ring = ring;
  words_[slab].generation = contents.generation;
  move(slab, SlabState::kFree, SlabState::kSealed);
}

void Slabs::adopt_empty(uint32_t slab) { move(slab, SlabState::kFree, SlabState::kDraining); }

void Slabs::note_left(uint64_t purge_seq) {
  slabs_[0].lowest_left = std::min(slabs_[0].lowest_left, purge_seq);
  slabs_[0].synced = false;
}

Status Slabs::open(Ring ring, uint64_t journal_seq) {
  CHECK(is_whole() && !has_open(ring) && !free_.empty());
  const uint32_t number = free_.front();
  SlabInfo& slab = slabs_[number];
  CHECK(slab.state == SlabState::kFree && slab.contents.records == 0);
  format::SlabHeader header{};
  header.magic = format::kSlabMagic;
  header.number = number;
  header.generation = draw_number();
  std::memcpy(header.uuid, file_.uuid.data(), sizeof header.uuid);
  header.journal_seq = journal_seq;
  header.ring = static_cast<uint8_t>(ring);
  header.checksum = checksum_of(header);
  slab.synced = false;
  const Status status = io_.pwrite(file_.geometry.slab_begin(number), bytes_of(header));
  if (!status.ok()) return status;
  // In one go: a fault for every page of every record cost a tenth of a put.
  io_.populate(file_.geometry.slab_begin(number), file_.geometry.slab_bytes);
  free_.pop_front();
  slab.begin_life({.generation = header.generation});
  slab.ring = ring;
  words_[number].generation = header.generation;
  move(number, SlabState::kFree, SlabState::kOpen);
  open_[place_of(ring)] = number;
  return Done{};
}

bool Slabs::has_room(Ring ring, uint64_t record_bytes) const {
  if (!has_open(ring)) return false;
  const SlabInfo& slab = open_slab(ring);
  return slab.used + record_bytes + format::table_bytes(slab.table.size() + 1) <=
         file_.geometry.slab_bytes;
}

const SlabInfo& Slabs::open_slab(Ring ring) const {
  CHECK(has_open(ring));
  return slabs_[*open_[place_of(ring)]];
}

uint64_t Slabs::used(Ring ring) const { return open_slab(ring).used; }

uint64_t Slabs::tail(Ring ring) const {
  return file_.geometry.slab_begin(*open_[place_of(ring)]) + open_slab(ring).used;
}

uint64_t Slabs::open_generation(Ring ring) const { return open_slab(ring).contents.generation; }

Location Slabs::append(Ring ring, const format::TableEntry& entry, Origin origin) {
  CHECK(has_open(ring));
  const uint32_t number = *open_[place_of(ring)];
  SlabInfo& slab = slabs_[number];
  CHECK(entry.length64 > 0 && uint64_t{entry.offset64} * format::kAlignment == slab.used);
  // A new record is newer than its slab and all in it; a copy need not be, but it is not newer than
  // what was drawn last, or the next version of its key would lose against it at a start.
  CHECK(entry.seq > 0 && entry.seq <= newest_number());
  CHECK(origin == Origin::kCopy ||
        (entry.seq > slab.contents.highest_seq && entry.seq > slab.contents.generation));
  slab.table.push_back(entry);
  slab.contents.note(entry);
  slab.used += format::bytes_of(entry);
  CHECK(slab.used + format::table_bytes(slab.table.size()) <= file_.geometry.slab_bytes);
  slab.synced = false;
  return {number, entry.offset64, entry.length64};
}

/// The ring's open slab takes no more records; they stay where they are.
void Slabs::close_open(Ring ring) {
  CHECK(has_open(ring));
  move(*open_[place_of(ring)], SlabState::kOpen, SlabState::kSealed);
  open_[place_of(ring)].reset();
}

void Slabs::seal(Ring ring) {
  CHECK(has_open(ring));
  const uint32_t number = *open_[place_of(ring)];
  SlabInfo& slab = slabs_[number];
  close_open(ring);
  CHECK(slab.contents.records == slab.table.size());
  format::SlabTrailer trailer{};
  trailer.magic = format::kTrailerMagic;
  trailer.count = static_cast<uint32_t>(slab.table.size());
  trailer.generation = slab.contents.generation;
  trailer.table_offset = file_.geometry.slab_bytes - format::table_bytes(slab.table.size());
  trailer.lowest_purge_seq = slab.contents.lowest_purge_seq;
  trailer.highest_seq = slab.contents.highest_seq;
  const std::span<const std::byte> table = std::as_bytes(std::span(slab.table));
  trailer.table_checksum = XXH3_64bits(table.data(), table.size());
  trailer.checksum = checksum_of(trailer);
  std::vector<std::byte> bytes(table.begin(), table.end());
  const auto end = bytes_of(trailer);
  bytes.insert(bytes.end(), end.begin(), end.end());
  CHECK(trailer.table_offset >= slab.used &&
        trailer.table_offset + bytes.size() == file_.geometry.slab_bytes);
  const uint64_t begin = file_.geometry.slab_begin(number);
  const Status status = io_.pwrite(begin + trailer.table_offset, bytes);
  slab.synced = false;
  slab.table = {};
  // Without a table the next start walks the slab by lengths; nothing is lost.
  if (!status.ok()) health_.tell(status.error().message);
}

std::vector<format::TableEntry> Slabs::take_table(uint32_t slab) {
  CHECK(holds_records(slab));
  // No more is appended to it: its table would be cut.
  if (is_open(slab)) close_open(slabs_[slab].ring);
  return std::exchange(slabs_[slab].table, {});
}

void Slabs::retire(uint32_t slab) {
  if (is_open(slab)) close_open(slabs_[slab].ring);
  std::deque<uint32_t>& sealed = sealed_[place_of(slabs_[slab].ring)];
  CHECK(!sealed.empty());
  if (sealed.front() == slab) {
    sealed.pop_front();
  } else {
    const size_t taken_out = std::erase(sealed, slab);
    CHECK(taken_out == 1);
  }
  // Readers still use its records, so only the header goes.
  const std::array<std::byte, sizeof(format::SlabHeader)> wiped{};
  const Status status = io_.pwrite(file_.geometry.slab_begin(slab), wiped);
  slabs_[slab].end_life();
  slabs_[slab].synced = !status.ok();
  move(slab, SlabState::kSealed, SlabState::kDraining);
  CHECK(is_whole());
}

bool Slabs::free_one() {
  for (size_t i = 0; i < draining_.size();) {
    const uint32_t number = draining_[i];
    std::atomic<uint64_t>& word = words_[number].life_pins;
    uint64_t expected = word.load(std::memory_order_acquire) & ~uint64_t{0xffffffff};
    const uint64_t next_life = expected + (uint64_t{1} << 32);
    if (!word.compare_exchange_strong(expected, next_life, std::memory_order_acq_rel)) {
      ++i;
      continue;
    }
    draining_.erase(draining_.begin() + static_cast<ptrdiff_t>(i));
    free(number);
    CHECK(is_whole());
    if (slabs_[number].state == SlabState::kFree) return true;
  }
  return false;
}

/// Nobody reads the slab, nor will before it is opened again.
void Slabs::free(uint32_t slab) {
  const uint64_t begin = file_.geometry.slab_begin(slab);
  const uint64_t bytes = file_.geometry.slab_bytes;
  const Status detached = lending_.can_detach ? io_.detach(begin, bytes) : Status(Done{});
  const bool lost_blocks = !detached.ok() && detached.error().code == ErrorCode::kNoSpace;
  const bool must = lending_.can_lend || lost_blocks;
  Status status = must ? detached : Status(Done{});
  if (status.ok() && words_[slab].is_poisoned()) status = io_.map_again(begin, bytes);
  if (!status.ok()) {
    // Pages of it may be on loan, or it has none: it is not written again.
    move(slab, SlabState::kDraining, SlabState::kQuarantined);
    health_.tell("a slab is out of use: " + status.error().message);
    return;
  }
  words_[slab].poisoned.store(false, std::memory_order_relaxed);
  move(slab, SlabState::kDraining, SlabState::kFree);
}

std::vector<uint32_t> Slabs::begin_sync() {
  CHECK(sync_ended_ == syncs_begun_);
  ++syncs_begun_;
  std::vector<uint32_t> waiting;
  for (uint32_t number = 0; number < slabs_.size(); ++number) {
    if (!slabs_[number].synced) waiting.push_back(number);
    slabs_[number].synced = true;
  }
  return waiting;
}

void Slabs::end_sync(std::span<const uint32_t> slabs, bool synced) {
  CHECK(sync_ended_ + 1 == syncs_begun_);
  sync_ended_ = syncs_begun_;
  for (const uint32_t number : slabs) {
    SlabInfo& slab = slabs_[number];
    if (!synced) slab.synced = false;
    // Written to again meanwhile: the next sync tells.
    if (slab.synced) slab.lowest_left = UINT64_MAX;
  }
}

}  // namespace perigee::cache_store

// The slabs of the file: which ones are open, sealed, draining or free, and the pins that keep one
// from being used again.
//
// A slab goes round: free -> open -> sealed -> draining -> free. While it is open or sealed it
// stands in one of two rings, each with one open slab and a queue of sealed ones. One whose blocks
// could not be had again is quarantined until the next start. What is appended is published by
// others; this part knows neither keys nor the index.
//
// Locks: the lists and states have one lock, which those who append or reclaim hold over several
// calls (`mutex()`). Reading a slab needs a Pin and no lock.
#pragma once

#include <array>
#include <atomic>
#include <deque>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "base/check.h"
#include "base/mutex.h"
#include "cache_store/geometry.h"
#include "cache_store/health.h"
#include "cache_store/lending.h"
#include "cache_store/location.h"
#include "cache_store/pin.h"
#include "cache_store/slab.h"
#include "cache_store/store_io.h"

namespace perigee::cache_store {

/// The opened file: what does not change until it is closed.
struct MappedFile {
  Geometry geometry;
  const std::byte* map = nullptr;
  format::Uuid uuid{};
};

class Slabs {
 public:
  Slabs(StoreIo& io, Health& health, const MappedFile& file);
  ~Slabs();
  Slabs(const Slabs&) = delete;
  Slabs& operator=(const Slabs&) = delete;

  // --- at start, one after the other ---

  /// From now on a page that goes bad marks its slab. False: too many stores in this process.
  bool guard();
  /// Generations and sequence numbers are of this epoch.
  void begin_epoch(uint64_t epoch);
  /// Finds out whether pages may be lent. Last of all: it writes into the scratch area.
  void probe_lending();

  // --- any thread, no lock ---

  const Geometry& geometry() const { return file_.geometry; }
  bool can_lend() const { return lending_.can_lend; }
  /// Keeps the slab from being used again. The caller found an entry of it under an index shard's
  /// lock, or holds mutex().
  Pin pin(uint32_t slab) {
    const uint64_t word = words_[slab].life_pins.fetch_add(1, std::memory_order_acquire);
    CHECK(static_cast<uint32_t>(word) != UINT32_MAX);
    return Pin(&words_[slab], slab, static_cast<uint32_t>(word >> 32));
  }
  /// The same of a slab that nobody holds: empty when it was used again since that life.
  Pin pin_again(uint32_t slab, uint32_t life) {
    Pin pin = this->pin(slab);
    if (pin.life() != life) pin.reset();
    return pin;
  }
  /// In the file.
  uint64_t offset_of(const Location& location) const {
    return file_.geometry.slab_begin(location.slab) +
           uint64_t{location.offset64} * format::kAlignment;
  }
  /// In the map; pinned.
  const std::byte* at(const Location& location) const { return file_.map + offset_of(location); }
  /// Of the slab's present life; pinned.
  uint64_t generation_of(uint32_t slab) const { return words_[slab].generation; }
  /// What was read of the slab before this call cannot be trusted.
  bool is_poisoned(uint32_t slab) const { return words_[slab].is_poisoned(); }
  /// The file ends at `file_bytes`: marks the slabs of which something is missing.
  void poison_beyond(uint64_t file_bytes);
  /// How many are held now, of all slabs.
  uint64_t pins() const;

  // --- under mutex() ---

  base::Mutex& mutex() const RETURNS_LOCK(mutex_) { return mutex_; }
  /// Never drawn twice, also after a power cut: generations and sequence numbers.
  uint64_t draw_number() REQUIRES(mutex_);
  /// The last that was drawn.
  uint64_t newest_number() const REQUIRES(mutex_);
  size_t count() const { return words_count_; }
  /// Slabs without records: free ones, and those that are still read.
  size_t empty_count() const REQUIRES(mutex_) { return free_.size() + draining_.size(); }
  /// Slabs that can be opened.
  size_t free_count() const REQUIRES(mutex_) { return free_.size(); }
  /// Slabs without records that somebody still reads.
  size_t draining_pinned() const REQUIRES(mutex_);
  /// Valid while the lock is held.
  const SlabInfo& info(uint32_t slab) const REQUIRES(mutex_) { return slabs_[slab]; }
  /// Index entries may name the slab: it is open or sealed.
  bool holds_records(uint32_t slab) const REQUIRES(mutex_) {
    return slabs_[slab].state == SlabState::kOpen || slabs_[slab].state == SlabState::kSealed;
  }
  /// The slab holds records, and still those of this generation.
  bool is_in_life(uint32_t slab, uint64_t generation) const REQUIRES(mutex_) {
    return holds_records(slab) && slabs_[slab].contents.generation == generation;
  }
  /// The slab of the ring that was sealed first.
  std::optional<uint32_t> oldest_sealed(Ring ring) const REQUIRES(mutex_);
  /// Slabs of the ring, the open one included.
  size_t ring_count(Ring ring) const REQUIRES(mutex_) {
    return sealed_[place_of(ring)].size() + (has_open(ring) ? 1 : 0);
  }
  /// No record of the store, now or brought back by a power cut, was fetched before this purge.
  uint64_t lowest_purge_seq() const REQUIRES(mutex_);

  /// At start: the slab of this ring holds these records; the oldest slab first.
  void adopt_sealed(uint32_t slab, Ring ring, const SlabContents& contents) REQUIRES(mutex_);
  /// At start: records of purges since `purge_seq` lie behind the last slab until the file is cut;
  /// a crash may bring them back until the next sync.
  void note_left(uint64_t purge_seq) REQUIRES(mutex_);
  /// At start: the slab holds nothing.
  void adopt_empty(uint32_t slab) REQUIRES(mutex_);

  /// Opens a free slab for a ring; there is one, and the ring has none open. `journal_seq`: the
  /// newest durable purge.
  base::Status open(Ring ring, uint64_t journal_seq) REQUIRES(mutex_);
  bool has_open(Ring ring) const REQUIRES(mutex_) { return open_[place_of(ring)].has_value(); }
  /// False also when the ring has no open slab.
  bool has_room(Ring ring, uint64_t record_bytes) const REQUIRES(mutex_);
  /// Where the ring's next record will lie, in the file. It has an open slab.
  uint64_t tail(Ring ring) const REQUIRES(mutex_);
  /// Of the ring's open slab.
  uint64_t open_generation(Ring ring) const REQUIRES(mutex_);
  enum class Origin : uint8_t {
    kNew,   ///< its seq is the newest of all
    kCopy,  ///< of a record elsewhere in the store: it keeps its seq
  };
  /// The record at tail() was written; `entry` says where and how long. Returns its place.
  Location append(Ring ring, const format::TableEntry& entry, Origin origin) REQUIRES(mutex_);
  /// Where in the ring's open slab tail() is.
  uint64_t used(Ring ring) const REQUIRES(mutex_);
  /// Writes the table of the ring's open slab. It takes no more records.
  void seal(Ring ring) REQUIRES(mutex_);
  /// The table of a slab if it is in memory, else nothing.
  std::vector<format::TableEntry> take_table(uint32_t slab) REQUIRES(mutex_);
  /// Nobody finds the slab's records any more: wipes its header. It is free when its last pin
  /// drops.
  void retire(uint32_t slab) REQUIRES(mutex_);
  /// Frees one slab that nobody reads any more: it gets new pages. False: there is none.
  bool free_one() REQUIRES(mutex_);

  /// Slabs that were written since the last sync; from now on they count as synced. One sync at a
  /// time.
  std::vector<uint32_t> begin_sync() REQUIRES(mutex_);
  /// What begin_sync() returned, and whether the sync succeeded; if not, the caller drops what is
  /// not synced.
  void end_sync(std::span<const uint32_t> slabs, bool synced) REQUIRES(mutex_);
  /// For was_synced_since(): how many syncs have begun.
  uint64_t syncs_begun() const REQUIRES(mutex_) { return syncs_begun_; }
  /// A sync that began after the one with this number has ended.
  bool was_synced_since(uint64_t begun) const REQUIRES(mutex_) { return sync_ended_ > begun; }

 private:
  void move(uint32_t slab, SlabState from, SlabState to) REQUIRES(mutex_);
  const SlabInfo& open_slab(Ring ring) const REQUIRES(mutex_);
  void close_open(Ring ring) REQUIRES(mutex_);
  bool is_open(uint32_t slab) const REQUIRES(mutex_) {
    return slabs_[slab].state == SlabState::kOpen;
  }
  void free(uint32_t slab) REQUIRES(mutex_);
  bool is_whole() const REQUIRES(mutex_);

  StoreIo& io_;
  Health& health_;
  const MappedFile file_;
  const size_t words_count_;
  const std::unique_ptr<SlabWord[]> words_;
  bool guarded_ = false;
  Lending lending_;
  std::optional<uint64_t> epoch_;  ///< set at start

  mutable base::Mutex mutex_{base::LockRank::kSlabs};
  uint64_t counter_ GUARDED_BY(mutex_) = 0;  ///< of numbers in this epoch
  std::vector<SlabInfo> slabs_ GUARDED_BY(mutex_);
  std::array<std::deque<uint32_t>, format::kRings> sealed_ GUARDED_BY(mutex_);  ///< oldest first
  std::array<std::optional<uint32_t>, format::kRings> open_ GUARDED_BY(mutex_);
  std::deque<uint32_t> draining_ GUARDED_BY(mutex_);  ///< emptied first first
  std::deque<uint32_t> free_ GUARDED_BY(mutex_);
  uint64_t syncs_begun_ GUARDED_BY(mutex_) = 0;
  uint64_t sync_ended_ GUARDED_BY(mutex_) = 0;  ///< the number of the last that did
  size_t quarantined_ GUARDED_BY(mutex_) = 0;
};

}  // namespace perigee::cache_store

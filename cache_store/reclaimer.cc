#include "cache_store/reclaimer.h"

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "base/check.h"
#include "base/limits.h"
#include "cache_store/record.h"

namespace perigee::cache_store {

namespace limits = base::limits;
using base::Status;

namespace {

/// How many slabs probation has when all are in use. A very small store has both rings too.
size_t probation_slabs(size_t slabs, unsigned percent) {
  const size_t share = std::max<size_t>(slabs * percent / 100, limits::kProbationSlabs);
  return std::min(share, std::max<size_t>(slabs / 2, 1));
}

/// Whether a key that asks to be stored again shows that the record was of use: what large objects
/// are made of is asked for in long runs, which would push out all else; and the ring of a coding
/// is its object's.
bool has_ghosts(RecordKind kind) {
  return kind == RecordKind::kObject || kind == RecordKind::kShell || kind == RecordKind::kVarySpec;
}

}  // namespace

Reclaimer::Reclaimer(const Parts& parts, unsigned probation_percent)
    : index_(parts.index),
      purges_(parts.purges),
      slabs_(parts.slabs),
      health_(parts.health),
      recovery_(parts.recovery),
      probation_slabs_(probation_slabs(parts.slabs.count(), probation_percent)),
      survivors_({parts.index, parts.purges, parts.slabs, parts.reader, parts.writer, parts.health,
                  survivor_counts_}) {}

Ring Reclaimer::ring_for(const Slabs&, RecordKind kind, const Digest& digest) {
  // An older version must not lie in the ring whose slabs stay longer.
  if (const std::optional<Ring> present = index_.ring_of(digest); present) return *present;
  return has_ghosts(kind) && ghosts_.contains(digest) ? Ring::kMain : Ring::kProbation;
}

void Reclaimer::note_stored(const Digest& digest) {
  if (ghosts_.remove(digest)) ghost_hits_.fetch_add(1, std::memory_order_relaxed);
}

bool Reclaimer::has_room(const Slabs& slabs, Ring ring, uint64_t record_bytes) const {
  return slabs.has_room(ring, record_bytes) || slabs.free_count() > limits::kSlabsForSurvivors;
}

Status Reclaimer::make_room(Slabs& slabs, Ring ring, uint64_t record_bytes) {
  if (slabs.has_room(ring, record_bytes)) return base::Done{};
  CHECK(has_room(slabs, ring, record_bytes));
  if (slabs.has_open(ring)) slabs.seal(ring);
  const Status opened = slabs.open(ring, purges_.durable_seq());
  if (!opened.ok()) health_.note_write(opened);
  return opened;
}

bool Reclaimer::is_enough(const Slabs& slabs) const {
  const size_t ready =
      std::clamp<size_t>(slabs.count() / limits::kDrainingShare, 1, limits::kSlabsReady);
  return slabs.free_count() >= ready + limits::kSlabsForSurvivors;
}

/// Probation gives what it has beyond its share, then main.
std::optional<Ring> Reclaimer::victims_ring(const Slabs& slabs) const {
  const bool main = slabs.oldest_sealed(Ring::kMain).has_value();
  if (main && slabs.ring_count(Ring::kProbation) <= probation_slabs_) return Ring::kMain;
  if (slabs.oldest_sealed(Ring::kProbation)) return Ring::kProbation;
  return main ? std::optional(Ring::kMain) : std::nullopt;
}

std::optional<Victim> Reclaimer::choose_victim(const Slabs& slabs) const {
  if (slabs.draining_pinned() > slabs.count() / limits::kDrainingShare) return std::nullopt;
  const std::optional<Ring> ring = victims_ring(slabs);
  if (!ring) return std::nullopt;
  const uint32_t slab = *slabs.oldest_sealed(*ring);
  return Victim{slab, *ring, slabs.info(slab).contents, {}};
}

void Reclaimer::read_table(Victim& victim) const {
  std::optional<Recovery::ScannedSlab> scanned = recovery_.read_slab(victim.slab);
  if (scanned && scanned->header.generation == victim.contents.generation) {
    victim.table = std::move(scanned->table);
  }
}

Reclaimer::Progress Reclaimer::step(uint64_t bytes) {
  const base::MutexLock lock(mutex_);
  // Nothing is stored any more, so nothing needs room.
  if (health_.failed()) return Progress::kEnough;
  if (!victim_) {
    {
      const base::MutexLock slabs_lock(slabs_.mutex());
      const bool freed = !is_enough(slabs_) && slabs_.free_one();
      const bool enough = is_enough(slabs_);
      crowded_.store(!enough && slabs_.draining_pinned() > 0, std::memory_order_relaxed);
      if (enough) return Progress::kEnough;
      if (freed) return Progress::kMore;
      victim_ = choose_victim(slabs_);
    }
    if (!victim_) return Progress::kStuck;
    read_table(*victim_);
    survivors_.choose(*victim_, now_ms_.load(std::memory_order_relaxed));
  }
  if (survivors_.copy_some(*victim_, bytes)) return Progress::kMore;
  if (survivors_.has_copied()) {
    // A power cut must not find the copies gone and the originals wiped.
    const base::MutexLock slabs_lock(slabs_.mutex());
    if (!slabs_.was_synced_since(survivors_.copied_at())) return Progress::kSync;
  }
  finish(*victim_);
  survivors_.forget();
  victim_.reset();
  return Progress::kMore;
}

/// Nobody finds what is left in the slab, now or after a crash.
void Reclaimer::finish(const Victim& victim) {
  Pin pin;
  {
    const base::MutexLock lock(slabs_.mutex());
    if (!slabs_.is_in_life(victim.slab, victim.contents.generation)) return;
    // It may be dropped meanwhile, but not used again.
    pin = slabs_.pin(victim.slab);
  }
  std::vector<Digest> ghosts;
  const uint64_t journalled = purges_.newest();
  for (const format::TableEntry& entry : victim.table) {
    if (!evict(entry, victim.slab, Older::kAreGone)) continue;
    const bool leaves_ghost =
        victim.ring == Ring::kProbation && has_ghosts(static_cast<RecordKind>(entry.kind));
    if (leaves_ghost) ghosts.push_back({entry.digest_lo, entry.digest_hi});
  }
  if (victim.table.size() != victim.contents.records) {
    evicted_.fetch_add(index_.erase_slab(victim.slab), std::memory_order_relaxed);
  }
  ghosts_.make_room_for(index_.totals(Ring::kMain).entries);
  for (const Digest& digest : ghosts) ghosts_.add(digest);
  // Of what hid an older version: that is dead before this one is wiped. Where the journal is full,
  // maintain() makes room in it, and writes it then.
  if (purges_.newest() != journalled) (void)purges_.commit(purges_.newest());
  const base::MutexLock lock(slabs_.mutex());
  if (slabs_.is_in_life(victim.slab, victim.contents.generation)) slabs_.retire(victim.slab);
  pin.reset();
}

/// When older versions stay, what goes is journalled as erased, lest one of them comes back. False:
/// the record was not the present one of its key.
bool Reclaimer::evict(const format::TableEntry& entry, uint32_t slab, Older older) {
  const Digest digest{entry.digest_lo, entry.digest_hi};
  const Location location{slab, entry.offset64, entry.length64};
  const bool erased = index_.erase_if({digest, entry.slot}, location, [&](bool hides_older) {
    if (hides_older || older == Older::kStay) purges_.drop(EntryKey{digest, entry.slot});
  });
  if (erased) evicted_.fetch_add(1, std::memory_order_relaxed);
  return erased;
}

/// Out of turn: older slabs stay.
void Reclaimer::empty(Slabs& slabs, uint32_t slab) {
  CHECK(slabs.holds_records(slab));
  Victim victim{slab, slabs.info(slab).ring, slabs.info(slab).contents, slabs.take_table(slab)};
  if (victim.table.empty()) read_table(victim);
  for (const format::TableEntry& entry : victim.table) {
    if (!evict(entry, slab, Older::kStay)) keep_gone(entry);
  }
  if (victim.table.size() != victim.contents.records) {
    evicted_.fetch_add(index_.erase_slab(slab), std::memory_order_relaxed);
  }
  slabs.retire(slab);
}

/// A record that goes out of turn and is not found any more. One that a purge by its tags took
/// leaves no erasure of its key in the journal, if older versions lay in its own ring alone; and
/// one without these tags may lie in a slab that stays. What is there now may lie in the other
/// ring, and go before it.
void Reclaimer::keep_gone(const format::TableEntry& entry) {
  const Digest digest{entry.digest_lo, entry.digest_hi};
  const bool may_be_taken = entry.purge_seq < purges_.newest_predicate() && is_known_kind(entry) &&
                            !is_dependent(static_cast<RecordKind>(entry.kind));
  if (!may_be_taken || !purges_.has_predicates()) return;
  if (!index_.note_hides_older(digest)) purges_.drop(digest);
}

void Reclaimer::drop_poisoned(Slabs& slabs) {
  for (uint32_t slab = 0; slab < slabs.count(); ++slab) {
    if (!slabs.is_poisoned(slab) || !slabs.holds_records(slab)) continue;
    poisoned_.fetch_add(1, std::memory_order_relaxed);
    health_.tell("a page of the store file went bad; its slab is dropped");
    empty(slabs, slab);
  }
}

void Reclaimer::drop_unsynced(Slabs& slabs) {
  for (uint32_t slab = 0; slab < slabs.count(); ++slab) {
    if (slabs.holds_records(slab) && !slabs.info(slab).synced) empty(slabs, slab);
  }
  index_.distrust_all();
}

void Reclaimer::add_to(StoreStats& stats) const {
  const auto value = [](const std::atomic<uint64_t>& count) {
    return count.load(std::memory_order_relaxed);
  };
  stats.evicted = value(evicted_);
  stats.poisoned = value(poisoned_);
  stats.ghost_hits = value(ghost_hits_);
  stats.survivor_bytes = value(survivor_counts_.bytes);
  stats.promoted = value(survivor_counts_.promoted);
  stats.second_laps = value(survivor_counts_.second_laps);
  stats.corrupt += value(survivor_counts_.damaged);
  for (const Ring ring : format::kAllRings) {
    RingStats& to = ring == Ring::kMain ? stats.main : stats.probation;
    to.laps = value(survivor_counts_.laps[place_of(ring)]);
    to.uses = value(survivor_counts_.uses[place_of(ring)]);
    to.live_bytes = index_.totals(ring).bytes;
    const base::MutexLock lock(slabs_.mutex());
    to.slabs = slabs_.ring_count(ring);
  }
}

}  // namespace perigee::cache_store

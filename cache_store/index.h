// Where each record lies, and how much it is used: lock-striped shards of 24-byte entries, open
// addressing.
//
// The record itself is never touched under a shard's lock. An entry that is found under the lock
// keeps its slab from being recycled until it is pinned: recycling takes all entries of a slab out
// first.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <unordered_map>
#include <vector>

#include "base/check.h"
#include "base/mutex.h"
#include "cache_store/format.h"
#include "cache_store/location.h"
#include "cache_store/pin.h"
#include "cache_store/slab.h"
#include "cache_store/store.h"

namespace perigee::cache_store {

/// What soft purges did to an entry.
struct Staleness {
  uint32_t since_s = 0;  ///< 0: nothing
  /// Of a Vary spec: the last of them. Variants that were asked for before it are stale.
  uint64_t seq = 0;
  /// Purges by tag, prefix and of everything up to this one were found to be so: see
  /// PredicateTable.
  uint32_t checked = 0;
};
/// Whole seconds for the index: rounded up, so that nothing received before a purge is after it.
inline uint32_t seconds_up(int64_t ms) {
  return static_cast<uint32_t>(ms <= 0 ? 1 : (ms + 999) / 1000);
}

/// What an entry is found under.
struct EntryKey {
  Digest digest;
  Slot slot = kHeadSlot;
};

/// What insert() writes.
struct NewEntry {
  Location location;
  Ring ring = Ring::kProbation;  ///< of the location's slab
  bool verified = true;          ///< this process wrote or checked the record
  unsigned frequency = 0;        ///< if it replaces an entry that has a higher one, it keeps that
};

/// What decides whether a record outlives its slab.
struct Standing {
  unsigned frequency = 0;
  bool stale = false;
  uint32_t checked = 0;  ///< of Staleness
};

/// What the entries of a ring add up to.
struct RingTotals {
  uint64_t entries = 0;
  uint64_t bytes = 0;
};

/// A copy of what an entry says, and the Pin of its slab.
struct IndexEntry {
  IndexEntry() {}  // written out, as in Found
  Slot slot = kHeadSlot;
  Location location;
  bool verified = false;
  Staleness stale;
  Pin pin;
};

/// What find() found of one digest.
struct IndexMatches {
  IndexMatches() {}                 // written out, as in Found
  std::optional<IndexEntry> head;   ///< slot 0 or 7, which exclude each other
  std::optional<IndexEntry> coded;  ///< beside slot 0: the shortest coding that is accepted
};

/// Thread-safe. Callbacks run under the lock of one shard and must be short.
class Index {
 public:
  Index();

  /// Uses that are counted; more are not told from it.
  static constexpr unsigned kMostFrequency = 3;

  enum class Uses : uint8_t {
    kCounted,
    kIgnored,  ///< who only makes ready what is found
  };
  /// Looks at slots 0 and 7 of a digest and, where slot 0 is there, at the codings that are
  /// accepted. `pin` is called with the location of what is found and returns its Pin, so that the
  /// slab cannot go away. Counts a use, unless told not to, once the record is verified: who finds
  /// it unverified looks again.
  template <Uses kUses = Uses::kCounted, typename PinIt>
  IndexMatches find(const Digest& digest, SlotMask accepted, PinIt pin) {
    IndexMatches matches;
    Shard& shard = shard_of(digest);
    const base::MutexLock lock(shard.mutex);
    const uint64_t tag = tag_of({digest, kHeadSlot});
    Entry* entry = shard.find_head_or_vary(tag);
    if (entry == nullptr) return matches;
    if (kUses == Uses::kCounted) Shard::count_use(*entry);
    shard.view(*entry, matches.head.emplace());
    matches.head->pin = pin(matches.head->location);
    if ((accepted & kCodedSlots) == 0 || matches.head->slot != kHeadSlot) return matches;
    Entry* coded = shard.find_coded(tag, accepted & kCodedSlots);
    if (coded == nullptr) return matches;
    if (kUses == Uses::kCounted) Shard::count_use(*coded);
    shard.view(*coded, matches.coded.emplace());
    matches.coded->pin = pin(matches.coded->location);
    return matches;
  }
  /// Slot 0 or 7, without counting a use.
  template <typename PinIt>
  std::optional<IndexEntry> peek(const Digest& digest, PinIt pin) {
    std::optional<IndexEntry> found;
    Shard& shard = shard_of(digest);
    const base::MutexLock lock(shard.mutex);
    const Entry* entry = shard.find_head_or_vary(tag_of({digest, kHeadSlot}));
    if (entry == nullptr) return found;
    shard.view(*entry, found.emplace());
    found->pin = pin(found->location);
    return found;
  }
  /// That slot alone, without counting a use.
  template <typename PinIt>
  std::optional<IndexEntry> find_one(const EntryKey& key, PinIt pin) {
    std::optional<IndexEntry> found;
    Shard& shard = shard_of(key.digest);
    const base::MutexLock lock(shard.mutex);
    const Entry* entry = shard.find(tag_of(key));
    if (entry == nullptr) return found;
    shard.view(*entry, found.emplace());
    found->pin = pin(found->location);
    return found;
  }
  /// Puts an entry in, taking out those that it excludes; `admit` is asked under the lock and
  /// returns the Staleness to write, or nullopt to refuse. False: refused.
  ///
  /// An entry that it replaces and that lay in the other ring may come back at a start, if the new
  /// one's slab goes first: the new one remembers that (erase_if), and so does what replaces it.
  template <typename Admit>
  bool insert(const EntryKey& key, const NewEntry& made, Admit admit) {
    Shard& shard = shard_of(key.digest);
    const base::MutexLock lock(shard.mutex);
    const std::optional<Staleness> stale = admit();
    if (!stale) return false;
    Entry entry{tag_of(key), pack(made), stale->since_s, stale->checked};
    for (Slot other = 0; other <= kVarySlot; ++other) {
      const bool excluded = key.slot == kVarySlot ? other < kVarySlot : other == kVarySlot;
      if (!excluded && other != key.slot) continue;
      const Entry* replaced = shard.find(tag_of({key.digest, other}));
      if (replaced == nullptr) continue;
      Shard::succeed(*replaced, entry);
      if (excluded) shard.remove(replaced->tag);
    }
    shard.insert(entry);
    if (key.slot == kVarySlot) shard.note_spec(entry, stale->seq);
    return true;
  }
  /// Only if the entry still is at `location`; `fence` runs before it goes, and is told whether an
  /// older version may come back at a start. With slot 0 the codings go.
  template <typename Fence>
  bool erase_if(const EntryKey& key, const Location& location, Fence fence) {
    Shard& shard = shard_of(key.digest);
    const base::MutexLock lock(shard.mutex);
    const Entry* entry = shard.find(tag_of(key));
    if (entry == nullptr || unpack(entry->loc) != location) return false;
    fence((entry->loc & kHidesOlder) != 0);
    shard.remove(entry->tag);
    if (key.slot == kHeadSlot) {
      for (Slot slot = 0; slot <= kVarySlot; ++slot) {
        if (is_coded_slot(slot)) shard.remove(tag_of({key.digest, slot}));
      }
    }
    return true;
  }
  /// What is known of the entry, if it still is at `location`.
  std::optional<Standing> standing(const EntryKey& key, const Location& location);
  /// Older versions of what is there may come back at a start (erase_if). False: nothing is there.
  bool note_hides_older(const Digest& digest);
  /// The ring of slot 0 or 7 of the digest, whichever is there.
  std::optional<Ring> ring_of(const Digest& digest);
  /// Slot 7 of the digest is there, and no soft purge has marked it.
  bool has_fresh_spec(const Digest& digest);
  /// The record was copied from one place to another. Only if the entry still is at `from`.
  /// Whatever is not told stays as it is.
  bool relocate(const EntryKey& key, const Location& from, const Location& to, Ring ring,
                unsigned frequency);
  /// A record was tested: only if the entry still is at `location`. It stays stale since the
  /// earlier of what it was and what was found; `marked` runs when it was not stale before.
  template <typename Marked>
  void note_tested(const EntryKey& key, const Location& location, const Staleness& found,
                   Marked marked) {
    Shard& shard = shard_of(key.digest);
    const base::MutexLock lock(shard.mutex);
    Entry* entry = shard.find(tag_of(key));
    if (entry == nullptr || unpack(entry->loc) != location) return;
    entry->checked = found.checked;
    if (found.since_s == 0) return;
    if (entry->stale_since == 0) marked();
    const bool earlier = entry->stale_since == 0 || found.since_s < entry->stale_since;
    if (earlier) entry->stale_since = found.since_s;
  }
  /// An entry that was not tested up to some purge. `key` finds it here and nowhere else: an index
  /// does not keep whole digests.
  struct Behind {
    EntryKey key;
    Location location;
    uint32_t checked = 0;
    Pin pin;
  };
  static constexpr size_t kShards = 256;
  /// Looks through a shard for entries of which `is_behind(checked)`, from `from` on and all the
  /// way round; puts at most `most` of them into `out` and moves `from` behind the last. None: the
  /// shard has none.
  template <typename IsBehind, typename PinIt>
  void find_behind(size_t number, size_t& from, size_t most, IsBehind is_behind, PinIt pin,
                   std::vector<Behind>& out) {
    Shard& shard = shards_[number];
    const base::MutexLock lock(shard.mutex);
    const size_t size = shard.entries.size();
    size_t at = from < size ? from : 0;
    for (size_t looked = 0; looked < size && out.size() < most; ++looked) {
      const Entry& entry = shard.entries[at];
      at = shard.after(at);
      if (entry.tag == 0 || !is_behind(entry.checked)) continue;
      const Location location = unpack(entry.loc);
      out.push_back({{{entry.tag & ~uint64_t{kSlotBits}, number}, slot_of(entry.tag)},
                     location,
                     entry.checked,
                     pin(location)});
    }
    from = at;
  }
  /// Whether two keys find the same entry.
  static bool same_place(const EntryKey& a, const EntryKey& b) {
    return tag_of(a) == tag_of(b) && a.digest.hi % kShards == b.digest.hi % kShards;
  }
  /// Every entry is as one that was tested up to `checked`.
  void set_all_checked(uint32_t checked);
  /// Only if the entry still is at `location`.
  void set_verified(const EntryKey& key, const Location& location);
  /// It is to be verified again before it is served. False: the entry is not at `location` any
  /// more, or was not verified.
  bool distrust(const EntryKey& key, const Location& location);
  /// All slots of the digest. True: something was there. `fence` is told so before they go.
  template <typename Fence>
  bool erase(const Digest& digest, Fence fence) {
    Shard& shard = shard_of(digest);
    const base::MutexLock lock(shard.mutex);
    bool any = false;
    for (Slot slot = 0; slot <= kVarySlot && !any; ++slot) {
      any = shard.find(tag_of({digest, slot})) != nullptr;
    }
    fence(any);
    for (Slot slot = 0; slot <= kVarySlot; ++slot) shard.remove(tag_of({digest, slot}));
    return any;
  }
  /// Marks all slots stale since `stale_since_s`, unless they were before; a Vary spec always,
  /// since for it this says which of its variants are stale: those asked for until then. `fence`
  /// draws the purge's sequence number. True: something was there.
  template <typename Fence>
  bool make_stale(const Digest& digest, uint32_t stale_since_s, Fence fence) {
    Shard& shard = shard_of(digest);
    const base::MutexLock lock(shard.mutex);
    const uint64_t seq = fence();
    bool any = false;
    for (Slot slot = 0; slot <= kVarySlot; ++slot) {
      Entry* entry = shard.find(tag_of({digest, slot}));
      if (entry == nullptr) continue;
      any = true;
      if (slot == kVarySlot || entry->stale_since == 0) entry->stale_since = stale_since_s;
      if (slot == kVarySlot) shard.note_spec(*entry, seq);
    }
    return any;
  }
  /// Everything that lies in a slab, by looking at every entry. Returns how many went. For when the
  /// slab's own table cannot be read.
  size_t erase_slab(uint32_t slab);
  /// Clears every `verified` bit: after a sync error nothing that was not read again is trusted.
  void distrust_all();
  /// Makes room for so many entries at once.
  void reserve(size_t entries);
  size_t size() const;
  RingTotals totals(Ring ring) const;
  size_t memory_bytes() const;

 private:
  static constexpr uint64_t kSlotBits = 7;
  // Entry::loc, from the lowest bit on: slab, offset, length, frequency, and a bit each for
  // verified, in main, hides an older version.
  static constexpr unsigned kSlabBits = 22;
  static constexpr unsigned kPlaceBits = 18;  ///< of an offset or a length in units of 64 bytes
  static constexpr unsigned kFrequencyShift = kSlabBits + 2 * kPlaceBits;
  static constexpr uint64_t kSlabMask = (1ull << kSlabBits) - 1;
  static constexpr uint64_t kPlaceMask = (1ull << kPlaceBits) - 1;
  static constexpr uint64_t kFrequencyOne = 1ull << kFrequencyShift;
  static constexpr uint64_t kFrequencyMask = uint64_t{kMostFrequency} << kFrequencyShift;
  static constexpr uint64_t kVerified = 1ull << (kFrequencyShift + 2);
  static constexpr uint64_t kInMain = 1ull << (kFrequencyShift + 3);
  static constexpr uint64_t kHidesOlder = 1ull << (kFrequencyShift + 4);
  static_assert(format::kMostSlabs - 1 <= kSlabMask, "every slab has a number");
  static_assert((format::kMostSlabBytes - sizeof(format::SlabHeader)) / format::kAlignment <=
                    kPlaceMask,
                "every offset and length of a record has a number");
  static_assert(kFrequencyShift + 4 < 64);

  struct Entry {
    uint64_t tag = 0;  ///< digest.lo with the slot in its low 3 bits; 0: empty
    uint64_t loc = 0;  ///< slab 22, offset 18, length 18, frequency 2, three flags, spare 1 bit
    uint32_t stale_since = 0;
    uint32_t checked = 0;  ///< of Staleness
  };
  static_assert(sizeof(Entry) == 24);

  struct alignas(64) Shard {
    mutable base::Mutex mutex{base::LockRank::kIndex};
    std::vector<Entry> entries GUARDED_BY(mutex);
    size_t used GUARDED_BY(mutex) = 0;
    std::array<RingTotals, format::kRings> totals GUARDED_BY(mutex){};
    /// Of the Vary specs that are stale, by tag: rare, and too wide for an entry.
    std::unordered_map<uint64_t, uint64_t> stale_seqs GUARDED_BY(mutex);

    /// The same for all slots of a digest, and without a division: the high half of the tag as a
    /// fraction of the table.
    size_t home(uint64_t tag) const REQUIRES(mutex) { return ((tag >> 32) * entries.size()) >> 32; }
    size_t after(size_t at) const REQUIRES(mutex) { return at + 1 == entries.size() ? 0 : at + 1; }
    Entry* find(uint64_t tag) REQUIRES(mutex);
    /// `tag` has slot 0.
    Entry* find_head_or_vary(uint64_t tag) REQUIRES(mutex);
    /// `tag` has slot 0. The shortest record that is `accepted`, which names no slot but those of
    /// codings; of equal ones the one with the lowest slot.
    Entry* find_coded(uint64_t tag, SlotMask accepted) REQUIRES(mutex);
    void insert(const Entry& entry) REQUIRES(mutex);
    bool remove(uint64_t tag) REQUIRES(mutex);
    void remove_at(size_t hole) REQUIRES(mutex);
    /// One entry more, or one less, in its ring's totals.
    void add(const Entry& entry) REQUIRES(mutex);
    void subtract(const Entry& entry) REQUIRES(mutex);
    /// Of a spec that is used all that can be counted is: it must not go before the variants that
    /// are found by it.
    static void count_use(Entry& entry) {
      // Written only while it is low, so that hot entries stay clean in every core's cache.
      if ((entry.loc & kVerified) == 0 || frequency(entry.loc) >= kMostFrequency) return;
      entry.loc =
          slot_of(entry.tag) == kVarySlot ? entry.loc | kFrequencyMask : entry.loc + kFrequencyOne;
    }
    /// What stays of an entry that another takes the place of.
    static void succeed(const Entry& replaced, Entry& entry) {
      const bool across = ((replaced.loc ^ entry.loc) & kInMain) != 0;
      // An older coding is of use beside its own head alone, and does no harm.
      const bool harms = !is_coded_slot(slot_of(entry.tag));
      if (harms && (across || (replaced.loc & kHidesOlder) != 0)) entry.loc |= kHidesOlder;
      const bool more = frequency(replaced.loc) > frequency(entry.loc);
      if (replaced.tag == entry.tag && more) set_frequency(entry, frequency(replaced.loc));
    }
    /// All but the Pin.
    void view(const Entry& entry, IndexEntry& out) const REQUIRES(mutex);
    void note_spec(const Entry& entry, uint64_t stale_seq) REQUIRES(mutex);
    void resize(size_t capacity) REQUIRES(mutex);
  };

  static uint64_t tag_of(const EntryKey& key) {
    return (key.digest.lo & ~uint64_t{kSlotBits}) | key.slot;
  }
  static Slot slot_of(uint64_t tag) { return static_cast<Slot>(tag & kSlotBits); }
  static uint64_t pack(const NewEntry& entry) {
    const Location& location = entry.location;
    CHECK(location.slab <= kSlabMask && location.offset64 <= kPlaceMask &&
          location.length64 <= kPlaceMask && entry.frequency <= kMostFrequency);
    return location.slab | uint64_t{location.offset64} << kSlabBits |
           uint64_t{location.length64} << (kSlabBits + kPlaceBits) |
           uint64_t{entry.frequency} << kFrequencyShift | (entry.verified ? kVerified : 0) |
           (entry.ring == Ring::kMain ? kInMain : 0);
  }
  static Location unpack(uint64_t loc) {
    return {static_cast<uint32_t>(loc & kSlabMask),
            static_cast<uint32_t>(loc >> kSlabBits & kPlaceMask),
            static_cast<uint32_t>(loc >> (kSlabBits + kPlaceBits) & kPlaceMask)};
  }
  static unsigned frequency(uint64_t loc) { return loc >> kFrequencyShift & kMostFrequency; }
  static void set_frequency(Entry& entry, unsigned frequency) {
    entry.loc = (entry.loc & ~kFrequencyMask) | uint64_t{frequency} << kFrequencyShift;
  }
  static Ring ring_of(const Entry& entry) {
    return (entry.loc & kInMain) != 0 ? Ring::kMain : Ring::kProbation;
  }
  Shard& shard_of(const Digest& digest) { return shards_[digest.hi % kShards]; }

  std::array<Shard, kShards> shards_;
};

}  // namespace perigee::cache_store

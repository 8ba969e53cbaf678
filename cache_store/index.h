// Where each record lies: lock-striped shards of 24-byte entries, open addressing.
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

#include "base/mutex.h"
#include "cache_store/store.h"

namespace perigee::cache_store {

/// A place in the slab area. Offsets and lengths are in units of 64 bytes.
struct Location {
  uint32_t slab = 0;
  uint32_t offset64 = 0;
  uint32_t length64 = 0;
  bool operator==(const Location&) const = default;
};

/// A copy of what an entry says.
struct IndexEntry {
  Location location;
  bool verified = false;
  uint32_t stale_since_s = 0;
  uint64_t stale_seq = 0;  ///< of a Vary spec: see Staleness
};

/// What soft purges did to an entry.
struct Staleness {
  uint32_t since_s = 0;  ///< 0: nothing
  /// Of a Vary spec: the last of them. Variants that were asked for before it are stale.
  uint64_t seq = 0;
};

/// Thread-safe. Callbacks run under the lock of one shard and must be short.
class Index {
 public:
  Index();

  /// Looks at slots 0 and 7 of a digest, which exclude each other; `pin` is called with the
  /// location that is found, so that the slab cannot go away. Counts a use.
  template <typename PinIt>
  std::optional<IndexEntry> find(const Digest& digest, Slot& slot, PinIt pin) {
    Shard& shard = shard_of(digest);
    const base::MutexLock lock(shard.mutex);
    Entry* entry = shard.find_head_or_vary(tag_of(digest, kHeadSlot));
    if (entry == nullptr) return std::nullopt;
    // Written only while it is low, so that hot entries stay clean in every core's cache.
    if (frequency(entry->loc) < 3) entry->loc += kFrequencyOne;
    slot = slot_of(entry->tag);
    const IndexEntry found = shard.view(*entry);
    pin(found.location);
    return found;
  }
  /// The same, without counting a use.
  template <typename PinIt>
  std::optional<IndexEntry> peek(const Digest& digest, Slot& slot, PinIt pin) {
    Shard& shard = shard_of(digest);
    const base::MutexLock lock(shard.mutex);
    const Entry* entry = shard.find_head_or_vary(tag_of(digest, kHeadSlot));
    if (entry == nullptr) return std::nullopt;
    slot = slot_of(entry->tag);
    const IndexEntry found = shard.view(*entry);
    pin(found.location);
    return found;
  }
  /// Puts an entry in, taking out those that it excludes; `admit` is asked under the lock and
  /// returns the Staleness to write, or nullopt to refuse. False: refused.
  template <typename Admit>
  bool insert(const Digest& digest, Slot slot, const Location& location, bool verified,
              Admit admit) {
    Shard& shard = shard_of(digest);
    const base::MutexLock lock(shard.mutex);
    const std::optional<Staleness> stale = admit();
    if (!stale) return false;
    for (Slot other = 0; other <= kVarySlot; ++other) {
      const bool excluded = slot == kVarySlot ? other < kVarySlot : other == kVarySlot;
      if (excluded) shard.remove(tag_of(digest, other));
    }
    const Entry entry{tag_of(digest, slot), pack(location, verified), stale->since_s, 0};
    shard.insert(entry);
    if (slot == kVarySlot) shard.note_spec(entry, stale->seq);
    return true;
  }
  /// Only if the entry still is at `location`; `fence` runs before it goes.
  template <typename Fence>
  bool erase_if(const Digest& digest, Slot slot, const Location& location, Fence fence) {
    Shard& shard = shard_of(digest);
    const base::MutexLock lock(shard.mutex);
    const Entry* entry = shard.find(tag_of(digest, slot));
    if (entry == nullptr || unpack(entry->loc) != location) return false;
    fence();
    return shard.remove(entry->tag);
  }
  void set_verified(const Digest& digest, Slot slot, const Location& location);
  /// All slots of the digest. True: something was there. `fence` is told so before they go.
  template <typename Fence>
  bool erase(const Digest& digest, Fence fence) {
    Shard& shard = shard_of(digest);
    const base::MutexLock lock(shard.mutex);
    bool any = false;
    for (Slot slot = 0; slot <= kVarySlot && !any; ++slot) {
      any = shard.find(tag_of(digest, slot)) != nullptr;
    }
    fence(any);
    for (Slot slot = 0; slot <= kVarySlot; ++slot) shard.remove(tag_of(digest, slot));
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
      Entry* entry = shard.find(tag_of(digest, slot));
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
  size_t memory_bytes() const;

 private:
  static constexpr size_t kShards = 256;
  static constexpr uint64_t kSlotBits = 7;
  static constexpr uint64_t kFrequencyOne = 1ull << 58;
  static constexpr uint64_t kVerified = 1ull << 60;

  struct Entry {
    uint64_t tag = 0;  ///< digest.lo with the slot in its low 3 bits; 0: empty
    uint64_t loc = 0;  ///< slab 22, offset 18, length 18, frequency 2, verified 1, spare 3
    uint32_t stale_since = 0;
    uint32_t checked = 0;
  };
  static_assert(sizeof(Entry) == 24);

  struct alignas(64) Shard {
    mutable base::Mutex mutex{base::LockRank::kIndex};
    std::vector<Entry> entries GUARDED_BY(mutex);
    size_t used GUARDED_BY(mutex) = 0;
    /// Of the Vary specs that are stale, by tag: rare, and too wide for an entry.
    std::unordered_map<uint64_t, uint64_t> stale_seqs GUARDED_BY(mutex);

    /// The same for all slots of a digest, and without a division: the high half of the tag as a
    /// fraction of the table.
    size_t home(uint64_t tag) const REQUIRES(mutex) { return ((tag >> 32) * entries.size()) >> 32; }
    size_t after(size_t at) const REQUIRES(mutex) { return at + 1 == entries.size() ? 0 : at + 1; }
    Entry* find(uint64_t tag) REQUIRES(mutex);
    /// `tag` has slot 0.
    Entry* find_head_or_vary(uint64_t tag) REQUIRES(mutex);
    void insert(const Entry& entry) REQUIRES(mutex);
    bool remove(uint64_t tag) REQUIRES(mutex);
    void remove_at(size_t hole) REQUIRES(mutex);
    IndexEntry view(const Entry& entry) const REQUIRES(mutex);
    void note_spec(const Entry& entry, uint64_t stale_seq) REQUIRES(mutex);
    void resize(size_t capacity) REQUIRES(mutex);
  };

  static uint64_t tag_of(const Digest& digest, Slot slot) {
    return (digest.lo & ~kSlotBits) | slot;
  }
  static Slot slot_of(uint64_t tag) { return static_cast<Slot>(tag & kSlotBits); }
  static uint64_t pack(const Location& location, bool verified) {
    return location.slab | uint64_t{location.offset64} << 22 | uint64_t{location.length64} << 40 |
           (verified ? kVerified : 0);
  }
  static Location unpack(uint64_t loc) {
    return {static_cast<uint32_t>(loc & 0x3fffff), static_cast<uint32_t>(loc >> 22 & 0x3ffff),
            static_cast<uint32_t>(loc >> 40 & 0x3ffff)};
  }
  static unsigned frequency(uint64_t loc) { return loc >> 58 & 3; }
  Shard& shard_of(const Digest& digest) { return shards_[digest.hi % kShards]; }

  std::array<Shard, kShards> shards_;
};

}  // namespace perigee::cache_store

#include "cache_store/index.h"

#include <algorithm>

namespace perigee::cache_store {

namespace {

constexpr size_t kLeastEntries = 8;

/// Load stays at most 0.8: probes stay short, and growth by 4/3 lands at 0.6.
constexpr bool fits(size_t used, size_t capacity) { return used * 5 <= capacity * 4; }

}  // namespace

Index::Index() {
  for (Shard& shard : shards_) shard.entries.resize(kLeastEntries);
}

Index::Entry* Index::Shard::find(uint64_t tag) {
  for (size_t at = home(tag); entries[at].tag != 0; at = after(at)) {
    if (entries[at].tag == tag) return &entries[at];
  }
  return nullptr;
}

Index::Entry* Index::Shard::find_head_or_vary(uint64_t tag) {
  for (size_t at = home(tag); entries[at].tag != 0; at = after(at)) {
    const uint64_t difference = entries[at].tag ^ tag;
    if (difference == kHeadSlot || difference == kVarySlot) return &entries[at];
  }
  return nullptr;
}

/// The slots of one digest are neighbours: they have the same home.
Index::Entry* Index::Shard::find_coded(uint64_t tag, SlotMask accepted) {
  Entry* best = nullptr;
  const auto is_better = [&](const Entry& entry) {
    if (best == nullptr) return true;
    const uint64_t bytes = unpack(entry.loc).bytes();
    const uint64_t least = unpack(best->loc).bytes();
    return bytes < least || (bytes == least && entry.tag < best->tag);
  };
  for (size_t at = home(tag); entries[at].tag != 0; at = after(at)) {
    const uint64_t difference = entries[at].tag ^ tag;
    const bool matches = difference <= kSlotBits && (accepted >> difference & 1) != 0;
    if (matches && is_better(entries[at])) best = &entries[at];
  }
  return best;
}

void Index::Shard::insert(const Entry& entry) {
  CHECK(entry.tag != 0);
  if (Entry* present = find(entry.tag); present != nullptr) {
    subtract(*present);
    add(entry);
    *present = entry;
    return;
  }
  if (!fits(used + 1, entries.size())) resize(entries.size() * 4 / 3 + 8);
  add(entry);
  size_t at = home(entry.tag);
  while (entries[at].tag != 0) at = after(at);
  entries[at] = entry;
  ++used;
  CHECK(fits(used, entries.size()));
}

void Index::Shard::add(const Entry& entry) {
  RingTotals& ring = totals[place_of(ring_of(entry))];
  ++ring.entries;
  ring.bytes += unpack(entry.loc).bytes();
}

void Index::Shard::subtract(const Entry& entry) {
  RingTotals& ring = totals[place_of(ring_of(entry))];
  const uint64_t bytes = unpack(entry.loc).bytes();
  CHECK(ring.entries > 0 && ring.bytes >= bytes);
  --ring.entries;
  ring.bytes -= bytes;
}

bool Index::Shard::remove(uint64_t tag) {
  const Entry* entry = find(tag);
  if (entry == nullptr) return false;
  remove_at(static_cast<size_t>(entry - entries.data()));
  if (slot_of(tag) == kVarySlot) stale_seqs.erase(tag);
  return true;
}

void Index::Shard::view(const Entry& entry, IndexEntry& out) const {
  out.slot = slot_of(entry.tag);
  out.location = unpack(entry.loc);
  out.verified = (entry.loc & kVerified) != 0;
  out.stale.since_s = entry.stale_since;
  out.stale.checked = entry.checked;
  if (out.slot != kVarySlot || entry.stale_since == 0) return;
  const auto known = stale_seqs.find(entry.tag);
  if (known != stale_seqs.end()) out.stale.seq = known->second;
}

void Index::Shard::note_spec(const Entry& entry, uint64_t stale_seq) {
  if (entry.stale_since == 0) {
    stale_seqs.erase(entry.tag);
  } else {
    stale_seqs[entry.tag] = stale_seq;
  }
}

/// Backward shift: whoever could stand in the hole moves there, so that no tombstone is needed.
void Index::Shard::remove_at(size_t hole) {
  subtract(entries[hole]);
  const size_t size = entries.size();
  for (size_t at = after(hole); entries[at].tag != 0; at = after(at)) {
    const size_t from_home = (at + size - home(entries[at].tag)) % size;
    const size_t from_hole = (at + size - hole) % size;
    if (from_home < from_hole) continue;
    entries[hole] = entries[at];
    hole = at;
  }
  entries[hole] = {};
  CHECK(used > 0);
  --used;
}

void Index::Shard::resize(size_t capacity) {
  std::vector<Entry> old(capacity);
  old.swap(entries);
  used = 0;
  totals = {};
  for (const Entry& entry : old) {
    if (entry.tag != 0) insert(entry);
  }
}

void Index::set_verified(const EntryKey& key, const Location& location) {
  Shard& shard = shard_of(key.digest);
  const base::MutexLock lock(shard.mutex);
  Entry* entry = shard.find(tag_of(key));
  if (entry != nullptr && unpack(entry->loc) == location) entry->loc |= kVerified;
}

bool Index::distrust(const EntryKey& key, const Location& location) {
  Shard& shard = shard_of(key.digest);
  const base::MutexLock lock(shard.mutex);
  Entry* entry = shard.find(tag_of(key));
  if (entry == nullptr || unpack(entry->loc) != location) return false;
  const bool was_verified = (entry->loc & kVerified) != 0;
  entry->loc &= ~kVerified;
  return was_verified;
}

std::optional<Standing> Index::standing(const EntryKey& key, const Location& location) {
  Shard& shard = shard_of(key.digest);
  const base::MutexLock lock(shard.mutex);
  const Entry* entry = shard.find(tag_of(key));
  if (entry == nullptr || unpack(entry->loc) != location) return std::nullopt;
  return Standing{frequency(entry->loc), entry->stale_since != 0, entry->checked};
}

bool Index::note_hides_older(const Digest& digest) {
  Shard& shard = shard_of(digest);
  const base::MutexLock lock(shard.mutex);
  bool any = false;
  for (Slot slot = 0; slot <= kVarySlot; ++slot) {
    Entry* entry = shard.find(tag_of({digest, slot}));
    if (entry == nullptr) continue;
    entry->loc |= kHidesOlder;
    any = true;
  }
  return any;
}

std::optional<Ring> Index::ring_of(const Digest& digest) {
  Shard& shard = shard_of(digest);
  const base::MutexLock lock(shard.mutex);
  const Entry* entry = shard.find_head_or_vary(tag_of({digest, kHeadSlot}));
  if (entry == nullptr) return std::nullopt;
  return ring_of(*entry);
}

bool Index::has_fresh_spec(const Digest& digest) {
  Shard& shard = shard_of(digest);
  const base::MutexLock lock(shard.mutex);
  const Entry* entry = shard.find(tag_of({digest, kVarySlot}));
  return entry != nullptr && entry->stale_since == 0;
}

bool Index::relocate(const EntryKey& key, const Location& from, const Location& to, Ring ring,
                     unsigned frequency) {
  Shard& shard = shard_of(key.digest);
  const base::MutexLock lock(shard.mutex);
  Entry* entry = shard.find(tag_of(key));
  if (entry == nullptr || unpack(entry->loc) != from) return false;
  CHECK(from.length64 == to.length64);
  shard.subtract(*entry);
  const bool verified = (entry->loc & kVerified) != 0;
  const uint64_t hides = entry->loc & kHidesOlder;
  entry->loc = pack({to, ring, verified, frequency}) | hides;
  shard.add(*entry);
  return true;
}

size_t Index::erase_slab(uint32_t slab) {
  size_t erased = 0;
  for (Shard& shard : shards_) {
    const base::MutexLock lock(shard.mutex);
    std::vector<uint64_t> tags;
    for (const Entry& entry : shard.entries) {
      if (entry.tag != 0 && unpack(entry.loc).slab == slab) tags.push_back(entry.tag);
    }
    for (const uint64_t tag : tags) shard.remove(tag);
    erased += tags.size();
  }
  return erased;
}

void Index::set_all_checked(uint32_t checked) {
  for (Shard& shard : shards_) {
    const base::MutexLock lock(shard.mutex);
    for (Entry& entry : shard.entries) {
      if (entry.tag != 0) entry.checked = checked;
    }
  }
}

void Index::distrust_all() {
  for (Shard& shard : shards_) {
    const base::MutexLock lock(shard.mutex);
    for (Entry& entry : shard.entries) entry.loc &= ~kVerified;
  }
}

void Index::reserve(size_t entries) {
  // Digests spread evenly; what a shard gets beyond its share, it grows for.
  const size_t share = entries / kShards + entries / kShards / 16;
  const size_t capacity = share * 5 / 4 + kLeastEntries;
  for (Shard& shard : shards_) {
    const base::MutexLock lock(shard.mutex);
    if (capacity > shard.entries.size()) shard.resize(capacity);
  }
}

size_t Index::size() const {
  size_t size = 0;
  for (const Shard& shard : shards_) {
    const base::MutexLock lock(shard.mutex);
    size += shard.used;
  }
  return size;
}

RingTotals Index::totals(Ring ring) const {
  RingTotals sum;
  for (const Shard& shard : shards_) {
    const base::MutexLock lock(shard.mutex);
    sum.entries += shard.totals[place_of(ring)].entries;
    sum.bytes += shard.totals[place_of(ring)].bytes;
  }
  return sum;
}

size_t Index::memory_bytes() const {
  size_t bytes = sizeof *this;
  for (const Shard& shard : shards_) {
    const base::MutexLock lock(shard.mutex);
    bytes += shard.entries.capacity() * sizeof(Entry);
    bytes += shard.stale_seqs.size() * 4 * sizeof(uint64_t);
  }
  return bytes;
}

}  // namespace perigee::cache_store

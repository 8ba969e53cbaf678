#include "cache_store/index.h"

#include <algorithm>

namespace perigee::cache_store {

Index::Index() {
  for (Shard& shard : shards_) shard.entries.resize(8);
}

Index::Entry* Index::Shard::find(uint64_t tag) {
  for (size_t at = home(tag); entries[at].tag != 0; at = at + 1 == entries.size() ? 0 : at + 1) {
    if (entries[at].tag == tag) return &entries[at];
  }
  return nullptr;
}

void Index::Shard::insert(const Entry& entry) {
  if (Entry* present = find(entry.tag); present != nullptr) {
    *present = entry;
    return;
  }
  if ((used + 1) * 5 > entries.size() * 4) grow();
  size_t at = home(entry.tag);
  while (entries[at].tag != 0) at = at + 1 == entries.size() ? 0 : at + 1;
  entries[at] = entry;
  ++used;
}

bool Index::Shard::remove(uint64_t tag) {
  Entry* entry = find(tag);
  if (entry == nullptr) return false;
  size_t hole = static_cast<size_t>(entry - entries.data());
  // Backward shift: whoever could stand in the hole moves there, so that no tombstone is needed.
  const size_t size = entries.size();
  for (size_t at = (hole + 1) % size; entries[at].tag != 0; at = (at + 1) % size) {
    const size_t distance = (at + size - home(entries[at].tag)) % size;
    if (distance < (at + size - hole) % size) continue;
    entries[hole] = entries[at];
    hole = at;
  }
  entries[hole] = {};
  --used;
  return true;
}

void Index::Shard::grow() {
  std::vector<Entry> old(entries.size() * 4 / 3 + 8);
  old.swap(entries);
  used = 0;
  for (const Entry& entry : old) {
    if (entry.tag != 0) insert(entry);
  }
}

bool Index::erase_if(const Digest& digest, Slot slot, const Location& location) {
  Shard& shard = shard_of(digest);
  const std::lock_guard lock(shard.mutex);
  const Entry* entry = shard.find(tag_of(digest, slot));
  if (entry == nullptr || unpack(entry->loc) != location) return false;
  return shard.remove(entry->tag);
}

void Index::set_verified(const Digest& digest, Slot slot, const Location& location, bool verified) {
  Shard& shard = shard_of(digest);
  const std::lock_guard lock(shard.mutex);
  Entry* entry = shard.find(tag_of(digest, slot));
  if (entry == nullptr || unpack(entry->loc) != location) return;
  entry->loc = verified ? entry->loc | kVerified : entry->loc & ~kVerified;
}

void Index::distrust_all() {
  for (Shard& shard : shards_) {
    const std::lock_guard lock(shard.mutex);
    for (Entry& entry : shard.entries) entry.loc &= ~kVerified;
  }
}

uint64_t Index::size() const {
  uint64_t size = 0;
  for (const Shard& shard : shards_) {
    const std::lock_guard lock(shard.mutex);
    size += shard.used;
  }
  return size;
}

}  // namespace perigee::cache_store

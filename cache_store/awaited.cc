#include "cache_store/awaited.h"

#include "base/check.h"

namespace perigee::cache_store {

AwaitedTable::~AwaitedTable() {
  for (const Shard& shard : shards_) CHECK(shard.flights.empty());
}

void AwaitedTable::leave(const Digest& base) {
  Shard& shard = shard_of(base);
  const base::MutexLock lock(shard.mutex);
  const auto it = shard.flights.find(base);
  CHECK(it != shard.flights.end() && it->second.responses > 0);
  if (--it->second.responses == 0) shard.flights.erase(it);
}

bool AwaitedTable::contains(const Digest& base) {
  Shard& shard = shard_of(base);
  const base::MutexLock lock(shard.mutex);
  return shard.flights.contains(base);
}

AwaitedTable::Fence AwaitedTable::fence(const Digest& base) {
  Shard& shard = shard_of(base);
  const base::MutexLock lock(shard.mutex);
  const auto it = shard.flights.find(base);
  if (it == shard.flights.end()) return Fence::kNone;
  return std::exchange(it->second.fenced, true) ? Fence::kStands : Fence::kNew;
}

void Awaited::reset() {
  if (AwaitedTable* table = std::exchange(table_, nullptr); table != nullptr) table->leave(base_);
}

}  // namespace perigee::cache_store

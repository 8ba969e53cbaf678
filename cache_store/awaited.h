// The URLs of which a response is on its way, so that an erase of one of them is remembered
// although nothing is stored under it yet.
//
// An erase of what is neither stored nor awaited needs no fence and no journal entry: nothing of it
// can come back. Thread-safe. Lock order: index shard -> a shard of this table -> purges.
#pragma once

#include <array>
#include <cstdint>
#include <unordered_map>
#include <utility>

#include "base/mutex.h"
#include "cache_store/store.h"

namespace perigee::cache_store {

class AwaitedTable {
 public:
  ~AwaitedTable();

  /// One more response for the URL is on its way, until its Awaited goes. `draw` draws its ticket.
  template <typename F>
  Awaited enter(const Digest& base, F draw) {
    Shard& shard = shard_of(base);
    const base::MutexLock lock(shard.mutex);
    Flight& flight = shard.flights[base];
    ++flight.responses;
    flight.fenced = false;
    return Awaited(*this, base, draw());
  }
  void leave(const Digest& base);
  /// A response for the URL is on its way.
  bool contains(const Digest& base);
  /// What an erase of the URL means for the responses that are on their way.
  enum class Fence : uint8_t {
    kNone,    ///< there are none: nothing to remember
    kStands,  ///< all of them were asked for before an erase that is remembered already
    kNew,     ///< this erase must be remembered
  };
  Fence fence(const Digest& base);

 private:
  struct Flight {
    size_t responses = 0;
    bool fenced = false;  ///< all of these were asked for before an erase that is remembered
  };
  struct DigestHash {
    size_t operator()(const Digest& digest) const { return digest.lo; }
  };
  struct alignas(64) Shard {
    base::Mutex mutex{base::LockRank::kAwaited};
    std::unordered_map<Digest, Flight, DigestHash> flights GUARDED_BY(mutex);
  };
  Shard& shard_of(const Digest& base) { return shards_[base.hi % shards_.size()]; }

  std::array<Shard, 64> shards_;
};

}  // namespace perigee::cache_store

// Purges on stable storage: 64-byte units in two halves of the store file, written before a purge is
// answered, read at the next start.
//
// Thread-safe. Adding is memory only; commit() writes, and those who wait for it share a write.
#pragma once

#include <cstdint>
#include <mutex>
#include <optional>
#include <vector>

#include "cache_store/format.h"
#include "cache_store/store.h"
#include "cache_store/store_io.h"

namespace perigee::cache_store {

class PurgeJournal {
 public:
  struct Entry {
    uint64_t seq = 0;
    Digest digest;
    int64_t time_ms = 0;
    bool erasure = false;
    bool soft = false;
  };

  PurgeJournal(StoreIo& io, uint64_t half_bytes) : io_(io), half_bytes_(half_bytes) {}

  /// Reads the valid units of a half, in order. At start.
  std::vector<Entry> load(uint32_t half, uint64_t epoch);
  void add(const Entry& entry);
  /// Writes what was added up to `seq`, durably. An error: in force in memory, not durable.
  base::Status commit(uint64_t seq);
  bool more_than_half_full() const;
  /// Rewrites the entries above `lowest_purge_seq` into the other half. Those that do not fit into half of
  /// it are left out, oldest first, and the sequence up to which they were is returned (0: none); the
  /// caller makes that a floor. The caller then flips the superblock to half().
  base::Result<uint64_t> compact(uint64_t lowest_purge_seq, uint64_t epoch);
  uint32_t half() const;
  bool bad() const;

 private:
  base::Status write_locked(const std::vector<Entry>& entries);
  uint64_t begin_of(uint32_t half) const { return format::kJournalBegin + half * half_bytes_; }

  StoreIo& io_;
  const uint64_t half_bytes_;
  mutable std::mutex pending_mutex_;
  std::vector<Entry> pending_;
  mutable std::mutex write_mutex_;  ///< before pending_mutex_
  std::vector<Entry> written_;
  uint32_t half_ = 0;
  uint64_t epoch_ = 0;
  uint64_t used_bytes_ = 0;
  uint64_t chain_ = 0;
  uint64_t durable_seq_ = 0;
  bool bad_ = false;
};

}  // namespace perigee::cache_store

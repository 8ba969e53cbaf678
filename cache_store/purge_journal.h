// Purges on stable storage: 64-byte units in two halves of the store file, written before a purge
// is answered, read at the next start.
//
// Thread-safe. Adding is memory only; commit() writes, and those who wait for it share a write.
// Units of a half are chained by their checksums and followed by zeros up to its end, so that the
// end of the chain is known from damage to it.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "base/mutex.h"
#include "cache_store/format.h"
#include "cache_store/key_prefix.h"
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
    PredicateKind kind = PredicateKind::kKey;  ///< of an erasure: kKey
    PrefixShape shape;                         ///< of a prefix, whose digest is `digest`
  };
  struct Loaded {
    std::vector<Entry> entries;  ///< in the order of their seq
    bool damaged = false;        ///< there may have been more
  };
  /// What the superblock says of the journal.
  struct Half {
    uint32_t half = 0;
    uint64_t generation = 0;  ///< a number that no use of either half had before
    uint64_t seq = 0;         ///< purges up to this one are in the half or concern no record
    uint64_t folded = 0;      ///< those up to this one were left out; 0: none
    bool predicates = false;  ///< others than key purges and erasures may be in it
  };
  using Flip = std::function<base::Status(const Half&)>;
  using Announce = std::function<base::Status()>;

  PurgeJournal(StoreIo& io, uint64_t half_bytes) : io_(io), half_bytes_(half_bytes) {}

  /// Reads the valid units of the active half. At start.
  Loaded load(const Half& active);
  /// At start. `announce` makes it known durably that others than key purges and erasures are in
  /// the active half, before the first of them is written there.
  void announce_with(Announce announce);
  /// Entries come in the order of their seq: the caller draws it and adds as one step.
  void add(const Entry& entry);
  /// Writes what was added, durably, at least up to `seq`. An error: in force in memory, not
  /// durable, and the next commit tries again; kNoSpace: compact first.
  base::Status commit(uint64_t seq);
  /// Rewrites the entries above `lowest_purge_seq` into the other half, at most a quarter of it:
  /// older ones are folded, and the caller's `flip` makes that a floor as it makes the half the
  /// active one. What lies before a hard purge of everything goes, and that one is never folded.
  /// When either fails nothing is durable until a later compaction succeeds.
  base::Status compact(uint64_t lowest_purge_seq, uint64_t generation, const Flip& flip);
  /// The next compaction folds all up to `seq`: nobody can say what was purged until then.
  void fold(uint64_t seq);
  bool needs_compaction() const;
  /// Purges up to this one are on stable storage.
  uint64_t durable_seq() const;
  /// The last write failed.
  bool bad() const;

 private:
  base::Status write_units(uint32_t half, uint64_t offset, uint64_t size, uint64_t generation,
                           const std::vector<Entry>& entries, uint64_t& chain)
      REQUIRES(write_mutex_);
  base::Status announce(const std::vector<Entry>& entries) REQUIRES(write_mutex_);
  static std::vector<Entry> still_needed(const std::vector<Entry>& entries, uint64_t lowest);
  bool must_compact() const REQUIRES(write_mutex_) { return unsure_ || fold_seq_ != 0; }
  uint64_t begin_of(uint32_t half) const { return format::kJournalBegin + half * half_bytes_; }

  StoreIo& io_;
  const uint64_t half_bytes_;
  mutable base::Mutex pending_mutex_{base::LockRank::kJournalPending};
  std::vector<Entry> pending_ GUARDED_BY(pending_mutex_);
  uint64_t dropped_seq_ GUARDED_BY(pending_mutex_) =
      0;  ///< pending entries up to this one were given up

  mutable base::Mutex write_mutex_{base::LockRank::kJournal};  ///< before pending_mutex_
  std::vector<Entry> written_ GUARDED_BY(write_mutex_);        ///< the active half's
  Half active_ GUARDED_BY(write_mutex_);
  Announce announce_ GUARDED_BY(write_mutex_);
  uint64_t used_bytes_ GUARDED_BY(write_mutex_) = 0;
  uint64_t chain_ GUARDED_BY(write_mutex_) = 0;
  uint64_t durable_seq_ GUARDED_BY(write_mutex_) = 0;
  uint64_t fold_seq_ GUARDED_BY(write_mutex_) = 0;  ///< to be folded by the next compaction
  bool unsure_ GUARDED_BY(write_mutex_) = false;  ///< which half the superblock names is not known
  bool bad_ GUARDED_BY(write_mutex_) = false;
};

}  // namespace perigee::cache_store

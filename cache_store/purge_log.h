// What purges and erasures did: the one place that says what happened to a record since its ticket
// was taken.
//
// Three things are kept together here, so that no purge is in one of them alone: the fence in
// memory (PurgeTable), the journal on disk (PurgeJournal), and the URLs of which a response is on
// its way (AwaitedTable). Thread-safe. Those who publish or remove index entries ask under the lock
// of the index shard.
#pragma once

#include <atomic>
#include <optional>
#include <vector>

#include "base/mutex.h"
#include "cache_store/awaited.h"
#include "cache_store/format.h"
#include "cache_store/index.h"
#include "cache_store/purge_journal.h"
#include "cache_store/purge_table.h"
#include "cache_store/store.h"
#include "cache_store/store_io.h"

namespace perigee::cache_store {

/// A record, as far as purges concern it.
struct PurgeSubject {
  Digest base;  ///< of the URL's own key
  Ticket ticket;
  Slot slot = kHeadSlot;
  bool variant = false;   ///< its own key is another one than the URL's
  bool fragment = false;  ///< it is never stale: its head is in its place
};

/// What became of a record.
struct Fate {
  bool gone = false;  ///< it must not be stored, or found
  Staleness stale;    ///< for its index entry
};

/// The purges that the journal held at start, for records of earlier runs. Immutable.
class PurgeHistory {
 public:
  /// `floor`: what was fetched before this purge waits for the origin's word.
  PurgeHistory(std::vector<PurgeJournal::Entry> purges, uint64_t floor);
  /// Of a record that lies in the file.
  Fate fate_of(const format::TableEntry& record) const;

 private:
  std::vector<PurgeJournal::Entry> purges_;  ///< by digest, then by seq
  const uint64_t floor_;
};

class PurgeLog {
 public:
  PurgeLog(StoreIo& io, uint64_t journal_bytes) : journal_(io, journal_bytes) {}

  // --- at start, one after the other ---

  /// Reads the active half of the journal.
  PurgeJournal::Loaded load(const PurgeJournal::Half& active) { return journal_.load(active); }
  /// Numbers go on above `newest`. `doubtful`: purges up to it may be missing, so the next
  /// compaction makes it the stale floor.
  void begin(uint64_t newest, bool doubtful);

  // --- any thread ---

  bool has_begun() const { return table_.has_value(); }
  uint64_t newest() const { return table_->newest(); }
  /// How many purges and erasures were drawn since the start.
  uint64_t count() const { return table_->count(); }
  Ticket ticket() const { return {newest(), fetches_.fetch_add(1, std::memory_order_relaxed)}; }
  /// A response for the URL `base` is on its way; before ticket().
  Awaited await(const Digest& base) { return {awaited_, base}; }
  bool is_awaited(const Digest& base) { return awaited_.contains(base); }
  /// What happened to the subject since its ticket.
  Fate fate_of(const PurgeSubject& subject) const;
  /// A purge or an erasure of the URL came after the ticket.
  bool purged_since(const Digest& base, Ticket ticket) const;

  /// Draws the number of a purge and queues its journal entry. In force when it returns.
  uint64_t purge(const Predicate& predicate);
  /// The URL is erased. What is neither `stored` nor on its way leaves no trace: false, unless an
  /// earlier purge or erasure of it is still to be written.
  bool erase(const Digest& base, bool stored);
  /// A stored record is dropped, and older versions of it must not come back.
  void drop(const Digest& digest);

  /// Pool. See PurgeJournal.
  base::Status commit(uint64_t seq) { return journal_.commit(seq); }
  bool needs_compaction() const { return journal_.needs_compaction(); }
  /// Purges up to `lowest_of_records` concern no record that is stored.
  base::Status compact(uint64_t lowest_of_records, uint64_t generation,
                       const PurgeJournal::Flip& flip);
  /// Purges up to this one are on stable storage.
  uint64_t durable_seq() const { return journal_.durable_seq(); }
  /// The last write of the journal failed.
  bool bad() const { return journal_.bad(); }

 private:
  /// What a hard purge or an erasure of it took would come back if the process were killed now.
  bool is_unwritten(const Digest& base) const;
  uint64_t draw(PurgeJournal::Entry entry);

  mutable std::atomic<uint64_t> fetches_{0};  ///< the fetch_seq of the next ticket
  AwaitedTable awaited_;
  /// A sequence number is drawn and queued as one step under it: the journal relies on the order.
  base::Mutex mutex_{base::LockRank::kPurges};
  std::optional<PurgeTable> table_;  ///< set by begin()
  uint64_t begun_ = 0;               ///< the newest purge at the start
  PurgeJournal journal_;
};

}  // namespace perigee::cache_store

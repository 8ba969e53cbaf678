// What purges and erasures did: the one place that says what happened to a record since its ticket
// was taken.
//
// Four things are kept together here, so that no purge is in one of them alone: the fence in memory
// (PurgeTable), the purges by tag, prefix and of everything (PredicateTable), the journal on disk
// (PurgeJournal), and the URLs of which a response is on its way (AwaitedTable). Thread-safe. Those
// who publish or remove index entries ask under the lock of the index shard.
#pragma once

#include <atomic>
#include <optional>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "base/mutex.h"
#include "cache_store/awaited.h"
#include "cache_store/format.h"
#include "cache_store/index.h"
#include "cache_store/match_counts.h"
#include "cache_store/predicate_table.h"
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
  bool variant = false;    ///< its own key is another one than the URL's
  bool dependent = false;  ///< a fragment or a coding: its head is stale in its place
  std::string_view key;    ///< its own key's text
  std::span<const uint64_t> tags;
};

/// What became of a record.
struct Fate {
  bool gone = false;  ///< it must not be stored, or found
  Staleness stale;    ///< for its index entry
  uint64_t by = 0;    ///< of test(): the purge that took it or made it stale
};

/// The purges that the journal held at start, for records of earlier runs. Immutable.
class PurgeHistory {
 public:
  struct Floors {
    uint64_t stale = 0;  ///< what was fetched before this purge waits for the origin's word
    uint64_t kill = 0;   ///< what was fetched before this one is gone
  };
  /// Of `purges` those of tags and prefixes are left out: records are tested when they are found.
  PurgeHistory(std::vector<PurgeJournal::Entry> purges, const Floors& floors);
  /// Of a record that lies in the file.
  Fate fate_of(const format::TableEntry& record) const;

 private:
  std::vector<PurgeJournal::Entry> purges_;  ///< by digest, then by seq
  const Floors floors_;
};

class PurgeLog {
 public:
  PurgeLog(StoreIo& io, uint64_t journal_bytes) : journal_(io, journal_bytes) {}

  // --- at start, one after the other ---

  /// Reads the active half of the journal.
  PurgeJournal::Loaded load(const PurgeJournal::Half& active) { return journal_.load(active); }
  /// See PurgeJournal.
  void announce_with(PurgeJournal::Announce announce) {
    journal_.announce_with(std::move(announce));
  }
  /// Numbers go on above `newest`. `doubtful`: purges up to it may be missing, so the next
  /// compaction makes it the stale floor. `loaded`: what load() found.
  void begin(uint64_t newest, bool doubtful, std::span<const PurgeJournal::Entry> loaded = {});
  /// What a record that is found at the start is marked with in the index.
  uint32_t checked_at_start() const {
    return has_loaded_ ? PredicateTable::kUntested : predicates_.stamp();
  }
  /// What was fetched before this purge is gone.
  uint64_t kill_floor() const { return predicates_.kill_floor(); }

  // --- any thread ---

  bool has_begun() const { return table_.has_value(); }
  uint64_t newest() const { return table_->newest(); }
  /// The same, and each purge by tag, prefix and of everything up to it is in force.
  uint64_t newest_in_force() {
    const base::MutexLock lock(mutex_);
    return newest();
  }
  /// How many purges and erasures were drawn since the start.
  uint64_t count() const { return table_->count(); }
  Ticket ticket() const { return {newest(), fetches_.fetch_add(1, std::memory_order_relaxed)}; }
  /// A response for the URL `base` is on its way, under a ticket of its own.
  Awaited await(const Digest& base) {
    return awaited_.enter(base, [this] { return ticket(); });
  }
  bool is_awaited(const Digest& base) { return awaited_.contains(base); }
  /// What happened to the subject since its ticket.
  Fate fate_of(const PurgeSubject& subject) const;
  /// A purge or an erasure of the URL came after the ticket, or a purge that may concern what the
  /// ticket brings. `url_key`: the text of its key.
  bool purged_since(const Digest& base, std::string_view url_key, Ticket ticket) const;

  /// Of the last purge by tag, prefix or of everything: an index entry that says so was tested. One
  /// load.
  uint32_t stamp() const { return predicates_.stamp(); }
  /// One is remembered that may concern a record.
  bool has_predicates() const { return predicates_.size() > 0 || predicates_.kill_floor() > 0; }
  uint64_t newest_predicate() const { return predicates_.newest(); }
  /// What those purges did to a record that an index entry says was tested up to `checked`. The
  /// stamp to write there is in the Fate.
  Fate test(const FiledSubject& subject, uint32_t checked) const;
  /// Tests a record that is found in the index at `location`, and does to its entry what is due:
  /// takes it out, or marks it, and counts it. An older version that may come back at a start when
  /// it is taken out is erased. The caller holds a Pin of its slab; `key` has the whole digest.
  Fate settle(Index& index, const EntryKey& key, const Location& location, uint32_t checked,
              const FiledSubject& subject);
  /// How many records those purges took or made stale; see Store::swept().
  const MatchCounts& matches() const { return matches_; }
  /// The sweep has passed for all of them up to `seq`.
  void finish_sweep(uint64_t seq) {
    note_checked(seq);
    matches_.finish(seq);
  }
  /// Whether one of them since `seq` matches a record, so that a copy of it must not be published
  /// untested. For who copies records.
  bool matched_since(const PredicateSubject& subject, uint64_t seq) const;
  /// The last stamp that an index entry may have is so far behind that the next predicate could be
  /// mistaken for it. Before one is drawn then, all entries are made untested, begin_stamps() is
  /// called, and they are made so again, since what was put in between has a stamp from before;
  /// then note_checked() is told.
  bool stamps_run_out() const { return newest() - checked_.load() >= kStampsApart; }
  void begin_stamps();
  /// All index entries were tested up to `seq`, or are marked untested.
  void note_checked(uint64_t seq) { checked_.store(seq); }

  /// Draws the number of a purge and queues its journal entry. In force when it returns, but for
  /// what the index holds of a key, which is the caller's.
  uint64_t purge(const Predicate& predicate);
  /// The URL is erased. What is neither `stored` nor on its way leaves no trace: false, unless an
  /// earlier purge or erasure of it is still to be written.
  bool erase(const Digest& base, bool stored);
  /// A stored record is dropped, and older versions of it must not come back.
  void drop(const Digest& digest);
  /// The same of one record. Of a coding older versions may come back: their rid tells whether they
  /// are of use.
  void drop(const EntryKey& key);

  /// Pool. See PurgeJournal.
  base::Status commit(uint64_t seq) { return journal_.commit(seq); }
  bool needs_compaction() const { return journal_.needs_compaction(); }
  /// Purges up to `lowest_of_records` concern no record that is stored. They are forgotten.
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

  uint64_t draw_blank() REQUIRES(mutex_);

  /// A quarter of what 32 bits tell apart: which of two stamps is later is then beyond doubt.
  static constexpr uint64_t kStampsApart = uint64_t{1} << 30;

  mutable std::atomic<uint64_t> fetches_{0};  ///< the fetch_seq of the next ticket
  AwaitedTable awaited_;
  /// A sequence number is drawn and queued as one step under it: the journal relies on the order.
  base::Mutex mutex_{base::LockRank::kPurges};
  std::optional<PurgeTable> table_;  ///< set by begin()
  PredicateTable predicates_;
  MatchCounts matches_;
  bool has_loaded_ = false;  ///< the journal held purges by tag, prefix or of everything at start
  std::atomic<uint64_t> checked_{0};  ///< see note_checked()
  uint64_t begun_ = 0;                ///< the newest purge at the start
  PurgeJournal journal_;
};

}  // namespace perigee::cache_store

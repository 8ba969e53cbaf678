// Purges by tag, by prefix and of everything, as they are held against records: in force as soon as
// they are added, found out record by record.
//
// Each index entry says up to which predicate its record was tested, as the low 32 bits of a purge
// number (Staleness::checked). A hit compares that with stamp(), and only when they differ the
// record is tested. Equal means tested, because
//   - numbers are drawn once, so two of one run have the same low 32 bits only when 2^32 numbers
//   lie
//     between them, and no entry is ever that far behind: before that all are made untested
//     (PurgeLog::stamps_run_out);
//   - entries live in memory, so no stamp is ever compared with one of another run; what a start
//     finds is untested as long as the journal holds predicates;
//   - kUntested is no predicate's stamp: such a number is not drawn for one.
//
// Bounded: at limits::kPredicates, or limits::kPrefixShapes kinds of prefixes, the older half is
// folded. The hard ones of it become a purge of everything at the number of the last of them, the
// soft ones a soft purge of everything since the time of the first. So records that were not tested
// yet may be gone or stale that need not be, and no purge is lost.
//
// Thread-safe. Readers take a snapshot and hold no lock while they test.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "base/mutex.h"
#include "cache_store/key_prefix.h"
#include "cache_store/predicate_subject.h"
#include "cache_store/purge_journal.h"
#include "cache_store/store.h"

namespace perigee::cache_store {

class PredicateTable {
 public:
  using Entry = PurgeJournal::Entry;
  /// Of an index entry: its record is tested against all purges since its own fetch began.
  static constexpr uint32_t kUntested = UINT32_MAX;

  /// What the predicates since a purge number did to a record.
  struct Verdict {
    bool removed = false;
    bool stale = false;
    int64_t stale_since_ms = 0;  ///< of the first soft one
    uint64_t by = 0;             ///< the predicate that counts: a hard one, else the first soft one
    uint64_t newest = 0;         ///< all up to this one were tested
  };

  /// At start: `loaded`, the journal's entries, and none of this run; `newest`: the number that the
  /// run begins with.
  void begin(uint64_t newest, std::span<const Entry> loaded);
  /// In force when it returns. CHECK: its number is above all before, and may_stamp() it.
  void add(const Entry& entry);
  /// There is no predicate between newest() and `seq`, which is the newest from now on. CHECK: its
  /// stamp is another one.
  void advance(uint64_t seq);
  /// Predicates up to `seq` concern no record any more.
  void forget(uint64_t seq);

  /// The last predicate, or what begin() or advance() was told.
  uint64_t newest() const { return newest_.load(std::memory_order_acquire); }
  uint32_t stamp() const { return static_cast<uint32_t>(newest()); }
  /// A number that a predicate may have.
  static bool may_stamp(uint64_t seq) { return static_cast<uint32_t>(seq) != kUntested; }
  /// The number that a stamp stands for, which is at most `newest` and less than 2^32 behind it.
  static uint64_t seq_of(uint32_t stamp, uint64_t newest) {
    return newest - static_cast<uint32_t>(static_cast<uint32_t>(newest) - stamp);
  }
  /// Whether an entry was not tested yet against the predicate `target`, which has such a stamp.
  static bool is_behind(uint32_t checked, uint32_t target) {
    return checked == kUntested || static_cast<int32_t>(checked - target) < 0;
  }
  /// No lock is held while it compares. Microseconds at every bound.
  Verdict since(const PredicateSubject& subject, uint64_t seq) const;
  /// The same of a stamp, which is none of kUntested.
  Verdict since_stamp(const PredicateSubject& subject, uint32_t stamp) const;
  /// Whether one came since `seq` that may concern a record with this key and tags that nobody
  /// knows yet.
  bool may_match_since(std::string_view url_key, uint64_t seq) const;
  /// Records whose fetch began before this purge are gone.
  uint64_t kill_floor() const { return snapshot()->kill_floor; }
  /// How many are remembered one by one.
  size_t size() const;

 private:
  /// By kind, what it names, and number. Immutable once others see it.
  using Run = std::vector<Entry>;
  struct Snapshot {
    uint64_t newest = 0;
    uint64_t kill_floor = 0;
    uint64_t stale_floor = 0;
    int64_t stale_floor_ms = 0;
    uint64_t newest_tag = 0;
    std::shared_ptr<const Run> older = std::make_shared<const Run>();
    Run recent;                       ///< at most limits::kPredicatesRecent: copied at each purge
    std::vector<PrefixShape> shapes;  ///< of the prefixes in both

    Verdict since(const PredicateSubject& subject, uint64_t seq) const;
    void judge(const Entry& named, Verdict& verdict) const;
    void take(const Entry& entry);
    void fold_half();
    void settle(Run all);
    size_t size() const { return older->size() + recent.size(); }
    Run all() const;
  };
  std::shared_ptr<const Snapshot> snapshot() const {
    const base::MutexLock lock(mutex_);
    return snapshot_;
  }
  void publish(Snapshot&& next) REQUIRES(mutex_);

  mutable base::Mutex mutex_{base::LockRank::kPredicates};
  std::shared_ptr<const Snapshot> snapshot_ GUARDED_BY(mutex_) = std::make_shared<Snapshot>();
  std::atomic<uint64_t> newest_{0};
};

}  // namespace perigee::cache_store

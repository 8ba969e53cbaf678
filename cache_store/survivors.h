// Copies what is in use out of a slab that is about to be emptied, into main.
//
// One slab at a time, in small steps. Records are read and checked without the lock of the slabs;
// under it, each is appended and its entry moved, if the entry still is where it was. A put cannot
// come in between, since it takes the same lock. A purge or an erase can: then the entry does not
// move, and the journal says that the copy is dead, since it carries the number of the newest purge
// from before the entry was looked at. Purges by tag, prefix and of everything up to that number
// are found out before: the copy says that none of them concerns it.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <optional>
#include <vector>

#include "cache_store/health.h"
#include "cache_store/index.h"
#include "cache_store/purge_log.h"
#include "cache_store/record_reader.h"
#include "cache_store/record_writer.h"
#include "cache_store/slabs.h"

namespace perigee::cache_store {

/// A slab that is being emptied.
struct Victim {
  uint32_t slab = 0;
  Ring ring = Ring::kProbation;
  SlabContents contents;
  std::vector<format::TableEntry> table;
};

/// Counts since open. Written by the one thread that empties a slab, read by any.
struct SurvivorCounts {
  using Count = std::atomic<uint64_t>;
  Count bytes{0};        ///< that were copied
  Count promoted{0};     ///< records from probation, since they were used
  Count second_laps{0};  ///< records from probation, without a use
  Count damaged{0};      ///< records
  /// By ring: records that were there when their slab was to be emptied, and their uses until then,
  /// as far as they are counted.
  std::array<Count, format::kRings> laps{};
  std::array<Count, format::kRings> uses{};
};

/// Used by one thread at a time.
class Survivors {
 public:
  struct Parts {
    Index& index;
    PurgeLog& purges;
    Slabs& slabs;
    const RecordReader& reader;
    RecordWriter& writer;
    Health& health;
    SurvivorCounts& counts;
  };
  explicit Survivors(const Parts& parts);

  /// Decides what of the victim outlives it. `now_ms`: wall time.
  void choose(const Victim& victim, int64_t now_ms);
  /// Copies at least one record, until it has copied so many bytes. False: nothing is left to do.
  bool copy_some(const Victim& victim, uint64_t bytes);
  /// Something was copied since choose(). Then `copied_at()` says how many syncs had begun.
  bool has_copied() const { return copied_at_.has_value(); }
  uint64_t copied_at() const { return *copied_at_; }
  /// What was chosen is of no interest any more.
  void forget();

 private:
  struct Candidate {
    format::TableEntry entry{};
    unsigned uses = 0;  ///< 0: on its second lap
  };
  bool has_second_lap(const format::TableEntry& entry, const Standing& standing,
                      int64_t now_ms) const;
  void copy(const Victim& victim, const Candidate& candidate);
  bool is_wanted(const Candidate& candidate, const format::RecordHeader& header);
  bool is_of_head(const Digest& digest, uint64_t rid);
  std::optional<Standing> settle(const EntryKey& key, const Location& from);
  base::Status make_room(Slabs& slabs, uint64_t record_bytes) REQUIRES(slabs.mutex());
  uint64_t checked_purge(const format::RecordHeader& header, const EntryKey& key,
                         const Standing& standing, uint64_t newest) const;

  const Parts parts_;
  std::vector<Candidate> chosen_;  ///< the next one is the last
  std::optional<uint64_t> copied_at_;
  uint64_t credit_ = 0;       ///< bytes of main that may be copied
  uint64_t small_bytes_ = 0;  ///< below it, a record has a second lap
  std::vector<std::byte> bytes_;
};

}  // namespace perigee::cache_store

#include "cache_store/journal_keeper.h"

#include <algorithm>

namespace perigee::cache_store {

using base::ErrorCode;
using base::Status;

Status JournalKeeper::begin() {
  const base::MutexLock lock(slabs_.mutex());
  return purges_.needs_compaction() ? compact() : superblocks_.update([](auto&) {});
}

/// Purges that concern no record any more go; when many are left, the oldest of them become the
/// stale floor.
Status JournalKeeper::compact() {
  return purges_.compact(slabs_.lowest_purge_seq(), slabs_.draw_number(),
                         [&](const PurgeJournal::Half& half) {
                           return superblocks_.update([&](format::Superblock& next) {
                             next.journal_half = half.half;
                             next.journal_generation = half.generation;
                             next.journal_seq = half.seq;
                             next.stale_floor = std::max(next.stale_floor, half.folded);
                             next.incompat = half.predicates ? format::kPredicateUnits : 0;
                           });
                         });
}

Status JournalKeeper::commit(uint64_t seq) {
  Status status = purges_.commit(seq);
  // Full is full until somebody compacts it: this thread, or another since.
  while (!status.ok() &&
         (status.error().code == ErrorCode::kNoSpace || purges_.needs_compaction())) {
    const base::MutexLock lock(slabs_.mutex());
    if (purges_.needs_compaction()) {
      const Status compacted = compact();
      if (!compacted.ok()) return compacted;
    }
    status = purges_.commit(seq);
    if (!status.ok() && !purges_.needs_compaction()) break;
  }
  return status;
}

void JournalKeeper::tidy(const Status& committed) {
  Status written = committed;
  {
    const base::MutexLock lock(slabs_.mutex());
    if (purges_.needs_compaction()) written = compact();
  }
  tell_state(written);
}

void JournalKeeper::tell_state(const Status& last_write) {
  const bool bad = purges_.bad();
  if (was_bad_.exchange(bad) != bad) {
    health_.tell(bad ? "purges cannot be written" : "purges are written again");
    if (!last_write.ok()) health_.tell(last_write.error().message);
  }
  if ((superblocks_.current().journal_bad != 0) == bad) return;
  // When this fails too, the next step tries again.
  (void)superblocks_.update([&](format::Superblock& next) { next.journal_bad = bad ? 1 : 0; });
}

}  // namespace perigee::cache_store

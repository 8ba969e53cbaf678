#include "cache_store/sweeper.h"

#include <optional>

#include "base/check.h"
#include "base/limits.h"

namespace perigee::cache_store {

namespace limits = base::limits;

void Sweeper::begin(bool tested) {
  const base::MutexLock lock(mutex_);
  done_ = tested ? parts_.purges.newest_predicate() : 0;
}

void Sweeper::step(const StepBudget& budget) {
  const base::MutexLock lock(mutex_);
  if (!running_) {
    target_ = parts_.purges.newest_predicate();
    if (target_ <= done_) return;
    running_ = true;
    shard_ = from_ = 0;
  }
  const auto target = static_cast<uint32_t>(target_);
  const auto is_behind = [&](uint32_t checked) {
    return PredicateTable::is_behind(checked, target);
  };
  read_ = 0;
  size_t shards = 0;
  for (size_t records = 0;
       records < limits::kSweepRecords && shards < limits::kSweepShards && read_ < budget.bytes;) {
    batch_.clear();
    parts_.index.find_behind(
        shard_, from_, limits::kSweepBatch, is_behind,
        [&](const Location& location) { return parts_.slabs.pin(location.slab); }, batch_);
    for (const Index::Behind& entry : batch_) look_at(entry);
    records += batch_.size();
    if (!batch_.empty()) continue;
    from_ = 0;
    ++shards;
    if (++shard_ < Index::kShards) continue;
    running_ = false;
    done_ = target_;
    parts_.purges.finish_sweep(target_);
    break;
  }
  batch_.clear();
}

/// Afterwards the entry is tested, or it is another one, or none.
void Sweeper::look_at(const Index::Behind& entry) {
  RecordReader::Filed filed;
  const RecordReader::Condition condition =
      parts_.reader.read_filed(entry.location, buffer_, filed);
  read_ += buffer_.size();
  if (condition == RecordReader::Condition::kGood) {
    const EntryKey key{filed.digest, filed.subject.slot};
    if (Index::same_place(key, entry.key)) {
      parts_.purges.settle(parts_.index, key, entry.location, entry.checked, filed.subject);
      return;
    }
  }
  parts_.bad.drop({digest_of(entry), entry.key.slot}, entry.location);
}

/// Of a record that does not tell its own. What its slab's table does not tell either is at least
/// found in the index.
Digest Sweeper::digest_of(const Index::Behind& entry) const {
  const std::optional<Recovery::ScannedSlab> slab = parts_.recovery.read_slab(entry.location.slab);
  if (!slab) return entry.key.digest;
  for (const format::TableEntry& filed : slab->table) {
    const Digest digest{filed.digest_lo, filed.digest_hi};
    const bool same = filed.offset64 == entry.location.offset64 &&
                      Index::same_place({digest, filed.slot}, entry.key);
    if (same) return digest;
  }
  return entry.key.digest;
}

}  // namespace perigee::cache_store

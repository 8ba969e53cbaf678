#include "cache_store/purge_table.h"

#include "base/check.h"

namespace perigee::cache_store {

uint64_t PurgeTable::add(const Digest& digest, bool soft, int64_t time_ms) {
  const base::MutexLock lock(mutex_);
  const uint64_t seq = newest_.load(std::memory_order_relaxed) + 1;
  CHECK(oldest_known_ < seq);
  Entry& entry = ring_[seq % kRemembered];
  // What is overwritten was the oldest that could still be named.
  if (entry.seq != 0) oldest_known_ = entry.seq;
  entry = {digest, seq, time_ms, soft};
  newest_.store(seq, std::memory_order_release);
  return seq;
}

PurgeTable::Verdict PurgeTable::since(const Digest& digest, Ticket ticket) const {
  if (ticket.purge_seq == newest()) return {};
  const base::MutexLock lock(mutex_);
  CHECK(ticket.purge_seq <= newest());
  Verdict verdict;
  if (ticket.purge_seq < oldest_known_) {
    verdict.removed = true;
    return verdict;
  }
  for (uint64_t seq = newest_.load(std::memory_order_relaxed); seq > ticket.purge_seq; --seq) {
    const Entry& entry = ring_[seq % kRemembered];
    if (!(entry.digest == digest)) continue;
    if (!entry.soft) {
      verdict.removed = true;
      return verdict;
    }
    if (!verdict.stale) {
      verdict.last_ms = entry.time_ms;
      verdict.last_seq = seq;
    }
    verdict.stale = true;
    verdict.stale_since_ms = entry.time_ms;
  }
  return verdict;
}

}  // namespace perigee::cache_store

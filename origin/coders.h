// When what is stored is coded: a fast coding soon after a fill, in the codings that clients ask
// for, and the best one for what is asked for again and again. What an origin has ready is taken
// before anything is encoded, in each coding that may be sent.
//
// Each loop has one job under way at most, and rests after it, so that coders take no more than a
// share of a core. Nobody waits for a coder; what finds no place is asked for again by a later
// request.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/env.h"
#include "cache_store/store.h"
#include "http/content_coding.h"
#include "origin/coding_job.h"

namespace perigee::origin {

/// What is told of coders, for counters. Any loop.
class CodingObserver {
 public:
  virtual ~CodingObserver() = default;
  virtual void on_coded(const CodingOutcome& outcome) = 0;
};

/// Shared by all loops; outlives them.
struct CoderShared {
  cache_store::Store& store;
  CodingObserver& observer;
  unsigned cpu_percent = 0;  ///< of one core per loop; 0: nothing is encoded
  CpuClock cpu_clock;
};

/// Which object, and where its codings may lie ready. For one call: it keeps nothing.
struct CodedObject {
  std::string_view key;
  const cache_store::Digest& base;
  const PrecodedPtr& precoded;
  std::string_view target;  ///< that the origin is asked for
};

/// Of one loop; its thread only.
class Coders {
 public:
  Coders(const CoderShared& shared, base::Env& env);

  /// In which coding alone a response of `bytes` bytes is to be kept, since the store is short and
  /// its client takes it. nullopt: as it came. `flags`: of its policy.
  std::optional<http::Coding> coding_to_keep(uint32_t flags, uint64_t bytes,
                                             const http::AcceptedCodings& accepted) const;
  /// `record` was stored; the client that had it fetched takes `accepted` of what the site offers.
  void on_stored(const CodedObject& object, const cache_store::RecordView& record,
                 http::CodingSet offered, const http::AcceptedCodings& accepted);
  /// A client that takes `accepted` was answered with what `found` holds.
  void on_hit(const CodedObject& object, const cache_store::Found& found,
              const http::AcceptedCodings& accepted);

 private:
  /// What could be coded, and how much it was asked for.
  struct Wish {
    CodingTask task;
    uint64_t object_bytes = 0;
    uint64_t number = 0;  ///< in the order of their coming
    uint64_t heat = 0;    ///< requests that it would have served
  };
  using Wishes = std::unordered_map<uint64_t, Wish>;

  static uint64_t id_of(uint64_t rid, http::Coding coding, CodingWay way);
  /// Of the object of such an id: of no coding of it.
  static uint64_t object_of(uint64_t id) { return id | 31; }
  /// What is to be done, and whether a client is there that takes it.
  struct Making {
    http::Coding coding;
    CodingWay way;
    bool wanted = false;
  };
  void want(const CodedObject& object, const cache_store::RecordView& record, Making making);
  /// What a client likes besides `other`, where it lies ready.
  void want_ready(const CodedObject& object, const cache_store::RecordView& record,
                  http::CodingSet liked, http::Coding other);
  /// Room for one more: what is asked for seldom is forgotten.
  void make_room();
  bool is_settled(uint64_t id) const { return settled_[id % settled_.size()] == id; }
  void settle(uint64_t id) { settled_[id % settled_.size()] = id; }
  /// Nothing can be made of it.
  void settle_object(uint64_t id);
  void start_next();
  Wishes::iterator next();
  void on_done(uint64_t id, CodingWay way, const CodingOutcome& outcome);

  const CoderShared& shared_;
  const unsigned share_percent_;  ///< of one core, that jobs take
  base::Env& env_;
  Wishes wishes_;
  uint64_t wished_ = 0;
  /// What need not be tried again, by a hash: a later one takes its place.
  std::vector<uint64_t> settled_;
  base::Pending job_;
  uint64_t running_ = 0;  ///< of `job_`
  base::Timer rest_timer_;
  int64_t rest_us_ = 0;  ///< that is owed still, below a millisecond
};

}  // namespace perigee::origin

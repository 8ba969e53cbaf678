// Makes one coding of a stored object and puts it beside the object: encoded, decoded again and
// compared, and kept only if it is shorter by a share that is worth a record. Where the origin has
// the coding ready, that is decoded and compared instead, and nothing is encoded. What the origin
// sent coded is decoded first, in memory; that is also how its identity is made. And where the
// store is short, an object whose coding is there gives its body away, and is a shell from then on.
#pragma once

#include <atomic>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/env.h"
#include "base/fn.h"
#include "cache_store/store.h"
#include "http/coding/encoder.h"
#include "http/content_coding.h"
#include "origin/precoded.h"
#include "origin/verified_coding.h"

namespace perigee::origin {

/// How a coding comes about.
enum class CodingWay : uint8_t {
  kReady,  ///< only if the origin has it ready: nothing is encoded
  kFast,   ///< else it is encoded fast
  kBest,   ///< else it is encoded with the most effort
  kDrop,   ///< it is there: the object becomes a shell
};

/// Which coding of which object.
struct CodingTask {
  std::string key;
  cache_store::Digest base;  ///< of the URL's own key
  uint64_t rid = 0;
  http::Coding coding = http::Coding::kZstd;
  CodingWay way = CodingWay::kFast;
  bool wanted = false;  ///< a client was there that takes it
  PrecodedPtr precoded;
  std::string target;    ///< that the origin is asked for; of use only with `precoded`
  int64_t begun_ms = 0;  ///< wall clock
};

/// What became of it.
struct CodingOutcome {
  enum Kind : uint8_t {
    kStored,
    kPresent,      ///< another loop has made it meanwhile
    kDropped,      ///< the object's body went, and its codings stay
    kNotWorthIt,   ///< not enough shorter
    kNotReady,     ///< the origin does not have it ready, and nothing was to be encoded
    kGone,         ///< its object is another one by now, or may not be replaced
    kNoRoom,       ///< the store had none
    kTooSlow,      ///< more CPU than one job may take
    kStopped,      ///< the process ends
    kFailed,       ///< a library failed, or what it made does not decode to the object
    kUndecodable,  ///< what the origin coded is not what it says, or blows up
  };
  Kind kind = kGone;
  uint64_t object_bytes = 0;
  uint64_t coded_bytes = 0;  ///< 0 unless kStored
  bool dropped = false;      ///< kStored, and the object's body went
  int64_t cpu_us = 0;
  bool was_ready = false;  ///< kStored, and the origin had it ready
  std::string not_coding;  ///< what the origin has in its place and does not decode to the object
  // Of kUndecodable alone.
  std::string key;                              ///< of the object
  http::Coding sent = http::Coding::kIdentity;  ///< in which it is, says the origin
  Verified wrong = Verified::kMade;             ///< why it is not
};

/// Microseconds of CPU that the calling thread has used.
using CpuClock = int64_t (*)();

/// A job of the background lane. Owns all it touches.
class CodingJob final : public base::Job {
 public:
  using OnDone = base::Fn<void(const CodingOutcome& outcome)>;

  CodingJob(cache_store::Store& store, CodingTask task, CpuClock cpu_clock, OnDone done)
      : store_(store), task_(std::move(task)), cpu_clock_(cpu_clock), done_(std::move(done)) {}

  void work(const std::atomic<bool>& stop) noexcept override;
  void done() noexcept override { done_(outcome_); }

 private:
  CodingOutcome::Kind code(const std::atomic<bool>& stop);
  CodingOutcome::Kind find_identity(const cache_store::RecordView& object,
                                    const std::atomic<bool>& stop,
                                    std::span<const std::byte>& identity,
                                    std::vector<std::byte>& decoded);
  CodingOutcome::Kind decode_sent(http::Coding sent, std::span<const std::byte> coded,
                                  const std::atomic<bool>& stop, std::vector<std::byte>& decoded);
  CodingOutcome::Kind make(std::span<const std::byte> body, const std::atomic<bool>& stop,
                           std::vector<std::byte>& coded);
  bool find_ready(std::span<const std::byte> body, std::vector<std::byte>& coded);
  template <typename Work>
  CodingOutcome::Kind within_bounds(const std::atomic<bool>& stop, CodingOutcome::Kind failed,
                                    Work work) const;
  CodingOutcome::Kind put(const cache_store::RecordView& object, std::span<const std::byte> coded,
                          const cache_store::Ticket& ticket) const;
  CodingOutcome::Kind drop_body(const cache_store::RecordView& object) const;
  http::Effort effort() const;
  std::optional<CodingOutcome::Kind> bounds(const std::atomic<bool>& stop) const;
  int64_t cpu_us() const { return cpu_clock_() - begun_us_; }

  cache_store::Store& store_;
  const CodingTask task_;
  const CpuClock cpu_clock_;
  OnDone done_;
  int64_t begun_us_ = 0;
  CodingOutcome outcome_;
};

}  // namespace perigee::origin

// What is to be coded, and what became of it.
#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"
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

/// What is spent on it, if it is encoded. Nothing better than the identity will come.
inline http::Effort effort_of(const CodingTask& task) {
  const bool best = task.way == CodingWay::kBest || task.coding == http::Coding::kIdentity;
  return best ? http::Effort::kBest : http::Effort::kFast;
}

/// What became of it.
struct CodingOutcome {
  enum Kind : uint8_t {
    kStored,
    kPresent,      ///< another loop has made it meanwhile
    kDropped,      ///< the object's body went, and its codings stay
    kNotWorthIt,   ///< not enough shorter
    kNotReady,     ///< the origin does not have it ready, and nothing was to be encoded
    kGone,         ///< its object is another one by now, or may not be replaced
    kIncomplete,   ///< a fragment of the object, or of what the origin coded, is not there
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

/// What a put that failed makes of it.
inline CodingOutcome::Kind kind_of(const base::Error& error) {
  return error.code == base::ErrorCode::kNoSpace ? CodingOutcome::kNoRoom : CodingOutcome::kGone;
}

}  // namespace perigee::origin

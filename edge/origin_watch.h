// Tells the operator of an origin that does not answer, and, once per origin, of what it says and
// surely does not mean.
#pragma once

#include <array>
#include <atomic>
#include <functional>
#include <string>
#include <string_view>

#include "edge/metrics.h"
#include "edge/told_once.h"
#include "http/policy.h"
#include "http/stand_in.h"
#include "origin/fetch.h"

namespace perigee::edge {

/// One per site. Every response's head of its origin passes it, and every failure. Any loop.
class OriginWatch {
 public:
  /// Logs a sentence.
  using Warn = void (*)(std::string_view sentence);

  /// `site` names it in the log.
  OriginWatch(std::string_view site, Metrics& metrics, Warn warn)
      : site_(site), metrics_(metrics), warn_(warn) {}

  /// `policy` is that of the request.
  void on_head(const http::ReceivedResponse& head, const http::ResponseTimes& times,
               const http::PolicyOptions& policy);

  /// What the origin answered for `target` is not served as it is (http/stand_in.h): counted, and a
  /// page in place of an asset is told once per path.
  void on_stand_in(http::StandIn why, std::string_view target);

  /// What came for `target` is not what the origin says of it in a digest field: counted, and told
  /// once per path.
  void on_wrong_digest(std::string_view target);

  /// No whole response came. The log gets the reason, which clients are not told: of each kind one
  /// line in kFailureLogMs, which says how many came before it unsaid.
  void on_failure(const origin::FetchError& error, base::Tick now);

 private:
  /// Of one kind.
  struct Failures {
    std::atomic<int64_t> quiet_until_ms{0};
    std::atomic<uint64_t> unsaid{0};
  };
  void tell(std::string_view what);

  const std::string site_;
  Metrics& metrics_;
  const Warn warn_;
  std::atomic<bool> late_date_told_{false};
  std::atomic<bool> semicolon_told_{false};
  std::atomic<bool> cors_told_{false};
  ToldOnce pages_told_;
  ToldOnce digests_told_;
  std::array<Failures, origin::FetchError::kKinds> failures_;
};

}  // namespace perigee::edge

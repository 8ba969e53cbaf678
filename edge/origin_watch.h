// Tells the operator of an origin that does not answer and, once per site, of what its origin says
// and surely does not mean.
#pragma once

#include <array>
#include <atomic>
#include <string_view>
#include <vector>

#include "edge/config.h"
#include "edge/metrics.h"
#include "http/policy.h"
#include "origin/fetch.h"

namespace perigee::edge {

/// Every response's head of every origin passes it, and every failure. Any loop.
class OriginWatch {
 public:
  /// Logs a sentence.
  using Warn = void (*)(std::string_view sentence);

  OriginWatch(const Config& config, Metrics& metrics, Warn warn)
      : config_(config), metrics_(metrics), warn_(warn), told_(config.sites.size()) {}

  /// `site` is the place of the origin's site in the configuration, `policy` that of the request.
  void on_head(size_t site, const http::ReceivedResponse& head, const http::ResponseTimes& times,
               const http::PolicyOptions& policy);

  /// No whole response came. The log gets the reason, which clients are not told: of a site and
  /// kind one line in kFailureLogMs, which says how many came before it unsaid.
  void on_failure(size_t site, const origin::FetchError& error, base::Tick now);

 private:
  /// Of one site and kind.
  struct Failures {
    std::atomic<int64_t> quiet_until_ms{0};
    std::atomic<uint64_t> unsaid{0};
  };
  /// Of one site: what was said of it before.
  struct Told {
    std::atomic<bool> late_date{false};
    std::atomic<bool> semicolon{false};
    std::array<Failures, origin::FetchError::kKinds> failures;
  };
  void tell(size_t site, std::string_view what);

  const Config& config_;
  Metrics& metrics_;
  const Warn warn_;
  std::vector<Told> told_;
};

}  // namespace perigee::edge

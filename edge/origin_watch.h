// Tells the operator, once an origin, of what the origin says and surely does not mean.
#pragma once

#include <atomic>
#include <string_view>
#include <vector>

#include "edge/config.h"
#include "edge/metrics.h"
#include "http/policy.h"

namespace perigee::edge {

/// Every response's head of every origin passes it. Any loop.
class OriginWatch {
 public:
  /// Logs a sentence.
  using Warn = void (*)(std::string_view sentence);

  OriginWatch(const Config& config, Metrics& metrics, Warn warn)
      : config_(config), metrics_(metrics), warn_(warn), told_(config.sites.size()) {}

  /// `site` is the place of the origin's site in the configuration, `policy` that of the request.
  void on_head(size_t site, const http::ReceivedResponse& head, const http::ResponseTimes& times,
               const http::PolicyOptions& policy);

 private:
  /// Of one site: what was said of it before.
  struct Told {
    std::atomic<bool> late_date{false};
    std::atomic<bool> semicolon{false};
  };
  void tell(size_t site, std::string_view what);

  const Config& config_;
  Metrics& metrics_;
  const Warn warn_;
  std::vector<Told> told_;
};

}  // namespace perigee::edge

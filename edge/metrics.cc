#include "edge/metrics.h"

namespace perigee::edge {

std::string Metrics::summary() const {
  uint64_t hits = 0;
  uint64_t forwarded = 0;
  uint64_t refused = 0;
  for (unsigned i = 0; i < count_; ++i) {
    hits += loops_[i].hits.load(std::memory_order_relaxed);
    refused += loops_[i].refused.load(std::memory_order_relaxed);
    for (const auto& forward : loops_[i].forwards) {
      forwarded += forward.load(std::memory_order_relaxed);
    }
  }
  return std::to_string(hits) + " hits, " + std::to_string(forwarded) + " forwarded, " +
         std::to_string(refused) + " refused, " + std::to_string(fills_.load()) + " fills, " +
         std::to_string(stored_.load()) + " stored, " + std::to_string(fill_failures_.load()) +
         " failed, " + std::to_string(origin_failures()) + " failures of origins, " +
         std::to_string(late_dates()) + " with an old Date, " + std::to_string(semicolons()) +
         " with a semicolon in Cache-Control";
}

}  // namespace perigee::edge

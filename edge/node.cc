#include "edge/node.h"

#include <algorithm>

namespace perigee::edge {

namespace limits = base::limits;

Node::Node(const Config& config, cache_store::Store& store, Metrics& metrics, AccessLog& access_log,
           origin::CpuClock cpu_clock, CodingWatch::Warn warn)
    : store_(store),
      warms_store_(config.store.warm),
      metrics_(metrics),
      access_log_(access_log),
      fill_budget_(std::max<size_t>(
          std::min<size_t>(limits::kFillBytes, config.store.size_bytes / 4), limits::kMiB)),
      fills_({store_, fill_budget_, *this}),
      codings_(metrics, warn),
      coders_{store_, codings_, config.coding_cpu_percent, cpu_clock} {
  http1_.request_line_bytes = config.request_line_bytes;
  http1_.head_ms = config.head_ms;
  http1_.idle_ms = config.idle_ms;
}

}  // namespace perigee::edge

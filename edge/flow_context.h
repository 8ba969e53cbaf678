// What request flows of one loop work with. References only; the worker owns or borrows all of it.
#pragma once

#include <memory>
#include <vector>

#include "base/env.h"
#include "cache_store/store.h"
#include "edge/access_log.h"
#include "edge/config.h"
#include "edge/metrics.h"
#include "edge/origin_watch.h"
#include "origin/fills.h"
#include "origin/stored_record.h"

namespace perigee::edge {

struct FlowContext {
  base::Env& env;
  cache_store::Store& store;
  origin::Fills& fills;
  const Config& config;
  const std::vector<std::unique_ptr<origin::Origin>>&
      origins;  ///< one per site, in the order of the sites
  LoopMetrics& metrics;
  AccessLog& access_log;
  OriginWatch& origin_watch;
};

}  // namespace perigee::edge

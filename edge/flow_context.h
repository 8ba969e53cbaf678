// What request flows of one loop work with. References only; the worker owns or borrows all of it.
#pragma once

#include "base/env.h"
#include "cache_store/store.h"
#include "edge/access_log.h"
#include "edge/metrics.h"
#include "edge/snapshot.h"
#include "origin/coders.h"
#include "origin/fills.h"
#include "origin/stored_record.h"

namespace perigee::edge {

struct FlowContext {
  base::Env& env;
  cache_store::Store& store;
  origin::Fills& fills;
  origin::Coders& coders;
  const LoopSitesPtr& sites;  ///< that new requests follow; the worker may put others there
  LoopMetrics& metrics;
  AccessLog& access_log;
};

}  // namespace perigee::edge

// An origin behind http:// or https://: pooled connections, permits of the process, names resolved
// and kept.
#pragma once

#include <memory>

#include "base/budget.h"
#include "origin/fetch.h"

namespace perigee::origin {

/// Permits for connections to one origin, counted for the process. Idle ones hold theirs, and give
/// way when somebody waits.
using OriginGate = base::Budget;

class ResolverCache;

/// `options`, `gate` and `names` outlive it. `names` belongs to the same loop.
std::unique_ptr<Origin> make_http_origin(const HttpOriginOptions& options, OriginGate& gate,
                                         ResolverCache& names, base::Env& env);

}  // namespace perigee::origin

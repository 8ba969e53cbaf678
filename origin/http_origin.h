// An origin behind http:// or https://: pooled connections, permits of the process, names resolved
// and kept.
#pragma once

#include <memory>

#include "origin/fetch.h"
#include "origin/origin_gate.h"

namespace perigee::origin {

class ResolverCache;

/// `options`, `gate` and `names` outlive it. `names` belongs to the same loop.
std::unique_ptr<Origin> make_http_origin(const HttpOriginOptions& options, OriginGate& gate,
                                         ResolverCache& names, base::Env& env);

}  // namespace perigee::origin

// Whether the origins of a configuration are there, before a store is made for them.
#pragma once

#include <string>

#include "base/result.h"
#include "edge/config.h"
#include "edge/doors/thread_pool.h"

namespace perigee::edge {

/// Resolves the names of all origins at once; blocks for limits::kResolveMs at most. Each that
/// cannot be resolved is warned of. An error: not one origin of the configuration can be found, be
/// it a name or a folder, so that a store would be made for nothing.
base::Status check_origins(const Config& config, ThreadPool& pool);

}  // namespace perigee::edge

// The node as a process: opens the store, listens, runs a worker a thread, and stops in order.
#pragma once

#include <memory>

#include "base/result.h"
#include "edge/config.h"

namespace perigee::edge {

/// Serves until SIGTERM or SIGINT (drain), or a second one (at once). Prints one line per address
/// on stdout when ready. Errors are those that keep it from starting. Whatever hangs, the end comes
/// within kStopMs of the drain's: the process ends then with status 1. The caller ends the log.
base::Status run_server(const Config& config);

}  // namespace perigee::edge

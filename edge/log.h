// The operator's log: one line an event, on stderr, off the loops.
#pragma once

#include <string_view>

namespace perigee::edge {

/// Once, at start. `level`: debug, info, warning or error.
void start_log(std::string_view level);
void log_info(std::string_view sentence);
void log_warning(std::string_view sentence);

}  // namespace perigee::edge

// The operator's log: one line an event, on stderr, off the loops; and what is printed at start.
//
// Nobody need read either: stderr or stdout may be a pipe that is full. Then lines are dropped, and
// neither start nor end waits for longer than kLogFlushMs.
#pragma once

#include <string>
#include <string_view>

namespace perigee::edge {

/// Once, at start. `level`: debug, info, warning or error.
void start_log(std::string_view level);
void log_info(std::string_view sentence);
void log_warning(std::string_view sentence);
/// Writes what is queued, the access log too; nothing is logged afterwards. False: nobody takes it
/// within kLogFlushMs. The process can then end by _Exit() alone: a thread is caught in a write.
bool stop_log();

/// Writes the text to a descriptor, past all buffers; waits for at most kLogFlushMs.
void print(int fd, std::string text);

}  // namespace perigee::edge

// What `perigeectl store` does: verify, dump and stat, as text for people and their scripts.
#pragma once

#include <cstdint>
#include <string>

namespace perigee::tools {

enum class Command : uint8_t { kVerify, kDump, kStat };

/// Prints to stdout, and to stderr why it cannot. Returns the exit status: 0 whole, 1 damaged, 2
/// the file cannot be read or the output not be written. `all`: dump dead records too.
int run_store_command(Command command, const std::string& path, bool all);

}  // namespace perigee::tools

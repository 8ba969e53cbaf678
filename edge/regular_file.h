// Files that an operator names: a name may be that of a FIFO, a device or a folder, too.
#pragma once

#include <cstddef>
#include <string>

#include "base/result.h"

namespace perigee::edge {

/// OK: a regular file stands there. The error is a sentence with the path: errno's text, or what it
/// is instead (then kInvalid). Opens nothing.
base::Status check_regular_file(const std::string& path);

/// The folder in which a file will be made: its own, or the nearest above that is there already.
std::string folder_for(const std::string& path);

/// All of a regular file of at most `most` bytes. Never waits for a FIFO or a device, and holds
/// `most` bytes at most. Errors name the path.
base::Result<std::string> read_regular_file(const std::string& path, size_t most);

}  // namespace perigee::edge

// Reads a configuration: all keys, and every mistake with its place.
#pragma once

#include <string>

#include "edge/config.h"
#include "edge/config_values.h"

namespace perigee::edge {

/// Relative folders are below `folder`. Nothing but certificates' files is looked at on the disk.
ReadConfig read_config_text(const ConfigText& text, const std::string& folder);

/// A file, without what the command line adds.
ReadConfig read_config_file(const std::string& path);

}  // namespace perigee::edge

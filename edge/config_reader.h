// Reads the TOML file: every key known, every value checked, mistakes named with their place.
#pragma once

#include <string>

#include "base/result.h"
#include "edge/config.h"

namespace perigee::edge {

/// kInvalid with "FILE:LINE:COLUMN: what is wrong". Nothing is opened but the file.
base::Result<Config> read_config_file(const std::string& path);

}  // namespace perigee::edge

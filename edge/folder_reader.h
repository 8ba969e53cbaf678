// Reads the table `folder` of a site whose origin is a folder.
#pragma once

#include "edge/config_values.h"
#include "origin/folder_options.h"

namespace perigee::edge {

/// Mistakes are told to `reader`.
void read_folder_table(ConfigValues& reader, const toml::table& table,
                       origin::DirectoryOriginOptions& options);

}  // namespace perigee::edge

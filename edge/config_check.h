// What a configuration meets on this machine: folders, files, room on the disk. For --check, which
// starts nothing.
#pragma once

#include "edge/config.h"

namespace perigee::edge {

/// Adds to the problems of a configuration that was read without errors what a start would meet:
/// origins that are no folders, a store or an access log that cannot be written, a size that no
/// store can have; and as a warning, a disk that is too small and an origin that is the node
/// itself. Makes no file, locks none, and asks nothing over the network.
void check_surroundings(ReadConfig& read);

}  // namespace perigee::edge

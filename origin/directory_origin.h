// A local folder served as an origin: what makes `perigee --origin dir:public` need no second
// server.
//
// It answers GET, HEAD and OPTIONS as a careful static server would: Content-Type by name,
// Last-Modified, an ETag that is equal on all nodes, conditions judged, index files, clean URLs,
// redirects, a page for what is not there; ranges are left to the cache. The folder is opened anew
// for each request, so a deployment is seen at once and no answer mixes two. While there is no
// folder, the origin cannot be reached. It never leaves the folder unless its links may, serves
// regular files only, and nothing of which a segment begins with a dot (.git, .env, editors'
// leftovers) but /.well-known/: 404. A file that is written to while it is read is cut, not mixed.
// Reads happen on the pool.
#pragma once

#include <memory>

#include "origin/fetch.h"
#include "origin/shared_folder.h"

namespace perigee::origin {

/// For one loop; `folder` may be shared by loops.
std::unique_ptr<Origin> make_directory_origin(std::shared_ptr<SharedFolder> folder, base::Env& env);

}  // namespace perigee::origin

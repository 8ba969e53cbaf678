// A local folder served as an origin: what makes `perigee --origin dir:public` need no second
// server.
//
// It answers GET, HEAD and OPTIONS as a careful static server would: Content-Type by name,
// Last-Modified, a strong ETag, conditions judged, index.html, a folder without its slash
// redirected; ranges are left to the cache. It never leaves the folder, serves regular files only,
// and nothing of which a segment begins with a dot (.git, .env, editors' leftovers) but
// /.well-known/: 404. A file that is written to while it is read is cut, not mixed. Reads happen on
// the pool.
#pragma once

#include <memory>
#include <string>

#include "origin/fetch.h"
#include "origin/folder_io.h"

namespace perigee::origin {

struct DirectoryOriginOptions {
  std::string path;                          ///< of the folder, absolute
  std::string cache_control = "max-age=10";  ///< http-rules 3.10
};

/// `folder` and `options` outlive it; `folder` may be shared by loops.
std::unique_ptr<Origin> make_directory_origin(const DirectoryOriginOptions& options,
                                              FolderIo& folder, base::Env& env);

}  // namespace perigee::origin

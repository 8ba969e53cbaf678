// A local folder served as an origin: what makes `perigee --origin dir:public` need no second
// server.
//
// It answers GET and HEAD as a careful static server would (Content-Type, Last-Modified, strong
// ETag, index.html, ranges left to the cache) and never leaves the folder. Reads happen on the
// pool.
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

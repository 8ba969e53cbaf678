// Which file of a folder a request means: index files, clean URLs, the page for what is not there.
//
// Everything is looked for beneath one opened folder, so no answer mixes two releases of a site.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "origin/folder_io.h"
#include "origin/folder_options.h"

namespace perigee::origin {

struct FolderFound {
  enum Kind : uint8_t {
    kFile,       ///< `file`, whose name is `path`
    kRedirect,   ///< to `path`
    kNothing,    ///< 404
    kForbidden,  ///< 403
    kBroken,     ///< the file system cannot say: 500
  } kind = kNothing;
  std::string path;  ///< relative to the folder
  std::unique_ptr<FolderFile> file;
  bool instead = false;  ///< the file is the page for what is not there: 404
};

/// What of a site says which file a path means. References only.
struct FolderRules {
  const DirectoryOriginOptions& options;
  const MediaTypes& types;
};

/// Looks for what the target of a GET or HEAD means. In this order: the file of that name; with
/// clean_urls, the file of that name and `.html`; a redirect to the folder of that name, if it has
/// an index; for a target that ends in a slash, the folder's index, or with clean_urls a redirect
/// to the page of that name; the fallback, for paths that may be a page's; the page for what is not
/// there. What was found by a path with empty segments is a redirect to the path without them.
/// Nothing hidden is ever looked for. Blocking.
FolderFound find_in_folder(FolderIo& folder, const FolderRules& rules, std::string_view target);

}  // namespace perigee::origin

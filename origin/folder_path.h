// The path of a request as a folder reads it, and back again into a Location. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace perigee::origin {

struct FolderPath {
  std::string text;     ///< "docs/a.html", "docs/", "": no first slash, no empty segment
  bool merged = false;  ///< empty segments were left out
};
/// Percent-decoded once, without the query. nullopt: not an absolute path, malformed, or a byte
/// that no file name has.
std::optional<FolderPath> read_folder_path(std::string_view target);

/// A segment begins with a dot (.git, .env, `..`), and is not the first one of /.well-known/.
bool is_hidden(std::string_view path);

/// The reference to a path of a FolderPath, with the query of `target`: an absolute path, encoded,
/// and never the beginning of a host.
std::string folder_location(std::string_view path, std::string_view target);

}  // namespace perigee::origin

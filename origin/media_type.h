// Content-Type by file name: the web's types from a short list, all others from shared-mime-info's
// table.
#pragma once

#include <string>
#include <string_view>
#include <unordered_map>

namespace perigee::origin {

class MediaTypes {
 public:
  /// Adds the `*.suffix` lines of a globs2 file ("weight:type:glob"). What the short list has
  /// stays.
  void add_globs(std::string_view globs2);
  /// With charset for text; "application/octet-stream" for what nobody knows.
  std::string type_of(std::string_view file_name) const;

 private:
  std::unordered_map<std::string, std::string> by_suffix_;
};

/// Reads /usr/share/mime/globs2 where it is. Blocking; at start.
MediaTypes load_media_types();

}  // namespace perigee::origin

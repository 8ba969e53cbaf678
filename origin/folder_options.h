// What a site says about the folder that it serves.
#pragma once

#include <string>
#include <vector>

#include "origin/media_type.h"

namespace perigee::origin {

struct DirectoryOriginOptions {
  /// What an ETag is made of.
  enum class Tag : uint8_t {
    kModified,  ///< size and time of the last change
    kContent,   ///< a hash of the bytes
  };

  std::string path;                          ///< of the folder, absolute
  std::string cache_control = "max-age=10";  ///< http-rules 3.10
  bool follow_links = false;                 ///< links may lead out of the folder
  Tag tag = Tag::kModified;
  std::vector<std::string> index = {"index.html"};  ///< file names, in the order of preference
  std::string not_found = "/404.html";              ///< in the folder; empty: none
  bool clean_urls = true;                           ///< /about is about.html
  std::string fallback;                             ///< in the folder; empty: none
  MediaTypes::Own types;
};

}  // namespace perigee::origin

#include "origin/media_type.h"

#include <algorithm>
#include <fstream>
#include <sstream>

namespace perigee::origin {
namespace {

struct WebType {
  std::string_view suffix;
  std::string_view type;
};

/// Where browsers insist on a type, or the desktop's table means another thing by the suffix.
constexpr WebType kWebTypes[] = {
    {"html", "text/html"},
    {"htm", "text/html"},
    {"css", "text/css"},
    {"js", "text/javascript"},
    {"mjs", "text/javascript"},
    {"json", "application/json"},
    {"map", "application/json"},
    {"txt", "text/plain"},
    {"xml", "application/xml"},
    {"svg", "image/svg+xml"},
    {"png", "image/png"},
    {"jpg", "image/jpeg"},
    {"jpeg", "image/jpeg"},
    {"gif", "image/gif"},
    {"webp", "image/webp"},
    {"avif", "image/avif"},
    {"ico", "image/vnd.microsoft.icon"},
    {"woff", "font/woff"},
    {"woff2", "font/woff2"},
    {"ttf", "font/ttf"},
    {"otf", "font/otf"},
    {"wasm", "application/wasm"},
    {"pdf", "application/pdf"},
    {"mp4", "video/mp4"},
    {"webm", "video/webm"},
    {"mp3", "audio/mpeg"},
    {"ts", "video/mp2t"},
    {"webmanifest", "application/manifest+json"},
    {"md", "text/markdown"},
};

bool needs_charset(std::string_view type) {
  return type.starts_with("text/") || type == "application/json" || type == "application/xml" ||
         type == "application/manifest+json";
}

}  // namespace

void MediaTypes::add_globs(std::string_view globs2) {
  while (!globs2.empty()) {
    const size_t end = std::min(globs2.find('\n'), globs2.size());
    const std::string_view line = globs2.substr(0, end);
    globs2.remove_prefix(std::min(end + 1, globs2.size()));
    const size_t first = line.find(':');
    const size_t second = line.find(':', first + 1);
    if (line.starts_with('#') || second == std::string_view::npos) continue;
    const std::string_view glob = line.substr(second + 1);
    if (!glob.starts_with("*.") || glob.find_first_of("*?[:", 1) != std::string_view::npos)
      continue;
    // Lines come by falling weight: the first of a suffix counts.
    by_suffix_.emplace(glob.substr(2), line.substr(first + 1, second - first - 1));
  }
}

std::string MediaTypes::type_of(std::string_view file_name) const {
  const size_t slash = file_name.rfind('/');
  if (slash != std::string_view::npos) file_name.remove_prefix(slash + 1);
  std::string type = "application/octet-stream";
  // The longest suffix first: "tar.gz" before "gz".
  for (size_t dot = file_name.find('.', 1); dot != std::string_view::npos;
       dot = file_name.find('.', dot + 1)) {
    std::string suffix(file_name.substr(dot + 1));
    std::transform(suffix.begin(), suffix.end(), suffix.begin(),
                   [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
    const auto* web = std::find_if(std::begin(kWebTypes), std::end(kWebTypes),
                                   [&](const WebType& known) { return known.suffix == suffix; });
    const auto known = by_suffix_.find(suffix);
    if (web == std::end(kWebTypes) && known == by_suffix_.end()) continue;
    type = web != std::end(kWebTypes) ? std::string(web->type) : known->second;
    break;
  }
  if (needs_charset(type)) type += "; charset=utf-8";
  return type;
}

MediaTypes load_media_types() {
  MediaTypes types;
  std::ifstream file("/usr/share/mime/globs2");
  std::stringstream content;
  if (file) content << file.rdbuf();
  types.add_globs(content.str());
  return types;
}

}  // namespace perigee::origin

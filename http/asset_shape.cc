#include "http/asset_shape.h"

#include <algorithm>

#include "http/headers.h"

namespace perigee::http {
namespace {

enum class Shape : uint8_t {
  kNone,
  kLoaded,  ///< loaded by pages; its name may be a page's that shows it
  kStrict,  ///< loaded by pages, and useless as a page
  kSvg,     ///< the same, but XML
};

struct Suffix {
  std::string_view text;
  Shape shape;
};

constexpr Suffix kSuffixes[] = {
    // Scripts, stylesheets, what belongs to them.
    {"js", Shape::kStrict},
    {"mjs", Shape::kStrict},
    {"cjs", Shape::kStrict},
    {"css", Shape::kStrict},
    {"map", Shape::kStrict},
    {"wasm", Shape::kStrict},
    {"webmanifest", Shape::kLoaded},
    // Fonts.
    {"woff2", Shape::kStrict},
    {"woff", Shape::kStrict},
    {"ttf", Shape::kStrict},
    {"otf", Shape::kStrict},
    {"ttc", Shape::kStrict},
    {"eot", Shape::kStrict},
    // Images.
    {"png", Shape::kStrict},
    {"apng", Shape::kStrict},
    {"jpg", Shape::kStrict},
    {"jpeg", Shape::kStrict},
    {"jfif", Shape::kStrict},
    {"jxl", Shape::kStrict},
    {"gif", Shape::kStrict},
    {"webp", Shape::kStrict},
    {"avif", Shape::kStrict},
    {"heic", Shape::kStrict},
    {"heif", Shape::kStrict},
    {"ico", Shape::kStrict},
    {"cur", Shape::kStrict},
    {"bmp", Shape::kStrict},
    {"tif", Shape::kStrict},
    {"tiff", Shape::kStrict},
    {"svg", Shape::kSvg},
    // Films and sound, whole or in segments, with their lists and captions.
    {"mp4", Shape::kLoaded},
    {"m4v", Shape::kLoaded},
    {"mov", Shape::kLoaded},
    {"webm", Shape::kLoaded},
    {"mkv", Shape::kLoaded},
    {"ogv", Shape::kLoaded},
    {"ogg", Shape::kLoaded},
    {"oga", Shape::kLoaded},
    {"opus", Shape::kLoaded},
    {"mp3", Shape::kLoaded},
    {"m4a", Shape::kLoaded},
    {"aac", Shape::kLoaded},
    {"wav", Shape::kLoaded},
    {"flac", Shape::kLoaded},
    {"weba", Shape::kLoaded},
    {"m3u8", Shape::kLoaded},
    {"mpd", Shape::kLoaded},
    {"ts", Shape::kLoaded},
    {"m4s", Shape::kLoaded},
    {"cmfv", Shape::kLoaded},
    {"cmfa", Shape::kLoaded},
    {"vtt", Shape::kLoaded},
    {"srt", Shape::kLoaded},
    // Models of scenes.
    {"glb", Shape::kLoaded},
    {"gltf", Shape::kLoaded},
    {"usdz", Shape::kLoaded},
};

Shape shape_of(std::string_view path) {
  path = path.substr(0, path.find('?'));
  // No slash: npos + 1 is the beginning.
  const std::string_view name = path.substr(path.rfind('/') + 1);
  const size_t dot = name.rfind('.');
  if (dot == std::string_view::npos) return Shape::kNone;
  const std::string_view suffix = name.substr(dot + 1);
  const auto* known = std::find_if(std::begin(kSuffixes), std::end(kSuffixes),
                                   [&](const Suffix& row) { return iequals(row.text, suffix); });
  return known != std::end(kSuffixes) ? known->shape : Shape::kNone;
}

}  // namespace

bool is_asset_shaped(std::string_view path) { return shape_of(path) != Shape::kNone; }

bool contradicts_shape(std::string_view path, std::string_view content_type) {
  const std::string_view type = trim_ows(content_type.substr(0, content_type.find(';')));
  const bool html = iequals(type, "text/html");
  const bool xhtml = iequals(type, "application/xhtml+xml");
  if (!html && !xhtml) return false;
  const Shape shape = shape_of(path);
  return shape == Shape::kStrict || (shape == Shape::kSvg && html);
}

}  // namespace perigee::http

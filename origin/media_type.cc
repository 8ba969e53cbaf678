#include "origin/media_type.h"

#include <algorithm>
#include <fstream>
#include <sstream>
#include <utility>

#include "base/text.h"
#include "http/headers.h"

namespace perigee::origin {
namespace {

struct WebType {
  std::string_view suffix;
  std::string_view type;
};

/// What browsers, players and readers of feeds insist on. It must not depend on the machine.
constexpr WebType kWebTypes[] = {
    // Pages and what belongs to them.
    {"html", "text/html"},
    {"htm", "text/html"},
    {"xhtml", "application/xhtml+xml"},
    {"css", "text/css"},
    {"js", "text/javascript"},
    {"mjs", "text/javascript"},
    {"cjs", "text/javascript"},
    {"wasm", "application/wasm"},
    {"map", "application/json"},
    {"webmanifest", "application/manifest+json"},
    {"wgsl", "text/wgsl"},
    // Data.
    {"json", "application/json"},
    {"jsonld", "application/ld+json"},
    {"geojson", "application/geo+json"},
    {"topojson", "application/json"},
    {"ndjson", "application/x-ndjson"},
    {"jsonl", "application/jsonl"},
    {"xml", "application/xml"},
    {"xsl", "application/xslt+xml"},
    {"xslt", "application/xslt+xml"},
    {"xsd", "application/xml"},
    {"rss", "application/rss+xml"},
    {"atom", "application/atom+xml"},
    {"rdf", "application/rdf+xml"},
    {"ttl", "text/turtle"},
    {"yaml", "application/yaml"},
    {"yml", "application/yaml"},
    {"toml", "application/toml"},
    {"csv", "text/csv"},
    {"tsv", "text/tab-separated-values"},
    {"gpx", "application/gpx+xml"},
    {"kml", "application/vnd.google-earth.kml+xml"},
    {"kmz", "application/vnd.google-earth.kmz"},
    {"pbf", "application/x-protobuf"},
    {"mvt", "application/vnd.mapbox-vector-tile"},
    {"pmtiles", "application/vnd.pmtiles"},
    {"parquet", "application/vnd.apache.parquet"},
    {"bin", "application/octet-stream"},
    // Text.
    {"txt", "text/plain"},
    {"text", "text/plain"},
    {"log", "text/plain"},
    {"md", "text/markdown"},
    {"markdown", "text/markdown"},
    {"ics", "text/calendar"},
    {"vcf", "text/vcard"},
    {"asc", "text/plain"},
    {"sha256", "text/plain"},
    // Images.
    {"svg", "image/svg+xml"},
    {"png", "image/png"},
    {"apng", "image/apng"},
    {"jpg", "image/jpeg"},
    {"jpeg", "image/jpeg"},
    {"jfif", "image/jpeg"},
    {"jxl", "image/jxl"},
    {"gif", "image/gif"},
    {"webp", "image/webp"},
    {"avif", "image/avif"},
    {"heic", "image/heic"},
    {"heif", "image/heif"},
    {"ico", "image/vnd.microsoft.icon"},
    {"cur", "image/vnd.microsoft.icon"},
    {"bmp", "image/bmp"},
    {"tif", "image/tiff"},
    {"tiff", "image/tiff"},
    // Fonts.
    {"woff", "font/woff"},
    {"woff2", "font/woff2"},
    {"ttf", "font/ttf"},
    {"otf", "font/otf"},
    {"ttc", "font/collection"},
    {"eot", "application/vnd.ms-fontobject"},
    // Films and sound, their lists, segments and captions.
    {"mp4", "video/mp4"},
    {"m4v", "video/mp4"},
    {"cmfv", "video/mp4"},
    {"webm", "video/webm"},
    {"mkv", "video/matroska"},
    {"mov", "video/quicktime"},
    {"ogv", "video/ogg"},
    {"avi", "video/x-msvideo"},
    {"ts", "video/mp2t"},
    {"m4s", "video/iso.segment"},
    {"m3u8", "application/vnd.apple.mpegurl"},
    {"m3u", "audio/mpegurl"},
    {"mpd", "application/dash+xml"},
    {"vtt", "text/vtt"},
    {"srt", "application/x-subrip"},
    {"ttml", "application/ttml+xml"},
    {"mp3", "audio/mpeg"},
    {"m4a", "audio/mp4"},
    {"cmfa", "audio/mp4"},
    {"aac", "audio/aac"},
    {"ogg", "audio/ogg"},
    {"oga", "audio/ogg"},
    {"opus", "audio/ogg"},
    {"wav", "audio/wav"},
    {"flac", "audio/flac"},
    {"weba", "audio/webm"},
    {"mid", "audio/midi"},
    {"midi", "audio/midi"},
    // Models of scenes.
    {"glb", "model/gltf-binary"},
    {"gltf", "model/gltf+json"},
    {"usdz", "model/vnd.usdz+zip"},
    {"obj", "model/obj"},
    {"stl", "model/stl"},
    // Documents.
    {"pdf", "application/pdf"},
    {"epub", "application/epub+zip"},
    {"rtf", "application/rtf"},
    {"ps", "application/postscript"},
    {"doc", "application/msword"},
    {"xls", "application/vnd.ms-excel"},
    {"ppt", "application/vnd.ms-powerpoint"},
    {"docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"},
    {"xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"},
    {"pptx", "application/vnd.openxmlformats-officedocument.presentationml.presentation"},
    {"odt", "application/vnd.oasis.opendocument.text"},
    {"ods", "application/vnd.oasis.opendocument.spreadsheet"},
    {"odp", "application/vnd.oasis.opendocument.presentation"},
    // Archives and packages.
    {"zip", "application/zip"},
    {"gz", "application/gzip"},
    {"tgz", "application/gzip"},
    {"tar", "application/x-tar"},
    {"bz2", "application/x-bzip2"},
    {"xz", "application/x-xz"},
    {"zst", "application/zstd"},
    {"7z", "application/x-7z-compressed"},
    {"rar", "application/vnd.rar"},
    {"jar", "application/java-archive"},
    {"apk", "application/vnd.android.package-archive"},
    {"deb", "application/vnd.debian.binary-package"},
    {"rpm", "application/x-rpm"},
    {"dmg", "application/x-apple-diskimage"},
    {"iso", "application/vnd.efi.iso"},
    {"exe", "application/vnd.microsoft.portable-executable"},
    {"msi", "application/x-msi"},
    {"xpi", "application/x-xpinstall"},
    {"torrent", "application/x-bittorrent"},
};

/// Files that have no suffix, and readers that insist on a type.
constexpr WebType kWebNames[] = {{"apple-app-site-association", "application/json"}};

bool needs_charset(std::string_view type) {
  return type.starts_with("text/") || type == "application/json" || type == "application/xml" ||
         type == "application/manifest+json";
}

std::string lower_name(std::string_view path) {
  std::string name(path.substr(path.rfind('/') + 1));
  std::transform(name.begin(), name.end(), name.begin(), base::to_lower);
  return name;
}

/// What `find` says of the longest suffix of a name that it knows; empty: it knows none.
template <typename F>
std::string_view of_suffix(std::string_view name, F find) {
  for (size_t dot = name.find('.', 1); dot != std::string_view::npos;
       dot = name.find('.', dot + 1)) {
    if (const std::string_view found = find(name.substr(dot + 1)); !found.empty()) return found;
  }
  return {};
}

template <typename Table>
std::string_view type_in(const Table& table, const std::string& suffix) {
  const auto known = table.find(suffix);
  return known != table.end() ? std::string_view(known->second) : std::string_view();
}

std::string_view web_type(std::string_view suffix) {
  const auto* row = std::find_if(std::begin(kWebTypes), std::end(kWebTypes),
                                 [&](const WebType& known) { return known.suffix == suffix; });
  return row != std::end(kWebTypes) ? row->type : std::string_view();
}

/// Empty: what this is, is not the same on every machine.
std::string_view web_type_of(std::string_view name) {
  for (const WebType& row : kWebNames) {
    if (row.suffix == name) return row.type;
  }
  return of_suffix(name, web_type);
}

}  // namespace

DesktopTypes parse_globs(std::string_view globs2) {
  DesktopTypes types;
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
    types.emplace(glob.substr(2), line.substr(first + 1, second - first - 1));
  }
  return types;
}

std::shared_ptr<const DesktopTypes> desktop_types() {
  static const std::shared_ptr<const DesktopTypes> kTypes = [] {
    std::ifstream file("/usr/share/mime/globs2");
    std::stringstream content;
    if (file) content << file.rdbuf();
    return std::make_shared<const DesktopTypes>(parse_globs(content.str()));
  }();
  return kTypes;
}

MediaTypes::MediaTypes(Own own, std::shared_ptr<const DesktopTypes> desktop)
    : own_(std::move(own)), desktop_(std::move(desktop)) {}

std::string_view MediaTypes::own_type(const std::string& name) const {
  const std::string_view whole = type_in(own_, name);
  if (!whole.empty()) return whole;
  return of_suffix(name,
                   [this](std::string_view suffix) { return type_in(own_, std::string(suffix)); });
}

std::string MediaTypes::type_of(std::string_view file_name) const {
  const std::string name = lower_name(file_name);
  if (const std::string_view own = own_type(name); !own.empty()) return std::string(own);
  std::string_view type = web_type_of(name);
  if (type.empty() && desktop_ != nullptr) {
    type = of_suffix(
        name, [this](std::string_view suffix) { return type_in(*desktop_, std::string(suffix)); });
  }
  if (type.empty()) type = "application/octet-stream";
  return std::string(type) + (needs_charset(type) ? "; charset=utf-8" : "");
}

bool MediaTypes::may_be_page(std::string_view file_name) const {
  const std::string name = lower_name(file_name);
  std::string_view type = own_type(name);
  if (type.empty()) type = web_type_of(name);
  type = http::trim_ows(type.substr(0, type.find(';')));
  return type.empty() || base::iequals(type, "text/html") ||
         base::iequals(type, "application/xhtml+xml");
}

}  // namespace perigee::origin

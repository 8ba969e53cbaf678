#include "edge/folder_reader.h"

#include <algorithm>

#include "base/limits.h"
#include "base/text.h"
#include "http/headers.h"
#include "origin/folder_path.h"

namespace perigee::edge {
namespace {

using Tag = origin::DirectoryOriginOptions::Tag;

constexpr std::string_view kFolderKeys[] = {"follow_links", "etag",     "index", "not_found",
                                            "clean_urls",   "fallback", "types"};

/// A file that the folder may serve.
bool is_file_path(std::string_view path) {
  return path.size() > 1 && path.starts_with('/') && !path.ends_with('/') &&
         path.find("//") == std::string_view::npos && path.find('\0') == std::string_view::npos &&
         !origin::is_hidden(path.substr(1));
}

bool is_media_type(std::string_view value) {
  const std::string_view type = http::trim_ows(value.substr(0, value.find(';')));
  const size_t slash = type.find('/');
  return http::is_field_value(value) && slash != std::string_view::npos &&
         http::is_token(type.substr(0, slash)) && http::is_token(type.substr(slash + 1));
}

void read_index(ConfigValues& reader, const toml::table& table, std::vector<std::string>& out) {
  if (table.get("index") != nullptr) out.clear();
  reader.list(table, "index", [&](const std::string& value) -> std::string {
    out.push_back(value);
    if (out.size() > base::limits::kFolderIndexes) {
      return "'index' lists at most " + std::to_string(base::limits::kFolderIndexes) + " names";
    }
    const bool is_name = is_file_path("/" + value) && value.find('/') == std::string::npos;
    return is_name ? "" : "'" + value + "' is not the name of a file, such as \"index.html\"";
  });
}

void read_types(ConfigValues& reader, const toml::table& table, origin::MediaTypes::Own& out) {
  const toml::table* types = reader.table(table, "types", "[site.folder.types]");
  if (types == nullptr) return;
  for (const auto& [key, node] : *types) {
    std::string suffix(key.str());
    if (suffix.empty() || suffix.starts_with('.') || suffix.find('/') != std::string::npos) {
      return reader.fail(key.source(),
                         "'" + suffix + "' is not a suffix without its dot, such as mkv");
    }
    if (node.is_table()) {
      return reader.fail(key.source(), "a suffix that holds a dot is quoted, such as \"tar.gz\"");
    }
    const std::optional<std::string> type = node.value_exact<std::string>();
    if (!type || !is_media_type(*type)) {
      return reader.fail(node.source(), "the type of '" + suffix +
                                            "' is not a media type, such as \"video/webm\"");
    }
    std::transform(suffix.begin(), suffix.end(), suffix.begin(), base::to_lower);
    out[suffix] = *type;
  }
}

}  // namespace

void read_folder_table(ConfigValues& reader, const toml::table& table,
                       origin::DirectoryOriginOptions& options) {
  constexpr Tag kTags[] = {Tag::kModified, Tag::kContent};
  constexpr std::string_view kPath = "a path in the folder, such as \"/404.html\", or empty";
  const auto is_path_or_empty = [](std::string_view path) {
    return path.empty() || is_file_path(path);
  };
  reader.check_keys(table, "[site.folder]", {kFolderKeys});
  reader.flag(table, "follow_links", options.follow_links);
  options.tag = kTags[reader.choice(table, "etag", {"mtime", "content"})];
  read_index(reader, table, options.index);
  reader.text(table, "not_found", kPath, is_path_or_empty, options.not_found);
  reader.flag(table, "clean_urls", options.clean_urls);
  reader.text(table, "fallback", kPath, is_path_or_empty, options.fallback);
  read_types(reader, table, options.types);
}

}  // namespace perigee::edge

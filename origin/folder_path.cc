#include "origin/folder_path.h"

#include <algorithm>

#include "base/text.h"

namespace perigee::origin {
namespace {

constexpr std::string_view kWellKnown = ".well-known/";

/// What a path may hold as it is (RFC 3986 §3.3), and the slash.
bool is_path_byte(char c) {
  const char lower = base::to_lower(c);
  if ((lower >= 'a' && lower <= 'z') || (c >= '0' && c <= '9')) return true;
  return c != '\0' && std::string_view("-._~!$&'()*+,;=:@/").find(c) != std::string_view::npos;
}

}  // namespace

std::optional<FolderPath> read_folder_path(std::string_view target) {
  const std::string_view path = target.substr(0, target.find('?'));
  if (!path.starts_with('/')) return std::nullopt;
  FolderPath read;
  for (size_t i = 1; i < path.size(); ++i) {
    if (path[i] == '/' && path[i - 1] == '/') {
      read.merged = true;
    } else if (path[i] != '%') {
      read.text += path[i];
    } else {
      if (i + 2 >= path.size()) return std::nullopt;
      const int high = base::hex_value(path[i + 1]);
      const int low = base::hex_value(path[i + 2]);
      if (high < 0 || low < 0) return std::nullopt;
      const char byte = static_cast<char>(high * 16 + low);
      if (byte == '/' || byte == '\0') return std::nullopt;
      read.text += byte;
      i += 2;
    }
  }
  return read;
}

bool is_hidden(std::string_view path) {
  if (path.starts_with(kWellKnown)) path.remove_prefix(kWellKnown.size());
  return path.starts_with('.') || path.find("/.") != std::string_view::npos;
}

std::string folder_location(std::string_view path, std::string_view target) {
  constexpr std::string_view kHex = "0123456789ABCDEF";
  std::string location = "/";
  for (const char c : path) {
    if (is_path_byte(c)) {
      location += c;
    } else {
      const auto byte = static_cast<unsigned char>(c);
      location.append({'%', kHex[byte / 16], kHex[byte % 16]});
    }
  }
  location.append(target.substr(std::min(target.find('?'), target.size())));
  return location;
}

}  // namespace perigee::origin

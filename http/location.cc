#include "http/location.h"

#include "base/text.h"
#include "http/cache_key.h"
#include "http/headers.h"
#include "http/target.h"

namespace perigee::http {
namespace {

std::string resolve_path(std::string_view path_and_query, std::string_view base_target) {
  const std::string_view base_path = base_target.substr(0, base_target.find('?'));
  const size_t query = path_and_query.find('?');
  const std::string_view path = path_and_query.substr(0, query);
  std::string merged;
  if (path.empty()) {
    merged = base_path;
  } else if (path.front() == '/') {
    merged = path;
  } else {
    merged = base_path.substr(0, base_path.rfind('/') + 1);
    merged.append(path);
  }
  if (query != std::string_view::npos) {
    merged.append(path_and_query.substr(query));
  } else if (path.empty()) {
    merged = base_target;
  }
  return merged;
}

/// The scheme of a reference that begins with one; empty: a relative reference.
std::string_view scheme_of(std::string_view reference) {
  const size_t colon = reference.find(':');
  if (colon == std::string_view::npos || reference.find_first_of("/?") < colon) return {};
  return reference.substr(0, colon);
}

}  // namespace

std::optional<std::string> same_origin_target(std::string_view reference, std::string_view scheme,
                                              std::string_view authority, std::string_view target) {
  std::string resolved;
  reference = trim_ows(reference);
  reference = reference.substr(0, reference.find('#'));
  if (const std::string_view named = scheme_of(reference); !named.empty()) {
    if (!base::iequals(named, scheme)) return std::nullopt;
    reference.remove_prefix(named.size() + 1);
    if (!reference.starts_with("//")) return std::nullopt;
  }
  if (reference.starts_with("//")) {
    reference.remove_prefix(2);
    const size_t end = std::min(reference.find_first_of("/?"), reference.size());
    std::string canonical;
    if (!canonical_authority(reference.substr(0, end), scheme, canonical)) return std::nullopt;
    if (canonical != authority) return std::nullopt;
    reference.remove_prefix(end);
    if (reference.empty() || reference.front() == '?') resolved.append("/").append(reference);
  }
  if (resolved.empty()) resolved = resolve_path(reference, target);
  std::string memory;
  const std::optional<std::string_view> normal = normal_target(resolved, memory);
  if (!normal) return std::nullopt;
  return std::string(*normal);
}

}  // namespace perigee::http

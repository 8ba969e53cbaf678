#include "edge/host_names.h"

#include "http/cache_key.h"

namespace perigee::edge {

namespace {

constexpr std::string_view kWildcard = "*.";

/// Why a text without "*" is no authority.
std::string why_not(std::string_view text) {
  std::string unused;
  const size_t colon = text.rfind(':');
  const bool port_alone = colon != std::string_view::npos &&
                          http::canonical_authority(text.substr(0, colon), "http", unused);
  return port_alone ? "has a port that is not from 1 to 65535" : "is not a host";
}

}  // namespace

base::Result<std::string> parse_host_name(std::string_view text) {
  const auto wrong = [&](std::string_view why) {
    return base::Error{base::ErrorCode::kInvalid, 0,
                       "'" + std::string(text) + "' " + std::string(why)};
  };
  if (text.find("://") != std::string_view::npos) return wrong("is a URL: write the host alone");
  if (text.find_first_of("/?#@") != std::string_view::npos) {
    return wrong("holds more than a host and a port");
  }
  if (text == "*") return wrong("is not a host: the site for all others says default = true");
  const bool wildcard = is_wildcard(text);
  const std::string_view name = wildcard ? text.substr(kWildcard.size()) : text;
  if (name.find('*') != std::string_view::npos) {
    return wrong("has a '*' elsewhere than at its beginning, as in \"*.example.org\"");
  }
  std::string canonical;
  if (!http::canonical_authority(name, "http", canonical)) return wrong(why_not(name));
  if (!wildcard) return canonical;
  if (canonical.starts_with('[') || canonical.starts_with('.')) return wrong("is not a host");
  return std::string(kWildcard) + canonical;
}

}  // namespace perigee::edge

// Which target of this site a Location or Content-Location means (RFC 3986 §5, RFC 9111 §4.4).
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace perigee::http {

/// The request target that `reference` resolves to against a request for `target` at `scheme` and
/// the canonical `authority`; nullopt when it names another scheme, host or port, or nothing valid.
/// The fragment is dropped.
std::optional<std::string> same_origin_target(std::string_view reference, std::string_view scheme,
                                              std::string_view authority, std::string_view target);

}  // namespace perigee::http

// The names of a site, as `hosts` lists them: "www.example.org", "example.org:8443",
// "*.example.org".
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace perigee::edge {

/// In canonical form: lower case, without a final dot, without the default port of http; a wildcard
/// keeps its "*.". The error is a sentence with the name: it is none that a request could have.
base::Result<std::string> parse_host_name(std::string_view text);

/// A canonical name is a wildcard: it stands for all names with one label or more in place of "*".
inline bool is_wildcard(std::string_view name) { return name.starts_with("*."); }

}  // namespace perigee::edge

// Keys as the edge makes them, for tests of the store: parts with their lengths before them.
#pragma once

#include <string>
#include <string_view>

#include "http/cache_key.h"

namespace perigee::test {

inline std::string url_key(std::string_view site, std::string_view target,
                           std::string_view scheme = "https") {
  std::string key;
  http::make_cache_key(scheme, site, target, key);
  return key;
}

inline std::string variant_key(std::string_view url_key, uint64_t spec, std::string_view selected) {
  std::string key;
  http::make_variant_key(url_key, spec, selected, key);
  return key;
}

}  // namespace perigee::test

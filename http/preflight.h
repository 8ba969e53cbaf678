// CORS preflights that a site answers instead of its origin (Fetch standard, "CORS-preflight
// request").
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "http/message.h"

namespace perigee::http {

/// What other origins may ask for. The answers themselves stay the site's origin's to open.
struct PreflightOptions {
  std::vector<std::string> origins;  ///< "https://app.test", or "*"; empty: preflights go on
  std::string methods;               ///< Access-Control-Allow-Methods; empty: not sent
  std::string headers;               ///< Access-Control-Allow-Headers; empty: not sent
  std::optional<int64_t> max_age_s;  ///< Access-Control-Max-Age; nullopt: not sent
};

/// OPTIONS with Origin and Access-Control-Request-Method.
bool is_preflight(const RequestHead& request);

/// 204 with what the site allows; to an origin that is not listed, without a word of permission.
/// Date and Cache-Status are the caller's. nullopt: no room in the arena.
std::optional<ResponseHead> answer_preflight(const RequestHead& request,
                                             const PreflightOptions& options, Arena& arena);

}  // namespace perigee::http

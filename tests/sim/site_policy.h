// What a site, or a rule of it for a part of its paths, decides about responses: drawn at random,
// told to the node, and known to the model.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "tests/sim/fields.h"
#include "tests/sim/random.h"

namespace perigee::sim {

enum class Cookies : uint8_t { kPass, kStrip, kStore };

struct SitePolicy {
  bool bypass = false;
  std::optional<int64_t> ttl_s;
  std::optional<int64_t> default_ttl_s;
  std::optional<int64_t> negative_ttl_s;
  std::optional<int64_t> stale_while_revalidate_s;
  std::optional<int64_t> stale_if_error_s;
  std::optional<int64_t> stale_if_slow_ms;
  int64_t unreachable_stale_s = 86'400;
  int64_t heuristic_cap_s = 3'600;
  int64_t error_ttl_cap_s = 10;
  int64_t retain_s = 604'800;
  bool trust_origin_clock = true;
  bool honour_client_directives = false;
  Cookies set_cookie = Cookies::kPass;
  std::vector<int> forbidden_statuses;
  std::vector<std::string> forward_headers;
  std::vector<std::string> vary_ignore;
  std::vector<std::string> vary_cookies;
  std::vector<std::string> vary_accept;
  bool preflights = false;  ///< answered by the node

  std::string text() const;
  /// Accept is reduced on what everybody may get the answer to.
  bool reduces_accept() const;
  /// Accept as the origin gets it then.
  std::string reduced_accept(const Fields& request) const;
  /// What of a request may select a variant. Of its own result it is the same.
  Fields selecting(const Fields& request) const;
};

/// What is listed in forward_headers reaches the origin, and all does where nothing is listed.
bool is_forwarded(const SitePolicy& policy, const std::string& name);
SitePolicy draw_policy(Random& random);

/// The policy of all targets whose path begins so.
struct SiteRule {
  std::string prefix;
  SitePolicy policy;
};

/// The one origin whose preflights a site answers.
inline constexpr const char* kPreflightOrigin = "https://app.test";

}  // namespace perigee::sim

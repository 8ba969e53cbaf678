#include "tests/sim/site_policy.h"

#include <algorithm>

namespace perigee::sim {

namespace {

const std::vector<std::string> kSelecting = {"Accept-Language", "X-Tag", "Cookie", "Accept",
                                             "Authorization"};

bool is_among(const std::vector<std::string>& names, const std::string& name) {
  return std::any_of(names.begin(), names.end(),
                     [&](const auto& other) { return same_name(other, name); });
}

/// The pairs of those names, in the order of the names.
std::string reduced_cookies(const std::vector<std::string>& names, const Fields& request) {
  std::string out;
  for (const std::string& name : names) {
    for (const auto& [field, value] : request) {
      if (!same_name(field, "Cookie")) continue;
      for (size_t at = 0; at < value.size();) {
        const size_t end = std::min(value.find(';', at), value.size());
        const std::string pair = trim(value.substr(at, end - at));
        if (pair.starts_with(name + "=")) out += pair + ";";
        at = end + 1;
      }
    }
  }
  return out;
}

}  // namespace

bool is_forwarded(const SitePolicy& policy, const std::string& name) {
  return policy.forward_headers.empty() || is_among(policy.forward_headers, name);
}

bool SitePolicy::reduces_accept() const {
  return !vary_accept.empty() && is_forwarded(*this, "Accept");
}

std::string SitePolicy::reduced_accept(const Fields& request) const {
  std::string out;
  for (const std::string& type : vary_accept) {
    std::string said;
    for (const std::string& member : members(joined(request, "Accept").value_or(""))) {
      const size_t end = std::min(member.find(';'), member.size());
      if (trim(member.substr(0, end)) != type) continue;
      const bool refused =
          member.find("q=0") != std::string::npos && member.find("q=0.") == std::string::npos;
      if (said != type + ";q=0, ") said = refused ? type + ";q=0, " : type + ", ";
    }
    out += said;
  }
  return out + (out.empty() ? "*/*" : "*/*;q=0.8");
}

Fields SitePolicy::selecting(const Fields& request) const {
  Fields out;
  for (const auto& [name, value] : request) {
    const bool reduced = (same_name(name, "Cookie") && !vary_cookies.empty()) ||
                         (same_name(name, "Accept") && reduces_accept());
    if (!reduced && is_forwarded(*this, name) && !is_among(vary_ignore, name)) {
      out.emplace_back(name, value);
    }
  }
  if (!vary_cookies.empty() && is_forwarded(*this, "Cookie")) {
    const std::string cookies = reduced_cookies(vary_cookies, request);
    if (!cookies.empty()) out.emplace_back("Cookie", cookies);
  }
  if (reduces_accept()) out.emplace_back("Accept", reduced_accept(request));
  return out;
}

SitePolicy draw_policy(Random& random) {
  SitePolicy policy;
  const auto seconds = [&](unsigned chance, std::optional<int64_t>& out) {
    if (random.chance(chance)) out = random.pick(std::vector<int64_t>{1, 5, 20, 300});
  };
  policy.bypass = random.chance(60);
  seconds(100, policy.ttl_s);
  if (policy.ttl_s && random.chance(200)) policy.ttl_s = 0;
  seconds(150, policy.default_ttl_s);
  seconds(200, policy.negative_ttl_s);
  seconds(250, policy.stale_while_revalidate_s);
  seconds(250, policy.stale_if_error_s);
  if (random.chance(350)) {
    policy.stale_if_slow_ms = random.between(1, 1'500);
    // It works within a window only, and one for errors alone is the one that is seen.
    if (random.chance(500)) policy.stale_if_error_s = 300;
  }
  policy.unreachable_stale_s = random.pick(std::vector<int64_t>{86'400, 86'400, 20, 0});
  policy.heuristic_cap_s = random.pick(std::vector<int64_t>{3'600, 3'600, 5});
  policy.error_ttl_cap_s = random.pick(std::vector<int64_t>{10, 10, 2, 60});
  policy.trust_origin_clock = !random.chance(150);
  policy.honour_client_directives = random.chance(200);
  policy.set_cookie =
      random.pick(std::vector{Cookies::kPass, Cookies::kPass, Cookies::kStrip, Cookies::kStore});
  if (random.chance(150)) policy.forbidden_statuses = {random.chance(300) ? 200 : 404, 301};
  if (random.chance(120)) {
    policy.forward_headers = {"X-Client"};
    for (const std::string& name : kSelecting) {
      if (random.chance(600)) policy.forward_headers.push_back(name);
    }
  }
  if (random.chance(120)) policy.vary_ignore = {random.pick(kSelecting)};
  if (random.chance(250)) policy.vary_cookies = {"s"};
  if (random.chance(250)) policy.vary_accept = {"image/webp"};
  policy.preflights = random.chance(300);
  policy.retain_s = random.pick(std::vector<int64_t>{604'800, 604'800, 20, 0});
  return policy;
}

std::string SitePolicy::text() const {
  std::string out;
  const auto add = [&](const char* name, const std::optional<int64_t>& value, int64_t usual) {
    if (value && *value != usual) out += std::string(" ") + name + "=" + std::to_string(*value);
  };
  const auto list = [&](const char* name, const std::vector<std::string>& values) {
    for (const std::string& value : values) out += std::string(" ") + name + "=" + value;
  };
  add("bypass", bypass ? 1 : 0, 0);
  add("ttl_s", ttl_s, -1), add("default_ttl_s", default_ttl_s, -1);
  add("negative_ttl_s", negative_ttl_s, -1);
  add("stale_while_revalidate_s", stale_while_revalidate_s, -1);
  add("stale_if_error_s", stale_if_error_s, -1), add("stale_if_slow_ms", stale_if_slow_ms, -1);
  add("unreachable_stale_s", unreachable_stale_s, 86'400);
  add("heuristic_cap_s", heuristic_cap_s, 3'600), add("error_ttl_cap_s", error_ttl_cap_s, 10);
  add("retain_s", retain_s, 604'800);
  add("trust_origin_clock", trust_origin_clock ? 1 : 0, 1);
  add("honour_client_directives", honour_client_directives ? 1 : 0, 0);
  add("set_cookie", static_cast<int64_t>(set_cookie), 0);
  for (const int status : forbidden_statuses) add("forbidden_status", status, 0);
  list("forward", forward_headers), list("vary_ignore", vary_ignore);
  list("vary_cookies", vary_cookies), list("vary_accept", vary_accept);
  add("preflights", preflights ? 1 : 0, 0);
  return out;
}

}  // namespace perigee::sim

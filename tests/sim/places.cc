#include "tests/sim/places.h"

#include <algorithm>
#include <array>
#include <cctype>

#include "tests/sim/options.h"

namespace perigee::sim {

namespace {

/// Names of visitors, in groups of equal length on both sides of what a small string holds: what
/// overwrites one of them is another one, whole.
const std::vector<std::vector<std::string>> kGuests = {
    {"a.test", "b.test", "c.test", "d.test"},
    {"a-tenant-with-a-long-name.example.test", "b-tenant-with-a-long-name.example.test",
     "c-tenant-with-a-long-name.example.test", "d-tenant-with-a-long-name.example.test"},
    {"shop.example.test", "b.test", "a-tenant-with-a-long-name.example.test", "x.io"},
    {"api.test:8080", "[2001:db8::1]", "[2001:db8::2]:8080", "api.test"},
};

std::string digits_of(uint64_t number) { return std::to_string(number); }

/// Host and port of an authority, the colon with the port.
std::pair<std::string, std::string> split_port(const std::string& name) {
  const size_t bracket = name.find(']');
  const size_t colon = name.find(':', bracket == std::string::npos ? 0 : bracket);
  if (colon == std::string::npos) return {name, ""};
  return {name.substr(0, colon), name.substr(colon)};
}

/// Another authority that means the same under that scheme.
std::string respelled(Random& random, const std::string& name, const std::string& scheme) {
  auto [host, port] = split_port(name);
  const bool literal = host.starts_with('[');
  if (random.chance(400)) {
    for (char& c : host) {
      if (random.chance(500)) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
    }
  }
  if (!literal && random.chance(250)) host += ".";
  if (port.empty() && random.chance(300)) {
    const std::string number = scheme == "https" ? "443" : "80";
    port = random.pick(std::vector<std::string>{":", ":" + number, ":00" + number});
  } else if (!port.empty() && random.chance(200)) {
    port.insert(1, "0");
  }
  return host + port;
}

std::string with_query_as_sent(Random& random, const SiteOptions& site, std::string target) {
  const size_t question = target.find('?');
  switch (site.query) {
    case QueryRule::kAsSent:
      break;
    case QueryRule::kIgnored:
      if (random.chance(500)) target += "?junk=" + digits_of(random.below(100));
      break;
    case QueryRule::kStripped: {
      if (random.chance(500)) break;
      target += question == std::string::npos ? "?" : "&";
      target += "utm_source=" + digits_of(random.below(100));
      break;
    }
    case QueryRule::kSorted:
      if (question != std::string::npos && random.chance(500)) {
        const size_t ampersand = target.find('&', question);
        target = target.substr(0, question + 1) + target.substr(ampersand + 1) + "&" +
                 target.substr(question + 1, ampersand - question - 1);
      }
      break;
  }
  return target;
}

SiteOptions draw_site(Random& random, size_t index) {
  SiteOptions site;
  const std::string number = digits_of(index);
  // Two origins may differ in nothing but their port.
  site.origin_host = random.chance(300) ? "origin.test" : "origin" + number + ".test";
  site.origin_port = static_cast<uint16_t>(8000 + index);
  if (site.origin_host != "origin.test" && random.chance(500)) site.origin_port = 80;
  if (random.chance(250)) site.host_header = "backend" + number + ".test";
  if (random.chance(200)) site.host_header = "client";
  if (random.chance(250)) site.accept_encoding = "gzip";
  if (random.chance(250)) site.cdn_id = "tier" + number;
  site.query = std::array{QueryRule::kAsSent, QueryRule::kAsSent, QueryRule::kSorted,
                          QueryRule::kStripped, QueryRule::kIgnored}[random.below(5)];
  site.permits = random.pick(std::vector<unsigned>{64, 64, 3, 1});
  if (random.chance(250)) site.alt_svc = "h2=\":" + number + "443\"";
  site.removes_cdn_cache_control = random.chance(250);
  site.peer_may_purge = !random.chance(100);
  site.policy = draw_policy(random);
  for (const char* prefix : {"/r2/with", "/r2", "/r1", "/r0"}) {
    if (random.chance(150)) site.rules.push_back({prefix, draw_policy(random)});
  }
  return site;
}

std::vector<std::string> draw_hosts(Random& random, size_t index) {
  const std::string number = digits_of(index);
  std::vector<std::string> hosts = {"www.site" + number + ".test"};
  if (random.chance(500)) hosts.push_back("site" + number + ".test");
  if (random.chance(250)) hosts.push_back("cdn.site" + number + ".test:8443");
  if (random.chance(200)) hosts.push_back("*.site" + number + ".test");
  return hosts;
}

}  // namespace

std::string SiteOptions::origin_authority() const {
  return origin_host + (origin_port == 80 ? "" : ":" + digits_of(origin_port));
}

std::vector<std::string> SiteOptions::names() const {
  std::vector<std::string> names;
  for (const std::string& host : hosts) {
    const bool wildcard = host.starts_with("*.");
    names.push_back(wildcard ? "tenant" + host.substr(1) : host);
    if (wildcard) names.push_back("other.tenant" + host.substr(1));
  }
  return names;
}

std::string SiteOptions::host_sent(const std::string& name) const {
  if (host_header == "client") return name;
  if (!host_header.empty()) return host_header;
  return hosts.empty() ? origin_authority() : name;
}

const SitePolicy& SiteOptions::policy_of(const std::string& target) const {
  for (const SiteRule& rule : rules) {
    if (target.starts_with(rule.prefix)) return rule.policy;
  }
  return policy;
}

std::string SiteOptions::text() const {
  std::string out = "site(";
  for (const std::string& host : hosts) out += host + " ";
  out += "at=" + origin_authority();
  if (is_default) out += " default";
  if (!host_header.empty()) out += " host_header=" + host_header;
  out += " query=" + digits_of(static_cast<uint64_t>(query)) + " permits=" + digits_of(permits);
  if (!alt_svc.empty()) out += " alt_svc=" + alt_svc;
  if (removes_cdn_cache_control) out += " removes_cdn_cache_control";
  if (!peer_may_purge) out += " peer_may_not_purge";
  out += policy.text();
  for (const SiteRule& rule : rules) out += " rule(" + rule.prefix + rule.policy.text() + ")";
  return out + ")";
}

void draw_sites(Random& random, Options& options) {
  const bool open_to_all = random.chance(800);
  const size_t named = random.below(3) + (open_to_all ? 0 : 1);
  for (size_t i = 0; i < named; ++i) {
    SiteOptions site = draw_site(random, i);
    site.hosts = draw_hosts(random, i);
    site.is_default = !open_to_all && i == 0 && random.chance(300);
    options.sites.push_back(std::move(site));
  }
  if (!open_to_all) return;
  SiteOptions site = draw_site(random, named);
  site.is_default = true;
  options.sites.insert(options.sites.begin() + static_cast<ptrdiff_t>(random.below(named + 1)),
                       std::move(site));
  const std::vector<std::string>& group = kGuests[random.below(kGuests.size())];
  options.guests.assign(group.begin(), group.begin() + random.between(1, 4));
}

std::vector<Place> places_of(const Options& options) {
  std::vector<Place> places;
  bool any_name_will_do = false;
  for (size_t i = 0; i < options.sites.size(); ++i) {
    const SiteOptions& site = options.sites[i];
    const int number = static_cast<int>(i);
    any_name_will_do = any_name_will_do || site.is_default;
    if (!site.keys_each_host()) {
      places.push_back({number, site.hosts.front()});
      continue;
    }
    for (const std::string& name : site.names()) places.push_back({number, name});
    if (!site.hosts.empty()) continue;
    for (const std::string& guest : options.guests) places.push_back({number, guest});
  }
  if (!any_name_will_do) places.push_back({-1, "nobody.test"});
  return places;
}

Place nameless_place(const Options& options) {
  for (size_t i = 0; i < options.sites.size(); ++i) {
    const SiteOptions& site = options.sites[i];
    if (!site.is_default) continue;
    return {static_cast<int>(i),
            site.keys_each_host() ? site.origin_authority() : site.hosts.front()};
  }
  return {-1, ""};
}

std::string keyed_target(const SiteOptions& site, uint64_t number) {
  std::string target = "/r" + digits_of(number);
  if (number % 3 == 2) target += "/with-a-path-that-is-no-small-string";
  if (number % 2 == 0 || site.query == QueryRule::kIgnored) return target;
  return target + "?a=" + digits_of(number) + "&b=1";
}

Spelling spell(Random& random, const Options& options, const Resource& resource,
               bool may_omit_host) {
  Spelling spelling;
  std::string name = resource.name;
  spelling.target = resource.target;
  if (resource.site >= 0) {
    const SiteOptions& site = options.sites[static_cast<size_t>(resource.site)];
    spelling.target = with_query_as_sent(random, site, resource.target);
    if (!site.keys_each_host()) name = random.pick(site.hosts);
    if (site.is_default && !site.keys_each_host() && random.chance(200)) name = "anything.test";
  }
  spelling.host = random.chance(300) ? respelled(random, name, resource.scheme) : name;
  if (resource.name.empty() || (may_omit_host && random.chance(500))) {
    spelling.has_host = false;
  } else if (random.chance(options.absolute_form)) {
    // Then the target's authority counts, and Host means nothing (RFC 9112 §3.2.2).
    spelling.target = "http://" + spelling.host + spelling.target;
    spelling.host = random.pick(places_of(options)).name;
  }
  return spelling;
}

}  // namespace perigee::sim

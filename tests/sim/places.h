// Which sites the node serves, under which names, and how clients spell what they ask for.
//
// Here's how it works:
//  1. A Resource is what a cache may file one response under: a site, a scheme, a name and a
//  target,
//     each in the one form in which it is keyed. The simulator draws a resource first.
//  2. spell() then writes it as clients do: upper case, a last dot, a default port, another name of
//     the site, an absolute target with a Host that means nothing, parameters in another order.
//  3. So nobody has to read a spelling back, and the node's way to do it is not repeated here.
#pragma once

#include <string>
#include <vector>

#include "tests/sim/random.h"
#include "tests/sim/site_policy.h"

namespace perigee::sim {

/// What a site does to the query before it is keyed and sent.
enum class QueryRule : uint8_t { kAsSent, kSorted, kStripped, kIgnored };

/// One site of the node, with an origin of its own.
struct SiteOptions {
  std::vector<std::string>
      hosts;  ///< canonical, its name first, wildcards last; empty: every name, each for itself
  bool is_default = false;
  std::string origin_host;
  uint16_t origin_port = 80;
  std::string host_header;  ///< empty: the name, or the origin's own; "client": the client's
  std::string accept_encoding = "identity";
  std::string cdn_id = "perigee";
  QueryRule query = QueryRule::kAsSent;
  unsigned permits = 64;  ///< connections to the origin
  std::string alt_svc;
  bool removes_cdn_cache_control = false;
  bool peer_may_purge = true;
  SitePolicy policy;
  std::vector<SiteRule> rules;  ///< longest prefix first

  const SitePolicy& policy_of(const std::string& target) const;
  /// What is filed under one of its names is not for another one.
  bool keys_each_host() const {
    return hosts.empty() || host_header == "client" || hosts.back().starts_with("*.");
  }
  /// Names that it answers to: `hosts`, and for a wildcard two of those it stands for.
  std::vector<std::string> names() const;
  /// Host of what its origin is asked for that name.
  std::string host_sent(const std::string& name) const;
  /// host[:port] of the origin, as it is configured.
  std::string origin_authority() const;
  std::string text() const;
};

/// A name under which a site is asked for.
struct Place {
  int site = -1;  ///< -1: no site has this name
  std::string name;
};

/// What responses are filed under.
struct Resource {
  int site = -1;
  std::string scheme = "http";
  std::string name;
  std::string target;
  bool operator==(const Resource&) const = default;
  auto operator<=>(const Resource&) const = default;
  std::string text() const { return scheme + "://" + name + target; }
};

/// How a client asks for it.
struct Spelling {
  std::string target;
  std::string host;
  bool has_host = true;
};

struct Options;

/// Who may purge behind a proxy that is believed.
inline constexpr const char* kPurgers = "203.0.113.0/25";
inline constexpr const char* kPurgersPrefix = "203.0.113.1";  ///< of all that are drawn there

/// All names that are asked for in a run.
std::vector<Place> places_of(const Options& options);
/// The place that a request without Host means.
Place nameless_place(const Options& options);
/// The target of that number in the form in which that site keys it.
std::string keyed_target(const SiteOptions& site, uint64_t number);
/// `resource` as a client may ask for it. `may_omit_host`: it is what a request without Host means.
Spelling spell(Random& random, const Options& options, const Resource& resource,
               bool may_omit_host);
/// The sites and the names of their visitors.
void draw_sites(Random& random, Options& options);

}  // namespace perigee::sim

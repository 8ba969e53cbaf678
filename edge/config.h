// What a node is told to do, as the file and the command line say it.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/limits.h"
#include "base/network.h"
#include "base/result.h"
#include "edge/arguments.h"
#include "edge/problems.h"
#include "http/cache_key.h"
#include "http/path_readings.h"
#include "http/policy.h"
#include "origin/directory_origin.h"
#include "origin/fetch.h"

namespace perigee::edge {

/// The name in Cache-Status (RFC 9211).
inline constexpr std::string_view kCacheName = "perigee";

/// The `host_header` that passes on the Host of the request.
inline constexpr std::string_view kClientHost = "client";

struct StoreConfig {
  std::string path;
  uint64_t size_bytes = 0;
  std::string_view size_why = "as configured";  ///< see ChosenSize
  bool lock_memory = false;                     ///< all of it is kept in memory
  bool warm = false;                            ///< what a start finds is read ahead of its use
};

/// What is logged, and where.
struct LogConfig {
  std::string access = "off";  ///< "off", "stdout" or a path
  std::string level = "info";
};

/// `access` is the path of a file.
inline bool is_access_log_file(const LogConfig& config) {
  return !config.access.empty() && config.access != "off" && config.access != "stdout";
}

using PolicyPtr = std::shared_ptr<const http::PolicyOptions>;

/// A policy of its own for a part of a site.
struct RuleConfig {
  std::string prefix;        ///< of the path, in its canonical reading
  std::string loose_prefix;  ///< in the loosest reading
  PolicyPtr policy;
};

/// One site: its names, its origin, and how it is cached.
struct SiteConfig {
  std::vector<std::string> hosts;  ///< as parse_host_name() makes them; none: all names
  bool is_default = false;
  std::variant<origin::HttpOriginOptions, origin::DirectoryOriginOptions> origin;
  /// Empty: the first of `hosts`, or else the origin's own authority; or kClientHost.
  std::string host_header;
  std::string accept_encoding = "identity";
  std::string cdn_id;   ///< empty: the node's own, see name_node()
  std::string alt_svc;  ///< sent on every response; empty: none
  bool remove_cdn_cache_control = false;
  std::vector<base::Network> purge_from;
  http::QueryOptions query;
  PolicyPtr policy;
  std::vector<RuleConfig> rules;  ///< longest prefix first
};

/// The key of a request to this site has the validated Host of the request, and not the first of
/// `hosts` (http-rules 3.5): there are none, one of them is a wildcard, or the site passes the Host
/// of the request on.
bool keys_each_host(const SiteConfig& site);

/// Where clients come in.
struct ListenerConfig {
  base::Address address;
};

/// All of it.
struct Config {
  std::vector<ListenerConfig> listeners;
  std::vector<base::Network> trusted_proxies;  ///< what these say of their clients counts
  unsigned workers = 0;                        ///< 0: one per core
  size_t request_line_bytes = base::limits::kRequestLineBytes;
  int64_t head_ms = base::limits::kRequestHeadMs;
  int64_t idle_ms = base::limits::kIdleMs;
  int64_t drain_ms = base::limits::kDrainMs;
  /// What making codings may take of one core, per worker; 0: nothing is coded.
  unsigned coding_cpu_percent = base::limits::kCodingCpuPercent;
  StoreConfig store;
  LogConfig log;
  std::vector<SiteConfig> sites;
};

/// Where the parts of a configuration were said whose surroundings are looked at later.
struct ConfigSpots {
  Spot store_path;
  Spot store_size;
  Spot access_log;
  std::vector<Spot> origins;  ///< of the sites, in their order
};

/// What was read, and all that is wrong with it.
struct ReadConfig {
  bool ok() const { return !problems.failed(); }

  Config config;  ///< to be used only if ok()
  ConfigSpots spots;
  Problems problems;
};

/// The file that the arguments name, or one site made of --origin and the other options, with
/// --listen, --store, --store-size and --workers laid over it.
ReadConfig read_config(const Arguments& arguments);

/// Gives each site without a `cdn_id` the node's own: "perigee-" and 16 hexadecimal digits of
/// `identity`. So no two nodes have the same one by default (http-rules 4.19).
void name_node(uint64_t identity, Config& config);

/// The policy of the longest rule that fits the canonical reading of the path, else the site's; or,
/// if an origin could read the path as one that is ruled more strictly, that one's
/// (http-rules 5.6). Allocates nothing once `readings` has grown.
const PolicyPtr& policy_for(const SiteConfig& site, std::string_view target,
                            http::PathReadings& readings);

/// "dir:/path" (relative paths against `folder`), "http://host[:port]", "https://host[:port]". The
/// error is a sentence without a place.
using OriginConfig = std::variant<origin::HttpOriginOptions, origin::DirectoryOriginOptions>;
base::Result<OriginConfig> parse_origin(std::string_view text, const std::string& folder);

}  // namespace perigee::edge

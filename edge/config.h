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
#include "http/cache_key.h"
#include "http/path_readings.h"
#include "http/policy.h"
#include "origin/directory_origin.h"
#include "origin/fetch.h"

namespace perigee::edge {

/// The name in Cache-Status (RFC 9211).
inline constexpr std::string_view kCacheName = "perigee";

struct StoreConfig {
  std::string path;
  uint64_t size_bytes = 0;
};

/// What is logged, and where.
struct LogConfig {
  std::string access = "off";  ///< "off", "stdout" or a path
  std::string level = "info";
};

using PolicyPtr = std::shared_ptr<const http::PolicyOptions>;

/// A policy of its own for a part of a site.
struct RuleConfig {
  std::string prefix;        ///< of the path, in its canonical reading
  std::string loose_prefix;  ///< in the loosest reading
  PolicyPtr policy;
};

/// One site: its names, its origin, and how it is cached.
struct SiteConfig {
  std::vector<std::string> hosts;  ///< canonical, with a port only where it was listed; none: all
  bool is_default = false;
  std::variant<origin::HttpOriginOptions, origin::DirectoryOriginOptions> origin;
  std::string host_header;  ///< empty: the site's name
  std::string accept_encoding = "identity";
  std::string cdn_id = "perigee";
  std::string alt_svc;  ///< sent on every response; empty: none
  bool remove_cdn_cache_control = false;
  std::vector<base::Network> purge_from;
  http::QueryOptions query;
  PolicyPtr policy;
  std::vector<RuleConfig> rules;  ///< longest prefix first
};

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
  StoreConfig store;
  LogConfig log;
  std::vector<SiteConfig> sites;
};

/// The file that the arguments name, or a site made of --origin, with the other arguments laid over
/// it. Errors are one line: FILE:LINE:COLUMN: what, and the nearest valid key.
base::Result<Config> read_config(const Arguments& arguments);

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

#include "edge/config_reader.h"

#include <algorithm>
#include <filesystem>

#include "base/limits.h"
#include "edge/folder_reader.h"
#include "edge/regular_file.h"
#include "edge/table_reader.h"

namespace perigee::edge {
namespace {

using base::Error;
using base::ErrorCode;

constexpr std::string_view kTopKeys[] = {"server", "listen", "store", "log", "site"};
constexpr std::string_view kListenKeys[] = {"address"};
constexpr std::string_view kServerKeys[] = {
    "listen",       "workers",      "trusted_proxies", "request_line_limit",
    "head_timeout", "idle_timeout", "drain_timeout"};
constexpr std::string_view kStoreKeys[] = {"path", "size"};
constexpr std::string_view kLogKeys[] = {"access", "level"};
constexpr std::string_view kPolicyKeys[] = {"ttl",
                                            "default_ttl",
                                            "negative_ttl",
                                            "stale_while_revalidate",
                                            "stale_if_error",
                                            "stale_if_slow",
                                            "unreachable_stale",
                                            "heuristic_cap",
                                            "error_ttl_cap",
                                            "set_cookie",
                                            "honour_client_directives",
                                            "trust_origin_clock",
                                            "forbidden_statuses",
                                            "preflight_origins",
                                            "preflight_methods",
                                            "preflight_headers",
                                            "preflight_max_age",
                                            "bypass"};
constexpr std::string_view kSiteKeys[] = {"hosts",
                                          "default",
                                          "origin",
                                          "host_header",
                                          "accept_encoding",
                                          "cdn_id",
                                          "forward_headers",
                                          "vary_ignore",
                                          "vary_cookies",
                                          "vary_accept",
                                          "purge_from",
                                          "alt_svc",
                                          "cdn_cache_control",
                                          "query_ignore",
                                          "query_sort",
                                          "query_strip",
                                          "origin_ca_file",
                                          "origin_verify",
                                          "origin_connections",
                                          "folder",
                                          "rule"};
constexpr std::string_view kRuleKeys[] = {"prefix"};

/// Reads one file.
class Reader : private TableReader {
 public:
  explicit Reader(std::string path)
      : TableReader(std::move(path)),
        folder_(std::filesystem::absolute(TableReader::path()).parent_path().string()) {}

  base::Result<Config> read();

 private:
  void server(const toml::table& table, Config& config);
  void listeners(const toml::node& node, Config& config);
  /// Adds a listener. Returns what is wrong with the address, or an empty text.
  static std::string listener(const std::string& address, Config& config);
  void log(const toml::table& table, LogConfig& config);
  void site(const toml::table& table, Config& config);
  void site_hosts(const toml::table& table, const Config& config, SiteConfig& site);
  void site_origin(const toml::table& table, SiteConfig& site);
  void site_folder(const toml::table& table, SiteConfig& site);
  void site_requests(const toml::table& table, SiteConfig& site);
  void site_fields(const toml::table& table, http::PolicyOptions& options);
  void site_rules(const toml::table& table, const http::PolicyOptions& options, SiteConfig& site);
  void policy(const toml::table& table, http::PolicyOptions& policy);
  void preflight(const toml::table& table, http::PreflightOptions& options);
  void statuses(const toml::table& table, std::vector<uint16_t>& out);

  const std::string folder_;
};

base::Result<Config> Reader::read() {
  const base::Result<std::string> content = read_regular_file(path(), base::limits::kConfigBytes);
  if (!content.ok()) {
    return Error{ErrorCode::kInvalid, content.error().os_error, content.error().message};
  }
  const toml::parse_result parsed = toml::parse(*content, path());
  if (!parsed) {
    fail(parsed.error().source(), std::string(parsed.error().description()));
    return *error();
  }
  const toml::table& root = parsed.table();
  Config config;
  check_keys(root, "the file", {kTopKeys});
  if (const toml::table* section = table(root, "server", "[server]")) server(*section, config);
  if (const toml::node* node = root.get("listen")) listeners(*node, config);
  if (const toml::table* section = table(root, "store", "[store]")) {
    check_keys(*section, "[store]", {kStoreKeys});
    text(*section, "path", config.store.path);
    size(*section, "size", config.store.size_bytes);
  }
  if (const toml::table* section = table(root, "log", "[log]")) {
    log(*section, config.log);
  }
  if (const toml::node* sites = root.get("site")) {
    if (!sites->is_array_of_tables()) {
      fail(sites->source(), "sites are written as [[site]]");
    } else {
      for (const toml::node& node : *sites->as_array()) site(*node.as_table(), config);
    }
  }
  if (config.sites.empty()) fail(root.source(), "there is no [[site]], so nothing to serve");
  if (error()) return *error();
  return config;
}

void Reader::server(const toml::table& table, Config& config) {
  check_keys(table, "[server]", {kServerKeys});
  list(table, "listen",
       [&](const std::string& value) -> std::string { return listener(value, config); });
  number(table, "workers", 0, base::limits::kLoops, config.workers);
  networks(table, "trusted_proxies", config.trusted_proxies);
  size(table, "request_line_limit", config.request_line_bytes);
  if (config.request_line_bytes > base::limits::kRequestLineBytesMost ||
      config.request_line_bytes < base::limits::kKiB) {
    fail(table.get("request_line_limit")->source(),
         "'request_line_limit' is from \"1KiB\" to \"12KiB\"");
  }
  timeout_ms(table, "head_timeout", config.head_ms);
  timeout_ms(table, "idle_timeout", config.idle_ms);
  duration_ms(table, "drain_timeout", config.drain_ms);
}

std::string Reader::listener(const std::string& address, Config& config) {
  const std::optional<base::Address> parsed = base::Address::parse(address);
  if (!parsed) return "'" + address + "' is not ADDRESS:PORT";
  config.listeners.push_back({*parsed});
  return "";
}

void Reader::listeners(const toml::node& node, Config& config) {
  if (!node.is_array_of_tables()) return fail(node.source(), "listeners are written as [[listen]]");
  for (const toml::node& member : *node.as_array()) {
    const toml::table& table = *member.as_table();
    check_keys(table, "[[listen]]", {kListenKeys});
    std::string address;
    text(table, "address", address);
    if (table.get("address") == nullptr) {
      fail(table.source(), "a listener has an address, such as address = \":80\"");
      continue;
    }
    const std::string wrong = listener(address, config);
    if (!wrong.empty()) fail(table.get("address")->source(), wrong);
  }
}

void Reader::log(const toml::table& table, LogConfig& config) {
  constexpr std::string_view kLevels[] = {"info", "debug", "warning", "error"};
  check_keys(table, "[log]", {kLogKeys});
  text(table, "access", config.access);
  config.level = kLevels[choice(table, "level", {kLevels[0], kLevels[1], kLevels[2], kLevels[3]})];
}

void Reader::policy(const toml::table& table, http::PolicyOptions& policy) {
  seconds(table, "ttl", policy.ttl_s);
  seconds(table, "default_ttl", policy.default_ttl_s);
  seconds(table, "negative_ttl", policy.negative_ttl_s);
  seconds(table, "stale_while_revalidate", policy.stale_while_revalidate_s);
  seconds(table, "stale_if_error", policy.stale_if_error_s);
  duration_ms(table, "stale_if_slow", policy.stale_if_slow_ms);
  seconds(table, "unreachable_stale", policy.unreachable_stale_s);
  seconds(table, "heuristic_cap", policy.heuristic_cap_s);
  seconds(table, "error_ttl_cap", policy.error_ttl_cap_s);
  flag(table, "honour_client_directives", policy.honour_client_directives);
  flag(table, "trust_origin_clock", policy.trust_origin_clock);
  flag(table, "bypass", policy.bypass);
  if (table.get("set_cookie") != nullptr) {
    using http::SetCookieMode;
    constexpr SetCookieMode kModes[] = {SetCookieMode::kPass, SetCookieMode::kStrip,
                                        SetCookieMode::kStore};
    policy.set_cookie = kModes[choice(table, "set_cookie", {"pass", "strip", "store"})];
  }
  statuses(table, policy.forbidden_statuses);
  preflight(table, policy.preflight);
}

void Reader::preflight(const toml::table& table, http::PreflightOptions& options) {
  if (table.get("preflight_origins") != nullptr) options.origins.clear();
  list(table, "preflight_origins", [&](const std::string& value) -> std::string {
    options.origins.push_back(value);
    const size_t colon = value.find("://");
    std::string canonical;
    // As browsers write it: nothing else could ever be equal.
    const bool origin =
        colon != std::string::npos && http::is_token(value.substr(0, colon)) &&
        std::none_of(value.begin(), value.end(), [](char c) { return c >= 'A' && c <= 'Z'; }) &&
        http::canonical_authority(value.substr(colon + 3), value.substr(0, colon), canonical) &&
        canonical == value.substr(colon + 3);
    return value == "*" || origin
               ? ""
               : "'" + value + "' is neither \"*\" nor an origin, such as \"https://app.test\"";
  });
  const auto tokens = [&](std::string_view key, std::string_view what, std::string& out) {
    if (table.get(key) != nullptr) out.clear();
    list(table, key, [&](const std::string& value) -> std::string {
      out.append(out.empty() ? "" : ", ").append(value);
      return http::is_token(value) ? "" : "'" + value + "' is not " + std::string(what);
    });
  };
  tokens("preflight_methods", "a method", options.methods);
  tokens("preflight_headers", "a field name", options.headers);
  seconds(table, "preflight_max_age", options.max_age_s);
}

void Reader::statuses(const toml::table& table, std::vector<uint16_t>& out) {
  const toml::node* node = table.get("forbidden_statuses");
  if (node == nullptr) return;
  if (!node->is_array()) return fail(node->source(), "'forbidden_statuses' is a list of numbers");
  out.clear();
  for (const toml::node& member : *node->as_array()) {
    const int64_t status = member.value_exact<int64_t>().value_or(0);
    if (status < 200 || status > 599) {
      return fail(member.source(), "a status is a number from 200 to 599");
    }
    out.push_back(static_cast<uint16_t>(status));
  }
}

void Reader::site_hosts(const toml::table& table, const Config& config, SiteConfig& site) {
  list(table, "hosts", [&](const std::string& value) -> std::string {
    std::string canonical;
    if (!http::canonical_authority(value, "http", canonical)) {
      return "'" + value + "' is not a host";
    }
    const auto has_it = [&](const SiteConfig& other) {
      return std::find(other.hosts.begin(), other.hosts.end(), canonical) != other.hosts.end();
    };
    if (has_it(site) || std::any_of(config.sites.begin(), config.sites.end(), has_it)) {
      return "'" + value + "' is listed twice";
    }
    site.hosts.push_back(canonical);
    return "";
  });
  flag(table, "default", site.is_default);
  if (site.hosts.empty() && !site.is_default) {
    fail(table.source(), "this site has neither 'hosts' nor 'default = true'");
  }
  const auto is_default = [](const SiteConfig& other) { return other.is_default; };
  if (site.is_default && std::any_of(config.sites.begin(), config.sites.end(), is_default)) {
    fail(table.get("default")->source(), "another site is the default already");
  }
}

void Reader::site_origin(const toml::table& table, SiteConfig& site) {
  const toml::node* node = table.get("origin");
  if (node == nullptr) return fail(table.source(), "this site has no 'origin'");
  std::string url;
  text(table, "origin", url);
  base::Result<OriginConfig> origin = parse_origin(url, folder_);
  if (!origin.ok()) return fail(node->source(), origin.error().message);
  site.origin = std::move(*origin);
  origin::HttpOriginOptions unused;
  auto* http_origin = std::get_if<origin::HttpOriginOptions>(&site.origin);
  origin::HttpOriginOptions& options = http_origin != nullptr ? *http_origin : unused;
  text(table, "origin_ca_file", options.tls.ca_file);
  if (const toml::node* file = table.get("origin_ca_file"); file != nullptr && !error()) {
    const base::Status kind = check_regular_file(options.tls.ca_file);
    // One that is not there yet may come before it is needed.
    if (!kind.ok() && kind.error().code == ErrorCode::kInvalid) {
      fail(file->source(), kind.error().message);
    }
  }
  site_folder(table, site);
  flag(table, "origin_verify", options.tls.verify);
  number(table, "origin_connections", 1, 65'536, options.connections);
}

void Reader::site_folder(const toml::table& table, SiteConfig& site) {
  const toml::table* folder = TableReader::table(table, "folder", "[site.folder]");
  if (folder == nullptr) return;
  auto* options = std::get_if<origin::DirectoryOriginOptions>(&site.origin);
  if (options == nullptr) {
    return fail(table.get("folder")->source(), "'folder' stands beside an origin that is a folder");
  }
  read_folder_table(*this, *folder, *options);
}

/// Who may ask what, and with which fields it is sent on.
void Reader::site_requests(const toml::table& table, SiteConfig& site) {
  const auto is_host = [](const std::string& value) {
    std::string canonical;
    return http::canonical_authority(value, "http", canonical);
  };
  text(table, "host_header", "a host", is_host, site.host_header);
  text(table, "accept_encoding", "the value of a field", http::is_field_value,
       site.accept_encoding);
  text(table, "cdn_id", "a name without spaces", http::is_token, site.cdn_id);
  text(table, "alt_svc", "the value of a field", http::is_field_value, site.alt_svc);
  site.remove_cdn_cache_control = choice(table, "cdn_cache_control", {"pass", "remove"}) == 1;
  site.purge_from = {*parse_network("127.0.0.0/8"), *parse_network("::1/128")};
  networks(table, "purge_from", site.purge_from);
  flag(table, "query_ignore", site.query.ignore);
  flag(table, "query_sort", site.query.sort);
  list(table, "query_strip", [&](const std::string& value) -> std::string {
    site.query.strip.push_back(value);
    return "";
  });
}

/// What of a request the origin sees and looks at.
void Reader::site_fields(const toml::table& table, http::PolicyOptions& options) {
  const auto names = [&](std::string_view key, std::string_view what,
                         std::vector<std::string>& out) {
    list(table, key, [&](const std::string& value) -> std::string {
      out.push_back(value);
      return http::is_token(value) ? "" : "'" + value + "' is not " + std::string(what);
    });
  };
  names("forward_headers", "a field name", options.forward_headers);
  names("vary_ignore", "a field name", options.vary_ignore);
  names("vary_cookies", "a cookie's name", options.vary_cookies);
  list(table, "vary_accept", [&](const std::string& value) -> std::string {
    options.vary_accept.push_back(value);
    const size_t slash = value.find('/');
    const bool type = slash != std::string::npos && http::is_token(value.substr(0, slash)) &&
                      http::is_token(value.substr(slash + 1));
    return type ? "" : "'" + value + "' is not a media type";
  });
}

void Reader::site_rules(const toml::table& table, const http::PolicyOptions& options,
                        SiteConfig& site) {
  const toml::node* rules = table.get("rule");
  if (rules == nullptr) return;
  if (!rules->is_array_of_tables()) {
    return fail(rules->source(), "rules are written as [[site.rule]]");
  }
  for (const toml::node& node : *rules->as_array()) {
    const toml::table& rule = *node.as_table();
    check_keys(rule, "[[site.rule]]", {kRuleKeys, kPolicyKeys});
    RuleConfig made;
    text(rule, "prefix", made.prefix);
    if (!made.prefix.starts_with('/')) {
      fail(rule.source(), "a rule has a 'prefix' that begins with /");
    }
    // As requests are matched, whatever way it is written here.
    http::PathReadings readings;
    made.prefix = readings.of(made.prefix).front();
    made.loose_prefix = readings.of(made.prefix).back();
    http::PolicyOptions ruled = options;
    policy(rule, ruled);
    made.policy = std::make_shared<const http::PolicyOptions>(ruled);
    site.rules.push_back(std::move(made));
  }
  std::stable_sort(
      site.rules.begin(), site.rules.end(),
      [](const RuleConfig& a, const RuleConfig& b) { return a.prefix.size() > b.prefix.size(); });
}

void Reader::site(const toml::table& table, Config& config) {
  check_keys(table, "[[site]]", {kSiteKeys, kPolicyKeys});
  SiteConfig site;
  site_hosts(table, config, site);
  site_origin(table, site);
  site_requests(table, site);
  http::PolicyOptions options;
  site_fields(table, options);
  policy(table, options);
  site.policy = std::make_shared<const http::PolicyOptions>(options);
  site_rules(table, options, site);
  config.sites.push_back(std::move(site));
}

}  // namespace

base::Result<Config> read_config_file(const std::string& path) { return Reader(path).read(); }

}  // namespace perigee::edge

#include "edge/config_reader.h"

#include <algorithm>
#include <filesystem>
#include <set>

#include "base/limits.h"
#include "base/text.h"
#include "edge/folder_reader.h"
#include "edge/host_names.h"
#include "edge/regular_file.h"

namespace perigee::edge {
namespace {

using base::ErrorCode;

constexpr std::string_view kTopKeys[] = {"server", "listen", "store", "log", "site"};
constexpr std::string_view kListenKeys[] = {"address"};
constexpr std::string_view kServerKeys[] = {
    "listen",       "workers",      "trusted_proxies", "request_line_limit",
    "head_timeout", "idle_timeout", "drain_timeout",   "coding_cpu"};
constexpr std::string_view kStoreKeys[] = {"path", "size", "lock_memory", "warm"};
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
                                            "connect_timeout",
                                            "first_byte_timeout",
                                            "between_bytes_timeout",
                                            "min_rate",
                                            "surrogate_control",
                                            "shape_guard",
                                            "retain",
                                            "retain_hashed",
                                            "fetch_ranges",
                                            "interim",
                                            "upgrade",
                                            "codings",
                                            "coded_types",
                                            "repr_digest",
                                            "bypass"};
constexpr std::string_view kSiteKeys[] = {"hosts",           "default",
                                          "origin",          "host_header",
                                          "accept_encoding", "cdn_id",
                                          "forward_headers", "key_fields",
                                          "vary_ignore",     "vary_cookies",
                                          "vary_accept",     "purge_from",
                                          "alt_svc",         "cdn_cache_control",
                                          "query_ignore",    "query_sort",
                                          "query_strip",     "origin_ca_file",
                                          "origin_verify",   "origin_connections",
                                          "folder",          "rule"};
constexpr std::string_view kRuleKeys[] = {"prefix"};

/// Reads one text. What is read after a mistake is looked at all the same.
class Reader : private ConfigValues {
 public:
  Reader(const ConfigText& text, std::string folder)
      : ConfigValues(text), folder_(std::move(folder)) {}

  ReadConfig read();

 private:
  void root(const toml::table& root);
  void server(const toml::table& table, Config& config);
  void listeners(const toml::node& node, Config& config);
  /// Adds a listener. Returns what is wrong with the address, or an empty text.
  static std::string listener(const std::string& address, Config& config);
  void store(const toml::table& table, StoreConfig& config);
  void log(const toml::table& table, LogConfig& config);
  void site(const toml::table& table, Config& config);
  void site_hosts(const toml::table& table, const Config& config, SiteConfig& site);
  void site_origin(const toml::table& table, SiteConfig& site);
  void site_folder(const toml::table& table, SiteConfig& site);
  void site_requests(const toml::table& table, SiteConfig& site);
  void site_fields(const toml::table& table, http::PolicyOptions& options);
  void site_rules(const toml::table& table, const http::PolicyOptions& options, SiteConfig& site);
  /// Says what a rule's prefix can never match.
  void warn_of_prefix(const toml::table& rule, const std::string& prefix, const SiteConfig& site);
  void policy(const toml::table& table, http::PolicyOptions& policy);
  void warn_of_lifetimes(const toml::table& table, const http::PolicyOptions& policy);
  void upgrades(const toml::table& table, std::vector<std::string>& out);
  void preflight(const toml::table& table, http::PreflightOptions& options);
  void coding(const toml::table& table, http::CodingOptions& options);
  void statuses(const toml::table& table, std::vector<uint16_t>& out);

  const std::string folder_;
  ReadConfig read_;
  std::set<std::string> names_;  ///< of all sites so far
};

ReadConfig Reader::read() {
  const toml::parse_result parsed = toml::parse(text_.content, text_.name);
  if (parsed) {
    root(parsed.table());
  } else {
    fail(parsed.error().source(), std::string(parsed.error().description()));
  }
  read_.problems = std::move(problems_);
  return std::move(read_);
}

void Reader::root(const toml::table& root) {
  Config& config = read_.config;
  check_keys(root, "the file", {kTopKeys});
  if (const toml::table* section = table(root, "server", "[server]")) server(*section, config);
  if (const toml::node* node = root.get("listen")) listeners(*node, config);
  if (const toml::table* section = table(root, "store")) store(*section, config.store);
  if (const toml::table* section = table(root, "log")) log(*section, config.log);
  if (const toml::node* sites = root.get("site")) {
    if (!sites->is_array_of_tables()) {
      fail(sites->source(), "sites are written as [[site]]");
    } else {
      for (const toml::node& node : *sites->as_array()) site(*node.as_table(), config);
    }
  }
  problems_.sort();
  if (lacks(root, "site")) fail(root.source(), "there is no [[site]], so nothing to serve");
}

void Reader::server(const toml::table& table, Config& config) {
  check_keys(table, "[server]", {kServerKeys});
  list(table, "listen",
       [&](const std::string& value) -> std::string { return listener(value, config); });
  number(table, "workers", 0, base::limits::kLoops, config.workers);
  networks(table, "trusted_proxies", config.trusted_proxies);
  warn_of_everybody(table, "trusted_proxies", "each client may say who it is, and by which scheme");
  const bool sized = size(table, "request_line_limit", config.request_line_bytes);
  if (sized && (config.request_line_bytes > base::limits::kRequestLineBytesMost ||
                config.request_line_bytes < base::limits::kKiB)) {
    fail(table.get("request_line_limit")->source(),
         "'request_line_limit' is from \"1KiB\" to \"12KiB\"");
  }
  timeout_ms(table, "head_timeout", config.head_ms);
  timeout_ms(table, "idle_timeout", config.idle_ms);
  duration_ms(table, "drain_timeout", config.drain_ms);
  number(table, "coding_cpu", 0, 100, config.coding_cpu_percent);
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
    if (lacks(table, "address")) {
      fail(table.source(), "a listener has an address, such as address = \":80\"");
    }
    if (!text(table, "address", address)) continue;
    const std::string wrong = listener(address, config);
    if (!wrong.empty()) fail(table.get("address")->source(), wrong);
  }
}

void Reader::store(const toml::table& table, StoreConfig& config) {
  check_keys(table, "[store]", {kStoreKeys});
  if (text(table, "path", config.path)) read_.spots.store_path = spot(table.get("path")->source());
  if (size(table, "size", config.size_bytes)) {
    read_.spots.store_size = spot(table.get("size")->source());
  }
  flag(table, "lock_memory", config.lock_memory);
  flag(table, "warm", config.warm);
}

void Reader::log(const toml::table& table, LogConfig& config) {
  constexpr std::string_view kLevels[] = {"info", "debug", "warning", "error"};
  check_keys(table, "[log]", {kLogKeys});
  if (text(table, "access", config.access)) {
    read_.spots.access_log = spot(table.get("access")->source());
  }
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
  flag(table, "surrogate_control", policy.surrogate_control);
  timeout_ms(table, "connect_timeout", policy.times.connect_ms);
  timeout_ms(table, "first_byte_timeout", policy.times.first_byte_ms);
  timeout_ms(table, "between_bytes_timeout", policy.times.between_bytes_ms);
  size(table, "min_rate", policy.times.bytes_per_second);
  flag(table, "shape_guard", policy.shape_guard);
  seconds(table, "retain", policy.retain_s);
  flag(table, "retain_hashed", policy.retain_hashed);
  flag(table, "fetch_ranges", policy.fetch_ranges);
  flag(table, "repr_digest", policy.repr_digest);
  if (table.get("interim") != nullptr) {
    policy.drop_interim = choice(table, "interim", {"pass", "drop"}) == 1;
  }
  upgrades(table, policy.upgrades);
  coding(table, policy.coding);
  warn_of_lifetimes(table, policy);
  if (table.get("set_cookie") != nullptr) {
    using http::SetCookieMode;
    constexpr SetCookieMode kModes[] = {SetCookieMode::kPass, SetCookieMode::kStrip,
                                        SetCookieMode::kStore};
    policy.set_cookie = kModes[choice(table, "set_cookie", {"pass", "strip", "store"})];
  }
  statuses(table, policy.forbidden_statuses);
  preflight(table, policy.preflight);
}

void Reader::warn_of_lifetimes(const toml::table& table, const http::PolicyOptions& policy) {
  if (policy.bypass) return;
  const toml::node* ttl = table.get("ttl");
  if (ttl != nullptr && policy.ttl_s == 0) {
    warn(ttl->source(),
         "with a 'ttl' of 0 the origin is asked each time; 'bypass = true' stores nothing, too");
  }
  const toml::node* default_ttl = table.get("default_ttl");
  if (ttl != nullptr && default_ttl != nullptr) {
    warn(default_ttl->source(), "beside 'ttl', which counts always, 'default_ttl' has no effect");
  }
}

void Reader::upgrades(const toml::table& table, std::vector<std::string>& out) {
  if (table.get("upgrade") != nullptr) out.clear();
  list(table, "upgrade", [&](const std::string& value) -> std::string {
    const std::string_view name = std::string_view(value).substr(0, value.find('/'));
    // HTTP in a tunnel would pass by all rules (and HTTP2-Settings, which h2c needs, ends here).
    if (base::iequals(name, "h2c") || base::iequals(name, "http") || base::iequals(name, "tls")) {
      return quoted(value) + " would hide requests from this server";
    }
    out.push_back(value);
    const std::string_view version =
        name.size() < value.size() ? std::string_view(value).substr(name.size() + 1) : name;
    return http::is_token(name) && http::is_token(version)
               ? ""
               : quoted(value) + " is not a protocol, such as \"websocket\"";
  });
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

void Reader::coding(const toml::table& table, http::CodingOptions& options) {
  if (table.get("codings") != nullptr) options.codings = {};
  list(table, "codings", [&](const std::string& value) -> std::string {
    for (const http::Coding coding : http::kMadeCodings) {
      if (value != http::coding_name(coding)) continue;
      options.codings.add(coding);
      return "";
    }
    return quoted(value) + " is not \"zstd\", \"br\" or \"gzip\"";
  });
  if (table.get("coded_types") != nullptr) options.types.clear();
  list(table, "coded_types", [&](const std::string& value) -> std::string {
    options.types.push_back(value);
    return http::is_coding_type(value)
               ? ""
               : quoted(value) + " is not a media type in lower case, such as \"text/*\"";
  });
}

void Reader::statuses(const toml::table& table, std::vector<uint16_t>& out) {
  const toml::node* node = table.get("forbidden_statuses");
  if (node == nullptr) return;
  if (!node->is_array()) return fail(node->source(), "'forbidden_statuses' is a list of numbers");
  out.clear();
  for (const toml::node& member : *node->as_array()) {
    const int64_t status = member.value_exact<int64_t>().value_or(0);
    if (status < 200 || status > 599) {
      fail(member.source(), "a status is a number from 200 to 599");
      continue;
    }
    out.push_back(static_cast<uint16_t>(status));
  }
}

void Reader::site_hosts(const toml::table& table, const Config& config, SiteConfig& site) {
  list(table, "hosts", [&](const std::string& value) -> std::string {
    const base::Result<std::string> name = parse_host_name(value);
    if (!name.ok()) return name.error().message;
    if (!names_.insert(*name).second) return quoted(value) + " is listed twice";
    site.hosts.push_back(*name);
    return "";
  });
  flag(table, "default", site.is_default);
  const toml::array* hosts = table.get_as<toml::array>("hosts");
  const toml::node* by_default = table.get("default");
  const bool no_name = hosts != nullptr ? hosts->empty() : lacks(table, "hosts");
  const bool no_default =
      by_default != nullptr ? by_default->value_exact<bool>() == false : lacks(table, "default");
  if (no_name && no_default) {
    fail(table.source(), "this site has neither 'hosts' nor 'default = true'");
  }
  const auto is_default = [](const SiteConfig& other) { return other.is_default; };
  if (by_default != nullptr && site.is_default &&
      std::any_of(config.sites.begin(), config.sites.end(), is_default)) {
    fail(by_default->source(), "another site is the default already");
  }
}

void Reader::site_origin(const toml::table& table, SiteConfig& site) {
  read_.spots.origins.emplace_back();
  const toml::node* node = table.get("origin");
  if (lacks(table, "origin")) fail(table.source(), "this site has no 'origin'");
  std::string url;
  if (text(table, "origin", url)) {
    read_.spots.origins.back() = spot(node->source());
    base::Result<OriginConfig> origin = parse_origin(url, folder_);
    if (!origin.ok()) fail(node->source(), origin.error().message);
    if (origin.ok()) site.origin = std::move(*origin);
  }
  origin::HttpOriginOptions unused;
  auto* http_origin = std::get_if<origin::HttpOriginOptions>(&site.origin);
  origin::HttpOriginOptions& options = http_origin != nullptr ? *http_origin : unused;
  if (text(table, "origin_ca_file", options.tls.ca_file)) {
    const base::Status kind = check_regular_file(options.tls.ca_file);
    // One that is not there yet may come before it is needed.
    if (!kind.ok() && kind.error().code == ErrorCode::kInvalid) {
      fail(table.get("origin_ca_file")->source(), kind.error().message);
    }
  }
  site_folder(table, site);
  flag(table, "origin_verify", options.tls.verify);
  number(table, "origin_connections", 1, 65'536, options.connections);
}

void Reader::site_folder(const toml::table& table, SiteConfig& site) {
  const toml::table* folder = ConfigValues::table(table, "folder", "[site.folder]");
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
  site.purge_from = {*base::parse_network("127.0.0.0/8"), *base::parse_network("::1/128")};
  networks(table, "purge_from", site.purge_from);
  warn_of_everybody(table, "purge_from", "each client may purge");
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
  names("key_fields", "a field name", options.key_fields);
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
    const bool right = text(rule, "prefix", made.prefix) && made.prefix.starts_with('/');
    if (lacks(rule, "prefix") || (!right && rule.get_as<std::string>("prefix") != nullptr)) {
      fail(rule.source(), "a rule has a 'prefix' that begins with /");
    }
    // As requests are matched, whatever way it is written here.
    http::PathReadings readings;
    made.prefix = readings.of(made.prefix).front();
    made.loose_prefix = readings.of(made.prefix).back();
    if (right) warn_of_prefix(rule, made.prefix, site);
    http::PolicyOptions ruled = options;
    policy(rule, ruled);
    made.policy = std::make_shared<const http::PolicyOptions>(ruled);
    site.rules.push_back(std::move(made));
  }
  std::stable_sort(
      site.rules.begin(), site.rules.end(),
      [](const RuleConfig& a, const RuleConfig& b) { return a.prefix.size() > b.prefix.size(); });
}

void Reader::warn_of_prefix(const toml::table& rule, const std::string& prefix,
                            const SiteConfig& site) {
  const toml::source_region& where = rule.get("prefix")->source();
  const std::string written = *rule.get("prefix")->value_exact<std::string>();
  if (written.find('?') != std::string::npos) {
    warn(where, "rules match the path alone, and '?' begins the query");
  }
  if (written.find('*') != std::string::npos) {
    warn(where, "a prefix has no wildcards: '*' is the character itself");
  }
  const bool twice = std::any_of(site.rules.begin(), site.rules.end(),
                                 [&](const RuleConfig& other) { return other.prefix == prefix; });
  if (twice) warn(where, "another rule has this prefix: of the two only the stricter one is used");
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

ReadConfig read_config_text(const ConfigText& text, const std::string& folder) {
  return Reader(text, folder).read();
}

ReadConfig read_config_file(const std::string& path) {
  base::Result<std::string> content = read_regular_file(path, base::limits::kConfigBytes);
  if (!content.ok()) {
    ReadConfig unread;
    unread.problems.error({}, content.error().message);
    return unread;
  }
  const std::string folder = std::filesystem::absolute(path).parent_path().string();
  return read_config_text({path, std::move(*content), {}}, folder);
}

}  // namespace perigee::edge

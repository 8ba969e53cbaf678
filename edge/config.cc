#include "edge/config.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cstdlib>
#include <filesystem>
#include <utility>

#include "base/text.h"
#include "edge/config_reader.h"
#include "edge/host_names.h"
#include "edge/store_size.h"
#include "edge/units.h"

namespace perigee::edge {
namespace {

using base::Error;
using base::ErrorCode;

constexpr size_t kFileNameMost = 255;  ///< NAME_MAX of all file systems that matter

Error mistake(std::string message) { return {ErrorCode::kInvalid, 0, std::move(message)}; }

/// A file of the user's cache folder.
std::string default_store_path(const std::string& name) {
  if (const char* cache = std::getenv("XDG_CACHE_HOME"); cache != nullptr && *cache != '\0') {
    return std::string(cache) + "/perigee/" + name;
  }
  const char* home = std::getenv("HOME");
  return home != nullptr && *home != '\0' ? std::string(home) + "/.cache/perigee/" + name
                                          : "/var/cache/perigee/" + name;
}

/// The store of a node without a configuration: one per origin, since what another origin said
/// under the same host name is no answer of this one, and each of several nodes needs its own.
std::string store_name(const OriginConfig& origin) {
  std::string text;
  if (const auto* directory = std::get_if<origin::DirectoryOriginOptions>(&origin)) {
    text = "dir:" + directory->path;
  } else {
    const auto& options = std::get<origin::HttpOriginOptions>(origin);
    text = (options.secure ? "https:" : "http:") + options.authority;
  }
  std::string name = "store-";
  for (const char c : text) {
    const bool plain = std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '.' || c == '-';
    constexpr std::string_view kHex = "0123456789abcdef";
    const auto byte = static_cast<unsigned char>(c);
    name += plain ? std::string(1, c) : std::string{'%', kHex[byte / 16], kHex[byte % 16]};
  }
  return name.substr(0, kFileNameMost);
}

/// As a string of TOML. Bytes that no TOML may hold stay: then the reader says so.
std::string toml_string(std::string_view text) {
  constexpr std::string_view kHex = "0123456789abcdef";
  std::string out = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < ' ' || byte == 0x7f) {
      out.append("\\u00").append({kHex[byte / 16], kHex[byte % 16]});
    } else {
      if (c == '"' || c == '\\') out += '\\';
      out += c;
    }
  }
  return out + "\"";
}

std::string toml_value(const Setting& setting) {
  if (!setting.is_list) return toml_string(setting.values.front());
  std::string out = "[";
  for (const std::string& value : setting.values) out += toml_string(value) + ", ";
  return out + "]";
}

/// The file that one would write instead of these options. So each key is read in one place, and a
/// mistake is found by its line.
ConfigText text_of_options(const Arguments& arguments) {
  ConfigText text;
  const auto add = [&](const std::string& line, const std::string& option) {
    text.content += line + "\n";
    text.options.push_back(option);
  };
  for (const std::string_view section : {"[server]", "[log]", "[[site]]"}) {
    add(std::string(section), "");
    for (const Setting& setting : arguments.settings) {
      if (setting.section != section) continue;
      add(setting.key + " = " + toml_value(setting), setting.option);
    }
  }
  add("origin = " + toml_string(arguments.origin), "--origin");
  add("default = true", "--origin");
  return text;
}

ReadConfig config_of_options(const Arguments& arguments) {
  ReadConfig read =
      read_config_text(text_of_options(arguments), std::filesystem::current_path().string());
  if (read.ok())
    read.config.store.path = default_store_path(store_name(read.config.sites[0].origin));
  return read;
}

void lay_over(const Arguments& arguments, ReadConfig& read) {
  Config& config = read.config;
  if (!arguments.listen.empty()) {
    const std::optional<base::Address> address = base::Address::parse(arguments.listen);
    if (address) config.listeners = {{*address}};
    if (!address) {
      read.problems.error({.name = "--listen"}, "'" + arguments.listen + "' is not ADDRESS:PORT");
    }
  }
  if (config.listeners.empty()) config.listeners = {{*base::Address::parse("127.0.0.1:8080")}};
  if (!arguments.store_path.empty()) {
    config.store.path = arguments.store_path;
    read.spots.store_path = {.name = "--store"};
  }
  if (config.store.path.empty()) config.store.path = default_store_path("store");
  if (!arguments.store_size.empty()) {
    const std::optional<uint64_t> size = parse_size(arguments.store_size);
    read.spots.store_size = {.name = "--store-size"};
    if (size) config.store.size_bytes = *size;
    if (!size) {
      read.problems.error(read.spots.store_size,
                          "'" + arguments.store_size + "' is not a size, such as 1GiB");
    }
  }
  if (config.store.size_bytes == 0) {
    const ChosenSize chosen = choose_store_size(look_at_ground(config.store.path));
    config.store.size_bytes = chosen.bytes;
    config.store.size_why = chosen.why;
  }
  if (arguments.workers != 0) config.workers = arguments.workers;
}

/// Smaller is stricter: what is never stored, then what is never fresh, then what goes by the
/// origin's word, then what is kept for so long whatever the origin says. Of two that agree, the
/// one that stores less beside Set-Cookie.
std::pair<int64_t, http::SetCookieMode> strictness(const http::PolicyOptions& policy) {
  const std::optional<int64_t> forced = policy.ttl_s ? policy.ttl_s : policy.default_ttl_s;
  int64_t rank = 2;
  if (policy.bypass) {
    rank = 0;
  } else if (forced) {
    rank = *forced == 0 ? 1 : 2 + *forced;
  }
  return {rank, policy.set_cookie};
}

/// `governing`, unless `other` is stricter.
const PolicyPtr& stricter(const PolicyPtr& governing, const PolicyPtr& other) {
  return strictness(*other) < strictness(*governing) ? other : governing;
}

const PolicyPtr& canonical_policy(const SiteConfig& site, std::string_view path) {
  for (const RuleConfig& rule : site.rules) {
    if (path.starts_with(rule.prefix)) return rule.policy;
  }
  return site.policy;
}

/// Of one of the other readings, letters in any case. Of rules of one length the strictest.
const PolicyPtr& loose_policy(const SiteConfig& site, std::string_view path) {
  const auto begins = [&](const std::string& prefix) {
    return base::iequals(path.substr(0, prefix.size()), prefix);
  };
  const RuleConfig* found = nullptr;
  for (const RuleConfig& rule : site.rules) {
    if (found != nullptr && rule.prefix.size() < found->prefix.size()) break;
    if (!begins(rule.prefix) && !begins(rule.loose_prefix)) continue;
    if (found == nullptr || strictness(*rule.policy) < strictness(*found->policy)) found = &rule;
  }
  return found != nullptr ? found->policy : site.policy;
}

/// For a path that is too long to be read in every way.
const PolicyPtr& strictest_policy(const SiteConfig& site) {
  const PolicyPtr* governing = &site.policy;
  for (const RuleConfig& rule : site.rules) governing = &stricter(*governing, rule.policy);
  return *governing;
}

}  // namespace

ReadConfig read_config(const Arguments& arguments) {
  ReadConfig read = arguments.config_path.empty() ? config_of_options(arguments)
                                                  : read_config_file(arguments.config_path);
  lay_over(arguments, read);
  return read;
}

void name_node(uint64_t identity, Config& config) {
  constexpr std::string_view kHex = "0123456789abcdef";
  std::string name = "perigee-";
  for (int shift = 60; shift >= 0; shift -= 4) name += kHex[identity >> shift & 15];
  for (SiteConfig& site : config.sites) {
    if (site.cdn_id.empty()) site.cdn_id = name;
  }
}

bool keys_each_host(const SiteConfig& site) {
  return site.hosts.empty() || site.host_header == kClientHost ||
         std::any_of(site.hosts.begin(), site.hosts.end(), is_wildcard);
}

const PolicyPtr& policy_for(const SiteConfig& site, std::string_view target,
                            http::PathReadings& readings) {
  const std::string_view path = target.substr(0, target.find('?'));
  if (site.rules.empty() || !path.starts_with('/')) return site.policy;
  if (http::is_plain_path(path)) {
    return stricter(canonical_policy(site, path), loose_policy(site, path));
  }
  if (path.size() > base::limits::kOddPathBytes) return strictest_policy(site);
  const auto all = readings.of(path);
  const PolicyPtr* governing = &canonical_policy(site, all.front());
  for (const std::string_view reading : all) {
    governing = &stricter(*governing, loose_policy(site, reading));
  }
  return *governing;
}

base::Result<OriginConfig> parse_origin(std::string_view text, const std::string& folder) {
  if (text.starts_with("dir:")) {
    const std::filesystem::path path(text.substr(4));
    if (path.empty()) return mistake("'dir:' names no folder");
    origin::DirectoryOriginOptions options;
    options.path = (path.is_absolute() ? path : std::filesystem::path(folder) / path)
                       .lexically_normal()
                       .string();
    return OriginConfig(std::move(options));
  }
  origin::HttpOriginOptions options;
  std::string_view rest = text;
  if (text.starts_with("http://")) {
    rest.remove_prefix(7);
  } else if (text.starts_with("https://")) {
    rest.remove_prefix(8);
    options.secure = true;
  } else {
    return mistake("'" + std::string(text) +
                   "' is not an origin: http://host:port, https://host, or dir:/folder");
  }
  if (rest.ends_with('/')) rest.remove_suffix(1);
  if (rest.find_first_of("/?#@") != std::string_view::npos) {
    return mistake("an origin is a scheme, a host and a port; '" + std::string(text) +
                   "' holds more than that");
  }
  const std::string_view scheme = options.secure ? "https" : "http";
  if (!http::canonical_authority(rest, scheme, options.authority)) {
    return mistake("'" + std::string(rest) + "' is not a host");
  }
  std::string_view host = http::host_of(options.authority);
  options.port = options.secure ? 443 : 80;
  if (host.size() < options.authority.size()) {
    const std::string_view port = std::string_view(options.authority).substr(host.size() + 1);
    std::from_chars(port.data(), port.data() + port.size(), options.port);
  }
  if (host.starts_with('[')) host = host.substr(1, host.size() - 2);
  options.host = host;
  options.tls.server_name = host;
  return OriginConfig(std::move(options));
}

}  // namespace perigee::edge

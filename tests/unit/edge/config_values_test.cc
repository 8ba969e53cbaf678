// What the keys of a configuration hold when they are not written, at their bounds, and in a rule;
// and that those of [server] reach the connections.
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>

#include "base/limits.h"
#include "tests/support/edge/stand.h"
#include "tests/support/main/paths.h"
#include "tests/unit/edge/config_fixture.h"

namespace perigee::edge {
namespace {

constexpr const char* kSite = "[[site]]\ndefault = true\norigin = \"http://127.0.0.1:9\"\n";

/// The policy keys as conf/perigee.toml and the README show them.
void expect_default_policy(const http::PolicyOptions& policy) {
  EXPECT_FALSE(policy.ttl_s);
  EXPECT_FALSE(policy.default_ttl_s);
  EXPECT_FALSE(policy.negative_ttl_s);
  EXPECT_FALSE(policy.stale_while_revalidate_s);
  EXPECT_FALSE(policy.stale_if_error_s);
  EXPECT_FALSE(policy.stale_if_slow_ms);
  EXPECT_EQ(policy.unreachable_stale_s, 86'400);
  EXPECT_EQ(policy.heuristic_cap_s, 3600);
  EXPECT_EQ(policy.error_ttl_cap_s, 10);
  EXPECT_EQ(policy.set_cookie, http::SetCookieMode::kPass);
  EXPECT_FALSE(policy.honour_client_directives);
  EXPECT_TRUE(policy.trust_origin_clock);
  EXPECT_TRUE(policy.forbidden_statuses.empty());
  EXPECT_TRUE(policy.forward_headers.empty());
  EXPECT_TRUE(policy.vary_ignore.empty());
  EXPECT_TRUE(policy.vary_cookies.empty());
  EXPECT_TRUE(policy.vary_accept.empty());
  EXPECT_TRUE(policy.preflight.origins.empty());
  EXPECT_EQ(policy.preflight.methods, "");
  EXPECT_EQ(policy.preflight.headers, "");
  EXPECT_FALSE(policy.preflight.max_age_s);
  EXPECT_FALSE(policy.bypass);
}

void expect_loopback_may_purge(const SiteConfig& site) {
  const auto may = [&](std::string_view text) {
    return contains(site.purge_from, *base::Address::parse_host(text, 0));
  };
  ASSERT_EQ(site.purge_from.size(), 2u);
  EXPECT_TRUE(may("127.0.0.1"));
  EXPECT_TRUE(may("127.255.255.255"));
  EXPECT_TRUE(may("::1"));
  EXPECT_FALSE(may("128.0.0.1"));
  EXPECT_FALSE(may("126.255.255.255"));
  EXPECT_FALSE(may("::2"));
}

void expect_default_site(const SiteConfig& site) {
  EXPECT_EQ(site.host_header, "");
  EXPECT_EQ(site.accept_encoding, "identity");
  EXPECT_EQ(site.cdn_id, "") << "the node's own";
  EXPECT_EQ(site.alt_svc, "");
  EXPECT_FALSE(site.remove_cdn_cache_control);
  EXPECT_FALSE(site.query.ignore);
  EXPECT_FALSE(site.query.sort);
  EXPECT_TRUE(site.query.strip.empty());
  expect_loopback_may_purge(site);
  expect_default_policy(*site.policy);
}

void expect_default_server(const Config& config) {
  EXPECT_TRUE(config.trusted_proxies.empty());
  EXPECT_EQ(config.workers, 0u);
  EXPECT_EQ(config.request_line_bytes, 8192u);
  EXPECT_EQ(config.head_ms, 10'000);
  EXPECT_EQ(config.idle_ms, 75'000);
  EXPECT_EQ(config.drain_ms, 30'000);
  EXPECT_EQ(config.log.access, "off");
  EXPECT_EQ(config.log.level, "info");
}

TEST_F(ConfigTest, EachKeyThatIsNotWrittenHasTheDefaultThatIsShown) {
  const Config config = good(kSite);
  expect_default_server(config);
  EXPECT_EQ(config.store.path, "");
  EXPECT_EQ(config.store.size_bytes, 0u);
  const SiteConfig& site = config.sites.at(0);
  expect_default_site(site);
  EXPECT_TRUE(http_of(site).tls.verify);
  EXPECT_EQ(http_of(site).tls.ca_file, "");
  EXPECT_EQ(http_of(site).connections, 64u);
  EXPECT_TRUE(site.rules.empty());
}

TEST_F(ConfigTest, TheCommentedFileShowsDefaultsAsTheyAre) {
  const base::Result<Config> config =
      config_or_mistake(read_config_file(test::source_file("conf/perigee.toml")));
  ASSERT_TRUE(config.ok());
  expect_default_server(*config);
  expect_default_site(config->sites.at(0));
  EXPECT_TRUE(config->sites.at(0).hosts.empty());
  ASSERT_EQ(config->listeners.size(), 1u);
  EXPECT_EQ(config->listeners[0].address.text(), "127.0.0.1:8080");
}

TEST_F(ConfigTest, AnOriginAloneHasTheSameDefaults) {
  Arguments arguments;
  arguments.origin = "http://127.0.0.1:9";
  const base::Result<Config> config = config_or_mistake(read_config(arguments));
  ASSERT_TRUE(config.ok());
  expect_default_server(*config);
  expect_default_site(config->sites.at(0));
  EXPECT_EQ(http_of(config->sites.at(0)).authority, "127.0.0.1:9");
}

TEST_F(ConfigTest, AStoreWithoutASizeTakesAGiBOrHalfOfTheMemory) {
  Arguments arguments;
  arguments.origin = "http://127.0.0.1:9";
  const base::Result<Config> config = config_or_mistake(read_config(arguments));
  ASSERT_TRUE(config.ok());
  const uint64_t memory =
      static_cast<uint64_t>(sysconf(_SC_PHYS_PAGES)) * static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
  EXPECT_LE(config->store.size_bytes, std::min<uint64_t>(1u << 30, memory / 2));
  EXPECT_GE(config->store.size_bytes, uint64_t{1} << 20);
  arguments.store_size = "3GiB";
  EXPECT_EQ(config_or_mistake(read_config(arguments))->store.size_bytes, 3ull << 30);
}

TEST_F(ConfigTest, AStoreWithoutAPathLiesInTheUsersCacheFolder) {
  const auto path = [](const std::string& origin) {
    Arguments arguments;
    arguments.origin = origin;
    return config_or_mistake(read_config(arguments))->store.path;
  };
  ASSERT_EQ(::setenv("XDG_CACHE_HOME", "/x/cache", 1), 0);
  EXPECT_EQ(path("http://127.0.0.1:9"), "/x/cache/perigee/store-http%3a127.0.0.1%3a9");
  EXPECT_EQ(path("https://a-b.test"), "/x/cache/perigee/store-https%3aa-b.test");
  EXPECT_EQ(path("dir:/srv/a b"), "/x/cache/perigee/store-dir%3a%2fsrv%2fa%20b");
  EXPECT_EQ(path("dir:/" + std::string(400, 'x')).size(),
            std::string("/x/cache/perigee/").size() + 255)
      << "as long as the name of a file may be";
  Arguments arguments;
  good(kSite);
  arguments.config_path = folder_.file("perigee.toml");
  EXPECT_EQ(config_or_mistake(read_config(arguments))->store.path, "/x/cache/perigee/store");
  ASSERT_EQ(::setenv("XDG_CACHE_HOME", "", 1), 0);
  const std::string home = ::getenv("HOME") == nullptr ? "" : ::getenv("HOME");
  ASSERT_EQ(::setenv("HOME", "/x/home", 1), 0);
  EXPECT_EQ(config_or_mistake(read_config(arguments))->store.path, "/x/home/.cache/perigee/store");
  for (const bool set : {true, false}) {
    ASSERT_EQ(set ? ::setenv("HOME", "", 1) : ::unsetenv("HOME"), 0);
    ASSERT_EQ(::unsetenv("XDG_CACHE_HOME"), 0);
    EXPECT_EQ(config_or_mistake(read_config(arguments))->store.path, "/var/cache/perigee/store");
  }
  ASSERT_EQ(::setenv("HOME", home.c_str(), 1), 0);
}

TEST_F(ConfigTest, EachWordOfAChoiceMeansItself) {
  for (const std::string level : {"debug", "info", "warning", "error"}) {
    EXPECT_EQ(good("[log]\nlevel = \"" + level + "\"\n" + kSite).log.level, level);
  }
  using http::SetCookieMode;
  const std::pair<const char*, SetCookieMode> modes[] = {{"pass", SetCookieMode::kPass},
                                                         {"strip", SetCookieMode::kStrip},
                                                         {"store", SetCookieMode::kStore}};
  for (const auto& [word, mode] : modes) {
    const Config config = good(std::string(kSite) + "set_cookie = \"" + word + "\"\n");
    EXPECT_EQ(config.sites.at(0).policy->set_cookie, mode) << word;
  }
  for (const bool remove : {true, false}) {
    const Config config =
        good(std::string(kSite) + "cdn_cache_control = \"" + (remove ? "remove" : "pass") + "\"\n");
    EXPECT_EQ(config.sites.at(0).remove_cdn_cache_control, remove);
  }
}

TEST_F(ConfigTest, EachFlagCanBeSetBothWays) {
  for (const bool set : {true, false}) {
    const std::string value = set ? " = true\n" : " = false\n";
    std::string lines;
    for (const char* key : {"origin_verify", "query_ignore", "query_sort",
                            "honour_client_directives", "trust_origin_clock", "bypass"}) {
      lines += key + value;
    }
    const Config config = good(kSite + lines);
    const SiteConfig& site = config.sites.at(0);
    for (const bool got : {http_of(site).tls.verify, site.query.ignore, site.query.sort,
                           site.policy->honour_client_directives, site.policy->trust_origin_clock,
                           site.policy->bypass}) {
      EXPECT_EQ(got, set);
    }
  }
}

TEST_F(ConfigTest, BoundsAreInclusive) {
  const auto server = [&](const std::string& line) {
    return mistake("[server]\n" + line + "\n" + kSite);
  };
  for (const char* line :
       {"workers = 0", "workers = 256", "request_line_limit = \"1KiB\"",
        "request_line_limit = \"12KiB\"", "head_timeout = \"1ms\"", "idle_timeout = \"1ms\""}) {
    EXPECT_EQ(server(line), "nothing") << line;
  }
  EXPECT_EQ(server("workers = -1"), "2:11: 'workers' is a number from 0 to 256");
  for (const char* size : {"1023B", "12289B"}) {
    EXPECT_EQ(server("request_line_limit = \"" + std::string(size) + "\""),
              "2:22: 'request_line_limit' is from \"1KiB\" to \"12KiB\"");
  }
  EXPECT_EQ(server("head_timeout = \"0ms\""), "2:16: 'head_timeout' is more than 0");
  EXPECT_EQ(server("trusted_proxies = [\"10.0.0.0/32\", \"::/128\", \"0.0.0.0/0\"]"), "nothing");
  for (const char* line : {"origin_connections = 1", "origin_connections = 65536",
                           "forbidden_statuses = [200, 599]", "ttl = \"0s\"", "purge_from = []"}) {
    EXPECT_EQ(mistake_in_site(std::string(line) + "\n"), "nothing") << line;
  }
  EXPECT_EQ(mistake_in_site("origin_connections = 65537\n"),
            "4:22: 'origin_connections' is a number from 1 to 65536");
  for (const char* status : {"199", "600"}) {
    EXPECT_EQ(mistake_in_site("forbidden_statuses = [" + std::string(status) + "]\n"),
              "4:23: a status is a number from 200 to 599");
  }
}

TEST_F(ConfigTest, LogHasNoOtherKeys) {
  EXPECT_EQ(mistake("[log]\nlevels = \"info\"\n"),
            "2:1: unknown key 'levels' in [log], did you mean 'level'?");
}

TEST_F(ConfigTest, AnEmptyListOfWhoMayPurgeIsNobody) {
  EXPECT_TRUE(good(std::string(kSite) + "purge_from = []\n").sites.at(0).purge_from.empty());
}

/// Every policy key, none at its default.
constexpr const char* kWholePolicy = R"(
ttl = "1h"
default_ttl = "10m"
negative_ttl = "10s"
stale_while_revalidate = "30s"
stale_if_error = "1d"
stale_if_slow = "250ms"
unreachable_stale = "2d"
heuristic_cap = "30m"
error_ttl_cap = "5s"
set_cookie = "strip"
honour_client_directives = true
trust_origin_clock = false
forbidden_statuses = [404, 500]
bypass = true
preflight_origins = ["https://app.test", "http://[::1]:8080", "*"]
preflight_methods = ["PUT", "DELETE"]
preflight_headers = ["Content-Type", "x-a"]
preflight_max_age = "2h"
forward_headers = ["x-f"]
vary_ignore = ["x-i"]
vary_cookies = ["c"]
vary_accept = ["image/avif"]
)";

void expect_whole(const http::PolicyOptions& policy) {
  EXPECT_EQ(policy.ttl_s, 3600);
  EXPECT_EQ(policy.default_ttl_s, 600);
  EXPECT_EQ(policy.negative_ttl_s, 10);
  EXPECT_EQ(policy.stale_while_revalidate_s, 30);
  EXPECT_EQ(policy.stale_if_error_s, 86'400);
  EXPECT_EQ(policy.stale_if_slow_ms, 250);
  EXPECT_EQ(policy.unreachable_stale_s, 172'800);
  EXPECT_EQ(policy.heuristic_cap_s, 1800);
  EXPECT_EQ(policy.error_ttl_cap_s, 5);
  EXPECT_EQ(policy.set_cookie, http::SetCookieMode::kStrip);
  EXPECT_TRUE(policy.honour_client_directives);
  EXPECT_FALSE(policy.trust_origin_clock);
  EXPECT_EQ(policy.forbidden_statuses, (std::vector<uint16_t>{404, 500}));
  EXPECT_TRUE(policy.bypass);
  EXPECT_EQ(policy.preflight.origins,
            (std::vector<std::string>{"https://app.test", "http://[::1]:8080", "*"}));
  EXPECT_EQ(policy.preflight.methods, "PUT, DELETE");
  EXPECT_EQ(policy.preflight.headers, "Content-Type, x-a");
  EXPECT_EQ(policy.preflight.max_age_s, 7200);
  EXPECT_EQ(policy.forward_headers, std::vector<std::string>{"x-f"});
  EXPECT_EQ(policy.vary_ignore, std::vector<std::string>{"x-i"});
  EXPECT_EQ(policy.vary_cookies, std::vector<std::string>{"c"});
  EXPECT_EQ(policy.vary_accept, std::vector<std::string>{"image/avif"});
}

TEST_F(ConfigTest, ReadsEveryPolicyKey) {
  expect_whole(*good(std::string(kSite) + kWholePolicy).sites.at(0).policy);
}

TEST_F(ConfigTest, ARuleInheritsEveryPolicyKey) {
  const Config config =
      good(std::string(kSite) + kWholePolicy + "[[site.rule]]\nprefix = \"/a/\"\n");
  expect_whole(*config.sites.at(0).rules.at(0).policy);
}

TEST_F(ConfigTest, ARulesListsReplaceTheSites) {
  const Config config = good(std::string(kSite) + kWholePolicy +
                             "[[site.rule]]\nprefix = \"/a/\"\nset_cookie = \"pass\"\n"
                             "bypass = false\nforbidden_statuses = [200]\n"
                             "preflight_origins = [\"*\"]\npreflight_methods = [\"PATCH\"]\n"
                             "preflight_headers = []\n");
  const SiteConfig& site = config.sites.at(0);
  const http::PolicyOptions& rule = *site.rules.at(0).policy;
  EXPECT_EQ(rule.set_cookie, http::SetCookieMode::kPass);
  EXPECT_FALSE(rule.bypass);
  EXPECT_EQ(rule.forbidden_statuses, std::vector<uint16_t>{200});
  EXPECT_EQ(rule.preflight.origins, std::vector<std::string>{"*"});
  EXPECT_EQ(rule.preflight.methods, "PATCH");
  EXPECT_EQ(rule.preflight.headers, "");
  EXPECT_EQ(rule.preflight.max_age_s, 7200);
  EXPECT_EQ(site.policy->preflight.methods, "PUT, DELETE") << "the site's stay";
  EXPECT_TRUE(site.policy->bypass);
}

TEST_F(ConfigTest, AnOriginsPortIsItsSchemesUnlessItIsWritten) {
  const auto origin = [](std::string_view url) {
    return std::get<origin::HttpOriginOptions>(*parse_origin(url, "/"));
  };
  EXPECT_EQ(origin("http://h").port, 80);
  EXPECT_EQ(origin("https://h").port, 443);
  EXPECT_EQ(origin("http://h:443").port, 443);
  EXPECT_FALSE(origin("http://h").secure);
  EXPECT_EQ(origin("https://[::1]:8443").host, "::1");
  EXPECT_EQ(origin("https://[::1]:8443").port, 8443);
  EXPECT_EQ(origin("https://[::1]").tls.server_name, "::1");
  EXPECT_EQ(origin("http://H.test/").authority, "h.test");
  EXPECT_FALSE(parse_origin("http://u@h", "/").ok());
  EXPECT_FALSE(parse_origin("http://h?x", "/").ok());
  EXPECT_FALSE(parse_origin("http://h#x", "/").ok());
  EXPECT_FALSE(parse_origin("http://h//", "/").ok());
}

// --- what of [server] reaches the connections ---

constexpr const char* kServer =
    "[server]\nrequest_line_limit = \"1KiB\"\nhead_timeout = \"3s\"\nidle_timeout = \"20s\"\n";

TEST(ConfigInForce, TheHeadTimeout) {
  test::Stand stand(kServer);
  test::Client client(stand);
  client.write("GET / HTTP/1.1\r\n");
  stand.pass_ms(2900);
  EXPECT_EQ(client.arrived(), "");
  stand.pass_ms(200);
  EXPECT_EQ(client.answer().status, 408);
}

TEST(ConfigInForce, TheIdleTimeout) {
  test::Stand stand(kServer);
  test::Client client(stand);
  client.ask("GET", "/").answer();
  stand.pass_ms(19'900);
  EXPECT_FALSE(client.saw_end());
  stand.pass_ms(200);
  EXPECT_TRUE(client.saw_end());
}

TEST(ConfigInForce, TheLimitOfTheRequestLine) {
  test::Stand stand(kServer);
  const auto status = [&](size_t line_bytes) {
    const size_t rest = std::string_view("GET / HTTP/1.1").size();
    return test::Client(stand)
        .ask("GET", "/" + std::string(line_bytes - rest, 'x'))
        .answer()
        .status;
  };
  EXPECT_EQ(status(1024), 404);
  EXPECT_EQ(status(1025), 414);
}

}  // namespace
}  // namespace perigee::edge

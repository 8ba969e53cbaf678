// The configuration file: every key, and every mistake with its place.
#include "edge/config.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "edge/log.h"
#include "edge/snapshot.h"
#include "tests/support/main/paths.h"
#include "tests/unit/edge/config_fixture.h"

namespace perigee::edge {
namespace {

TEST_F(ConfigTest, ReadsEveryServerKey) {
  const Config config = good(R"(
[server]
listen = ["127.0.0.1:8080", "[::1]:81", ":80"]
workers = 3
trusted_proxies = ["10.0.0.0/8", "::1"]
request_line_limit = "12KiB"
head_timeout = "5s"
idle_timeout = "2m"
drain_timeout = "0s"
[store]
path = "/x/store"
size = "64MiB"
lock_memory = true
warm = true
[log]
access = "stdout"
level = "debug"
[[site]]
default = true
origin = "dir:/srv"
)");
  ASSERT_EQ(config.listeners.size(), 3u);
  EXPECT_EQ(config.listeners[1].address.text(), "[::1]:81");
  ASSERT_EQ(config.trusted_proxies.size(), 2u);
  EXPECT_EQ(config.trusted_proxies[0].prefix_bits, 8u);
  EXPECT_EQ(config.listeners[2].address.text(), "0.0.0.0:80");
  EXPECT_EQ(config.workers, 3u);
  EXPECT_EQ(config.request_line_bytes, 12u * 1024);
  EXPECT_EQ(config.head_ms, 5000);
  EXPECT_EQ(config.idle_ms, 120'000);
  EXPECT_EQ(config.drain_ms, 0);
  EXPECT_EQ(config.store.path, "/x/store");
  EXPECT_EQ(config.store.size_bytes, 64u << 20);
  EXPECT_TRUE(config.store.lock_memory);
  EXPECT_TRUE(config.store.warm);
  EXPECT_EQ(config.log.access, "stdout");
  EXPECT_EQ(config.log.level, "debug");
}

TEST_F(ConfigTest, ReadsEverySiteKey) {
  const Config config = good(R"(
[[site]]
hosts = ["Example.COM", "example.com:8443"]
origin = "https://app.internal:8443/"
host_header = "app.internal"
origin_ca_file = "/etc/ca.pem"
origin_verify = false
origin_connections = 7
accept_encoding = "gzip"
cdn_id = "outer"
alt_svc = 'h2=":443"'
cdn_cache_control = "remove"
forward_headers = ["accept", "x-a"]
vary_ignore = ["user-agent"]
vary_cookies = ["lang"]
vary_accept = ["image/avif"]
purge_from = ["10.0.0.0/8"]
query_ignore = true
query_sort = true
query_strip = ["utm_*", "fbclid"]
)");
  const SiteConfig& site = config.sites.at(0);
  EXPECT_EQ(site.hosts, (std::vector<std::string>{"example.com", "example.com:8443"}));
  EXPECT_EQ(http_of(site).host, "app.internal");
  EXPECT_EQ(http_of(site).port, 8443);
  EXPECT_TRUE(http_of(site).secure);
  EXPECT_EQ(http_of(site).tls.server_name, "app.internal");
  EXPECT_EQ(http_of(site).tls.ca_file, "/etc/ca.pem");
  EXPECT_FALSE(http_of(site).tls.verify);
  EXPECT_EQ(http_of(site).connections, 7u);
  EXPECT_EQ(site.host_header, "app.internal");
  EXPECT_EQ(site.accept_encoding, "gzip");
  EXPECT_EQ(site.cdn_id, "outer");
  EXPECT_EQ(site.alt_svc, "h2=\":443\"");
  EXPECT_TRUE(site.remove_cdn_cache_control);
  EXPECT_EQ(site.policy->forward_headers, (std::vector<std::string>{"accept", "x-a"}));
  EXPECT_EQ(site.policy->vary_ignore, std::vector<std::string>{"user-agent"});
  EXPECT_EQ(site.policy->vary_cookies, std::vector<std::string>{"lang"});
  EXPECT_EQ(site.policy->vary_accept, std::vector<std::string>{"image/avif"});
  ASSERT_EQ(site.purge_from.size(), 1u) << "the default list is replaced";
  EXPECT_TRUE(site.query.ignore);
  EXPECT_TRUE(site.query.sort);
  EXPECT_EQ(site.query.strip, (std::vector<std::string>{"utm_*", "fbclid"}));
}

TEST_F(ConfigTest, APreflightsOriginIsWrittenAsBrowsersDo) {
  for (const std::string origin :
       {"app.test", "https://app.test/", "https://App.test", "HTTPS://app.test", "null", "",
        "https://app.test:443", "https://", "//app.test"}) {
    EXPECT_EQ(
        mistake_in_site("preflight_origins = [\"" + origin + "\"]\n"),
        "4:22: '" + origin + "' is neither \"*\" nor an origin, such as \"https://app.test\"");
  }
  EXPECT_EQ(mistake_in_site("preflight_methods = [\"A B\"]\n"), "4:22: 'A B' is not a method");
  EXPECT_EQ(mistake_in_site("[[site.rule]]\nprefix = \"/\"\npreflight_headers = [\"a:\"]\n"),
            "6:22: 'a:' is not a field name");
  EXPECT_EQ(mistake_in_site("preflight_max_age = 60\n"),
            "4:21: 'preflight_max_age' is a duration with a unit, such as \"30s\"");
}

TEST_F(ConfigTest, AProtocolToSwitchToIsANameAndHidesNoRequests) {
  const auto upgrades = [this](const std::string& list) {
    return good(
               "[[site]]\ndefault = true\norigin = \"http://a\"\nupgrade = [\"old\"]\n"
               "[[site.rule]]\nprefix = \"/a\"\nupgrade = " +
               list)
        .sites.at(0)
        .rules.at(0)
        .policy->upgrades;
  };
  EXPECT_EQ(upgrades("[\"websocket\", \"x/1.1\"]"),
            (std::vector<std::string>{"websocket", "x/1.1"}));
  EXPECT_EQ(upgrades("[]"), std::vector<std::string>{}) << "a rule may take it back";
  for (const std::string bad : {"h2c", "HTTP/2.0", "TLS/1.0"}) {
    EXPECT_EQ(mistake_in_site("upgrade = [\"" + bad + "\"]"),
              "4:12: '" + bad + "' would hide requests from this server");
  }
  for (const std::string bad : {"web socket", "", "x/", "x/1/2"}) {
    EXPECT_EQ(mistake_in_site("upgrade = [\"" + bad + "\"]"),
              "4:12: '" + bad + "' is not a protocol, such as \"websocket\"");
  }
}

TEST_F(ConfigTest, WhatIsNotWrittenHasItsDefault) {
  const Config config =
      good("[[site]]\nhosts = [\"a.test\"]\norigin = \"http://127.0.0.1:3000\"\n");
  const SiteConfig& site = config.sites.at(0);
  EXPECT_TRUE(config.listeners.empty()) << "laid over by the arguments' default";
  EXPECT_TRUE(config.trusted_proxies.empty());
  EXPECT_EQ(config.idle_ms, base::limits::kIdleMs);
  EXPECT_EQ(config.log.level, "info");
  EXPECT_EQ(config.log.access, "off");
  EXPECT_FALSE(site.is_default);
  EXPECT_EQ(site.accept_encoding, "identity");
  EXPECT_EQ(site.purge_from.size(), 2u);
  EXPECT_FALSE(site.policy->ttl_s);
  EXPECT_FALSE(site.policy->default_ttl_s);
  EXPECT_FALSE(site.policy->stale_while_revalidate_s);
  EXPECT_FALSE(site.policy->stale_if_slow_ms);
  EXPECT_EQ(http_of(site).connections, base::limits::kOriginConnections);
}

const PolicyPtr& policy_of(const SiteConfig& site, std::string_view target) {
  http::PathReadings readings;
  return policy_for(site, target, readings);
}

TEST_F(ConfigTest, TheLongestPrefixWinsAndInheritsFromTheSite) {
  const Config config = good(R"(
[[site]]
default = true
origin = "dir:public"
ttl = "1h"
forbidden_statuses = [500]
[[site.rule]]
prefix = "/a/"
stale_if_error = "1m"
[[site.rule]]
prefix = "/a/b/"
ttl = "5s"
error_ttl_cap = "0s"
forbidden_statuses = [404]
)");
  const SiteConfig& site = config.sites.at(0);
  EXPECT_EQ(policy_of(site, "/x")->ttl_s, 3600);
  EXPECT_EQ(policy_of(site, "/a/x")->ttl_s, 3600);
  EXPECT_EQ(policy_of(site, "/a/x")->stale_if_error_s, 60);
  EXPECT_EQ(policy_of(site, "/a/b/c?q=/z")->ttl_s, 5);
  EXPECT_EQ(policy_of(site, "/a/b/c")->error_ttl_cap_s, 0);
  EXPECT_FALSE(policy_of(site, "/a/b/c")->stale_if_error_s)
      << "rules do not inherit from one another";
  EXPECT_EQ(policy_of(site, "/a/b/c")->forbidden_statuses, std::vector<uint16_t>{404});
  EXPECT_EQ(policy_of(site, "/?/a/")->ttl_s, 3600) << "the query is no path";
}

/// A site with rules of both kinds: stricter than its own policy, and less strict.
constexpr const char* kRuledSite = R"(
[[site]]
default = true
origin = "dir:public"
default_ttl = "1h"
[[site.rule]]
prefix = "/private/"
bypass = true
[[site.rule]]
prefix = "/live%20feed/"
ttl = "0s"
[[site.rule]]
prefix = "/static/"
ttl = "7d"
[[site.rule]]
prefix = "/Admin/"
bypass = true
)";

TEST_F(ConfigTest, ARuleHoldsForWhatAnOriginCouldReadAsInsideIt) {
  const Config config = good(kRuledSite);

  const SiteConfig& site = config.sites.at(0);
  for (const std::string_view target : {"/private/",
                                        "/private/me",
                                        "/%70rivate/me",
                                        "/%2570rivate/me",
                                        "/%252570rivate/me",
                                        "/%25%37%30rivate/me",
                                        "//private/me",
                                        "///private//me",
                                        "/private%2fme",
                                        "/private%2Fme",
                                        "/private%5cme",
                                        "/private%252fme",
                                        "/%2fprivate/me",
                                        "/private;x/me",
                                        "/private;a=b;c/me",
                                        "/private%3bx/me",
                                        "/PRIVATE/me",
                                        "/Private/me",
                                        "/private./me",
                                        "/private%20/me",
                                        "/private.%20./me",
                                        "/static/..%2fprivate/me",
                                        "/static/..;/private/me",
                                        "/static/..%252fprivate/me",
                                        "/static/%252e%252e/private/me",
                                        "/private/..%2fstatic/me",
                                        "/%70rivate/..%2fstatic/me",
                                        "/private;%2f..%2f../me",
                                        "//any.host/private/me",
                                        "/x;y/..%2fprivate/me",
                                        "/private/x?/static/",
                                        "/admin/",
                                        "/ADMIN/x",
                                        "/%61dmin/x"}) {
    EXPECT_TRUE(policy_of(site, target)->bypass) << target;
  }
}

TEST_F(ConfigTest, ARuleHoldsForNothingElse) {
  const Config config = good(kRuledSite);
  const SiteConfig& site = config.sites.at(0);
  for (const std::string_view target :
       {"/privat/me", "/privately", "/private", "/x/private/me", "/?/private/", "/%", "/%7", "/%zz",
        "/x?y=/private/me", "/private%/me", "/static", "/", "/%2e%2eprivate/", "/a..b/"}) {
    EXPECT_FALSE(policy_of(site, target)->bypass) << target;
    EXPECT_FALSE(policy_of(site, target)->ttl_s) << target;
  }
  for (const std::string_view target : {"/live%20feed/x", "/live%2520feed/x", "/LIVE%20feed/"}) {
    EXPECT_EQ(policy_of(site, target)->ttl_s, 0) << target;
  }
  EXPECT_EQ(policy_of(site, "/static/app.js")->ttl_s, 7 * 86'400);
  EXPECT_EQ(policy_of(site, "/static/a%20b;v=1.JS")->ttl_s, 7 * 86'400);
  for (const std::string_view target :
       {"/STATIC/app.js", "/static/..%2faccount", "/static/..%252faccount", "/static/..;/account",
        "/account/..%2fstatic/x", "/static%2f..%2faccount"}) {
    EXPECT_FALSE(policy_of(site, target)->ttl_s) << target << ": the site's own is stricter";
  }
}

TEST_F(ConfigTest, OfTwoRulesTheStricterGoverns) {
  const Config config = good(R"(
[[site]]
default = true
origin = "dir:public"
ttl = "1h"
[[site.rule]]
prefix = "/zero/"
ttl = "0s"
[[site.rule]]
prefix = "/minute/"
ttl = "1m"
[[site.rule]]
prefix = "/week/"
ttl = "7d"
[[site.rule]]
prefix = "/strip/"
ttl = "1m"
set_cookie = "strip"
)");
  const SiteConfig& site = config.sites.at(0);
  const auto ttl_s = [&](std::string_view target) { return *policy_of(site, target)->ttl_s; };
  EXPECT_EQ(ttl_s("/week/..%2fminute/x"), 60);
  EXPECT_EQ(ttl_s("/minute/..%2fweek/x"), 60);
  EXPECT_EQ(ttl_s("/minute/..%252fzero/x"), 0);
  EXPECT_EQ(ttl_s("/week/..%252fx"), 3600);
  EXPECT_EQ(policy_of(site, "/strip/..%252fminute/x")->set_cookie, http::SetCookieMode::kPass);
}

TEST_F(ConfigTest, SitesAreFoundByNameThenByDefault) {
  const Config config = good(R"(
[[site]]
hosts = ["a.test", "a.test:8443"]
origin = "http://127.0.0.1:1"
[[site]]
hosts = ["b.test:81"]
origin = "http://127.0.0.1:2"
[[site]]
default = true
origin = "http://127.0.0.1:3"
)");
  Metrics metrics(1);
  const SnapshotPtr sites = Snapshot::make(config, nullptr, metrics, log_warning);
  const auto port = [&](std::string_view authority) {
    return http_of(sites->find(authority)->config).port;
  };
  EXPECT_EQ(port("a.test"), 1);
  EXPECT_EQ(port("a.test:9999"), 1) << "a port that is not listed does not matter";
  EXPECT_EQ(port("b.test:81"), 2);
  EXPECT_EQ(port("b.test"), 3);
  EXPECT_EQ(port("c.test"), 3);
  EXPECT_EQ(port(""), 3);
}

TEST_F(ConfigTest, ASiteThatListsThePortGoesBeforeOneThatListsTheNameAlone) {
  for (const char* hosts : {"\"b.test\", \"b.test:81\"", "\"b.test:81\", \"b.test\""}) {
    const std::string names = hosts;
    const std::string first = names.substr(0, names.find(','));
    const std::string second = names.substr(names.find(',') + 2);
    const Config config = good("[[site]]\nhosts = [" + first + "]\norigin = \"http://h:1\"\n" +
                               "[[site]]\nhosts = [" + second + "]\norigin = \"http://h:2\"\n");
    const bool port_first = first.find(":81") != std::string::npos;
    Metrics metrics(1);
    const SnapshotPtr sites = Snapshot::make(config, nullptr, metrics, log_warning);
    EXPECT_EQ(http_of(sites->find("b.test:81")->config).port, port_first ? 1 : 2);
    EXPECT_EQ(http_of(sites->find("b.test")->config).port, port_first ? 2 : 1);
  }
}

TEST_F(ConfigTest, WithoutADefaultAnUnknownNameHasNoSite) {
  const Config config = good("[[site]]\nhosts = [\"a.test\"]\norigin = \"http://b.test\"\n");
  Metrics metrics(1);
  const SnapshotPtr sites = Snapshot::make(config, nullptr, metrics, log_warning);
  EXPECT_EQ(sites->find("b.test"), nullptr);
  EXPECT_NE(sites->find("a.test"), nullptr);
}

TEST_F(ConfigTest, AFolderIsRelativeToTheFile) {
  const Config config = good("[[site]]\ndefault = true\norigin = \"dir:sub/../public\"\n");
  EXPECT_EQ(std::get<origin::DirectoryOriginOptions>(config.sites.at(0).origin).path,
            folder_.file("public"));
}

TEST_F(ConfigTest, AnUnknownKeyIsNamedWithItsNearest) {
  EXPECT_EQ(mistake("[servr]\n"), "1:2: unknown key 'servr' in the file, did you mean 'server'?");
  EXPECT_EQ(mistake("[server]\nlisen = []\n"),
            "2:1: unknown key 'lisen' in [server], did you mean 'listen'?");
  EXPECT_EQ(mistake("[store]\nsizes = \"1GiB\"\n"),
            "2:1: unknown key 'sizes' in [store], did you mean 'size'?");
  EXPECT_EQ(mistake_in_site("deafult_ttl = \"1s\"\n"),
            "4:1: unknown key 'deafult_ttl' in [[site]], did you mean 'default_ttl'?");
  EXPECT_EQ(mistake_in_site("[[site.rule]]\nprefix = \"/\"\n  bypas = true\n"),
            "6:3: unknown key 'bypas' in [[site.rule]], did you mean 'bypass'?");
}

TEST_F(ConfigTest, AKeyThatIsFarFromAllGetsNoHint) {
  EXPECT_EQ(mistake("[server]\ncolour = 1\n"), "2:1: unknown key 'colour' in [server]");
}

TEST_F(ConfigTest, AWrongTypeNamesItsPlace) {
  EXPECT_EQ(mistake("[server]\nworkers = \"3\"\n"), "2:11: 'workers' is a number from 0 to 256");
  EXPECT_EQ(mistake("[server]\nworkers = 257\n"), "2:11: 'workers' is a number from 0 to 256");
  EXPECT_EQ(mistake("[server]\nlisten = \":80\"\n"), "2:10: 'listen' is a list");
  EXPECT_EQ(mistake("[server]\nlisten = [80]\n"), "2:11: 'listen' is a list of strings");
  EXPECT_EQ(mistake("server = 1\n"), "1:10: 'server' is a section: [server]");
  EXPECT_EQ(mistake("[site]\norigin = \"dir:x\"\n"), "1:1: sites are written as [[site]]");
  EXPECT_EQ(mistake_in_site("bypass = 1\n"), "4:10: 'bypass' is true or false");
  EXPECT_EQ(mistake_in_site("cdn_id = 1\n"), "4:10: 'cdn_id' is a string");
  EXPECT_EQ(mistake_in_site("ttl = 60\n"), "4:7: 'ttl' is a duration with a unit, such as \"30s\"");
  EXPECT_EQ(mistake_in_site("set_cookie = true\n"), "4:14: 'set_cookie' is a string");
  EXPECT_EQ(mistake_in_site("origin_verify = \"no\"\n"), "4:17: 'origin_verify' is true or false");
  EXPECT_EQ(mistake_in_site("forbidden_statuses = 500\n"),
            "4:22: 'forbidden_statuses' is a list of numbers");
  EXPECT_EQ(mistake_in_site("forbidden_statuses = [200, \"500\"]\n"),
            "4:28: a status is a number from 200 to 599");
  EXPECT_EQ(mistake_in_site("rule = 1\n"), "4:8: rules are written as [[site.rule]]");
}

TEST_F(ConfigTest, ABadValueNamesItsPlace) {
  EXPECT_EQ(mistake("[server]\nlisten = [\"localhost:80\"]\n"),
            "2:11: 'localhost:80' is not ADDRESS:PORT");
  EXPECT_EQ(mistake("[server]\nrequest_line_limit = \"16KiB\"\n"),
            "2:22: 'request_line_limit' is from \"1KiB\" to \"12KiB\"");
  EXPECT_EQ(mistake("[server]\ntrusted_proxies = [\"10.0.0.0/33\"]\n"),
            "2:20: '10.0.0.0/33' is not an address or a network");
  EXPECT_EQ(mistake("[server]\nidle_timeout = \"0s\"\n"), "2:16: 'idle_timeout' is more than 0");
  EXPECT_EQ(mistake("[store]\nsize = \"1G\"\n"),
            "2:8: 'size' is a size with a unit, such as \"512MiB\"");
  EXPECT_EQ(mistake("[log]\nlevel = \"loud\"\n"),
            "2:9: 'level' is one of \"info\", \"debug\", \"warning\", \"error\"");
  EXPECT_EQ(mistake_in_site("ttl = \"1500ms\"\n"), "4:7: 'ttl' is in whole seconds");
  EXPECT_EQ(mistake_in_site("error_ttl_cap = \"1500ms\"\n"),
            "4:17: 'error_ttl_cap' is in whole seconds");
  EXPECT_EQ(mistake_in_site("set_cookie = \"drop\"\n"),
            "4:14: 'set_cookie' is one of \"pass\", \"strip\", \"store\"");
  EXPECT_EQ(mistake_in_site("hosts = [\"a b\"]\n"), "4:10: 'a b' is not a host");
  EXPECT_EQ(mistake_in_site("purge_from = [\"10.0.0.0/64\"]\n"),
            "4:15: '10.0.0.0/64' is not an address or a network");
  EXPECT_EQ(mistake_in_site("forward_headers = [\"a b\"]\n"), "4:20: 'a b' is not a field name");
  EXPECT_EQ(mistake_in_site("vary_cookies = [\"a b\"]\n"), "4:17: 'a b' is not a cookie's name");
  EXPECT_EQ(mistake_in_site("vary_accept = [\"image\"]\n"), "4:16: 'image' is not a media type");
  EXPECT_EQ(mistake_in_site("host_header = \"a\\r\\nX: b\"\n"), "4:15: 'host_header' is a host");
  EXPECT_EQ(mistake_in_site("cdn_id = \"a b\"\n"), "4:10: 'cdn_id' is a name without spaces");
  EXPECT_EQ(mistake_in_site("accept_encoding = \"a\\n\"\n"),
            "4:19: 'accept_encoding' is the value of a field");
  EXPECT_EQ(mistake_in_site("origin_connections = 0\n"),
            "4:22: 'origin_connections' is a number from 1 to 65536");
  EXPECT_EQ(mistake_in_site("[[site.rule]]\nprefix = \"a\"\n"),
            "4:1: a rule has a 'prefix' that begins with /");
}

TEST_F(ConfigTest, ABrokenFileNamesItsPlace) {
  EXPECT_TRUE(mistake("[server\n").starts_with("1:8: ")) << mistake("[server\n");
  EXPECT_TRUE(mistake("[[site]]\norigin = \"dir:x\"\norigin = \"dir:y\"\n").starts_with("3:"));
  EXPECT_EQ(mistake(""), "1:1: there is no [[site]], so nothing to serve");
  EXPECT_EQ(config_or_mistake(read_config_file(folder_.file("none.toml"))).error().message,
            folder_.file("none.toml: cannot be read: No such file or directory"));
}

TEST_F(ConfigTest, ASiteNeedsAnOriginAndAName) {
  EXPECT_EQ(mistake("[[site]]\ndefault = true\n"), "1:1: this site has no 'origin'");
  EXPECT_EQ(mistake("[[site]]\norigin = \"dir:x\"\n"),
            "1:1: this site has neither 'hosts' nor 'default = true'");
}

TEST_F(ConfigTest, NamesAreListedOnce) {
  const std::string first = "[[site]]\nhosts = [\"a.test\"]\norigin = \"dir:x\"\n";
  EXPECT_EQ(mistake(first + "[[site]]\nhosts = [\"b.test\", \"A.test:80\"]\norigin = \"dir:y\"\n"),
            "5:20: 'A.test:80' is listed twice");
  EXPECT_EQ(mistake("[[site]]\nhosts = [\"a\", \"a.\"]\norigin = \"dir:y\"\n"),
            "2:15: 'a.' is listed twice");
  const std::string other = "[[site]]\ndefault = true\norigin = \"dir:x\"\n";
  EXPECT_EQ(mistake(other + other), "5:11: another site is the default already");
}

TEST_F(ConfigTest, AnOriginIsASchemeAHostAndAPort) {
  const auto origin = [&](const std::string& url) {
    return mistake("[[site]]\ndefault = true\norigin = \"" + url + "\"\n");
  };
  EXPECT_EQ(origin("http://h"), "nothing");
  EXPECT_EQ(origin("https://[::1]:8443"), "nothing");
  EXPECT_EQ(origin("ftp://h"),
            "3:10: 'ftp://h' is not an origin: http://host:port, https://host, or dir:/folder");
  EXPECT_EQ(origin("dir:"), "3:10: 'dir:' names no folder");
  EXPECT_EQ(origin("http://h/path"),
            "3:10: an origin is a scheme, a host and a port; 'http://h/path' holds more than that");
  EXPECT_EQ(origin("http://"), "3:10: '' is not a host");
  EXPECT_EQ(origin("http://h:99999"), "3:10: 'h:99999' is not a host");
  EXPECT_EQ(mistake("[[site]]\ndefault = true\norigin = 3\n"), "3:10: 'origin' is a string");
}

TEST_F(ConfigTest, TheMistakeThatIsReportedIsTheFirst) {
  EXPECT_EQ(mistake("[server]\nworkers = -1\nhead_timeout = 1\n"),
            "2:11: 'workers' is a number from 0 to 256");
}

TEST_F(ConfigTest, ListenersAreTablesOrAList) {
  const std::string site = "[[site]]\ndefault = true\norigin = \"dir:x\"\n";
  const Config config = good("[server]\nlisten = [\":1\"]\n[[listen]]\naddress = \"[::1]:2\"\n" +
                             ("[[listen]]\naddress = \":3\"\n" + site));
  ASSERT_EQ(config.listeners.size(), 3u);
  EXPECT_EQ(config.listeners[0].address.text(), "0.0.0.0:1");
  EXPECT_EQ(config.listeners[1].address.text(), "[::1]:2");
  EXPECT_EQ(config.listeners[2].address.port, 3);
  EXPECT_EQ(mistake("[[listen]]\n" + site),
            "1:1: a listener has an address, such as address = \":80\"");
  EXPECT_EQ(mistake("[[listen]]\naddress = \"x\"\n" + site), "2:11: 'x' is not ADDRESS:PORT");
  EXPECT_EQ(mistake("[[listen]]\nadress = \":1\"\n" + site),
            "2:1: unknown key 'adress' in [[listen]], did you mean 'address'?");
  EXPECT_EQ(mistake("listen = [\":1\"]\n" + site), "1:10: listeners are written as [[listen]]");
}

TEST_F(ConfigTest, ArgumentsAreLaidOverTheFile) {
  std::ofstream(folder_.file("p.toml"))
      << "[server]\nlisten = [\"127.0.0.1:1\"]\n[store]\nsize = \"32MiB\"\n"
         "[[site]]\ndefault = true\norigin = \"dir:x\"\n";
  Arguments arguments;
  arguments.config_path = folder_.file("p.toml");
  arguments.listen = "127.0.0.1:2";
  arguments.store_path = "/y/store";
  arguments.workers = 5;
  const base::Result<Config> config = config_or_mistake(read_config(arguments));
  ASSERT_TRUE(config.ok());
  EXPECT_EQ(config->listeners.at(0).address.port, 2);
  EXPECT_EQ(config->store.path, "/y/store");
  EXPECT_EQ(config->store.size_bytes, 32u << 20);
  EXPECT_EQ(config->workers, 5u);
  arguments.listen = "nowhere";
  EXPECT_EQ(config_or_mistake(read_config(arguments)).error().message,
            "--listen: 'nowhere' is not ADDRESS:PORT");
}

TEST_F(ConfigTest, AnOriginAloneIsAWholeConfiguration) {
  Arguments arguments;
  arguments.origin = "http://127.0.0.1:3000";
  const base::Result<Config> config = config_or_mistake(read_config(arguments));
  ASSERT_TRUE(config.ok());
  EXPECT_EQ(config->listeners.at(0).address.text(), "127.0.0.1:8080");
  EXPECT_TRUE(config->sites.at(0).is_default);
  EXPECT_GT(config->store.size_bytes, 0u);
  EXPECT_FALSE(config->store.path.empty());
  arguments.origin = "nonsense";
  EXPECT_FALSE(config_or_mistake(read_config(arguments)).ok());
  arguments.origin = "dir:x";
  arguments.store_size = "big";
  EXPECT_EQ(config_or_mistake(read_config(arguments)).error().message,
            "--store-size: 'big' is not a size, such as 1GiB");
}

TEST(ShippedConfig, TheCommentedFileRunsAsItIs) {
  const std::string path = test::source_file("conf/perigee.toml");
  const base::Result<Config> config = config_or_mistake(read_config_file(path));
  ASSERT_TRUE(config.ok()) << config.error().message;
  const auto& folder = std::get<origin::DirectoryOriginOptions>(config->sites.at(0).origin).path;
  EXPECT_TRUE(std::filesystem::is_directory(folder)) << folder;
  EXPECT_EQ(config->sites.at(0).policy->error_ttl_cap_s, http::PolicyOptions().error_ttl_cap_s);
  EXPECT_EQ(config->sites.at(0).policy->heuristic_cap_s, http::PolicyOptions().heuristic_cap_s)
      << "defaults are shown as they are";
}

TEST(ShippedConfig, TheCommentedFileHasEveryKey) {
  std::ifstream file(test::source_file("conf/perigee.toml"));
  std::ifstream reader(test::source_file("edge/config_reader.cc"));
  const std::string shown((std::istreambuf_iterator<char>(file)), {});
  const std::string source((std::istreambuf_iterator<char>(reader)), {});
  // The keys stand between the first table of names and the function behind the last one.
  const size_t begin = source.find("kServerKeys[]");
  const std::string tables = source.substr(begin, source.find("class Reader") - begin);
  size_t keys = 0;
  for (size_t at = tables.find('"'); at != std::string::npos; at = tables.find('"', at + 1)) {
    const size_t end = tables.find('"', at + 1);
    const std::string key = tables.substr(at + 1, end - at - 1);
    const bool is_section = key == "rule";
    EXPECT_NE(shown.find(is_section ? "[[site.rule]]" : key + " = "), std::string::npos) << key;
    ++keys;
    at = end;
  }
  EXPECT_GT(keys, 35u);
}

}  // namespace
}  // namespace perigee::edge

// Behind a proxy: whose word counts, and what of it reaches the origin.
#include <gtest/gtest.h>

#include "edge/client_address.h"
#include "tests/support/edge/stand.h"
#include "tests/support/rule.h"

namespace perigee::test {
namespace {

GUARDS("edge::client_address, edge::forwarded_scheme, http::forwarded_fields");

constexpr std::string_view kProxy = "10.0.0.1:4711";

struct ProxiedStand : Stand {
  explicit ProxiedStand(const std::string& site = "")
      : Stand(site + "\n[server]\ntrusted_proxies = [\"10.0.0.0/8\", \"127.0.0.1\"]") {
    origin.on("/a", [](const Asked& asked) {
      return Reply(200).cache("max-age=60").body("by " + asked["X-Forwarded-Proto"]);
    });
  }
  Answer from(std::string_view peer, std::string_view method, std::string_view lines) {
    return Client(*this, peer).ask(method, "/a", lines).answer();
  }
};

RULE(TrustedProxies, SayTheScheme, "RFC 9110 §7.6; http-rules 4.1",
     "a gateway that ends TLS tells by which scheme the client asked",
     "X-Forwarded-Proto of a trusted proxy is keyed and sent on; from others it is dropped",
     "trusted_proxies") {
  ProxiedStand stand;
  EXPECT_EQ(stand.from(kProxy, "GET", "X-Forwarded-Proto: HTTPS\r\n").body, "by https");
  EXPECT_EQ(stand.from(kProxy, "GET", "X-Forwarded-Proto: http\r\n").body, "by http");
  EXPECT_EQ(stand.from("203.0.113.9:1", "GET", "X-Forwarded-Proto: https\r\n").body, "by http");
  const Answer hit = stand.from(kProxy, "GET", "X-Forwarded-Proto: https\r\n");
  EXPECT_EQ(hit.body, "by https");
  EXPECT_EQ(hit.cache(), "perigee; hit; ttl=60");
  EXPECT_EQ(stand.origin.asked.size(), 2u);
}

RULE(TrustedProxies, OtherSchemesAreNone, "http-rules 4.1",
     "X-Forwarded-Proto is no standard, and comes in many forms",
     "one line with http or https counts, anything else is as if it were not there",
     "trusted_proxies") {
  ProxiedStand stand;
  for (const std::string_view lines :
       {"", "X-Forwarded-Proto: \r\n", "X-Forwarded-Proto: wss\r\n",
        "X-Forwarded-Proto: https, http\r\n", "X-Forwarded-Proto: https,https\r\n",
        "X-Forwarded-Proto: https\r\nX-Forwarded-Proto: https\r\n", "X_Forwarded_Proto: https\r\n",
        "X-Forwarded-Ssl: on\r\n", "Forwarded: proto=https\r\n"}) {
    EXPECT_EQ(stand.from(kProxy, "GET", lines).body, "by http") << lines;
  }
  EXPECT_EQ(stand.origin.asked.size(), 1u);
}

RULE(TrustedProxies, WhatTheyWriteIsUsual, "http-rules 5.7",
     "A proxy writes X-Forwarded-For into every request",
     "behind a trusted one an error is kept for its moment all the same; from others, and with "
     "another field that poisons, it is not",
     "trusted_proxies") {
  ProxiedStand stand;
  const auto cache_of = [&](std::string_view peer, std::string_view lines) {
    stand.origin.on("/a", Reply(503).cache("max-age=60").body("down"));
    const std::string cache = stand.from(peer, "GET", lines).cache();
    return cache.substr(cache.find("fwd-status"));
  };
  const std::string written = "X-Forwarded-For: 203.0.113.9\r\nX-Forwarded-Proto: http\r\n";
  EXPECT_EQ(cache_of("203.0.113.9:1", written), "fwd-status=503");
  EXPECT_EQ(cache_of(kProxy, written + "X-Original-URL: /b\r\n"), "fwd-status=503");
  EXPECT_EQ(cache_of(kProxy, written), "fwd-status=503; stored");
}

TEST(TrustedProxies, InvalidationFollowsTheScheme) {
  ProxiedStand stand;
  const std::string_view https = "X-Forwarded-Proto: https\r\n";
  stand.from(kProxy, "GET", https);
  stand.from(kProxy, "GET", "");
  EXPECT_EQ(stand.from(kProxy, "DELETE", https).status, 200);
  EXPECT_EQ(stand.from(kProxy, "GET", "").cache(), "perigee; hit; ttl=60");
  EXPECT_EQ(stand.from(kProxy, "GET", https).cache(),
            "perigee; fwd=uri-miss; fwd-status=200; stored");
}

TEST(TrustedProxies, TheDefaultPortIsThatOfTheScheme) {
  ProxiedStand stand("default = true");
  const std::string_view https = "X-Forwarded-Proto: https\r\n";
  stand.from(kProxy, "GET", "Host: other.test:443\r\n" + std::string(https));
  EXPECT_EQ(stand.from(kProxy, "GET", "Host: other.test\r\n" + std::string(https)).cache(),
            "perigee; hit; ttl=60");
}

RULE(TrustedProxies, TheirChainIsExtended, "RFC 7239 §4; http-rules 4.1",
     "a proxy adds its element behind those of the proxies before it",
     "behind the chain of a trusted proxy, on requests that are not shared; a stranger's is "
     "replaced",
     "trusted_proxies") {
  ProxiedStand stand;
  const std::string lines =
      "Host: site.test\r\nX-Forwarded-For: 6.6.6.6\r\nX-Forwarded-For: 203.0.113.9\r\nX-Real-IP: "
      "203.0.113.9\r\n"
      "X-Forwarded-Host: evil.test\r\nX-Forwarded-Port: 1\r\n";
  stand.from(kProxy, "POST", lines);
  const Asked extended = stand.origin.asked.back();
  EXPECT_EQ(extended["X-Forwarded-For"], "6.6.6.6, 203.0.113.9, 10.0.0.1");
  EXPECT_EQ(extended["Forwarded"], "") << "it would know less";
  EXPECT_EQ(extended["X-Forwarded-Host"], "site.test") << "ours, whoever asks";
  EXPECT_EQ(extended["X-Real-IP"], "");
  EXPECT_EQ(extended["X-Forwarded-Port"], "");
  stand.from("203.0.113.9:1", "POST", lines);
  EXPECT_EQ(stand.origin.asked.back()["X-Forwarded-For"], "203.0.113.9");
  stand.from(kProxy, "GET", lines);
  EXPECT_EQ(stand.origin.asked.back()["X-Forwarded-For"], "") << "a fill is nobody's";
  EXPECT_EQ(stand.origin.asked.back()["X-Forwarded-Host"], "site.test");
}

RULE(TrustedProxies, WhatPoisonsIsNeverSentOnFills, "RFC 9111 §4.1; http-rules 4.1",
     "a response is reused by what is keyed, so nothing else may decide it",
     "method overrides, X-Original-URL and their kin are not sent on fills, from trusted proxies "
     "neither",
     "") {
  ProxiedStand stand;
  stand.from(kProxy, "GET",
             "Host: site.test\r\nX-Original-URL: /b\r\nX-Rewrite-URL: "
             "/b\r\nX-HTTP-Method-Override: PUT\r\n"
             "X-Forwarded-Prefix: /b\r\nX-Host: evil\r\n");
  for (const std::string_view name : {"X-Original-URL", "X-Rewrite-URL", "X-HTTP-Method-Override",
                                      "X-Forwarded-Prefix", "X-Host"}) {
    EXPECT_EQ(stand.origin.asked.back()[name], "") << name;
  }
}

RULE(TrustedProxies, APurgeIsAllowedByTheClientsAddress, "http-rules 4.2",
     "PURGE is allowed from the site's list",
     "behind a trusted proxy: the rightmost address of X-Forwarded-For that is not trusted; "
     "loopback never through a proxy",
     "trusted_proxies") {
  struct Case {
    std::string_view peer;
    std::string_view lines;
    int status;
  };
  const Case cases[] = {
      {kProxy, "X-Forwarded-For: 192.0.2.5\r\n", 200},
      {kProxy, "X-Forwarded-For: 203.0.113.9, 192.0.2.5, 10.9.9.9\r\n", 200},
      {"127.0.0.1:1", "X-Forwarded-For: 192.0.2.5\r\n", 200},
      {kProxy, "X-Forwarded-For: 192.0.2.5, 203.0.113.9\r\n", 403},
      {kProxy, "X-Forwarded-For: 192.0.2.5\r\nX-Forwarded-For: 203.0.113.9\r\n", 403},
      {kProxy, "X-Forwarded-For: 192.0.2.5, unknown\r\n", 403},
      {kProxy, "X-Forwarded-For: 127.0.0.1\r\n", 403},
      {"127.0.0.1:1", "X-Forwarded-For: 127.0.0.1\r\n", 403},
      {"127.0.0.1:1", "", 200},
      {"127.0.0.1:1", "Via: 1.1 x\r\n", 403},
      {kProxy, "", 403},
      {"203.0.113.9:1", "X-Forwarded-For: 192.0.2.5\r\n", 403},
  };
  ProxiedStand stand("purge_from = [\"127.0.0.0/8\", \"192.0.2.0/24\"]");
  for (const Case& one : cases) {
    EXPECT_EQ(stand.from(one.peer, "PURGE", one.lines).status, one.status)
        << one.peer << " " << one.lines;
  }
}

// --- the address alone ---------------------------------------------------------------------------

/// `values` are those of X-Forwarded-For, one per line, with another line between them.
std::string client_of(const std::vector<std::string>& values, std::string_view peer = kProxy) {
  const std::vector<base::Network> trusted = {*base::parse_network("10.0.0.0/8"),
                                              *base::parse_network("2001:db8::/32")};
  std::vector<http::Field> storage(20);
  http::RequestHead request;
  request.fields = http::HeaderList(storage);
  for (const std::string& value : values) {
    request.fields.add("X-Forwarded-For", value);
    request.fields.add("Via", "1.1 x");
  }
  return edge::client_address(request, *base::Address::parse(peer), trusted).host_text();
}

TEST(ClientAddress, IsTheRightmostThatIsNotTrusted) {
  EXPECT_EQ(client_of({}), "10.0.0.1");
  EXPECT_EQ(client_of({"192.0.2.7"}), "192.0.2.7");
  EXPECT_EQ(client_of({"6.6.6.6, 192.0.2.7 , 10.1.1.1"}), "192.0.2.7");
  EXPECT_EQ(client_of({"6.6.6.6,192.0.2.7", ",10.1.1.1,"}), "192.0.2.7");
  EXPECT_EQ(client_of({"10.3.3.3, 10.2.2.2"}), "10.3.3.3") << "all are trusted";
  EXPECT_EQ(client_of({""}), "10.0.0.1");
  EXPECT_EQ(client_of({"192.0.2.7"}, "192.0.2.1:1"), "192.0.2.1") << "a stranger";
  EXPECT_EQ(client_of({"192.0.2.7"}, "[::ffff:10.0.0.1]:1"), "192.0.2.7");
}

TEST(ClientAddress, IsReadInTheFormsThatProxiesWrite) {
  for (const std::string form : {"192.0.2.7", "192.0.2.7:80"}) {
    EXPECT_EQ(client_of({form}), "192.0.2.7") << form;
  }
  for (const std::string form : {"2001:db9::7", "[2001:db9::7]", "[2001:db9::7]:80"}) {
    EXPECT_EQ(client_of({form}), "2001:db9::7") << form;
  }
}

TEST(ClientAddress, IsNobodysWhereSomethingElseStands) {
  for (const std::string form :
       {"unknown", "_hidden", "host.test", ":80", "\"192.0.2.7\"", "[", "[]", "192.0.2",
        "192.0.2.7:", "for=192.0.2.7", "1.2.3.4 5.6.7.8"}) {
    EXPECT_EQ(client_of({"192.0.2.7, " + form}), "unknown") << form;
  }
}

TEST(ClientNetwork, IsAnAddressOfV4AndAPrefixOfV6) {
  const auto network = [](std::string_view text) {
    return edge::client_network(*base::Address::parse(text));
  };
  EXPECT_EQ(network("192.0.2.7:1"), network("192.0.2.7:2"));
  EXPECT_NE(network("192.0.2.7:1"), network("192.0.2.8:1"));
  EXPECT_EQ(network("192.0.2.7:1"), network("[::ffff:192.0.2.7]:1"));
  EXPECT_EQ(network("[2001:db8::1]:1"), network("[2001:db8::ffff:ffff:ffff:ffff]:1"));
  EXPECT_NE(network("[2001:db8::1]:1"), network("[2001:db8:0:1::1]:1"));
  // Every bit of an address and of a prefix counts.
  EXPECT_NE(network("192.0.2.7:1"), network("193.0.2.7:1"));
  EXPECT_NE(network("[2001:db8:0:1::1]:1"), network("[2001:db8:0:81::1]:1"));
  // Neither family imitates the other.
  EXPECT_NE(network("192.0.2.7:1"), network("[c000:207::]:1"));
}

}  // namespace
}  // namespace perigee::test

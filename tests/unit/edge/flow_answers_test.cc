// What a node answers by itself: purges, unknown names, loops, OPTIONS.
#include <gtest/gtest.h>

#include "http/date.h"
#include "tests/support/edge/stand.h"
#include "tests/support/rule.h"

namespace perigee::test {
namespace {

GUARDS(
    "edge::RequestFlow, edge::may_purge, edge::is_soft_purge, http::answer_preflight, "
    "http::loops, http::max_forwards");

constexpr std::string_view kLoopback = "127.0.0.1:4711";

Reply fresh(std::string body) { return Reply(200).cache("max-age=60").etag("\"v1\"").body(body); }

struct PurgeStand : Stand {
  PurgeStand() {
    origin.on("/a", fresh("old"));
    get("/a");
    origin.on("/a", fresh("new"));
  }
  Answer purge(std::string_view lines = "", std::string_view from = kLoopback) {
    Client client(*this, from);
    return client.ask("PURGE", "/a", lines).answer();
  }
};

TEST(FlowAnswers, APurgeRemovesTheUrlAndSaysWhetherItMatched) {
  PurgeStand stand;
  const Answer first = stand.purge();
  EXPECT_EQ(first.status, 200);
  EXPECT_EQ(first["Content-Type"], "application/json");
  EXPECT_EQ(first["Cache-Control"], "no-store");
  EXPECT_EQ(first["Content-Length"], std::to_string(first.body.size()));
  EXPECT_EQ(first.count("Content-Length"), 1u);
  EXPECT_EQ(first.count("Transfer-Encoding"), 0u);
  EXPECT_NE(first.body.find("\"matched\":1"), std::string::npos) << first.body;
  EXPECT_EQ(first.cache(), "perigee; fwd=bypass");
  EXPECT_NE(stand.purge().body.find("\"matched\":0"), std::string::npos);
  EXPECT_EQ(stand.get("/a").body, "new");
  EXPECT_EQ(stand.origin.asked.size(), 2u) << "PURGE never reaches the origin";
}

TEST(FlowAnswers, APurgeRemovesAllVariants) {
  PurgeStand stand;
  stand.origin.on(
      "/a", [](const Asked& asked) { return fresh("v" + asked["X-Kind"]).line("Vary", "X-Kind"); });
  stand.purge();
  stand.get("/a", "X-Kind: 1\r\n");
  stand.get("/a", "X-Kind: 2\r\n");
  stand.purge();
  const size_t asked = stand.origin.asked.size();
  stand.get("/a", "X-Kind: 1\r\n");
  stand.get("/a", "X-Kind: 2\r\n");
  EXPECT_EQ(stand.origin.asked.size(), asked + 2);
}

TEST(FlowAnswers, ASoftPurgeHoldsForTheVariantsFromBeforeItWhateverTheClockSays) {
  PurgeStand stand;
  stand.origin.on(
      "/a", [](const Asked& asked) { return fresh("v" + asked["X-Kind"]).line("Vary", "X-Kind"); });
  stand.purge();
  for (const int64_t step_ms : {0, -5'000, 5'000}) {
    stand.get("/a", "X-Kind: 1\r\n");
    stand.get("/a", "X-Kind: 2\r\n");
    const size_t asked = stand.origin.asked.size();
    stand.env.step_wall(step_ms);
    stand.purge("Soft-Purge: 1\r\n");
    stand.get("/a", "X-Kind: 1\r\n");
    EXPECT_EQ(stand.get("/a", "X-Kind: 1\r\n").cache().substr(0, 12), "perigee; hit") << step_ms;
    EXPECT_EQ(stand.get("/a", "X-Kind: 2\r\n").cache().substr(0, 18), "perigee; fwd=stale");
    EXPECT_EQ(stand.origin.asked.size(), asked + 2) << step_ms;
  }
}

TEST(FlowAnswers, ASoftPurgeMarksStale) {
  for (const std::string_view name : {"Soft-Purge", "Fastly-Soft-Purge"}) {
    PurgeStand stand;
    EXPECT_EQ(stand.purge(std::string(name) + ": 1\r\n").status, 200);
    stand.origin.on("/a", Reply(304).cache("max-age=60"));
    const Answer answer = stand.get("/a");
    EXPECT_EQ(answer.body, "old");
    EXPECT_EQ(answer.cache(), "perigee; fwd=stale; fwd-status=304; stored; detail=revalidated");
    EXPECT_EQ(stand.get("/a").cache(), "perigee; hit; ttl=60");
  }
}

TEST(FlowAnswers, APurgeThatIsNotSoftIsHard) {
  for (const std::string_view line :
       {"Soft-Purge: 0\r\n", "Soft-Purge:\r\n", "Soft-Purge: 10\r\n"}) {
    PurgeStand stand;
    stand.purge(line);
    EXPECT_EQ(stand.stored("/a").state, cache_store::Found::kMiss) << line;
  }
}

RULE(FlowAnswers, ASecondSoftPurgeLeavesTheFirst, "RFC 5861 §3; http-rules 2.8",
     "The window counts from when the response became stale",
     "a further soft purge does not begin it anew, nor does a restart between the two", "") {
  for (const bool restarted : {false, true}) {
    PurgeStand stand;
    stand.purge();
    stand.origin.on("/a", Reply(200).cache("max-age=60, stale-while-revalidate=10").body("old"));
    stand.get("/a");
    stand.origin.on("/a", fresh("new"));
    stand.origin.hold();
    stand.purge("Soft-Purge: 1\r\n");
    if (restarted) stand.restart();
    stand.env.step_wall(6'000);
    stand.purge("Soft-Purge: 1\r\n");
    EXPECT_EQ(stand.get("/a", "Cache-Control: only-if-cached\r\n").body, "old");
    if (restarted) stand.restart();
    stand.env.step_wall(6'000);
    EXPECT_EQ(stand.get("/a", "Cache-Control: only-if-cached\r\n").status, 504);
  }
}

RULE(FlowAnswers, WhoMayNotPurgeGets403, "http-rules 4.2", "PURGE is allowed from the site's list",
     "loopback, unless any field or HTTP/1.0 shows that a proxy stands before it", "purge_from") {
  PurgeStand stand;
  EXPECT_EQ(stand.purge("", "203.0.113.9:1").status, 403);
  for (const std::string_view name : {"X-Forwarded-For",
                                      "X-Forwarded-Proto",
                                      "X-Forwarded-Host",
                                      "X-Forwarded-Port",
                                      "X-Forwarded-Server",
                                      "X-Forwarded",
                                      "x_forwarded_for",
                                      "X-Real-IP",
                                      "Via",
                                      "Forwarded",
                                      "CF-Connecting-IP",
                                      "CF-Ray",
                                      "True-Client-IP",
                                      "X-Client-IP",
                                      "Client-IP",
                                      "X-Cluster-Client-IP",
                                      "Fastly-Client-IP",
                                      "X-ProxyUser-Ip",
                                      "CDN-Loop",
                                      "X-Original-URL",
                                      "X-Original-Forwarded-For",
                                      "Proxy-Connection",
                                      "X-Envoy-External-Address",
                                      "X-Amz-Cf-Id",
                                      "X-Varnish"}) {
    EXPECT_EQ(stand.purge(std::string(name) + ": 1\r\nHost: site.test\r\n").status, 403) << name;
  }
  Client old(stand, kLoopback);
  old.write("PURGE /a HTTP/1.0\r\nHost: site.test\r\n\r\n");
  EXPECT_TRUE(old.arrived().starts_with("HTTP/1.1 403 "));
  EXPECT_EQ(stand.get("/a").body, "old");
}

TEST(FlowAnswers, WhatNoProxyAddsIsNoSignOfOne) {
  PurgeStand stand;
  EXPECT_EQ(stand
                .purge("User-Agent: curl/7.88.1\r\nAccept: */*\r\nX-Forward: 1\r\n"
                       "Fastly-Soft-Purge: 0\r\nConnection: close\r\nCookie: a=b\r\n"
                       "Origin: http://a.test\r\nX-Requested-With: x\r\nX-Schemes: 1\r\n"
                       "X-Hosting: 1\r\n")
                .status,
            200);
}

TEST(FlowAnswers, APurgeThatIsNotDurableIs503AndInForce) {
  PurgeStand stand;
  stand.io->refuse_writes = true;
  const Answer answer = stand.purge();
  EXPECT_EQ(answer.status, 503);
  EXPECT_EQ(stand.get("/a").body, "new");
  stand.io->refuse_writes = false;
}

TEST(FlowAnswers, APurgeWhoseLaneIsFullIs503AndInForce) {
  PurgeStand stand;
  stand.env.lane_capacity[0] = 0;
  EXPECT_EQ(stand.purge().status, 503);
  EXPECT_EQ(stand.get("/a").body, "new");
}

TEST(FlowAnswers, WhatWasFetchedBeforeAPurgeIsNotStoredAfterIt) {
  PurgeStand stand;
  stand.purge();
  stand.origin.hold();
  Client client(stand);
  client.ask("GET", "/a");
  stand.run();
  stand.purge();
  stand.origin.release();
  EXPECT_EQ(client.answer().body, "new");
  EXPECT_EQ(stand.stored("/a").state, cache_store::Found::kMiss);
}

RULE(FlowAnswers, AnUnknownHostIs421, "RFC 9110 §15.5.20; http-rules 3.6",
     "a request for a name that is not served", "421", "default") {
  Stand stand;
  const Answer answer = stand.get("/a", "Host: other.test\r\n");
  EXPECT_EQ(answer.status, 421);
  EXPECT_EQ(answer.cache(), "perigee; fwd=bypass");
  EXPECT_EQ(stand.ask("PURGE", "/a", "Host: other.test\r\n").status, 421);
}

TEST(FlowAnswers, ADefaultSiteAnswersEveryName) {
  Stand stand("default = true");
  stand.origin.on("/a", fresh("x"));
  EXPECT_EQ(stand.get("/a", "Host: other.test\r\n").status, 200);
}

RULE(FlowAnswers, ALoopIs508, "RFC 8586 §2", "a request that carries our own CDN-Loop id",
     "508; Via alone is no loop", "cdn_id") {
  Stand stand("cdn_id = \"outer\"");
  stand.origin.on("/a", fresh("x"));
  for (const std::string_view method : {"GET", "HEAD", "POST", "DELETE", "OPTIONS"}) {
    EXPECT_EQ(stand.ask(method, "/a", "CDN-Loop: foo, outer; v=1\r\n").status, 508) << method;
  }
  EXPECT_TRUE(stand.origin.asked.empty());
  EXPECT_EQ(stand.get("/a", "Via: 1.1 outer\r\nCDN-Loop: perigee\r\n").status, 200);
  EXPECT_EQ(stand.origin.asked.back()["CDN-Loop"], "perigee, outer");
  EXPECT_EQ(stand.origin.asked.back()["Via"], "1.1 outer, 1.1 outer");
}

RULE(
    FlowAnswers, WithoutAnIdEachNodeHasItsOwn, "RFC 8586 §2; http-rules 4.19",
    "The cdn-id says unambiguously who added it",
    "`perigee-` and 16 hexadecimal digits, others for each store: one node behind another answers, "
    "and a request that comes back to either gets 508",
    "cdn_id") {
  Stand one;
  Stand other;
  std::vector<std::string> ids;
  for (Stand* stand : {&one, &other}) {
    stand->origin.on("/a", fresh("x"));
    stand->get("/a");
    ids.push_back(stand->origin.asked.back()["CDN-Loop"]);
    EXPECT_EQ(stand->origin.asked.back()["Via"], "1.1 " + ids.back());
    EXPECT_EQ(ids.back().find_first_not_of("0123456789abcdef", 8), std::string::npos);
    EXPECT_EQ(ids.back().substr(0, 8), "perigee-");
    EXPECT_EQ(ids.back().size(), 24u);
  }
  EXPECT_NE(ids[0], ids[1]);
  EXPECT_EQ(other.get("/a", "CDN-Loop: " + ids[0] + "\r\n").status, 200);
  EXPECT_EQ(other.get("/a", "CDN-Loop: " + ids[0] + ", " + ids[1] + "\r\n").status, 508);
  EXPECT_EQ(one.get("/a", "CDN-Loop: " + ids[0] + ", " + ids[1] + "\r\n").status, 508);
  const std::string before = ids[0];
  one.restart();
  EXPECT_EQ(one.get("/a", "CDN-Loop: " + before + "\r\n").status, 508) << "it is kept";
}

RULE(FlowAnswers, OptionsStarIsOurs, "RFC 9110 §9.3.7; http-rules 3.17",
     "OPTIONS * asks the server itself", "204 with Allow", "") {
  Stand stand;
  const Answer answer = stand.ask("OPTIONS", "*");
  EXPECT_EQ(answer.status, 204);
  EXPECT_NE(answer["Allow"].find("GET, HEAD"), std::string::npos);
  EXPECT_NE(answer.cache(), "");
  EXPECT_TRUE(stand.origin.asked.empty());
}

RULE(FlowAnswers, MaxForwardsIsCountedDownAndAnsweredAtZero, "RFC 9110 §7.6.2; http-rules 4.4",
     "OPTIONS with Max-Forwards: answered at 0, else forwarded with one less", "so", "") {
  Stand stand;
  stand.origin.on("/a", Reply(204).line("Allow", "GET"));
  EXPECT_EQ(stand.ask("OPTIONS", "/a", "Max-Forwards: 2\r\n")["Allow"], "GET");
  EXPECT_EQ(stand.origin.asked.back()["Max-Forwards"], "1");
  EXPECT_EQ(stand.ask("OPTIONS", "/a").cache(), "perigee; fwd=method; fwd-status=204");
  EXPECT_EQ(stand.origin.asked.size(), 2u);
  EXPECT_EQ(stand.ask("OPTIONS", "/a", "Max-Forwards: 0\r\n").status, 204);
  EXPECT_EQ(stand.origin.asked.size(), 2u);
}

constexpr std::string_view kPreflight =
    "Origin: https://app.test\r\nAccess-Control-Request-Method: PUT\r\n"
    "Access-Control-Request-Headers: content-type\r\n";

RULE(FlowAnswers, PreflightsAreRelayed, "http-rules 3.17, 4.21",
     "a CORS preflight asks the origin what other origins may do", "relayed each time",
     "preflight_origins") {
  Stand stand;
  stand.origin.on("/a", Reply(204).line("Access-Control-Allow-Origin", "https://app.test"));
  for (int i = 0; i < 2; ++i) {
    const Answer answer = stand.ask("OPTIONS", "/a", kPreflight);
    EXPECT_EQ(answer["Access-Control-Allow-Origin"], "https://app.test");
    EXPECT_EQ(answer.cache(), "perigee; fwd=method; fwd-status=204");
  }
  EXPECT_EQ(stand.origin.asked.size(), 2u);
}

RULE(FlowAnswers, ARuleAnswersPreflights, "http-rules 4.21",
     "a CORS preflight asks what other origins may do",
     "204 with what the rule allows, without asking the origin; none of it to origins not listed",
     "preflight_origins") {
  Stand stand(
      "[[site.rule]]\nprefix = \"/api/\"\npreflight_origins = [\"https://app.test\"]\n"
      "preflight_methods = [\"PUT\", \"DELETE\"]\npreflight_headers = [\"Content-Type\"]\n"
      "preflight_max_age = \"2h\"");
  const Answer answer = stand.ask("OPTIONS", "/api/x", kPreflight);
  EXPECT_EQ(answer.status, 204);
  EXPECT_EQ(answer["Access-Control-Allow-Origin"], "https://app.test");
  EXPECT_EQ(answer["Access-Control-Allow-Methods"], "PUT, DELETE");
  EXPECT_EQ(answer["Access-Control-Allow-Headers"], "Content-Type");
  EXPECT_EQ(answer["Access-Control-Max-Age"], "7200");
  EXPECT_EQ(answer["Vary"], "Origin, Access-Control-Request-Method");
  EXPECT_EQ(answer.cache(), "perigee; fwd=bypass");
  EXPECT_EQ(answer.count("Date"), 1u);
  const Answer stranger = stand.ask("OPTIONS", "/api/x",
                                    "Origin: https://app.test.evil\r\n"
                                    "Access-Control-Request-Method: PUT\r\n");
  EXPECT_EQ(stranger.status, 204);
  EXPECT_EQ(stranger["Vary"], "Origin, Access-Control-Request-Method");
  for (const auto& [name, value] : stranger.lines) {
    EXPECT_FALSE(name.starts_with("Access-Control-")) << name;
  }
  EXPECT_TRUE(stand.origin.asked.empty());
}

TEST(FlowAnswers, WhatIsNoPreflightOrUnderNoRuleIsRelayed) {
  Stand stand("[[site.rule]]\nprefix = \"/api/\"\npreflight_origins = [\"*\"]\n");
  stand.ask("OPTIONS", "/api/x", "Origin: https://app.test\r\n");
  stand.ask("OPTIONS", "/api/x", "Access-Control-Request-Method: PUT\r\n");
  stand.ask("OPTIONS", "/x", kPreflight);
  stand.ask("GET", "/api/x", kPreflight);
  EXPECT_EQ(stand.origin.asked.size(), 4u);
  const Answer any = stand.ask("OPTIONS", "/api/x", kPreflight);
  EXPECT_EQ(any["Access-Control-Allow-Origin"], "*");
  EXPECT_EQ(any.count("Access-Control-Allow-Methods"), 0u);
  EXPECT_EQ(any.count("Access-Control-Max-Age"), 0u);
  EXPECT_EQ(stand.origin.asked.size(), 4u);
}

RULE(FlowAnswers, RefusalsCarryDateAndCacheStatus, "RFC 9110 §6.6.1; RFC 9211 §2",
     "an origin server with a clock sends Date; a cache says what it did",
     "also in what is refused before it is a request: Date, Cache-Status fwd=bypass, no-store",
     "") {
  const std::string host = "Host: site.test\r\n";
  const std::string too_long(9000, 'x');
  const std::pair<int, std::string> refused[] = {
      {400, "GET /a HTTP/1.1\r\n" + host + host + "\r\n"},
      {400, "GET /a HTTP/1.1\r\n" + host + "Bad Name: x\r\n\r\n"},
      {405, "TRACE /a HTTP/1.1\r\n" + host + "\r\n"},
      {408, "GET /a HTTP/1.1\r\n"},
      {408, "POST /a HTTP/1.1\r\n" + host + "Content-Length: 9000\r\n\r\nx"},
      {414, "GET /" + too_long + " HTTP/1.1\r\n" + host + "\r\n"},
      {417, "POST /a HTTP/1.1\r\n" + host + "Expect: x\r\nContent-Length: 1\r\n\r\n"},
      {431, "GET /a HTTP/1.1\r\n" + host + "X: " + too_long + "\r\n\r\n"},
      {501, "CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n"},
      {505, "GET /a HTTP/2.0\r\n" + host + "\r\n"},
  };
  for (const auto& [status, bytes] : refused) {
    Stand stand;
    Client client(stand);
    client.write(bytes);
    stand.run();
    const int64_t begun_ms = stand.env.wall().ms;
    if (status == 408) stand.pass_ms(20'000);
    const Answer answer = client.answer();
    EXPECT_EQ(answer.status, status) << bytes.substr(0, 80);
    EXPECT_EQ(answer.cache(), "perigee; fwd=bypass") << status;
    EXPECT_EQ(answer["Cache-Control"], "no-store") << status;
    EXPECT_EQ(answer.count("Date"), 1u) << status;
    const std::optional<int64_t> date_ms = http::parse_date(answer["Date"], begun_ms);
    ASSERT_TRUE(date_ms) << answer["Date"];
    EXPECT_GE(*date_ms, begun_ms / 1000 * 1000) << status;
    EXPECT_LE(*date_ms, stand.env.wall().ms) << status;
  }
}

}  // namespace
}  // namespace perigee::test

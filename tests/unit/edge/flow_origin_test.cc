// What a node does when a copy is stale: revalidation, refreshing behind, and covering for an
// origin that fails.
#include <gtest/gtest.h>

#include "tests/support/edge/stand.h"
#include "tests/support/rule.h"

namespace perigee::test {
namespace {

GUARDS("edge::Waiting, edge::Filled, http::may_serve_stale, http::may_freshen, http::head_agrees");

constexpr int64_t kSecond = 1000;
constexpr int64_t kHour = 3'600'000;

/// A stand with /a stored, tagged "v1", and stale by now.
struct StaleStand : Stand {
  explicit StaleStand(std::string_view directives = "max-age=10", const std::string& site = "")
      : Stand(site) {
    origin.on("/a", Reply(200).cache(directives).etag("\"v1\"").body("old"));
    EXPECT_EQ(get("/a").status, 200);
    env.step_wall(20 * kSecond);
  }
};

RULE(FlowOrigin, A304FreshensTheStoredResponse, "RFC 9111 §4.3.3; RFC 9111 §4.3.4",
     "a 304 says that the stored response may be used, and updates its fields",
     "asked with the stored validators; stored fields replaced; the stored body served", "") {
  StaleStand stand;
  stand.origin.on("/a", Reply(304).cache("max-age=30").etag("\"v1\"").line("X-New", "yes"));
  const Answer answer = stand.get("/a");
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.body, "old");
  EXPECT_EQ(answer["X-New"], "yes");
  EXPECT_EQ(answer["Age"], "0") << "it is reused";
  EXPECT_EQ(answer["Cache-Control"], "max-age=30");
  EXPECT_EQ(answer.cache(), "perigee; fwd=stale; fwd-status=304; stored; detail=revalidated");
  EXPECT_EQ(stand.origin.asked.back()["If-None-Match"], "\"v1\"");
  const Answer hit = stand.get("/a");
  EXPECT_EQ(hit.body, "old");
  EXPECT_EQ(hit["X-New"], "yes");
  EXPECT_EQ(hit.cache(), "perigee; hit; ttl=30");
}

TEST(FlowOrigin, AClientsOwnConditionIsJudgedAgainstTheRevalidated) {
  StaleStand stand;
  stand.origin.on("/a", Reply(304).cache("max-age=30"));
  const Answer answer = stand.get("/a", "If-None-Match: \"v1\"\r\n");
  EXPECT_EQ(answer.status, 304);
  EXPECT_EQ(stand.origin.asked.back()["If-None-Match"], "\"v1\"");
  EXPECT_EQ(stand.get("/a").cache(), "perigee; hit; ttl=30");
}

TEST(FlowOrigin, ARangeIsCutFromTheRevalidated) {
  StaleStand stand;
  stand.origin.on("/a", Reply(304).cache("max-age=30"));
  const Answer part = stand.get("/a", "Range: bytes=1-\r\n");
  EXPECT_EQ(part.status, 206);
  EXPECT_EQ(part.body, "ld");
}

TEST(FlowOrigin, ANewResponseReplacesTheStaleOne) {
  StaleStand stand;
  stand.origin.on("/a", Reply(200).cache("max-age=30").etag("\"v2\"").body("new"));
  const Answer answer = stand.get("/a");
  EXPECT_EQ(answer.body, "new");
  EXPECT_EQ(answer.cache(), "perigee; fwd=stale; fwd-status=200; stored");
  EXPECT_EQ(stand.get("/a").body, "new");
}

RULE(FlowOrigin, AServerErrorIsRelayedAndTheStoredCopyStays, "RFC 9111 §4.3.3; http-rules 3.8",
     "a 5xx on revalidation may be relayed", "relayed, unless stale-if-error; the copy stays",
     "stale_if_error") {
  StaleStand stand;
  stand.origin.on("/a", Reply(503).body("down"));
  EXPECT_EQ(stand.get("/a").cache(), "perigee; fwd=stale; fwd-status=503");
  stand.origin.on("/a", Reply(304).cache("max-age=30"));
  EXPECT_EQ(stand.get("/a").body, "old");
}

RULE(FlowOrigin, AnErrorPageNamesNoAddress, "RFC 9110 §15.6, §17; http-rules 3.18",
     "an error page tells what is wrong and nothing of what stands behind the server",
     "one fixed sentence a kind of failure; the reason with its addresses stands in the log alone",
     "") {
  using base::ErrorCode;
  struct Case {
    ErrorCode code;
    std::string_view page;
  };
  constexpr std::string_view kReason = "connect to 10.0.0.3:80: Connection refused (111)";
  for (const auto& [code, page] :
       {Case{ErrorCode::kConnect, "502 Bad Gateway: the origin cannot be reached\n"},
        Case{ErrorCode::kTls, "502 Bad Gateway: no secure connection to the origin came about\n"},
        Case{ErrorCode::kTimeout, "504 Gateway Timeout: the origin did not answer in time\n"}}) {
    Stand stand;
    stand.env.on_connect = [&](const base::Endpoint&) -> std::optional<FakeEnv::ConnectResult> {
      return base::Error{code, 111, std::string(kReason)};
    };
    EXPECT_EQ(stand.get("/a").body, page) << "a fill";
    EXPECT_EQ(stand.ask("POST", "/a").body, page) << "a relay";
  }
}

RULE(FlowOrigin, StaleIfErrorCoversServerErrors, "RFC 5861 §4",
     "a stale response may be used when the origin answers 500, 502, 503 or 504",
     "within the window the copy is served", "stale_if_error") {
  for (const int status : {500, 502, 503, 504}) {
    StaleStand stand("max-age=10, stale-if-error=60");
    stand.origin.on("/a", Reply(static_cast<uint16_t>(status)).body("down"));
    const Answer answer = stand.get("/a");
    EXPECT_EQ(answer.status, 200);
    EXPECT_EQ(answer.body, "old");
    EXPECT_EQ(answer["Age"], "20");
    EXPECT_EQ(answer.cache(), "perigee; fwd=stale; fwd-status=" + std::to_string(status) +
                                  "; ttl=-10; detail=stale-if-error");
    stand.env.step_wall(60 * kSecond);
    EXPECT_EQ(stand.get("/a").status, status) << "beyond the window";
  }
}

RULE(FlowOrigin, ErrorsOfTheOnlyOriginCountTowardsNothing, "RFC 9111 §4.2.4; http-rules 1.10",
     "The only origin there is is never taken out",
     "after any number of 5xx answers the next request is forwarded, and the first answer that can "
     "be stored is",
     "") {
  Stand stand;
  stand.origin.on("/a", Reply(503).body("down"));
  for (int i = 0; i < 50; ++i) ASSERT_EQ(stand.get("/a").status, 503);
  stand.origin.on("/a", Reply(200).cache("max-age=60").body("up"));
  EXPECT_EQ(stand.get("/a").cache(), "perigee; fwd=uri-miss; fwd-status=200; stored");
  EXPECT_EQ(stand.get("/a").cache(), "perigee; hit; ttl=60");
}

TEST(FlowOrigin, StaleIfErrorDoesNotCoverOtherStatuses) {
  StaleStand stand("max-age=10, stale-if-error=60");
  for (const uint16_t status : {499, 501, 505, 599}) {
    stand.origin.on("/a", Reply(status).body("what"));
    EXPECT_EQ(stand.get("/a").status, status);
  }
}

RULE(FlowOrigin, StaleIfErrorCoversWhatIsNoResponse, "RFC 5861 §4; http-rules 2.8",
     "an error is any situation that would result in a 500, 502, 503 or 504",
     "a malformed response, a 502 otherwise, is covered within the window, and never without one",
     "stale_if_error") {
  for (const bool window : {true, false}) {
    StaleStand stand(window ? "max-age=10, stale-if-error=60" : "max-age=10");
    stand.origin.on("/a", Reply(200).line("Content-Length", "5").body("two lengths"));
    const Answer answer = stand.get("/a");
    EXPECT_EQ(answer.status, window ? 200 : 502);
    EXPECT_EQ(answer.body == "old", window);
    EXPECT_EQ(answer.cache(),
              window ? "perigee; fwd=stale; ttl=-10; detail=stale-if-error" : "perigee; fwd=stale");
  }
}

TEST(FlowOrigin, AnUnreachableOriginWithoutACopyIs502) {
  Stand stand;
  stand.origin.go_away();
  const Answer answer = stand.get("/a");
  EXPECT_EQ(answer.status, 502);
  EXPECT_EQ(answer["Cache-Control"], "no-store");
  EXPECT_EQ(answer.cache(), "perigee; fwd=uri-miss");
  EXPECT_EQ(stand.ask("HEAD", "/a").status, 502);
}

TEST(FlowOrigin, AnOriginThatDoesNotAnswerIs504AfterItsTimeout) {
  Stand stand;
  stand.origin.hold();
  Client client(stand);
  client.ask("GET", "/a");
  stand.pass_ms(base::limits::kFirstByteMs + kSecond);
  EXPECT_EQ(client.answer().status, 504);
}

RULE(FlowOrigin, StaleWhileRevalidateServesAndRefreshesOnceBehind, "RFC 5861 §3",
     "within the window the stale response is served while it is revalidated",
     "exactly one refresh behind", "stale_while_revalidate") {
  StaleStand stand("max-age=10, stale-while-revalidate=60");
  stand.origin.on("/a", Reply(200).cache("max-age=10").etag("\"v2\"").body("new"));
  stand.origin.hold();
  for (int i = 0; i < 3; ++i) {
    const Answer answer = stand.get("/a");
    EXPECT_EQ(answer.body, "old");
    EXPECT_EQ(answer.cache(), "perigee; hit; ttl=-10; detail=stale-while-revalidate");
  }
  EXPECT_EQ(stand.origin.asked.size(), 2u);
  EXPECT_EQ(stand.origin.asked.back()["If-None-Match"], "\"v1\"");
  stand.origin.release();
  stand.run();
  const Answer fresh = stand.get("/a");
  EXPECT_EQ(fresh.body, "new");
  EXPECT_EQ(fresh.cache(), "perigee; hit; ttl=10");
}

RULE(FlowOrigin, ARefreshBehindAsksForTheVariantThatWasServed, "RFC 9111 §4.1; http-rules 1.18",
     "A revalidation carries the fields that selected the stored response",
     "the refresh sends the fields of the request that met the stale hit, less its conditions, "
     "Range and Cache-Control",
     "stale_while_revalidate") {
  Stand stand;
  stand.origin.on("/a", [](const Asked& asked) {
    return Reply(200)
        .cache("max-age=10, stale-while-revalidate=60")
        .line("Vary", "Accept-Language")
        .body(asked["Accept-Language"]);
  });
  stand.get("/a", "Accept-Language: de\r\n");
  stand.env.step_wall(20 * kSecond);
  EXPECT_EQ(stand
                .get("/a",
                     "Accept-Language: de\r\nRange: bytes=0-0\r\nCache-Control: no-cache\r\n"
                     "If-None-Match: \"x\"\r\n")
                .status,
            206);
  stand.run();
  ASSERT_EQ(stand.origin.asked.size(), 2u);
  const Asked& refresh = stand.origin.asked.back();
  EXPECT_EQ(refresh["Accept-Language"], "de");
  for (const std::string_view name : {"If-None-Match", "Range", "Cache-Control"}) {
    EXPECT_EQ(refresh[name], "") << name;
  }
  EXPECT_EQ(stand.get("/a", "Accept-Language: de\r\n").cache(), "perigee; hit; ttl=10");
}

TEST(FlowOrigin, AHeadMayBeginTheRefreshToo) {
  StaleStand stand("max-age=10, stale-while-revalidate=60");
  stand.origin.on("/a", Reply(200).cache("max-age=10").body("new"));
  EXPECT_EQ(stand.ask("HEAD", "/a").status, 200);
  stand.run();
  EXPECT_EQ(stand.origin.asked.back().method, "GET");
  EXPECT_EQ(stand.get("/a").body, "new");
}

RULE(FlowOrigin, BeyondItsWindowStaleWhileRevalidateWaits, "RFC 5861 §3; http-rules 2.8",
     "the window bounds how stale", "waits for the origin", "") {
  StaleStand stand("max-age=10, stale-while-revalidate=5");
  stand.origin.on("/a", Reply(200).cache("max-age=10").body("new"));
  EXPECT_EQ(stand.get("/a").body, "new");
}

/// /a is stale beyond stale-while-revalidate and inside stale-if-error, and the origin says
/// nothing.
struct SlowStand : StaleStand {
  explicit SlowStand(std::string_view directives = "max-age=10, stale-if-error=60")
      : StaleStand(directives, "stale_if_slow = \"200ms\"") {
    origin.on("/a", Reply(200).cache("max-age=10").etag("\"v2\"").body("new"));
    origin.hold();
  }
};

RULE(FlowOrigin, ASlowOriginIsCoveredByAStaleCopyAndTheFetchGoesOn,
     "RFC 9111 §4.2.4; http-rules 2.8", "stale responses may be served where a window permits it",
     "after a budget the copy is served, and the fetch ends in the store", "stale_if_slow") {
  SlowStand stand;
  Client client(stand);
  client.ask("GET", "/a");
  stand.pass_ms(150);
  EXPECT_EQ(client.answer().status, 0) << "within the budget it waits";
  stand.pass_ms(100);
  const Answer answer = client.answer();
  EXPECT_EQ(answer.body, "old");
  EXPECT_EQ(answer.cache(), "perigee; fwd=stale; ttl=-11; detail=stale-if-slow");
  stand.origin.release();
  stand.run();
  EXPECT_EQ(stand.get("/a").cache(), "perigee; hit; ttl=9") << "less what it took to come";
  EXPECT_EQ(stand.get("/a").body, "new");
  EXPECT_EQ(stand.origin.asked.size(), 2u) << "one fetch";
}

TEST(FlowOrigin, AnAnswerThatComesWhileTheCopyIsSentChangesNothing) {
  Stand stand("stale_if_slow = \"200ms\"");
  const std::string old(50'000, 'o');
  stand.origin.on("/a", Reply(200).cache("max-age=10, stale-if-error=60").body(old));
  stand.get("/a");
  stand.env.step_wall(20 * kSecond);
  stand.origin.on("/a", Reply(200).cache("max-age=10").body("new"));
  stand.origin.hold();
  Client client(stand);
  client.reading().capacity = 1000;
  client.ask("GET", "/a");
  stand.pass_ms(250);
  stand.origin.release();
  stand.run();
  EXPECT_TRUE(client.answer().body == old);
  EXPECT_EQ(client.arrived(), "") << "answered once";
  EXPECT_EQ(client.ask("GET", "/a").answer().body, "new");
}

TEST(FlowOrigin, WhoIsAnsweredByAnotherFetchIsNotCoveredAsWell) {
  Stand stand("stale_if_slow = \"10s\"");
  const std::string fresh(50'000, 'n');
  stand.origin.on("/a", Reply(200).cache("max-age=10, stale-if-error=600").body("old"));
  stand.get("/a");
  stand.env.step_wall(20 * kSecond);
  stand.origin.hold();
  Client first(stand);
  Client second(stand, "203.0.113.10:1");
  first.reading().capacity = 1000;
  first.ask("GET", "/a");
  stand.run();
  second.ask("GET", "/a");
  stand.pass_ms(base::limits::kWaiterPatienceMs + 200);
  ASSERT_EQ(stand.origin.asked.size(), 3u) << "the second asks for itself";
  stand.origin.send(
      "HTTP/1.1 200 OK\r\nCache-Control: max-age=600\r\nContent-Length: 50000\r\n\r\n" + fresh);
  stand.run();
  EXPECT_TRUE(second.answer().body == fresh);
  stand.pass_ms(10 * kSecond);
  EXPECT_TRUE(first.answer().body == fresh) << "what the second stored";
  EXPECT_EQ(first.arrived(), "") << "answered once";
}

TEST(FlowOrigin, AnOriginWithinTheBudgetIsNotCovered) {
  SlowStand stand;
  Client client(stand);
  client.ask("GET", "/a");
  stand.pass_ms(150);
  stand.origin.release();
  EXPECT_EQ(client.answer().body, "new");
  stand.pass_ms(1000);
  EXPECT_EQ(client.arrived(), "") << "answered once";
}

TEST(FlowOrigin, AHeadWithinTheBudgetIsNotCoveredThoughItsBodyIsSlow) {
  SlowStand stand;
  stand.origin.on("/a", Reply(200).cache("max-age=10").body("newer").stops_after(3));
  Client client(stand);
  client.ask("GET", "/a");
  stand.pass_ms(150);
  stand.origin.release();
  stand.pass_ms(1000);
  stand.origin.send("er");
  EXPECT_EQ(client.answer().body, "newer");
  EXPECT_EQ(client.arrived(), "") << "answered once";
}

TEST(FlowOrigin, StaleIfSlowHoldsOnlyInsideAnExplicitWindow) {
  for (const std::string_view directives : {"max-age=10", "max-age=10, stale-if-error=5",
                                            "max-age=10, stale-if-error=60, must-revalidate"}) {
    SlowStand stand(directives);
    Client client(stand);
    client.ask("GET", "/a");
    stand.pass_ms(1000);
    EXPECT_EQ(client.answer().status, 0) << directives;
    stand.origin.release();
    EXPECT_EQ(client.answer().body, "new") << directives;
  }
}

TEST(FlowOrigin, AClientThatLeavesBeforeTheBudgetLeavesNoTimer) {
  SlowStand stand;
  const size_t timers = stand.env.timers();
  {
    Client client(stand);
    client.ask("GET", "/a");
    stand.run();
    EXPECT_GT(stand.env.timers(), timers);
    client.reset();
    stand.run();
  }
  stand.origin.release();
  stand.pass_ms(10'000);
  EXPECT_EQ(stand.env.timers(), Stand::kIdleTimers + 1) << "the stand's own client is idle";
}

TEST(FlowOrigin, StaleIfSlowIsOffByDefault) {
  StaleStand stand("max-age=10, stale-if-error=60");
  stand.origin.hold();
  Client client(stand);
  client.ask("GET", "/a");
  stand.pass_ms(10'000);
  EXPECT_EQ(client.answer().status, 0);
}

RULE(FlowOrigin, AHeadThatDisagreesMakesTheStoredGetStale, "RFC 9111 §4.3.5; http-rules 2.10",
     "a HEAD whose validators differ invalidates the stored response", "marked stale", "") {
  Stand stand("honour_client_directives = true");
  stand.origin.on("/a", Reply(200).cache("max-age=60").etag("\"v1\"").body("old"));
  stand.get("/a");
  ASSERT_EQ(stand.get("/a").cache(), "perigee; hit; ttl=60");
  stand.origin.on("/a", Reply(200).cache("max-age=60").etag("\"v2\"").body("newer"));
  EXPECT_EQ(stand.ask("HEAD", "/a", "Cache-Control: no-cache\r\n").cache(),
            "perigee; fwd=request; fwd-status=200");
  const Answer answer = stand.get("/a");
  EXPECT_EQ(answer.body, "newer");
  EXPECT_EQ(answer.cache(), "perigee; fwd=stale; fwd-status=200; stored");
}

RULE(FlowOrigin, AHeadThatAgreesFreshensTheStoredGet, "RFC 9111 §4.3.5; http-rules 2.10",
     "a 200 to HEAD that agrees with the stored GET may update it",
     "its fields are merged like those of a 304, lifetime included", "") {
  StaleStand stand;
  stand.origin.on("/a",
                  Reply(200).cache("max-age=30").etag("\"v1\"").line("X-New", "yes").body("old"));
  EXPECT_EQ(stand.ask("HEAD", "/a").cache(), "perigee; fwd=stale; fwd-status=200");
  const Answer hit = stand.get("/a");
  EXPECT_EQ(hit.body, "old");
  EXPECT_EQ(hit["X-New"], "yes");
  EXPECT_EQ(hit.cache(), "perigee; hit; ttl=30");
}

TEST(FlowOrigin, AHeadThatWasSentBeforeAPurgeFreshensNothing) {
  StaleStand stand;
  stand.origin.on("/a", Reply(200).cache("max-age=30").etag("\"v1\"").body("old"));
  stand.origin.hold();
  Client client(stand);
  client.ask("HEAD", "/a");
  stand.run();
  EXPECT_EQ(stand.ask("PURGE", "/a", "", "").status, 403);
  Client purger(stand, "127.0.0.1:4711");
  EXPECT_EQ(purger.ask("PURGE", "/a").answer().status, 200);
  stand.origin.release();
  EXPECT_EQ(client.answer().status, 200);
  EXPECT_EQ(stand.stored("/a").state, cache_store::Found::kMiss);
}

TEST(FlowOrigin, AHeadIsCoveredWhereTheOriginFailsAndNotElsewhere) {
  StaleStand stand("max-age=10, stale-if-error=60");
  for (const uint16_t status : {404, 501}) {
    stand.origin.on("/a", Reply(status));
    EXPECT_EQ(stand.ask("HEAD", "/a").cache(),
              "perigee; fwd=stale; fwd-status=" + std::to_string(status));
  }
  stand.origin.on("/a", Reply(503));
  EXPECT_EQ(stand.ask("HEAD", "/a")["Content-Length"], "3");
}

TEST(FlowOrigin, WhatBecameFreshMeanwhileIsAHit) {
  StaleStand stand;
  stand.origin.hold("GET", "/a");
  Client client(stand);
  client.ask("GET", "/a");
  stand.run();
  ASSERT_EQ(stand.origin.asked.back().method, "GET");
  stand.origin.on("/a", Reply(200).cache("max-age=30").etag("\"v1\"").body("old"));
  EXPECT_EQ(stand.ask("HEAD", "/a").status, 200);
  stand.origin.go_away();
  const Answer answer = client.answer();
  EXPECT_EQ(answer.body, "old");
  EXPECT_EQ(answer.cache(), "perigee; hit; ttl=30");
}

TEST(FlowOrigin, ANotFoundToAHeadLeavesAFreshCopyFresh) {
  Stand stand("honour_client_directives = true");
  stand.origin.on("/a", Reply(200).cache("max-age=60").etag("\"v1\"").body("old"));
  stand.get("/a");
  stand.origin.on("/a", Reply(404));
  EXPECT_EQ(stand.ask("HEAD", "/a", "Cache-Control: no-cache\r\n").status, 404);
  EXPECT_EQ(stand.get("/a").cache(), "perigee; hit; ttl=60");
}

TEST(FlowOrigin, ANotFoundToAHeadChangesNothing) {
  StaleStand stand;
  stand.origin.on("/a", Reply(404));
  EXPECT_EQ(stand.ask("HEAD", "/a").status, 404);
  stand.origin.on("/a", Reply(304).cache("max-age=60"));
  EXPECT_EQ(stand.get("/a").cache(),
            "perigee; fwd=stale; fwd-status=304; stored; detail=revalidated");
}

RULE(FlowOrigin, AnUnreachableOriginIsCoveredByAStaleCopy, "RFC 9111 §4.2.4; http-rules 2.8",
     "a disconnected cache may serve stale", "for a day by default", "unreachable_stale") {
  StaleStand stand;
  stand.origin.go_away();
  const Answer answer = stand.get("/a");
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.body, "old");
  EXPECT_EQ(answer.cache(), "perigee; fwd=stale; ttl=-10; detail=stale-if-error");
  EXPECT_EQ(stand.ask("HEAD", "/a").status, 200) << "a HEAD too";
  stand.env.step_wall(25 * kHour);
  EXPECT_EQ(stand.get("/a").status, 504) << "a copy is there that is too old";
}

RULE(FlowOrigin, WhatMustBeRevalidatedIs504WhenTheOriginIsUnreachable, "RFC 9111 §5.2.2.2",
     "must-revalidate forbids stale; a cache that cannot reach the origin sends 504", "504", "") {
  for (const std::string_view directives :
       {"max-age=10, must-revalidate", "max-age=10, proxy-revalidate", "s-maxage=10",
        "max-age=10, no-cache"}) {
    StaleStand stand(directives);
    stand.origin.go_away();
    EXPECT_EQ(stand.get("/a").status, 504) << directives;
  }
}

TEST(FlowOrigin, ARefreshThatFailsLeavesTheRecord) {
  StaleStand stand("max-age=10, stale-while-revalidate=60");
  stand.origin.on("/a", Reply(500).body("broken"));
  for (int i = 0; i < 3; ++i) EXPECT_EQ(stand.get("/a").body, "old") << i;
  stand.origin.go_away();
  for (int i = 0; i < 3; ++i) EXPECT_EQ(stand.get("/a").body, "old") << i;
}

}  // namespace
}  // namespace perigee::test

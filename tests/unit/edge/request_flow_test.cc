// A request through a whole node: hits, misses, ranges, conditions, variants, and what they say of
// it.
#include <gtest/gtest.h>

#include "tests/support/edge/stand.h"
#include "tests/support/rule.h"

namespace perigee::test {
namespace {

GUARDS("edge::RequestFlow, edge::Route, http::make_response");

Reply fresh(std::string body) { return Reply(200).cache("max-age=60").etag("\"v1\"").body(body); }

RULE(RequestFlow, AMissIsStoredAndTheNextRequestIsAHit, "RFC 9111 §4; RFC 9211 §2",
     "a fresh stored response is reused", "a hit, without asking the origin", "") {
  Stand stand;
  stand.origin.on("/a", fresh("hello"));
  const Answer miss = stand.get("/a");
  EXPECT_EQ(miss.status, 200);
  EXPECT_EQ(miss.body, "hello");
  EXPECT_EQ(miss.cache(), "perigee; fwd=uri-miss; fwd-status=200; stored");
  EXPECT_EQ(miss.count("Age"), 0u);
  const Answer hit = stand.get("/a");
  EXPECT_EQ(hit.status, 200);
  EXPECT_EQ(hit.body, "hello");
  EXPECT_EQ(hit.cache(), "perigee; hit; ttl=60");
  EXPECT_EQ(hit["Age"], "0");
  EXPECT_EQ(hit["ETag"], "\"v1\"");
  EXPECT_EQ(hit["Content-Length"], "5");
  EXPECT_EQ(stand.origin.asked.size(), 1u);
}

RULE(RequestFlow, AHitCarriesItsAgeAndTheStoredDate, "RFC 9111 §5.1; http-rules 1.3",
     "a response from a cache carries its current age", "Age in whole seconds; Date as it came",
     "") {
  Stand stand;
  stand.origin.on("/a", fresh("x").line("Date", "Thu, 01 Jan 2026 00:16:40 GMT"));
  stand.get("/a");
  stand.env.step_wall(12'900);
  const Answer hit = stand.get("/a");
  EXPECT_EQ(hit["Age"], "12");
  EXPECT_EQ(hit.count("Age"), 1u);
  EXPECT_EQ(hit["Date"], "Thu, 01 Jan 2026 00:16:40 GMT");
  EXPECT_EQ(hit.cache(), "perigee; hit; ttl=47");
}

TEST(RequestFlow, WhatIsKeyedIsWhatIsForwarded) {
  Stand stand("query_strip = [\"utm_*\"]");
  stand.origin.on("/a?b=1", fresh("x"));
  EXPECT_EQ(stand.get("/a?b=1&utm_source=mail").status, 200);
  EXPECT_EQ(stand.get("/a?b=1").cache(), "perigee; hit; ttl=60");
  ASSERT_EQ(stand.origin.asked.size(), 1u);
  EXPECT_EQ(stand.origin.asked[0].target, "/a?b=1");
  EXPECT_EQ(stand.origin.asked[0]["Host"], "site.test");
}

RULE(RequestFlow, TheHostThatTheSiteNamesIsSent, "RFC 9110 §7.2; http-rules 3.5",
     "The Host of a request to the origin says which of its sites is meant",
     "the site's first name, or what `host_header` says; on fills, on relays and for every name of "
     "the site",
     "host_header") {
  for (const std::string expected : {"site.test", "inside.example:81"}) {
    Stand stand(expected == "site.test" ? "" : "host_header = \"" + expected + "\"");
    stand.origin.on("/a", fresh("x"));
    stand.get("/a");
    stand.ask("POST", "/a");
    stand.ask("HEAD", "/b", "Host: SITE.test\r\n");
    ASSERT_EQ(stand.origin.asked.size(), 3u);
    for (const Asked& asked : stand.origin.asked)
      EXPECT_EQ(asked["Host"], expected) << asked.method;
    EXPECT_EQ(stand.origin.asked[1]["X-Forwarded-Host"], "site.test");
  }
}

constexpr const char* kOpenSite = "[[site]]\ndefault = true\norigin = \"http://127.0.0.1:9\"\n";

RULE(RequestFlow, ASiteWithoutNamesIsAskedForByItsOriginsName, "RFC 9110 §7.2; http-rules 3.5",
     "The Host of a request to the origin says which of its sites is meant",
     "without `hosts` and `host_header` it is the origin's own host, with its port unless that is "
     "the default one; the key and X-Forwarded-Host have the client's",
     "hosts") {
  Stand stand(kOpenSite);
  stand.origin.on("/a", [](const Asked& asked) { return fresh(asked["X-Forwarded-Host"]); });
  EXPECT_EQ(stand.get("/a", "Host: One.test\r\n").body, "one.test");
  EXPECT_EQ(stand.get("/a", "Host: two.test:82\r\n").body, "two.test:82");
  EXPECT_EQ(stand.get("/a", "Host: one.test\r\n").cache(), "perigee; hit; ttl=60");
  stand.ask("POST", "/a", "Host: one.test\r\n");
  ASSERT_EQ(stand.origin.asked.size(), 3u);
  for (const Asked& asked : stand.origin.asked) EXPECT_EQ(asked["Host"], "127.0.0.1:9");
  EXPECT_EQ(stand.origin.asked[2]["X-Forwarded-Host"], "one.test");
}

RULE(
    RequestFlow, TheHostOfTheClientIsPassedOnWhereTheSiteSaysSo, "http-rules 3.5",
    "An origin may serve many sites and tell them apart by Host",
    "`host_header = \"client\"` passes on the validated Host, in canonical form; then each name is "
    "keyed for itself, also where the site lists several",
    "host_header") {
  for (const std::string& site :
       {std::string(kOpenSite),
        std::string("[[site]]\nhosts = [\"one.test\", \"two.test:82\"]\norigin = "
                    "\"http://127.0.0.1:9\"\n")}) {
    Stand stand(site + "host_header = \"client\"");
    stand.origin.on("/a", [](const Asked& asked) { return fresh("of " + asked["Host"]); });
    for (int round = 0; round < 2; ++round) {
      EXPECT_EQ(stand.get("/a", "Host: ONE.test.:80\r\n").body, "of one.test");
      EXPECT_EQ(stand.get("/a", "Host: two.test:82\r\n").body, "of two.test:82");
    }
    EXPECT_EQ(stand.origin.asked.size(), 2u) << "both are stored, each for itself";
  }
  Stand stand(std::string(kOpenSite) + "host_header = \"client\"");
  stand.origin.on("/a", [](const Asked& asked) { return fresh("of " + asked["Host"]); });
  EXPECT_EQ(Client(stand).write("GET /a HTTP/1.0\r\n\r\n").answer().body, "of 127.0.0.1:9")
      << "a request without Host";
}

RULE(RequestFlow, HeadIsServedFromTheStoredGet, "RFC 9111 §4; http-rules 2.10",
     "a stored response to GET answers HEAD", "the GET's fields, no body", "") {
  Stand stand;
  stand.origin.on("/a", fresh("hello"));
  stand.get("/a");
  const Answer head = stand.ask("HEAD", "/a");
  EXPECT_EQ(head.status, 200);
  EXPECT_EQ(head["Content-Length"], "5");
  EXPECT_EQ(head.cache(), "perigee; hit; ttl=60");
  EXPECT_EQ(stand.get("/a").body, "hello");
}

TEST(RequestFlow, AHeadThatMissesIsRelayedAsHeadAndStoresNothing) {
  Stand stand;
  stand.origin.on("/a", fresh("hello"));
  const Answer head = stand.ask("HEAD", "/a");
  EXPECT_EQ(head.status, 200);
  EXPECT_EQ(head["Content-Length"], "5");
  EXPECT_EQ(head.cache(), "perigee; fwd=uri-miss; fwd-status=200");
  EXPECT_EQ(stand.origin.asked[0].method, "HEAD");
  EXPECT_EQ(stand.get("/a").cache(), "perigee; fwd=uri-miss; fwd-status=200; stored");
}

RULE(RequestFlow, AMatchingConditionIsAnswered304FromTheStore, "RFC 9111 §4.3.2; http-rules 2.9",
     "a cache answers conditional requests from what is stored", "304 without a body", "") {
  Stand stand;
  stand.origin.on("/a", fresh("hello"));
  stand.get("/a");
  const Answer same = stand.get("/a", "If-None-Match: \"v0\", W/\"v1\"\r\n");
  EXPECT_EQ(same.status, 304);
  EXPECT_EQ(same.body, "");
  EXPECT_EQ(same["ETag"], "\"v1\"");
  EXPECT_EQ(same.count("Content-Length"), 0u);
  EXPECT_EQ(same.cache(), "perigee; hit; ttl=60");
  EXPECT_EQ(stand.get("/a", "If-None-Match: \"other\"\r\n").status, 200);
  EXPECT_EQ(stand.origin.asked.size(), 1u);
}

TEST(RequestFlow, AMatchingConditionIsAnswered304OnAMissToo) {
  Stand stand;
  stand.origin.on("/a", fresh("hello"));
  const Answer miss = stand.get("/a", "If-None-Match: \"v1\"\r\n");
  EXPECT_EQ(miss.status, 304);
  EXPECT_EQ(stand.origin.asked[0]["If-None-Match"], "") << "a fill is unconditional";
  EXPECT_EQ(stand.get("/a").cache(), "perigee; hit; ttl=60");
}

RULE(RequestFlow, ARangeIsCutFromTheStoredBody, "RFC 9110 §14.2; http-rules 2.11",
     "a range of a stored 200 is answered by 206", "206 with all stored fields", "") {
  Stand stand;
  stand.origin.on("/a", fresh("0123456789"));
  stand.get("/a");
  const Answer part = stand.get("/a", "Range: bytes=2-4\r\n");
  EXPECT_EQ(part.status, 206);
  EXPECT_EQ(part.body, "234");
  EXPECT_EQ(part["Content-Range"], "bytes 2-4/10");
  EXPECT_EQ(part["ETag"], "\"v1\"");
  EXPECT_EQ(part.cache(), "perigee; hit; ttl=60");
  const Answer beyond = stand.get("/a", "Range: bytes=10-\r\n");
  EXPECT_EQ(beyond.status, 416);
  EXPECT_EQ(beyond["Content-Range"], "bytes */10");
}

TEST(RequestFlow, ARangeOnAMissFillsTheWholeAndAnswersThePart) {
  Stand stand;
  stand.origin.on("/a", fresh("0123456789"));
  const Answer part = stand.get("/a", "Range: bytes=8-\r\n");
  EXPECT_EQ(part.status, 206);
  EXPECT_EQ(part.body, "89");
  EXPECT_EQ(stand.origin.asked[0]["Range"], "");
  EXPECT_EQ(stand.get("/a").body, "0123456789");
  EXPECT_EQ(stand.origin.asked.size(), 1u);
}

RULE(RequestFlow, AFailingIfMatchIsAnsweredFromTheCache, "RFC 9110 §13.1.1; http-rules 1.15",
     "If-Match that does not hold is answered 412",
     "a hit when it holds, else a 412 of ours: no condition pierces the cache", "") {
  Stand stand;
  stand.origin.on("/a", fresh("hello"));
  stand.get("/a");
  const std::string_view old = "If-Unmodified-Since: Thu, 01 Jan 1970 00:00:00 GMT\r\n";
  EXPECT_EQ(stand.get("/a", "If-Match: \"v1\"\r\n").cache(), "perigee; hit; ttl=60");
  for (const std::string_view failing : {std::string_view("If-Match: \"v2\"\r\n"), old}) {
    const Answer failed = stand.get("/a", failing);
    EXPECT_EQ(failed.status, 412);
    EXPECT_EQ(failed.cache(), "perigee; hit; ttl=60");
    EXPECT_EQ(failed["Cache-Control"], "no-store");
    EXPECT_EQ(failed["ETag"], "");
  }
  EXPECT_EQ(stand.origin.asked.size(), 1u);
  EXPECT_EQ(stand.get("/a").cache(), "perigee; hit; ttl=60") << "what is stored stays";
}

TEST(RequestFlow, AFailingIfMatchOnAMissIsJudgedAgainstWhatWasFetched) {
  Stand stand;
  stand.origin.on("/a", fresh("hello"));
  const Answer failed = stand.get("/a", "If-Match: \"v2\"\r\n");
  EXPECT_EQ(failed.status, 412);
  EXPECT_EQ(failed.cache(), "perigee; fwd=uri-miss; fwd-status=200; stored");
  EXPECT_EQ(stand.origin.asked[0]["If-Match"], "");
  EXPECT_EQ(stand.get("/a").cache(), "perigee; hit; ttl=60");
  EXPECT_EQ(stand.origin.asked.size(), 1u);
}

TEST(RequestFlow, AColdRecordIsVerifiedOnThePoolAndServed) {
  Stand stand;
  stand.origin.on("/a", fresh("hello"));
  stand.get("/a");
  stand.restart();
  EXPECT_EQ(stand.stored("/a").state, cache_store::Found::kCold);
  const Answer hit = stand.get("/a");
  EXPECT_EQ(hit.body, "hello");
  EXPECT_EQ(hit.cache(), "perigee; hit; ttl=60");
  EXPECT_EQ(stand.origin.asked.size(), 1u);
  EXPECT_EQ(stand.pins("/a"), 0u);
}

RULE(RequestFlow, VariantsAreKeptApart, "RFC 9111 §4.1; http-rules 2.7",
     "a stored response is selected by the fields that Vary names", "each variant of its own", "") {
  Stand stand;
  stand.origin.on(
      "/a", [](const Asked& asked) { return fresh(asked["X-Kind"] + "!").line("Vary", "X-Kind"); });
  EXPECT_EQ(stand.get("/a", "X-Kind: cat\r\n").cache(),
            "perigee; fwd=uri-miss; fwd-status=200; stored");
  EXPECT_EQ(stand.get("/a", "X-Kind: dog\r\n").cache(),
            "perigee; fwd=vary-miss; fwd-status=200; stored");
  EXPECT_EQ(stand.get("/a", "X-Kind: cat\r\n").body, "cat!");
  EXPECT_EQ(stand.get("/a", "X-Kind: dog\r\n").body, "dog!");
  EXPECT_EQ(stand.get("/a").cache(), "perigee; fwd=vary-miss; fwd-status=200; stored");
  EXPECT_EQ(stand.origin.asked.size(), 3u);
}

RULE(RequestFlow, WithVaryCookieOnlyTheVariantWithoutCookieIsStored,
     "RFC 9111 §4.1; http-rules 1.8", "Vary: Cookie makes each cookie a variant",
     "requests with a Cookie go alone, unstored", "") {
  Stand stand;
  stand.origin.on("/a", [](const Asked& asked) {
    return fresh("for " + asked["Cookie"]).line("Vary", "Cookie");
  });
  EXPECT_EQ(stand.get("/a").body, "for ");
  EXPECT_EQ(stand.get("/a").cache(), "perigee; hit; ttl=60");
  for (int i = 0; i < 2; ++i) {
    const Answer alone = stand.get("/a", "Cookie: me=1\r\n");
    EXPECT_EQ(alone.body, "for me=1");
    EXPECT_EQ(alone.cache(), "perigee; fwd=vary-miss; fwd-status=200");
  }
  EXPECT_EQ(stand.get("/a").cache(), "perigee; hit; ttl=60");
}

RULE(RequestFlow, ACookieAloneNeverBypassesAHit, "http-rules 1.8",
     "Cookie is no selector unless Vary names it", "a hit", "") {
  Stand stand;
  stand.origin.on("/a", fresh("x"));
  stand.get("/a");
  EXPECT_EQ(stand.get("/a", "Cookie: a=b\r\n").cache(), "perigee; hit; ttl=60");
}

RULE(RequestFlow, OnlyIfCachedIsAnswered504WithoutAskingTheOrigin, "RFC 9111 §5.2.1.7",
     "only-if-cached asks for a stored response or 504", "always honoured", "") {
  Stand stand;
  stand.origin.on("/a", fresh("x"));
  const Answer none = stand.get("/a", "Cache-Control: only-if-cached\r\n");
  EXPECT_EQ(none.status, 504);
  EXPECT_EQ(none.cache(), "perigee; fwd=uri-miss");
  EXPECT_EQ(none["Cache-Control"], "no-store");
  EXPECT_TRUE(stand.origin.asked.empty());
  stand.get("/a");
  EXPECT_EQ(stand.get("/a", "Cache-Control: only-if-cached\r\n").cache(), "perigee; hit; ttl=60");
}

TEST(RequestFlow, PipelinedHitsAreAnsweredInOrder) {
  Stand stand;
  stand.origin.on("/a", fresh("aaa"));
  stand.origin.on("/b", fresh("bb"));
  stand.get("/a");
  stand.get("/b");
  Client client(stand);
  for (int i = 0; i < 20; ++i) client.ask("GET", i % 2 == 0 ? "/a" : "/b");
  for (int i = 0; i < 20; ++i) EXPECT_EQ(client.answer().body, i % 2 == 0 ? "aaa" : "bb") << i;
}

TEST(RequestFlow, PipelinedMissesAreAnsweredInOrder) {
  Stand stand;
  stand.origin.on("/a", fresh("aaa"));
  stand.origin.on("/b", fresh("bb"));
  Client client(stand);
  client.ask("GET", "/a").ask("HEAD", "/b").ask("GET", "/b").ask("GET", "/a");
  EXPECT_EQ(client.answer().body, "aaa");
  EXPECT_EQ(client.answer()["Content-Length"], "2");
  EXPECT_EQ(client.answer().body, "bb");
  EXPECT_EQ(client.answer().cache(), "perigee; hit; ttl=60");
}

TEST(RequestFlow, WaitersOfOneFillAreCollapsed) {
  Stand stand;
  stand.origin.on("/a", fresh("hello"));
  stand.origin.hold();
  Client first(stand);
  Client second(stand);
  first.ask("GET", "/a");
  stand.run();
  second.ask("GET", "/a");
  stand.run();
  stand.origin.release();
  EXPECT_EQ(first.answer().cache(), "perigee; fwd=uri-miss; fwd-status=200; stored");
  const Answer collapsed = second.answer();
  EXPECT_EQ(collapsed.body, "hello");
  EXPECT_EQ(collapsed.cache(), "perigee; fwd=uri-miss; fwd-status=200; stored; collapsed");
  EXPECT_EQ(collapsed["Age"], "0");
  EXPECT_EQ(stand.origin.asked.size(), 1u);
}

TEST(RequestFlow, AFillReachesItsClientWhileItGrows) {
  Stand stand;
  const std::string body(50'000, 'x');
  stand.origin.on("/a", Reply(200).cache("max-age=60").body(body).stops_after(1000));
  Client client(stand);
  client.ask("GET", "/a");
  EXPECT_NE(client.arrived().find("\r\n\r\nxxx"), std::string::npos);
  stand.origin.send(body.substr(1000));
  EXPECT_EQ(client.arrived().size(), body.size() - 1000);
  const Answer hit = stand.get("/a");
  EXPECT_TRUE(hit.body == body);
  EXPECT_EQ(hit.cache(), "perigee; hit; ttl=60");
}

TEST(RequestFlow, ABodyShorterThanItsLengthIsCutAndNotStored) {
  Stand stand;
  stand.origin.on("/a", Reply(200).cache("max-age=60").body("0123456789").stops_after(4));
  Client client(stand);
  client.ask("GET", "/a");
  EXPECT_NE(client.arrived().find("0123"), std::string::npos);
  stand.origin.finish();
  stand.run();
  EXPECT_TRUE(client.saw_reset());
  EXPECT_EQ(stand.stored("/a").state, cache_store::Found::kMiss);
}

TEST(RequestFlow, AResponseThatIsCutAtTheEndOfADrainDoesNotLookWhole) {
  Stand stand;
  stand.origin.on("/a", Reply(200).cache("max-age=60").chunked("0123456789").stops_after(4));
  Client client(stand);
  // Without a length for this version of HTTP the end of the connection is the end of the content.
  client.write("GET /a HTTP/1.0\r\nHost: site.test\r\n\r\n");
  EXPECT_NE(client.arrived().find("0123"), std::string::npos);
  stand.worker->drain(stand.env.now() + 1'000);
  stand.pass_ms(2'000);
  EXPECT_TRUE(client.saw_reset());
}

TEST(RequestFlow, InterimResponsesReachTheClientAndNeverTheStore) {
  Stand stand;
  stand.origin.on("/a", fresh("x").after_interim("103 Early Hints\r\nLink: </s.css>\r\n"));
  Client client(stand);
  client.ask("GET", "/a");
  const Answer hint = client.answer();
  EXPECT_EQ(hint.status, 103);
  EXPECT_EQ(hint["Link"], "</s.css>");
  EXPECT_EQ(client.answer().status, 200);
  EXPECT_EQ(client.ask("GET", "/a").answer().count("Link"), 0u);
}

TEST(RequestFlow, ABypassedPathIsRelayedAlone) {
  Stand stand("[[site.rule]]\nprefix = \"/private/\"\nbypass = true\n");
  stand.origin.on("/private/a", fresh("x"));
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(stand.get("/private/a").cache(), "perigee; fwd=bypass; fwd-status=200");
  }
}

TEST(RequestFlow, WhatIsLargerThanARecordStreamsUnstored) {
  Stand stand;
  const std::string body(3'000'000, 'x');
  stand.origin.on("/a", fresh(body));
  for (int i = 0; i < 2; ++i) {
    Client client(stand);
    client.ask("GET", "/a");
    std::string got;
    for (std::string more = client.arrived(); !more.empty(); more = client.arrived()) got += more;
    EXPECT_NE(got.find("perigee; fwd=uri-miss; fwd-status=200\r\n"), std::string::npos);
    EXPECT_TRUE(got.ends_with(body));
  }
}

TEST(RequestFlow, AllNamesOfASiteShareWhatIsStored) {
  Stand stand("[[site]]\nhosts = [\"one.test\", \"two.test\"]\norigin = \"http://127.0.0.1:9\"");
  stand.origin.on("/a", fresh("x"));
  stand.get("/a", "Host: two.test\r\n");
  EXPECT_EQ(stand.origin.asked.back()["Host"], "one.test");
  for (const std::string_view host : {"one.test", "two.test", "TWO.test:80", "one.test."}) {
    EXPECT_EQ(stand.get("/a", "Host: " + std::string(host) + "\r\n").cache(),
              "perigee; hit; ttl=60")
        << host;
  }
  EXPECT_EQ(stand.origin.asked.size(), 1u);
}

RULE(RequestFlow, HostsOfAWildcardShareNothing, "http-rules 3.5, 3.19",
     "A site may be for all hosts below a name",
     "each of them is keyed for itself, and its own name is the Host for the origin, unless "
     "`host_header` says another one; so is every other name of that site",
     "hosts") {
  const std::string site =
      "[[site]]\nhosts = [\"*.shop.test\", \"shop.test\"]\norigin = \"http://127.0.0.1:9\"\n";
  for (const bool fixed : {false, true}) {
    Stand stand(site + (fixed ? "host_header = \"app.test\"" : ""));
    stand.origin.on("/a", [](const Asked& asked) {
      return fresh(asked["Host"] + " for " + asked["X-Forwarded-Host"]);
    });
    for (int round = 0; round < 2; ++round) {
      for (const std::string host : {"a.shop.test", "b.shop.test", "x.a.shop.test", "shop.test"}) {
        EXPECT_EQ(stand.get("/a", "Host: " + host + "\r\n").body,
                  (fixed ? "app.test" : host) + " for " + host);
      }
    }
    EXPECT_EQ(stand.origin.asked.size(), 4u) << "each is stored, for itself";
    EXPECT_EQ(stand.get("/a", "Host: A.shop.test.:80\r\n").cache(), "perigee; hit; ttl=60");
    EXPECT_EQ(stand.get("/a", "Host: shop.test.evil\r\n").status, 421);
  }
}

TEST(RequestFlow, WithoutAHostItIsTheDefaultSitesWhoeverAskedBefore) {
  Stand stand("[[site]]\ndefault = true\norigin = \"http://127.0.0.1:9\"");
  stand.origin.on("/a",
                  [](const Asked& asked) { return fresh("of " + asked["X-Forwarded-Host"]); });
  EXPECT_EQ(stand.get("/a").body, "of site.test");
  EXPECT_EQ(Client(stand).write("GET /a HTTP/1.0\r\n\r\n").answer().body, "of 127.0.0.1:9")
      << "a site without a name is asked for by its origin's";
  EXPECT_EQ(stand.get("/a", "Host: other.test\r\n").body, "of other.test");
  EXPECT_EQ(Client(stand).write("GET /a HTTP/1.0\r\n\r\n").answer().cache(),
            "perigee; hit; ttl=60");
}

}  // namespace
}  // namespace perigee::test

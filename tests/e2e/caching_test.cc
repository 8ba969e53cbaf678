// Caching as a client sees it over a socket: what is stored, reused, checked and left alone.
#include "tests/e2e/harness/site.h"

namespace perigee::e2e {
namespace {

using tools::FakeReply;
using tools::FakeRequest;
using tools::Wire;

using Caching = SiteTest;

const std::string kOld = "Age: 100";  ///< makes a response with less lifetime stale at once

TEST_F(Caching, AFirstRequestIsAMissAndALaterOneAHit) {
  origin.reply("/a", {.fields = {max_age(60)}, .body = "one"});
  get("/a").expect(200).expect_body("one").expect_cache("fwd=uri-miss; fwd-status=200; stored");
  hit("/a").expect(200).expect_body("one").expect_field("Age", "0");
  EXPECT_EQ(origin.count("/a"), 1u);
}

TEST_F(Caching, AHitHasTheFieldsAsTheOriginSentThem) {
  origin.reply("/a", {.fields = {max_age(60), "X-Odd_name: a,  b", "Link: </b>", "Link: </c>",
                                 "Server: old", "X-Empty:"},
                      .body = "one",
                      .etag = "W/\"tag\""});
  const Response miss = get("/a");
  for (Response answer : {miss, hit("/a")}) {
    answer.expect(200).expect_field("X-Odd_name", "a,  b").expect_field("Server", "old");
    answer.expect_field("X-Empty", "").expect_field("ETag", "W/\"tag\"");
    answer.expect_field("Date", miss.field("Date"));
    EXPECT_EQ(answer.count("Link"), 2u);
  }
}

TEST_F(Caching, AnswersOfOneConnectionComeInOrder) {
  origin.reply("/a", {.fields = {max_age(60)}, .body = "of a"});
  origin.reply("/b", {.fields = {max_age(60)}, .body = "of b"});
  hit("/a");
  Client client(node.port());
  client.send(client.bytes("GET", "/b") + client.bytes("GET", "/a") + client.bytes("HEAD", "/a") +
              client.bytes("GET", "/b"));
  client.read().expect(200).expect_body("of b");
  client.read().expect(200).expect_body("of a").expect_cache("hit");
  client.read(true).expect(200).expect_body("");
  client.read().expect(200).expect_body("of b");
}

TEST_F(Caching, AMatchingConditionIsAnsweredWith304) {
  origin.reply("/a", {.fields = {max_age(60), "Last-Modified: Tue, 15 Nov 1994 08:12:31 GMT"},
                      .body = "one",
                      .etag = "\"1\""});
  hit("/a");
  get("/a", {"If-None-Match: \"0\", W/\"1\""})
      .expect(304)
      .expect_cache("hit")
      .expect_field("ETag", "\"1\"");
  get("/a", {"If-Modified-Since: Wed, 16 Nov 1994 00:00:00 GMT"}).expect(304);
  get("/a", {"If-None-Match: \"2\"", "If-Modified-Since: Wed, 16 Nov 1994 00:00:00 GMT"})
      .expect(200)
      .expect_body("one");
  EXPECT_EQ(origin.count("/a"), 1u);
}

TEST_F(Caching, A304OfTheOriginFreshensTheStoredResponse) {
  origin.replies("/a", {{.fields = {max_age(50), kOld, "X-Version: 1", "X-Kept: yes"},
                         .body = "one",
                         .etag = "\"1\""},
                        {.fields = {max_age(60), "X-Version: 2"}, .etag = "\"1\""}});
  get("/a").expect(200).expect_cache("fwd=uri-miss; stored").expect_field("X-Version", "1");
  wait_until_stale("/a");
  get("/a").expect(200).expect_body("one").expect_field("X-Version", "2").expect_cache("fwd=stale");
  EXPECT_EQ(origin.last("/a")->field("If-None-Match"), "\"1\"");
  hit("/a").expect_body("one").expect_field("X-Version", "2").expect_field("X-Kept", "yes");
  EXPECT_EQ(origin.count("/a"), 2u);
}

TEST_F(Caching, ANewResponseReplacesAStaleOne) {
  origin.replies("/a", {{.fields = {max_age(50), kOld}, .body = "one", .etag = "\"1\""},
                        {.fields = {max_age(60)}, .body = "another", .etag = "\"2\""}});
  get("/a").expect(200).expect_body("one");
  wait_until_stale("/a");
  get("/a").expect(200).expect_body("another").expect_cache("fwd=stale; stored");
  hit("/a").expect_body("another").expect_field("ETag", "\"2\"");
  EXPECT_EQ(origin.count("/a"), 2u);
}

TEST_F(Caching, HeadIsAnsweredFromTheStoredGetAndNeverStored) {
  origin.reply("/a", {.fields = {max_age(60)}, .body = "one"});
  request("HEAD", "/a")
      .expect(200)
      .expect_cache("fwd=uri-miss")
      .expect_field("Content-Length", "3");
  request("HEAD", "/a").expect(200).expect_cache("fwd=uri-miss");
  EXPECT_EQ(origin.count("/a"), 2u);
  hit("/a");
  request("HEAD", "/a").expect(200).expect_cache("hit").expect_field("Content-Length", "3");
  EXPECT_EQ(origin.count("/a"), 3u);
}

TEST_F(Caching, VaryKeepsOneResponseForEachValueOfTheField) {
  origin.set("/a", [](FakeRequest& request, Wire& wire) {
    const std::string language = request.field("Accept-Language").value_or("none");
    send_reply({.fields = {max_age(60), "Vary: Accept-Language"}, .body = language}, request, wire);
  });
  hit("/a", {"Accept-Language: fr"}).expect_body("fr");
  get("/a", {"Accept-Language: de"}).expect(200).expect_body("de").expect_cache("fwd=vary-miss");
  hit("/a", {"Accept-Language: de"}).expect_body("de");
  hit("/a", {"Accept-Language: fr"}).expect_body("fr");
  hit("/a").expect_body("none");
  EXPECT_EQ(origin.count("/a"), 3u);
}

TEST_F(Caching, AResponseWithSetCookieIsForItsClientAlone) {
  origin.reply("/a",
               {.fields = {max_age(60), "Set-Cookie: id=1", "Set-Cookie: b=2"}, .body = "one"});
  for (size_t round = 1; round <= 3; ++round) {
    const Response answer = get("/a").expect(200).expect_body("one");
    EXPECT_EQ(answer.count("Set-Cookie"), 2u);
    EXPECT_EQ(origin.count("/a"), round);
  }
}

TEST_F(Caching, AResponseToAuthorizationIsStoredOnlyWhenItSaysSo) {
  origin.reply("/closed", {.fields = {max_age(60)}, .body = "one"});
  origin.reply("/open", {.fields = {"Cache-Control: public, max-age=60"}, .body = "two"});
  const Lines who = {"Authorization: Basic YTpi"};
  get("/closed", who).expect(200);
  get("/closed", who).expect(200).expect_cache("fwd=uri-miss");
  EXPECT_EQ(origin.count("/closed"), 2u);
  EXPECT_EQ(origin.last("/closed")->field("Authorization"), "Basic YTpi");
  get("/open", who).expect(200).expect_cache("fwd=uri-miss; stored");
  hit("/open").expect_body("two");
  EXPECT_EQ(origin.count("/open"), 1u);
}

TEST_F(Caching, ASuccessfulUnsafeRequestInvalidatesItsTarget) {
  for (const std::string method : {"POST", "PUT", "DELETE", "PATCH"}) {
    const std::string path = "/" + method;
    origin.reply(path, {.fields = {max_age(60)}, .body = "one"});
    hit(path);
    request(method, path, {}, "new").expect(200).expect_cache("fwd=method");
    EXPECT_EQ(origin.last(path)->body, "new");
    origin.reply(path, {.fields = {max_age(60)}, .body = "two"});
    get(path).expect(200).expect_body("two").expect_cache("fwd=uri-miss");
  }
}

TEST_F(Caching, AnUnsafeRequestInvalidatesWhatItsAnswerPointsAt) {
  origin.reply("/list", {.fields = {max_age(60)}, .body = "one"});
  origin.reply("/form", {.status = 303, .fields = {"Location: /list"}});
  hit("/list");
  request("POST", "/form", {}, "x").expect(303);
  get("/list").expect_cache("fwd=uri-miss");
}

TEST_F(Caching, AFailedUnsafeRequestInvalidatesNothing) {
  origin.reply("/a", {.fields = {max_age(60)}, .body = "one"});
  hit("/a");
  origin.reply("/a", {.status = 403, .body = "no"});
  request("DELETE", "/a").expect(403).expect_body("no");
  get("/a").expect(200).expect_cache("hit");
}

TEST_F(Caching, EveryAnswerSaysWhatTheCacheDid) {
  origin.reply("/a", {.fields = {max_age(60)}, .body = "one"});
  origin.reply("/e", {.status = 500, .body = "broken"});
  get("/a").expect_cache("fwd=uri-miss");
  hit("/a").expect_cache("hit");
  get("/e").expect(500).expect_cache("fwd=uri-miss; fwd-status=500");
  request("POST", "/e", {}, "x").expect(500).expect_cache("fwd=method");
  request("OPTIONS", "*").expect(204).expect_cache("fwd=bypass");
  request("PURGE", "/a").expect(200).expect_cache("fwd=bypass");
}

TEST_F(Caching, TheOriginsCacheStatusStandsBeforeOurs) {
  origin.reply("/a", {.fields = {max_age(60), "Cache-Status: inner; hit"}, .body = "one"});
  get("/a").expect_cache("fwd=uri-miss");
  const Response answer = hit("/a");
  ASSERT_EQ(answer.count("Cache-Status"), 2u);
  EXPECT_EQ(answer.fields[1].second, "inner; hit");
}

TEST_F(Caching, InterimResponsesComeBeforeTheFinalOne) {
  origin.reply("/a", {.fields = {max_age(60)}, .body = "one", .early_hints = true});
  const Response answer = get("/a").expect(200).expect_body("one");
  ASSERT_EQ(answer.interim.size(), 1u);
  EXPECT_EQ(answer.interim[0].status, 103);
  EXPECT_FALSE(answer.interim[0].fields.empty());
  EXPECT_TRUE(hit("/a").interim.empty());
}

TEST_F(Caching, OnlyIfCachedNeverReachesTheOrigin) {
  origin.reply("/a", {.fields = {max_age(60)}, .body = "one"});
  const Lines only = {"Cache-Control: only-if-cached"};
  get("/a", only).expect(504);
  EXPECT_EQ(origin.count("/a"), 0u);
  hit("/a");
  get("/a", only).expect(200).expect_body("one").expect_cache("hit");
}

TEST_F(Caching, AnUnreachableOriginIsCoveredByStaleCopies) {
  origin.replies("/a", {{.fields = {max_age(50), kOld}, .body = "one"}});
  origin.reply("/strict",
               {.fields = {"Cache-Control: max-age=50, must-revalidate", "ETag: \"1\"", kOld},
                .body = "two"});
  get("/a").expect(200).expect_cache("stored");
  get("/strict").expect(200).expect_cache("stored");
  wait_until_stale("/a");
  wait_until_stale("/strict");
  origin.refuse();
  origin.drop_connections(false);
  get("/a").expect(200).expect_body("one").expect_cache("fwd=stale; detail=stale-if-error");
  get("/strict").expect(504);
  get("/never-seen").expect(502);
}

TEST_F(Caching, StaleWhileRevalidateAnswersAtOnceAndRefreshesBehind) {
  origin.replies("/a", {{.fields = {"Cache-Control: max-age=50, stale-while-revalidate=600", kOld},
                         .body = "one"},
                        {.fields = {max_age(60)}, .body = "two"}});
  get("/a").expect(200).expect_body("one").expect_cache("stored");
  // Refreshes are held at the origin, so the answers cannot be its.
  origin.hold("/a");
  ASSERT_TRUE(eventually([&] { return get("/a", {"Cache-Control: only-if-cached"}).is_hit(); }));
  for (int round = 0; round < 3; ++round) {
    get("/a").expect(200).expect_body("one").expect_cache("hit; detail=stale-while-revalidate");
  }
  ASSERT_TRUE(eventually([&] { return get("/a").is_hit() && origin.count("/a") == 2; }));
  origin.release("/a");
  ASSERT_TRUE(eventually([&] { return get("/a").body == "two"; }));
  EXPECT_EQ(origin.count("/a"), 2u);
}

TEST_F(Caching, AnErrorUnderStaleIfErrorIsReplacedByTheStaleCopy) {
  origin.replies(
      "/a", {{.fields = {"Cache-Control: max-age=50, stale-if-error=600", kOld}, .body = "one"},
             {.status = 503, .body = "broken"}});
  get("/a").expect(200).expect_cache("stored");
  wait_until_stale("/a");
  get("/a").expect(200).expect_body("one").expect_cache(
      "fwd=stale; fwd-status=503; detail=stale-if-error");
  EXPECT_EQ(origin.count("/a"), 2u);
}

TEST_F(Caching, ADirectoryIsAnOriginToo) {
  TempFolder folder;
  folder.write("index.html", "<p>start</p>");
  folder.write("a/b.css", "p {}");
  Node local({.origin = "dir:" + folder.path()});
  Client client(local.port());
  client.get("/")
      .expect(200)
      .expect_body("<p>start</p>")
      .expect_field("Content-Type", "text/html; charset=utf-8");
  client.get("/a/b.css").expect(200).expect_field("Content-Type", "text/css; charset=utf-8");
  client.get("/a/c.css").expect(404);
  client.get("/../etc/passwd").expect(404);
  client.get("/a/../a/./b.css").expect(200);
  client.get("/%2e%2e/etc/passwd").expect(400);
}

}  // namespace
}  // namespace perigee::e2e

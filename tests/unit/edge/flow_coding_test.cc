// Coded answers: made behind the first answer, sent to who takes them, and right in every field.
#include <gtest/gtest.h>

#include <string>

#include "tests/support/edge/coded_flow.h"
#include "tests/support/rule.h"

namespace perigee::test {
namespace {

GUARDS("edge::look_up, http::make_response, http::make_head_image, origin::Coders");

TEST_F(FlowCoding, TheFirstAnswerIsPlainAndTheNextOnesAreCoded) {
  const std::string body = text_of(20'000);
  stand.origin.on("/a", page(body));
  const Answer first = stand.get("/a", kBrowser);
  EXPECT_EQ(first["Content-Encoding"], "");
  EXPECT_TRUE(first.body == body);
  stand.settle();
  const Answer hit = stand.get("/a", kBrowser);
  EXPECT_EQ(hit.cache(), "perigee; hit; ttl=60");
  EXPECT_EQ(hit["Content-Encoding"], "zstd");
  EXPECT_EQ(hit["Content-Length"], std::to_string(hit.body.size()));
  EXPECT_LT(hit.body.size(), body.size() / 2);
  EXPECT_TRUE(decoded(hit) == body);
  EXPECT_EQ(stand.origin.asked_for("/a"), 1u);
}

TEST_F(FlowCoding, EachClientGetsACodingThatItTakes) {
  const std::string body = text_of(20'000);
  stand.origin.on("/a", page(body));
  for (const std::string_view coding : {"gzip", "br", "zstd"}) {
    warm("/a", accept(coding));
    const Answer hit = warm("/a", accept(coding));
    EXPECT_EQ(hit["Content-Encoding"], coding);
    EXPECT_TRUE(decoded(hit) == body);
  }
  const Answer plain = stand.get("/a");
  EXPECT_EQ(plain["Content-Encoding"], "");
  EXPECT_TRUE(plain.body == body);
  EXPECT_EQ(stand.origin.asked_for("/a"), 1u);
}

RULE_F(FlowCoding, SetsSelectAndSpellingsDoNot, "RFC 9110 §12.5.3",
       "The field indicates which codings are acceptable",
       "whatever it says, the origin is asked once and no coding is made twice", "") {
  stand.origin.on("/a", page());
  for (const std::string_view said : {"gzip", "GZIP", "gzip;q=1.000", "gzip, deflate",
                                      "x-gzip, junk;q=9, , compress", "gzip;q=0.2, identity;q=0"}) {
    const Answer answer = warm("/a", accept(said));
    EXPECT_EQ(answer["Content-Encoding"], "gzip") << said;
  }
  EXPECT_EQ(stand.origin.asked_for("/a"), 1u);
  EXPECT_EQ(objects(), 2u) << "the object and gzip";
}

RULE_F(FlowCoding, RefusedCodingsAreNotSent, "RFC 9110 §12.5.3",
       "A weight of 0 means not acceptable",
       "the identity is sent, also where it is refused as well: better that than nothing", "") {
  const std::string body = text_of(20'000);
  stand.origin.on("/a", page(body));
  warm("/a");
  for (const std::string_view said : {"", "identity", "zstd;q=0, br;q=0, gzip;q=0", "*;q=0",
                                      "identity;q=0, *;q=0", "deflate", "identity, zstd;q=0.9"}) {
    const Answer answer = warm("/a", accept(said));
    EXPECT_EQ(answer["Content-Encoding"], "") << said;
    EXPECT_TRUE(answer.body == body) << said;
  }
}

RULE_F(FlowCoding, AmongEqualsTheShortestWins, "RFC 9110 §12.5.3",
       "A server may choose among codings of one weight", "the shortest that is there", "") {
  stand.origin.on("/a", page());
  size_t shortest = SIZE_MAX;
  for (const std::string_view coding : {"gzip", "br", "zstd"}) {
    warm("/a", accept(coding));
    // Until the best one of each is there.
    for (int i = 0; i < 3; ++i) warm("/a", accept(coding));
    shortest = std::min(shortest, warm("/a", accept(coding)).body.size());
  }
  EXPECT_EQ(warm("/a").body.size(), shortest);
}

RULE_F(FlowCoding, WeightsGoFirst, "RFC 9110 §12.4.2; http-rules 3.23", "1 is most preferred",
       "the coding of the highest weight that is there, else one of a lower weight", "") {
  stand.origin.on("/a", page());
  warm("/a", accept("zstd"));
  EXPECT_EQ(stand.get("/a", accept("br, zstd;q=0.5"))["Content-Encoding"], "zstd");
  stand.settle();
  EXPECT_EQ(stand.get("/a", accept("br, zstd;q=0.5"))["Content-Encoding"], "br");
}

RULE_F(FlowCoding, BytesOfOursHaveAWeakTag, "RFC 9110 §8.8.3.3, §8.8.1",
       "Representations in different codings are not one strong tag's",
       "what we coded carries the weak form of the origin's tag, the identity the tag itself", "") {
  stand.origin.on("/a", page());
  const Answer coded = warm("/a");
  EXPECT_EQ(coded["ETag"], "W/\"v1\"");
  EXPECT_EQ(stand.get("/a")["ETag"], "\"v1\"");
}

RULE_F(FlowCoding, ConditionsHoldInEveryCoding, "RFC 9110 §13.1.2, §15.4.5",
       "If-None-Match is compared weakly; a 304 has the fields that a 200 would have",
       "either form of the tag gives 304 in any coding, with that coding's tag and Vary", "") {
  stand.origin.on("/a", page());
  warm("/a");
  for (const std::string_view tag : {"\"v1\"", "W/\"v1\""}) {
    const std::string condition = "If-None-Match: " + std::string(tag) + "\r\n";
    const Answer coded = stand.get("/a", std::string(kBrowser) + condition);
    EXPECT_EQ(coded.status, 304);
    EXPECT_EQ(coded["ETag"], "W/\"v1\"");
    EXPECT_EQ(coded["Vary"], "Accept-Encoding");
    EXPECT_EQ(coded["Content-Encoding"], "");
    const Answer plain = stand.get("/a", condition);
    EXPECT_EQ(plain.status, 304);
    EXPECT_EQ(plain["ETag"], "\"v1\"");
    EXPECT_EQ(plain["Vary"], "Accept-Encoding");
  }
  EXPECT_EQ(stand.origin.asked_for("/a"), 1u);
}

RULE_F(FlowCoding, VaryNamesAcceptEncoding, "RFC 9110 §12.5.5; http-rules 1.1, 3.23",
       "Vary SHOULD be sent where the answer was subject to negotiation",
       "on what could have been coded, on the miss, the hit and the HEAD alike; not on what could "
       "not; and not twice",
       "") {
  stand.origin.on("/a", page());
  stand.origin.on("/short", page("short"));
  stand.origin.on(
      "/image",
      Reply(200).cache("max-age=60").line("Content-Type", "image/png").body(text_of(5'000)));
  stand.origin.on("/named", page().line("Vary", "accept-encoding"));
  stand.origin.on("/other", page().line("Vary", "Origin"));
  for (int i = 0; i < 2; ++i) {
    SCOPED_TRACE(i);
    EXPECT_EQ(stand.get("/a")["Vary"], "Accept-Encoding");
    EXPECT_EQ(stand.get("/short")["Vary"], "");
    EXPECT_EQ(stand.get("/image")["Vary"], "");
    EXPECT_EQ(stand.get("/named")["Vary"], "accept-encoding");
    const Answer other = stand.get("/other");
    EXPECT_EQ(other.count("Vary"), 2u);
    stand.settle();
  }
  EXPECT_EQ(stand.ask("HEAD", "/a")["Vary"], "Accept-Encoding");
}

RULE_F(FlowCoding, HeadAndGetAgree, "RFC 9110 §9.3.2", "HEAD has the fields that GET would have",
       "the coding, its length and its tag", "") {
  stand.origin.on("/a", page());
  const Answer get = warm("/a");
  const Answer head = stand.ask("HEAD", "/a", kBrowser);
  for (const std::string_view name : {"Content-Encoding", "Content-Length", "ETag", "Vary"}) {
    EXPECT_EQ(head[name], get[name]) << name;
  }
}

RULE_F(FlowCoding, RangesAreOfTheIdentity, "RFC 9110 §14.2, §13.1.5; http-rules 3.23",
       "A range is one of the selected representation; If-Range needs a strong tag",
       "a request with Range gets the identity; the weak tag of a coding gets the whole", "") {
  const std::string body = text_of(20'000);
  stand.origin.on("/a", page(body));
  const Answer coded = warm("/a");
  EXPECT_EQ(coded["Accept-Ranges"], "");
  const Answer part = stand.get("/a", std::string(kBrowser) + "Range: bytes=100-199\r\n");
  EXPECT_EQ(part.status, 206);
  EXPECT_EQ(part["Content-Encoding"], "");
  EXPECT_EQ(part["ETag"], "\"v1\"");
  EXPECT_TRUE(part.body == body.substr(100, 100));
  const Answer whole =
      stand.get("/a", std::string(kBrowser) + "Range: bytes=100-199\r\nIf-Range: W/\"v1\"\r\n");
  EXPECT_EQ(whole.status, 200);
  EXPECT_TRUE(decoded(whole) == body);
}

TEST_F(FlowCoding, A304FreshensEveryCoding) {
  const std::string body = text_of(20'000);
  stand.origin.on("/a", page(body));
  warm("/a");
  stand.pass_ms(61'000);
  stand.origin.on("/a", Reply(304).cache("max-age=60").etag("\"v1\"").line("X-New", "yes"));
  const Answer revalidated = stand.get("/a", kBrowser);
  EXPECT_TRUE(decoded(revalidated) == body);
  stand.settle();
  const Answer hit = stand.get("/a", kBrowser);
  EXPECT_EQ(hit.cache(), "perigee; hit; ttl=60");
  EXPECT_EQ(hit["Content-Encoding"], "zstd");
  EXPECT_EQ(hit["X-New"], "yes");
  EXPECT_EQ(hit["Vary"], "Accept-Encoding");
  EXPECT_TRUE(decoded(hit) == body);
}

TEST_F(FlowCoding, AConditionToTheOriginHasItsOwnTag) {
  stand.origin.on("/a", page());
  warm("/a");
  stand.pass_ms(61'000);
  stand.get("/a", std::string(kBrowser) + "If-None-Match: W/\"v1\"\r\n");
  EXPECT_EQ(stand.origin.asked.back()["If-None-Match"], "\"v1\"");
  EXPECT_EQ(stand.origin.asked.back()["Accept-Encoding"], "identity");
}

TEST_F(FlowCoding, ANewResponseReplacesAllCodingsAtOnce) {
  stand.origin.on("/a", page(text_of(20'000, 'a')));
  for (const std::string_view coding : {"gzip", "br", "zstd"}) warm("/a", accept(coding));
  stand.pass_ms(61'000);
  const std::string newer = text_of(20'000, 'b');
  stand.origin.on("/a", page(newer, "max-age=60", "\"v2\""));
  for (const std::string_view coding : {"", "gzip", "br", "zstd"}) {
    const Answer answer = stand.get("/a", accept(coding));
    EXPECT_TRUE(decoded(answer) == newer) << coding;
  }
}

TEST_F(FlowCoding, APurgeTakesAllCodings) {
  stand.restart("purge_from = [\"203.0.113.0/24\"]");
  stand.origin.on("/a", page(text_of(20'000, 'a')));
  warm("/a");
  ASSERT_EQ(stand.ask("PURGE", "/a").status, 200);
  EXPECT_EQ(objects(), 0u);
  const std::string newer = text_of(20'000, 'b');
  stand.origin.on("/a", page(newer));
  EXPECT_TRUE(decoded(stand.get("/a", kBrowser)) == newer);
}

TEST_F(FlowCoding, CodingsAreThereAfterARestart) {
  const std::string body = text_of(20'000);
  stand.origin.on("/a", page(body));
  warm("/a");
  stand.restart();
  const Answer hit = stand.get("/a", kBrowser);
  EXPECT_EQ(hit["Content-Encoding"], "zstd");
  EXPECT_TRUE(decoded(hit) == body);
  EXPECT_EQ(stand.origin.asked_for("/a"), 1u);
}

TEST_F(FlowCoding, WhatAnEarlierRunStoredIsCodedToo) {
  const std::string body = text_of(20'000);
  stand.origin.on("/a", page(body));
  stand.get("/a");
  stand.settle();
  stand.restart();
  EXPECT_TRUE(decoded(warm("/a", accept("gzip"))) == body);
  const Answer hit = stand.get("/a", accept("gzip"));
  EXPECT_EQ(hit["Content-Encoding"], "gzip");
  EXPECT_TRUE(decoded(hit) == body);
  EXPECT_EQ(stand.origin.asked_for("/a"), 1u);
  EXPECT_EQ(stand.store().stats().puts_refused, 0u);
}

TEST_F(FlowCoding, WhatShrinksTooLittleIsNotKept) {
  std::string noise;
  uint64_t seed = 1;
  while (noise.size() < 20'000) {
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    noise += static_cast<char>(seed >> 56);
  }
  stand.origin.on("/a", page(noise));
  for (int i = 0; i < 4; ++i) EXPECT_EQ(warm("/a")["Content-Encoding"], "");
  EXPECT_EQ(objects(), 1u);
}

TEST_F(FlowCoding, WhatTheOriginForbidsIsNotCoded) {
  stand.origin.on("/a", page(text_of(20'000), "max-age=60, no-transform"));
  const Answer hit = warm("/a");
  EXPECT_EQ(hit["Content-Encoding"], "");
  EXPECT_EQ(hit["ETag"], "\"v1\"");
  EXPECT_EQ(hit["Vary"], "");
}

TEST_F(FlowCoding, A304MayForbidIt) {
  const std::string body = text_of(20'000);
  stand.origin.on("/a", page(body));
  ASSERT_EQ(warm("/a")["Content-Encoding"], "zstd");
  stand.pass_ms(61'000);
  stand.origin.on("/a", Reply(304).cache("max-age=60, no-transform").etag("\"v1\""));
  warm("/a");
  const Answer hit = stand.get("/a", kBrowser);
  EXPECT_EQ(hit["Content-Encoding"], "");
  EXPECT_TRUE(hit.body == body);
}

TEST_F(FlowCoding, A304DoesNotBeginIt) {
  stand.origin.on("/a", page(text_of(20'000), "max-age=60, no-transform"));
  warm("/a");
  stand.pass_ms(61'000);
  stand.origin.on("/a", Reply(304).cache("max-age=60").etag("\"v1\""));
  warm("/a");
  const Answer hit = warm("/a");
  EXPECT_EQ(hit["Content-Encoding"], "") << "others may have it without a Vary";
}

TEST_F(FlowCoding, VariantsAreCodedEach) {
  stand.origin.on("/a", page(text_of(20'000, 'a')).line("Vary", "X-Kind"));
  const std::string kind = std::string(kBrowser) + "X-Kind: a\r\n";
  const std::string other = std::string(kBrowser) + "X-Kind: b\r\n";
  warm("/a", kind);
  stand.origin.on("/a", page(text_of(20'000, 'b')).line("Vary", "X-Kind"));
  warm("/a", other);
  const Answer a = stand.get("/a", kind);
  const Answer b = stand.get("/a", other);
  EXPECT_EQ(a["Content-Encoding"], "zstd");
  EXPECT_TRUE(decoded(a) == text_of(20'000, 'a'));
  EXPECT_EQ(b["Content-Encoding"], "zstd");
  EXPECT_TRUE(decoded(b) == text_of(20'000, 'b'));
}

TEST_F(FlowCoding, ASiteSaysWhatIsSent) {
  stand.restart("codings = [\"gzip\"]\ncoded_types = [\"application/json\"]");
  stand.origin.on("/a", page());
  EXPECT_EQ(warm("/a")["Content-Encoding"], "");
  stand.origin.on(
      "/j",
      Reply(200).cache("max-age=60").line("Content-Type", "application/json").body(text_of(5'000)));
  EXPECT_EQ(warm("/j")["Content-Encoding"], "gzip");
  stand.restart("codings = []");
  EXPECT_EQ(warm("/j")["Content-Encoding"], "") << "what is there is not sent either";
}

TEST_F(FlowCoding, StaleAnswersAreCodedToo) {
  const std::string body = text_of(20'000);
  stand.origin.on("/a", page(body, "max-age=60, stale-while-revalidate=600"));
  warm("/a");
  stand.pass_ms(61'000);
  const Answer stale = stand.get("/a", kBrowser);
  EXPECT_EQ(stale["Content-Encoding"], "zstd");
  EXPECT_TRUE(decoded(stale) == body);
}

TEST_F(FlowCoding, WhatIsRevalidatedEachTimeIsCodedToo) {
  const std::string body = text_of(20'000);
  stand.origin.on("/a", [&](const Asked& asked) {
    if (asked["If-None-Match"] == "\"v1\"") {
      return Reply(304).cache("no-cache").etag("\"v1\"").line("X-Asked", "again");
    }
    return page(body, "no-cache");
  });
  const Answer answer = warm("/a");
  EXPECT_EQ(answer.cache(), "perigee; fwd=stale; fwd-status=304; stored; detail=revalidated");
  EXPECT_EQ(answer["Content-Encoding"], "zstd");
  EXPECT_EQ(answer["ETag"], "W/\"v1\"");
  EXPECT_EQ(answer["X-Asked"], "again");
  EXPECT_TRUE(decoded(answer) == body);
  EXPECT_EQ(stand.get("/a", "Range: bytes=1-3\r\n").body, body.substr(1, 3));
  const Answer head = stand.get("/a", std::string(kBrowser) + "If-None-Match: W/\"v1\"\r\n");
  EXPECT_EQ(head.status, 304);
  EXPECT_EQ(head["ETag"], "W/\"v1\"");
}

TEST_F(FlowCoding, AHeadThatIsRelayedHasTheVaryOfItsGet) {
  stand.origin.on("/a", page());
  EXPECT_EQ(stand.ask("HEAD", "/a")["Vary"], "Accept-Encoding");
  stand.origin.on("/b", page(text_of(20'000), "no-store"));
  EXPECT_EQ(stand.ask("HEAD", "/b")["Vary"], "");
  EXPECT_EQ(stand.get("/b")["Vary"], "");
}

TEST_F(FlowCoding, WhatGoesToOneClientAloneHasTheVaryToo) {
  stand.restart("[[site.rule]]\nprefix = \"/bypassed\"\nbypass = true");
  stand.origin.on("/a", page());
  stand.origin.on("/bypassed", page());
  EXPECT_EQ(stand.ask("HEAD", "/a", "If-Match: \"v1\"\r\n")["Vary"], "Accept-Encoding");
  // Nobody waits for a part of what could not be shared lately.
  stand.origin.on("/a", page(text_of(20'000), "private"));
  EXPECT_EQ(stand.get("/a")["Vary"], "");
  stand.origin.on("/a", page());
  const Answer whole = stand.get("/a", "Range: bytes=0-9\r\n");
  EXPECT_EQ(whole.cache(), "perigee; fwd=uri-miss; fwd-status=200");
  EXPECT_EQ(whole["Vary"], "Accept-Encoding");
  EXPECT_EQ(stand.get("/bypassed")["Vary"], "");
  EXPECT_EQ(stand.ask("HEAD", "/bypassed")["Vary"], "");
  EXPECT_EQ(stand.ask("POST", "/a")["Vary"], "");
}

RULE_F(FlowCoding, AClientMayForbidIt, "RFC 9111 §5.2.1.6; RFC 9110 §7.7; http-rules 3.23",
       "no-transform in a request asks intermediaries not to transform the content",
       "the answer is what the origin sent, in one Cache-Control line or in several", "") {
  const std::string body = text_of(20'000);
  stand.origin.on("/a", page(body));
  ASSERT_EQ(warm("/a")["Content-Encoding"], "zstd");
  for (const std::string_view said :
       {"Cache-Control: no-transform\r\n", "Cache-Control: max-age=0, No-Transform\r\n",
        "Cache-Control: no-cache\r\nCache-Control: no-transform\r\n"}) {
    const Answer answer = stand.get("/a", std::string(kBrowser) + std::string(said));
    EXPECT_EQ(answer["Content-Encoding"], "") << said;
    EXPECT_EQ(answer["ETag"], "\"v1\"");
    EXPECT_TRUE(answer.body == body);
  }
}

RULE_F(FlowCoding, ADateDoesNotTellCodingsApart, "RFC 9110 §13.1.5, §8.8.2.2; http-rules 3.23",
       "If-Range with a date holds only if the date is a strong validator",
       "not for a client that takes codings, of what may be coded: what it has of it may be coded",
       "") {
  const std::string body = text_of(20'000);
  const std::string modified = "Thu, 01 Jan 2015 00:00:00 GMT";
  stand.origin.on("/a", page(body).line("Last-Modified", modified));
  warm("/a");
  const std::string range = "Range: bytes=100-199\r\nIf-Range: " + modified + "\r\n";
  EXPECT_EQ(stand.get("/a", std::string(kBrowser) + range).status, 200);
  EXPECT_EQ(stand.get("/a", range).status, 206);
  EXPECT_EQ(stand.get("/a", std::string(kBrowser) + "Range: bytes=100-199\r\nIf-Range: \"v1\"\r\n")
                .status,
            206)
      << "the strong tag is the identity's alone";
}

}  // namespace
}  // namespace perigee::test

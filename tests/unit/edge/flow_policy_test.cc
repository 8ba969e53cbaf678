// Caching rules that show only over several requests: what stays, what is shared, what origins see.
#include <gtest/gtest.h>

#include "tests/support/edge/stand.h"
#include "tests/support/rule.h"

namespace perigee::test {
namespace {

GUARDS("edge::RequestFlow, edge::Filled, http::admit, http::decide, http::may_share");

constexpr int64_t kSecond = 1000;

RULE(FlowPolicy, ALaterNoStoreLeavesWhatIsStored, "RFC 9111 §5.2.2.5; http-rules 2.15",
     "No-store speaks of the response that carries it",
     "a stored copy that is still fresh goes by its own lifetime", "honour_client_directives") {
  Stand stand("honour_client_directives = true");
  stand.origin.on("/a", Reply(200).cache("max-age=60").body("first"));
  stand.get("/a");
  stand.origin.on("/a", Reply(200).cache("no-store").body("second"));
  EXPECT_EQ(stand.get("/a", "Cache-Control: no-cache\r\n").body, "second");
  const Answer hit = stand.get("/a");
  EXPECT_EQ(hit.body, "first");
  EXPECT_EQ(hit.cache(), "perigee; hit; ttl=60");
}

RULE(FlowPolicy, AClientsNoStoreIsHonoured, "RFC 9111 §5.2.1.5",
     "No-store of a request forbids to store the response to it",
     "fetched alone and not stored; ignored where the site does not honour directives",
     "honour_client_directives") {
  for (const bool honour : {false, true}) {
    Stand stand(honour ? "honour_client_directives = true" : "");
    stand.origin.on("/a", Reply(200).cache("max-age=60").body("x"));
    stand.get("/a", "Cache-Control: no-store\r\n");
    EXPECT_EQ(stand.stored("/a").state == cache_store::Found::kHit, !honour);
  }
}

RULE(FlowPolicy, OnlyIfCachedBeginsNoRefreshBehind, "RFC 9111 §5.2.1.7; RFC 5861 §3",
     "only-if-cached: the client wishes for a stored response only",
     "a stale one within stale-while-revalidate is served, and the next client begins the refresh",
     "") {
  Stand stand;
  stand.origin.on("/a", Reply(200).cache("max-age=10, stale-while-revalidate=60").body("x"));
  stand.get("/a");
  stand.env.step_wall(20 * kSecond);
  EXPECT_EQ(stand.get("/a", "Cache-Control: only-if-cached\r\n").status, 200);
  stand.run();
  EXPECT_EQ(stand.origin.asked.size(), 1u);
  stand.get("/a");
  stand.run();
  EXPECT_EQ(stand.origin.asked.size(), 2u);
}

RULE(FlowPolicy, VaryOnFieldsThatAreNotForwarded, "RFC 9111 §4.1; http-rules 2.7",
     "The selecting fields are those of the request as the origin saw it",
     "one variant, whatever clients send in a field that does not reach the origin",
     "forward_headers") {
  Stand stand("forward_headers = [\"Accept\"]");
  stand.origin.on("/a", Reply(200)
                            .cache("max-age=60")
                            .line("Vary", "User-Agent, X-Forwarded-Proto, Range")
                            .body("x"));
  stand.get("/a", "User-Agent: one\r\nX-Forwarded-Proto: gopher\r\n");
  EXPECT_EQ(stand.get("/a", "User-Agent: two\r\n").cache(), "perigee; hit; ttl=60");
  EXPECT_EQ(stand.origin.asked[0]["User-Agent"], "");
}

RULE(FlowPolicy, AFieldThatPoisonsGoesOnWhereVaryNamesIt, "RFC 9111 §4.1; http-rules 5.1",
     "What Vary names is keyed, so that it poisons nobody",
     "the first fill goes without it and fills the variant without; from then on each value is "
     "sent, and has a variant of its own",
     "forward_headers") {
  Stand stand;
  stand.origin.on("/a", [](const Asked& asked) {
    return Reply(200).cache("max-age=60").line("Vary", "RSC").body("rsc" + asked["RSC"]);
  });
  EXPECT_EQ(stand.get("/a", "RSC: 1\r\n").body, "rsc");
  EXPECT_EQ(stand.get("/a").cache(), "perigee; hit; ttl=60");
  EXPECT_EQ(stand.get("/a", "RSC: 1\r\n").body, "rsc1");
  EXPECT_EQ(stand.get("/a", "RSC: 1\r\n").cache(), "perigee; hit; ttl=60");
  EXPECT_EQ(stand.get("/a").body, "rsc");
  EXPECT_EQ(stand.ask("HEAD", "/a", "RSC: 2\r\n").status, 200);
  EXPECT_EQ(stand.origin.asked.back()["RSC"], "2") << "as the fill that it stands for";
}

RULE(FlowPolicy, WhatWasSentMustStayKeyed, "RFC 9111 §4.1; http-rules 5.1",
     "An error may come without the Vary of the page",
     "what answers a request with a field that went on only because of Vary is not stored when "
     "its own Vary lacks the name, and nobody who waits gets it",
     "") {
  Stand stand;
  stand.origin.on("/a", [](const Asked& asked) {
    if (asked["RSC"] == "evil") return Reply(404).cache("max-age=60").body("poison");
    return Reply(200).cache("max-age=60").line("Vary", "RSC").body("page");
  });
  stand.get("/a");
  EXPECT_EQ(stand.get("/a", "RSC: evil\r\n").body, "poison");
  EXPECT_EQ(stand.get("/a").body, "page");
  EXPECT_EQ(stand.get("/a").cache(), "perigee; hit; ttl=60");
  EXPECT_EQ(stand.get("/a", "RSC: evil\r\n").cache(), "perigee; fwd=vary-miss; fwd-status=404");
}

RULE(FlowPolicy, ARefusedTypeFillsNoCopyOfThoseWhoWantIt, "RFC 9110 §12.4.2; http-rules 4.7",
     "q=0 means not acceptable",
     "a client that refuses a type has a variant apart from those that want it and from those that "
     "do not name it",
     "vary_accept") {
  const std::string refusing = "Accept: image/webp;q=0.0, image/webp\r\n";
  const std::string wanting = "Accept: image/webp, image/png\r\n";
  for (const bool refusing_first : {false, true}) {
    Stand stand("vary_accept = [\"image/webp\"]");
    stand.origin.on("/a", [](const Asked& asked) {
      const bool refused = asked["Accept"].find("image/webp;q=0") != std::string::npos;
      const bool webp = asked["Accept"].find("image/webp") != std::string::npos && !refused;
      return Reply(200).cache("max-age=60").line("Vary", "Accept").body(webp ? "webp" : "png");
    });
    stand.get("/a", refusing_first ? refusing : wanting);
    EXPECT_EQ(stand.get("/a", wanting).body, "webp");
    EXPECT_EQ(stand.get("/a", refusing).body, "png");
    EXPECT_EQ(stand.get("/a").body, "png");
    EXPECT_EQ(stand.origin.asked.size(), 3u);
    EXPECT_EQ(stand.get("/a", "Accept: image/webp;q=0\r\n").cache(), "perigee; hit; ttl=60");
  }
}

RULE(FlowPolicy, ACommaInOriginIsAnotherOrigin, "RFC 9111 §4.1; http-rules 2.7",
     "Origin holds one value, so that a comma in it separates nothing",
     "what an origin says to `https://app.example,` is not sent to `https://app.example`", "") {
  Stand stand;
  stand.origin.on("/a", [](const Asked& asked) {
    return Reply(200).cache("max-age=60").line("Vary", "Origin").body("to " + asked["Origin"]);
  });
  stand.get("/a", "Origin: https://app.example,\r\n");
  EXPECT_EQ(stand.get("/a", "Origin: https://app.example\r\n").body, "to https://app.example");
}

RULE(
    FlowPolicy, AProvokedErrorReachesNobodyElse, "http-rules 1.2, 5.7",
    "An origin answers an oddity with an error, and the error page says how long it holds",
    "neither who waits nor who comes later gets it; an ordinary error is kept for 10 s and is gone "
    "then",
    "error_ttl_cap") {
  const std::string odd = "X: " + std::string(4'000, 'a') + "\r\n";
  Stand stand;
  stand.origin.on("/a", [](const Asked& asked) {
    if (!asked["X"].empty()) return Reply(400).cache("max-age=3600").etag("\"e\"").body("too long");
    return Reply(200).cache("max-age=60").body("page");
  });
  stand.origin.hold();
  Client attacker(stand);
  Client victim(stand);
  attacker.ask("GET", "/a", odd);
  stand.run();
  victim.ask("GET", "/a");
  stand.run();
  ASSERT_EQ(stand.origin.asked.size(), 1u) << "the victim waits for the attacker's fill";
  stand.origin.release();
  EXPECT_EQ(attacker.answer().body, "too long");
  EXPECT_EQ(victim.answer().body, "page");
  EXPECT_EQ(stand.get("/a").cache(), "perigee; hit; ttl=60");
  stand.origin.on("/b", Reply(503).cache("max-age=3600, stale-if-error=3600").body("down"));
  stand.get("/b");
  EXPECT_EQ(stand.get("/b").cache(), "perigee; hit; ttl=10");
  stand.env.step_wall(10 * kSecond);
  stand.origin.on("/b", Reply(200).cache("max-age=60").body("up"));
  EXPECT_EQ(stand.get("/b").body, "up");
}

RULE(
    FlowPolicy, APathThatTheOriginReadsAsPrivateIsPrivate, "RFC 3986 §6.2.2; http-rules 5.6",
    "A rule that keeps pages out of the cache holds however the path is written",
    "what an origin could read as inside the rule is relayed and not stored; it is forwarded as it "
    "came",
    "") {
  Stand stand("default_ttl = \"1h\"\n[[site.rule]]\nprefix = \"/private/\"\nbypass = true");
  for (const std::string target :
       {"/private/me", "/%70rivate/me", "//private/me", "/private%2Fme", "/PRIVATE/me",
        "/private;x/me", "/%2570rivate/me", "/public/..%252fprivate/me"}) {
    stand.origin.on(target, Reply(200).body("the victim's"));
    EXPECT_EQ(stand.get(target).cache(), "perigee; fwd=bypass; fwd-status=200") << target;
    EXPECT_EQ(stand.origin.asked.back().target, target);
  }
  stand.origin.on("/public/me", Reply(200).body("everybody's"));
  EXPECT_EQ(stand.get("/public/me").cache(), "perigee; fwd=uri-miss; fwd-status=200; stored");
}

RULE(FlowPolicy, ABypassRuleGetsNoStaleCopy, "RFC 9111 §4.2.4; http-rules 2.8",
     "Stale responses may be served where the cache is asked",
     "what was stored before a rule said bypass is served neither fresh nor in place of an answer "
     "that failed",
     "") {
  Stand stand;
  stand.origin.on("/a", Reply(200).cache("max-age=10, stale-if-error=3600").body("stored"));
  stand.get("/a");
  stand.restart("[[site.rule]]\nprefix = \"/\"\nbypass = true");
  stand.origin.on("/a", Reply(503).body("down"));
  EXPECT_EQ(stand.get("/a").cache(), "perigee; fwd=bypass; fwd-status=503");
  stand.env.step_wall(20 * kSecond);
  EXPECT_EQ(stand.get("/a").body, "down");
  EXPECT_EQ(stand.ask("HEAD", "/a").status, 503);
  stand.origin.go_away();
  EXPECT_EQ(stand.get("/a").status, 502);
}

RULE(FlowPolicy, WhatGoesAloneGetsNoStaleCopy, "RFC 9111 §4.2.4, §5.2.1.5; http-rules 2.8",
     "A request with no-store asks for an answer of which nothing is kept",
     "it gets the origin's own answer, also where a stale one would stand in for it",
     "honour_client_directives") {
  Stand stand("honour_client_directives = true");
  stand.origin.on("/a", Reply(200).cache("max-age=10, stale-if-error=3600").body("stored"));
  stand.get("/a");
  stand.env.step_wall(20 * kSecond);
  stand.origin.on("/a", Reply(503).body("down"));
  EXPECT_EQ(stand.get("/a", "Cache-Control: no-store\r\n").body, "down");
  EXPECT_EQ(stand.get("/a").body, "stored");
}

RULE(FlowPolicy, AHeadAsksLikeAFill, "RFC 9111 §4.3.5; http-rules 2.10, 3.3",
     "What answers a HEAD may update what is stored for GET",
     "relayed without what is one client's; its own conditions are judged here", "") {
  Stand stand;
  stand.origin.on("/a", Reply(200).cache("max-age=10").etag("\"v1\"").body("x"));
  const Answer answer = stand.ask("HEAD", "/a",
                                  "Accept-Encoding: br\r\nIf-None-Match: \"v1\"\r\n"
                                  "Range: bytes=0-1\r\nX-Original-URL: /b\r\n");
  EXPECT_EQ(answer.status, 304);
  const Asked& asked = stand.origin.asked[0];
  EXPECT_EQ(asked.method, "HEAD");
  EXPECT_EQ(asked["Accept-Encoding"], "identity");
  for (const std::string_view name : {"If-None-Match", "Range", "X-Original-URL"}) {
    EXPECT_EQ(asked[name], "") << name;
  }
}

RULE(FlowPolicy, NamedFieldsReachNobodyWhoWaits, "RFC 9111 §5.2.2.4, §5.2.2.7; http-rules 1.2, 2.3",
     "Fields that a qualified directive names are not for reuse",
     "of the clients that wait for one fill each gets its own, on a miss and with a 304", "") {
  for (const std::string directive : {"private", "no-cache"}) {
    Stand stand;
    for (const uint16_t status : {200, 304}) {
      stand.origin.on("/a", [&](const Asked& asked) {
        Reply reply = Reply(status).cache(directive + "=\"X-User\", max-age=10").etag("\"v1\"");
        reply.line("X-User", asked["User-Agent"]);
        return status == 200 ? reply.body("x") : reply;
      });
      stand.origin.hold();
      Client first(stand);
      Client second(stand);
      first.ask("GET", "/a", "User-Agent: one\r\n");
      stand.run();
      second.ask("GET", "/a", "User-Agent: two\r\n");
      stand.run();
      EXPECT_EQ(stand.origin.asked.size(), status == 200 ? 1u : 3u) << "the second one waits";
      stand.origin.release();
      EXPECT_EQ(first.answer()["X-User"], "one") << directive << status;
      EXPECT_EQ(second.answer()["X-User"], "two") << directive << status;
      EXPECT_EQ(stand.get("/a").count("X-User"), 0u) << directive << status;
      stand.env.step_wall(20 * kSecond);
    }
  }
}

TEST(FlowPolicy, AHeadWithIfMatchGoesAloneWithIt) {
  Stand stand;
  stand.origin.on("/a", Reply(412).body("x"));
  EXPECT_EQ(stand.ask("HEAD", "/a", "If-Match: \"v1\"\r\n").status, 412);
  EXPECT_EQ(stand.origin.asked[0]["If-Match"], "\"v1\"");
}

RULE(FlowPolicy, NamedFieldsReachOnlyTheirClient, "RFC 9111 §5.2.2.4, §5.2.2.7; http-rules 2.3",
     "Fields that a qualified directive names are not for reuse",
     "the client that asked gets them, the stored response lacks them, after a 304 too", "") {
  Stand stand;
  stand.origin.on("/a", Reply(200)
                            .cache("private=\"X-User\", max-age=10")
                            .etag("\"v1\"")
                            .line("X-User", "one")
                            .body("x"));
  EXPECT_EQ(stand.get("/a")["X-User"], "one");
  EXPECT_EQ(stand.get("/a")["X-User"], "");
  stand.env.step_wall(20 * kSecond);
  stand.origin.on("/a", Reply(304).etag("\"v1\"").line("X-User", "two"));
  EXPECT_EQ(stand.get("/a")["X-User"], "two");
  const Answer hit = stand.get("/a");
  EXPECT_EQ(hit["X-User"], "");
  EXPECT_EQ(hit.cache(), "perigee; hit; ttl=10");
}

RULE(FlowPolicy, A304OfAnotherResponseFetchesAgain, "RFC 9111 §4.3.4; http-rules 2.9",
     "A 304 with another strong validator does not freshen what is stored",
     "the response is fetched again without conditions", "") {
  Stand stand;
  stand.origin.on("/a", Reply(200).cache("max-age=10").etag("\"v1\"").body("old"));
  stand.get("/a");
  stand.env.step_wall(20 * kSecond);
  stand.origin.on("/a", [](const Asked& asked) {
    if (!asked["If-None-Match"].empty()) return Reply(304).etag("\"v2\"");
    return Reply(200).cache("max-age=10").etag("\"v2\"").body("new");
  });
  const Answer answer = stand.get("/a");
  EXPECT_EQ(answer.body, "new");
  EXPECT_EQ(answer.cache(), "perigee; fwd=stale; fwd-status=200; stored");
  EXPECT_EQ(stand.get("/a").body, "new");
}

RULE(FlowPolicy, CookiesOfPrivateResponsesAreNotStripped, "http-rules 1.8",
     "Stripping cookies serves storing", "a response that is not stored keeps its Set-Cookie",
     "set_cookie") {
  Stand stand("set_cookie = \"strip\"");
  stand.origin.on("/page", Reply(200).cache("max-age=60").line("Set-Cookie", "a=b").body("x"));
  stand.origin.on("/me", Reply(200).cache("private").line("Set-Cookie", "a=b").body("x"));
  EXPECT_EQ(stand.get("/page")["Set-Cookie"], "");
  EXPECT_EQ(stand.get("/page").cache(), "perigee; hit; ttl=60");
  EXPECT_EQ(stand.get("/me")["Set-Cookie"], "a=b");
}

RULE(FlowPolicy, NoLengthOnAStored204, "RFC 9110 §8.6", "A 204 must not carry Content-Length",
     "neither as it is fetched nor as a hit", "") {
  Stand stand;
  stand.origin.on("/a", Reply(204).cache("max-age=60"));
  for (const std::string_view cache :
       {"perigee; fwd=uri-miss; fwd-status=204; stored", "perigee; hit; ttl=60"}) {
    const Answer answer = stand.get("/a");
    EXPECT_EQ(answer.cache(), cache);
    EXPECT_EQ(answer.count("Content-Length"), 0u);
    EXPECT_EQ(answer.count("Transfer-Encoding"), 0u);
  }
}

RULE(FlowPolicy, OurAltSvcNotTheOrigins, "RFC 7838 §2.1; http-rules 4.14",
     "Alt-Svc tells clients other ways to this authority",
     "the origin's is dropped, the site's is sent on hits, misses and relayed answers", "alt_svc") {
  Stand stand("alt_svc = 'h2=\":443\"'");
  stand.origin.on("/a", Reply(200).cache("max-age=60").line("Alt-Svc", "h3=\":443\"").body("x"));
  for (const Answer& answer : {stand.get("/a"), stand.get("/a"), stand.ask("POST", "/a")}) {
    EXPECT_EQ(answer["Alt-Svc"], "h2=\":443\"") << answer.cache();
    EXPECT_EQ(answer.count("Alt-Svc"), 1u);
  }
}

RULE(FlowPolicy, CdnCacheControlGovernsAfterA304Too, "RFC 9213 §2.2; http-rules 2.6",
     "A targeted field decides for those that it targets",
     "it governs though it is not shown to clients, and after a 304 that lacks it",
     "cdn_cache_control") {
  Stand stand("cdn_cache_control = \"remove\"");
  stand.origin.on("/a", Reply(200)
                            .cache("no-store")
                            .line("CDN-Cache-Control", "max-age=10")
                            .etag("\"v1\"")
                            .body("x"));
  EXPECT_EQ(stand.get("/a")["CDN-Cache-Control"], "");
  EXPECT_EQ(stand.get("/a").cache(), "perigee; hit; ttl=10");
  stand.env.step_wall(20 * kSecond);
  stand.origin.on("/a", Reply(304).etag("\"v1\""));
  stand.get("/a");
  const Answer hit = stand.get("/a");
  EXPECT_EQ(hit.cache(), "perigee; hit; ttl=10");
  EXPECT_EQ(hit["Cache-Control"], "no-store");
  EXPECT_EQ(hit["CDN-Cache-Control"], "");
}

TEST(FlowPolicy, WhoWaitedForWhatCannotBeSharedDidNotGoAloneForThat) {
  Stand stand;
  stand.origin.on("/a", Reply(200).cache("no-store").body("x"));
  stand.origin.hold();
  Client first(stand);
  Client second(stand);
  first.ask("GET", "/a");
  second.ask("GET", "/a");
  stand.run();
  EXPECT_EQ(stand.origin.asked.size(), 1u);
  stand.origin.release();
  for (Client* client : {&first, &second}) {
    EXPECT_EQ(client->answer().cache(), "perigee; fwd=uri-miss; fwd-status=200");
  }
  EXPECT_EQ(stand.get("/a").cache(), "perigee; fwd=uri-miss; fwd-status=200; detail=hit-for-miss");
  stand.origin.hold();
  const size_t asked = stand.origin.asked.size();
  first.ask("GET", "/a");
  second.ask("GET", "/a");
  stand.run();
  EXPECT_EQ(stand.origin.asked.size(), asked + 2) << "from then on each goes alone at once";
  stand.origin.release();
  EXPECT_EQ(first.answer().body, "x");
  EXPECT_EQ(second.answer().body, "x");
}

RULE(FlowPolicy, AnErrorThatSaysImmutableIsKeptForSeconds, "RFC 9111 §4; RFC 8246; http-rules 5.7",
     "Frameworks write one Cache-Control on all that they send, errors too",
     "a 500 with max-age of a year is a hit for `error_ttl_cap`; a good copy that may be served "
     "stale is served instead of it",
     "error_ttl_cap, stale_if_error") {
  const Reply broken = Reply(500).cache("max-age=31536000, immutable").body("broken");
  Stand stand;
  stand.origin.on("/a", broken);
  stand.get("/a");
  stand.settle();
  EXPECT_EQ(stand.get("/a").cache(), "perigee; hit; ttl=10");
  stand.env.step_wall(11 * kSecond);
  stand.get("/a");
  EXPECT_EQ(stand.origin.asked.size(), 2u);
  stand.origin.on("/b", Reply(200).cache("max-age=10, stale-if-error=60").body("good"));
  stand.get("/b");
  stand.settle();
  stand.origin.on("/b", broken);
  stand.env.step_wall(20 * kSecond);
  for (int round = 0; round < 2; ++round) {
    const Answer answer = stand.get("/b");
    EXPECT_EQ(answer.body, "good");
    EXPECT_EQ(answer.cache(), "perigee; fwd=stale; fwd-status=500; ttl=-10; detail=stale-if-error");
    stand.settle();
  }
}

}  // namespace
}  // namespace perigee::test

// What may be stored (RFC 9111 §3): every status, method and directive, and who wins where they
// conflict.
#include <gtest/gtest.h>

#include "tests/support/rule.h"
#include "tests/unit/http/exchange_text.h"

namespace perigee::test {
namespace {

GUARDS("http::admit");

using http::PolicyOptions;
using http::SetCookieMode;
using http::Storable;

constexpr auto kFresh = "Cache-Control: max-age=60";

bool is_any_of(uint16_t status, std::initializer_list<uint16_t> list) {
  return std::find(list.begin(), list.end(), status) != list.end();
}

// --- methods ---

RULE(Storable, OnlyAnswersToGet, "RFC 9111 §3; http-rules 2.14",
     "A cache stores answers only to methods that it understands",
     "stores answers to GET and no other, those of POST with their own Content-Location neither",
     "") {
  EXPECT_EQ(Answer({kFresh}).storable(), Storable::kStorable);
  for (const char* method : {"HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "PROPFIND",
                             "SEARCH", "REPORT", "M-SEARCH", "get"}) {
    EXPECT_EQ(Answer({kFresh}).to(Request(method, {})).storable(), Storable::kMethod) << method;
  }
  EXPECT_EQ(Answer({kFresh, "Content-Location: /page"}).to(Request("POST", {})).storable(),
            Storable::kMethod);
}

// --- statuses ---

RULE(Storable, EveryFinalStatusWithExplicitFreshness, "RFC 9111 §3; RFC 6585; http-rules 1.9",
     "Explicit freshness makes any final status storable that does not forbid it",
     "honours it for every status but 206, 304, 416, 428, 429, 431 and 511", "forbidden_statuses") {
  for (uint16_t status = 200; status <= 599; ++status) {
    const bool never = is_any_of(status, {206, 304, 416, 428, 429, 431, 511});
    for (const std::string& explicitly :
         {std::string(kFresh), std::string("Cache-Control: s-maxage=60"), expires(60),
          std::string("CDN-Cache-Control: max-age=60")}) {
      const Storable storable = Answer(status, {explicitly, date(0)}).storable();
      EXPECT_EQ(storable == Storable::kStorable, !never) << status << " " << explicitly;
    }
  }
}

RULE(Storable, PartialContentIsNeverTheWhole, "RFC 9111 §3.3; http-rules 2.11",
     "An incomplete response must not be stored as if it were the whole",
     "never stores a 206, whatever it says", "") {
  EXPECT_EQ(
      Answer(206, {"Cache-Control: public, max-age=60", "Content-Range: bytes 0-4/9"}).storable(),
      Storable::kPartial);
}

RULE(Storable, ContentRangeOnA200, "RFC 9110 §14.4; http-rules 2.11",
     "Content-Range has no meaning on a 200", "stores it like any field", "") {
  EXPECT_EQ(Answer({kFresh, "Content-Range: bytes 0-4/9"}).storable(), Storable::kStorable);
}

RULE(Storable, WithoutExplicitFreshness, "RFC 9111 §3; RFC 9110 §15.1; http-rules 2.4",
     "Without explicit freshness or public only the heuristically cacheable statuses are stored",
     "stores 200, 203, 204, 300, 301, 308, 404, 405, 410, 414, 501 with a validator, no others",
     "") {
  for (uint16_t status = 200; status <= 599; ++status) {
    if (is_any_of(status, {206, 304, 416, 428, 429, 431, 511})) continue;
    const bool listed = is_any_of(status, {200, 203, 204, 300, 301, 308, 404, 405, 410, 414, 501});
    EXPECT_EQ(Answer(status, {"ETag: \"a\""}).storable(),
              listed ? Storable::kStorable : Storable::kStatus)
        << status;
    EXPECT_EQ(Answer(status, {"ETag: \"a\"", "Cache-Control: public"}).storable(),
              Storable::kStorable)
        << status;
  }
}

RULE(Storable, ForbiddenByTheSite, "http-rules 5.3", "A site may forbid statuses to be stored",
     "stores none of those listed", "forbidden_statuses") {
  PolicyOptions options;
  options.forbidden_statuses = {404, 500};
  EXPECT_EQ(Answer(404, {kFresh}).under(options).storable(), Storable::kConfigured);
  EXPECT_EQ(Answer(500, {kFresh}).under(options).storable(), Storable::kConfigured);
  EXPECT_EQ(Answer(410, {kFresh}).under(options).storable(), Storable::kStorable);
}

// --- freshness or validator ---

RULE(Storable, NeitherFreshnessNorValidator, "RFC 9111 §4.2.2; http-rules 2.4",
     "A response that can never be used again need not be stored",
     "is not stored; with an ETag or Last-Modified it is, for validation", "default_ttl") {
  EXPECT_EQ(Answer({"Content-Type: text/plain"}).storable(), Storable::kNoFreshnessNoValidator);
  EXPECT_EQ(Answer({"Cache-Control: max-age=0"}).storable(), Storable::kNoFreshnessNoValidator);
  EXPECT_EQ(Answer({expires(-1), date(0)}).storable(), Storable::kNoFreshnessNoValidator);
  EXPECT_EQ(Answer({"ETag: \"a\""}).storable(), Storable::kStorable);
  EXPECT_EQ(Answer({"ETag: W/\"a\""}).storable(), Storable::kStorable);
  EXPECT_EQ(Answer({"ETag: unquoted"}).storable(), Storable::kStorable);
  EXPECT_EQ(Answer({last_modified(-60)}).storable(), Storable::kStorable);
  EXPECT_EQ(Answer({"Cache-Control: max-age=0", "ETag: \"a\""}).storable(), Storable::kStorable);
}

RULE(Storable, AStaleWindowIsAUse, "RFC 5861 §3, §4",
     "A response that is stale at once can be used within its stale windows",
     "is stored with max-age=0 and a window, though it has no validator", "") {
  EXPECT_EQ(Answer({"Cache-Control: max-age=0, stale-while-revalidate=60"}).storable(),
            Storable::kStorable);
  EXPECT_EQ(Answer({"Cache-Control: max-age=0, stale-if-error=60"}).storable(),
            Storable::kStorable);
}

// --- no-store, private, no-cache ---

RULE(Storable, NoStore, "RFC 9111 §5.2.2.5", "no-store forbids to store any part",
     "is not stored, whatever else it says, in any case and on any line", "") {
  for (const std::string line :
       {"Cache-Control: no-store", "Cache-Control: No-StOrE", "cache-control: max-age=60, no-store",
        "Cache-Control: no-store, max-age=60, public", "Cache-Control: no-store=\"x\"",
        "Cache-Control: no-store=1", "Cache-Control: ,no-store,"}) {
    EXPECT_EQ(Answer({line, "ETag: \"a\""}).storable(), Storable::kNoStore) << line;
  }
  EXPECT_EQ(Answer({kFresh, "Cache-Control: no-store", expires(60)}).storable(),
            Storable::kNoStore);
  EXPECT_EQ(Answer({"Cache-Control: max-age=60, x=\"no-store\""}).storable(), Storable::kStorable);
  EXPECT_EQ(Answer({"Cache-Control: max-age=60, no-stores"}).storable(), Storable::kStorable);
}

RULE(Storable, Private, "RFC 9111 §5.2.2.7", "A shared cache must not store what is private",
     "is not stored, also beside public and s-maxage: the most restrictive wins", "") {
  for (const std::string line :
       {"Cache-Control: private", "Cache-Control: PRIVATE, max-age=60",
        "Cache-Control: public, private, max-age=60", "Cache-Control: s-maxage=60, private",
        "Cache-Control: private=x y, max-age=60", "Cache-Control: private=\"\", max-age=60",
        "Cache-Control: private=\"a b\", max-age=60", "Cache-Control: private=\"a\", private"}) {
    EXPECT_EQ(Answer({line, "ETag: \"a\""}).storable(), Storable::kPrivate) << line;
  }
}

RULE(Storable, QualifiedPrivate, "RFC 9111 §5.2.2.7; http-rules 2.3",
     "private with field names limits only those fields",
     "is stored without the named fields, and the directive is otherwise no bar", "") {
  Answer answer({"Cache-Control: private=\"x-user, X-Role\", max-age=60", "X-User: 1", "X-Role: 2",
                 "X-Page: 3", date(0)});
  EXPECT_EQ(answer.storable(), Storable::kStorable);
  EXPECT_EQ(lines_of(answer.stored().block),
            (std::vector<std::string>{"Cache-Control: private=\"x-user, X-Role\", max-age=60",
                                      "X-Page: 3", date(0)}));
  EXPECT_EQ(answer.decide().action, http::Action::kServe);
}

RULE(Storable, QualifiedNoCache, "RFC 9111 §5.2.2.4; http-rules 2.3",
     "no-cache with field names forbids the use of those fields without validation",
     "is stored without the named fields and reused without asking", "") {
  for (const std::string line : {"Cache-Control: no-cache=\"a, b\"", "Cache-Control: no-cache=a"}) {
    Answer answer({line, kFresh, "A: 1", "C: 3", date(0)});
    EXPECT_EQ(answer.storable(), Storable::kStorable);
    EXPECT_EQ(answer.decide().action, http::Action::kServe);
    EXPECT_EQ(lines_of(answer.stored().block),
              (std::vector<std::string>{line, kFresh, "C: 3", date(0)}));
  }
}

RULE(Storable, NoCacheIsStoredForValidation, "RFC 9111 §5.2.2.4; http-rules 2.4",
     "no-cache forbids reuse without validation, not storing",
     "is stored when it has a validator, else not", "") {
  EXPECT_EQ(Answer({"Cache-Control: no-cache", "ETag: \"a\""}).storable(), Storable::kStorable);
  EXPECT_EQ(Answer({"Cache-Control: no-cache, max-age=60", last_modified(-60)}).storable(),
            Storable::kStorable);
  EXPECT_EQ(Answer({"Cache-Control: no-cache, max-age=60"}).storable(),
            Storable::kNoFreshnessNoValidator);
  EXPECT_EQ(Answer({"Cache-Control: no-cache, stale-if-error=60"}).storable(),
            Storable::kNoFreshnessNoValidator);
}

RULE(Storable, UnknownDirectives, "RFC 9111 §5.2.3; http-rules 2.3, 4.17",
     "A cache ignores directives that it does not know",
     "unknown ones never matter; `public; max-age=60` is one of them", "") {
  EXPECT_EQ(Answer({"Cache-Control: foo, max-age=60, bar=\"no-store, private\""}).storable(),
            Storable::kStorable);
  EXPECT_EQ(Answer({"Cache-Control: public; max-age=60"}).storable(),
            Storable::kNoFreshnessNoValidator);
}

RULE(Storable, PragmaIsIgnored, "RFC 9111 §5.4; http-rules 2.3",
     "Pragma in a response has no defined meaning", "is ignored", "") {
  EXPECT_EQ(Answer({kFresh, "Pragma: no-cache"}).storable(), Storable::kStorable);
  EXPECT_EQ(Answer({kFresh, "Pragma: no-cache"}).decide().action, http::Action::kServe);
}

RULE(Storable, SurrogateControlIsNotCacheControl, "http-rules 2.6",
     "Surrogate-Control is none of the fields that RFC 9213 defines for a CDN", "is ignored", "") {
  EXPECT_EQ(Answer({kFresh, "Surrogate-Control: no-store"}).storable(), Storable::kStorable);
  EXPECT_EQ(Answer({"Surrogate-Control: max-age=60"}).storable(),
            Storable::kNoFreshnessNoValidator);
}

// --- must-understand ---

RULE(Storable, MustUnderstandLiftsNoStore, "RFC 9111 §5.2.2.3; http-rules 2.5",
     "A cache that implements the status ignores no-store beside must-understand",
     "does so for the statuses of RFC 9110 but 206 and 304", "") {
  EXPECT_EQ(Answer({"Cache-Control: must-understand, no-store, max-age=60"}).storable(),
            Storable::kStorable);
  EXPECT_EQ(Answer(503, {"Cache-Control: no-store, must-understand, max-age=60"}).storable(),
            Storable::kStorable);
  EXPECT_EQ(Answer({"Cache-Control: must-understand, no-store"}).storable(),
            Storable::kNoFreshnessNoValidator);
  EXPECT_EQ(Answer({"Cache-Control: must-understand, no-store, private, max-age=60"}).storable(),
            Storable::kPrivate);
}

RULE(Storable, MustUnderstandWithOtherStatuses, "RFC 9111 §5.2.2.3; http-rules 2.5",
     "A cache that does not implement the status must not store what says must-understand",
     "is not stored whatever else it says", "") {
  for (const uint16_t status : {208, 226, 299, 399, 418, 451, 499, 506, 507, 508, 599}) {
    EXPECT_EQ(Answer(status, {"Cache-Control: must-understand, public, max-age=60"}).storable(),
              Storable::kMustUnderstand)
        << status;
  }
  for (const uint16_t status : {200, 203, 302, 404, 421, 422, 426, 505}) {
    EXPECT_EQ(Answer(status, {"Cache-Control: must-understand, max-age=60"}).storable(),
              Storable::kStorable)
        << status;
  }
}

// --- Authorization ---

RULE(Storable, AuthorizationForbids, "RFC 9111 §3.5; http-rules 1.8",
     "An answer to a request with Authorization is not stored by a shared cache",
     "is not stored, whatever its freshness", "") {
  for (const std::string& line :
       {std::string(kFresh), expires(60), std::string("Cache-Control: max-age=60, immutable"),
        std::string("Cache-Control: max-age=60, proxy-revalidate"),
        std::string("Cache-Control: max-age=60, no-cache"), last_modified(-600)}) {
    EXPECT_EQ(Answer({line, date(0), "ETag: \"a\""}).to({"Authorization: Basic eA=="}).storable(),
              Storable::kAuthorization)
        << line;
  }
}

RULE(Storable, AuthorizationExceptions, "RFC 9111 §3.5; http-rules 1.8",
     "public, s-maxage and must-revalidate permit to store the answer to a request with "
     "Authorization",
     "is stored, and then served to anyone", "") {
  for (const std::string line : {"Cache-Control: public, max-age=60", "Cache-Control: s-maxage=60",
                                 "Cache-Control: max-age=60, must-revalidate"}) {
    Answer answer({line});
    answer.to({"Authorization: Basic eA=="});
    EXPECT_EQ(answer.storable(), Storable::kStorable) << line;
    EXPECT_EQ(answer.decide({}).action, http::Action::kServe) << line;
    EXPECT_EQ(answer.decide({"Authorization: Basic eQ=="}).action, http::Action::kServe) << line;
  }
  EXPECT_EQ(Answer({"Cache-Control: private, s-maxage=60"}).to({"Authorization: x"}).storable(),
            Storable::kPrivate);
}

RULE(Storable, AuthorizationMayBeAnsweredFromTheStore, "RFC 9111 §3.5; http-rules 1.8",
     "What was stored for a request without credentials may answer one with them",
     "a request with Authorization is a hit like any other", "") {
  EXPECT_EQ(Answer({kFresh}).decide({"Authorization: Basic eA=="}).action, http::Action::kServe);
}

// --- cookies ---

RULE(Storable, SetCookie, "RFC 9111 §7.3; http-rules 1.8",
     "A response that sets a cookie may be meant for one client",
     "is relayed and not stored; `strip` stores it without the field, `store` as it is",
     "set_cookie") {
  PolicyOptions options;
  const auto answer = [&] {
    return Answer({kFresh, "Set-Cookie: a=b", "Set-Cookie: c=d", date(0)}).under(options);
  };
  EXPECT_EQ(answer().storable(), Storable::kSetCookie);
  options.set_cookie = SetCookieMode::kStrip;
  EXPECT_EQ(answer().storable(), Storable::kStorable);
  EXPECT_EQ(lines_of(answer().stored().block), (std::vector<std::string>{kFresh, date(0)}));
  options.set_cookie = SetCookieMode::kStore;
  EXPECT_EQ(answer().storable(), Storable::kStorable);
  EXPECT_EQ(lines_of(answer().stored().block),
            (std::vector<std::string>{kFresh, "Set-Cookie: a=b", "Set-Cookie: c=d", date(0)}));
}

RULE(Storable, StripKeepsCookiesOfWhatIsNotStored, "http-rules 1.8",
     "A site that strips cookies does so for the sake of storing",
     "a response that is not stored anyway keeps its Set-Cookie", "set_cookie") {
  PolicyOptions options;
  options.set_cookie = SetCookieMode::kStrip;
  EXPECT_TRUE(Answer({kFresh, "Set-Cookie: a=b"}).under(options).admission().drop_set_cookie);
  EXPECT_FALSE(Answer({"Cache-Control: private", "Set-Cookie: a=b"})
                   .under(options)
                   .admission()
                   .drop_set_cookie);
  options.set_cookie = SetCookieMode::kStore;
  EXPECT_FALSE(Answer({kFresh, "Set-Cookie: a=b"}).under(options).admission().drop_set_cookie);
}

RULE(Storable, OnlyTheFieldOfExactlyThatName, "http-rules 1.8",
     "Set-Cookie2 and the like set no cookie", "only Set-Cookie counts", "") {
  EXPECT_EQ(Answer({kFresh, "Set-Cookie2: a=b", "X-Set-Cookie: a=b"}).storable(),
            Storable::kStorable);
}

RULE(Storable, ACookieOfTheRequestDoesNotMatter, "RFC 9111 §7.3; http-rules 1.8",
     "A Cookie on a request does not by itself select a response",
     "the answer is stored, and a request with a Cookie is a hit", "") {
  EXPECT_EQ(Answer({kFresh}).to({"Cookie: a=b"}).storable(), Storable::kStorable);
  EXPECT_EQ(Answer({kFresh}).decide({"Cookie: a=b"}).action, http::Action::kServe);
}

RULE(Storable, VaryCookie, "RFC 9111 §4.1; http-rules 1.8",
     "A response that varies by Cookie is one for every visitor",
     "the variant of requests without Cookie is stored, others are not", "") {
  for (const std::string vary : {"Vary: Cookie", "Vary: Accept, cookie", "Vary: Accept-Language"}) {
    EXPECT_EQ(Answer({kFresh, vary}).storable(), Storable::kStorable) << vary;
  }
  EXPECT_EQ(Answer({kFresh, "Vary: Cookie"}).to({"Cookie: a=b"}).storable(), Storable::kVaryCookie);
  EXPECT_EQ(Answer({kFresh, "Vary: Accept", "Vary: x, cookie"}).to({"Cookie: a=b"}).storable(),
            Storable::kVaryCookie);
  EXPECT_EQ(Answer({kFresh, "Vary: Accept"}).to({"Cookie: a=b"}).storable(), Storable::kStorable);
}

// --- Vary and Connection ---

RULE(Storable, VaryStar, "RFC 9111 §4.1; http-rules 2.7",
     "A stored response whose Vary holds * never matches", "is not stored, wherever the * stands",
     "") {
  for (const std::string vary : {"Vary: *", "Vary: , *", "Vary: Accept, *", "Vary: *, Accept"}) {
    EXPECT_EQ(Answer({kFresh, vary}).storable(), Storable::kVaryStar) << vary;
  }
  EXPECT_EQ(Answer({kFresh, "Vary:", "Vary: *"}).storable(), Storable::kVaryStar);
  EXPECT_EQ(Answer({kFresh, "Vary: Accept", "Vary: *"}).storable(), Storable::kVaryStar);
  EXPECT_EQ(Answer({kFresh, "Vary: x*"}).storable(), Storable::kStorable);
}

RULE(Storable, ConnectionNamesWhatDecides, "RFC 9110 §7.6.1; http-rules 2.12",
     "A field that Connection names is for one connection only",
     "a response whose Connection names a field that caching depends on is not stored", "") {
  for (const std::string name : {"Cache-Control", "vary", "Set-Cookie", "ETag", "Date", "Expires",
                                 "Last-Modified", "CDN-Cache-Control", "Content-Encoding"}) {
    EXPECT_EQ(Answer({kFresh, "Connection: close, " + name}).storable(), Storable::kConnectionNamed)
        << name;
  }
  EXPECT_EQ(Answer({kFresh, "Connection: keep-alive, X-Hop"}).storable(), Storable::kStorable);
}

// --- hit-for-miss ---

RULE(HitForMiss, OnlyWhatTheResponseSays, "RFC 9111 §4; http-rules 3.2",
     "Requests that cannot share an answer must not wait for one another",
     "a key whose response says that it cannot be stored is remembered for some seconds", "") {
  for (const std::string line :
       {"Cache-Control: no-store", "Cache-Control: private", "Vary: *", "Set-Cookie: a=b",
        "Cache-Control: max-age=0", "Connection: ETag"}) {
    EXPECT_TRUE(Answer({line}).admission().remember) << line;
  }
  EXPECT_TRUE(Answer(299, {"Cache-Control: must-understand, max-age=60"}).admission().remember);
  PolicyOptions options;
  options.forbidden_statuses = {200};
  EXPECT_TRUE(Answer({kFresh}).under(options).admission().remember);
  EXPECT_TRUE(Answer(302, {"Location: /"}).admission().remember);
  EXPECT_FALSE(Answer({kFresh}).admission().remember);
}

RULE(HitForMiss, NeverWhatOneRequestIs, "http-rules 3.2",
     "A client must not be able to switch the cache off for a URL",
     "Authorization, method, Cookie and Range of one request are not remembered", "") {
  EXPECT_FALSE(Answer({kFresh}).to({"Authorization: x"}).admission().remember);
  EXPECT_FALSE(Answer({kFresh}).to(Request("POST", {})).admission().remember);
  EXPECT_FALSE(Answer({kFresh, "Vary: Cookie"}).to({"Cookie: a=b"}).admission().remember);
  for (const uint16_t status : {206, 304, 416, 429, 431}) {
    EXPECT_FALSE(Answer(status, {kFresh}).admission().remember) << status;
  }
}

RULE(HitForMiss, ErrorsOfTheOriginAreNot, "http-rules 3.2",
     "An origin that fails must not be asked by all clients at once",
     "a 5xx is never remembered, whatever it says", "") {
  for (const uint16_t status : {500, 502, 503, 504, 599}) {
    EXPECT_FALSE(Answer(status, {"Cache-Control: no-store"}).admission().remember) << status;
    EXPECT_FALSE(Answer(status, {}).admission().remember) << status;
  }
}

// --- errors that a request can provoke ---

constexpr uint16_t kProvokable[] = {400, 401, 408, 413, 414, 421, 425, 426,
                                    500, 501, 502, 503, 504, 505, 599};
constexpr uint16_t kOthers[] = {200, 301, 403, 404, 405, 410, 418, 422, 451};

RULE(ProvokedErrors, AreNotStoredOfAnUnusualRequest, "http-rules 5.7",
     "An origin answers an oddity with an error, and the error page says how long it holds",
     "400, 401, 408, 413, 414, 421, 425, 426, 431 and 5xx are not stored when the request was "
     "unusual: above 2 KiB, with odd bytes, or with a field that its name holds back; and never "
     "remembered as hit-for-miss",
     "error_ttl_cap") {
  const std::string long_value = "X: " + std::string(2'048, 'a');
  for (const std::string& line :
       {long_value, std::string("X: \x7f"), std::string("X: \x01"), std::string("X: caf\xc3\xa9"),
        std::string("X-Forwarded-Host: evil"), std::string("X-Middleware-Subrequest: 1"),
        std::string("X-HTTP-Method-Override: PUT"), std::string("If_None_Match: x"),
        std::string("Content_Length: 5"), std::string("X-Amz-Date: x")}) {
    for (const uint16_t status : kProvokable) {
      const Answer answer = Answer(status, {kFresh}).to({line});
      EXPECT_EQ(answer.storable(), Storable::kUnusualRequest) << status << " " << line;
      EXPECT_FALSE(Answer(status, {"Cache-Control: no-store"}).to({line}).admission().remember);
    }
    for (const uint16_t status : kOthers) {
      EXPECT_EQ(Answer(status, {kFresh}).to({line}).storable(), Storable::kStorable) << line;
    }
  }
}

RULE(ProvokedErrors, AreStoredOfAUsualRequest, "http-rules 5.7",
     "What every browser sends provokes nothing",
     "conditions, Range, Accept-Encoding, directives, cookies and hop-by-hop fields do not make a "
     "request unusual, nor does a field that the site lists",
     "forward_headers") {
  const Request usual({"Host: site.test", "User-Agent: x", "Accept: */*", "Accept-Encoding: gzip",
                       "Accept-Language: de", "Connection: keep-alive, X-Hop", "X-Hop: 1",
                       "Cookie: a=b", "If-None-Match: \"a\"", "Range: bytes=0-1",
                       "Pragma: no-cache", "Cache-Control: no-cache", "Sec-Fetch-Mode: navigate",
                       "DNT: 1", "Upgrade-Insecure-Requests: 1", "X-Custom: a\ttab, ~",
                       "TE: trailers"});
  PolicyOptions listing;
  listing.forward_headers = {"RSC"};
  for (const uint16_t status : kProvokable) {
    EXPECT_EQ(Answer(status, {kFresh}).to(usual).storable(), Storable::kStorable) << status;
    EXPECT_EQ(Answer(status, {kFresh}).to({"RSC: 1"}).under(listing).storable(),
              Storable::kStorable);
  }
  const Request selecting({"RSC: 1"});
  const std::string_view vary[] = {"rsc"};
  const Lines lines({kFresh});
  http::ReceivedResponse received;
  received.status = 500;
  received.fields = lines.fields();
  EXPECT_EQ(http::admit(selecting.head(), received, {}, {}).storable, Storable::kUnusualRequest);
  EXPECT_EQ(http::admit(selecting.head(), received, {}, {}, vary).storable, Storable::kStorable);
}

RULE(ProvokedErrors, AreKeptForAMoment, "http-rules 5.7",
     "An error that one request provoked must not stand for long",
     "at most error_ttl_cap, 10 s unless configured, whatever they say, and never stale: neither "
     "windows of the origin or the site nor max-stale nor an unreachable origin keep them",
     "error_ttl_cap") {
  PolicyOptions options;
  options.stale_while_revalidate_s = options.stale_if_error_s = 60;
  options.honour_client_directives = true;
  const char* const says =
      "Cache-Control: max-age=60, stale-while-revalidate=60, stale-if-error=60";
  for (const uint16_t status : kProvokable) {
    const Answer answer = Answer(status, {says, "ETag: \"a\"", date(0)}).under(options);
    EXPECT_EQ(answer.lifetime_s(), 10) << status;
    EXPECT_EQ(answer.decide({}, 9.999).action, http::Action::kServe) << status;
    EXPECT_EQ(answer.decide({}, 10).action, http::Action::kRevalidate) << status;
    EXPECT_EQ(answer.decide({"Cache-Control: max-stale"}, 10).action, http::Action::kRevalidate);
    for (const auto failure : {http::OriginFailure::kUnreachable, http::OriginFailure::kServerError,
                               http::OriginFailure::kSlow}) {
      EXPECT_FALSE(answer.stands_in(failure, 11)) << status;
    }
  }
  for (const uint16_t status : kOthers) {
    const Answer answer = Answer(status, {says, date(0)}).under(options);
    EXPECT_EQ(answer.lifetime_s(), 60) << status;
    EXPECT_TRUE(answer.stands_in(http::OriginFailure::kUnreachable, 61)) << status;
  }
  EXPECT_EQ(Answer(500, {"Cache-Control: max-age=5", date(0)}).lifetime_s(), 5);
  options.error_ttl_cap_s = 2;
  EXPECT_EQ(Answer(500, {says, date(0)}).under(options).lifetime_s(), 2);
  options.error_ttl_cap_s = 0;
  EXPECT_EQ(Answer(500, {says, date(0)}).under(options).storable(),
            Storable::kNoFreshnessNoValidator);
}

RULE(Storable, AStarElsewhereIsNoVary, "RFC 9111 §4.1; http-rules 2.7",
     "Vary alone says what a response varies by", "other fields may hold `*` or name Cookie", "") {
  for (const std::string line : {"Access-Control-Allow-Origin: *", "X: a, *", "X: Cookie",
                                 "Access-Control-Allow-Headers: cookie"}) {
    EXPECT_EQ(Answer({kFresh, line}).to({"Cookie: a=b"}).storable(), Storable::kStorable) << line;
  }
}

RULE(Storable, ANarrowWindowIsAUse, "RFC 5861 §3, §4",
     "A window of no length lets nobody use a stale response",
     "stale at once, with windows of 0 and no validator, it is not stored; with 1 s it is", "") {
  for (const std::string name : {"stale-while-revalidate=", "stale-if-error="}) {
    const std::string line = "Cache-Control: max-age=0, " + name;
    EXPECT_EQ(Answer({line + "0"}).storable(), Storable::kNoFreshnessNoValidator) << name;
    EXPECT_EQ(Answer({line + "1"}).storable(), Storable::kStorable) << name;
  }
}

RULE(Storable, BypassStoresNothing, "RFC 9211 §2.2", "A site may name paths that are never cached",
     "is relayed and never stored", "bypass") {
  PolicyOptions options;
  options.bypass = true;
  EXPECT_EQ(Answer({kFresh}).under(options).storable(), Storable::kConfigured);
}

}  // namespace
}  // namespace perigee::test

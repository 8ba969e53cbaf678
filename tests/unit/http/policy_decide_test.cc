// What a request gets (RFC 9111 §4): a hit, a stale hit, a validation, a fetch, or 504; and what
// the directives of a client change where a site honours them (§5.2.1).
#include <gtest/gtest.h>

#include "tests/support/rule.h"
#include "tests/unit/http/exchange_text.h"

namespace perigee::test {
namespace {

GUARDS("http::decide, http::may_share, http::asks_only_if_cached");

using http::Action;
using http::Decision;
using http::Forward;
using http::PolicyOptions;

constexpr auto kTag = "ETag: \"a\"";

/// What was stored with max-age=100 and a validator, asked for again with these directives.
class Honoured {
 public:
  explicit Honoured(const std::string& also = "", bool honour = true)
      : answer_(
            {"Cache-Control: max-age=100" + (also.empty() ? also : ", " + also), kTag, date(0)}) {
    PolicyOptions options;
    options.honour_client_directives = honour;
    answer_.under(options);
  }
  Decision asked(const std::string& directives, double after_s) const {
    return answer_.decide({"Cache-Control: " + directives}, after_s);
  }
  Action action(const std::string& directives, double after_s) const {
    return asked(directives, after_s).action;
  }
  const Answer& answer() const { return answer_; }

 private:
  Answer answer_;
};

Decision nothing_stored(const Request& request, bool vary_miss = false,
                        const PolicyOptions& options = {}) {
  return http::decide(nullptr, vary_miss, request.head(), kReceivedMs, options);
}

// --- by what is stored ---

RULE(Decide, Fresh, "RFC 9111 §4; RFC 9211 §2.1, §2.5",
     "A fresh stored response may be reused without asking the origin",
     "GET and HEAD are hits, with Age and ttl", "") {
  const Answer answer({"Cache-Control: max-age=100", date(0)});
  for (const char* method : {"GET", "HEAD"}) {
    const Decision decision = answer.decide(Request(method, {}), 40.5);
    EXPECT_EQ(decision.action, Action::kServe) << method;
    EXPECT_EQ(decision.forward, Forward::kNone);
    EXPECT_EQ(decision.age_s, 40);
    EXPECT_EQ(decision.ttl_s, 59);
  }
}

RULE(Decide, Stale, "RFC 9111 §4.3.1; RFC 9211 §2.2",
     "A stale response is validated when it has a validator",
     "validated with an ETag or Last-Modified, else fetched; fwd=stale with a negative ttl", "") {
  const Decision tagged = Answer({"Cache-Control: max-age=100", kTag, date(0)}).decide({}, 100.001);
  EXPECT_EQ(tagged.action, Action::kRevalidate);
  EXPECT_EQ(tagged.forward, Forward::kStale);
  EXPECT_EQ(tagged.ttl_s, -1);
  EXPECT_EQ(Answer({"Cache-Control: max-age=9", last_modified(-60), date(0)}).decide({}, 9).action,
            Action::kRevalidate);
  EXPECT_EQ(Answer({"Cache-Control: max-age=9", date(0)}).decide({}, 9).action, Action::kFetch);
}

RULE(Decide, NothingStored, "RFC 9211 §2.2", "Why a request goes forward has a name",
     "uri-miss where nothing is stored, vary-miss where only other variants are", "") {
  EXPECT_EQ(nothing_stored({}).action, Action::kFetch);
  EXPECT_EQ(nothing_stored({}).forward, Forward::kUriMiss);
  EXPECT_EQ(nothing_stored({}, true).forward, Forward::kVaryMiss);
}

RULE(Decide, NoCache, "RFC 9111 §5.2.2.4", "no-cache is never reused without validation",
     "validated each time, however fresh", "") {
  const Decision decision =
      Answer({"Cache-Control: max-age=100, no-cache", kTag, date(0)}).decide({}, 1);
  EXPECT_EQ(decision.action, Action::kRevalidate);
  EXPECT_EQ(decision.forward, Forward::kStale);
}

RULE(Decide, VaryStar, "RFC 9111 §4.1", "What varies by `*` matches no request",
     "fetched, however fresh a record of it is", "") {
  const Answer answer({"Cache-Control: max-age=100", "Vary: *", kTag, date(0)});
  EXPECT_EQ(answer.decide({}, 1).action, Action::kFetch);
  EXPECT_FALSE(answer.shared_with({}, 1));
}

RULE(Decide, MustRevalidateWhileFresh, "RFC 9111 §5.2.2.2",
     "must-revalidate speaks of stale responses only", "a hit while fresh, validated when stale",
     "") {
  for (const std::string directive : {"must-revalidate", "proxy-revalidate"}) {
    const Answer answer({"Cache-Control: max-age=9, " + directive, kTag, date(0)});
    EXPECT_EQ(answer.decide({}, 8).action, Action::kServe);
    EXPECT_EQ(answer.decide({}, 9).action, Action::kRevalidate);
  }
}

RULE(Decide, OtherMethods, "RFC 9111 §4; RFC 9211 §2.2; http-rules 3.17",
     "A stored response answers only the method that it was stored for, and HEAD",
     "all others are relayed, OPTIONS too: fwd=method", "") {
  const Answer answer({"Cache-Control: max-age=100", date(0)});
  for (const char* method : {"POST", "PUT", "DELETE", "OPTIONS", "PATCH", "PROPFIND", "SEARCH"}) {
    EXPECT_EQ(answer.decide(Request(method, {})).action, Action::kPass) << method;
    EXPECT_EQ(answer.decide(Request(method, {})).forward, Forward::kMethod) << method;
  }
}

RULE(Decide, Bypass, "RFC 9211 §2.2", "A cache may be configured not to handle a request",
     "is relayed: fwd=bypass", "bypass") {
  PolicyOptions options;
  options.bypass = true;
  const Decision decision = Answer({"Cache-Control: max-age=100"}).under(options).decide();
  EXPECT_EQ(decision.action, Action::kPass);
  EXPECT_EQ(decision.forward, Forward::kBypass);
}

RULE(Decide, RedirectsAndErrorsToo, "RFC 9111 §3; http-rules 1.9",
     "Any status with explicit freshness is reused", "a fresh 302, 404 or 599 is a hit", "") {
  for (const uint16_t status :
       {204, 299, 301, 302, 303, 307, 308, 400, 404, 410, 499, 500, 503, 599}) {
    const Answer answer(status, {"Cache-Control: max-age=9", date(0)});
    EXPECT_EQ(answer.decide({}, 8).action, Action::kServe) << status;
    EXPECT_EQ(answer.decide({}, 9).action, Action::kFetch) << status;
  }
}

// --- stale-while-revalidate ---

RULE(StaleWhileRevalidate, Window, "RFC 5861 §3",
     "A cache may serve stale within the window while it revalidates",
     "a stale hit with a refresh behind it, up to the last millisecond of the window; beyond it "
     "clients wait for the origin",
     "stale_while_revalidate") {
  const Answer answer({"Cache-Control: max-age=100, stale-while-revalidate=50", kTag, date(0)});
  EXPECT_EQ(answer.decide({}, 99).action, Action::kServe);
  EXPECT_EQ(answer.decide({}, 100).action, Action::kServeStale);
  EXPECT_EQ(answer.decide({}, 100).forward, Forward::kNone);
  EXPECT_EQ(answer.decide({}, 120.5).ttl_s, -21);
  EXPECT_EQ(answer.decide({}, 150).action, Action::kServeStale);
  EXPECT_EQ(answer.decide({}, 150.001).action, Action::kRevalidate);
}

RULE(StaleWhileRevalidate, OursIsNone, "http-rules 2.4", "A cache need not allow stale by itself",
     "without a word of the origin or the site there is no window", "stale_while_revalidate") {
  EXPECT_EQ(Answer({"Cache-Control: max-age=100", date(0)}).decide({}, 101).action, Action::kFetch);
  PolicyOptions options;
  options.stale_while_revalidate_s = 50;
  const auto after = [&](const std::string& directives, double seconds) {
    return Answer({"Cache-Control: " + directives, date(0)})
        .under(options)
        .decide({}, seconds)
        .action;
  };
  EXPECT_EQ(after("max-age=100", 120), Action::kServeStale);
  EXPECT_EQ(after("max-age=100, stale-while-revalidate=5", 120), Action::kFetch);
  EXPECT_EQ(after("max-age=100, stale-while-revalidate=x", 120), Action::kServeStale);
  EXPECT_EQ(after("s-maxage=100", 120), Action::kFetch);
}

RULE(StaleWhileRevalidate, ForbiddenByTheOrigin, "RFC 9111 §4.2.4; RFC 5861 §3; http-rules 2.8",
     "must-revalidate, proxy-revalidate and no-cache forbid to serve stale",
     "they always win over a window", "") {
  for (const std::string directive : {"must-revalidate", "proxy-revalidate", "no-cache"}) {
    EXPECT_EQ(Answer({"Cache-Control: max-age=9, stale-while-revalidate=50, " + directive, kTag})
                  .decide({}, 10)
                  .action,
              Action::kRevalidate)
        << directive;
  }
}

RULE(StaleWhileRevalidate, BesideSMaxage, "RFC 9111 §5.2.2.10; RFC 5861 §3; http-rules 2.8",
     "s-maxage forbids stale reuse like proxy-revalidate",
     "deliberate deviation: an explicit stale window of the origin beside s-maxage is its "
     "permission "
     "and stands; a site's window does not overrule s-maxage",
     "") {
  EXPECT_EQ(Answer({"Cache-Control: s-maxage=9, stale-while-revalidate=50"}).decide({}, 10).action,
            Action::kServeStale);
}

RULE(StaleWhileRevalidate, OfErrors, "RFC 5861 §3", "The window speaks of any cached response",
     "a stored 404 is served stale in its window too", "") {
  for (const uint16_t status : {302, 404, 410}) {
    EXPECT_EQ(Answer(status, {"Cache-Control: max-age=9, stale-while-revalidate=50"})
                  .decide({}, 10)
                  .action,
              Action::kServeStale)
        << status;
  }
}

// --- only-if-cached ---

RULE(OnlyIfCached, AlwaysHonoured, "RFC 9111 §5.2.1.7; http-rules 3.1",
     "only-if-cached asks for a stored response or 504",
     "honoured always, also where no other directive of clients is: 504 instead of going forward",
     "") {
  const Request request({"Cache-Control: Only-If-Cached"});
  EXPECT_EQ(nothing_stored(request).action, Action::kGatewayTimeout);
  EXPECT_EQ(nothing_stored(request).forward, Forward::kUriMiss);
  const Answer answer({"Cache-Control: max-age=100", kTag, date(0)});
  EXPECT_EQ(answer.decide(request, 99).action, Action::kServe);
  EXPECT_EQ(answer.decide(request, 100).action, Action::kGatewayTimeout);
  EXPECT_EQ(answer.decide({"Cache-Control: max-age=0, only-if-cached"}, 99).action, Action::kServe);
  EXPECT_EQ(answer.decide({"Cache-Control: only-if-cached, max-age=0"}, 100).action,
            Action::kGatewayTimeout);
  EXPECT_EQ(answer.decide({"Cache-Control: x", "Cache-Control: only-if-cached"}, 100).action,
            Action::kGatewayTimeout);
  EXPECT_EQ(answer.decide({"Cache-Control: x=\"only-if-cached\""}, 100).action,
            Action::kRevalidate);
}

RULE(OnlyIfCached, StaleWithinAWindow, "RFC 9111 §5.2.1.7; RFC 5861 §3",
     "A stored response that other rules allow satisfies it",
     "a stale one within stale-while-revalidate is served", "") {
  EXPECT_EQ(Answer({"Cache-Control: max-age=9, stale-while-revalidate=50"})
                .decide({"Cache-Control: only-if-cached"}, 10)
                .action,
            Action::kServeStale);
}

RULE(OnlyIfCached, WhereNothingIsEverStored, "RFC 9111 §5.2.1.7",
     "The directive holds for requests that no cache can answer",
     "504 for other methods and for bypassed paths too: nothing is forwarded", "") {
  const std::string only = "Cache-Control: only-if-cached";
  EXPECT_EQ(nothing_stored(Request("POST", {only})).action, Action::kGatewayTimeout);
  PolicyOptions options;
  options.bypass = true;
  EXPECT_EQ(nothing_stored({only}, false, options).action, Action::kGatewayTimeout);
}

// --- directives of clients ---

RULE(ClientDirectives, IgnoredByDefault, "RFC 9111 §5.2.1; http-rules 3.1, 4.15",
     "Directives of requests are advisory, and reloads would pierce a shield",
     "ignored, all but only-if-cached; Pragma always", "honour_client_directives") {
  const Honoured ignored("", false);
  for (const std::string directives : {"no-cache", "no-store", "max-age=0", "max-age=1",
                                       "min-fresh=1000", "max-age=0, no-cache"}) {
    EXPECT_EQ(ignored.action(directives, 50), Action::kServe) << directives;
  }
  for (const std::string directives : {"max-stale", "max-stale=1000", "no-store"}) {
    EXPECT_EQ(ignored.action(directives, 101), Action::kRevalidate) << directives;
  }
  EXPECT_EQ(ignored.answer().decide({"Pragma: no-cache"}).action, Action::kServe);
  EXPECT_EQ(Honoured().answer().decide({"Pragma: no-cache"}).action, Action::kServe);
}

RULE(ClientDirectives, NoCache, "RFC 9111 §5.2.1.4",
     "no-cache asks for validation before a stored response is used",
     "validated: fwd=request while it is fresh, fwd=stale else", "honour_client_directives") {
  const Honoured honoured;
  EXPECT_EQ(honoured.action("no-cache", 50), Action::kRevalidate);
  EXPECT_EQ(honoured.asked("no-cache", 50).forward, Forward::kRequest);
  EXPECT_EQ(honoured.asked("NO-CACHE, max-stale", 101).forward, Forward::kStale);
  EXPECT_EQ(honoured.action("no-cache", 101), Action::kRevalidate);
  EXPECT_EQ(Honoured("stale-while-revalidate=50").action("no-cache", 101), Action::kRevalidate);
  EXPECT_EQ(Honoured("immutable").action("no-cache", 50), Action::kRevalidate);
}

RULE(ClientDirectives, NoStore, "RFC 9111 §5.2.1.5",
     "no-store forbids to store any part of the request or the response to it",
     "a stored response may answer it; what has to be fetched goes alone and unstored",
     "honour_client_directives") {
  const Honoured honoured;
  EXPECT_EQ(honoured.action("no-store", 50), Action::kServe);
  EXPECT_EQ(honoured.action("no-store", 101), Action::kPass);
  EXPECT_EQ(honoured.asked("no-store", 101).forward, Forward::kStale);
  EXPECT_EQ(honoured.action("no-store, no-cache", 50), Action::kPass);
  PolicyOptions options;
  options.honour_client_directives = true;
  EXPECT_EQ(nothing_stored({"Cache-Control: no-store"}, false, options).action, Action::kPass);
  EXPECT_EQ(nothing_stored({"Cache-Control: no-store"}).action, Action::kFetch);
}

RULE(
    ClientDirectives, MaxAge, "RFC 9111 §5.2.1.1",
    "max-age asks for a response of at most that age, and without max-stale for none that is stale",
    "an older one is validated; an invalid argument is 0", "honour_client_directives") {
  const Honoured honoured;
  EXPECT_EQ(honoured.action("max-age=50", 50), Action::kServe);
  EXPECT_EQ(honoured.action("max-age=50", 50.001), Action::kRevalidate);
  EXPECT_EQ(honoured.action("max-age=0", 0), Action::kServe);
  EXPECT_EQ(honoured.action("max-age=0", 1), Action::kRevalidate);
  EXPECT_EQ(honoured.action("max-age=x", 1), Action::kRevalidate);
  EXPECT_EQ(honoured.action("max-age=500", 101), Action::kRevalidate);
  EXPECT_EQ(Honoured("stale-while-revalidate=50").action("max-age=500", 101), Action::kRevalidate);
  PolicyOptions options;
  options.honour_client_directives = true;
  EXPECT_EQ(Answer({"Cache-Control: max-age=3600", "Age: 1800", kTag})
                .under(options)
                .decide({"Cache-Control: max-age=600"})
                .action,
            Action::kRevalidate);
}

RULE(ClientDirectives, MaxStale, "RFC 9111 §5.2.1.2",
     "max-stale accepts a response that is stale by at most that long, or any without an argument",
     "served stale within it; the first of several counts, an invalid argument is none",
     "honour_client_directives") {
  const Honoured honoured;
  EXPECT_EQ(honoured.action("max-stale=10", 110), Action::kServe);
  EXPECT_EQ(honoured.asked("max-stale=10", 110).ttl_s, -10);
  EXPECT_EQ(honoured.action("max-stale=10", 110.001), Action::kRevalidate);
  EXPECT_EQ(honoured.action("max-stale", 1'000'000), Action::kServe);
  EXPECT_EQ(honoured.action("max-stale=", 101), Action::kRevalidate);
  EXPECT_EQ(honoured.action("max-stale=x", 101), Action::kRevalidate);
  EXPECT_EQ(honoured.action("max-stale=5, max-stale", 110), Action::kRevalidate);
  EXPECT_EQ(honoured.action("max-stale=5", 50), Action::kServe);
  PolicyOptions options;
  options.honour_client_directives = true;
  EXPECT_EQ(Answer({"Cache-Control: max-age=1500", "Age: 2000", kTag})
                .under(options)
                .decide({"Cache-Control: max-stale=1000"})
                .action,
            Action::kServe);
}

RULE(ClientDirectives, MaxStaleDoesNotOverrule, "RFC 9111 §4.2.4, §5.2.2.2, §5.2.2.10",
     "A cache must not serve stale what the origin forbids to, whatever the client accepts",
     "must-revalidate, proxy-revalidate, no-cache and s-maxage win", "honour_client_directives") {
  for (const std::string directive :
       {"must-revalidate", "proxy-revalidate", "no-cache", "s-maxage=100"}) {
    EXPECT_EQ(Honoured(directive).action("max-stale", 101), Action::kRevalidate) << directive;
  }
}

RULE(ClientDirectives, MinFresh, "RFC 9111 §5.2.1.3",
     "min-fresh asks for a response that stays fresh for at least that long",
     "validated when less is left; an invalid argument is ignored", "honour_client_directives") {
  const Honoured honoured;
  EXPECT_EQ(honoured.action("min-fresh=50", 50), Action::kServe);
  EXPECT_EQ(honoured.action("min-fresh=50", 50.001), Action::kRevalidate);
  EXPECT_EQ(honoured.action("min-fresh=x", 50), Action::kServe);
  EXPECT_EQ(Honoured("stale-while-revalidate=50").action("min-fresh=1", 101), Action::kRevalidate);
}

RULE(ClientDirectives, Together, "RFC 9111 §5.2.1", "Each directive is a condition of its own",
     "all of them have to hold", "honour_client_directives") {
  const Honoured honoured;
  // max-stale permits staleness; it does not lift the age that max-age allows.
  EXPECT_EQ(honoured.action("max-age=200, max-stale", 150), Action::kServe);
  EXPECT_EQ(honoured.action("max-age=120, max-stale", 150), Action::kRevalidate);
  EXPECT_EQ(honoured.action("max-age=200, max-stale=10", 150), Action::kRevalidate);
  EXPECT_EQ(honoured.action("max-age=60, max-stale", 80), Action::kRevalidate);
  EXPECT_EQ(honoured.action("max-age=60, min-fresh=50", 40), Action::kServe);
  EXPECT_EQ(honoured.action("max-age=60, min-fresh=70", 40), Action::kRevalidate);
  EXPECT_EQ(honoured.action("min-fresh=1, max-stale=50", 101), Action::kRevalidate);
}

RULE(ClientDirectives, MaxStaleAndTheOriginsWindow, "RFC 5861 §3; RFC 9111 §5.2.1.2",
     "The client's bound and the origin's permission both apply",
     "within both windows the stale response is served; beyond the client's it is not",
     "honour_client_directives") {
  const Honoured window("stale-while-revalidate=50");
  EXPECT_EQ(window.action("max-stale=10", 105), Action::kServe);
  EXPECT_EQ(window.action("max-stale=10", 120), Action::kRevalidate);
  EXPECT_EQ(window.action("foo", 120), Action::kServeStale);
  const Honoured shared("s-maxage=100, stale-while-revalidate=50");
  EXPECT_EQ(shared.action("max-stale=10", 105), Action::kServeStale);
}

RULE(ClientDirectives, Immutable, "RFC 8246 §2",
     "A fresh immutable response is not validated on a reload, unless the client insists",
     "max-age=0 of a reload is met with a hit while it is fresh; no-cache is validated",
     "honour_client_directives") {
  const Honoured immutable("immutable");
  EXPECT_EQ(immutable.action("max-age=0", 50), Action::kServe);
  EXPECT_EQ(immutable.action("max-age=0", 101), Action::kRevalidate);
  EXPECT_EQ(immutable.action("max-age=0, min-fresh=60", 50), Action::kRevalidate);
  EXPECT_EQ(Answer({"Cache-Control: immutable", kTag}).decide().action, Action::kRevalidate);
}

RULE(ClientDirectives, UnknownOnes, "RFC 9111 §5.2.3", "Unknown directives are ignored",
     "a hit stays a hit", "honour_client_directives") {
  EXPECT_EQ(Honoured().action("foo, s-maxage=0, must-revalidate, private", 50), Action::kServe);
  EXPECT_EQ(Honoured().answer().decide({"Pragma: x"}, 50).action, Action::kServe);
}

// --- what a fill may share ---

RULE(Share, FreshToEverybody, "RFC 9111 §4; http-rules 1.2",
     "A response answers another request only as a stored one would",
     "a fill's response answers those who wait if decide() calls it a hit for them", "") {
  const Answer answer({"Cache-Control: max-age=100", date(0)});
  EXPECT_TRUE(answer.shared_with({}));
  EXPECT_TRUE(answer.shared_with({"Authorization: x"}));
  EXPECT_TRUE(answer.shared_with({"Cookie: a=b"}));
  EXPECT_FALSE(answer.shared_with({}, 100));
  EXPECT_FALSE(answer.shared_with(Request("POST", {})));
}

RULE(Share, NotWhatMustBeValidated, "RFC 9111 §5.2.2.4; http-rules 1.2",
     "no-cache must not be used for another request without validation",
     "those who wait are released: no-cache, max-age=0, stale on arrival", "") {
  for (const std::string directives :
       {"no-cache, max-age=100", "max-age=0", "max-age=0, stale-while-revalidate=50"}) {
    EXPECT_FALSE(Answer({"Cache-Control: " + directives, kTag, date(0)}).shared_with({}))
        << directives;
  }
  EXPECT_FALSE(Answer({"Cache-Control: max-age=10", "Age: 10", kTag}).shared_with({}));
}

RULE(
    Share, NotWhatIsForOne, "RFC 9111 §3.5, §7.3; http-rules 1.2, 3.9",
    "Credentials and cookies make a response one client's",
    "private to its request: after Authorization without permission, with Set-Cookie unless stored",
    "set_cookie") {
  EXPECT_FALSE(Answer({"Cache-Control: max-age=100"}).to({"Authorization: x"}).shared_with({}));
  EXPECT_TRUE(
      Answer({"Cache-Control: public, max-age=100"}).to({"Authorization: x"}).shared_with({}));
  PolicyOptions options;
  const auto with_cookie = [&] {
    return Answer({"Cache-Control: max-age=100", "Set-Cookie: a=b"}).under(options).shared_with({});
  };
  EXPECT_FALSE(with_cookie());
  options.set_cookie = http::SetCookieMode::kStore;
  EXPECT_TRUE(with_cookie());
  options.set_cookie = http::SetCookieMode::kStrip;
  EXPECT_TRUE(with_cookie());
}

RULE(Share, NotWhatIsNeverStored, "RFC 9111 §3.3; http-rules 1.2",
     "Partial answers and refusals answer one request",
     "206, 304, 416, 429 and their like go alone", "") {
  for (const uint16_t status : {206, 304, 416, 428, 429, 431, 511}) {
    EXPECT_FALSE(Answer(status, {"Cache-Control: max-age=100"}).shared_with({})) << status;
  }
  EXPECT_TRUE(Answer(404, {"Cache-Control: max-age=100"}).shared_with({}));
  EXPECT_FALSE(Answer({"Cache-Control: max-age=100", "Vary: *"}).shared_with({}));
}

RULE(Share, DirectivesOfWhoWaits, "RFC 9111 §5.2.1; http-rules 1.2",
     "A waiter is judged by its own request",
     "with honoured directives that it fails, it is released", "honour_client_directives") {
  const Honoured honoured;
  EXPECT_FALSE(honoured.answer().shared_with({"Cache-Control: no-cache"}));
  EXPECT_FALSE(honoured.answer().shared_with({"Cache-Control: min-fresh=200"}));
  EXPECT_TRUE(honoured.answer().shared_with({"Cache-Control: max-age=5"}));
}

RULE(Decide, AGuessedLifetimeYields, "RFC 9111 §4.2.2, §5.2.1, §5.4; http-rules 2.16",
     "Package managers ask for fresh indexes, and origins often state no lifetime for them",
     "no-cache, max-age=0 and Pragma of a client have a guessed lifetime checked with the origin; "
     "a stated one is not pierced; a response that was fetched just now is shared",
     "") {
  const Answer guessed({kTag, last_modified(-100'000), date(0)});
  const Answer stated({"Cache-Control: max-age=100", kTag, date(0)});
  for (const std::string line :
       {"Cache-Control: no-cache", "Cache-Control: max-age=0", "Pragma: no-cache"}) {
    const Decision decision = guessed.decide({line}, 5);
    EXPECT_EQ(decision.action, Action::kRevalidate) << line;
    EXPECT_EQ(decision.forward, Forward::kRequest);
    EXPECT_EQ(stated.decide({line}, 5).action, Action::kServe) << line;
    EXPECT_TRUE(http::may_share(guessed.stored(), Request({line}).head(), kReceivedMs, {}));
  }
  for (const std::string line :
       {"Cache-Control: max-age=60", "Cache-Control: no-transform", "Pragma: x", "X: no-cache"}) {
    EXPECT_EQ(guessed.decide({line}, 5).action, Action::kServe) << line;
  }
  // Where both are there, Cache-Control is what counts.
  EXPECT_EQ(guessed.decide({"Cache-Control: no-transform", "Pragma: no-cache"}, 5).action,
            Action::kServe);
}

}  // namespace
}  // namespace perigee::test

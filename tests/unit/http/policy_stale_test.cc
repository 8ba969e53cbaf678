// What covers for an origin that fails (RFC 9111 §4.2.4, RFC 5861 §4).
#include <gtest/gtest.h>

#include "tests/support/rule.h"
#include "tests/unit/http/exchange_text.h"

namespace perigee::test {
namespace {

GUARDS("http::may_serve_stale");

using http::OriginFailure;
using http::PolicyOptions;

constexpr auto kUnreachable = OriginFailure::kUnreachable;
constexpr auto kServerError = OriginFailure::kServerError;
constexpr double kDay = 86'400;

Answer stored(const std::string& directives, const PolicyOptions& options = {}) {
  return Answer({"Cache-Control: " + directives, "ETag: \"a\"", date(0)}).under(options);
}

RULE(Unreachable, CoveredForADay, "RFC 9111 §4.2.4; http-rules 2.8",
     "A cache that is disconnected may serve stale",
     "an origin that cannot be reached is covered for a day after the end of freshness",
     "unreachable_stale") {
  EXPECT_TRUE(stored("max-age=100").stands_in(kUnreachable, 100));
  EXPECT_TRUE(stored("max-age=100").stands_in(kUnreachable, 100 + kDay));
  EXPECT_FALSE(stored("max-age=100").stands_in(kUnreachable, 100.001 + kDay));
  EXPECT_TRUE(stored("max-age=0").stands_in(kUnreachable, 5));
  EXPECT_TRUE(Answer({"ETag: \"a\"", date(0)}).stands_in(kUnreachable, 5));
  PolicyOptions options;
  options.unreachable_stale_s = 10;
  EXPECT_TRUE(stored("max-age=100", options).stands_in(kUnreachable, 110));
  EXPECT_FALSE(stored("max-age=100", options).stands_in(kUnreachable, 111));
  options.unreachable_stale_s = 0;
  EXPECT_FALSE(stored("max-age=100", options).stands_in(kUnreachable, 101));
}

RULE(Unreachable, Forbidden, "RFC 9111 §4.2.4, §5.2.2.2, §5.2.2.8, §5.2.2.10; http-rules 2.8",
     "must-revalidate, proxy-revalidate, no-cache and s-maxage forbid it",
     "504 then, never a cut connection", "") {
  for (const std::string directives :
       {"max-age=100, must-revalidate", "max-age=100, proxy-revalidate", "max-age=100, no-cache",
        "s-maxage=100", "max-age=1, s-maxage=100"}) {
    EXPECT_FALSE(stored(directives).stands_in(kUnreachable, 101)) << directives;
  }
}

RULE(Unreachable, ExplicitWindowBesideSMaxage, "RFC 5861; RFC 9111 §5.2.2.10; http-rules 2.8",
     "An explicit window of the origin is its permission",
     "deliberate deviation: stale-if-error or stale-while-revalidate beside s-maxage stands", "") {
  EXPECT_TRUE(stored("s-maxage=100, stale-if-error=50").stands_in(kUnreachable, 150));
  EXPECT_FALSE(stored("s-maxage=100, stale-if-error=50").stands_in(kUnreachable, 151));
  EXPECT_TRUE(stored("s-maxage=100, stale-while-revalidate=50").stands_in(kUnreachable, 150));
  EXPECT_FALSE(stored("s-maxage=100, stale-while-revalidate=50").stands_in(kUnreachable, 151));
  EXPECT_FALSE(
      stored("s-maxage=100, stale-if-error=50, must-revalidate").stands_in(kUnreachable, 101));
}

RULE(StaleIfError, OnServerErrors, "RFC 5861 §4; http-rules 2.8",
     "Within stale-if-error a stale response may be used in place of a 500, 502, 503 or 504",
     "only under stale-if-error of the origin or the site; without it the error is relayed",
     "stale_if_error") {
  EXPECT_FALSE(stored("max-age=100").stands_in(kServerError, 101));
  EXPECT_FALSE(stored("max-age=100, stale-while-revalidate=50").stands_in(kServerError, 101));
  EXPECT_TRUE(stored("max-age=100, stale-if-error=50").stands_in(kServerError, 150));
  EXPECT_FALSE(stored("max-age=100, stale-if-error=50").stands_in(kServerError, 150.001));
  EXPECT_TRUE(stored("max-age=100, stale-if-error=50").stands_in(kUnreachable, 101));
  EXPECT_TRUE(stored("s-maxage=100, stale-if-error=50").stands_in(kServerError, 150));
}

RULE(StaleIfError, OfTheSite, "RFC 5861 §4; http-rules 2.8",
     "A site may allow stale where the origin is silent",
     "it fills in; it does not overrule the origin's window, s-maxage, or what forbids stale",
     "stale_if_error") {
  PolicyOptions options;
  options.stale_if_error_s = 50;
  EXPECT_TRUE(stored("max-age=100", options).stands_in(kServerError, 150));
  EXPECT_FALSE(stored("max-age=100", options).stands_in(kServerError, 151));
  EXPECT_FALSE(stored("max-age=100, stale-if-error=5", options).stands_in(kServerError, 110));
  EXPECT_FALSE(stored("max-age=100, stale-if-error=0", options).stands_in(kServerError, 101));
  EXPECT_FALSE(stored("s-maxage=100", options).stands_in(kServerError, 101));
  EXPECT_FALSE(stored("max-age=100, must-revalidate", options).stands_in(kServerError, 101));
}

RULE(StaleIfError, Forbidden, "RFC 9111 §4.2.4; RFC 5861 §4; http-rules 2.8",
     "must-revalidate, proxy-revalidate and no-cache always win", "504, or the error as it came",
     "") {
  for (const std::string directive : {"must-revalidate", "proxy-revalidate", "no-cache"}) {
    for (const OriginFailure failure : {kUnreachable, kServerError}) {
      EXPECT_FALSE(stored("max-age=100, stale-if-error=50, " + directive).stands_in(failure, 101))
          << directive;
    }
  }
}

RULE(StaleIfError, NeverAStoredError, "http-rules 2.8",
     "An old error is no substitute for an answer",
     "a stored 5xx never stands in; a stored 404 or redirect does", "") {
  for (const uint16_t status : {500, 501, 502, 503, 504, 599}) {
    const Answer answer(status, {"Cache-Control: max-age=100, stale-if-error=50", date(0)});
    EXPECT_FALSE(answer.stands_in(kUnreachable, 101)) << status;
    EXPECT_FALSE(answer.stands_in(kServerError, 101)) << status;
  }
  for (const uint16_t status : {204, 301, 404, 410}) {
    EXPECT_TRUE(Answer(status, {"Cache-Control: max-age=100, stale-if-error=50", date(0)})
                    .stands_in(kServerError, 101))
        << status;
  }
}

RULE(StaleIfError, WhatBecameFreshMeanwhile, "RFC 9111 §4", "A fresh response needs no permission",
     "a copy that was stored while the failing request was under way is served", "") {
  EXPECT_TRUE(stored("max-age=100").stands_in(kServerError, 99));
  EXPECT_FALSE(stored("max-age=100, no-cache").stands_in(kUnreachable, 99));
}

RULE(StaleIfError, WhileTheOriginIsSlow, "RFC 9111 §4.2.4; http-rules 2.8",
     "An origin that has not answered yet is not disconnected",
     "it is covered within an explicit window alone, not for the day of an unreachable one",
     "stale_if_slow") {
  EXPECT_FALSE(stored("max-age=100").stands_in(OriginFailure::kSlow, 101));
  for (const std::string window : {"stale-if-error=5", "stale-while-revalidate=5"}) {
    EXPECT_TRUE(stored("max-age=100, " + window).stands_in(OriginFailure::kSlow, 105)) << window;
    EXPECT_FALSE(stored("max-age=100, " + window).stands_in(OriginFailure::kSlow, 106)) << window;
  }
}

RULE(StaleIfError, ClientsThatRuleStaleOut, "RFC 9111 §4.2.4, §5.2.1",
     "Stale must not be served against a directive of the client",
     "where they are honoured, no-cache, max-age, min-fresh and a smaller max-stale forbid it",
     "honour_client_directives") {
  PolicyOptions options;
  const auto covered = [&](const std::string& directives) {
    return stored("max-age=100, stale-if-error=50", options)
        .stands_in(kUnreachable, 120, {"Cache-Control: " + directives});
  };
  for (const std::string directives : {"no-cache", "max-age=500", "min-fresh=1", "max-stale=10"}) {
    options.honour_client_directives = true;
    EXPECT_FALSE(covered(directives)) << directives;
    options.honour_client_directives = false;
    EXPECT_TRUE(covered(directives)) << directives;
  }
  options.honour_client_directives = true;
  EXPECT_TRUE(covered("max-stale"));
  EXPECT_TRUE(covered("max-age=500, max-stale=30"));
}

RULE(StaleWhileRevalidate, OfNoLength, "RFC 5861 §3", "The window says for how long",
     "a window of 0 covers nothing, the first instant neither", "") {
  const Answer none({"Cache-Control: max-age=10, stale-while-revalidate=0", date(0)});
  EXPECT_EQ(none.decide({}, 10).action, http::Action::kFetch);
  const Answer one({"Cache-Control: max-age=10, stale-while-revalidate=1", date(0)});
  EXPECT_EQ(one.decide({}, 10).action, http::Action::kServeStale);
}

RULE(SoftPurge, CountsFromThePurge, "RFC 5861; http-rules 2.8",
     "Windows run from when the response became stale",
     "after a soft purge they run from the purge on", "") {
  const auto purged = [](double after_s) {
    return Answer({"Cache-Control: max-age=1000, stale-while-revalidate=50", date(0)})
        .purged_softly_at(10)
        .decide({}, after_s)
        .action;
  };
  EXPECT_EQ(purged(10), http::Action::kServeStale);
  EXPECT_EQ(purged(60), http::Action::kServeStale);
  EXPECT_EQ(purged(61), http::Action::kFetch);
}

}  // namespace
}  // namespace perigee::test

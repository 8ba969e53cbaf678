// How long a response stays fresh (RFC 9111 §4.2.1, §4.2.2), how old it is (§4.2.3), and what is
// left.
#include "http/freshness.h"

#include <gtest/gtest.h>

#include "tests/support/rule.h"
#include "tests/unit/http/exchange_text.h"

namespace perigee::test {
namespace {

GUARDS("http::freshness, http::remaining_seconds, http::age_seconds, http::admit");

using http::PolicyOptions;

constexpr double kNone = -1;

double lifetime(std::initializer_list<std::string> lines) { return Answer(lines).lifetime_s(); }

// --- lifetime: explicit ---

RULE(Lifetime, Order, "RFC 9111 §4.2.1; http-rules 2.3",
     "A shared cache takes s-maxage, else max-age, else Expires - Date",
     "in that order, on one line or several, in either order, longer or shorter", "ttl") {
  EXPECT_EQ(lifetime({"Cache-Control: s-maxage=10, max-age=60", expires(600)}), 10);
  EXPECT_EQ(lifetime({"Cache-Control: max-age=60, s-maxage=10"}), 10);
  EXPECT_EQ(lifetime({"Cache-Control: max-age=10, s-maxage=60"}), 60);
  EXPECT_EQ(lifetime({"Cache-Control: max-age=60", "Cache-Control: s-maxage=10"}), 10);
  EXPECT_EQ(lifetime({"Cache-Control: s-maxage=10", "Cache-Control: max-age=60"}), 10);
  EXPECT_EQ(lifetime({"Cache-Control: max-age=60", expires(10), date(0)}), 60);
  EXPECT_EQ(lifetime({expires(600), "Cache-Control: max-age=0", date(0)}), 0);
  EXPECT_EQ(lifetime({expires(600), "Cache-Control: public", date(0)}), 600);
}

RULE(Lifetime, InvalidIsZero, "RFC 9111 §4.2.1; http-rules 2.3",
     "A response with invalid freshness information is encouraged to be taken for stale",
     "a max-age or s-maxage whose argument is missing or no number is 0, without falling back",
     "") {
  for (const std::string argument :
       {"", "=", "=-1", "=+60", "=60.0", "=0x10", "=60s", "=a60", "= 60", " =60", "='60'", "=\"60",
        "=160\"", "=60 0", "=\"-1\"", "=\"6 0\"", "=\"\""}) {
    EXPECT_EQ(lifetime({"Cache-Control: max-age" + argument, expires(600), date(0)}), 0)
        << argument;
    EXPECT_EQ(lifetime({"Cache-Control: s-maxage" + argument + ", max-age=60"}), 0) << argument;
  }
}

RULE(Lifetime, FormsOfTheArgument, "RFC 9111 §5.2; http-rules 2.3",
     "Caches ought to accept the token and the quoted-string form of an argument",
     "both are read, names in any case, leading zeros and OWS around the comma are fine", "") {
  for (const std::string directive :
       {"max-age=60", "MAX-AGE=60", "MaX-aGe=60", "max-age=\"60\"", "max-age=0060",
        "foo, max-age=60", "  max-age=60  ,foo", ",,max-age=60,,", "foo=\"max-age=5\", max-age=60",
        "max-age=60, foo=\"a, max-age=5\""}) {
    EXPECT_EQ(lifetime({"Cache-Control: " + directive}), 60) << directive;
  }
}

RULE(Lifetime, TheFirstOfRepeatedOnes, "RFC 9111 §4.2.1; http-rules 2.3",
     "Where a directive is repeated, the first is to be used, or the response taken for stale",
     "the first counts, on one line or several, the first Expires too", "") {
  EXPECT_EQ(lifetime({"Cache-Control: max-age=60, max-age=1"}), 60);
  EXPECT_EQ(lifetime({"Cache-Control: max-age=1", "Cache-Control: max-age=60"}), 1);
  EXPECT_EQ(lifetime({"Cache-Control: max-age=x, max-age=60"}), 0);
  EXPECT_EQ(lifetime({expires(60), expires(600), date(0)}), 60);
}

RULE(Lifetime, Overflow, "RFC 9111 §1.2.2",
     "A delta-seconds that is too large is taken for 2^31 or the most that can be held",
     "anything beyond 2^31 is 2^31", "") {
  const auto most = static_cast<double>(int64_t{1} << 31);
  for (const std::string digits :
       {"2147483648", "2147483649", "4294967296", "99999999999", "18446744073709551616",
        "99999999999999999999999999999999999999"}) {
    EXPECT_EQ(lifetime({"Cache-Control: max-age=" + digits}), most) << digits;
  }
  EXPECT_EQ(lifetime({"Cache-Control: max-age=2147483647"}), most - 1);
}

RULE(Lifetime, ExpiresAgainstDate, "RFC 9111 §5.3; http-rules 2.2",
     "Expires is a point in time on the origin's clock, so Date is taken from it",
     "Expires - Date; without a valid Date, the time of receipt takes its place", "") {
  EXPECT_EQ(lifetime({expires(60), date(0)}), 60);
  EXPECT_EQ(lifetime({expires(60), date(-100)}), 160);
  EXPECT_EQ(lifetime({expires(1060), date(1000)}), 60);
  EXPECT_EQ(lifetime({expires(0), date(0)}), 0);
  EXPECT_EQ(lifetime({expires(300), date(400)}), 0);
  EXPECT_EQ(lifetime({expires(60)}), 60);
  EXPECT_EQ(lifetime({expires(60), "Date: yesterday"}), 60);
}

RULE(Lifetime, InvalidExpiresIsThePast, "RFC 9111 §5.3; http-rules 2.2",
     "An invalid Expires, 0 above all, means already expired",
     "is lifetime 0 and rules heuristics out", "") {
  for (const std::string value : {"0", "-1", "", "never", "Thu, 18 Aug 2050 02:01:18 UTC",
                                  "Thu, 18 Aug 50 02:01:18 GMT", "Thu 18 Aug 2050 02:01:18 GMT"}) {
    EXPECT_EQ(lifetime({"Expires: " + value, date(0), last_modified(-6000)}), 0) << value;
  }
  EXPECT_EQ(lifetime({"Expires: 0", expires(60), date(0)}), 0);
}

RULE(Lifetime, ZeroIsNeverFresh, "RFC 9111 §4.2; http-rules 2.1",
     "A response is fresh if its lifetime exceeds its age", "lifetime 0 never is, not even at once",
     "") {
  EXPECT_FALSE(
      http::freshness(Answer({"Cache-Control: max-age=0", "ETag: \"a\""}).stored(), kReceivedMs)
          .fresh());
}

// --- lifetime: heuristic ---

RULE(Lifetime, Heuristic, "RFC 9111 §4.2.2; http-rules 2.4",
     "Without explicit freshness a cache may assume a fraction of the time since Last-Modified",
     "10 % of Date - Last-Modified, at most an hour", "heuristic_cap") {
  EXPECT_EQ(lifetime({last_modified(-600), date(0)}), 60);
  EXPECT_EQ(lifetime({last_modified(-700), date(-100)}), 60);
  EXPECT_EQ(lifetime({last_modified(-600)}), 60);
  EXPECT_EQ(lifetime({last_modified(-5), date(0)}), 0.5);
  EXPECT_EQ(lifetime({last_modified(-86'400), date(0)}), 3600);
  PolicyOptions options;
  options.heuristic_cap_s = 7200;
  EXPECT_EQ(Answer({last_modified(-86'400 * 30), date(0)}).under(options).lifetime_s(), 7200);
  options.heuristic_cap_s = 0;
  EXPECT_EQ(Answer({last_modified(-86'400), date(0)}).under(options).lifetime_s(), 0);
}

RULE(Lifetime, HeuristicNeedsAnHonestLastModified, "RFC 9111 §4.2.2; http-rules 1.9",
     "The estimate rests on Last-Modified",
     "none without it, with one that does not parse, or one later than Date", "") {
  EXPECT_EQ(lifetime({date(0)}), kNone);
  EXPECT_EQ(lifetime({"Last-Modified: 1", date(0)}), kNone);
  EXPECT_EQ(lifetime({last_modified(1), date(0)}), kNone);
  EXPECT_EQ(lifetime({last_modified(0), date(0)}), 0);
  EXPECT_EQ(lifetime({"ETag: \"a\"", date(0)}), kNone);
}

RULE(Lifetime, HeuristicStatuses, "RFC 9110 §15.1; RFC 9111 §4.2.2; http-rules 1.9",
     "Only statuses defined as heuristically cacheable, or marked public, get an estimate",
     "200, 203, 204, 300, 301, 308, 404, 405, 410, 414, 501, and any marked public", "") {
  PolicyOptions patient;
  patient.error_ttl_cap_s = 3600;
  for (uint16_t status = 200; status <= 599; ++status) {
    bool listed = false;
    for (const uint16_t one : {200, 203, 204, 300, 301, 308, 404, 405, 410, 414, 501}) {
      listed = listed || one == status;
    }
    EXPECT_EQ(Answer(status, {last_modified(-600), date(0)}).under(patient).lifetime_s(),
              listed ? 60 : kNone)
        << status;
    EXPECT_EQ(Answer(status, {last_modified(-600), date(0), "Cache-Control: public"})
                  .under(patient)
                  .lifetime_s(),
              60)
        << status;
  }
}

RULE(Lifetime, NoHeuristicBesideExplicit, "RFC 9111 §4.2.2",
     "A cache must not use heuristics when an explicit expiration time is there",
     "max-age=0 and an invalid one too rule the estimate out", "") {
  EXPECT_EQ(lifetime({"Cache-Control: max-age=0", last_modified(-600)}), 0);
  EXPECT_EQ(lifetime({"Cache-Control: max-age=x", last_modified(-600)}), 0);
}

RULE(Lifetime, HeuristicIsMarked, "RFC 9111 §4.2.2", "An estimate is weaker than a statement",
     "what was estimated is kept as such", "") {
  EXPECT_NE(Answer({last_modified(-600)}).admission().policy.flags & http::ReuseFlag::kHeuristic,
            0u);
  EXPECT_EQ(
      Answer({"Cache-Control: max-age=5"}).admission().policy.flags & http::ReuseFlag::kHeuristic,
      0u);
}

// --- lifetime: what a site says ---

RULE(Lifetime, NoLifetimeOfOurOwn, "RFC 9111 §4.2.2; http-rules 2.4",
     "A cache need not make up a lifetime",
     "without a word of the origin or the site there is none", "default_ttl") {
  EXPECT_EQ(lifetime({"Content-Type: text/html"}), kNone);
}

RULE(Lifetime, SiteTtl, "http-rules 2.4", "A site may replace the lifetime of what it serves",
     "`ttl` replaces the origin's for 2xx and 3xx that are heuristically cacheable; private, "
     "no-store, Set-Cookie and Authorization stand",
     "ttl") {
  PolicyOptions options;
  options.ttl_s = 100;
  EXPECT_EQ(Answer({"Cache-Control: max-age=5"}).under(options).lifetime_s(), 100);
  EXPECT_EQ(Answer({"Cache-Control: max-age=500"}).under(options).lifetime_s(), 100);
  EXPECT_EQ(Answer({}).under(options).lifetime_s(), 100);
  EXPECT_EQ(Answer(404, {"Cache-Control: max-age=5"}).under(options).lifetime_s(), 5);
  EXPECT_EQ(Answer(500, {}).under(options).lifetime_s(), kNone);
  EXPECT_EQ(Answer({"Cache-Control: no-store"}).under(options).storable(),
            http::Storable::kNoStore);
  EXPECT_EQ(Answer({"Cache-Control: private"}).under(options).storable(), http::Storable::kPrivate);
  EXPECT_EQ(Answer({"Set-Cookie: a=b"}).under(options).storable(), http::Storable::kSetCookie);
  EXPECT_EQ(Answer({}).under(options).to({"Authorization: x"}).storable(),
            http::Storable::kAuthorization);
  EXPECT_EQ(Answer({"Cache-Control: no-cache", "ETag: \"a\""}).under(options).decide().action,
            http::Action::kRevalidate);
}

RULE(Lifetime, SiteDefaultTtl, "http-rules 2.4", "A site may fill in where the origin is silent",
     "`default_ttl` holds where no explicit lifetime is stated, before any estimate",
     "default_ttl") {
  PolicyOptions options;
  options.default_ttl_s = 100;
  EXPECT_EQ(Answer({}).under(options).lifetime_s(), 100);
  EXPECT_EQ(Answer({last_modified(-6000)}).under(options).lifetime_s(), 100);
  EXPECT_EQ(Answer({"Cache-Control: max-age=5"}).under(options).lifetime_s(), 5);
  EXPECT_EQ(Answer({"Cache-Control: max-age=x"}).under(options).lifetime_s(), 0);
  EXPECT_EQ(Answer({"Expires: 0"}).under(options).lifetime_s(), 0);
  EXPECT_EQ(Answer(302, {}).under(options).lifetime_s(), kNone);
}

RULE(Lifetime, SiteNegativeTtl, "http-rules 4.16", "A site may keep 404 and 410 for a short time",
     "only without any Cache-Control, Expires or CDN-Cache-Control, valid or not", "negative_ttl") {
  PolicyOptions options;
  options.negative_ttl_s = 10;
  const auto negative = [&](uint16_t status, std::initializer_list<std::string> lines) {
    return Answer(status, lines).under(options).lifetime_s();
  };
  EXPECT_EQ(negative(404, {}), 10);
  EXPECT_EQ(negative(410, {last_modified(-6000)}), 10);
  EXPECT_EQ(negative(405, {}), kNone);
  EXPECT_EQ(negative(200, {}), kNone);
  EXPECT_EQ(negative(404, {"Cache-Control: public"}), kNone);
  EXPECT_EQ(negative(404, {"Cache-Control: max-age=5"}), 5);
  EXPECT_EQ(negative(404, {"Expires: 0"}), 0);
  EXPECT_EQ(negative(404, {"CDN-Cache-Control: max-age=7"}), 7);
  EXPECT_EQ(negative(404, {"CDN-Cache-Control: public"}), kNone);
  EXPECT_EQ(negative(404, {"CDN-Cache-Control: &"}), kNone);
}

// --- age ---

RULE(Age, Forms, "RFC 9111 §5.1; http-rules 2.1",
     "Age is one non-negative integer; of several the first, and what is no integer is ignored",
     "the first member of the first line; ignored when that is not a non-negative integer", "") {
  const auto age = [](std::initializer_list<std::string> lines) {
    return Answer(lines).initial_age_s();
  };
  EXPECT_EQ(age({"Age: 30"}), 30);
  EXPECT_EQ(age({"Age: 0030"}), 30);
  EXPECT_EQ(age({"Age: 30, 5"}), 30);
  EXPECT_EQ(age({"Age: 0,7200"}), 0);
  EXPECT_EQ(age({"Age: 30", "Age: 5"}), 30);
  EXPECT_EQ(age({"Age: 0", "Age: 7200"}), 0);
  for (const std::string value :
       {"abc", "-7200", "7200.0", "\"7200\"", "7200;a=b", "+5", "", "1 2"}) {
    EXPECT_EQ(age({"Age: " + value}), 0) << value;
  }
}

RULE(Age, Overflow, "RFC 9111 §1.2.2; http-rules 2.1", "An Age too large to hold is 2^31",
     "anything beyond 2^31 is 2^31", "") {
  EXPECT_EQ(Answer({"Age: 99999999999999999999"}).initial_age_s(), 2147483648.0);
}

RULE(Age, ResponseDelay, "RFC 9111 §4.2.3; http-rules 2.1",
     "corrected_age_value is Age plus the time from the request to the response",
     "from the first byte sent to the head, in milliseconds", "") {
  EXPECT_EQ(Answer({date(0)}).took_ms(2500).initial_age_s(), 2.5);
  EXPECT_EQ(Answer({date(0), "Age: 10"}).took_ms(2500).initial_age_s(), 12.5);
  EXPECT_EQ(Answer({date(0)}).took_ms(-2500).initial_age_s(), 0);
}

RULE(Age, ApparentAge, "RFC 9111 §4.2.3; http-rules 3.7",
     "apparent_age is how far Date lies behind the time of receipt; the larger of both counts",
     "taken unless the site says that the origin's clock is not to be trusted",
     "trust_origin_clock") {
  EXPECT_EQ(Answer({date(-40)}).initial_age_s(), 40);
  EXPECT_EQ(Answer({date(-40), "Age: 50"}).initial_age_s(), 50);
  EXPECT_EQ(Answer({date(-60), "Age: 50"}).initial_age_s(), 60);
  EXPECT_EQ(Answer({date(40)}).initial_age_s(), 0);
  EXPECT_EQ(Answer({}).initial_age_s(), 0);
  EXPECT_EQ(Answer({"Date: x"}).initial_age_s(), 0);
  PolicyOptions options;
  options.trust_origin_clock = false;
  EXPECT_EQ(Answer({date(-60), "Age: 50"}).under(options).initial_age_s(), 50);
}

RULE(Age, GrowsInTheCache, "RFC 9111 §4.2.3", "current_age is the initial age plus resident time",
     "counted from the head of the response", "") {
  const Answer answer = Answer({"Cache-Control: max-age=100", "Age: 30", date(0)}).took_ms(500);
  const http::StoredResponse stored = answer.stored();
  const http::Freshness later = http::freshness(stored, kReceivedMs + 10'000);
  EXPECT_EQ(later.age_ms, 40'500);
  EXPECT_EQ(http::age_seconds(later), 40);
  EXPECT_TRUE(later.fresh());
  EXPECT_TRUE(http::freshness(stored, kReceivedMs + 69'499).fresh());
  EXPECT_FALSE(http::freshness(stored, kReceivedMs + 69'500).fresh());
}

RULE(Age, OldOnArrival, "RFC 9111 §4.2; http-rules 2.1",
     "A response whose Age exceeds its lifetime is stale when it comes",
     "is stored stale, with max-age, Expires and CDN-Cache-Control alike", "") {
  for (const std::string& line : {std::string("Cache-Control: max-age=3600"), expires(3600),
                                  std::string("CDN-Cache-Control: max-age=3600")}) {
    EXPECT_EQ(Answer({line, date(0), "ETag: \"a\"", "Age: 7200"}).decide().action,
              http::Action::kRevalidate)
        << line;
  }
  EXPECT_EQ(Answer({date(-10), expires(10), "ETag: \"a\"", "Age: 25"}).decide().action,
            http::Action::kRevalidate);
  EXPECT_EQ(Answer({date(10), expires(20), "ETag: \"a\"", "Age: 15"}).decide().action,
            http::Action::kRevalidate);
}

RULE(Age, NeverBelowItsStart, "http-rules 4.22", "A clock that steps back makes nothing younger",
     "resident time is never negative", "") {
  const Answer answer({"Cache-Control: max-age=100", "Age: 30", date(0)});
  EXPECT_EQ(http::freshness(answer.stored(), kReceivedMs - 3'600'000).age_ms, 30'000);
}

// --- what is left ---

RULE(Age, RemainingLifetime, "RFC 9211 §2.5",
     "ttl is the remaining lifetime in seconds, negative when stale",
     "rounded down, so that it is negative from the first millisecond of staleness", "") {
  const auto left = [](int64_t lifetime_ms, int64_t age_ms) {
    return http::remaining_seconds({.age_ms = age_ms, .lifetime_ms = lifetime_ms});
  };
  EXPECT_EQ(left(60'000, 0), 60);
  EXPECT_EQ(left(60'000, 1), 59);
  EXPECT_EQ(left(60'000, 60'000), 0);
  EXPECT_EQ(left(60'000, 60'001), -1);
  EXPECT_EQ(left(60'000, 61'000), -1);
  EXPECT_EQ(left(60'000, 61'001), -2);
}

RULE(SoftPurge, StaleFromThen, "http-rules 2.8", "A soft purge ends the lifetime",
     "stale since the purge, or since its own end when that was earlier", "") {
  const auto stale_ms = [](int64_t purged_s, int64_t now_s) {
    const Answer answer =
        Answer({"Cache-Control: max-age=100", date(0)}).purged_softly_at(purged_s);
    const http::Freshness age = http::freshness(answer.stored(), kReceivedMs + now_s * 1000);
    EXPECT_FALSE(age.fresh());
    EXPECT_EQ(http::remaining_seconds(age), -age.stale_ms / 1000);
    return age.stale_ms;
  };
  EXPECT_EQ(stale_ms(10, 10), 0);
  EXPECT_EQ(stale_ms(10, 40), 30'000);
  EXPECT_EQ(stale_ms(10, 110), 100'000);
  EXPECT_EQ(stale_ms(150, 160), 60'000);
  EXPECT_EQ(stale_ms(50, 10), 0) << "the clock stepped back behind the purge";
}

}  // namespace
}  // namespace perigee::test

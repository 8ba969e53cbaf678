// CDN-Cache-Control (RFC 9213): when it governs, it alone does.
#include <gtest/gtest.h>

#include "tests/support/rule.h"
#include "tests/unit/http/exchange_text.h"

namespace perigee::test {
namespace {

GUARDS("http::parse_targeted, http::admit");

using http::Action;
using http::OriginFailure;
using http::Storable;

std::string cdn(const std::string& value) { return "CDN-Cache-Control: " + value; }

RULE(Targeted, GovernsTheLifetime, "RFC 9213 §2.2; http-rules 2.6",
     "A valid targeted field replaces Cache-Control and Expires for those that it targets",
     "its max-age or s-maxage is the lifetime, longer or shorter than theirs", "") {
  EXPECT_EQ(Answer({cdn("max-age=60")}).lifetime_s(), 60);
  EXPECT_EQ(Answer({cdn("max-age=60"), "Cache-Control: max-age=1"}).lifetime_s(), 60);
  EXPECT_EQ(Answer({cdn("max-age=1"), "Cache-Control: s-maxage=60"}).lifetime_s(), 1);
  EXPECT_EQ(Answer({cdn("max-age=60"), expires(-9), date(0)}).lifetime_s(), 60);
  EXPECT_EQ(Answer({cdn("max-age=60"), "Expires: 0", date(0)}).lifetime_s(), 60);
  EXPECT_EQ(Answer({cdn("max-age=0"), expires(600), date(0)}).lifetime_s(), 0);
  EXPECT_EQ(Answer({cdn("s-maxage=5, max-age=60")}).lifetime_s(), 5);
  EXPECT_EQ(Answer({cdn("foobar, max-age=60")}).lifetime_s(), 60);
  EXPECT_EQ(Answer({cdn("max-age=60;note=1")}).lifetime_s(), 60);
}

RULE(Targeted, GovernsStoring, "RFC 9213 §2.2; http-rules 2.6",
     "A valid targeted field decides on storing too",
     "max-age stores what Cache-Control calls no-store or private; no-store, private and no-cache "
     "stop what it allows",
     "") {
  EXPECT_EQ(Answer({"Cache-Control: no-store", cdn("max-age=60")}).storable(), Storable::kStorable);
  EXPECT_EQ(Answer({"Cache-Control: private", cdn("max-age=60")}).storable(), Storable::kStorable);
  EXPECT_EQ(Answer({"Cache-Control: max-age=60", cdn("no-store"), expires(9)}).storable(),
            Storable::kNoStore);
  EXPECT_EQ(Answer({"Cache-Control: max-age=60", cdn("private")}).storable(), Storable::kPrivate);
  EXPECT_EQ(Answer({"Cache-Control: max-age=60", cdn("no-cache"), "ETag: \"a\""}).decide().action,
            Action::kRevalidate);
  EXPECT_EQ(Answer({"Cache-Control: no-cache", cdn("max-age=60")}).decide().action, Action::kServe);
}

RULE(Targeted, GovernsTheRest, "RFC 9213 §2.2; http-rules 2.6",
     "Directives of Cache-Control that the targeted field lacks do not apply",
     "stale windows, must-revalidate, public and the exceptions for Authorization come from it "
     "alone",
     "") {
  EXPECT_EQ(
      Answer({"Cache-Control: public", cdn("max-age=60")}).to({"Authorization: x"}).storable(),
      Storable::kAuthorization);
  EXPECT_EQ(Answer({cdn("max-age=60, public")}).to({"Authorization: x"}).storable(),
            Storable::kStorable);
  const Answer lenient({"Cache-Control: max-age=1, must-revalidate",
                        cdn("max-age=10, stale-while-revalidate=20"), date(0)});
  EXPECT_EQ(lenient.decide({}, 25).action, Action::kServeStale);
  EXPECT_TRUE(lenient.stands_in(OriginFailure::kUnreachable, 3600));
  const Answer strict({"Cache-Control: max-age=10, stale-while-revalidate=20",
                       cdn("max-age=10, must-revalidate"), "ETag: \"a\"", date(0)});
  EXPECT_EQ(strict.decide({}, 25).action, Action::kRevalidate);
  EXPECT_FALSE(strict.stands_in(OriginFailure::kUnreachable, 25));
}

RULE(Targeted, WithoutALifetime, "RFC 9213 §2.2; http-rules 2.6",
     "A targeted field without freshness leaves the response without explicit freshness",
     "Cache-Control and Expires are not fallen back to; an estimate is possible", "") {
  EXPECT_EQ(Answer({cdn("foo"), "Cache-Control: max-age=60", expires(60), date(0)}).lifetime_s(),
            -1);
  EXPECT_EQ(
      Answer({cdn("foo"), "Cache-Control: max-age=60", last_modified(-600), date(0)}).lifetime_s(),
      60);
  EXPECT_EQ(Answer({cdn("foo"), "Cache-Control: max-age=60"}).storable(),
            Storable::kNoFreshnessNoValidator);
}

RULE(Targeted, InvalidCountsAsAbsent, "RFC 9213 §2.1; RFC 9651 §4.2; http-rules 2.6",
     "A field that does not parse, or is empty, is ignored whole",
     "Cache-Control and Expires govern then", "") {
  for (const std::string value :
       {"", "max-age=60, &&&&&", "max-age =60", "max-age= 60", "MaX-aGe=60", "max-age=60,",
        "max-age=60;", "max-age=\"60", "no-store, =", "max-age=9999999999999999"}) {
    EXPECT_EQ(Answer({cdn(value), "Cache-Control: max-age=5"}).lifetime_s(), 5) << value;
    EXPECT_EQ(Answer({cdn(value), "Cache-Control: no-store"}).storable(), Storable::kNoStore)
        << value;
  }
}

RULE(Targeted, WrongTypeCountsAsAbsent, "RFC 9213 §2.1; http-rules 2.6",
     "A known directive of the wrong type makes the field invalid",
     "numbers must be Integers, flags Booleans; only private and no-cache may be Strings", "") {
  for (const std::string value :
       {"max-age=\"10000\"", "max-age=1.5", "max-age", "max-age=tok", "max-age=(1)", "max-age=-1",
        "max-age=60, no-store=1", "no-store=\"x\"", "must-revalidate=1", "public=yes",
        "stale-if-error=\"5\"", "private=1", "no-cache=tok"}) {
    EXPECT_EQ(Answer({cdn(value), "Cache-Control: max-age=5"}).lifetime_s(), 5) << value;
  }
  EXPECT_EQ(Answer({cdn("foo=\"x\", bar=1.5, baz=(a b), max-age=60")}).lifetime_s(), 60);
}

RULE(Targeted, FlagsThatAreFalse, "RFC 9651 §3.2", "A Boolean member may be false",
     "a directive set to ?0 does not apply", "") {
  EXPECT_EQ(Answer({cdn("no-store=?0, max-age=60")}).storable(), Storable::kStorable);
  EXPECT_EQ(Answer({cdn("no-store=?1, max-age=60")}).storable(), Storable::kNoStore);
}

RULE(Targeted, QualifiedOnes, "RFC 9213 §2.1; http-rules 2.6",
     "private and no-cache take their field names as a String",
     "the named fields are not stored; a String that lists no names counts as unqualified", "") {
  Answer answer({cdn("max-age=60, private=\"x-user\""), "X-User: 1", date(0)});
  EXPECT_EQ(answer.storable(), Storable::kStorable);
  EXPECT_EQ(lines_of(answer.stored().block),
            (std::vector<std::string>{cdn("max-age=60, private=\"x-user\""), date(0)}));
  EXPECT_EQ(Answer({cdn("max-age=60, private=\"a b\"")}).storable(), Storable::kPrivate);
}

RULE(Targeted, Overflow, "RFC 9111 §1.2.2; http-rules 2.6", "Integers beyond 2^31 are 2^31",
     "2147483648 and 99999999999 are both 2^31", "") {
  EXPECT_EQ(Answer({cdn("max-age=2147483648")}).lifetime_s(), 2147483648.0);
  EXPECT_EQ(Answer({cdn("max-age=99999999999")}).lifetime_s(), 2147483648.0);
}

RULE(Targeted, SeveralLines, "RFC 9651 §4.2", "The lines of a field are joined before parsing",
     "members of all lines count, the last of a repeated key; one bad line spoils the field", "") {
  EXPECT_EQ(Answer({cdn("public"), cdn("max-age=60")}).lifetime_s(), 60);
  EXPECT_EQ(Answer({cdn("max-age=5"), cdn("max-age=60")}).lifetime_s(), 60);
  EXPECT_EQ(Answer({cdn("max-age=60"), cdn("&"), "Cache-Control: max-age=5"}).lifetime_s(), 5);
  EXPECT_EQ(Answer({cdn(""), cdn("max-age=60"), "Cache-Control: max-age=5"}).lifetime_s(), 5)
      << "an empty line is an empty member";
}

RULE(Targeted, MustUnderstand, "RFC 9111 §5.2.2.3; http-rules 2.5",
     "must-understand has its effect in a targeted field too", "no-store beside it is ignored",
     "") {
  EXPECT_EQ(Answer({cdn("must-understand, no-store, max-age=60")}).storable(), Storable::kStorable);
  EXPECT_EQ(Answer(599, {cdn("must-understand, max-age=60")}).storable(),
            Storable::kMustUnderstand);
}

}  // namespace
}  // namespace perigee::test

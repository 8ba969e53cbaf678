// The grammar of Cache-Control (RFC 9111 §5.2; http-rules 2.3) and of CDN-Cache-Control (RFC 9213).
#include "http/cache_control.h"

#include <gmock/gmock.h>

#include <string>

#include "base/limits.h"
#include "tests/support/field_lines.h"
#include "tests/support/rule.h"

namespace perigee::http {
namespace {

GUARDS("http::parse_cache_control, http::parse_delta_seconds, http::parse_surrogate");

using test::FieldLines;

/// All that was understood, in a fixed order: "max-age=5 no-store names=a,b".
std::string shown(const CacheControl& directives) {
  std::string text;
  const auto word = [&](const std::string& next) { text += (text.empty() ? "" : " ") + next; };
  const auto flag = [&](bool set, const char* name) {
    if (set) word(name);
  };
  const auto seconds = [&](const std::optional<int64_t>& value, const char* name) {
    if (value) word(std::string(name) + "=" + std::to_string(*value));
  };
  seconds(directives.s_maxage_s, "s-maxage");
  seconds(directives.max_age_s, "max-age");
  seconds(directives.stale_while_revalidate_s, "swr");
  seconds(directives.stale_if_error_s, "sie");
  seconds(directives.min_fresh_s, "min-fresh");
  seconds(directives.max_stale_s, "max-stale");
  flag(directives.max_stale_any, "max-stale");
  flag(directives.no_store, "no-store");
  flag(directives.no_cache, "no-cache");
  flag(directives.is_private, "private");
  flag(directives.is_public, "public");
  flag(directives.must_revalidate, "must-revalidate");
  flag(directives.proxy_revalidate, "proxy-revalidate");
  flag(directives.must_understand, "must-understand");
  flag(directives.no_transform, "no-transform");
  flag(directives.immutable, "immutable");
  flag(directives.only_if_cached, "only-if-cached");
  if (!directives.named_fields.empty()) {
    std::string names = "names=";
    for (const std::string_view name : directives.named_fields) {
      names += (names.back() == '=' ? "" : ",") + std::string(name);
    }
    word(names);
  }
  return text;
}

/// `lines` separated by line ends; "absent" when there is no such field.
std::string understood(std::string_view lines) {
  std::string text;
  for (std::string_view rest = lines;;) {
    const size_t end = rest.find('\n');
    text.append("Cache-Control: ").append(rest.substr(0, end)).append("\n");
    if (end == std::string_view::npos) break;
    rest.remove_prefix(end + 1);
  }
  const FieldLines fields(text);
  const CacheControl directives = parse_cache_control(fields.list());
  EXPECT_TRUE(directives.present);
  return shown(directives);
}

std::string targeted(std::string_view fields) {
  const FieldLines lines(fields);
  const std::optional<CacheControl> directives = parse_targeted(lines.list());
  return directives ? shown(*directives) : "absent";
}

struct Row {
  const char* name;
  const char* section;
  const char* sentence;
  const char* does;
  const char* field;
  const char* understood;
};

const Row kRows[] = {
    {"EveryResponseDirective", "RFC 9111 §5.2.2; RFC 5861; RFC 8246", "directives of responses",
     "all are known",
     "max-age=1, s-maxage=2, no-store, no-cache, private, public, must-revalidate, "
     "proxy-revalidate, "
     "must-understand, no-transform, immutable, stale-while-revalidate=3, stale-if-error=4",
     "s-maxage=2 max-age=1 swr=3 sie=4 no-store no-cache private public must-revalidate "
     "proxy-revalidate must-understand no-transform immutable"},
    {"EveryRequestDirective", "RFC 9111 §5.2.1", "directives of requests", "all are known",
     "max-age=1, max-stale=2, min-fresh=3, no-cache, no-store, no-transform, only-if-cached",
     "max-age=1 min-fresh=3 max-stale=2 no-store no-cache no-transform only-if-cached"},
    {"NamesInAnyCase", "RFC 9111 §5.2", "names are case-insensitive", "any case",
     "MAX-AGE=5, Public, nO-sTORE", "max-age=5 no-store public"},
    {"UnknownDirectives", "RFC 9111 §5.2.3", "unknown directives must be ignored", "ignored",
     "foo, bar=1, baz=\"x, no-store\", max-age=5", "max-age=5"},
    {"PrefixOfAName", "RFC 9111 §5.2", "names are compared whole", "unknown directives",
     "max-ag=1, max-age2=1, xmax-age=1, no-stor", ""},
    {"EmptyMembers", "RFC 9110 §5.6.1", "empty list elements", "skipped", ", max-age=5 ,, public,",
     "max-age=5 public"},
    {"LinesAreJoined", "RFC 9110 §5.2", "several lines are one list", "joined in order",
     "public\nmax-age=5\nmax-age=7, no-transform", "max-age=5 public no-transform"},
    {"TheFirstOfTwoNumbers", "RFC 9111 §4.2.1", "of a repeated directive the first may be used",
     "the first", "max-age=5, max-age=10", "max-age=5"},
    {"TheFirstOfTwoNumbersThoughInvalid", "RFC 9111 §4.2.1",
     "of a repeated directive the first may be used", "the first, invalid as it is",
     "max-age=x, max-age=10, s-maxage, s-maxage=10", "s-maxage=0 max-age=0"},
    {"TheFirstStaleWindowThoughInvalid", "RFC 9111 §4.2.1",
     "of a repeated directive the first may be used", "the first, invalid as it is",
     "stale-while-revalidate=x, stale-while-revalidate=10", ""},
    {"TheMoreRestrictiveOfTwoFlags", "RFC 9111 §4.2.1", "conflicts: the most restrictive holds",
     "an unqualified directive beats a qualified one", "no-cache=\"a\", no-cache, no-cache=\"b\"",
     "no-cache names=a,b"},
    {"QuotedNumber", "RFC 9111 §5.2", "both forms of an argument ought to be accepted",
     "token or quoted-string", "max-age=\"5\", s-maxage=\"007\"", "s-maxage=7 max-age=5"},
    {"LeadingZeros", "RFC 9111 §1.2.2", "delta-seconds are digits", "leading zeros are fine",
     "max-age=0005", "max-age=5"},
    {"SingleQuotes", "RFC 9111 §5.2", "single quotes quote nothing", "lifetime 0", "max-age='5'",
     "max-age=0"},
    {"UnclosedQuote", "RFC 9110 §5.6.4", "a quoted string has an end", "lifetime 0", "max-age=\"5",
     "max-age=0"},
    {"QuoteBehindTheNumber", "RFC 9110 §5.6.4", "a quoted string has a beginning", "lifetime 0",
     "max-age=5\"", "max-age=0"},
    {"EmptyQuotes", "RFC 9111 §1.2.2", "delta-seconds have a digit", "lifetime 0", "max-age=\"\"",
     "max-age=0"},
    {"EmptyArgument", "RFC 9111 §1.2.2", "delta-seconds have a digit", "lifetime 0",
     "max-age=", "max-age=0"},
    {"NoArgument", "RFC 9111 §5.2.2.1", "max-age takes an argument", "lifetime 0",
     "max-age, s-maxage", "s-maxage=0 max-age=0"},
    {"MinusSign", "RFC 9111 §1.2.2", "delta-seconds are not negative", "lifetime 0", "max-age=-5",
     "max-age=0"},
    {"PlusSign", "RFC 9111 §1.2.2", "delta-seconds are digits", "lifetime 0", "max-age=+5",
     "max-age=0"},
    {"Fraction", "RFC 9111 §1.2.2", "delta-seconds are digits", "lifetime 0", "max-age=5.0",
     "max-age=0"},
    {"Letters", "RFC 9111 §1.2.2", "delta-seconds are digits", "lifetime 0", "max-age=5s",
     "max-age=0"},
    {"SpaceBeforeEquals", "RFC 9111 §5.2", "no whitespace around the equals sign", "lifetime 0",
     "max-age =5", "max-age=0"},
    {"SpaceAfterEquals", "RFC 9111 §5.2", "no whitespace around the equals sign", "lifetime 0",
     "max-age= 5", "max-age=0"},
    {"SpaceBeforeEqualsOfQuoted", "RFC 9111 §5.2", "no whitespace around the equals sign",
     "lifetime 0", "s-maxage\t=\"5\"", "s-maxage=0"},
    {"SpaceInsideTheNumber", "RFC 9111 §1.2.2", "delta-seconds are digits", "lifetime 0",
     "max-age=5 5", "max-age=0"},
    {"SpaceInsideQuotes", "RFC 9111 §1.2.2", "delta-seconds are digits", "lifetime 0",
     "max-age=\" 5\"", "max-age=0"},
    {"SemicolonBehindTheNumber", "http-rules 4.17", "a semicolon separates nothing", "lifetime 0",
     "max-age=5; public", "max-age=0"},
    {"SemicolonBeforeTheNumber", "http-rules 4.17", "a semicolon separates nothing",
     "one unknown directive: no lifetime, no error", "public; max-age=60", ""},
    {"Most", "RFC 9111 §1.2.2", "a number that overflows is 2^31 or more", "2^31",
     "max-age=2147483648, s-maxage=2147483647", "s-maxage=2147483647 max-age=2147483648"},
    {"Overflow", "RFC 9111 §1.2.2", "a number that overflows is 2^31 or more", "2^31",
     "max-age=2147483649, s-maxage=99999999999999999999999999999",
     "s-maxage=2147483648 max-age=2147483648"},
    {"InvalidStaleWindows", "RFC 5861 §3", "the windows take delta-seconds", "absent",
     "stale-while-revalidate, stale-if-error=-1", ""},
    {"QualifiedNoCache", "RFC 9111 §5.2.2.4", "no-cache may name fields",
     "the named fields are left out of what is stored", "no-cache=\"Set-Cookie, X-A\"",
     "names=Set-Cookie,X-A"},
    {"QualifiedPrivate", "RFC 9111 §5.2.2.7", "private may name fields",
     "the named fields are left out of what is stored", "private=X-A", "names=X-A"},
    {"QualifiedByNothing", "RFC 9111 §5.2.2.7", "an argument that names no fields", "unqualified",
     "private=\"\", no-cache=", "no-cache private"},
    {"QualifiedByNoName", "RFC 9111 §5.2.2.7", "an argument that names no fields", "unqualified",
     "private=\"a b\", no-cache=\"a, (b)\"", "no-cache private"},
    {"QualifiedWithAnUnclosedQuote", "RFC 9110 §5.6.4", "a quoted string has an end",
     "unqualified, and nothing behind it is hidden", "no-cache=\"a, no-store", "no-store no-cache"},
    {"QualifiedWithASpace", "RFC 9111 §5.2", "no whitespace around the equals sign", "unqualified",
     "private =\"a\"", "private"},
    {"DirectivesInsideQuotes", "RFC 9110 §5.6.4", "a quoted string is one argument",
     "what stands in it is no directive", "ext=\"no-store, private\", max-age=5", "max-age=5"},
    {"EscapedQuotes", "RFC 9110 §5.6.4", "a quoted pair is a part of the argument",
     "it does not end it", "ext=\"a\\\", no-store\", public", "public"},
    {"MaxStaleWithoutLimit", "RFC 9111 §5.2.1.2", "without an argument any stale age is accepted",
     "any", "max-stale", "max-stale"},
    {"InvalidMaxStale", "RFC 9111 §5.2.1.2", "max-stale takes delta-seconds", "absent",
     "max-stale=x, max-stale", ""},
};

const Row kTargetedRows[] = {
    {"EveryDirective", "RFC 9213 §2.1", "the directives of responses", "all are known",
     "CDN-Cache-Control: max-age=1, s-maxage=2, no-store, no-cache, private, public, "
     "must-revalidate, "
     "proxy-revalidate, must-understand, no-transform, immutable, stale-while-revalidate=3, "
     "stale-if-error=4",
     "s-maxage=2 max-age=1 swr=3 sie=4 no-store no-cache private public must-revalidate "
     "proxy-revalidate must-understand no-transform immutable"},
    {"Absent", "RFC 9213 §2.2", "without the field Cache-Control governs", "absent",
     "Cache-Control: max-age=5", "absent"},
    {"OtherTargets", "RFC 9213 §2.2", "fields of other targets", "no business of ours",
     "Surrogate-Control: max-age=5\nOther-Cache-Control: max-age=5", "absent"},
    {"Empty", "RFC 9213 §2.2", "an empty field is ignored", "absent",
     "CDN-Cache-Control:", "absent"},
    {"ParseError", "RFC 9213 §2.1", "what does not parse is ignored whole", "absent",
     "CDN-Cache-Control: max-age=5, &", "absent"},
    {"UpperCase", "RFC 9651 §4.2.3.3", "keys are lower case", "absent",
     "CDN-Cache-Control: Max-Age=5", "absent"},
    {"Semicolons", "RFC 9651 §3.1.2", "a semicolon begins a parameter", "the parameter is ignored",
     "CDN-Cache-Control: public; max-age=5", "public"},
    {"Parameters", "RFC 9213 §2.1", "parameters mean nothing", "ignored",
     "CDN-Cache-Control: max-age=5;x=1, no-transform;y", "max-age=5 no-transform"},
    {"QuotedNumber", "RFC 9213 §2.1", "a directive of the wrong type invalidates the field",
     "absent", "CDN-Cache-Control: max-age=\"10000\"", "absent"},
    {"Decimal", "RFC 9213 §2.1", "a directive of the wrong type invalidates the field", "absent",
     "CDN-Cache-Control: max-age=1.5", "absent"},
    {"NoNumber", "RFC 9213 §2.1", "a directive of the wrong type invalidates the field", "absent",
     "CDN-Cache-Control: max-age, public", "absent"},
    {"Negative", "RFC 9111 §1.2.2", "delta-seconds are not negative", "absent",
     "CDN-Cache-Control: max-age=-1", "absent"},
    {"FlagWithANumber", "RFC 9213 §2.1", "a directive of the wrong type invalidates the field",
     "absent", "CDN-Cache-Control: max-age=5, no-store=1", "absent"},
    {"FlagWithAString", "RFC 9213 §2.1", "only private and no-cache take a String", "absent",
     "CDN-Cache-Control: public=\"x\"", "absent"},
    {"FlagWithAToken", "RFC 9213 §2.1", "only private and no-cache take a String", "absent",
     "CDN-Cache-Control: private=x", "absent"},
    {"InnerList", "RFC 9213 §2.1", "a directive of the wrong type invalidates the field", "absent",
     "CDN-Cache-Control: no-cache=(a b)", "absent"},
    {"FalseFlag", "RFC 9651 §3.2", "a Boolean may be false", "not set",
     "CDN-Cache-Control: no-store=?0, max-age=5", "max-age=5"},
    {"NamedFields", "RFC 9213 §2.1", "private and no-cache may name fields",
     "left out of what is stored", "CDN-Cache-Control: private=\"a, b\", no-cache=\"c\"",
     "names=a,b,c"},
    {"NamesThatAreNone", "RFC 9213 §2.1", "private and no-cache may name fields",
     "unqualified where they do not", "CDN-Cache-Control: private=\"a b\"", "private"},
    {"UnknownMembers", "RFC 9213 §2.1", "unknown directives are ignored",
     "of any type; the field governs all the same", "CDN-Cache-Control: foo=\"x\", bar=(1 2)", ""},
    {"RequestDirectives", "RFC 9213 §2.1", "directives of requests mean nothing", "unknown members",
     "CDN-Cache-Control: only-if-cached=1, max-stale, min-fresh=\"x\"", ""},
    {"Overflow", "RFC 9111 §1.2.2", "a number that overflows is 2^31", "2^31",
     "CDN-Cache-Control: max-age=999999999999999", "max-age=2147483648"},
    {"TooManyDigits", "RFC 9651 §4.2.4", "an Integer has 15 digits", "absent",
     "CDN-Cache-Control: max-age=1000000000000000", "absent"},
    {"TheLastOfTwo", "RFC 9651 §4.2.2", "a key that comes again replaces its value", "the last",
     "CDN-Cache-Control: max-age=5, max-age=10", "max-age=10"},
    {"LinesAreJoined", "RFC 9651 §4.2", "lines are one dictionary", "joined",
     "CDN-Cache-Control: max-age=5, public\nCDN-Cache-Control: max-age=10", "max-age=10 public"},
    {"OneLineInvalid", "RFC 9651 §4.2", "lines are one dictionary", "absent as a whole",
     "CDN-Cache-Control: max-age=5\nCDN-Cache-Control: Public", "absent"},
    {"OneLineEmpty", "RFC 9651 §4.2", "an empty line is an empty member", "absent as a whole",
     "CDN-Cache-Control: max-age=5\nCDN-Cache-Control:", "absent"},
};

[[maybe_unused]] const int kRegistered = [] {
  for (const Row& row : kRows) {
    test::register_rule("CacheControlRules", row.name,
                        {std::string(row.section) + "; http-rules 2.3", row.sentence, row.does, ""},
                        __FILE__, __LINE__,
                        [&row] { EXPECT_EQ(understood(row.field), row.understood) << row.field; });
  }
  for (const Row& row : kTargetedRows) {
    test::register_rule("TargetedRules", row.name,
                        {std::string(row.section) + "; http-rules 2.6", row.sentence, row.does, ""},
                        __FILE__, __LINE__,
                        [&row] { EXPECT_EQ(targeted(row.field), row.understood) << row.field; });
  }
  return 0;
}();

TEST(CacheControl, IsAbsentWithoutALine) {
  const FieldLines fields("Pragma: no-cache\nExpires: 0");
  const CacheControl directives = parse_cache_control(fields.list());
  EXPECT_FALSE(directives.present);
  EXPECT_EQ(shown(directives), "");
  EXPECT_EQ(understood(""), "") << "present, and says nothing";
}

TEST(CacheControl, OnlyIfCachedIsFoundAlone) {
  EXPECT_TRUE(asks_only_if_cached(FieldLines("Cache-Control: max-age=5, Only-If-Cached").list()));
  EXPECT_TRUE(
      asks_only_if_cached(FieldLines("Cache-Control: a\nCache-Control: only-if-cached").list()));
  EXPECT_FALSE(asks_only_if_cached(FieldLines("Cache-Control: x=\"only-if-cached\"").list()));
  EXPECT_FALSE(asks_only_if_cached(FieldLines("Pragma: only-if-cached").list()));
}

TEST(DeltaSeconds, AreDigitsAndSaturate) {
  EXPECT_EQ(parse_delta_seconds("0"), 0);
  EXPECT_EQ(parse_delta_seconds("2147483648"), kDeltaMost);
  EXPECT_EQ(parse_delta_seconds(std::string(10'000, '9')), kDeltaMost);
  for (const std::string_view text : {"", " 1", "1 ", "-1", "+1", "1.0", "0x1", "a"}) {
    EXPECT_EQ(parse_delta_seconds(text), std::nullopt) << text;
  }
}

constexpr int64_t kNowMs = 1'000'000'000;

std::string surrogate(std::initializer_list<std::string> lines) {
  std::string text;
  for (const std::string& line : lines) text += line + "\n";
  const FieldLines fields(text);
  const auto parsed = parse_surrogate(fields.list(), kNowMs);
  return parsed ? shown(*parsed) : "nothing";
}

RULE(SurrogateControl, LifetimeAndWindow, "Edge Architecture 1.0 §2.4; http-rules 2.6",
     "max-age is how long a surrogate may keep it; behind a plus, how long it may be stale then",
     "the first max-age counts, an invalid one is 0", "surrogate_control") {
  EXPECT_EQ(surrogate({"Surrogate-Control: max-age=60"}), "max-age=60");
  EXPECT_EQ(surrogate({"surrogate-control: content=\"ESI/1.0\", MAX-AGE=60"}), "max-age=60");
  EXPECT_EQ(surrogate({"Surrogate-Control: max-age=60+30"}), "max-age=60 swr=30 sie=30");
  EXPECT_EQ(surrogate({"Surrogate-Control: max-age=5, max-age=60"}), "max-age=5");
  EXPECT_EQ(surrogate({"Surrogate-Control: max-age=x"}), "max-age=0");
  EXPECT_EQ(surrogate({"Surrogate-Control: no-store"}), "no-store");
  EXPECT_EQ(surrogate({"Surrogate-Control: no-store-remote"}), "no-store");
  EXPECT_EQ(surrogate({"Surrogate-Control: max-age=60;other"}), "nothing");
  EXPECT_EQ(surrogate({"Surrogate-Control: content=\"ESI/1.0\""}), "nothing");
  EXPECT_EQ(surrogate({"Cache-Control: max-age=60"}), "nothing");
}

RULE(SurrogateControl, XAccelExpires, "http-rules 2.6",
     "nginx reads X-Accel-Expires as seconds, 0 for no caching, or @ and a time",
     "where there is no Surrogate-Control; anything else means nothing", "surrogate_control") {
  EXPECT_EQ(surrogate({"X-Accel-Expires: 60"}), "max-age=60");
  EXPECT_EQ(surrogate({"X-Accel-Expires: 0"}), "max-age=0 no-store");
  EXPECT_EQ(surrogate({"X-Accel-Expires: @1000060"}), "max-age=60");
  EXPECT_EQ(surrogate({"X-Accel-Expires: @1"}), "max-age=0");
  EXPECT_EQ(surrogate({"X-Accel-Expires: off"}), "nothing");
  EXPECT_EQ(surrogate({"X-Accel-Expires: -1"}), "nothing");
  EXPECT_EQ(surrogate({"X-Accel-Expires: 60", "Surrogate-Control: max-age=5"}), "max-age=5");
}

TEST(SurrogateControl, BeyondTheBoundItIsNotStored) {
  std::string many;
  for (size_t i = 0; i < base::limits::kDirectives; ++i) many += "x,";
  EXPECT_EQ(surrogate({"Surrogate-Control: " + many}), "nothing");
  EXPECT_EQ(surrogate({"Surrogate-Control: max-age=60," + many}), "max-age=60 no-store");
}

}  // namespace
}  // namespace perigee::http

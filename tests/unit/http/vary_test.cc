// Which requests choose the same response (RFC 9111 §4.1; http-rules 2.7).
#include "http/vary.h"

#include <gmock/gmock.h>

#include <string>

#include "tests/support/field_lines.h"
#include "tests/support/rule.h"

namespace perigee::http {
namespace {

GUARDS("http::vary_names, http::append_selected");

using test::FieldLines;
using testing::ElementsAre;

/// The names in order, "any" for `*` and what counts like it.
std::string names_of(std::string_view response_fields) {
  const FieldLines lines(response_fields);
  const auto names = vary_names(lines.list());
  if (!names) return "any";
  std::string text;
  for (const std::string& name : *names) text += (text.empty() ? "" : " ") + name;
  return text;
}

std::string selected(std::initializer_list<std::string_view> names,
                     std::string_view request_fields) {
  const FieldLines lines(request_fields);
  std::string out;
  append_selected({names}, lines.list(), out);
  return out;
}

/// Do two requests choose the same variant under `Vary: name`?
bool same(std::string_view name, std::string_view one, std::string_view other) {
  return selected({name}, one) == selected({name}, other);
}

struct Row {
  const char* name;
  const char* sentence;
  const char* vary;
  const char* one;
  const char* other;
  bool same;
};

const Row kRows[] = {
    {"EqualValues", "equal values choose alike", "foo", "Foo: 1", "Foo: 1", true},
    {"OtherValues", "other values choose otherwise", "foo", "Foo: 1", "Foo: 2", false},
    {"FieldNamesInAnyCase", "field names are case-insensitive", "foo", "FOO: 1", "foo: 1", true},
    {"AbsentIsAbsent", "absent matches absent", "foo", "Bar: 1", "Baz: 2", true},
    {"AbsentIsNotPresent", "absent matches only absent", "foo", "", "Foo: 1", false},
    {"AbsentIsNotEmpty", "absent matches only absent", "foo", "", "Foo:", false},
    {"EmptyIsEmpty", "an empty value is a value", "foo", "Foo:", "Foo:", true},
    {"FieldsNotNamed", "fields not named never matter", "foo", "Foo: 1\nCookie: a\nAccept: b",
     "Foo: 1", true},
    {"LinesAreJoined", "lines are joined with commas", "foo", "Foo: 1\nFoo: 2", "Foo: 1, 2", true},
    {"WhitespaceAroundCommas", "whitespace around commas is removed", "foo", "Foo: 1,2",
     "Foo: 1 ,\t2", true},
    {"WhitespaceInQuotes", "outside quotes only", "foo", "Foo: \"1,2\"", "Foo: \"1, 2\"", false},
    {"WhitespaceInValues", "around commas only", "foo", "Foo: a b", "Foo: a  b", false},
    {"OrderOfOtherFields", "other fields keep their order", "foo", "Foo: 1, 2", "Foo: 2, 1", false},
    {"CaseOfOtherFields", "other fields keep their case", "foo", "Foo: a", "Foo: A", false},
    {"QuotedListIsNoList", "a quoted comma separates nothing", "foo", "Foo: \"1,2\"",
     "Foo: \"1\nFoo: 2\"", false},
    {"MembersDoNotRunTogether", "a comma separates", "foo", "Foo: a, b", "Foo: ab", false},
    {"LinesDoNotRunTogether", "a line separates", "foo", "Foo: a\nFoo: b", "Foo: ab", false},
    {"MembersOfAListDoNotRunTogether", "a comma separates", "cache-control", "Cache-Control: a, b",
     "Cache-Control: ab", false},
    {"LanguagesDoNotRunTogether", "a comma separates", "accept-language", "Accept-Language: a, b",
     "Accept-Language: ab", false},
    {"LinesOfOneValueDoNotRunTogether", "a line separates", "cookie", "Cookie: a=1\nCookie: 2",
     "Cookie: a=12", false},
    {"FoldedLinesDoNotRunTogether", "a line separates", "x-a", "X_A: 1\nX_A: 2", "X_A: 1x_a:2",
     false},
    {"EmptyMembersOfAnyText", "a comma in a field of unknown grammar may be data", "foo", "Foo: 1,",
     "Foo: 1", false},
    {"EmptyMembersInside", "a comma in a field of unknown grammar may be data", "foo", "Foo: 1,,2",
     "Foo: 1,2", false},
    {"EmptyValueOrComma", "a comma in a field of unknown grammar may be data", "foo",
     "Foo:", "Foo: ,", false},
    {"EmptyLines", "lines are joined with commas", "foo", "Foo: 1\nFoo:", "Foo: 1 ,", true},
    {"EmptyMembersOfAList", "empty members of a list mean nothing", "cache-control",
     "Cache-Control: a, ,b,", "Cache-Control: a,b", true},
    {"EmptyMembersOfNegotiation", "empty members of a list mean nothing", "accept-language",
     "Accept-Language: ,de,,en", "Accept-Language: de, en", true},
    {"EmptyMembersOfTags", "empty members of a list mean nothing", "if-none-match",
     "If-None-Match: \"a\",", "If-None-Match: \"a\"", true},
    {"EmptyMembersOfHints", "a structured list has no empty members", "sec-ch-ua",
     "Sec-CH-UA: \"a\",", "Sec-CH-UA: \"a\"", false},
    {"OriginWithAComma", "Origin is one value", "origin", "Origin: https://app.example,",
     "Origin: https://app.example", false},
    {"OriginWithACommaInFront", "Origin is one value", "origin", "Origin: ,https://app.example",
     "Origin: https://app.example", false},
    {"OriginOverLines", "lines are not what one line is", "origin", "Origin: a\nOrigin: b",
     "Origin: a,b", false},
    {"OriginWithSpace", "Origin is compared byte for byte", "origin", "Origin: a ,b", "Origin: a,b",
     false},
    {"RefererWithAComma", "Referer is one value", "referer", "Referer: http://a/,",
     "Referer: http://a/", false},
    {"HostWithAComma", "Host is one value", "host", "Host: a,", "Host: a", false},
    {"TypeWithAComma", "Content-Type is one value", "content-type", "Content-Type: a/b,",
     "Content-Type: a/b", false},
    {"DateWithSpace", "a date is one value", "if-modified-since", "If-Modified-Since: Sun , 1",
     "If-Modified-Since: Sun, 1", false},
    {"FetchSiteWithAComma", "Sec-Fetch-* are single values", "sec-fetch-site",
     "Sec-Fetch-Site: none,", "Sec-Fetch-Site: none", false},
    {"DntWithAComma", "DNT is one value", "dnt", "DNT: 1,", "DNT: 1", false},
    {"AuthorizationWithSpace", "Authorization is one value", "authorization",
     "Authorization: Basic a ,b", "Authorization: Basic a,b", false},
    {"RefererWithSpace", "Referer is one value", "referer", "Referer: http://a/ ,b",
     "Referer: http://a/,b", false},
    {"HostWithSpace", "Host is one value", "host", "Host: a ,b", "Host: a,b", false},
    {"TypeWithSpace", "Content-Type is one value", "content-type", "Content-Type: a/b ,c",
     "Content-Type: a/b,c", false},
    {"FetchSiteWithSpace", "Sec-Fetch-* are single values", "sec-fetch-site",
     "Sec-Fetch-Site: none ,a", "Sec-Fetch-Site: none,a", false},
    {"HintsWithSpace", "Sec-CH-* may be lists", "sec-ch-ua", "Sec-CH-UA: \"a\" , \"b\"",
     "Sec-CH-UA: \"a\",\"b\"", true},
    {"DntWithSpace", "DNT is one value", "dnt", "DNT: 1 ,2", "DNT: 1,2", false},
    {"EmptyMembersOfPrefer", "empty members of a list mean nothing", "prefer", "Prefer: a, ,b,",
     "Prefer: a,b", true},
    {"OtherFieldsBesideAList", "fields not named never matter", "cache-control",
     "Cache-Control: a\nX: b", "Cache-Control: a", true},
    {"OtherFieldsBesideNegotiation", "fields not named never matter", "accept-language",
     "Accept-Language: de\nX: b", "Accept-Language: de", true},
    {"OtherFieldsBesideOneValue", "fields not named never matter", "origin", "Origin: a\nX: b",
     "Origin: a", true},
    {"OtherFieldsBesideAFoldedOne", "fields not named never matter", "x-custom",
     "X_Custom: 1\nX: b", "X_Custom: 1", true},
    {"CookieLines", "two lines of Cookie are not one", "cookie", "Cookie: a=1\nCookie: b=2",
     "Cookie: a=1, b=2", false},
    {"FoldedSpelling", "CGI reads `_` as `-`: what it sees selects", "x-custom", "X_Custom: 1", "",
     false},
    {"FoldedSpellingIsNoOther", "how a name is spelled may matter", "x-custom", "X_Custom: 1",
     "X-Custom: 1", false},
    {"FoldedSpellingInAnyCase", "names are case-insensitive", "x-custom", "X_Custom: 1",
     "x_cusTOM: 1", true},
    {"FoldedSpellingBeside", "CGI reads `_` as `-`: what it sees selects", "x-custom",
     "X-Custom: 1\nX.Custom: 2", "X-Custom: 1", false},
    {"FoldedSpellingsInOrder", "which line comes first may matter", "x-custom",
     "X-Custom: 1\nX_Custom: 2", "X_Custom: 2\nX-Custom: 1", false},
    {"FoldedSpellingForged", "no value imitates another", "x-custom", "X-Custom: x_custom:1",
     "X_Custom: 1", false},
    {"LanguageOrder", "members of equal weight in any order", "accept-language",
     "Accept-Language: en, de", "Accept-Language: de, en", true},
    {"LanguageCase", "languages are case-insensitive", "accept-language", "Accept-Language: EN, De",
     "Accept-Language: en, de", true},
    {"LanguageSpace", "whitespace means nothing", "accept-language",
     "Accept-Language: en ; q=0.5,de", "Accept-Language: en;q=0.5, de", true},
    {"LanguageWeights", "weights say what is preferred", "accept-language",
     "Accept-Language: en;q=0.5, de", "Accept-Language: en, de;q=0.5", false},
    {"LanguageOrderOfWeights", "weights say what is preferred, not the order", "accept-language",
     "Accept-Language: en;q=0.5, de", "Accept-Language: de, en;q=0.5", true},
    {"LanguageZero", "q=0 means not acceptable", "accept-language", "Accept-Language: en, de;q=0",
     "Accept-Language: en, de", false},
    {"LanguageSubset", "all members count", "accept-language", "Accept-Language: en, de",
     "Accept-Language: en", false},
    {"LanguageTwice", "all members count", "accept-language", "Accept-Language: en, en",
     "Accept-Language: en", false},
    {"LanguageOverLines", "lines are joined with commas", "accept-language",
     "Accept-Language: en\nAccept-Language: de", "Accept-Language: de,en", true},
    {"LanguageWithASpaceInside", "whitespace inside a word is no whitespace around a comma",
     "accept-language", "Accept-Language: e n", "Accept-Language: en", false},
    {"LanguageWithASpaceInTheWeight", "whitespace inside a weight is an error of the client",
     "accept-language", "Accept-Language: en;q= 0.5", "Accept-Language: en;q=0.5", false},
    {"EncodingCaseAndOrder", "codings are case-insensitive", "accept-encoding",
     "Accept-Encoding: GZIP, br", "Accept-Encoding: br,gzip", true},
    {"CharsetCaseAndOrder", "charsets are case-insensitive", "accept-charset",
     "Accept-Charset: UTF-8, x", "Accept-Charset: x,utf-8", true},
    {"AcceptOrder", "members of equal weight in any order", "accept",
     "Accept: text/html, image/*;q=0.8", "Accept: image/*;q=0.8,text/html", true},
    {"AcceptCase", "parameters of types may mind their case", "accept", "Accept: text/html;level=A",
     "Accept: text/html;level=a", false},
    {"AcceptSpaceInQuotes", "outside quotes only", "accept", "Accept: a/b;c=\"x y\"",
     "Accept: a/b;c=\"xy\"", false},
    {"AcceptSemicolonInQuotes", "outside quotes only", "accept", "Accept: a/b;c=\"x ;y\"",
     "Accept: a/b;c=\"x;y\"", false},
    {"AcceptEscapedQuote", "outside quotes only", "accept", "Accept: a/b;c=\"\\\" ;\"",
     "Accept: a/b;c=\"\\\";\"", false},
    {"AcceptSpaceBehindAQuote", "whitespace means nothing", "accept", "Accept: a/b;c=\"x\" ;q=1",
     "Accept: a/b;c=\"x\";q=1", true},
    {"AcceptSpaceBehindAnEscapedQuote", "whitespace means nothing", "accept",
     "Accept: a/b;c=\"\\\"\" ;q=1", "Accept: a/b;c=\"\\\"\";q=1", true},
    {"LanguageCaseInQuotes", "outside quotes only", "accept-language", "Accept-Language: a;b=\"C\"",
     "Accept-Language: a;b=\"c\"", false},
    {"AcceptSpaceAroundParameters", "whitespace means nothing", "accept",
     "Accept: text/html ;\tq=0.5 , */*", "Accept: */*,text/html;q=0.5", true},
    {"AcceptEmpty", "an empty value is a value", "accept", "Accept:", "", false},
    {"CookieByBytes", "Cookie is compared byte for byte", "cookie", "Cookie: a=1, b=2",
     "Cookie: a=1,b=2", false},
    {"CookieOrder", "Cookie is compared byte for byte", "cookie", "Cookie: a=1; b=2",
     "Cookie: b=2; a=1", false},
    {"AuthorizationByBytes", "Authorization is compared byte for byte", "authorization",
     "Authorization: Basic a,", "Authorization: Basic a", false},
    {"UserAgentByBytes", "User-Agent is compared byte for byte", "user-agent",
     "User-Agent: a  (b,c)", "User-Agent: a  (b, c)", false},
    {"UserAgentEqual", "User-Agent is compared byte for byte", "user-agent", "User-Agent: a (b, c)",
     "User-Agent: a (b, c)", true},
    {"UserAgentLines", "lines are not what one line is", "user-agent",
     "User-Agent: a\nUser-Agent: b", "User-Agent: a, b", false},
};

struct NamesRow {
  const char* name;
  const char* sentence;
  const char* does;
  const char* response;
  const char* names;
};

const NamesRow kNamesRows[] = {
    {"None", "without Vary nothing selects", "no names", "ETag: \"a\"", ""},
    {"Empty", "an empty Vary names nothing", "no names", "Vary:", ""},
    {"LowerCaseSortedOnce", "field names are case-insensitive", "lower case, sorted, each once",
     "Vary: Foo, bar,FOO", "bar foo"},
    {"SeveralLines", "lines are joined", "the names of all lines", "Vary: b\nVary: a", "a b"},
    {"Star", "`*` never matches", "never reused", "Vary: *", "any"},
    {"StarBehind", "`*` in any place never matches", "never reused", "Vary: Foo, *", "any"},
    {"StarInFront", "`*` in any place never matches", "never reused", "Vary: *, Foo", "any"},
    {"StarAfterAnEmptyElement", "`*` in any place never matches", "never reused", "Vary: ,*",
     "any"},
    {"StarAfterAnEmptyLine", "`*` in any place never matches", "never reused", "Vary:\nVary: *",
     "any"},
    {"StarOnAnotherLine", "`*` in any place never matches", "never reused",
     "Vary: Foo\nVary: Bar, *", "any"},
    {"StarBehindAnUnclosedQuote", "`*` in any place never matches", "never reused", "Vary: \"a, *",
     "any"},
    {"StarInQuotes", "a quoted string is no field name", "never reused", "Vary: \"*\"", "any"},
    {"NoFieldName", "what is no field name cannot be compared", "never reused", "Vary: Foo Bar",
     "any"},
    {"StarInAName", "a token that holds a star is a name", "compared like any field", "Vary: *a",
     "*a"},
};

[[maybe_unused]] const int kRegistered = [] {
  for (const Row& row : kRows) {
    test::register_rule("VaryRules", row.name,
                        {"RFC 9111 §4.1; http-rules 2.7, 3.14", row.sentence,
                         row.same ? "the same variant" : "another variant", ""},
                        __FILE__, __LINE__, [&row] {
                          EXPECT_EQ(same(row.vary, row.one, row.other), row.same)
                              << row.one << " / " << row.other;
                        });
  }
  for (const NamesRow& row : kNamesRows) {
    test::register_rule("VaryNamesRules", row.name,
                        {"RFC 9111 §4.1; http-rules 2.7", row.sentence, row.does, ""}, __FILE__,
                        __LINE__, [&row] { EXPECT_EQ(names_of(row.response), row.names); });
  }
  return 0;
}();

RULE(VaryNamesRules, ConstantAcceptEncoding, "http-rules 3.3",
     "a fill's Accept-Encoding is constant for a site", "it selects nothing there",
     "accept_encoding") {
  EXPECT_EQ(names_of("Vary: Accept-Encoding, Foo"), "foo");
  EXPECT_EQ(names_of("Vary: accept-encoding, *"), "any");
}

RULE(VaryNamesRules, ABoundedNumberOfNames, "http-rules 5.4", "every list has a bound",
     "more than 32 names: not stored", "") {
  std::string vary = "Vary: ";
  for (int i = 0; i < 32; ++i) vary += "f" + std::to_string(i) + ",";
  EXPECT_NE(names_of(vary), "any");
  EXPECT_NE(names_of(vary + "f0,F1"), "any");
  EXPECT_EQ(names_of(vary + "f32"), "any");
}

TEST(Vary, SeveralFieldsSelectApart) {
  EXPECT_NE(selected({"a", "b"}, "A: 1\nB: 2"), selected({"a", "b"}, "A: 1, 2\nB:"));
  EXPECT_NE(selected({"a", "b"}, "A: 1"), selected({"a", "b"}, "B: 1"));
  EXPECT_EQ(selected({"a", "b"}, "B: 2\nA: 1"), selected({"a", "b"}, "A: 1\nB: 2"));
  EXPECT_EQ(selected({}, "A: 1"), "");
}

TEST(Vary, LongListsKeepTheirOrder) {
  for (const int members : {32, 33}) {
    std::string there = "Accept-Language: ";
    std::string back = there;
    for (int i = 0; i < members; ++i) {
      there += "l" + std::to_string(i) + ",";
      back += "l" + std::to_string(members - 1 - i) + ",";
    }
    EXPECT_TRUE(same("accept-language", there, there));
    EXPECT_EQ(same("accept-language", there, back), members == 32) << members;
  }
}

TEST(VarySpecBytes, AreWhatTheFormatSays) {
  using namespace std::string_literals;
  EXPECT_EQ(encode_vary_spec({"accept", "foo"}),
            "\x02\x00\x00\x00\x06\x00\x00\x00"
            "accept"
            "\x03\x00\x00\x00"
            "foo"s);
  EXPECT_EQ(encode_vary_spec({}), "\x00\x00\x00\x00"s);
}

TEST(VarySpec, ComesBackAsItWasWritten) {
  const std::string bytes = encode_vary_spec({"accept", "foo"});
  VarySpec spec;
  ASSERT_TRUE(decode_vary_spec(bytes, spec));
  EXPECT_THAT(spec.names, ElementsAre("accept", "foo"));
  ASSERT_TRUE(decode_vary_spec(encode_vary_spec({}), spec));
  EXPECT_TRUE(spec.names.empty());
}

TEST(VarySpec, RefusesWhatIsNone) {
  const std::string bytes = encode_vary_spec({"accept", "foo"});
  VarySpec spec;
  for (size_t n = 0; n < bytes.size(); ++n) {
    EXPECT_FALSE(decode_vary_spec(bytes.substr(0, n), spec)) << n;
  }
  EXPECT_FALSE(decode_vary_spec(bytes + "x", spec));
  EXPECT_TRUE(decode_vary_spec(encode_vary_spec(std::vector<std::string>(32)), spec));
  EXPECT_FALSE(decode_vary_spec(encode_vary_spec(std::vector<std::string>(33)), spec));
}

}  // namespace
}  // namespace perigee::http

// Field names, field lists and the list grammar.
#include "http/headers.h"

#include <gmock/gmock.h>

#include <string>
#include <vector>

#include "base/text.h"
#include "tests/support/field_lines.h"
#include "tests/support/rule.h"

namespace perigee::http {
namespace {

GUARDS("http::ListCursor, http::HeaderList, http::field_name");

using test::FieldLines;
using testing::ElementsAre;
using testing::IsEmpty;

std::vector<std::string> members(std::string_view list) {
  std::vector<std::string> result;
  ListCursor cursor(list);
  while (const auto member = cursor.next()) result.emplace_back(*member);
  return result;
}

std::string in_upper_case(std::string_view text) {
  std::string result(text);
  for (char& c : result) {
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 32);
  }
  return result;
}

TEST(FieldName, EveryKnownNameIsFoundInAnyCase) {
  int known = 0;
  for (int i = 1; i < 256; ++i) {
    const auto token = static_cast<FieldName>(i);
    if (i > static_cast<int>(FieldName::kXRealIp)) break;
    const std::string text(field_text(token));
    ASSERT_FALSE(text.empty());
    EXPECT_EQ(field_name(text), token);
    EXPECT_EQ(field_name(in_upper_case(text)), token);
    EXPECT_EQ(field_name(text + "x"), FieldName::kOther) << text;
    EXPECT_EQ(field_name("x" + text), FieldName::kOther) << text;
    EXPECT_EQ(field_name(text.substr(1)), FieldName::kOther) << text;
    ++known;
  }
  EXPECT_EQ(known, static_cast<int>(FieldName::kXRealIp));
}

TEST(FieldName, AnythingElseIsOther) {
  EXPECT_EQ(field_name(""), FieldName::kOther);
  EXPECT_EQ(field_name("X-Anything"), FieldName::kOther);
  EXPECT_EQ(field_name("Cache_Control"), FieldName::kOther);
  EXPECT_EQ(field_name("\xff\xfe"), FieldName::kOther);
  EXPECT_EQ(field_text(FieldName::kOther), "");
}

TEST(HeaderList, KeepsLinesInOrderAndFindsTheFirst) {
  const FieldLines lines("Vary: a\nX-One: 1\nvary: b\nx-one:");
  const HeaderList& list = lines.list();
  ASSERT_EQ(list.size(), 4u);
  EXPECT_EQ(list[2].name, "vary");
  EXPECT_EQ(list.value(FieldName::kVary), "a");
  EXPECT_EQ(list.count(FieldName::kVary), 2u);
  ASSERT_NE(list.find("X-ONE"), nullptr);
  EXPECT_EQ(list.find("X-ONE")->value, "1");
  EXPECT_EQ(list.find("X-Two"), nullptr);
  EXPECT_EQ(list.find(FieldName::kEtag), nullptr);
  EXPECT_EQ(list.value(FieldName::kEtag), "");
}

TEST(HeaderList, IsBounded) {
  Field storage[1];
  HeaderList list(storage);
  EXPECT_TRUE(list.add("A", "1"));
  EXPECT_FALSE(list.add("B", "2"));
  EXPECT_EQ(list.size(), 1u);
  EXPECT_FALSE(HeaderList().add("A", "1"));
}

TEST(Fields, IgnoreCaseOfLettersOnly) {
  EXPECT_TRUE(base::iequals("Content-Type", "cONTENT-tYPE"));
  EXPECT_FALSE(base::iequals("a", "ab"));
  EXPECT_FALSE(base::iequals("[", "{"));
  EXPECT_FALSE(base::iequals("@", "`"));
  EXPECT_FALSE(base::iequals("\xc4", "\xe4"));
}

TEST(Fields, TrimOnlySpacesAndTabs) {
  EXPECT_EQ(trim_ows(" \ta b\t "), "a b");
  EXPECT_EQ(trim_ows(" \t "), "");
  EXPECT_EQ(trim_ows("\r\na\v"), "\r\na\v");
}

TEST(Fields, KnowTokensAndValues) {
  EXPECT_TRUE(is_token("!#$%&'*+-.^_`|~09azAZ"));
  for (const std::string_view text :
       {"", " ", "a b", "a:", "a/b", "a;", "(a)", "a=", "a\"", "\xe4", "a\x7f"}) {
    EXPECT_FALSE(is_token(text)) << text;
  }
  EXPECT_TRUE(is_field_value(""));
  EXPECT_TRUE(is_field_value("a\tb \xff\x80"));
  for (const std::string_view text : {"a\rb", "a\nb", "\x01", "\x7f"}) {
    EXPECT_FALSE(is_field_value(text));
  }
  EXPECT_FALSE(is_field_value(std::string_view("a\0b", 3)));
}

RULE(ListRules, EmptyMembersMeanNothing, "RFC 9110 §5.6.1.2",
     "a recipient must ignore empty list elements", "skipped, whitespace around them too", "") {
  EXPECT_THAT(members("a, ,b,,\t c ,"), ElementsAre("a", "b", "c"));
  EXPECT_THAT(members(",a"), ElementsAre("a"));
  EXPECT_THAT(members(""), IsEmpty());
  EXPECT_THAT(members(" , ,\t"), IsEmpty());
}

RULE(ListRules, QuotedCommasDoNotSeparate, "RFC 9110 §5.6.4",
     "a quoted string may hold commas and escaped quotes", "they belong to the member", "") {
  EXPECT_THAT(members("a=\"x, y\", b"), ElementsAre("a=\"x, y\"", "b"));
  EXPECT_THAT(members("a=\"x\\\", y\", b"), ElementsAre("a=\"x\\\", y\"", "b"));
  EXPECT_THAT(members("\"\\\\\", b"), ElementsAre("\"\\\\\"", "b"));
  EXPECT_THAT(members("\"a,\" \",b\", c"), ElementsAre("\"a,\" \",b\"", "c"));
}

RULE(ListRules, AnUnclosedQuoteHidesNothing, "RFC 9110 §5.6.4", "a quoted string ends with a quote",
     "a quote that is never closed is an ordinary byte", "") {
  EXPECT_THAT(members("a=\"x, no-store"), ElementsAre("a=\"x", "no-store"));
  EXPECT_THAT(members("a=\"1, 2\", b=\"3, 4"), ElementsAre("a=\"1, 2\"", "b=\"3", "4"));
  EXPECT_THAT(members("a=\"x\\\", y"), ElementsAre("a=\"x\\\"", "y"));
  EXPECT_THAT(members("\"\\"), ElementsAre("\"\\"));
  EXPECT_THAT(members("a, \""), ElementsAre("a", "\""));
}

TEST(ListCursor, ManyUnclosedQuotesTakeLinearTime) {
  std::string list;
  for (int i = 0; i < 200'000; ++i) list += "\"\\";
  EXPECT_THAT(members(list), ElementsAre(list));
}

}  // namespace
}  // namespace perigee::http

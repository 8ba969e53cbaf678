// The one spelling in which a target is keyed and forwarded (http-rules 1.11).
#include "http/target.h"

#include <gtest/gtest.h>

#include <string>

#include "tests/support/rule.h"

namespace perigee::http {
namespace {

GUARDS("http::normal_target");

std::string normal(std::string_view target) {
  std::string memory;
  const auto result = normal_target(target, memory);
  return result ? std::string(*result) : "invalid";
}

struct TargetRow {
  const char* name;
  const char* sentence;
  const char* target;
  const char* normal;  ///< "same": as it came; "invalid": 400
};

const TargetRow kTargetRows[] = {
    {"Root", "a path", "/", "same"},
    {"RawBytesThatBrowsersSend", "other bytes stay as they are", "/a|b[c]{d}^`e\"<>", "same"},
    {"WellKnown", "dots inside a segment", "/.well-known/x", "same"},
    {"DotsInside", "dots inside a segment", "/a..b", "same"},
    {"ThreeDots", "three dots are a name", "/...", "same"},
    {"OtherEncodedBytes", "other bytes hide no dot segment", "/%7E/%3E/%40/%6C/%7F/%5E/%2C",
     "same"},
    {"DotsBehindOtherEncodedBytes", "other bytes end no segment", "/%7F./%3C./%2C./%5B./%0A.",
     "same"},
    {"EncodedSlash", "an encoded slash belongs to a segment", "/@scope%2Fname", "same"},
    {"DoubleSlash", "empty segments", "//", "same"},
    {"DotFile", "dots inside a segment", "/.git", "same"},
    {"DotBeforeSemicolon", "a segment is compared whole", "/..;/x", "same"},
    {"EncodedBackslash", "an encoded backslash belongs to a segment", "/a%5Cb", "same"},
    {"PercentAlone", "percent signs are not checked", "/100%", "same"},
    {"PercentWithoutDigits", "percent signs are not checked", "/%zz/%2", "same"},
    {"DoublyEncodedDots", "decoded once, for the test only", "/%252e%252e/x", "same"},
    {"DotsInTheQuery", "the query hides nothing", "/x?a=../..", "same"},
    {"EncodedDotsInTheQuery", "the query hides nothing", "/x?%2E%2E/%00\\", "same"},
    {"QuestionInTheQuery", "the query hides nothing", "/x??", "same"},
    {"Empty", "a target begins with a slash", "", "invalid"},
    {"NoSlash", "a target begins with a slash", "x", "invalid"},
    {"QueryAlone", "a target begins with a slash", "?x", "invalid"},
    {"Asterisk", "a target begins with a slash", "*", "invalid"},
    {"Fragment", "no #", "/x#y", "invalid"},
    {"FragmentInTheQuery", "no #", "/x?y#z", "invalid"},
    {"Space", "bytes 0x21 to 0x7E", "/a b", "invalid"},
    {"SpaceInTheQuery", "bytes 0x21 to 0x7E", "/a?b c", "invalid"},
    {"Tab", "bytes 0x21 to 0x7E", "/a\tb", "invalid"},
    {"Delete", "bytes 0x21 to 0x7E", "/a\x7f", "invalid"},
    {"RawUtf8", "raw UTF-8 is percent-encoded", "/\xc3\xbc", "/%C3%BC"},
    {"RawUtf8InTheQuery", "raw UTF-8 is percent-encoded", "/?\xc3\xbc", "/?%C3%BC"},
    {"RawUtf8BesideDots", "raw UTF-8 is percent-encoded", "/a/../\xe2\x82\xac", "/%E2%82%AC"},
    {"NoUtf8", "other bytes above 0x7f are refused", "/\xfc", "invalid"},
    {"HalfACharacter", "other bytes above 0x7f are refused", "/\xc3", "invalid"},
    {"OverlongSlash", "other bytes above 0x7f are refused", "/\xc0\xaf", "invalid"},
    {"NoUtf8InTheQuery", "other bytes above 0x7f are refused", "/?\xfc", "invalid"},
    {"LowerCaseDigits", "the digits of an encoded byte are upper case", "/%c3%Bc/%2f",
     "/%C3%BC/%2F"},
    {"LowerCaseInTheQuery", "the digits of an encoded byte are upper case", "/x?%c3=%3d",
     "/x?%C3=%3D"},
    {"Backslash", "a backslash in the path", "/a\\b", "invalid"},
    {"Nul", "%00 in the path", "/a%00b", "invalid"},
    {"Dot", "a dot segment is removed", "/.", "/"},
    {"DotDot", "a dot segment is removed", "/..", "/"},
    {"DotInside", "a dot segment is removed", "/a/./b", "/a/b"},
    {"DotDotInside", "a dot segment is removed", "/a/../b", "/b"},
    {"DotDotAtTheEnd", "a dot segment is removed", "/a/..", "/"},
    {"DotsFirst", "a dot segment is removed", "/./Packages", "/Packages"},
    {"AboveTheRoot", "there is nothing above the root", "/../../x", "/x"},
    {"DotDotBehindAnEmptySegment", "a dot segment is removed", "/a//../b", "/a/b"},
    {"DotDotBeforeTheQuery", "a dot segment is removed", "/a/..?x", "/?x"},
    {"EncodedDot", "a dot segment in any encoding", "/%2e/x", "invalid"},
    {"EncodedDotDot", "a dot segment in any encoding", "/%2e%2e/x", "invalid"},
    {"EncodedInUpperCase", "a dot segment in any encoding", "/%2E%2E/x", "invalid"},
    {"HalfEncoded", "a dot segment in any encoding", "/.%2e/x", "invalid"},
    {"OtherHalfEncoded", "a dot segment in any encoding", "/%2E./x", "invalid"},
    {"EncodedSlashBehindDots", "a dot segment in any encoding", "/a/..%2fb", "invalid"},
    {"EncodedSlashBeforeDots", "a dot segment in any encoding", "/a%2F../b", "invalid"},
    {"EncodedBackslashAroundDots", "a dot segment in any encoding", "/a%5c..%5Cb", "invalid"},
    {"EncodedAllThrough", "a dot segment in any encoding", "/a%2f%2e%2e%2fb", "invalid"},
    {"EncodedDotAtTheEnd", "a dot segment in any encoding", "/a/%2e", "invalid"},
};

[[maybe_unused]] const int kRegistered = [] {
  for (const TargetRow& row : kTargetRows) {
    const std::string_view expected = row.normal;
    test::register_rule("TargetRules", row.name,
                        {"RFC 9112 §3.2; RFC 3986 §6.2.2; http-rules 1.11", row.sentence,
                         expected == "invalid" ? "refused with 400"
                         : expected == "same"  ? "keyed and forwarded as sent"
                                               : "keyed and forwarded in one spelling",
                         ""},
                        __FILE__, __LINE__, [&row] {
                          const std::string got = normal(row.target);
                          EXPECT_EQ(got == row.target ? "same" : got, row.normal) << row.target;
                        });
  }
  return 0;
}();

TEST(Target, EveryByteIsJudged) {
  for (int c = 0; c < 256; ++c) {
    const std::string in_path = std::string("/a") + static_cast<char>(c) + "b";
    const std::string in_query = std::string("/?a") + static_cast<char>(c) + "b";
    const bool byte = c >= 0x21 && c <= 0x7e && c != '#';
    EXPECT_EQ(normal(in_path), byte && c != '\\' ? in_path : "invalid") << c;
    EXPECT_EQ(normal(in_query), byte ? in_query : "invalid") << c;
  }
}

TEST(Target, WhatIsNormalStaysAsItIs) {
  for (const TargetRow& row : kTargetRows) {
    const std::string once = normal(row.target);
    if (once != "invalid") {
      EXPECT_EQ(normal(once), once) << row.target;
    }
  }
}

TEST(Target, RawBytesAreSeenWhereverTheyStand) {
  for (size_t size = 0; size < 20; ++size) {
    std::string text(size, 'a');
    EXPECT_FALSE(has_raw_bytes(text));
    for (size_t at = 0; at < size; ++at) {
      text[at] = '\x80';
      EXPECT_TRUE(has_raw_bytes(text)) << at << " of " << size;
      text[at] = 'a';
    }
  }
}

}  // namespace
}  // namespace perigee::http

// Which bytes a Range field asks for (RFC 9110 §14).
#include "http/range.h"

#include <gmock/gmock.h>

#include <string>

#include "tests/support/rule.h"

namespace perigee::http {
namespace {

GUARDS("http::parse_range, http::ByteSpans");

/// "0-4 10-19" for two satisfiable spans, "whole" when the field is ignored, "416" when none lies
/// within.
std::string asked(std::string_view field, uint64_t size) {
  const RangeRequest request = parse_range(field, size);
  if (request.kind == RangeRequest::kNone) return "whole";
  if (request.kind == RangeRequest::kUnsatisfiable) return "416";
  std::string text;
  for (const ByteSpan& span : request.spans) {
    if (!text.empty()) text += ' ';
    text += std::to_string(span.begin) + "-" + std::to_string(span.end - 1);
  }
  return text;
}

/// `count` ranges of one byte, none touching another.
std::string scattered(size_t count) {
  std::string field = "bytes=";
  for (size_t i = 0; i < count; ++i) {
    field += std::to_string(i * 10) + "-" + std::to_string(i * 10) + ",";
  }
  return field;
}

struct Row {
  const char* name;
  const char* section;
  const char* sentence;
  const char* does;
  const char* field;
  uint64_t size;
  const char* asked;
};

const Row kRows[] = {
    {"FirstAndLastAreBothSent", "RFC 9110 §14.1.2", "int-range: positions are inclusive",
     "bytes first to last", "bytes=0-4", 100, "0-4"},
    {"OpenRangeGoesToTheEnd", "RFC 9110 §14.1.2", "without last-pos the range ends with the body",
     "bytes first to the end", "bytes=90-", 100, "90-99"},
    {"LastBeyondTheEndIsTheEnd", "RFC 9110 §14.1.2", "a last-pos behind the body means its end",
     "cut at the end", "bytes=90-1000", 100, "90-99"},
    {"SuffixIsTheLastBytes", "RFC 9110 §14.1.2", "suffix-range: the last bytes",
     "that many bytes from the end", "bytes=-5", 100, "95-99"},
    {"SuffixLongerThanTheBodyIsTheBody", "RFC 9110 §14.1.2",
     "a suffix longer than the body is the body", "a 206 with all of it", "bytes=-500", 100,
     "0-99"},
    {"UnitInAnyCase", "RFC 9110 §14.1", "range units are case-insensitive", "taken", "BYTES=0-0",
     100, "0-0"},
    {"SafariProbe", "http-rules 4.18", "players probe with two bytes", "answered", "bytes=0-1", 100,
     "0-1"},
    {"LeadingZeros", "RFC 9110 §14.1.2", "positions are decimal digits", "leading zeros are fine",
     "bytes=000-0004", 100, "0-4"},
    {"FirstBehindTheEnd", "RFC 9110 §14.1.2; RFC 9110 §15.5.17",
     "a range that begins behind the body is not satisfiable", "416", "bytes=100-", 100, "416"},
    {"EmptySuffix", "RFC 9110 §14.1.2", "a suffix of length 0 is not satisfiable", "416",
     "bytes=-0", 100, "416"},
    {"NoneOfSeveralWithin", "RFC 9110 §15.5.17", "416 when all ranges lie outside", "416",
     "bytes=100-,200-300,-0", 100, "416"},
    {"SomeOfSeveralWithin", "RFC 9110 §14.2", "ranges that lie outside are left out",
     "the others are sent", "bytes=200-300,0-4,-0", 100, "0-4"},
    {"EmptyBody", "RFC 9110 §14.1.2; RFC 9110 §15.5.17",
     "a range with a first position is not satisfiable by an empty body", "416", "bytes=0-", 0,
     "416"},
    {"SeveralOfAnEmptyBody", "RFC 9110 §14.1.2; RFC 9110 §15.5.17",
     "a range with a first position is not satisfiable by an empty body", "416",
     "bytes=0-0,5-,-0,-000", 0, "416"},
    {"SuffixOfEmptyBody", "RFC 9110 §14.1.2; http-rules 2.11",
     "a suffix is satisfiable by a body of any length",
     "the whole, since Content-Range cannot name no bytes", "bytes=-5", 0, "whole"},
    {"SuffixAmongOthersOfAnEmptyBody", "RFC 9110 §14.1.2; http-rules 2.11",
     "one satisfiable range makes the set satisfiable",
     "the whole, since Content-Range cannot name no bytes", "bytes=0-,-05,3-4", 0, "whole"},
    {"BrokenForAnEmptyBody", "RFC 9110 §14.1.1", "a set with an invalid range is invalid",
     "the field is ignored", "bytes=0-,5-4", 0, "whole"},
    {"HugePositions", "RFC 9110 §14.1.1", "numbers may be larger than any integer",
     "beyond 64 bits is behind every body", "bytes=18446744073709551616-99999999999999999999999",
     100, "416"},
    {"HugeLast", "RFC 9110 §14.1.1", "numbers may be larger than any integer", "cut at the end",
     "bytes=1-99999999999999999999999", 100, "1-99"},
    {"HugeSuffix", "RFC 9110 §14.1.1", "numbers may be larger than any integer", "the whole body",
     "bytes=-99999999999999999999999", 100, "0-99"},
    {"SeveralInTheirOrder", "RFC 9110 §15.3.7.2", "parts come in the order of the ranges",
     "kept in order", "bytes=50-59,0-4,-1", 100, "50-59 0-4 99-99"},
    {"OverlappingAreOne", "RFC 9110 §15.3.7.2", "overlapping ranges may be joined", "joined",
     "bytes=0-9,5-14", 100, "0-14"},
    {"TouchingAreOne", "RFC 9110 §15.3.7.2", "ranges without a gap may be joined", "joined",
     "bytes=0-9,10-14", 100, "0-14"},
    {"JoinedStandWhereTheFirstStood", "RFC 9110 §15.3.7.2", "joined in any order of the ranges",
     "at the place of the first of them", "bytes=50-59,0-4,60-69", 100, "50-69 0-4"},
    {"OneJoinsMany", "RFC 9110 §15.3.7.2", "joined in any order of the ranges", "one span",
     "bytes=0-1,90-91,40-41,1-89", 100, "0-91"},
    {"JoiningKeepsTheRest", "RFC 9110 §15.3.7.2", "joined in any order of the ranges",
     "what is apart stays apart", "bytes=0-1,90-91,40-41,60-61,1-45", 100, "0-45 90-91 60-61"},
    {"WhitespaceAndEmptyElements", "RFC 9110 §5.6.1", "lists allow OWS and empty elements",
     "skipped", "bytes=0-1 ,, \t5-6, ", 100, "0-1 5-6"},
    {"NoRangesAtAll", "RFC 9110 §14.1.1", "a range set has an element", "ignored", "bytes=,", 100,
     "whole"},
    {"NoRangeSet", "RFC 9110 §14.1.1", "a range set has an element", "ignored", "bytes=", 100,
     "whole"},
    {"NoEquals", "RFC 9110 §14.2", "a field that does not parse", "ignored", "bytes 0-1", 100,
     "whole"},
    {"UnknownUnit", "RFC 9110 §14.2", "an unknown range unit must be ignored", "ignored",
     "lines=0-1", 100, "whole"},
    {"SpaceBeforeEquals", "RFC 9110 §14.1.1", "no whitespace in the specifier", "ignored",
     "bytes =0-1", 100, "whole"},
    {"LastBeforeFirst", "RFC 9110 §14.1.2", "an int-range with last before first is invalid",
     "the field is ignored", "bytes=5-4", 100, "whole"},
    {"OneInvalidSpoilsAll", "RFC 9110 §14.1.1", "a set with an invalid range is invalid",
     "the field is ignored", "bytes=0-1,5-4", 100, "whole"},
    {"NoDash", "RFC 9110 §14.1.1", "a range spec has a dash", "ignored", "bytes=5", 100, "whole"},
    {"OnlyADash", "RFC 9110 §14.1.1", "a suffix has digits", "ignored", "bytes=-", 100, "whole"},
    {"TwoDashes", "RFC 9110 §14.1.1", "positions are digits", "ignored", "bytes=1--2", 100,
     "whole"},
    {"Sign", "RFC 9110 §14.1.1", "positions are digits", "ignored", "bytes=+1-2", 100, "whole"},
    {"Letters", "RFC 9110 §14.1.1", "positions are digits", "ignored", "bytes=a-b", 100, "whole"},
    {"Hexadecimal", "RFC 9110 §14.1.1", "positions are digits", "ignored", "bytes=0x0-0x1", 100,
     "whole"},
    {"SpaceInside", "RFC 9110 §14.1.1", "no whitespace inside a range", "ignored", "bytes=0 -1",
     100, "whole"},
    {"SpaceBehindTheDash", "RFC 9110 §14.1.1", "no whitespace inside a range", "ignored",
     "bytes=0- 1", 100, "whole"},
    {"Quoted", "RFC 9110 §14.1.1", "positions are digits", "ignored", "bytes=\"0-1\"", 100,
     "whole"},
};

[[maybe_unused]] const int kRegistered = [] {
  for (const Row& row : kRows) {
    test::register_rule("RangeRules", row.name, {row.section, row.sentence, row.does, ""}, __FILE__,
                        __LINE__, [&row] { EXPECT_EQ(asked(row.field, row.size), row.asked); });
  }
  return 0;
}();

RULE(RangeRules, ABoundedNumberOfParts, "RFC 9110 §14.2; RFC 9110 §17.15",
     "many ranges may be ignored", "more than 256: the whole is sent", "") {
  EXPECT_EQ(parse_range(scattered(256), 10'000).spans.size(), 256u);
  EXPECT_EQ(asked(scattered(257), 10'000), "whole");
}

TEST(Range, ManyRangesThatJoinAreFewParts) {
  std::string field = "bytes=";
  for (int i = 0; i < 256; ++i) field += std::to_string(i) + "-" + std::to_string(i + 1) + ",";
  EXPECT_EQ(asked(field, 5000), "0-256");
}

TEST(Range, TheLargestBody) {
  EXPECT_EQ(asked("bytes=-1", UINT64_MAX), "18446744073709551614-18446744073709551614");
  EXPECT_EQ(asked("bytes=0-18446744073709551615", UINT64_MAX), "0-18446744073709551614");
}

TEST(ByteSpans, KnowWhetherTheyAscend) {
  EXPECT_TRUE(parse_range("bytes=0-0,5-5,9-9", 10).spans.ascending());
  EXPECT_FALSE(parse_range("bytes=0-0,9-9,5-5", 10).spans.ascending());
  EXPECT_TRUE(ByteSpans().ascending());
}

}  // namespace
}  // namespace perigee::http

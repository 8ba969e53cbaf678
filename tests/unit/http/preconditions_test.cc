// Conditions of requests against a stored response (RFC 9110 §13; http-rules 2.9, 2.11, 3.12).
#include "http/preconditions.h"

#include <gtest/gtest.h>

#include <string>

#include "http/date.h"
#include "tests/support/field_lines.h"
#include "tests/support/rule.h"

namespace perigee::http {
namespace {

GUARDS(
    "http::evaluate, http::if_range_holds, http::weakly_equal, http::strongly_equal, "
    "http::is_conditional_on_origin");

using test::FieldLines;

constexpr std::string_view kModified = "Wed, 01 Jan 2025 10:00:00 GMT";
constexpr std::string_view kDate = "Thu, 02 Jan 2025 10:00:00 GMT";

/// What is stored, as text: "ETag: \"a\"" and the like. A Date is always there.
StoredResponse stored_response(const FieldLines& lines, uint16_t status = 200) {
  StoredResponse stored;
  stored.policy.status = status;
  stored.etag = lines.list().value(FieldName::kEtag);
  stored.last_modified = lines.list().value(FieldName::kLastModified);
  const Field* date = lines.list().find(FieldName::kDate);
  stored.date_ms = *parse_date(date != nullptr ? date->value : kDate, 0);
  stored.last_modified_ms = parse_date(stored.last_modified, 0).value_or(-1);
  return stored;
}

/// "200", "304" or "failed".
std::string outcome(std::string_view stored_fields, std::string_view request_fields,
                    uint16_t status = 200) {
  const FieldLines stored(stored_fields);
  const FieldLines request_lines(request_fields);
  RequestHead request;
  request.fields = request_lines.list();
  switch (evaluate(stored_response(stored, status), request)) {
    case Precondition::kNone:
      return "200";
    case Precondition::kNotModified:
      return "304";
    case Precondition::kFailed:
      return "failed";
  }
  return "?";
}

bool partial(std::string_view stored_fields, std::string_view request_fields) {
  const FieldLines stored(stored_fields);
  const FieldLines request_lines(request_fields);
  RequestHead request;
  request.fields = request_lines.list();
  return if_range_holds(stored_response(stored), request);
}

struct Row {
  const char* name;
  const char* section;
  const char* sentence;
  const char* stored;
  const char* request;
  const char* outcome;
};

const Row kRows[] = {
    {"NoCondition", "RFC 9110 §13.2.2", "without a condition the whole is sent", "ETag: \"a\"", "",
     "200"},
    {"SameTag", "RFC 9110 §13.1.2", "a matching If-None-Match is a 304", "ETag: \"a\"",
     "If-None-Match: \"a\"", "304"},
    {"OtherTag", "RFC 9110 §13.1.2", "no match: the whole", "ETag: \"a\"", "If-None-Match: \"b\"",
     "200"},
    {"TagsMindCase", "RFC 9110 §8.8.3", "opaque tags are compared byte for byte", "ETag: \"a\"",
     "If-None-Match: \"A\"", "200"},
    {"WeakClientTag", "RFC 9110 §13.1.2", "If-None-Match compares weakly", "ETag: \"a\"",
     "If-None-Match: W/\"a\"", "304"},
    {"WeakStoredTag", "RFC 9110 §13.1.2", "If-None-Match compares weakly", "ETag: W/\"a\"",
     "If-None-Match: \"a\"", "304"},
    {"TwoWeakTags", "RFC 9110 §13.1.2", "If-None-Match compares weakly", "ETag: W/\"a\"",
     "If-None-Match: W/\"a\"", "304"},
    {"LowerCaseWeakness", "RFC 9110 §8.8.3", "W/ is case-sensitive", "ETag: \"a\"",
     "If-None-Match: w/\"a\"", "200"},
    {"List", "RFC 9110 §13.1.2", "any member may match", "ETag: \"b\"",
     "If-None-Match: \"a\", W/\"b\" , \"c\"", "304"},
    {"ListWithoutSpaces", "RFC 9110 §13.1.2", "any member may match", "ETag: \"c\"",
     "If-None-Match: ,\"a\",,\"c\"", "304"},
    {"ListOverLines", "RFC 9110 §5.3", "lines are one list", "ETag: \"b\"",
     "If-None-Match: \"a\"\nIf-None-Match: \"b\"", "304"},
    {"ListWithoutMatch", "RFC 9110 §13.1.2", "no member matches", "ETag: \"d\"",
     "If-None-Match: \"a\", \"b\"\nIf-None-Match: \"c\"", "200"},
    {"CommaInATag", "RFC 9110 §8.8.3", "a tag may hold a comma", "ETag: \"a,b\"",
     "If-None-Match: \"x\", \"a,b\"", "304"},
    {"PartOfATagWithComma", "RFC 9110 §8.8.3", "a tag may hold a comma", "ETag: \"b\"",
     "If-None-Match: \"a,\"b\",c\"", "200"},
    {"BackslashInATag", "RFC 9110 §8.8.3", "a backslash escapes nothing in a tag", "ETag: \"a\\\"",
     "If-None-Match: \"a\\\", \"b\"", "304"},
    {"EmptyTag", "RFC 9110 §8.8.3", "an opaque tag may be empty", "ETag: \"\"",
     "If-None-Match: \"\"", "304"},
    {"Star", "RFC 9110 §13.1.2", "* matches whatever is there", "ETag: \"a\"", "If-None-Match: *",
     "304"},
    {"StarWithoutTag", "RFC 9110 §13.1.2", "* matches whatever is there", "", "If-None-Match: *",
     "304"},
    {"StarInAList", "RFC 9110 §13.1.2", "* stands alone", "ETag: \"a\"", "If-None-Match: \"b\", *",
     "200"},
    {"QuotedStar", "RFC 9110 §13.1.2", "* is not quoted", "ETag: \"a\"", "If-None-Match: \"*\"",
     "200"},
    {"NoStoredTag", "RFC 9110 §13.1.2", "nothing to compare with", "", "If-None-Match: \"a\"",
     "200"},
    {"EmptyField", "RFC 9110 §13.1.2", "an empty list matches nothing", "ETag: \"a\"",
     "If-None-Match:", "200"},
    {"UnquotedTags", "http-rules 3.12", "a tag that does not parse is opaque", "ETag: abc",
     "If-None-Match: x, abc", "304"},
    {"UnquotedAndQuoted", "http-rules 3.12", "a tag that does not parse is opaque", "ETag: abc",
     "If-None-Match: \"abc\"", "200"},
    {"PartOfAnUnquotedTag", "http-rules 3.12", "byte equality of a whole member", "ETag: abc",
     "If-None-Match: abcd, ab", "200"},
    {"UnquotedWeakTag", "http-rules 3.12", "byte equality of a whole member", "ETag: abc",
     "If-None-Match: W/abc", "200"},
    {"UnquotedWeakTagItself", "http-rules 3.12", "byte equality of a whole member", "ETag: W/abc",
     "If-None-Match: W/abc", "304"},
    {"UnclosedTag", "http-rules 2.9", "a malformed condition is ignored", "ETag: \"a\"",
     "If-None-Match: \"a", "200"},
    {"TagBeatsDate", "RFC 9110 §13.2.2", "If-None-Match alone decides when it is there",
     "ETag: \"a\"\nLast-Modified: Wed, 01 Jan 2025 10:00:00 GMT",
     "If-None-Match: \"b\"\nIf-Modified-Since: Wed, 01 Jan 2025 10:00:00 GMT", "200"},
    {"TagBeatsAnOlderDate", "RFC 9110 §13.2.2", "If-None-Match alone decides when it is there",
     "ETag: \"a\"\nLast-Modified: Wed, 01 Jan 2025 10:00:00 GMT",
     "If-None-Match: \"a\"\nIf-Modified-Since: Wed, 01 Jan 2020 10:00:00 GMT", "304"},
    {"UselessTagBeatsDate", "RFC 9110 §13.1.3",
     "If-Modified-Since is ignored beside any If-None-Match",
     "Last-Modified: Wed, 01 Jan 2025 10:00:00 GMT",
     "If-None-Match: x\nIf-Modified-Since: Wed, 01 Jan 2025 10:00:00 GMT", "200"},
    {"SameDate", "RFC 9110 §13.1.3", "not modified since",
     "Last-Modified: Wed, 01 Jan 2025 10:00:00 GMT",
     "If-Modified-Since: Wed, 01 Jan 2025 10:00:00 GMT", "304"},
    {"LaterDate", "RFC 9110 §13.1.3", "any later date will do",
     "Last-Modified: Wed, 01 Jan 2025 10:00:00 GMT",
     "If-Modified-Since: Wed, 01 Jan 2025 10:00:01 GMT", "304"},
    {"FutureDate", "http-rules 2.9", "later dates too",
     "Last-Modified: Wed, 01 Jan 2025 10:00:00 GMT",
     "If-Modified-Since: Mon, 01 Jan 2125 10:00:00 GMT", "304"},
    {"EarlierDate", "RFC 9110 §13.1.3", "modified since",
     "Last-Modified: Wed, 01 Jan 2025 10:00:00 GMT",
     "If-Modified-Since: Wed, 01 Jan 2025 09:59:59 GMT", "200"},
    {"OtherFormOfDate", "RFC 9110 §5.6.7", "all three forms are dates",
     "Last-Modified: Wed, 01 Jan 2025 10:00:00 GMT",
     "If-Modified-Since: Wednesday, 01-Jan-25 10:00:00 GMT", "304"},
    {"AsctimeDate", "RFC 9110 §5.6.7", "all three forms are dates",
     "Last-Modified: Wed, 01 Jan 2025 10:00:00 GMT", "If-Modified-Since: Wed Jan  1 10:00:00 2025",
     "304"},
    {"NoDate", "RFC 9110 §13.1.3", "what is no date is ignored",
     "Last-Modified: Wed, 01 Jan 2025 10:00:00 GMT", "If-Modified-Since: tomorrow", "200"},
    {"TwoDates", "RFC 9110 §13.1.3", "a field with two members is ignored",
     "Last-Modified: Wed, 01 Jan 2025 10:00:00 GMT",
     "If-Modified-Since: Wed, 01 Jan 2025 10:00:00 GMT\n"
     "If-Modified-Since: Wed, 01 Jan 2025 10:00:00 GMT",
     "200"},
    {"StoredDateStandsIn", "RFC 9111 §4.3.2", "without Last-Modified its Date is used",
     "ETag: \"a\"", "If-Modified-Since: Thu, 02 Jan 2025 10:00:00 GMT", "304"},
    {"StoredDateIsLater", "RFC 9111 §4.3.2", "without Last-Modified its Date is used",
     "ETag: \"a\"", "If-Modified-Since: Thu, 02 Jan 2025 09:59:59 GMT", "200"},
    {"StoredLastModifiedIsNoDate", "RFC 9110 §13.1.3", "nothing to compare with",
     "Last-Modified: yesterday", "If-Modified-Since: Thu, 02 Jan 2025 10:00:00 GMT", "200"},
    {"IfMatchHolds", "RFC 9110 §13.1.1", "If-Match holds", "ETag: \"a\"", "If-Match: \"b\", \"a\"",
     "200"},
    {"IfMatchFails", "RFC 9110 §13.1.1", "If-Match does not hold", "ETag: \"a\"", "If-Match: \"b\"",
     "failed"},
    {"IfMatchIsStrong", "RFC 9110 §13.1.1", "If-Match compares strongly", "ETag: W/\"a\"",
     "If-Match: W/\"a\"", "failed"},
    {"IfMatchIsStrongForTheClientToo", "RFC 9110 §13.1.1", "If-Match compares strongly",
     "ETag: \"a\"", "If-Match: W/\"a\"", "failed"},
    {"IfMatchUnquoted", "RFC 9110 §13.1.1", "what is no entity-tag is not strong", "ETag: abc",
     "If-Match: abc", "failed"},
    {"IfMatchEmptyTag", "RFC 9110 §8.8.3", "an empty tag is a tag", "ETag: \"\"", "If-Match: \"\"",
     "200"},
    {"IfMatchHalfQuoted", "RFC 9110 §8.8.3", "what is no entity-tag is not strong", "ETag: ab\"",
     "If-Match: ab\"", "failed"},
    {"IfMatchStar", "RFC 9110 §13.1.1", "* holds for whatever is there", "", "If-Match: *", "200"},
    {"IfMatchOverLines", "RFC 9110 §5.3", "lines are one list", "ETag: \"b\"",
     "If-Match: \"a\"\nIf-Match: \"b\"", "200"},
    {"IfMatchWithoutTag", "RFC 9110 §13.1.1", "nothing to compare with", "", "If-Match: \"a\"",
     "failed"},
    {"IfMatchThenIfNoneMatch", "RFC 9110 §13.2.2", "If-Match is judged first", "ETag: \"a\"",
     "If-Match: \"a\"\nIf-None-Match: \"a\"", "304"},
    {"IfMatchFailsBeforeIfNoneMatch", "RFC 9110 §13.2.2", "If-Match is judged first", "ETag: \"a\"",
     "If-Match: \"b\"\nIf-None-Match: \"a\"", "failed"},
    {"UnmodifiedSinceHolds", "RFC 9110 §13.1.4", "not modified since",
     "Last-Modified: Wed, 01 Jan 2025 10:00:00 GMT",
     "If-Unmodified-Since: Wed, 01 Jan 2025 10:00:00 GMT", "200"},
    {"UnmodifiedSinceFails", "RFC 9110 §13.1.4", "modified since",
     "Last-Modified: Wed, 01 Jan 2025 10:00:00 GMT",
     "If-Unmodified-Since: Wed, 01 Jan 2025 09:59:59 GMT", "failed"},
    {"UnmodifiedSinceNothing", "http-rules 1.15",
     "a response without Last-Modified counts as modified", "ETag: \"a\"",
     "If-Unmodified-Since: Wed, 01 Jan 2025 10:00:00 GMT", "failed"},
    {"UnmodifiedSinceNoDate", "RFC 9110 §13.1.4", "what is no date is ignored",
     "Last-Modified: Wed, 01 Jan 2025 10:00:00 GMT", "If-Unmodified-Since: never", "200"},
    {"IfMatchBeatsUnmodifiedSince", "RFC 9110 §13.1.4",
     "If-Unmodified-Since is ignored beside If-Match",
     "ETag: \"a\"\nLast-Modified: Wed, 01 Jan 2025 10:00:00 GMT",
     "If-Match: \"a\"\nIf-Unmodified-Since: Wed, 01 Jan 2020 10:00:00 GMT", "200"},
};

struct RangeRow {
  const char* name;
  const char* sentence;
  const char* stored;
  const char* request;
  bool partial;
};

constexpr const char* kDated = "ETag: \"a\"\nLast-Modified: Wed, 01 Jan 2025 10:00:00 GMT";

const RangeRow kRangeRows[] = {
    {"Absent", "without If-Range a part may be sent", kDated, "", true},
    {"StrongTag", "an exact strong tag", kDated, "If-Range: \"a\"", true},
    {"OtherTag", "another tag", kDated, "If-Range: \"b\"", false},
    {"WeakTag", "If-Range compares strongly", kDated, "If-Range: W/\"a\"", false},
    {"WeakStoredTag", "If-Range compares strongly", "ETag: W/\"a\"", "If-Range: W/\"a\"", false},
    {"UnquotedTag", "a tag that does not parse is not strong", "ETag: abc", "If-Range: abc", false},
    {"ListOfTags", "If-Range holds one tag", kDated, "If-Range: \"a\", \"b\"", false},
    {"Star", "If-Range holds one tag", kDated, "If-Range: *", false},
    {"NoStoredTag", "nothing to compare with", "", "If-Range: \"a\"", false},
    {"Empty", "an empty field holds nothing", "", "If-Range:", false},
    {"Date", "the date of Last-Modified, exactly", kDated,
     "If-Range: Wed, 01 Jan 2025 10:00:00 GMT", true},
    {"LaterDate", "the date of Last-Modified, exactly", kDated,
     "If-Range: Wed, 01 Jan 2025 10:00:01 GMT", false},
    {"EarlierDate", "the date of Last-Modified, exactly", kDated,
     "If-Range: Wed, 01 Jan 2025 09:59:59 GMT", false},
    {"DateInAnotherForm", "byte-equal to Last-Modified", kDated,
     "If-Range: Wednesday, 01-Jan-25 10:00:00 GMT", false},
    {"DateOfALaterSecond", "Last-Modified is strong a second before Date",
     "Last-Modified: Wed, 01 Jan 2025 10:00:00 GMT\nDate: Wed, 01 Jan 2025 10:00:01 GMT",
     "If-Range: Wed, 01 Jan 2025 10:00:00 GMT", true},
    {"DateOfTheSameSecond", "Last-Modified is weak within a second of Date",
     "Last-Modified: Wed, 01 Jan 2025 10:00:00 GMT\nDate: Wed, 01 Jan 2025 10:00:00 GMT",
     "If-Range: Wed, 01 Jan 2025 10:00:00 GMT", false},
    {"NoDateThoughEqual", "byte-equal, but no date", "Last-Modified: yesterday",
     "If-Range: yesterday", false},
    {"TwoLines", "If-Range holds one tag", kDated, "If-Range: \"a\"\nIf-Range: \"a\"", false},
};

[[maybe_unused]] const int kRegistered = [] {
  for (const Row& row : kRows) {
    test::register_rule("PreconditionRules", row.name,
                        {row.section, row.sentence,
                         std::string("answered with ") +
                             (std::string_view(row.outcome) == "failed" ? "412" : row.outcome),
                         ""},
                        __FILE__, __LINE__, [&row] {
                          EXPECT_EQ(outcome(row.stored, row.request), row.outcome) << row.request;
                        });
  }
  for (const RangeRow& row : kRangeRows) {
    test::register_rule("IfRangeRules", row.name,
                        {"RFC 9110 §13.1.5; http-rules 2.11", row.sentence,
                         row.partial ? "a part is sent" : "the whole is sent", ""},
                        __FILE__, __LINE__,
                        [&row] { EXPECT_EQ(partial(row.stored, row.request), row.partial); });
  }
  return 0;
}();

RULE(PreconditionRules, OnlySuccessesAreConditional, "RFC 9110 §13.2.1",
     "conditions apply to what would be a 2xx", "ignored for every other stored status", "") {
  for (const uint16_t status : {200, 203, 204, 299}) {
    EXPECT_EQ(outcome("ETag: \"a\"", "If-None-Match: \"a\"", status), "304") << status;
    EXPECT_EQ(outcome("ETag: \"a\"", "If-Match: \"b\"", status), "failed") << status;
  }
  for (const uint16_t status : {300, 301, 304, 404, 410, 500}) {
    EXPECT_EQ(outcome("ETag: \"a\"", "If-None-Match: *", status), "200") << status;
    EXPECT_EQ(outcome("ETag: \"a\"", "If-Match: \"b\"", status), "200") << status;
  }
}

RULE(EntityTagRules, Comparison, "RFC 9110 §8.8.3.2", "the table of strong and weak comparison",
     "as the RFC's table", "") {
  EXPECT_FALSE(strongly_equal("W/\"1\"", "W/\"1\""));
  EXPECT_TRUE(weakly_equal("W/\"1\"", "W/\"1\""));
  EXPECT_FALSE(strongly_equal("W/\"1\"", "W/\"2\""));
  EXPECT_FALSE(weakly_equal("W/\"1\"", "W/\"2\""));
  EXPECT_FALSE(strongly_equal("W/\"1\"", "\"1\""));
  EXPECT_TRUE(weakly_equal("W/\"1\"", "\"1\""));
  EXPECT_TRUE(strongly_equal("\"1\"", "\"1\""));
  EXPECT_TRUE(weakly_equal("\"1\"", "\"1\""));
}

TEST(EntityTag, WhatDoesNotParseIsEqualByteForByte) {
  EXPECT_TRUE(weakly_equal("abc", "abc"));
  EXPECT_FALSE(weakly_equal("W/abc", "abc"));
  EXPECT_FALSE(weakly_equal("", ""));
  EXPECT_FALSE(strongly_equal("abc", "abc"));
  EXPECT_FALSE(strongly_equal("\"", "\""));
  EXPECT_FALSE(strongly_equal("\"a\"b\"", "\"a\"b\""));
  EXPECT_FALSE(strongly_equal("", ""));
}

TEST(Preconditions, KnowWhatOnlyTheOriginMayRefuse) {
  const auto conditional = [](std::string_view text) {
    const FieldLines lines(text);
    RequestHead request;
    request.fields = lines.list();
    return is_conditional_on_origin(request);
  };
  EXPECT_TRUE(conditional("If-Match: *"));
  EXPECT_TRUE(conditional("If-Unmodified-Since: x"));
  EXPECT_FALSE(conditional("If-None-Match: *\nIf-Modified-Since: x\nIf-Range: x"));
}

}  // namespace
}  // namespace perigee::http

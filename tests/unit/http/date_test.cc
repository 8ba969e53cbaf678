// The three forms of HTTP dates, and what is none (RFC 9110 §5.6.7; http-rules 2.2).
#include "http/date.h"

#include <gtest/gtest.h>

#include <string>

#include "tests/support/rule.h"

namespace perigee::http {
namespace {

GUARDS("http::parse_date, http::format_date");

constexpr int64_t kNow = 1'767'225'600'000;  // Thu, 01 Jan 2026 00:00:00 GMT
constexpr int64_t kInvalid = INT64_MIN;

int64_t parsed(std::string_view text, int64_t now_ms = kNow) {
  const std::optional<int64_t> ms = parse_date(text, now_ms);
  return ms ? *ms / 1000 : kInvalid;
}

std::string formatted(int64_t seconds) {
  char buffer[kDateSize];
  return std::string(format_date(seconds * 1000, buffer));
}

struct Row {
  const char* name;
  const char* text;
  int64_t seconds;
};

const Row kForms[] = {
    {"ImfFixdate", "Sun, 06 Nov 1994 08:49:37 GMT", 784'111'777},
    {"Rfc850", "Sunday, 06-Nov-94 08:49:37 GMT", 784'111'777},
    {"Asctime", "Sun Nov  6 08:49:37 1994", 784'111'777},
    {"AsctimeWithTwoDigitDay", "Sun Nov 16 08:49:37 1994", 784'975'777},
    {"AsctimeWithZeroPaddedDay", "Sun Nov 06 08:49:37 1994", 784'111'777},
    {"NamesInLowerCase", "sun, 06 nov 1994 08:49:37 gmt", 784'111'777},
    {"NamesInUpperCase", "SUNDAY, 06-NOV-94 08:49:37 GMT", 784'111'777},
    {"AsctimeInAnyCase", "sUN nOV  6 08:49:37 1994", 784'111'777},
    {"DayNameIsNotChecked", "Mon, 06 Nov 1994 08:49:37 GMT", 784'111'777},
    {"Rfc850DayNameIsNotChecked", "Wednesday, 06-Nov-94 08:49:37 GMT", 784'111'777},
    {"BeginningOfTime", "Thu, 01 Jan 1970 00:00:00 GMT", 0},
    {"BeforeTheBeginning", "Wed, 31 Dec 1969 23:59:59 GMT", -1},
    {"LastSecondOf32Bits", "Tue, 19 Jan 2038 03:14:07 GMT", 2'147'483'647},
    {"Beyond32Bits", "Tue, 19 Jan 2038 03:14:08 GMT", 2'147'483'648},
    {"TenDigits", "Sat, 20 Nov 2286 17:46:39 GMT", 9'999'999'999},
    {"ElevenDigits", "Sat, 20 Nov 2286 17:46:40 GMT", 10'000'000'000},
    {"LeapSecond", "Sat, 31 Dec 2016 23:59:60 GMT", 1'483'228'800},
    {"LeapDay", "Thu, 29 Feb 2024 12:00:00 GMT", 1'709'208'000},
    {"LeapDayOfACentury", "Tue, 29 Feb 2000 12:00:00 GMT", 951'825'600},
    {"LastDayOfAMonth", "Sat, 31 Aug 2024 00:00:00 GMT", 1'725'062'400},
    {"LastYear", "Fri, 31 Dec 9999 23:59:59 GMT", 253'402'300'799},
};

const Row kNotDates[] = {
    {"Empty", "", kInvalid},
    {"Zero", "0", kInvalid},
    {"MinusOne", "-1", kInvalid},
    {"Seconds", "784111777", kInvalid},
    {"ZoneUtc", "Sun, 06 Nov 1994 08:49:37 UTC", kInvalid},
    {"ZonePst", "Sun, 06 Nov 1994 08:49:37 PST", kInvalid},
    {"ZoneOffset", "Sun, 06 Nov 1994 08:49:37 +0000", kInvalid},
    {"NoZone", "Sun, 06 Nov 1994 08:49:37", kInvalid},
    {"Rfc850ZoneUtc", "Sunday, 06-Nov-94 08:49:37 UTC", kInvalid},
    {"AsctimeWithZone", "Sun Nov  6 08:49:37 1994 GMT", kInvalid},
    {"TwoDigitYear", "Sun, 06 Nov 94 08:49:37 GMT", kInvalid},
    {"DashesInImf", "Sun, 06-Nov-1994 08:49:37 GMT", kInvalid},
    {"SpacesInRfc850", "Sunday, 06 Nov 94 08:49:37 GMT", kInvalid},
    {"FourDigitsInRfc850", "Sunday, 06-Nov-1994 08:49:37 GMT", kInvalid},
    {"ShortDayInRfc850", "Sun, 06-Nov-94 08:49:37 GMT", kInvalid},
    {"LongDayInImf", "Sunday, 06 Nov 1994 08:49:37 GMT", kInvalid},
    {"NoComma", "Sun 06 Nov 1994 08:49:37 GMT", kInvalid},
    {"NoSpaceAfterComma", "Sun,06 Nov 1994 08:49:37 GMT", kInvalid},
    {"DoubledSpaceAfterComma", "Sun,  06 Nov 1994 08:49:37 GMT", kInvalid},
    {"DoubledSpaceBeforeMonth", "Sun, 06  Nov 1994 08:49:37 GMT", kInvalid},
    {"DoubledSpaceBeforeZone", "Sun, 06 Nov 1994 08:49:37  GMT", kInvalid},
    {"Tab", "Sun,\t06 Nov 1994 08:49:37 GMT", kInvalid},
    {"DotsInTime", "Sun, 06 Nov 1994 08.49.37 GMT", kInvalid},
    {"OneDigitHour", "Sun, 06 Nov 1994 8:49:37 GMT", kInvalid},
    {"SpacePaddedHour", "Sun, 06 Nov 1994  8:49:37 GMT", kInvalid},
    {"OneDigitDay", "Sun, 6 Nov 1994 08:49:37 GMT", kInvalid},
    {"SpacePaddedDayInImf", "Sun,  6 Nov 1994 08:49:37 GMT", kInvalid},
    {"NoSeconds", "Sun, 06 Nov 1994 08:49 GMT", kInvalid},
    {"Fraction", "Sun, 06 Nov 1994 08:49:37.5 GMT", kInvalid},
    {"Hour24", "Sun, 06 Nov 1994 24:00:00 GMT", kInvalid},
    {"Minute60", "Sun, 06 Nov 1994 08:60:37 GMT", kInvalid},
    {"Second61", "Sun, 06 Nov 1994 08:49:61 GMT", kInvalid},
    {"DayZero", "Sun, 00 Nov 1994 08:49:37 GMT", kInvalid},
    {"Day32", "Sun, 32 Dec 1994 08:49:37 GMT", kInvalid},
    {"Day31OfNovember", "Wed, 31 Nov 1994 08:49:37 GMT", kInvalid},
    {"Day29OfAShortFebruary", "Wed, 29 Feb 2023 08:49:37 GMT", kInvalid},
    {"Day29OfACommonCentury", "Mon, 29 Feb 2100 08:49:37 GMT", kInvalid},
    {"UnknownMonth", "Sun, 06 Nox 1994 08:49:37 GMT", kInvalid},
    {"UnknownDay", "Sux, 06 Nov 1994 08:49:37 GMT", kInvalid},
    {"NoDayName", "06 Nov 1994 08:49:37 GMT", kInvalid},
    {"FiveDigitYear", "Sun, 06 Nov 19940 08:49:37 GMT", kInvalid},
    {"TextBehind", "Sun, 06 Nov 1994 08:49:37 GMT;", kInvalid},
    {"TwoDates", "Sun, 06 Nov 1994 08:49:37 GMT, Sun, 06 Nov 1994 08:49:37 GMT", kInvalid},
    {"Quoted", "\"Sun, 06 Nov 1994 08:49:37 GMT\"", kInvalid},
    {"Iso8601", "1994-11-06T08:49:37Z", kInvalid},
};

[[maybe_unused]] const int kRegistered = [] {
  for (const Row& row : kForms) {
    test::register_rule(
        "DateForms", row.name,
        {"RFC 9110 §5.6.7; http-rules 2.2", "three forms are dates, names in any case, of any year",
         "read in 64 bits; the day name is not compared with the date", ""},
        __FILE__, __LINE__, [&row] { EXPECT_EQ(parsed(row.text), row.seconds) << row.text; });
  }
  for (const Row& row : kNotDates) {
    test::register_rule("NotDates", row.name,
                        {"RFC 9110 §5.6.7; http-rules 2.2", "everything else is no date",
                         "invalid, never guessed", ""},
                        __FILE__, __LINE__,
                        [&row] { EXPECT_EQ(parsed(row.text), row.seconds) << row.text; });
  }
  return 0;
}();

RULE(DateForms, TwoDigitYears, "RFC 9110 §5.6.7",
     "a two-digit year more than 50 years ahead is in the past century",
     "exactly 50 years are not more", "") {
  EXPECT_EQ(parsed("Thursday, 01-Jan-70 00:00:00 GMT"), 3'155'760'000) << "2070 is 44 years ahead";
  EXPECT_EQ(parsed("Wednesday, 01-Jan-76 00:00:00 GMT"), 3'345'062'400) << "2076, exactly 50 years";
  EXPECT_EQ(parsed("Thursday, 01-Jan-76 00:00:01 GMT"), 189'302'401) << "1976, by a second";
  EXPECT_EQ(parsed("Saturday, 06-Nov-76 08:49:37 GMT"), 216'118'177) << "1976, by months";
  EXPECT_EQ(parsed("Saturday, 01-Jan-77 00:00:00 GMT"), 220'924'800);
  EXPECT_EQ(parsed("Friday, 01-Jan-99 00:00:00 GMT"), 915'148'800);
  EXPECT_EQ(parsed("Saturday, 01-Jan-00 00:00:00 GMT"), 946'684'800);
}

TEST(Date, TwoDigitYearsAfterTheCenturyHasTurned) {
  const int64_t year_2101 = 4'133'980'800'000;
  EXPECT_EQ(parsed("Monday, 01-Jan-00 00:00:00 GMT", year_2101), 4'102'444'800) << "2100";
  EXPECT_EQ(parsed("Thursday, 01-Jan-99 00:00:00 GMT", year_2101), 4'070'908'800) << "2099";
}

TEST(Date, TwoDigitYearsWithAClockBeforeTheBeginning) {
  EXPECT_EQ(parsed("Thursday, 01-Jan-70 00:00:00 GMT", -1), 0);
}

TEST(Date, EveryDayComesBackAsItWasWritten) {
  // Seconds of 150 years, about 13 hours apart, so that every day and hour is met.
  for (int64_t s = -1'000'000'000; s < 3'800'000'000; s += 46'801) {
    const std::string text = formatted(s);
    ASSERT_EQ(text.size(), kDateSize);
    ASSERT_EQ(parsed(text), s) << text;
  }
}

TEST(Date, WritesTheFixedForm) {
  EXPECT_EQ(formatted(784'111'777), "Sun, 06 Nov 1994 08:49:37 GMT");
  EXPECT_EQ(formatted(0), "Thu, 01 Jan 1970 00:00:00 GMT");
  EXPECT_EQ(formatted(-1), "Wed, 31 Dec 1969 23:59:59 GMT");
  EXPECT_EQ(formatted(2'147'483'648), "Tue, 19 Jan 2038 03:14:08 GMT");
  EXPECT_EQ(formatted(1'709'208'000), "Thu, 29 Feb 2024 12:00:00 GMT");
}

TEST(Date, WritesTheSecondThatHasBegun) {
  char buffer[kDateSize];
  EXPECT_EQ(format_date(1999, buffer), "Thu, 01 Jan 1970 00:00:01 GMT");
  EXPECT_EQ(format_date(-1, buffer), "Wed, 31 Dec 1969 23:59:59 GMT");
}

}  // namespace
}  // namespace perigee::http

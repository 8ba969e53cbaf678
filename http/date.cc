#include "http/date.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <tuple>

#include "base/text.h"
#include "http/headers.h"

namespace perigee::http {
namespace {

constexpr std::array<std::string_view, 12> kMonths = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                      "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
constexpr std::array<std::string_view, 7> kDays = {"Sunday",   "Monday", "Tuesday", "Wednesday",
                                                   "Thursday", "Friday", "Saturday"};

/// Days since 1970-01-01 of a proleptic Gregorian date.
int64_t days_from_civil(int64_t year, unsigned month, unsigned day) {
  year -= month <= 2;
  const int64_t era = (year >= 0 ? year : year - 399) / 400;
  const auto year_of_era = static_cast<unsigned>(year - era * 400);
  const unsigned day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
  const unsigned day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
  return era * 146097 + static_cast<int64_t>(day_of_era) - 719468;
}

struct Civil {
  int64_t year;
  unsigned month;
  unsigned day;
};

Civil civil_from_days(int64_t days) {
  days += 719468;
  const int64_t era = (days >= 0 ? days : days - 146096) / 146097;
  const auto day_of_era = static_cast<unsigned>(days - era * 146097);
  const unsigned year_of_era =
      (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
  const unsigned day_of_year =
      day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  const unsigned month_index = (5 * day_of_year + 2) / 153;
  const unsigned day = day_of_year - (153 * month_index + 2) / 5 + 1;
  const unsigned month = month_index < 10 ? month_index + 3 : month_index - 9;
  return {static_cast<int64_t>(year_of_era) + era * 400 + (month <= 2), month, day};
}

/// Reads a date from left to right; the first mismatch sticks.
class Reader {
 public:
  explicit Reader(std::string_view text) : rest_(text) {}

  void expect(std::string_view literal) {
    ok_ = ok_ && rest_.size() >= literal.size() &&
          base::iequals(rest_.substr(0, literal.size()), literal);
    if (ok_) rest_.remove_prefix(literal.size());
  }
  unsigned digits(size_t count) {
    unsigned value = 0;
    ok_ = ok_ && rest_.size() >= count;
    for (size_t i = 0; ok_ && i < count; ++i) {
      ok_ = rest_[i] >= '0' && rest_[i] <= '9';
      value = value * 10 + static_cast<unsigned>(rest_[i] - '0');
    }
    if (ok_) rest_.remove_prefix(count);
    return value;
  }
  /// asctime pads the day with a space.
  unsigned padded_day() {
    if (!rest_.empty() && rest_.front() == ' ') {
      rest_.remove_prefix(1);
      return digits(1);
    }
    return digits(2);
  }
  unsigned month() {
    for (unsigned i = 0; ok_ && i < kMonths.size(); ++i) {
      if (rest_.size() >= 3 && base::iequals(rest_.substr(0, 3), kMonths[i])) {
        rest_.remove_prefix(3);
        return i + 1;
      }
    }
    ok_ = false;
    return 1;
  }
  /// A day name: whole, or its first three letters.
  void day_name(bool whole) {
    for (const std::string_view name : kDays) {
      const std::string_view wanted = whole ? name : name.substr(0, 3);
      if (rest_.size() >= wanted.size() && base::iequals(rest_.substr(0, wanted.size()), wanted)) {
        rest_.remove_prefix(wanted.size());
        return;
      }
    }
    ok_ = false;
  }
  int64_t time_of_day() {
    const unsigned hour = digits(2);
    expect(":");
    const unsigned minute = digits(2);
    expect(":");
    const unsigned second = digits(2);
    ok_ = ok_ && hour < 24 && minute < 60 && second <= 60;
    return (static_cast<int64_t>(hour) * 60 + minute) * 60 + second;
  }
  bool done() const { return ok_ && rest_.empty(); }
  bool ok() const { return ok_; }
  char front() const { return rest_.empty() ? '\0' : rest_.front(); }

 private:
  std::string_view rest_;
  bool ok_ = true;
};

std::optional<int64_t> combine(const Reader& reader, int64_t year, unsigned month, unsigned day,
                               int64_t second_of_day) {
  static constexpr unsigned kLengths[] = {31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  if (!reader.done() || day < 1 || day > kLengths[month - 1]) return std::nullopt;
  const bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
  if (month == 2 && day == 29 && !leap) return std::nullopt;
  return (days_from_civil(year, month, day) * 86400 + second_of_day) * 1000;
}

std::optional<int64_t> parse_imf(std::string_view text) {
  Reader reader(text);
  reader.day_name(false);
  reader.expect(", ");
  const unsigned day = reader.digits(2);
  reader.expect(" ");
  const unsigned month = reader.month();
  reader.expect(" ");
  const unsigned year = reader.digits(4);
  reader.expect(" ");
  const int64_t time = reader.time_of_day();
  reader.expect(" GMT");
  return combine(reader, year, month, day, time);
}

std::optional<int64_t> parse_rfc850(std::string_view text, int64_t now_ms) {
  Reader reader(text);
  reader.day_name(true);
  reader.expect(", ");
  const unsigned day = reader.digits(2);
  reader.expect("-");
  const unsigned month = reader.month();
  reader.expect("-");
  const unsigned two_digits = reader.digits(2);
  reader.expect(" ");
  const int64_t time = reader.time_of_day();
  reader.expect(" GMT");
  const int64_t now_s = std::max<int64_t>(now_ms / 1000, 0);
  const Civil now = civil_from_days(now_s / 86400);
  int64_t year = now.year - now.year % 100 + two_digits;
  // More than 50 years ahead is the past century (RFC 9110 §5.6.7).
  if (std::tuple(year - 50, month, day, time) >
      std::tuple(now.year, now.month, now.day, now_s % 86400)) {
    year -= 100;
  }
  return combine(reader, year, month, day, time);
}

std::optional<int64_t> parse_asctime(std::string_view text) {
  Reader reader(text);
  reader.day_name(false);
  reader.expect(" ");
  const unsigned month = reader.month();
  reader.expect(" ");
  const unsigned day = reader.padded_day();
  reader.expect(" ");
  const int64_t time = reader.time_of_day();
  reader.expect(" ");
  const unsigned year = reader.digits(4);
  return combine(reader, year, month, day, time);
}

}  // namespace

std::optional<int64_t> parse_date(std::string_view text, int64_t now_ms) {
  const size_t comma = text.find(',');
  if (comma == 3) return parse_imf(text);
  if (comma != std::string_view::npos) return parse_rfc850(text, now_ms);
  return parse_asctime(text);
}

std::string_view format_date(int64_t ms, char (&out)[kDateSize]) {
  const int64_t seconds = ms >= 0 ? ms / 1000 : (ms - 999) / 1000;
  const int64_t days = seconds >= 0 ? seconds / 86400 : (seconds - 86399) / 86400;
  const auto time = static_cast<unsigned>(seconds - days * 86400);
  const Civil date = civil_from_days(days);
  const auto weekday = static_cast<size_t>(((days % 7) + 11) % 7);
  const auto two = [&](size_t at, unsigned value) {
    out[at] = static_cast<char>('0' + value / 10 % 10);
    out[at + 1] = static_cast<char>('0' + value % 10);
  };
  std::memcpy(out, "Sun, 06 Nov 1994 08:49:37 GMT", kDateSize);
  kDays[weekday].copy(out, 3);
  two(5, date.day);
  kMonths[date.month - 1].copy(out + 8, 3);
  const auto year = static_cast<unsigned>(date.year);
  two(12, year / 100);
  two(14, year % 100);
  two(17, time / 3600);
  two(20, time / 60 % 60);
  two(23, time % 60);
  return {out, kDateSize};
}

}  // namespace perigee::http

#include "tests/sim/http_date.h"

#include <ctime>
#include <regex>

#include "tests/sim/fields.h"

namespace perigee::sim {

namespace {

constexpr const char* kMonths[] = {"jan", "feb", "mar", "apr", "may", "jun",
                                   "jul", "aug", "sep", "oct", "nov", "dec"};

std::optional<int64_t> to_ms(int year, const std::string& month, int day, const std::string& time) {
  tm parts{};
  parts.tm_year = year - 1900;
  parts.tm_mon = -1;
  for (int i = 0; i < 12; ++i) {
    if (month == kMonths[i]) parts.tm_mon = i;
  }
  parts.tm_mday = day;
  parts.tm_hour = std::stoi(time.substr(0, 2));
  parts.tm_min = std::stoi(time.substr(3, 2));
  parts.tm_sec = std::stoi(time.substr(6, 2));
  if (parts.tm_mon < 0 || day < 1 || day > 31 || parts.tm_hour > 23 || parts.tm_min > 59 ||
      parts.tm_sec > 60) {
    return std::nullopt;
  }
  return static_cast<int64_t>(timegm(&parts)) * 1000;
}

}  // namespace

std::string write_date(int64_t ms, DateForm form) {
  const time_t seconds = ms / 1000;
  tm parts{};
  gmtime_r(&seconds, &parts);
  char text[64];
  const char* format = form == DateForm::kImf      ? "%a, %d %b %Y %H:%M:%S GMT"
                       : form == DateForm::kRfc850 ? "%A, %d-%b-%y %H:%M:%S GMT"
                                                   : "%a %b %e %H:%M:%S %Y";
  strftime(text, sizeof text, format, &parts);
  return text;
}

std::optional<int64_t> read_date(std::string_view raw, int64_t now_ms) {
  static const std::regex imf(
      R"((mon|tue|wed|thu|fri|sat|sun), (\d\d) ([a-z]{3}) (\d{4}) (\d\d:\d\d:\d\d) gmt)");
  static const std::regex rfc850(
      "(monday|tuesday|wednesday|thursday|friday|saturday|sunday), "
      R"((\d\d)-([a-z]{3})-(\d\d) (\d\d:\d\d:\d\d) gmt)");
  static const std::regex asctime(
      R"((mon|tue|wed|thu|fri|sat|sun) ([a-z]{3}) ([ \d]\d) (\d\d:\d\d:\d\d) (\d{4}))");
  const std::string text = lower(raw);
  std::smatch m;
  if (std::regex_match(text, m, imf)) {
    return to_ms(std::stoi(m[4]), m[3], std::stoi(m[2]), m[5]);
  }
  if (std::regex_match(text, m, rfc850)) {
    const int64_t now_year = 1970 + now_ms / 31'556'952'000;
    int year = static_cast<int>(now_year / 100 * 100) + std::stoi(m[4]);
    if (year > now_year + 50) year -= 100;
    return to_ms(year, m[3], std::stoi(m[2]), m[5]);
  }
  if (std::regex_match(text, m, asctime)) {
    return to_ms(std::stoi(m[5]), m[2], std::stoi(m[3]), m[4]);
  }
  return std::nullopt;
}

}  // namespace perigee::sim

// Dates: the first line is the date, the second the time now in seconds.
#include <charconv>
#include <string>

#include "base/check.h"
#include "base/text.h"
#include "http/date.h"
#include "http/headers.h"
#include "tests/fuzz/fuzz_text.h"

using namespace perigee;

namespace {

constexpr int64_t kDayMs = 86'400'000;
constexpr int64_t kYear10000 = 253'402'300'800'000;
constexpr int64_t kYear0 = -62'167'219'200'000;

std::string in_lower_case(std::string_view text) {
  std::string result(text);
  for (char& c : result) c = base::to_lower(c);
  return result;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string_view rest = fuzz::text_of(data, size);
  const std::string_view text = fuzz::take_line(rest);
  int64_t now_s = 1'767'225'600;
  std::from_chars(rest.data(), rest.data() + rest.size(), now_s);
  // A clock of ours stands between 1970 and the year 9900.
  const int64_t now_ms = (now_s < 0 || now_s > 250'000'000'000 ? 0 : now_s) * 1000;
  const std::optional<int64_t> ms = http::parse_date(text, now_ms);
  CHECK(ms == http::parse_date(in_lower_case(text), now_ms));
  if (!ms) return 0;
  CHECK(*ms % 1000 == 0 && *ms >= kYear0 && *ms < kYear10000 + kDayMs);
  CHECK(!http::parse_date(std::string(text) + " ", now_ms));
  CHECK(!http::parse_date(std::string(text) + "0", now_ms));
  CHECK(!http::parse_date(text.substr(0, text.size() - 1), now_ms));
  const bool two_digits = text.find('-') != std::string_view::npos;
  if (two_digits) {
    CHECK(*ms - now_ms <= 50 * 366 * kDayMs);
  } else {
    CHECK(ms == http::parse_date(text, now_ms + 100 * 365 * kDayMs));
  }
  if (*ms >= kYear10000) return 0;
  char buffer[http::kDateSize];
  const std::string_view written = http::format_date(*ms, buffer);
  CHECK(http::parse_date(written, 0) == ms);
  return 0;
}

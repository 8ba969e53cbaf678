// What an origin surely does not mean: which words of its are noticed.
#include "http/origin_lints.h"

#include <gtest/gtest.h>

#include "tests/support/rule.h"
#include "tests/unit/http/exchange_text.h"

namespace perigee::test {
namespace {

GUARDS("http::late_date_ms, http::directive_with_semicolon, http::is_cors_without_vary");

std::optional<int64_t> late(std::initializer_list<std::string> lines) {
  const Lines received(lines);
  http::ReceivedResponse response;
  response.fields = received.fields();
  return http::late_date_ms(response, {kReceivedMs, kReceivedMs});
}

RULE(Mistakes, ADateThatLagsIsAWrongClock, "RFC 9111 §4.2.3; http-rules 3.7",
     "apparent_age is as good as the origin's clock",
     "a Date over 60 s behind receipt, without Age and Via, is counted and logged once per site",
     "trust_origin_clock") {
  EXPECT_EQ(late({date(-61)}), 61'000);
  EXPECT_EQ(late({date(-60)}), std::nullopt);
  EXPECT_EQ(late({date(0)}), std::nullopt);
  EXPECT_EQ(late({date(100)}), std::nullopt) << "one that is early ages nothing";
  EXPECT_EQ(late({date(-61), "Age: 1"}), std::nullopt);
  EXPECT_EQ(late({date(-61), "Via: 1.1 x"}), std::nullopt);
  EXPECT_EQ(late({"Date: soon"}), std::nullopt);
  EXPECT_EQ(late({}), std::nullopt);
}

RULE(Mistakes, ASemicolonSeparatesNothing, "RFC 9111 §5.2; http-rules 4.17",
     "a comma stands between directives; unknown directives are ignored",
     "`public; max-age=60` is one unknown directive, which is logged once per site", "") {
  const auto found = [](std::initializer_list<std::string> lines) {
    const Lines received(lines);
    return std::string(http::directive_with_semicolon(received.fields()));
  };
  EXPECT_EQ(found({"Cache-Control: public; max-age=60"}), "public; max-age=60");
  EXPECT_EQ(found({"Cache-Control: no-cache, max-age=60;public"}), "max-age=60;public");
  EXPECT_EQ(found({"Cache-Control: a", "Cache-Control: b;"}), "b;");
  EXPECT_EQ(found({"Cache-Control: public, max-age=60"}), "");
  EXPECT_EQ(found({"Cache-Control: private=\"a; b\", x=\"c;d\""}), "");
  EXPECT_EQ(found({"CDN-Cache-Control: max-age=60;x=1"}), "") << "a parameter, RFC 9651";
  EXPECT_EQ(found({}), "");
}

TEST(CorsWithoutVary, IsSeenWhereOneOriginsAnswerReachesOthers) {
  const auto seen = [](std::initializer_list<std::string> lines,
                       const std::vector<std::string>& key_fields = {}) {
    const Lines received(lines);
    return http::is_cors_without_vary(received.fields(), key_fields);
  };
  const std::string named = "Access-Control-Allow-Origin: https://app.test";
  EXPECT_TRUE(seen({named}));
  EXPECT_TRUE(seen({named, "Vary: Accept"}));
  EXPECT_FALSE(seen({named, "Vary: Accept, origin"}));
  EXPECT_FALSE(seen({named, "Vary: *"}));
  EXPECT_FALSE(seen({named}, {"Origin"}));
  EXPECT_FALSE(seen({"Access-Control-Allow-Origin: *"}));
  EXPECT_FALSE(seen({"Vary: Accept"}));
}

}  // namespace
}  // namespace perigee::test

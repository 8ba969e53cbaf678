// What the operator is told of an origin: once, and by whatever way its response came.
#include "edge/origin_watch.h"

#include <gtest/gtest.h>

#include "tests/support/edge/stand.h"

namespace perigee::test {
namespace {

std::vector<std::string> sentences;
void keep(std::string_view sentence) { sentences.emplace_back(sentence); }

class OriginWatchTest : public ::testing::Test {
 protected:
  OriginWatchTest() { sentences.clear(); }
  void head(size_t site, std::string_view name, std::string_view value, bool trust = true) {
    std::vector<http::Field> storage(1);
    http::ReceivedResponse received;
    received.fields = http::HeaderList(storage);
    received.fields.add(name, value);
    http::PolicyOptions policy;
    policy.trust_origin_clock = trust;
    watch(site).on_head(received, {kNowMs, kNowMs}, policy);
  }
  static constexpr int64_t kNowMs = 1'767'226'600'000;  // Thu, 01 Jan 2026 00:16:40 GMT
  edge::OriginWatch& watch(size_t site) { return site == 0 ? named_ : nameless_; }
  edge::Metrics metrics_{1};
  edge::OriginWatch named_{"a.test", metrics_, keep};
  edge::OriginWatch nameless_{"127.0.0.1:3000", metrics_, keep};
};

TEST_F(OriginWatchTest, TellsOfAWrongClockOnceAnOrigin) {
  for (int i = 0; i < 3; ++i) head(0, "Date", "Thu, 01 Jan 2026 00:15:00 GMT");
  head(1, "Date", "Thu, 01 Jan 2026 00:15:00 GMT");
  ASSERT_EQ(sentences.size(), 2u);
  EXPECT_EQ(sentences[0],
            "the origin of a.test: Date is 100 s behind this clock, so that responses are old when "
            "they come; set the origin's clock, or trust_origin_clock = false");
  EXPECT_TRUE(sentences[1].starts_with("the origin of 127.0.0.1:3000: Date is 100 s behind"));
  EXPECT_EQ(metrics_.late_dates(), 4u);
}

TEST_F(OriginWatchTest, IsSilentWhereTheClockIsNotTrusted) {
  head(0, "Date", "Thu, 01 Jan 2026 00:15:00 GMT", false);
  head(0, "Date", "Thu, 01 Jan 2026 00:16:40 GMT");
  EXPECT_TRUE(sentences.empty());
  EXPECT_EQ(metrics_.late_dates(), 0u);
}

TEST_F(OriginWatchTest, TellsOfASemicolonOnceAnOrigin) {
  for (int i = 0; i < 3; ++i) head(0, "Cache-Control", "public; max-age=60");
  head(0, "Cache-Control", "public, max-age=60");
  head(1, "Cache-Control", std::string(1000, 'x') + ";");
  ASSERT_EQ(sentences.size(), 2u);
  EXPECT_EQ(
      sentences[0],
      "the origin of a.test: Cache-Control holds 'public; max-age=60', one unknown directive: "
      "a comma stands between two, not a semicolon");
  EXPECT_LT(sentences[1].size(), 250u);
  EXPECT_EQ(metrics_.semicolons(), 4u);
}

TEST_F(OriginWatchTest, TellsWhyAnOriginDoesNotAnswerOnceASiteAndKindInItsTime) {
  using origin::FetchError;
  const auto fail = [&](size_t site, FetchError::Kind kind, int64_t at_ms) {
    watch(site).on_failure({kind, "connect to 10.0.0.3:80: Connection refused"}, base::Tick{at_ms});
  };
  const int64_t again_ms = 5 + base::limits::kFailureLogMs;
  fail(0, FetchError::kConnect, 5);
  for (int i = 0; i < 3; ++i) fail(0, FetchError::kConnect, again_ms - 1);
  ASSERT_EQ(sentences.size(), 1u);
  EXPECT_EQ(sentences[0], "the origin of a.test: connect to 10.0.0.3:80: Connection refused");
  fail(0, FetchError::kTimeout, 6);
  fail(1, FetchError::kConnect, 6);
  EXPECT_EQ(sentences.size(), 3u) << "another kind and another site have lines of their own";
  fail(0, FetchError::kConnect, again_ms);
  ASSERT_EQ(sentences.size(), 4u);
  EXPECT_EQ(sentences[3], sentences[0] + " (and 3 times more since the last line)");
  fail(0, FetchError::kConnect, again_ms + 1);
  EXPECT_EQ(sentences.size(), 4u);
  EXPECT_EQ(metrics_.origin_failures(), 8u);
}

TEST_F(OriginWatchTest, AReasonStaysOneShortLine) {
  watch(0).on_failure({origin::FetchError::kTls, "bad\r\nname \x1b[31m" + std::string(9000, 'x')},
                      base::Tick{1});
  ASSERT_EQ(sentences.size(), 1u);
  EXPECT_TRUE(sentences[0].starts_with("the origin of a.test: bad\\x0D\\x0Aname \\x1B[31mxxx"));
  EXPECT_LT(sentences[0].size(), 600u);
}

TEST(OriginWatch, SeesFailuresOfFillsAndRelays) {
  Stand stand;
  stand.origin.go_away();
  for (const std::string_view method : {"GET", "HEAD", "POST"}) {
    const uint64_t before = stand.metrics.origin_failures();
    EXPECT_EQ(stand.ask(method, "/a").status, 502) << method;
    EXPECT_EQ(stand.metrics.origin_failures(), before + 1) << method;
  }
}

TEST(OriginWatch, SeesFillsRelaysAndRefreshes) {
  Stand stand;
  const auto wrong = [](std::string_view directives) {
    return Reply(200).cache(directives).line("Date", "Thu, 01 Jan 2026 00:10:00 GMT").body("x");
  };
  stand.origin.on("/a", wrong("public; max-age=60"));
  stand.get("/a");
  EXPECT_EQ(stand.metrics.late_dates(), 1u);
  EXPECT_EQ(stand.metrics.semicolons(), 1u);
  stand.ask("POST", "/a");
  EXPECT_EQ(stand.metrics.late_dates(), 2u);
  stand.origin.on("/b", wrong("max-age=10, stale-while-revalidate=1000"));
  stand.get("/b");
  EXPECT_EQ(stand.get("/b").status, 200);
  stand.run();
  EXPECT_EQ(stand.metrics.late_dates(), 4u) << "a refresh behind a stale hit";
}

TEST_F(OriginWatchTest, TellsOfPagesInPlaceOfAssetsOncePerPath) {
  for (int i = 0; i < 2; ++i) {
    watch(0).on_stand_in(http::StandIn::kShape, "/app.js?v=" + std::to_string(i));
    watch(0).on_stand_in(http::StandIn::kShape, "/app.css");
    watch(0).on_stand_in(http::StandIn::kRetained, "/old.js");
  }
  ASSERT_EQ(sentences.size(), 2u);
  EXPECT_EQ(sentences[0],
            "the origin of a.test: a page (text/html) came for /app.js, which is none by its name; "
            "it is not stored");
  EXPECT_EQ(metrics_.misshapen(), 4u);
  EXPECT_EQ(metrics_.retained(), 2u);
  for (size_t i = 0; i < base::limits::kPathsTold; ++i) {
    watch(0).on_stand_in(http::StandIn::kShape, "/" + std::to_string(i) + ".js");
  }
  EXPECT_EQ(sentences.size(), base::limits::kPathsTold) << "the rest is counted alone";
}

TEST_F(OriginWatchTest, TellsOfWrongDigestsOncePerPath) {
  watch(0).on_stand_in(http::StandIn::kShape, "/app.js");
  for (int i = 0; i < 2; ++i) watch(0).on_wrong_digest("/app.js?v=" + std::to_string(i));
  ASSERT_EQ(sentences.size(), 2u);
  EXPECT_EQ(sentences[1],
            "the origin of a.test: what came for /app.js is not what its Repr-Digest or "
            "Content-Digest says; it is not stored");
  EXPECT_EQ(metrics_.wrong_digests(), 2u);
}

TEST_F(OriginWatchTest, TellsOnceOfCorsAnswersWithoutVary) {
  for (int i = 0; i < 2; ++i) head(0, "Access-Control-Allow-Origin", "https://app.test");
  head(1, "Access-Control-Allow-Origin", "*");
  ASSERT_EQ(sentences.size(), 1u);
  EXPECT_EQ(sentences[0],
            "the origin of a.test: Access-Control-Allow-Origin names one origin, and Vary does not "
            "name Origin, so that others get it too; set key_fields = ['Origin']");
}

}  // namespace
}  // namespace perigee::test

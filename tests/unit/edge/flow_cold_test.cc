// Records whose pages leave memory while a request waits for its origin: they cover what the origin
// does not say all the same, once they are verified again.
#include <gtest/gtest.h>

#include <string>

#include "tests/support/edge/stand.h"

namespace perigee::test {
namespace {

/// A stale copy of /a, and a client that waits for its origin.
class ColdCover : public testing::Test {
 protected:
  void begin() {
    stand.origin.on("/a", Reply(200).cache("max-age=1").body("good"));
    EXPECT_EQ(stand.get("/a").body, "good");
    stand.pass_ms(2'000);
    stand.origin.hold("GET", "/a");
    client.ask("GET", "/a");
    stand.run();
    ASSERT_EQ(stand.origin.asked.size(), 2u);
  }
  /// Until the store has noticed that its pages are gone.
  void cool() {
    stand.io->pages_gone = true;
    stand.pass_ms(11'000);
    ASSERT_EQ(stand.stored("/a").state, cache_store::Found::kCold);
    stand.io->pages_gone = false;
  }

  Stand stand{"stale_if_error = \"1h\""};
  Client client{stand};
};

TEST_F(ColdCover, AnOriginThatBreaksOffIsCovered) {
  begin();
  cool();
  stand.origin.go_away();

  const Answer answer = client.answer();
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.body, "good");
  EXPECT_NE(answer.cache().find("detail=stale-if-error"), std::string::npos) << answer.cache();
}

TEST_F(ColdCover, AServerErrorIsCovered) {
  begin();
  cool();
  stand.origin.on("/a", Reply(500).body("broken"));
  stand.origin.release();
  const Answer answer = client.answer();
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.body, "good");
  EXPECT_NE(answer.cache().find("fwd-status=500"), std::string::npos) << answer.cache();
}

TEST_F(ColdCover, AServerErrorOfAHeadIsCovered) {
  stand.origin.on("/a", Reply(200).cache("max-age=1").body("good"));
  stand.get("/a");
  stand.pass_ms(2'000);
  stand.origin.hold("HEAD", "/a");
  client.ask("HEAD", "/a");
  stand.run();
  cool();
  stand.origin.on("/a", Reply(500));
  stand.origin.release();
  const Answer answer = client.answer();
  EXPECT_EQ(answer.status, 200);
  EXPECT_NE(answer.cache().find("fwd-status=500"), std::string::npos) << answer.cache();
}

TEST_F(ColdCover, WhereItMayNotBeServedTheErrorGoesOn) {
  stand.reload("");
  begin();
  cool();
  stand.origin.on("/a", Reply(500).body("broken"));
  stand.origin.release();
  const Answer answer = client.answer();
  EXPECT_EQ(answer.status, 500);
  EXPECT_EQ(answer.body, "broken");
}

TEST(ColdCovers, AnOriginThatIsSlowIsCovered) {
  Stand stand("stale_if_slow = \"12s\"\nstale_if_error = \"1h\"");
  stand.origin.on("/a", Reply(200).cache("max-age=1").body("good"));
  stand.get("/a");
  stand.pass_ms(2'000);
  stand.origin.hold("GET", "/a");
  Client client(stand);
  client.ask("GET", "/a");
  stand.io->pages_gone = true;
  stand.pass_ms(11'000);
  EXPECT_EQ(stand.stored("/a").state, cache_store::Found::kCold);
  stand.io->pages_gone = false;
  stand.pass_ms(1'500);
  const Answer answer = client.answer();
  EXPECT_EQ(answer.body, "good");
  EXPECT_NE(answer.cache().find("detail=stale-if-slow"), std::string::npos) << answer.cache();
}

}  // namespace
}  // namespace perigee::test

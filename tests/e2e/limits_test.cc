// Bounds on clients over a socket: what is too long, too slow or idle.
#include "tests/e2e/harness/site.h"

namespace perigee::e2e {
namespace {

using Limits = SiteTest;

TEST_F(Limits, ALongRequestLineIsA414) {
  Client client(node.port());
  client.send(client.bytes("GET", "/" + std::string(9'000, 'a')));
  client.read().expect(414).expect_field("Connection", "close");
  EXPECT_EQ(client.end(), State::kNone);
}

TEST_F(Limits, ALongFieldALargeHeadAndManyFieldsAreA431) {
  const Lines long_field = {"X: " + std::string(9'000, 'a')};
  const Lines large_head(4, "X: " + std::string(5'000, 'a'));
  const Lines many_fields(150, "X: a");
  for (const Lines& lines : {long_field, large_head, many_fields}) {
    Client client(node.port());
    client.send(client.bytes("GET", "/a", lines));
    client.read().expect(431).expect_field("Connection", "close");
    EXPECT_EQ(client.end(), State::kNone);
  }
  EXPECT_EQ(origin.count("/a"), 0u);
}

TEST_F(Limits, ARequestWithinTheBoundsPasses) {
  get("/" + std::string(8'000, 'a'), Lines(90, "X: a")).expect(200);
}

/// The same, with times that a test can wait for.
class Timeouts : public testing::Test {
 protected:
  std::string config() const {
    return "[server]\nhead_timeout = \"300ms\"\nidle_timeout = \"400ms\"\n"
           "[[site]]\ndefault = true\norigin = \"" +
           origin.url() + "\"\n";
  }
  tools::FakeOrigin origin;
  Node node{{.config = config()}};
};

TEST_F(Timeouts, AHeadThatDoesNotEndIsA408) {
  Client client(node.port());
  client.send("GET /a HTTP/1.1\r\nHost: a\r\n");
  client.read().expect(408).expect_field("Connection", "close");
  EXPECT_EQ(client.end(), State::kNone);
}

TEST_F(Timeouts, AHeadIsNotKeptAliveByItsBytes) {
  Client client(node.port());
  client.send("GET /a HTTP/1.1\r\nHost: a\r\n");
  // One more field each few milliseconds, until the answer is there or the peer is gone.
  EXPECT_TRUE(eventually([&] { return !client.send("X: a\r\n") || client.readable(); }));
  client.read().expect(408);
}

TEST_F(Timeouts, AnIdleConnectionIsClosedSilently) {
  Client fresh(node.port());
  EXPECT_EQ(fresh.end(), State::kNone);
  Client used(node.port());
  used.get("/a").expect(200);
  EXPECT_EQ(used.end(), State::kNone);
}

TEST_F(Timeouts, AnExchangeInProgressIsNotIdle) {
  origin.hold("/slow");
  Client client(node.port());
  client.send(client.bytes("GET", "/slow"));
  // Another connection idles and is closed meanwhile.
  EXPECT_EQ(Client(node.port()).end(), State::kNone);
  origin.release("/slow");
  client.read().expect(200);
}

}  // namespace
}  // namespace perigee::e2e

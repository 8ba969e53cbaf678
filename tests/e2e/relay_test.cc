// Requests that are relayed with their content: streamed both ways, paced by the slower side, never
// kept.
#include <atomic>

#include "tests/e2e/harness/site.h"

namespace perigee::e2e {
namespace {

using tools::FakeRequest;
using tools::Wire;

class Relay : public SiteTest {
 protected:
  static constexpr size_t kLarge = 100 << 20;
  /// What an honest bound on memory leaves room for, sanitizers included; far below kLarge.
  static constexpr size_t kRoom = 48 << 20;
};

TEST_F(Relay, ContentComesThroughWholeWithALength) {
  const std::string content = tools::pattern_body(1 << 20);
  request("POST", "/form", {"Content-Type: text/plain"}, content)
      .expect(200)
      .expect_cache("fwd=method");
  const auto seen = origin.last("/form");
  ASSERT_TRUE(seen);
  EXPECT_EQ(seen->body, content);
  EXPECT_EQ(seen->field("Content-Length"), std::to_string(content.size()));
  EXPECT_EQ(seen->field("Content-Type"), "text/plain");
}

TEST_F(Relay, ChunkedContentComesThroughInOurOwnChunks) {
  Client client(node.port());
  client.send(client.bytes("PUT", "/form", {"Transfer-Encoding: chunked"}) +
              "5;ext=1\r\nhello\r\n1\r\n!\r\n0\r\nX-Trailer: 1\r\n\r\n");
  client.read().expect(200);
  const auto seen = origin.last("/form");
  ASSERT_TRUE(seen);
  EXPECT_EQ(seen->body, "hello!");
  EXPECT_EQ(seen->field("Transfer-Encoding"), "chunked");
  EXPECT_EQ(seen->field("X-Trailer"), std::nullopt);
  // The connection goes on.
  client.get("/form").expect(200);
}

TEST_F(Relay, ExpectedContentIsAskedForAndNeverExpectedUpstream) {
  Client client(node.port());
  client.send(client.bytes("POST", "/form", {"Expect: 100-continue", "Content-Length: 5"}));
  EXPECT_EQ(client.read_interim(), 100);
  client.send("hello");
  EXPECT_TRUE(client.read().expect(200).interim.empty());
  EXPECT_EQ(origin.last("/form")->body, "hello");
  EXPECT_EQ(origin.last("/form")->field("Expect"), std::nullopt);
}

TEST_F(Relay, CurlUploadsAFile) {
  TempFolder folder;
  const std::string content = tools::pattern_body(3 << 20);
  const std::string file = folder.write("upload", content);
  const Finished done =
      curl({"-T", file, node.url("/put"), "-w", "%{http_code}", "-o", "/dev/null"});
  EXPECT_EQ(done.exit, 0) << done.err;
  EXPECT_EQ(done.out, "200");
  EXPECT_TRUE(origin.last("/put")->body == content);
  EXPECT_EQ(origin.last("/put")->method, "PUT");
}

TEST_F(Relay, AnUploadIsPacedByTheOriginAndKeepsMemoryBounded) {
  origin.hold("read");
  origin.set("/slow", [this](FakeRequest& asked, Wire& wire) {
    if (!wire.wait_while_held("read") || !wire.read_body(asked)) return;
    const std::string size = std::to_string(asked.body.size());
    wire.send("HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(size.size()) + "\r\n\r\n" +
              size);
  });
  const std::string content(kLarge, 'x');
  Client client(node.port());
  client.send(client.bytes("POST", "/slow", {"Content-Length: " + std::to_string(kLarge)}));
  const size_t before = node.memory_bytes();
  const size_t sent = client.send_until_blocked(content);
  EXPECT_LT(sent, kRoom) << "nobody reads, and the client could send";
  EXPECT_LT(node.memory_bytes(), before + kRoom);
  origin.release("read");
  EXPECT_TRUE(client.send(std::string_view(content).substr(sent)));
  EXPECT_LT(node.memory_bytes(), before + kRoom);
  client.read().expect(200).expect_body(std::to_string(kLarge));
}

TEST_F(Relay, ADownloadIsPacedByItsClientAndKeepsMemoryBounded) {
  origin.set("/large", [](FakeRequest&, Wire& wire) {
    const std::string block = tools::pattern_body(1 << 20);
    bool on = wire.send("HTTP/1.1 200 OK\r\nCache-Control: no-store\r\nContent-Length: " +
                        std::to_string(kLarge) + "\r\n\r\n");
    for (size_t i = 0; on && i < kLarge / block.size(); ++i) on = wire.send(block);
  });
  Client client(node.port());
  const size_t before = node.memory_bytes();
  client.send(client.bytes("GET", "/large"));
  Response answer = client.read_head();
  size_t got = 0;
  size_t most = 0;
  while (answer.state == State::kReading) {
    client.read_body(answer, 1 << 20);
    got += answer.body.size();
    answer.body.clear();
    most = std::max(most, node.memory_bytes());
  }
  EXPECT_EQ(answer.state, State::kWhole);
  EXPECT_EQ(got, kLarge);
  EXPECT_LT(most, before + kRoom);
}

TEST_F(Relay, AnEarlyAnswerEndsTheUpload) {
  origin.set("/refused", [](FakeRequest&, Wire& wire) {
    wire.send("HTTP/1.1 403 No\r\nContent-Length: 2\r\n\r\nno");
    wire.finish();
  });
  Client client(node.port());
  client.send(client.bytes("POST", "/refused", {"Content-Length: 50000000"}) +
              std::string(1000, 'x'));
  client.read().expect(403).expect_body("no").expect_field("Connection", "close");
  EXPECT_EQ(client.end(), State::kNone);
}

TEST_F(Relay, ACutUploadNeverReachesTheOriginAsAWhole) {
  std::atomic<int> whole{-1};
  origin.set("/cut",
             [&](FakeRequest& asked, Wire& wire) { whole = wire.read_body(asked) ? 1 : 0; });
  Client client(node.port());
  client.send(client.bytes("POST", "/cut", {"Transfer-Encoding: chunked"}) + "5\r\nhello\r\n");
  ASSERT_TRUE(origin.wait_for("/cut", 1));
  client.reset();
  EXPECT_TRUE(eventually([&] { return whole != -1; }));
  EXPECT_EQ(whole, 0);
}

TEST_F(Relay, IsNeverRetried) {
  origin.set("/once", [](FakeRequest&, Wire& wire) { wire.reset(); });
  request("POST", "/once", {}, "x").expect(502);
  EXPECT_EQ(origin.count("/once"), 1u);
}

TEST_F(Relay, AHalfClosedClientGetsItsAnswer) {
  origin.reply("/a", {.fields = {max_age(60)}, .body = "one"});
  origin.hold("/a");
  Client client(node.port());
  client.send(client.bytes("GET", "/a"));
  client.half_close();
  ASSERT_TRUE(origin.wait_for("/a", 1));
  origin.release("/a");
  client.read().expect(200).expect_body("one");
  EXPECT_EQ(client.end(), State::kNone);
}

TEST_F(Relay, AnAnswerMayBeginBeforeTheContentWasSent) {
  origin.set("/echo", [](FakeRequest& asked, Wire& wire) {
    wire.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nready\r\n");
    if (wire.read_body(asked)) wire.send("5\r\n" + asked.body + "\r\n0\r\n\r\n");
  });
  Client client(node.port());
  client.send(client.bytes("POST", "/echo", {"Content-Length: 5"}));
  Response answer = client.read_head();
  client.read_body(answer, 5);
  EXPECT_EQ(answer.body, "ready");
  EXPECT_EQ(answer.state, State::kReading);
}

}  // namespace
}  // namespace perigee::e2e

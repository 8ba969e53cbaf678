// Objects of many megabytes over sockets: stored in fragments, answered from them, whole after
// kill -9.
#include <thread>

#include "tests/e2e/harness/site.h"
#include "tests/support/torture.h"

namespace perigee::e2e {
namespace {

using tools::FakeRequest;
using tools::Wire;

constexpr size_t kSize = 10 << 20;

class Large : public testing::Test {
 protected:
  Large() {
    origin.set("/video", [this](FakeRequest&, Wire& wire) {
      wire.send("HTTP/1.1 200 OK\r\n" + max_age(600) +
                "\r\nETag: \"v1\"\r\nContent-Length: " + std::to_string(kSize) + "\r\n\r\n" + body);
    });
  }
  void store() {
    Client(node.port()).get("/video").expect(200).expect_body(body);
    ASSERT_TRUE(eventually([this] { return Client(node.port()).get("/video").is_hit(); }));
  }

  const std::string body = tools::pattern_body(kSize);
  tools::FakeOrigin origin;
  Node node{{.origin = origin.url()}};
};

TEST_F(Large, TheOriginIsAskedOnceAndCurlGetsAllOfItAgain) {
  store();
  TempFolder folder;
  const Finished done =
      curl({"-o", folder.file("video"), "-D", folder.file("head"), node.url("/video")});
  EXPECT_EQ(done.exit, 0) << done.err;
  EXPECT_TRUE(read_file(folder.file("video")) == body);
  EXPECT_NE(read_file(folder.file("head")).find("perigee; hit"), std::string::npos);
  const Finished rest = curl({"-o", folder.file("rest"), "-r", "5000000-", node.url("/video")});
  EXPECT_EQ(rest.exit, 0) << rest.err;
  EXPECT_TRUE(read_file(folder.file("rest")) == body.substr(5'000'000));
  Client(node.port())
      .get("/video", {"Range: bytes=1044470-1044489"})
      .expect(206)
      .expect_body(body.substr(1'044'470, 20))
      .expect_cache("hit");
  EXPECT_EQ(origin.count("/video"), 1u);
}

TEST_F(Large, ManyClientsOfAllPacesGetEachByte) {
  std::vector<std::thread> clients;
  std::atomic<size_t> right{0};
  for (size_t i = 0; i < 12; ++i) {
    clients.emplace_back([this, i, &right] {
      Client client(node.port());
      client.send(client.bytes("GET", "/video"));
      Response answer = client.read_head();
      // Some take it in small bites, so that others are far ahead.
      for (size_t bite = 0; i % 3 == 0 && bite < kSize; bite += 200'000) {
        client.read_body(answer, bite);
      }
      client.read_body(answer);
      if (answer.state == Response::State::kWhole && answer.body == body) ++right;
    });
  }
  for (std::thread& client : clients) client.join();
  EXPECT_EQ(right, 12u);
  EXPECT_EQ(origin.count("/video"), 1u);
}

TEST_F(Large, ItSurvivesAKill) {
  store();
  // What was written is synced within seconds, and a kill loses nothing that the kernel has.
  node.kill();
  node.start();
  Client(node.port()).get("/video").expect(200).expect_body(body).expect_cache("hit");
  EXPECT_EQ(origin.count("/video"), 1u);
}

TEST_F(Large, AKillInTheMiddleOfAFillLeavesNothing) {
  origin.hold("rest");
  origin.set("/cut", [this](FakeRequest&, Wire& wire) {
    wire.send("HTTP/1.1 200 OK\r\n" + max_age(600) + "\r\nContent-Length: " +
              std::to_string(kSize) + "\r\n\r\n" + body.substr(0, kSize / 2));
    if (wire.wait_while_held("rest")) wire.send(body.substr(kSize / 2));
  });
  Client client(node.port());
  client.send(client.bytes("GET", "/cut"));
  Response answer = client.read_head();
  client.read_body(answer, kSize / 2);
  node.kill();
  origin.release("rest");
  node.start();
  Client(node.port()).get("/cut").expect(200).expect_body(body).expect_cache("fwd=uri-miss");
}

TEST_F(Large, APurgeTakesAllOfIt) {
  store();
  Client(node.port()).request("PURGE", "/video").expect(200);
  Client(node.port()).get("/video").expect(200).expect_body(body).expect_cache("fwd=uri-miss");
}

/// One object that no store of this size could hold, and a small site beside it.
class LongerThanTheStore : public testing::Test {
 protected:
  static constexpr size_t kPiece = 1 << 20;
  LongerThanTheStore() {
    origin.set("/huge", [this](FakeRequest&, Wire& wire) {
      wire.send("HTTP/1.1 200 OK\r\n" + max_age(600) + "\r\nETag: \"v1\"\r\nContent-Length: " +
                std::to_string(pieces * kPiece) + "\r\n\r\n");
      for (size_t i = 0; i < pieces; ++i) wire.send(piece);
    });
    for (int page = 0; page < 40; ++page) {
      origin.replies("/" + std::to_string(page), {{.fields = {max_age(600)}, .body = piece}});
    }
  }
  /// Requests for the site that reached the origin.
  size_t visit() {
    size_t before = 0;
    size_t after = 0;
    for (int page = 0; page < 40; ++page) before += origin.count("/" + std::to_string(page));
    for (int page = 0; page < 40; ++page) {
      Client(node.port()).get("/" + std::to_string(page)).expect(200).expect_body(piece);
    }
    for (int page = 0; page < 40; ++page) after += origin.count("/" + std::to_string(page));
    return after - before;
  }

  const size_t pieces = static_cast<size_t>(test::tortured(512));
  const std::string piece = tools::pattern_body(kPiece - 1) + "\n";
  tools::FakeOrigin origin;
  Node node{{.origin = origin.url(), .store_size = pieces > 512 ? "1GiB" : "144MiB"}};
};

TEST_F(LongerThanTheStore, StreamsTwiceAndLeavesTheSite) {
  EXPECT_EQ(visit(), 40u);
  EXPECT_TRUE(eventually([this] { return visit() == 0; }));
  const size_t before = node.memory_bytes();
  for (int round = 0; round < 2; ++round) {
    const Finished done =
        run({.arguments = {"curl", "-sS", "-o", "/dev/null", "-w", "%{http_code} %{size_download}",
                           "--max-time", "600", node.url("/huge")}});
    EXPECT_EQ(done.exit, 0) << done.err;
    EXPECT_EQ(done.out, "200 " + std::to_string(pieces * kPiece));
    EXPECT_LT(node.memory_bytes(), before + (64u << 20));
    EXPECT_EQ(visit(), 0u) << "round " << round;
  }
}

}  // namespace
}  // namespace perigee::e2e

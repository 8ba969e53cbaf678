// Framing that can be read in two ways, over a socket: refused, the connection closed, nothing
// forwarded.
#include "tests/e2e/harness/site.h"

namespace perigee::e2e {
namespace {

struct Probe {
  std::string name;
  std::string request;
  int status = 400;
};
void PrintTo(const Probe& probe, std::ostream* out) { *out << probe.name; }

const std::string kSecond = "GET /second HTTP/1.1\r\nHost: a\r\n\r\n";

std::vector<Probe> probes() {
  const std::string post = "POST /a HTTP/1.1\r\nHost: a\r\n";
  const std::string get = "GET /a HTTP/1.1\r\n";
  return {
      {"LengthAndChunked",
       post + "Content-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nG"},
      {"TwoLengths", post + "Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello!"},
      {"ListOfLengths", post + "Content-Length: 5, 5\r\n\r\nhello"},
      {"SignedLength", post + "Content-Length: +5\r\n\r\nhello"},
      {"HugeLength", post + "Content-Length: 18446744073709551617\r\n\r\nx"},
      {"TwoCodings", post + "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"},
      {"ChunkedTwice",
       post + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"},
      {"CodingWithTab", post + "Transfer-Encoding: \x0b"
                               "chunked\r\n\r\n0\r\n\r\n"},
      {"CodingInHttp10",
       "POST /a HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"},
      {"FoldedLine", get + "Host: a\r\nX: b\r\n c\r\n\r\n"},
      {"BareLineFeed", "GET /a HTTP/1.1\nHost: a\n\n"},
      {"BareCarriageReturn", get + "Host: a\r\nX: a\rTransfer-Encoding: chunked\r\n\r\n"},
      {"SpaceBeforeColon", get + "Host : a\r\n\r\n"},
      {"EmptyName", get + "Host: a\r\n: x\r\n\r\n"},
      {"NoHost", get + "\r\n"},
      {"TwoHosts", get + "Host: a\r\nHost: b\r\n\r\n"},
      {"BadHost", get + "Host: a/b@c\r\n\r\n"},
      {"ContentOfGet", get + "Host: a\r\nContent-Length: 40\r\n\r\n"},
      {"ChunkedGet", get + "Host: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"},
      {"ConnectionNamesHost", get + "Host: a\r\nConnection: host\r\n\r\n"},
      {"DotSegmentBehindAnEncodedSlash", "GET /b%2f../a HTTP/1.1\r\nHost: a\r\n\r\n"},
      {"EncodedDotSegment", "GET /b/%2e%2e/a HTTP/1.1\r\nHost: a\r\n\r\n"},
      {"Fragment", "GET /a#b HTTP/1.1\r\nHost: a\r\n\r\n"},
      {"NoVersion", "GET /a\r\n\r\n"},
      {"Http2Preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 501},
      {"UnknownMethod", "SMUGGLE /a HTTP/1.1\r\nHost: a\r\n\r\n", 501},
      {"Connect", "CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\n", 501},
      {"Expectation", post + "Expect: teapot\r\nContent-Length: 1\r\n\r\nx", 417},
  };
}

class Smuggling : public SiteTest, public testing::WithParamInterface<Probe> {};

TEST_P(Smuggling, IsRefusedAndNothingBehindItIsRead) {
  Client client(node.port());
  client.send(GetParam().request + kSecond);
  const Response answer = client.read().expect(GetParam().status);
  EXPECT_EQ(answer.field("Connection"), "close");
  EXPECT_EQ(answer.field("Cache-Control"), "no-store");
  EXPECT_EQ(client.end(), State::kNone);
  EXPECT_EQ(origin.count("/a") + origin.count("/second"), 0u);
}
INSTANTIATE_TEST_SUITE_P(Probes, Smuggling, testing::ValuesIn(probes()),
                         [](const auto& probe) { return probe.param.name; });

using Desync = SiteTest;

TEST_F(Desync, AMalformedChunkEndsTheUploadAndTheConnection) {
  for (const std::string chunk : {"5\r\nhello!\r\n", "0x5\r\nhello\r\n", "5\nhello\r\n",
                                  "5\r\nhelloXX", "fffffffffffffffff\r\n", "-1\r\n"}) {
    Client client(node.port());
    client.send(client.bytes("POST", "/a", {"Transfer-Encoding: chunked"}) + chunk + "0\r\n\r\n" +
                kSecond);
    Response answer = client.read();
    EXPECT_TRUE(answer.status == 400 || answer.state == State::kReset) << chunk << answer.status;
  }
  EXPECT_EQ(origin.count("/second"), 0u);
}

TEST_F(Desync, ContentWithACachedUrlIsNeverTakenForARequest) {
  origin.reply("/a", {.fields = {max_age(60)}, .body = "one"});
  hit("/a");
  Client client(node.port());
  client.send(client.bytes("GET", "/a", {"Content-Length: " + std::to_string(kSecond.size())}) +
              kSecond);
  client.read().expect(400);
  EXPECT_EQ(client.end(), State::kNone);
  EXPECT_EQ(origin.count("/second"), 0u);
}

TEST_F(Desync, GoodRequestsBeforeABadOneAreAnswered) {
  origin.reply("/a", {.fields = {max_age(60)}, .body = "one"});
  hit("/a");
  Client client(node.port());
  client.send(client.bytes("GET", "/a") + client.bytes("GET", "/a") +
              "GET /a HTTP/1.1\r\nHost : a\r\n\r\n" + kSecond);
  client.read().expect(200).expect_body("one");
  client.read().expect(200).expect_body("one");
  client.read().expect(400);
  EXPECT_EQ(client.end(), State::kNone);
  EXPECT_EQ(origin.count("/second"), 0u);
}

TEST_F(Desync, ContentIsNeverTakenForARequestWhoeverAnswers) {
  // The content of each looks like a request. It is the content, and what follows it is the next
  // request.
  origin.reply("/form", {.status = 200, .body = "form"});
  origin.reply("/next", {.status = 200, .body = "next"});
  Client client(node.port());
  client.send(client.bytes("POST", "/form", {}, kSecond) + client.bytes("GET", "/next"));
  client.read().expect(200).expect_body("form");
  client.read().expect(200).expect_body("next");
  EXPECT_EQ(origin.last("/form")->body, kSecond);
  EXPECT_EQ(origin.count("/second"), 0u);
}

TEST_F(Desync, AnUpgradeIsAnsweredPlainlyAndEndsTheConnection) {
  origin.reply("/a", {.fields = {max_age(60)}, .body = "one"});
  Client client(node.port());
  client.send(client.bytes("GET", "/a", {"Connection: Upgrade", "Upgrade: h2c"}) + kSecond);
  client.read().expect(200).expect_body("one").expect_field("Connection", "close");
  EXPECT_EQ(client.end(), State::kNone);
  EXPECT_EQ(origin.last("/a")->field("Upgrade"), std::nullopt);
  EXPECT_EQ(origin.count("/second"), 0u);
}

TEST_F(Desync, FieldsNamedInConnectionAreNotForwarded) {
  get("/a", {"Connection: X-Hop", "X-Hop: 1", "X-End: 1", "Keep-Alive: 5", "TE: trailers"})
      .expect(200);
  const auto seen = origin.last("/a");
  ASSERT_TRUE(seen);
  for (const std::string name : {"X-Hop", "Keep-Alive", "TE"})
    EXPECT_EQ(seen->field(name), std::nullopt);
  EXPECT_EQ(seen->field("X-End"), "1");
}

/// The origin answers a POST without its content, which it then takes for a request of its own. The
/// answer to that one is nobody's.
TEST(PlantedRequest, IsNotAnsweredToAnotherClient) {
  const std::string planted = "GET /planted HTTP/1.1\r\nHost: a\r\n\r\n";
  for (const std::string status : {"405 No", "200 OK"}) {
    tools::FakeOrigin origin;
    origin.set("/early", [&](tools::FakeRequest&, tools::Wire& wire) {
      wire.forget_body();
      wire.send("HTTP/1.1 " + status + "\r\nContent-Length: 5\r\n\r\nearly");
    });
    origin.reply("/planted", {.fields = {max_age(60)}, .body = "planted"});
    origin.reply("/victim", {.fields = {max_age(60)}, .body = "victim"});
    origin.hold("/planted");
    Node node({.origin = origin.url(), .workers = 1});
    Client attacker(node.port());
    const bool waits = status == "200 OK";
    const std::string head =
        "POST /early HTTP/1.1\r\nHost: a\r\nContent-Length: " + std::to_string(planted.size()) +
        "\r\n\r\n";
    attacker.send(waits ? head : head + planted);
    attacker.read().expect_body("early");
    if (waits) attacker.send(planted);
    Client victim(node.port());
    victim.send(victim.bytes("GET", "/victim"));
    // On the attacker's connection it would be answered behind what was planted.
    EXPECT_TRUE(origin.wait_for("/victim", 1)) << status;
    origin.release("/planted");
    victim.read().expect(200).expect_body("victim");
  }
}

}  // namespace
}  // namespace perigee::e2e

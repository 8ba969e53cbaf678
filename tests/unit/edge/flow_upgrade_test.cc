// Clients that switch to another protocol through the node, where a rule allows it.
#include <gtest/gtest.h>

#include <deque>
#include <string>
#include <vector>

#include "base/limits.h"
#include "tests/support/edge/stand.h"
#include "tests/support/rule.h"

namespace perigee::test {
namespace {

GUARDS("http::allowed_upgrade, edge::Relayed, origin::OriginStream::tunnel");

namespace limits = base::limits;

constexpr const char* kAllowed = "[[site.rule]]\nprefix = \"/socket\"\nupgrade = [\"websocket\"]\n";
constexpr const char* kAsks =
    "Connection: keep-alive, Upgrade\r\nUpgrade: WebSocket\r\nSec-WebSocket-Key: k\r\n";
constexpr const char* kSwitches =
    "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    "Sec-WebSocket-Accept: a\r\n\r\n";

/// Both sides of a tunnel that stands.
class Tunnel {
 public:
  explicit Tunnel(const std::string& site = kAllowed) : stand(site), client(stand) {
    stand.origin.hold();
    client.ask("GET", "/socket", kAsks);
    stand.run();
    if (stand.origin.asked.size() != 1) return;
    stand.origin.send(kSwitches);
    head = client.arrived();
  }
  void up(std::string_view bytes) {
    client.write(bytes);
    stand.run();
  }

  Stand stand;
  Client client;
  std::string head;
};

RULE(FlowUpgrade, BytesGoBothWaysBehindA101, "RFC 9110 §7.8; http-rules 1.13",
     "a server may switch to a protocol that the client asks for",
     "the origin is asked where `upgrade` allows it, and after its 101 bytes are passed on",
     "upgrade") {
  Tunnel tunnel;
  const Asked& asked = tunnel.stand.origin.asked.at(0);
  EXPECT_EQ(asked["Connection"], "upgrade");
  EXPECT_EQ(asked["Upgrade"], "websocket");
  EXPECT_EQ(asked["Sec-WebSocket-Key"], "k");
  EXPECT_EQ(tunnel.head,
            "HTTP/1.1 101 Switching Protocols\r\nSec-WebSocket-Accept: a\r\n"
            "Connection: upgrade\r\nUpgrade: websocket\r\n\r\n");
  tunnel.up("GET /a HTTP/1.1\r\n\r\n");
  tunnel.stand.origin.send("HTTP/1.1 400 is no answer\r\n\r\n");
  EXPECT_EQ(tunnel.client.arrived(), "HTTP/1.1 400 is no answer\r\n\r\n");
  EXPECT_EQ(tunnel.stand.origin.asked.size(), 2u) << "it came through as it was sent";
  EXPECT_EQ(tunnel.stand.origin.asked[1].lines.size(), 0u);
  tunnel.up("\x81\x05hello");
  EXPECT_EQ(tunnel.stand.origin.raw(), "\x81\x05hello");
}

TEST(FlowUpgrade, WhatTheClientSendsAheadReachesTheOriginOnlyBehindTheSwitch) {
  Stand stand(kAllowed);
  stand.origin.hold();
  Client client(stand);
  client.ask("GET", "/socket", kAsks).write("ahead");
  stand.run();
  ASSERT_EQ(stand.origin.asked.size(), 1u);
  EXPECT_EQ(stand.origin.raw(), "");
  stand.origin.send(kSwitches);
  stand.run();
  EXPECT_EQ(stand.origin.raw(), "ahead");
}

RULE(FlowUpgrade, WhereNoneIsAllowedItIsAnsweredPlainly, "RFC 9110 §7.8; http-rules 1.13",
     "a server may ignore Upgrade", "the request goes on as plain HTTP/1.1", "upgrade") {
  const auto seen = [](std::string_view target, std::string_view lines) {
    Stand stand(kAllowed);
    stand.origin.otherwise(Reply(200).body("plain"));
    Client client(stand);
    client.ask("GET", target, lines);
    EXPECT_EQ(client.answer().body, "plain");
    return stand.origin.asked.at(0)["Upgrade"];
  };
  EXPECT_EQ(seen("/socket", kAsks), "websocket");
  EXPECT_EQ(seen("/other", kAsks), "");
  EXPECT_EQ(seen("/socket", "Connection: upgrade\r\nUpgrade: h2c\r\n"), "");
  EXPECT_EQ(seen("/socket", "Connection: close\r\nUpgrade: websocket\r\n"), "");
  EXPECT_EQ(seen("/socket", "Connection: upgrade\r\nUpgrade: h2c, websocket\r\n"), "websocket");
}

TEST(FlowUpgrade, ARequestWithContentSwitchesToNothing) {
  Stand stand(kAllowed);
  stand.origin.otherwise(Reply(200).body("x"));
  EXPECT_EQ(stand.ask("POST", "/socket", kAsks, "content").body, "x");
  EXPECT_EQ(stand.ask("POST", "/socket", std::string(kAsks) + "Content-Length: 0\r\n").body, "x");
  for (const Asked& asked : stand.origin.asked) EXPECT_EQ(asked["Upgrade"], "");
}

TEST(FlowUpgrade, AnAnswerThatIsNo101IsAnOrdinaryOne) {
  Stand stand(kAllowed);
  stand.origin.on("/socket", Reply(426).body("no"));
  Client client(stand);
  client.ask("GET", "/socket", kAsks).write("GET /second HTTP/1.1\r\nHost: site.test\r\n\r\n");
  const Answer answer = client.answer();
  EXPECT_EQ(answer.status, 426);
  EXPECT_EQ(answer["Connection"], "close");
  EXPECT_EQ(stand.origin.asked.size(), 1u) << "what came ahead is never a request";
  EXPECT_TRUE(client.saw_end());
  EXPECT_EQ(stand.origin.open_connections(), 0u) << "its place is none in the pool";
}

TEST(FlowUpgrade, ASwitchThatNobodyAskedForIs502) {
  Stand stand(kAllowed);
  stand.origin.hold();
  Client client(stand);
  client.ask("GET", "/plain");
  stand.run();
  stand.origin.send(kSwitches);
  EXPECT_EQ(client.answer().status, 502);
}

TEST(FlowUpgrade, NeverAnsweredFromTheStoreNorStored) {
  Stand stand(std::string("ttl = \"1h\"\n") + kAllowed);
  stand.origin.on("/socket", Reply(200).body("page"));
  EXPECT_EQ(stand.get("/socket").body, "page");
  stand.settle();
  EXPECT_EQ(stand.get("/socket").cache().find("perigee; hit"), 0u);
  EXPECT_EQ(stand.get("/socket", kAsks).cache(), "perigee; fwd=request; fwd-status=200");
  EXPECT_EQ(stand.origin.asked.size(), 2u);
}

TEST(FlowUpgrade, TheEndOfEitherSideEndsTheOther) {
  {
    Tunnel tunnel;
    tunnel.stand.origin.send("last");
    tunnel.stand.origin.finish();
    EXPECT_EQ(tunnel.client.arrived(), "last");
    EXPECT_TRUE(tunnel.client.saw_end());
    EXPECT_FALSE(tunnel.client.saw_reset());
  }
  {
    Tunnel tunnel;
    tunnel.client.write("last");
    tunnel.client.half_close();
    tunnel.stand.run();
    EXPECT_EQ(tunnel.stand.origin.raw(), "last");
    EXPECT_TRUE(tunnel.stand.origin.saw_end());
    tunnel.stand.origin.send("bye");
    EXPECT_EQ(tunnel.client.arrived(), "bye") << "a half-closed side is still written to";
    tunnel.stand.origin.finish();
    tunnel.stand.run();
    EXPECT_TRUE(tunnel.client.saw_end());
  }
  {
    Tunnel tunnel;
    tunnel.client.reset();
    tunnel.stand.run();
    EXPECT_EQ(tunnel.stand.origin.open_connections(), 0u);
  }
  {
    Tunnel tunnel;
    tunnel.stand.origin.reset();
    tunnel.stand.run();
    EXPECT_TRUE(tunnel.client.saw_reset());
  }
}

TEST(FlowUpgrade, AQuietTunnelStandsForLongAndNotForEver) {
  Tunnel tunnel;
  tunnel.stand.pass_ms(limits::kStreamQuietMs - 1'000);
  tunnel.up("ping");
  tunnel.stand.pass_ms(limits::kStreamQuietMs - 1'000);
  EXPECT_FALSE(tunnel.client.saw_end()) << "what the client sends is life";
  tunnel.stand.pass_ms(2'000);
  EXPECT_TRUE(tunnel.client.saw_end());
  EXPECT_EQ(tunnel.stand.origin.open_connections(), 0u);
}

TEST(FlowUpgrade, AnOriginThatWasToldTheEndIsNotAwaitedForLong) {
  Tunnel tunnel;
  tunnel.client.half_close();
  tunnel.stand.run();
  tunnel.stand.pass_ms(limits::kBetweenBytesMs + 1'000);
  EXPECT_TRUE(tunnel.client.saw_end());
}

TEST(FlowUpgrade, SoManyTunnelsStandAndOneClientHasAShareOfThem) {
  Stand stand(std::string("origin_connections = 2\n") + kAllowed);
  stand.origin.on("/socket", Reply(101).line("Connection", "upgrade").line("Upgrade", "websocket"));
  std::deque<Client> clients;
  const auto ask = [&](std::string_view address) -> Client& {
    return clients.emplace_back(stand, address).ask("GET", "/socket", kAsks);
  };
  for (const std::string_view address : {"203.0.113.9:1", "198.51.100.7:1"}) {
    for (size_t i = 0; i < limits::kTunnels / limits::kClientShare; ++i) ask(address);
    stand.run();
    EXPECT_EQ(ask(address).answer().status, 503);
  }
  EXPECT_EQ(stand.origin.asked.size(), limits::kTunnels);
  EXPECT_EQ(ask("192.0.2.1:1").answer().status, 503) << "nobody waits for what may last for hours";
  stand.origin.on("/a", Reply(200).body("x"));
  EXPECT_EQ(stand.get("/a").body, "x") << "tunnels are none of the origin's two connections";
  clients.front().reset();
  stand.run();
  ask("192.0.2.1:1");
  stand.run();
  EXPECT_EQ(stand.origin.asked_for("/socket"), limits::kTunnels + 1) << "a place became free";
}

TEST(FlowUpgrade, MuchGoesBothWaysThroughSmallWindows) {
  Tunnel tunnel;
  tunnel.client.reading().capacity = 1'000;
  std::string sent;
  for (int i = 0; i < 40'000; ++i) sent += std::to_string(i) + ";";
  tunnel.stand.origin.send(sent);
  tunnel.up(sent);
  std::string got;
  for (std::string part = tunnel.client.arrived(); !part.empty(); part = tunnel.client.arrived()) {
    got += part;
  }
  EXPECT_EQ(got, sent);
  EXPECT_EQ(tunnel.stand.origin.raw(), sent);
}

}  // namespace
}  // namespace perigee::test

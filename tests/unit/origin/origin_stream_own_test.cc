// A fetch on a connection of its client's own, and for how long an origin may be silent.
#include <cstring>
#include <deque>
#include <string>

#include "origin/origin_stream.h"
#include "origin/own_connection.h"
#include "tests/unit/origin/origin_fixture.h"

namespace perigee::origin {
namespace {

namespace limits = base::limits;

class OwnStreamTest : public OriginTest {};

TEST_F(OwnStreamTest, WhatAuthenticatesAConnectionHasOneOfItsOwn) {
  leave_idle();
  OwnConnection own;
  OwnConnection strangers;
  FetchRequest asked = request();
  asked.relayed = true;
  asked.own = &own;
  auto first = fetch(asked);
  EXPECT_EQ(connections(), 2u) << "not the idle one that anybody may have used";
  answer(kOk, 1);
  EXPECT_TRUE(first->whole());
  auto second = fetch(asked);
  EXPECT_EQ(connections(), 2u) << "the same connection goes on";
  answer(kOk, 1);
  EXPECT_TRUE(second->whole());
  asked.own = &strangers;
  auto other = fetch(asked);
  EXPECT_EQ(connections(), 3u);
  auto anybody = get();
  EXPECT_EQ(connections(), 3u) << "anybody takes the idle one, never theirs";
  answer(kOk, 0);
  EXPECT_TRUE(anybody->whole());
  answer(kOk, 2);
  EXPECT_TRUE(other->whole());
}

TEST_F(OwnStreamTest, AConnectionOfItsOwnThatEndedIsReplaced) {
  OwnConnection own;
  FetchRequest asked = request();
  asked.own = &own;
  auto first = fetch(asked);
  answer(kOk);
  finish();
  auto second = fetch(asked);
  EXPECT_EQ(connections(), 2u);
  answer(kOk, 1);
  EXPECT_TRUE(second->whole());
}

class OwnStreams : public OriginTest {
 protected:
  OwnStreams() : OriginTest(2) {}
};

TEST_F(OwnStreams, WhatClientsKeepIdleIsLetGoWhenSomebodyWaits) {
  std::deque<OwnConnection> own(2);
  for (size_t i = 0; i < own.size(); ++i) {
    FetchRequest asked = request();
    asked.own = &own[i];
    auto kept = fetch(asked);
    answer(kOk, i);
    EXPECT_TRUE(kept->whole());
  }
  EXPECT_EQ(gate_.connections.used(), 2u);
  auto waits = get();
  EXPECT_EQ(connections(), 2u);
  env_.advance(100);
  EXPECT_EQ(connections(), 3u) << "the one that was kept longest made room";
  answer(kOk, 2);
  EXPECT_TRUE(waits->whole());
  FetchRequest again = request();
  again.own = &own[1];
  auto second = fetch(again);
  EXPECT_EQ(connections(), 3u) << "the other one is still kept";
  answer(kOk, 1);
  EXPECT_TRUE(second->whole());
}

TEST_F(OwnStreams, ATunnelOnOneHasAPlaceAmongTunnels) {
  OwnConnection own;
  FetchRequest asked = request();
  asked.relayed = true;
  asked.own = &own;
  auto first = fetch(asked);
  answer(kOk);
  asked.upgrade = "websocket";
  auto tunnel = fetch(asked);
  EXPECT_EQ(connections(), 1u);
  EXPECT_EQ(gate_.tunnels.used(), 1u);
  EXPECT_EQ(gate_.connections.used(), 0u);
  tunnel->drop();
  EXPECT_EQ(gate_.tunnels.used(), 0u);
}

TEST_F(OwnStreamTest, ASwitchBeforeTheRequestIsWholeIsAnError) {
  const std::string switches =
      "HTTP/1.1 101 x\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n";
  for (const size_t capacity : {size_t{4}, rules_.capacity}) {
    rules_.capacity = capacity;
    FetchRequest asked = request();
    asked.relayed = true;
    asked.upgrade = "websocket";
    auto log = fetch(asked);
    answer(switches, peers_.size() - 1);
    EXPECT_EQ(log->said, capacity == 4 ? "failed:malformed" : "101");
  }
}

/// A connection that the origin has reset: Linux tells whoever sends, and then reads an end.
class ResetChannel final : public base::Channel {
 public:
  explicit ResetChannel(bool refuses) : refuses_(refuses) {}
  void bind(base::ChannelUser*) override {}
  void want(bool, bool) override {}
  base::Io recv(std::span<std::byte> into) override {
    const std::string text = std::exchange(text_, {});
    if (text.empty()) return {base::Io::kEof, 0, 0};
    std::memcpy(into.data(), text.data(), text.size());
    return {base::Io::kOk, text.size(), 0};
  }
  base::Io send(std::span<const base::Piece> pieces) override {
    size_t size = 0;
    for (const base::Piece& piece : pieces) size += piece.size;
    if (refuses_ && sent_ > 0) return {base::Io::kFail, 0, ECONNRESET};
    sent_ += size;
    return {base::Io::kOk, size, 0};
  }
  size_t unacked() const override { return 0; }
  bool finish() override { return true; }
  void abort() override {}
  const base::Peer& peer() const override { return peer_; }

 private:
  const bool refuses_;
  size_t sent_ = 0;
  std::string text_ = "HTTP/1.1 200 OK\r\n\r\npart";
  base::Peer peer_;
};

TEST_F(OwnStreamTest, AnEndBehindARefusedSendIsNoEndInOrder) {
  for (const bool refuses : {false, true}) {
    env_.on_connect = [refuses](const base::Endpoint&) {
      return std::optional<test::FakeEnv::ConnectResult>(std::make_unique<ResetChannel>(refuses));
    };
    test::FedBody content;
    FetchRequest asked = request(http::Method::kPost, "POST");
    asked.body = &content;
    auto log = std::make_unique<FetchLog>(env_);
    log->fetch = origin_->fetch(asked, *log);
    env_.run();
    content.feed("more");
    env_.run();
    content.end();
    env_.run();
    EXPECT_EQ(log->body(), "part") << refuses;
    EXPECT_EQ(log->cut(), refuses);
    EXPECT_EQ(log->whole(), !refuses);
    log->drop();
  }
}

TEST_F(OwnStreamTest, AnEventStreamMayBeQuietWhereALengthMayNot) {
  FetchRequest asked = request();
  asked.relayed = true;
  auto stream = fetch(asked);
  answer("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: 1\n\n");
  env_.advance(10 * limits::kBetweenBytesMs);
  answer("data: 2\n\n");
  EXPECT_EQ(stream->body(), "data: 1\n\ndata: 2\n\n");
  EXPECT_FALSE(stream->cut());
  auto counted = fetch(asked);
  answer("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab", 1);
  env_.advance(limits::kBetweenBytesMs + 10);
  EXPECT_TRUE(counted->cut());
  EXPECT_EQ(counted->told_cut, "a response was cut: the origin fell silent");
  env_.advance(limits::kStreamQuietMs);
  EXPECT_TRUE(stream->cut()) << "not for ever";
}

TEST_F(OwnStreamTest, TheUserIsToldWhyContentWasCut) {
  auto ended = get();
  answer("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab");
  finish();
  EXPECT_TRUE(ended->cut());
  EXPECT_EQ(ended->told_cut, "a response was cut: the connection ended before the content");
  auto malformed = get();
  answer("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", 1);
  EXPECT_EQ(malformed->told_cut, "a response was cut: the content is malformed");
  auto whole = get();
  answer(kOk, 2);
  EXPECT_EQ(whole->told_cut, "");
}

TEST_F(OwnStreamTest, TheRequestSaysHowLongTheOriginMayTake) {
  FetchRequest asked = request();
  asked.times.first_byte_ms = 100'000;
  asked.times.between_bytes_ms = 500;
  auto log = fetch(asked);
  env_.advance(90'000);
  EXPECT_EQ(log->said, "");
  answer("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab");
  env_.advance(510);
  EXPECT_TRUE(log->cut());
  auto late = fetch(asked);
  env_.advance(100'010);
  EXPECT_EQ(late->said, "failed:timeout");
}

}  // namespace
}  // namespace perigee::origin

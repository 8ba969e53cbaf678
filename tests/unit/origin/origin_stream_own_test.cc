// A fetch on a connection of its client's own, and for how long an origin may be silent.
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

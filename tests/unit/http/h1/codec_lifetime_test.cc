// When the codec gives up on its peer, what a half-close means, and how long what it lends is
// valid.
#include <gtest/gtest.h>

#include "base/limits.h"
#include "tests/support/rule.h"
#include "tests/unit/http/h1/wire.h"

namespace perigee::test {
namespace {

GUARDS("http::make_http1_codec");

using State = http::ServerCodec::State;
namespace limits = base::limits;

RULE(Http1Timeouts, AHeadIsWaitedForFromItsFirstByte, "RFC 9110 §15.5.9; http-rules 1.14",
     "a server answers 408 when no whole request came in time", "10 s, then 408 and close",
     "head_timeout") {
  CodecRig rig;
  rig.advance(30'000);
  rig.send("GET / HT");
  rig.advance(limits::kRequestHeadMs - 1000);
  rig.send("TP/1.1\r\n");
  EXPECT_EQ(rig.state(), State::kOpen);
  rig.advance(1000);
  EXPECT_EQ(rig.refusals, std::vector<uint16_t>{408}) << "later bytes do not prolong it";
  EXPECT_EQ(rig.state(), State::kLinger);
  EXPECT_NE(rig.received().find("HTTP/1.1 408 Request Timeout\r\n"), std::string::npos);
}

RULE(Http1Timeouts, AnIdleConnectionIsClosedSilently, "RFC 9112 §9.5; http-rules 4.9",
     "a server may close an idle connection at any time", "60 s, then a close without a 408",
     "idle_timeout") {
  for (const std::string_view before : {"", "\r\n"}) {
    CodecRig rig;
    rig.settle();
    rig.send(before);
    rig.advance(limits::kIdleMs - 1);
    EXPECT_EQ(rig.state(), State::kOpen);
    rig.advance(1);
    EXPECT_EQ(rig.state(), State::kClose);
    EXPECT_EQ(rig.received(), "");
    EXPECT_TRUE(rig.refusals.empty());
  }
}

TEST(Http1Timeouts, TheIdleTimeBeginsAnewWithEveryAnswer) {
  CodecRig rig;
  for (int i = 0; i < 5; ++i) {
    rig.advance(limits::kIdleMs - 1);
    rig.send(get());
  }
  EXPECT_EQ(rig.requests.size(), 5u);
  EXPECT_EQ(rig.codec().deadline(), rig.now() + limits::kIdleMs);
}

TEST(Http1Timeouts, ASlowAnswerIsNotThePeersFault) {
  CodecRig rig(FlowKind::kHold);
  rig.send(get());
  EXPECT_EQ(rig.codec().deadline().ms, INT64_MAX);
  rig.advance(10 * limits::kIdleMs);
  EXPECT_EQ(rig.state(), State::kOpen);
  rig.answer(200, "x");
  EXPECT_TRUE(rig.requests[0].sent_whole);
}

RULE(Http1Timeouts, ContentHasAMinimumRate, "RFC 9110 §15.5.9; http-rules 1.19",
     "a server may give up on a request that does not complete in time",
     "below 500 bytes a second after 5 s: 408 and close", "") {
  CodecRig rig;
  rig.send(post("Content-Length: 100000\r\n"));
  for (int i = 0; i < 20; ++i) {
    rig.send(std::string(500, 'x'));
    rig.advance(1000);
  }
  EXPECT_EQ(rig.state(), State::kOpen);
  for (int i = 0; i < 10 && rig.state() == State::kOpen; ++i) {
    rig.send(std::string(499, 'x'));
    rig.advance(1000);
  }
  EXPECT_EQ(rig.refusals, std::vector<uint16_t>{408});
  EXPECT_TRUE(rig.requests[0].cancelled);
  EXPECT_EQ(rig.state(), State::kLinger);
}

TEST(Http1Timeouts, AReaderThatLetsTheWindowStandFullIsNotThePeersFault) {
  CodecRig rig(FlowKind::kHold);
  rig.send(post("Content-Length: 100000\r\n") + std::string(limits::kSpillBytes, 'x'));
  rig.advance(20 * limits::kBodyGraceMs);
  EXPECT_EQ(rig.state(), State::kOpen);
  rig.read_body();
  rig.advance(limits::kBodyGraceMs);
  EXPECT_EQ(rig.refusals, std::vector<uint16_t>{408}) << "with room again the rate counts";
}

TEST(Http1Timeouts, APeerThatWaitsFor100IsNotSlow) {
  CodecRig rig(FlowKind::kHold);
  rig.send(post("Expect: 100-continue\r\nContent-Length: 5\r\n"));
  rig.advance(20 * limits::kBodyGraceMs);
  EXPECT_EQ(rig.state(), State::kOpen);
  EXPECT_EQ(rig.received(), "");
  EXPECT_FALSE(rig.read_body());
  rig.settle();
  EXPECT_EQ(rig.take_received(), "HTTP/1.1 100 Continue\r\n\r\n");
  rig.advance(limits::kBodyGraceMs - 1);
  rig.send("hello");
  EXPECT_TRUE(rig.read_body());
  EXPECT_EQ(rig.requests[0].body, "hello");
  EXPECT_EQ(rig.codec().deadline().ms, INT64_MAX);
}

TEST(Http1Timeouts, TheRateIsAskedForFromThe100On) {
  CodecRig rig(FlowKind::kHold);
  rig.send(post("Expect: 100-continue\r\nContent-Length: 5\r\n"));
  rig.advance(limits::kBodyGraceMs - 1);
  EXPECT_FALSE(rig.read_body());
  rig.settle();
  rig.advance(limits::kBodyGraceMs - 1);
  EXPECT_TRUE(rig.refusals.empty()) << "the 100 has only just been sent";
  rig.advance(1);
  EXPECT_EQ(rig.refusals, std::vector<uint16_t>{408});
}

TEST(Http1Timeouts, OnceItsAnswerHasBegunContentIsNotTimed) {
  CodecRig rig(FlowKind::kHold);
  rig.send(post("Content-Length: 100000\r\n"));
  FedBody body;
  body.feed("begun");
  http::ResponseHead head;
  head.status = 200;
  rig.answer(head, &body);
  rig.settle();
  const std::string begun = rig.take_received();
  rig.advance(5 * limits::kBodyGraceMs);
  EXPECT_TRUE(rig.refusals.empty());
  EXPECT_FALSE(rig.requests[0].cancelled);
  EXPECT_EQ(rig.received(), "") << "nothing stands inside the answer";
  body.end();
  rig.settle();
  EXPECT_EQ(rig.received(), "0\r\n\r\n");
}

TEST(Http1Expect, NoContinueBehindTheAnswersHead) {
  CodecRig rig(FlowKind::kHold);
  rig.send(post("Expect: 100-continue\r\nContent-Length: 5\r\n"));
  FedBody body;
  http::ResponseHead head;
  head.status = 200;
  rig.answer(head, &body);
  rig.settle();
  EXPECT_FALSE(rig.read_body());
  rig.settle();
  EXPECT_EQ(rig.received().find("100 Continue"), std::string::npos) << rig.received();
  body.end();
  rig.settle();
}

TEST(Http1Exchange, MalformedContentCancelsAtOnce) {
  CodecRig rig(FlowKind::kHold);
  rig.send(post("Transfer-Encoding: chunked\r\n", "xyz\r\n"));
  EXPECT_EQ(rig.refusals, std::vector<uint16_t>{400});
  EXPECT_TRUE(rig.requests[0].cancelled);
}

TEST(Http1Exchange, RoomInTheWindowWakesTheConnection) {
  CodecRig rig(FlowKind::kHold);
  rig.send(post("Content-Length: 100000\r\n") + std::string(limits::kSpillBytes, 'x'));
  ASSERT_FALSE(rig.codec().wants_read());
  const int wakes = rig.wakes;
  EXPECT_FALSE(rig.read_body());
  EXPECT_TRUE(rig.codec().wants_read());
  EXPECT_GT(rig.wakes, wakes) << "who waits to feed it looks again";
}

TEST(Http1Expect, NoContinueOnceContentHasCome) {
  CodecRig rig(FlowKind::kHold);
  rig.send(post("Expect: 100-continue\r\nContent-Length: 5\r\n", "he"));
  EXPECT_FALSE(rig.read_body());
  rig.send("llo");
  EXPECT_TRUE(rig.read_body());
  rig.settle();
  EXPECT_EQ(rig.received(), "");
}

RULE(Http1HalfClose, AWaitingPeerIsStillAnswered, "RFC 9112 §9.6",
     "a peer may end its side and wait for its answer",
     "everything that came before the FIN is answered", "") {
  CodecRig rig(FlowKind::kHold);
  rig.send(get({}, "/1") + get({}, "/2") + post("Content-Length: 2\r\n", "hi"));
  rig.send_end();
  EXPECT_EQ(rig.state(), State::kOpen);
  rig.answer(200, "1");
  rig.settle();
  ASSERT_EQ(rig.requests.size(), 2u);
  rig.answer(200, "2");
  rig.settle();
  ASSERT_EQ(rig.requests.size(), 3u);
  EXPECT_TRUE(rig.read_body());
  rig.answer(200, "3");
  rig.settle();
  EXPECT_EQ(rig.state(), State::kClose);
  const std::string& all = rig.received();
  EXPECT_EQ(all.find("Connection: close"), all.rfind("Connection: close")) << all;
  EXPECT_TRUE(all.ends_with("Content-Length: 1\r\nConnection: close\r\n\r\n3")) << all;
}

TEST(Http1HalfClose, ContentThatIsHeldBackIsStillRead) {
  CodecRig rig(FlowKind::kHold);
  rig.send(post("Content-Length: 100000\r\n") + std::string(100'000, 'x'));
  rig.send_end();
  ASSERT_EQ(rig.state(), State::kOpen);
  for (int i = 0; i < 10 && !rig.requests[0].body_ended; ++i) {
    rig.read_body();
    rig.settle();
  }
  EXPECT_EQ(rig.requests[0].body->size(), 100'000u);
  EXPECT_TRUE(rig.requests[0].body_ended);
  rig.answer(200, "ok");
  rig.settle();
  EXPECT_EQ(rig.state(), State::kClose);
}

RULE(Http1HalfClose, AFinInsideARequestCancels, "RFC 9112 §8",
     "a request that ends before its content does is incomplete",
     "nothing of it is answered or relayed", "") {
  CodecRig rig(FlowKind::kHold);
  rig.send(post("Content-Length: 5\r\n", "he"));
  rig.send_end();
  EXPECT_TRUE(rig.requests[0].cancelled);
  EXPECT_EQ(rig.state(), State::kAbort);
  CodecRig tail(FlowKind::kHold);
  tail.send(post("Transfer-Encoding: chunked\r\n", "2\r\nhi\r\n"));
  tail.send_end();
  EXPECT_TRUE(tail.requests[0].cancelled);
}

TEST(Http1HalfClose, BetweenRequestsOrInsideAHeadItCloses) {
  for (const std::string_view before : {"", "GET / HT", "\r\n"}) {
    CodecRig rig;
    rig.send(get());
    rig.send(before);
    rig.send_end();
    EXPECT_EQ(rig.state(), State::kClose);
    EXPECT_TRUE(rig.refusals.empty());
  }
}

TEST(Http1Drain, AnIdleConnectionCloses) {
  CodecRig rig;
  rig.send(get());
  rig.codec().drain();
  rig.settle();
  EXPECT_EQ(rig.state(), State::kClose);
}

TEST(Http1Drain, WhatIsFedBeforeTheNextPumpIsTheLastRequest) {
  CodecRig rig;
  rig.codec().drain();
  rig.send(get({}, "/1") + get({}, "/2"));
  ASSERT_EQ(rig.requests.size(), 1u);
  EXPECT_TRUE(rig.requests[0].sent_whole);
  EXPECT_NE(rig.received().find("Connection: close\r\n"), std::string::npos);
  EXPECT_EQ(rig.state(), State::kLinger);
}

TEST(Http1Drain, ARequestInFlightFinishesAndNothingBehindItIsRead) {
  CodecRig rig(FlowKind::kHold);
  rig.send(get({}, "/1") + get({}, "/2"));
  rig.codec().drain();
  EXPECT_EQ(rig.state(), State::kOpen);
  rig.answer(200, "x");
  rig.settle();
  EXPECT_EQ(rig.requests.size(), 1u);
  EXPECT_NE(rig.received().find("Connection: close\r\n"), std::string::npos);
  EXPECT_EQ(rig.state(), State::kLinger);
}

TEST(Http1Drain, AnAnswerWhoseHeadIsOutFinishesToo) {
  CodecRig rig(FlowKind::kHold);
  rig.send(get());
  FedBody body;
  rig.answer(http::ResponseHead{}, &body);
  rig.codec().drain();
  body.feed("hello");
  body.end();
  rig.settle();
  EXPECT_TRUE(rig.requests[0].sent_whole);
  EXPECT_EQ(rig.state(), State::kLinger) << "it had been told keep-alive";
}

TEST(Http1Exchange, PromoteKeepsTheHeadBeyondTheCall) {
  CodecRig rig(FlowKind::kHold);
  rig.send(post("X: a long enough value to live outside of any string\r\nContent-Length: 2\r\n"));
  // The bytes and the scratch of the first request are long gone.
  const http::RequestHead& head = rig.exchange()->request();
  EXPECT_EQ(head.target, "/");
  EXPECT_EQ(head.authority, "a");
  EXPECT_EQ(head.method_text, "POST");
  ASSERT_NE(head.fields.find("x"), nullptr);
  EXPECT_EQ(head.fields.find("x")->value, "a long enough value to live outside of any string");
  EXPECT_TRUE(rig.exchange()->promote()) << "a second time is no harm";
  EXPECT_EQ(rig.exchange()->request_body()->size(), 2u);
}

TEST(Http1Exchange, TheArenaIsFreshForEveryRequest) {
  CodecRig rig;
  rig.on_request_hook = [&](http::Exchange& exchange) {
    EXPECT_TRUE(exchange.promote());
    EXPECT_NE(exchange.arena().alloc(limits::kExchangeArenaBytes / 2), nullptr);
    rig.CodecRig::answer(200, "x");
  };
  for (int i = 0; i < 10; ++i) rig.send(get());
  EXPECT_EQ(rig.requests.size(), 10u);
}

TEST(Http1Exchange, AHeadThatDoesNotFitLeavesNothingBehind) {
  // Whatever fits the bounds of a request fits the arena too, so the arena is filled first.
  CodecRig rig;
  rig.on_request_hook = [&](http::Exchange& exchange) {
    EXPECT_TRUE(exchange.promote());
    while (exchange.arena().alloc(4000) != nullptr) {
    }
    rig.CodecRig::answer(503, "x");
  };
  rig.send(get());
  rig.send(get());
  EXPECT_EQ(rig.requests.size(), 2u);
}

TEST(Http1Exchange, TheSlotIsAlignedForAnything) {
  CodecRig rig(FlowKind::kHold);
  rig.send(get());
  EXPECT_EQ(reinterpret_cast<uintptr_t>(rig.exchange()->slot().data()) % alignof(std::max_align_t),
            0u);
}

TEST(Http1Exchange, AReaderIsWokenOncePerKLater) {
  CodecRig rig(FlowKind::kHold);
  rig.send(post("Content-Length: 10\r\n"));
  CountingWaker waker;
  http::BodySource& body = *rig.exchange()->request_body();
  body.set_waker(&waker);
  rig.send("a");
  EXPECT_EQ(waker.wakes, 0) << "nobody has asked";
  body.advance(body.peek(100).piece.size);
  EXPECT_EQ(body.peek(100).state, http::Chunk::kLater);
  rig.send("b");
  rig.send("c");
  EXPECT_EQ(waker.wakes, 1);
  rig.send("defghij");
  const http::Chunk rest = body.peek(100);
  EXPECT_EQ(rest.state, http::Chunk::kEnd);
  EXPECT_EQ(rest.piece.size, 9u);
}

}  // namespace
}  // namespace perigee::test

// How the codec sends answers: framing, persistence, interim responses, backpressure.
#include <gtest/gtest.h>

#include "base/limits.h"
#include "tests/support/rule.h"
#include "tests/unit/http/h1/wire.h"

namespace perigee::test {
namespace {

GUARDS("http::make_http1_codec");

using http::FieldName;
using http::ResponseHead;
using State = http::ServerCodec::State;
namespace limits = base::limits;

/// A rig that has got this request and holds it.
struct Held : CodecRig {
  explicit Held(std::string_view request) : CodecRig(FlowKind::kHold) { send(request); }
  Held() : Held(get()) {}
};

ResponseHead head_of(uint16_t status) {
  ResponseHead head;
  head.status = status;
  return head;
}

RULE(Http1Response, AKnownLengthIsSaid, "RFC 9112 §6.2; RFC 9110 §8.6",
     "Content-Length gives the recipient the end of the content",
     "the stored lines go out as they are, then our own, then those of the connection", "") {
  Held rig;
  ResponseHead head = head_of(200);
  head.reason = "Fine";
  http::Arena arena;
  http::FieldBlockBuilder lines(arena, 100, 2);
  lines.add("X-Stored", "1");
  lines.add("Content-Length", "5");
  head.block = lines.block();
  head.content_length = 5;
  head.add_fresh(FieldName::kAge, "7");
  FedBody body(5);
  body.feed("hello");
  body.end();
  rig.answer(head, &body);
  EXPECT_EQ(rig.received(),
            "HTTP/1.1 200 Fine\r\nX-Stored: 1\r\nContent-Length: 5\r\nAge: 7\r\n\r\nhello");
  EXPECT_EQ(rig.requests[0].sent_bytes, 5u);
  EXPECT_TRUE(rig.requests[0].sent_whole);
  EXPECT_EQ(rig.state(), State::kOpen);
}

RULE(Http1Response, AnUnknownLengthIsChunked, "RFC 9112 §6.3; RFC 9112 §7.1",
     "a server that does not know the length uses chunked, or closes",
     "chunked to HTTP/1.1; an empty content has the last chunk alone", "") {
  Held rig;
  FedBody body;
  rig.answer(head_of(200), &body);
  EXPECT_EQ(rig.take_received(), "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
  body.feed("hello");
  rig.settle();
  EXPECT_EQ(rig.take_received(), "5\r\nhello\r\n");
  body.feed(std::string(26, 'x'));
  body.end();
  rig.settle();
  EXPECT_EQ(rig.take_received(), "1a\r\n" + std::string(26, 'x') + "\r\n0\r\n\r\n");
  EXPECT_EQ(rig.requests[0].sent_bytes, 31u);
  EXPECT_EQ(rig.state(), State::kOpen);

  rig.send(get());
  FedBody empty;
  empty.end();
  rig.answer(head_of(200), &empty);
  EXPECT_EQ(rig.received(), "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n");
}

RULE(Http1Response, AnUnknownLengthTo10EndsWithTheConnection, "RFC 9112 §6.1; http-rules 4.8",
     "Transfer-Encoding is never sent to HTTP/1.0", "the close ends the content", "") {
  Held rig("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
  FedBody body;
  rig.answer(head_of(200), &body);
  body.feed("hello");
  body.end();
  rig.settle();
  EXPECT_EQ(rig.received(), "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhello");
  EXPECT_NE(rig.state(), State::kOpen);
}

RULE(Http1Response, NoContentIsSaidToo, "RFC 9110 §8.6; RFC 9112 §6.3",
     "a response without framing would last until the close", "Content-Length: 0", "") {
  Held rig;
  rig.answer(head_of(200), nullptr);
  EXPECT_EQ(rig.received(), "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
  EXPECT_EQ(rig.state(), State::kOpen);
  Held old("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
  old.answer(head_of(404), nullptr);
  EXPECT_EQ(old.received(),
            "HTTP/1.1 404 Not Found\r\nConnection: keep-alive\r\nContent-Length: 0\r\n\r\n");
  EXPECT_EQ(old.state(), State::kOpen);
}

RULE(Http1Response, SomeNeverHaveContent, "RFC 9112 §6.3; RFC 9110 §9.3.2; RFC 9110 §15.4.5",
     "answers to HEAD, 204 and 304 end with their head; HEAD keeps the length of a GET",
     "no byte of content is sent, whatever body there is", "") {
  ResponseHead head = head_of(200);
  head.add_fresh(FieldName::kContentLength, "5");
  head.content_length = 5;
  FedBody body(5);
  body.feed("hello");
  body.end();
  Held rig("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n");
  rig.answer(head, &body);
  EXPECT_EQ(rig.received(), "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n");
  EXPECT_TRUE(rig.requests[0].sent_whole);
  EXPECT_EQ(rig.state(), State::kOpen);

  Held unknown("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n");
  unknown.answer(head_of(200), &body);
  EXPECT_EQ(unknown.received(), "HTTP/1.1 200 OK\r\n\r\n");
  EXPECT_EQ(unknown.state(), State::kOpen);

  for (const uint16_t status : {204, 304}) {
    Held none;
    none.answer(head_of(status), &body);
    EXPECT_TRUE(none.received().ends_with("\r\n\r\n")) << none.received();
    EXPECT_EQ(none.received().find("Transfer-Encoding"), std::string::npos);
    EXPECT_EQ(none.state(), State::kOpen);
  }
  EXPECT_EQ(body.peeks, 0u) << "a body that is not sent is not pulled";
}

RULE(Http1Response, ACutIsNeverACleanEnd, "RFC 9112 §8; http-rules 1.5",
     "a message that cannot be completed must be seen to be incomplete",
     "the connection is aborted: no last chunk, no close in order", "") {
  Held failing;
  FedBody body;
  failing.answer(head_of(200), &body);
  body.feed("hello");
  failing.settle();
  body.fail();
  failing.settle();
  EXPECT_EQ(failing.state(), State::kCut);
  EXPECT_TRUE(failing.received().ends_with("5\r\nhello\r\n"));
  EXPECT_EQ(failing.requests[0].sent_bytes, 5u);
  EXPECT_FALSE(failing.requests[0].sent_whole);

  Held shorter;
  ResponseHead head = head_of(200);
  head.add_fresh(FieldName::kContentLength, "50");
  head.content_length = 50;
  FedBody half(50);
  half.feed("hello");
  half.end();
  shorter.answer(head, &half);
  EXPECT_EQ(shorter.state(), State::kCut);
  EXPECT_FALSE(shorter.requests[0].sent_whole);

  Held absent;
  absent.answer(head, nullptr);
  EXPECT_EQ(absent.state(), State::kCut) << "the next answer would be taken for the content";
  EXPECT_FALSE(absent.requests[0].sent_whole);
}

TEST(Http1Response, WhatIsQueuedLeavesBeforeACutUnlessItMayBeWrong) {
  for (const auto as : {http::Chunk::kFail, http::Chunk::kBad}) {
    Held rig;
    FedBody body;
    body.fail(as);
    rig.answer(head_of(200), &body);
    EXPECT_EQ(rig.state(), as == http::Chunk::kBad ? State::kAbort : State::kCut);
    EXPECT_EQ(rig.received().empty(), as == http::Chunk::kBad) << rig.received();
  }
}

TEST(Http1Response, CutAbortsAndWakesTheConnection) {
  Held rig;
  FedBody body;
  rig.answer(head_of(200), &body);
  const int before = rig.wakes;
  rig.exchange()->cut();
  EXPECT_GT(rig.wakes, before) << "nothing else would look at the state";
  EXPECT_EQ(rig.state(), State::kAbort);
}

TEST(Http1Response, MoreBytesThanDeclaredAreNotSent) {
  Held rig;
  ResponseHead head = head_of(200);
  head.add_fresh(FieldName::kContentLength, "5");
  head.content_length = 5;
  FedBody body;
  body.feed("hello, world");
  rig.answer(head, &body);
  EXPECT_TRUE(rig.received().ends_with("\r\n\r\nhello"));
  EXPECT_EQ(rig.requests[0].sent_bytes, 5u);
  EXPECT_EQ(rig.exchange(), nullptr)
      << "the end is where the length says, not where the source says";
}

TEST(Http1Response, AnEmptyBodyOfKnownLengthIsNotWaitedFor) {
  Held rig;
  ResponseHead head = head_of(200);
  head.add_fresh(FieldName::kContentLength, "0");
  head.content_length = 0;
  FedBody never(0);
  rig.answer(head, &never);
  EXPECT_EQ(rig.exchange(), nullptr);
  EXPECT_EQ(rig.state(), State::kOpen);
}

RULE(Http1Interim, GoesBeforeTheFinalAnswerAndNeverTo10, "RFC 9110 §15.2; http-rules 2.13",
     "interim responses precede the final one, and are never sent to HTTP/1.0",
     "in order, with their fields, which do not enter the final head", "") {
  Held rig;
  rig.inform(103, "Link", "</a>; rel=preload");
  rig.inform(102);
  rig.answer(head_of(204), nullptr);
  EXPECT_EQ(
      rig.received(),
      "HTTP/1.1 103 Early Hints\r\nLink: </a>; rel=preload\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n"
      "HTTP/1.1 204 No Content\r\n\r\n");
  Held old("GET / HTTP/1.0\r\n\r\n");
  old.inform(103, "Link", "</a>");
  EXPECT_EQ(old.received(), "");
}

TEST(Http1Interim, IsNotSentBehindTheFinalHead) {
  Held rig;
  FedBody body;
  rig.answer(head_of(200), &body);
  const std::string head = rig.take_received();
  rig.inform(103, "Link", "</a>");
  EXPECT_EQ(rig.take_received(), "");
}

RULE(Http1Close, OurErrorsClose, "RFC 9112 §9.6; http-rules 1.14",
     "a server that closes after its answer says so", "Connection: close, and a lingering close",
     "") {
  Held rig;
  ResponseHead head = head_of(503);
  head.close = true;
  rig.answer(head, nullptr);
  EXPECT_NE(rig.received().find("Connection: close\r\n"), std::string::npos);
  EXPECT_EQ(rig.state(), State::kLinger) << "the peer did not ask for it and may have sent more";
}

RULE(Http1Close, RelayedErrorsDoNot, "RFC 9112 §9.3; http-rules 1.14",
     "connections persist by default", "a status alone never ends the connection", "") {
  for (const uint16_t status : {400, 404, 413, 500, 502, 504, 599}) {
    Held rig;
    rig.answer(status, "x");
    rig.settle();
    EXPECT_EQ(rig.state(), State::kOpen) << status;
    rig.send(get());
    EXPECT_EQ(rig.requests.size(), 2u) << status;
  }
}

/// A rig whose peer takes nothing any more, with an answer of unknown length begun.
struct Stalled : Held {
  Stalled() {
    answer(head_of(200), &body);
    take_received();
    peer().in_rules().capacity = 0;
  }
  FedBody body;
};

TEST(Http1Backpressure, PullingStopsAtTheHighWatermarkAndGoesOnBelowTheLow) {
  Stalled rig;
  rig.body.feed(std::string(4 * limits::kOutHighBytes, 'x'));
  rig.settle();
  EXPECT_GE(rig.out().copied_bytes(), limits::kOutHighBytes);
  EXPECT_LE(rig.out().copied_bytes(), limits::kOutHighBytes + limits::kFillChunkBytes + 64);
  const size_t taken = rig.body.taken();
  const unsigned peeks = rig.body.peeks;
  rig.peer().in_rules().capacity = limits::kOutHighBytes - limits::kOutLowBytes;
  rig.settle();
  EXPECT_EQ(rig.body.peeks, peeks) << "above the low watermark nothing is pulled";
  rig.take_received();
  rig.settle();
  EXPECT_GT(rig.body.taken(), taken);
  rig.peer().in_rules().capacity = SIZE_MAX;
  rig.body.end();
  for (int i = 0; i < 20 && rig.exchange() != nullptr; ++i) rig.settle();
  EXPECT_TRUE(rig.requests[0].sent_whole);
  EXPECT_EQ(rig.requests[0].sent_bytes, 4 * limits::kOutHighBytes);
}

TEST(Http1Backpressure, ALentPieceAdvancesByWhatTheChannelTook) {
  Held rig;
  ResponseHead head = head_of(200);
  head.add_fresh(FieldName::kContentLength, "100000");
  head.content_length = 100'000;
  FedBody body(100'000);
  body.feed(std::string(100'000, 'x'));
  body.end();
  rig.peer().in_rules().per_send = 1000;
  rig.answer(head, &body);
  const size_t head_bytes = rig.received().find("\r\n\r\n") + 4;
  EXPECT_EQ(body.taken(), 1000 - head_bytes) << "the rest stays at the source's cursor";
  EXPECT_FALSE(rig.out().lending()) << "no address is kept over a turn";
  for (int i = 0; i < 200 && (rig.exchange() != nullptr || !rig.out().empty()); ++i) rig.settle();
  EXPECT_EQ(rig.received().size(), head_bytes + 100'000);
  EXPECT_EQ(rig.requests[0].sent_bytes, 100'000u);
  EXPECT_TRUE(rig.requests[0].sent_whole);
}

TEST(Http1Backpressure, CancelForgetsWhatIsLent) {
  Held rig;
  ResponseHead head = head_of(200);
  head.add_fresh(FieldName::kContentLength, "100000");
  head.content_length = 100'000;
  auto body = std::make_unique<FedBody>(100'000);
  body->feed(std::string(100'000, 'x'));
  rig.exchange()->respond(head, body.get());
  ASSERT_TRUE(rig.out().lending());
  rig.codec().cancel();
  body.reset();
  EXPECT_FALSE(rig.out().lending());
  EXPECT_TRUE(rig.requests[0].cancelled);
}

TEST(Http1Backpressure, RequestsAreNotReadWhileAnswersPileUp) {
  CodecRig rig;
  rig.peer().in_rules().capacity = 0;
  rig.on_request_hook = [&](http::Exchange&) { rig.CodecRig::answer(200, std::string(4000, 'x')); };
  std::string burst;
  for (int i = 0; i < 200; ++i) burst += get();
  rig.send(burst);
  EXPECT_LT(rig.requests.size(), 80u);
  EXPECT_LE(rig.out().copied_bytes(), limits::kOutHighBytes + 4200);
  EXPECT_FALSE(rig.codec().wants_read());
  rig.peer().in_rules().capacity = SIZE_MAX;
  for (int i = 0; i < 100 && rig.requests.size() < 200; ++i) rig.settle();
  EXPECT_EQ(rig.requests.size(), 200u);
}

TEST(Http1Backpressure, HeadsThatPileUpStopRequestsToo) {
  CodecRig rig;
  rig.peer().in_rules().capacity = 0;
  rig.on_request_hook = [&](http::Exchange&) { rig.CodecRig::answer(204, ""); };
  std::string burst;
  for (int i = 0; i < 20'000; ++i) burst += get();
  rig.send(burst);
  EXPECT_LE(rig.out().copied_bytes(), limits::kOutHighBytes + 200);
  EXPECT_LT(rig.requests.size(), 20'000u);
  EXPECT_FALSE(rig.codec().wants_read());
}

TEST(Http1Backpressure, TheRequestWindowIsBounded) {
  Held rig(post("Content-Length: 1000000\r\n"));
  rig.send(std::string(500'000, 'x'));
  EXPECT_FALSE(rig.codec().wants_read());
  EXPECT_FALSE(rig.read_body());
  EXPECT_EQ(rig.requests[0].body->size(), limits::kSpillBytes);
  EXPECT_TRUE(rig.codec().wants_read());
  for (int i = 0; i < 100 && rig.requests[0].body->size() < 500'000; ++i) {
    rig.settle();
    rig.read_body();
  }
  rig.send(std::string(500'000, 'x'));
  for (int i = 0; i < 100 && !rig.requests[0].body_ended; ++i) {
    rig.settle();
    rig.read_body();
  }
  EXPECT_EQ(rig.requests[0].body->size(), 1'000'000u);
  EXPECT_TRUE(rig.requests[0].body_ended);
}

}  // namespace
}  // namespace perigee::test

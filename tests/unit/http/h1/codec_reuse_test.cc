// What one request of a connection leaves to the next: nothing.
#include <gtest/gtest.h>

#include "base/limits.h"
#include "tests/unit/http/h1/wire.h"

namespace perigee::test {
namespace {

using State = http::ServerCodec::State;
namespace limits = base::limits;

TEST(Http1Reuse, ContentThatNobodyReadIsNoneOfTheNext) {
  CodecRig rig(FlowKind::kHold);
  rig.send(post("Content-Length: 5\r\n", "first"));
  rig.answer(200, "1");
  rig.settle();
  rig.send(post("Content-Length: 6\r\n", "second"));
  ASSERT_EQ(rig.requests.size(), 2u);
  EXPECT_TRUE(rig.read_body());
  EXPECT_EQ(rig.requests[1].body, "second");
}

TEST(Http1Reuse, EachChunkedContentIsReadFromItsOwnBeginning) {
  CodecRig rig;
  rig.send(post("Transfer-Encoding: chunked\r\n", "3;a=b\r\none\r\n0\r\nTrailer: x\r\n\r\n") +
           post("Transfer-Encoding: chunked\r\n", "5\r\nsecon\r\n1\r\nd\r\n0\r\n\r\n") +
           get({}, "/last"));
  ASSERT_EQ(rig.requests.size(), 3u);
  EXPECT_EQ(rig.requests[0].body, "one");
  EXPECT_EQ(rig.requests[1].body, "second");
  EXPECT_EQ(rig.requests[2].target, "/last");
  EXPECT_TRUE(rig.refusals.empty());
}

TEST(Http1Reuse, AnExpectationThatNobodyMetIsForgotten) {
  CodecRig rig(FlowKind::kHold);
  rig.send(post("Expect: 100-continue\r\nContent-Length: 5\r\n", "first"));
  rig.answer(200, "1");
  rig.settle();
  rig.take_received();
  rig.send(post("Content-Length: 6\r\n"));
  EXPECT_FALSE(rig.read_body());
  rig.settle();
  EXPECT_EQ(rig.received(), "") << "this one did not expect a 100";
  rig.advance(limits::kBodyGraceMs);
  EXPECT_EQ(rig.refusals, std::vector<uint16_t>{408}) << "nor does it wait for one";
}

TEST(Http1Reuse, WhatCameFastBeforeDoesNotCountForWhatComesSlowlyNow) {
  CodecRig rig;
  rig.send(post("Content-Length: 50000\r\n", std::string(50'000, 'x')));
  ASSERT_EQ(rig.requests.size(), 1u);
  rig.send(post("Content-Length: 10\r\n"));
  rig.advance(limits::kBodyGraceMs);
  EXPECT_EQ(rig.refusals, std::vector<uint16_t>{408});
}

TEST(Http1Reuse, ARefusalBehindAHeadRequestHasItsContent) {
  CodecRig rig;
  rig.send("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n");
  rig.take_received();
  rig.send("BAD\r\n\r\n");
  EXPECT_NE(rig.received().find("\r\n\r\n400 Bad Request"), std::string::npos) << rig.received();
}

TEST(Http1Reuse, BytesSentAreThoseOfEachAnswer) {
  CodecRig rig(FlowKind::kHold);
  for (const size_t size : {5u, 100'000u, 3u}) {
    rig.send(get());
    rig.peer().in_rules().capacity = SIZE_MAX;
    rig.answer(200, std::string(size, 'x'));
    rig.settle();
    EXPECT_EQ(rig.requests.back().sent_bytes, size);
  }
}

}  // namespace
}  // namespace perigee::test

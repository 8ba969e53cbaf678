// The queue of one connection: order, partial takes, watermarks, and whose memory it holds.
#include "http/exchange/out_queue.h"

#include <gtest/gtest.h>

#include <array>

#include "tests/support/bodies.h"
#include "tests/support/fake_env.h"
#include "tests/support/memory_channel.h"

namespace perigee::http {
namespace {

using test::FedBody;
namespace limits = base::limits;

class OutQueueTest : public testing::Test {
 protected:
  test::FakeEnv env;
  test::MemoryPipe pipe = test::make_memory_pipe(env);
  OutBuffers buffers;
  OutQueue out{buffers};

  void lend(FedBody& body) { out.lend(body.peek(limits::kSendBytes).piece, body); }
};

TEST_F(OutQueueTest, SendsCopiedBytesInOrder) {
  EXPECT_TRUE(out.empty());
  out.copy("one ");
  const std::span<char> room = out.reserve(100);
  std::string_view("two ").copy(room.data(), 4);
  out.commit(4);
  out.copy("three");
  EXPECT_EQ(out.copied_bytes(), 13u);
  EXPECT_EQ(out.flush(*pipe.near).state, base::Io::kOk);
  EXPECT_EQ(pipe.far->read(), "one two three");
  EXPECT_TRUE(out.empty());
  EXPECT_EQ(out.total_taken(), 13u);
}

TEST_F(OutQueueTest, BuffersAreKeptUpToTheirBounds) {
  const auto of_size = [](size_t bytes) { return OutBuffer{std::vector<char>(bytes), {}}; };
  buffers.give_back(of_size(limits::kOutLowBytes + 1));
  EXPECT_EQ(buffers.take().copied.capacity(), 0u);
  buffers.give_back(of_size(limits::kOutLowBytes));
  const OutBuffer lent = buffers.take();
  EXPECT_EQ(lent.copied.size(), 0u);
  EXPECT_EQ(lent.copied.capacity(), limits::kOutLowBytes);
  for (size_t i = 0; i <= OutBuffers::kKept; ++i) buffers.give_back(of_size(10));
  for (size_t i = 0; i < OutBuffers::kKept; ++i) {
    EXPECT_GT(buffers.take().copied.capacity(), 0u) << i;
  }
  EXPECT_EQ(buffers.take().copied.capacity(), 0u);
}

TEST_F(OutQueueTest, NothingToSendIsNoCall) {
  EXPECT_EQ(out.flush(*pipe.near).state, base::Io::kOk);
  EXPECT_EQ(pipe.far->read(), "");
}

TEST_F(OutQueueTest, ALentPieceFollowsTheCopiedBytesInOneSend) {
  FedBody body;
  body.feed("body");
  out.copy("head ");
  lend(body);
  EXPECT_TRUE(out.lending());
  EXPECT_FALSE(out.empty());
  EXPECT_EQ(out.flush(*pipe.near).state, base::Io::kOk);
  EXPECT_EQ(pipe.far->read(), "head body");
  EXPECT_EQ(body.taken(), 4u);
  EXPECT_TRUE(out.empty());
}

TEST_F(OutQueueTest, WhatWasNotTakenStaysAtTheSourcesCursor) {
  pipe.near->out_rules().per_send = 7;
  FedBody body;
  body.feed("body");
  out.copy("head ");
  lend(body);
  EXPECT_EQ(out.flush(*pipe.near).state, base::Io::kAgain);
  EXPECT_EQ(body.taken(), 2u);
  EXPECT_TRUE(out.empty()) << "the lent rest is forgotten";
  lend(body);
  EXPECT_EQ(out.flush(*pipe.near).state, base::Io::kOk);
  EXPECT_EQ(pipe.far->read(), "head body");
}

TEST_F(OutQueueTest, CopiedBytesThatWereNotTakenStay) {
  pipe.near->out_rules().per_send = 3;
  FedBody body;
  body.feed("body");
  out.copy("head ");
  lend(body);
  EXPECT_EQ(out.flush(*pipe.near).state, base::Io::kAgain);
  EXPECT_EQ(body.taken(), 0u);
  EXPECT_EQ(out.copied_bytes(), 2u);
  EXPECT_EQ(out.flush(*pipe.near).state, base::Io::kOk);
  EXPECT_EQ(pipe.far->read(), "head ");
}

TEST_F(OutQueueTest, AWithdrawnPieceIsNeverTouchedAgain) {
  auto body = std::make_unique<FedBody>();
  body->feed("body");
  out.copy("head ");
  lend(*body);
  out.withdraw();
  body.reset();
  EXPECT_EQ(out.flush(*pipe.near).state, base::Io::kOk);
  EXPECT_EQ(pipe.far->read(), "head ");
}

TEST_F(OutQueueTest, FramesOfSeveralSourcesLeaveInOneSend) {
  std::array<FedBody, 3> bodies;
  for (size_t i = 0; i < bodies.size(); ++i) {
    bodies[i].feed("body " + std::to_string(i));
    out.copy("[");
    out.lend(bodies[i].peek(limits::kSendBytes).piece, bodies[i], OutQueue::Rest::kPromised);
    out.copy("]");
  }
  const OutQueue::Flushed flushed = out.flush(*pipe.near);
  EXPECT_EQ(flushed.state, base::Io::kOk);
  EXPECT_FALSE(flushed.more);
  EXPECT_EQ(pipe.far->read(), "[body 0][body 1][body 2]");
  for (const FedBody& body : bodies) EXPECT_EQ(body.taken(), 6u);
  EXPECT_TRUE(out.empty());
}

/// However much the channel takes in each call, the bytes and their order are the same, and no
/// address is kept.
TEST_F(OutQueueTest, APromisedRestIsCopiedToItsPlace) {
  for (size_t per_send = 1; per_send < 24; ++per_send) {
    FedBody one;
    FedBody two;
    one.feed("first");
    two.feed("second");
    out.copy("[");
    out.lend(one.peek(limits::kSendBytes).piece, one, OutQueue::Rest::kPromised);
    out.copy("][");
    out.lend(two.peek(limits::kSendBytes).piece, two, OutQueue::Rest::kPromised);
    out.copy("]");
    pipe.near->out_rules().per_send = per_send;
    const bool whole = out.flush(*pipe.near).state == base::Io::kOk;
    EXPECT_FALSE(out.lending());
    EXPECT_EQ(one.taken(), 5u) << "taken, or copied";
    EXPECT_EQ(two.taken(), 6u);
    EXPECT_EQ(whole, per_send >= 15);
    while (!out.empty()) ASSERT_NE(out.flush(*pipe.near).state, base::Io::kFail);
    EXPECT_EQ(pipe.far->read(), "[first][second]") << per_send;
  }
}

TEST_F(OutQueueTest, WithdrawnPromisesAreKept) {
  auto body = std::make_unique<FedBody>();
  body->feed("body");
  out.copy("[");
  out.lend(body->peek(limits::kSendBytes).piece, *body, OutQueue::Rest::kPromised);
  out.copy("]");
  out.withdraw();
  EXPECT_EQ(body->taken(), 4u);
  body.reset();
  EXPECT_EQ(out.copied_bytes(), 6u);
  EXPECT_EQ(out.flush(*pipe.near).state, base::Io::kOk);
  EXPECT_EQ(pipe.far->read(), "[body]");
}

TEST_F(OutQueueTest, MorePiecesThanOneCallTakesAreFlushedAgain) {
  std::array<FedBody, 20> bodies;
  std::string expected;
  for (size_t i = 0; i < bodies.size(); ++i) {
    bodies[i].feed("x");
    out.copy(std::to_string(i));
    out.lend(bodies[i].peek(1).piece, bodies[i], OutQueue::Rest::kPromised);
    expected += std::to_string(i) + "x";
  }
  int flushes = 0;
  for (bool more = true; more; ++flushes) {
    const OutQueue::Flushed flushed = out.flush(*pipe.near);
    ASSERT_EQ(flushed.state, base::Io::kOk);
    more = flushed.more;
  }
  EXPECT_EQ(flushes, 3);
  EXPECT_EQ(pipe.far->read(), expected);
}

TEST_F(OutQueueTest, APieceOfAFileEndsTheCall) {
  const std::string file(limits::kSendfileBytes, 'f');
  FedBody body;
  body.feed(file);
  base::Piece piece = body.peek(limits::kSendBytes).piece;
  piece.fd = 99;
  out.copy("[");
  out.lend(piece, body, OutQueue::Rest::kPromised);
  out.copy("]");
  EXPECT_TRUE(out.flush(*pipe.near).more);
  EXPECT_EQ(pipe.far->read(), "[" + file);
  EXPECT_FALSE(out.flush(*pipe.near).more);
  EXPECT_EQ(pipe.far->read(), "]");
}

TEST_F(OutQueueTest, AFullChannelTakesNothing) {
  pipe.near->out_rules().capacity = 0;
  out.copy("x");
  EXPECT_EQ(out.flush(*pipe.near).state, base::Io::kAgain);
  EXPECT_EQ(out.copied_bytes(), 1u);
}

TEST_F(OutQueueTest, APeerThatIsGoneFails) {
  out.copy("x");
  pipe.far->abort();
  EXPECT_EQ(out.flush(*pipe.near).state, base::Io::kFail);
}

TEST_F(OutQueueTest, HasRoomBetweenTheWatermarksAsItHadBefore) {
  EXPECT_TRUE(out.has_room());
  out.copy(std::string(limits::kOutHighBytes - 1, 'x'));
  EXPECT_TRUE(out.has_room());
  out.copy("x");
  EXPECT_FALSE(out.has_room());
  pipe.near->out_rules().capacity = SIZE_MAX;
  pipe.near->out_rules().per_send = limits::kOutHighBytes - limits::kOutLowBytes;
  out.flush(*pipe.near);
  EXPECT_EQ(out.copied_bytes(), limits::kOutLowBytes);
  EXPECT_FALSE(out.has_room());
  pipe.near->out_rules().per_send = 1;
  out.flush(*pipe.near);
  EXPECT_TRUE(out.has_room());
}

TEST_F(OutQueueTest, AClearedOneHasRoomAgain) {
  out.copy(std::string(limits::kOutHighBytes, 'x'));
  EXPECT_FALSE(out.has_room());
  out.clear();
  EXPECT_TRUE(out.empty());
  out.copy(std::string(limits::kOutLowBytes, 'x'));
  EXPECT_TRUE(out.has_room()) << "as if it had never been full";
}

TEST_F(OutQueueTest, ALargePieceIsSentByShares) {
  FedBody body;
  body.feed(std::string(3 * limits::kSendBytes, 'x'));
  pipe.near->out_rules().capacity = SIZE_MAX;
  out.lend(body.peek(SIZE_MAX).piece, body);
  EXPECT_EQ(out.flush(*pipe.near).state, base::Io::kOk);
  EXPECT_EQ(out.total_taken(), limits::kSendBytes);
}

TEST_F(OutQueueTest, OneThatNeverRunsEmptyDoesNotGrow) {
  pipe.near->out_rules().capacity = SIZE_MAX;
  pipe.near->out_rules().per_send = 10'000;
  out.copy(std::string(20'000, 'x'));
  std::string all;
  for (int i = 0; i < 1000; ++i) {
    out.copy(std::string(10'000, static_cast<char>('a' + i % 26)));
    out.flush(*pipe.near);
    all += pipe.far->read();
  }
  EXPECT_EQ(out.copied_bytes(), 20'000u);
  EXPECT_LE(out.held_bytes(), 200'000u);
  EXPECT_EQ(all.substr(0, 20'000), std::string(20'000, 'x'));
  for (size_t i = 0; i < 998; ++i)
    ASSERT_EQ(all[20'000 + i * 10'000], static_cast<char>('a' + i % 26));
}

TEST_F(OutQueueTest, AnEmptyOneHoldsNoMemory) {
  for (const size_t size : {size_t{10}, limits::kOutLowBytes, 2 * limits::kOutHighBytes}) {
    pipe.near->out_rules().capacity = SIZE_MAX;
    out.copy(std::string(size, 'x'));
    out.flush(*pipe.near);
    ASSERT_TRUE(out.empty());
    EXPECT_EQ(out.held_bytes(), 0u) << size;
  }
}

TEST(OutBuffers, LendsTheSameMemoryAgain) {
  OutBuffers buffers;
  OutBuffer buffer = buffers.take();
  EXPECT_EQ(buffer.copied.capacity(), 0u);
  buffer.copied.resize(1000);
  buffer.lent.resize(2);
  const char* memory = buffer.copied.data();
  buffers.give_back(std::move(buffer));
  buffers.give_back({});
  buffer = buffers.take();
  EXPECT_EQ(buffer.copied.size(), 0u);
  EXPECT_EQ(buffer.lent.size(), 0u);
  EXPECT_EQ(buffer.copied.data(), memory) << "a buffer without memory is not worth keeping";
}

}  // namespace
}  // namespace perigee::http

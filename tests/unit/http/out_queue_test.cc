// The queue of one connection: order, partial takes, watermarks, and whose memory it holds.
#include "http/out_queue.h"

#include <gtest/gtest.h>

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
  std::vector<char> usual(limits::kOutLowBytes);
  std::vector<char> large(limits::kOutLowBytes + 1);
  buffers.give_back(std::move(large));
  EXPECT_EQ(buffers.take().capacity(), 0u);
  buffers.give_back(std::move(usual));
  const std::vector<char> lent = buffers.take();
  EXPECT_EQ(lent.size(), 0u);
  EXPECT_EQ(lent.capacity(), limits::kOutLowBytes);
  for (size_t i = 0; i <= OutBuffers::kKept; ++i) buffers.give_back(std::vector<char>(10));
  for (size_t i = 0; i < OutBuffers::kKept; ++i) EXPECT_GT(buffers.take().capacity(), 0u) << i;
  EXPECT_EQ(buffers.take().capacity(), 0u);
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
  std::vector<char> buffer = buffers.take();
  EXPECT_EQ(buffer.capacity(), 0u);
  buffer.resize(1000);
  const char* memory = buffer.data();
  buffers.give_back(std::move(buffer));
  buffers.give_back({});
  buffer = buffers.take();
  EXPECT_EQ(buffer.size(), 0u);
  EXPECT_EQ(buffer.data(), memory) << "a buffer without memory is not worth keeping";
}

TEST(OutBuffers, KeepsNoLargeOnes) {
  OutBuffers buffers;
  buffers.give_back(std::vector<char>(limits::kOutLowBytes + 1));
  EXPECT_EQ(buffers.take().capacity(), 0u);
}

}  // namespace
}  // namespace perigee::http

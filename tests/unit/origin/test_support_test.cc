// The fake loop keeps the promises of base/env.h and base/channel.h that tests rely on.
#include <gtest/gtest.h>

#include <optional>
#include <string>

#include "tests/support/bodies.h"
#include "tests/support/fake_env.h"
#include "tests/support/memory_channel.h"
#include "tests/support/soon_suite.h"

namespace perigee::test {
namespace {

using base::Io;

std::string take(base::Channel& channel) {
  std::byte buffer[64];
  const Io io = channel.recv(buffer);
  return {reinterpret_cast<const char*>(buffer), io.n};
}

Io give(base::Channel& channel, std::string_view text) {
  const base::Piece piece{reinterpret_cast<const std::byte*>(text.data()), text.size()};
  return channel.send({&piece, 1});
}

struct TurnedFakeEnv {
  void turn() { env.turn(); }
  FakeEnv env;
};
INSTANTIATE_TYPED_TEST_SUITE_P(FakeEnv, PutOff, TurnedFakeEnv);

TEST(FakeEnv, RunsTasksOfTheNextTurnNeverInline) {
  FakeEnv env;
  int ran = 0;
  env.post([&] {
    ++ran;
    env.post([&] { ++ran; });
  });
  EXPECT_EQ(ran, 0);
  EXPECT_TRUE(env.turn());
  EXPECT_EQ(ran, 1);
  env.run();
  EXPECT_EQ(ran, 2);
}

TEST(FakeEnv, AdvanceStopsAtEveryTimer) {
  FakeEnv env;
  const base::Tick start = env.now();
  std::vector<int64_t> fired;
  base::Timer late([&] { fired.push_back(env.now() - start); });
  base::Timer early([&] { fired.push_back(env.now() - start); });
  env.arm(late, start + 2000);
  env.arm(early, start + 500);
  env.advance(5000);
  ASSERT_EQ(fired.size(), 2u);
  EXPECT_GE(fired[0], 500);
  EXPECT_LE(fired[0], 510);
  EXPECT_GE(fired[1], 2000);
  EXPECT_EQ(env.now() - start, 5000);
  EXPECT_EQ(env.timers(), 0u);
}

TEST(FakeEnv, AnAbandonedAnswerNeverCallsBack) {
  FakeEnv env;
  int answers = 0;
  {
    base::Pending gone = env.resolve("a", 80, [&](auto) { ++answers; });
  }
  base::Pending kept = env.resolve("b", 80, [&](auto result) {
    ++answers;
    EXPECT_EQ(result.error().code, base::ErrorCode::kResolve);
  });
  env.run();
  EXPECT_EQ(answers, 1);
  EXPECT_FALSE(kept.waiting());
  EXPECT_EQ(env.waiting(), 0u);
}

TEST(FakeEnv, AHangingConnectEndsAtItsDeadline) {
  FakeEnv env;
  env.on_connect = [](const base::Endpoint&) { return std::nullopt; };
  std::optional<base::ErrorCode> code;
  base::Endpoint endpoint;
  endpoint.deadline = env.now() + 3000;
  base::Pending pending = env.connect(endpoint, [&](auto result) { code = result.error().code; });
  env.advance(2999);
  EXPECT_FALSE(code.has_value());
  env.advance(1);
  EXPECT_EQ(code, base::ErrorCode::kTimeout);
}

struct CountedJob : base::Job {
  explicit CountedJob(std::string& log) : log_(log) {}
  ~CountedJob() override { log_ += '~'; }
  void work(const std::atomic<bool>&) noexcept override { log_ += 'w'; }
  void done() noexcept override { log_ += 'd'; }
  std::string& log_;
};

TEST(FakeEnv, AJobWhoseOwnerIsGoneComesHomeWithoutDone) {
  FakeEnv env;
  std::string kept_log;
  std::string gone_log;
  base::Pending kept;
  {
    base::Pending gone;
    std::unique_ptr<base::Job> first = std::make_unique<CountedJob>(kept_log);
    std::unique_ptr<base::Job> second = std::make_unique<CountedJob>(gone_log);
    ASSERT_TRUE(env.offload(base::Lane::kLatency, first, kept));
    ASSERT_TRUE(env.offload(base::Lane::kLatency, second, gone));
  }
  env.run();
  EXPECT_EQ(kept_log, "wd~");
  EXPECT_EQ(gone_log, "w~");
}

TEST(FakeEnv, AFullLaneLeavesTheJobWithItsCaller) {
  FakeEnv env;
  env.lane_capacity = {0, 0, 0};
  std::string log;
  base::Pending pending;
  std::unique_ptr<base::Job> job = std::make_unique<CountedJob>(log);
  EXPECT_FALSE(env.offload(base::Lane::kStore, job, pending));
  EXPECT_NE(job, nullptr);
}

struct CountingUser : base::ChannelUser {
  void on_ready(bool readable, bool writable) noexcept override {
    ++calls;
    if (readable && channel != nullptr) text += take(*channel);
    if (writable && channel != nullptr) channel->want(true, false);
  }
  base::Channel* channel = nullptr;
  std::string text;
  int calls = 0;
};

TEST(MemoryChannel, DeliversBytesThenFin) {
  FakeEnv env;
  MemoryPipe pipe = make_memory_pipe(env);
  CountingUser user;
  user.channel = pipe.near.get();
  pipe.near->bind(&user);
  pipe.near->want(true, false);
  env.run();
  EXPECT_EQ(user.calls, 0);
  pipe.far->write("abc");
  env.run();
  EXPECT_EQ(user.text, "abc");
  pipe.far->finish();
  std::byte byte;
  EXPECT_EQ(pipe.near->recv({&byte, 1}).state, Io::kEof);
}

TEST(MemoryChannel, TakesNoMoreThanItsRulesAllow) {
  FakeEnv env;
  MemoryPipe pipe = make_memory_pipe(env, {4, 3, 1});
  EXPECT_EQ(give(*pipe.near, "abcdef").n, 3u);
  EXPECT_EQ(give(*pipe.near, "def").n, 1u);
  EXPECT_EQ(give(*pipe.near, "ef").state, Io::kAgain);
  EXPECT_EQ(pipe.near->unacked(), 4u);
  EXPECT_EQ(take(*pipe.far), "a");
  EXPECT_EQ(give(*pipe.near, "ef").n, 1u);
}

TEST(MemoryChannel, BytesSentBeforeAResetArriveBeforeIt) {
  FakeEnv env;
  MemoryPipe pipe = make_memory_pipe(env);
  pipe.far->write("tail");
  pipe.far->abort();
  EXPECT_EQ(take(*pipe.near), "tail");
  std::byte byte;
  EXPECT_EQ(pipe.near->recv({&byte, 1}).state, Io::kFail);
  EXPECT_EQ(give(*pipe.near, "x").state, Io::kFail);
}

TEST(MemoryChannel, ClosingWithUnreadBytesResetsThePeer) {
  FakeEnv env;
  MemoryPipe pipe = make_memory_pipe(env);
  pipe.far->write("unread");
  pipe.near.reset();
  EXPECT_TRUE(pipe.far->saw_reset());
}

TEST(BodyReader, PullsWhatIsFedUntilItEnds) {
  FakeEnv env;
  FedBody body;
  BodyReader reader(env, body);
  reader.pull();
  EXPECT_FALSE(reader.done());
  body.feed("one ");
  env.run();
  body.feed("two");
  body.end();
  env.run();
  EXPECT_TRUE(reader.ended());
  EXPECT_EQ(reader.text, "one two");
  EXPECT_EQ(body.taken(), 7u);
}

}  // namespace
}  // namespace perigee::test

// Permits of the process: who waits for one, in which order, for how long, and who gives way.
#include "origin/origin_pool.h"

#include "tests/unit/origin/origin_fixture.h"

namespace perigee::origin {
namespace {

namespace limits = base::limits;

class TwoPermits : public OriginTest {
 protected:
  TwoPermits() : OriginTest(2) {}
};

TEST_F(TwoPermits, AThirdFetchWaitsForAConnectionThatFallsIdle) {
  auto first = get();
  auto second = get();
  auto third = get();
  EXPECT_EQ(connections(), 2u);
  peer(1).read();
  answer(kOk, 1);
  EXPECT_EQ(connections(), 2u) << "the connection is handed on";
  EXPECT_EQ(peer(1).read(), "GET /x HTTP/1.1\r\nHost: h\r\n\r\n");
  answer(kOk, 1);
  EXPECT_TRUE(third->whole());
}

TEST_F(TwoPermits, AConnectionThatClosesLetsTheNextOneConnect) {
  auto first = get();
  auto second = get();
  auto third = get();
  finish(0);
  EXPECT_EQ(first->said, "failed:closed");
  EXPECT_EQ(connections(), 3u);
  answer(kOk, 2);
  EXPECT_TRUE(third->whole());
}

TEST_F(TwoPermits, WaitersAreServedInTheirOrder) {
  auto first = get();
  auto second = get();
  std::vector<std::unique_ptr<FetchLog>> waiting;
  for (int i = 0; i < 5; ++i) waiting.push_back(get());
  answer(kOk, 0);
  for (const auto& next : waiting) {
    EXPECT_EQ(next->said, "") << "its request is out, and not answered";
    answer(kOk, 0);
    EXPECT_TRUE(next->whole());
  }
}

TEST_F(TwoPermits, WaitingEndsIn503AfterItsTime) {
  auto first = get();
  first->pull = false;
  auto second = get();
  second->pull = false;
  answer("HTTP/1.1 200 OK\r\n\r\n", 0);
  answer("HTTP/1.1 200 OK\r\n\r\n", 1);
  auto third = get();
  env_.advance(limits::kPermitMs - 100);
  EXPECT_EQ(third->said, "");
  env_.advance(200);
  EXPECT_EQ(third->said, "failed:busy");
  EXPECT_EQ(third->error.status(), 503);
  EXPECT_FALSE(third->error.unreachable());
  first->drop();
  env_.run();
  EXPECT_EQ(connections(), 2u) << "nobody waits any more";
}

TEST_F(TwoPermits, OneThatLeavesTheLineHoldsNobodyUp) {
  auto first = get();
  auto second = get();
  auto third = get();
  auto fourth = get();
  third->drop();
  first->drop();
  env_.run();
  EXPECT_EQ(connections(), 3u);
  answer(kOk, 2);
  EXPECT_TRUE(fourth->whole());
}

TEST_F(TwoPermits, OneDestroyedWithItsPermitOnTheWayGivesItBack) {
  auto first = get();
  auto second = get();
  auto third = get();
  first->drop();  // the permit is posted to the third
  third->drop();
  env_.run();
  EXPECT_EQ(gate_.connections.used(), 1u);
}

TEST_F(TwoPermits, OnlySoManyMayWait) {
  auto first = get();
  auto second = get();
  std::vector<std::unique_ptr<FetchLog>> waiting;
  for (size_t i = 0; i < limits::kOriginWaiters; ++i) waiting.push_back(get());
  EXPECT_EQ(waiting.back()->said, "");
  auto beyond = get();
  EXPECT_EQ(beyond->said, "failed:busy");
}

TEST_F(TwoPermits, AnUnsafeMethodInLineTakesTheConnectionThatJustFellIdle) {
  auto first = get();
  auto second = get();
  auto third = post();
  peer(0).read();
  answer(kOk, 0);
  EXPECT_EQ(connections(), 2u);
  EXPECT_TRUE(peer(0).arrived().starts_with("POST"));
}

TEST_F(TwoPermits, ARepeatedRequestInLineDoesNotTakeAnotherIdleConnection) {
  auto busy = get();
  leave_idle();
  auto repeated = get();  // on the second connection
  auto third = get();
  finish(1);
  EXPECT_EQ(connections(), 3u) << "the permit is the third's, which stood in line before";
  answer(kOk, 0);
  EXPECT_TRUE(busy->whole());
  EXPECT_EQ(connections(), 4u) << "that one may have ended unseen too";
  answer(kOk, 3);
  EXPECT_TRUE(repeated->whole());
}

TEST_F(TwoPermits, AnUnsafeMethodTakesAConnectionThatWasIdleForItsBoundAndNotLonger) {
  leave_idle();
  env_.advance(limits::kFreshConnectionMs);
  auto first = post();
  EXPECT_EQ(connections(), 1u);
  answer(kOk);
  env_.advance(limits::kFreshConnectionMs + 1);
  auto second = post();
  EXPECT_EQ(connections(), 2u);
}

/// A second loop that fetches from the same origin.
class TwoLoops : public OriginTest {
 protected:
  TwoLoops() : OriginTest(2) {
    other_.on_connect = [this](const base::Endpoint&) {
      test::MemoryPipe pipe = test::make_memory_pipe(other_);
      other_peers_.push_back(std::move(pipe.far));
      return std::optional<test::FakeEnv::ConnectResult>(std::move(pipe.near));
    };
    other_names_ = std::make_unique<ResolverCache>(other_);
    other_origin_ = make_http_origin(options_, gate_, *other_names_, other_);
  }
  ~TwoLoops() override {
    other_origin_.reset();
    other_peers_.clear();
    other_.run();
  }
  void both() {
    env_.run();
    other_.run();
    env_.run();
  }
  void advance_both(int64_t ms) {
    for (; ms > 0; ms -= 50) {
      env_.advance(std::min<int64_t>(ms, 50));
      other_.advance(std::min<int64_t>(ms, 50));
      both();
    }
  }

  test::FakeEnv other_{1};
  std::unique_ptr<ResolverCache> other_names_;
  std::unique_ptr<Origin> other_origin_;
  std::vector<std::unique_ptr<test::MemoryChannel>> other_peers_;
};

TEST_F(TwoLoops, IdleConnectionsGiveWayToAnotherLoop) {
  auto first = get();
  auto second = get();
  answer(kOk, 0);
  FetchLog elsewhere(other_);
  elsewhere.fetch = other_origin_->fetch(request(), elsewhere);
  other_.run();
  EXPECT_EQ(other_.connects.size(), 0u);
  advance_both(100);
  EXPECT_EQ(other_.connects.size(), 1u);
  EXPECT_TRUE(peer(0).other_gone());
  EXPECT_FALSE(peer(1).other_gone());
}

TEST_F(TwoLoops, TheOneIdleForTheLongestGivesWayHoweverLateItIsAskedFor) {
  auto first = get();
  auto second = get();
  answer(kOk, 0);
  env_.advance(100);
  answer(kOk, 1);
  env_.advance(500);
  FetchLog elsewhere(other_);
  elsewhere.fetch = other_origin_->fetch(request(), elsewhere);
  other_.run();
  advance_both(100);
  EXPECT_EQ(other_.connects.size(), 1u);
  EXPECT_TRUE(peer(0).other_gone());
  EXPECT_FALSE(peer(1).other_gone());
}

TEST_F(TwoLoops, AConnectionIsNotKeptWhileAnotherLoopWaits) {
  auto first = get();
  auto second = get();
  FetchLog elsewhere(other_);
  elsewhere.fetch = other_origin_->fetch(request(), elsewhere);
  other_.run();
  answer(kOk, 0);
  both();
  EXPECT_EQ(other_.connects.size(), 1u);
}

TEST_F(TwoLoops, ALoopThatWaitedLongGoesBeforeTheOwnersOwn) {
  auto first = get();
  auto second = get();
  FetchLog elsewhere(other_);
  elsewhere.fetch = other_origin_->fetch(request(), elsewhere);
  other_.run();
  auto own = get();
  answer(kOk, 0);
  EXPECT_TRUE(first->whole());
  both();
  EXPECT_EQ(other_.connects.size(), 0u) << "at first the connection stays on its loop";
  auto next = get();
  advance_both(limits::kPermitYieldMs + 50);
  answer(kOk, 0);
  both();
  EXPECT_EQ(other_.connects.size(), 1u);
  EXPECT_EQ(next->said, "");
}

TEST_F(TwoLoops, AnotherLoopIsPassedUpToItsTimeAndNoLonger) {
  auto first = get();
  auto second = get();
  FetchLog elsewhere(other_);
  elsewhere.fetch = other_origin_->fetch(request(), elsewhere);
  other_.run();
  auto third = get();
  auto fourth = get();
  advance_both(limits::kPermitYieldMs);
  answer(kOk, 0);
  both();
  EXPECT_EQ(other_.connects.size(), 0u) << "the third has it";
  advance_both(1);
  answer(kOk, 1);
  both();
  EXPECT_EQ(other_.connects.size(), 1u) << "and not the fourth";
}

}  // namespace
}  // namespace perigee::origin

// The pool: jobs work there and end at home, lanes are bounded, and nothing is lost when it stops.
#include "edge/doors/thread_pool.h"

#include <gtest/gtest.h>

#include <chrono>
#include <latch>
#include <mutex>

#include "base/limits.h"
#include "tests/unit/doors/running_loop.h"

namespace perigee::edge {
namespace {

using base::Lane;

/// What became of a job, seen from outside.
struct Fate {
  std::promise<void> gone;
  std::thread::id worked_on;
  std::thread::id done_on;
  std::thread::id destroyed_on;
  bool worked = false;
  bool done = false;
};

class Probe final : public base::Job {
 public:
  explicit Probe(Fate& fate, std::function<void(const std::atomic<bool>&)> work = nullptr)
      : fate_(fate), work_(std::move(work)) {}
  ~Probe() override {
    fate_.destroyed_on = std::this_thread::get_id();
    fate_.gone.set_value();
  }
  void work(const std::atomic<bool>& stop) noexcept override {
    fate_.worked = true;
    fate_.worked_on = std::this_thread::get_id();
    if (work_) work_(stop);
  }
  void done() noexcept override {
    fate_.done = true;
    fate_.done_on = std::this_thread::get_id();
  }

 private:
  Fate& fate_;
  std::function<void(const std::atomic<bool>&)> work_;
};

bool offload(RunningLoop& loop, Lane lane, std::unique_ptr<base::Job> job, base::Pending& pending) {
  bool taken = false;
  loop.call([&] { taken = loop.env.offload(lane, job, pending); });
  return taken;
}

/// Holds a thread of the pool in a job, from construction until release().
class HeldThread {
 public:
  HeldThread(RunningLoop& loop, Lane lane) : loop_(loop) {
    const auto work = [this](const std::atomic<bool>&) {
      working_.count_down();
      open_.wait();
    };
    EXPECT_TRUE(offload(loop, lane, std::make_unique<Probe>(fate_, work), pending_));
    working_.wait();
  }
  /// Returns when the job has ended on its loop.
  void release() {
    open_.count_down();
    fate_.gone.get_future().wait();
    loop_.call([this] { pending_.abandon(); });
  }
  std::thread::id id() const { return fate_.worked_on; }

 private:
  RunningLoop& loop_;
  std::latch open_{1};
  std::latch working_{1};
  Fate fate_;
  base::Pending pending_;
};

TEST(ThreadPool, AJobWorksOnThePoolAndEndsOnItsLoop) {
  RunningLoop loop;
  Fate fate;
  base::Pending pending;
  ASSERT_TRUE(offload(loop, Lane::kLatency, std::make_unique<Probe>(fate), pending));
  fate.gone.get_future().wait();
  EXPECT_NE(fate.worked_on, loop.id());
  EXPECT_TRUE(fate.done);
  EXPECT_EQ(fate.done_on, loop.id());
  EXPECT_EQ(fate.destroyed_on, loop.id());
  loop.call([&] { EXPECT_FALSE(pending.waiting()); });
}

TEST(ThreadPool, AJobWhosePendingIsGoneComesHomeWithoutDone) {
  RunningLoop loop;
  Fate fate;
  std::latch abandoned(1);
  base::Pending pending;
  ASSERT_TRUE(offload(loop, Lane::kStore,
                      std::make_unique<Probe>(fate, [&](const auto&) { abandoned.wait(); }),
                      pending));
  loop.call([&] { pending.abandon(); });
  abandoned.count_down();
  fate.gone.get_future().wait();
  EXPECT_TRUE(fate.worked);
  EXPECT_FALSE(fate.done);
  EXPECT_EQ(fate.destroyed_on, loop.id());
}

TEST(ThreadPool, AFullLaneLeavesTheJobWithItsCaller) {
  RunningLoop loop(1);
  HeldThread held(loop, Lane::kLatency);
  std::vector<base::Pending> pendings(base::limits::kLatencyJobs + 1);
  std::vector<Fate> fates(base::limits::kLatencyJobs + 1);
  std::unique_ptr<base::Job> refused;
  Fate other;
  base::Pending other_pending;
  loop.call([&] {
    for (size_t i = 0; i < base::limits::kLatencyJobs; ++i) {
      std::unique_ptr<base::Job> job = std::make_unique<Probe>(fates[i]);
      EXPECT_TRUE(loop.env.offload(Lane::kLatency, job, pendings[i]));
      EXPECT_EQ(job, nullptr);
    }
    refused = std::make_unique<Probe>(fates.back());
    EXPECT_FALSE(loop.env.offload(Lane::kLatency, refused, pendings.back()));
    EXPECT_NE(refused, nullptr);
    EXPECT_FALSE(pendings.back().waiting());
    std::unique_ptr<base::Job> job = std::make_unique<Probe>(other);
    EXPECT_TRUE(loop.env.offload(Lane::kStore, job, other_pending)) << "the other lanes have room";
  });
  held.release();
  other.gone.get_future().wait();
  for (size_t i = 0; i < base::limits::kLatencyJobs; ++i) fates[i].gone.get_future().wait();
  refused.reset();
  EXPECT_FALSE(fates.back().worked);
  loop.call([&] { pendings.clear(); });
}

TEST(ThreadPool, SlowBackgroundJobsNeverStandBeforeAColdRead) {
  RunningLoop loop(2);
  std::latch open(1);
  std::vector<Fate> slow(4);
  std::vector<base::Pending> pendings(slow.size() + 1);
  for (size_t i = 0; i < slow.size(); ++i) {
    ASSERT_TRUE(offload(loop, Lane::kBackground,
                        std::make_unique<Probe>(slow[i], [&](const auto&) { open.wait(); }),
                        pendings[i]));
  }
  Fate quick;
  ASSERT_TRUE(offload(loop, Lane::kLatency, std::make_unique<Probe>(quick), pendings.back()));
  // It ends while every background job is still held.
  quick.gone.get_future().wait();
  EXPECT_TRUE(quick.done);
  open.count_down();
  for (Fate& fate : slow) fate.gone.get_future().wait();
  loop.call([&] { pendings.clear(); });
}

TEST(ThreadPool, JobsOffloadedInOneTurnWorkBesideOneAnother) {
  RunningLoop loop(2);
  std::latch both(2);
  std::vector<Fate> fates(2);
  std::vector<base::Pending> pendings(fates.size());
  // One call of the pool for both: the first thread calls the second.
  loop.call([&] {
    for (size_t i = 0; i < fates.size(); ++i) {
      std::unique_ptr<base::Job> job =
          std::make_unique<Probe>(fates[i], [&](const auto&) { both.arrive_and_wait(); });
      ASSERT_TRUE(loop.env.offload(Lane::kLatency, job, pendings[i]));
    }
  });
  for (Fate& fate : fates) fate.gone.get_future().wait();
  EXPECT_NE(fates[0].worked_on, fates[1].worked_on);
  loop.call([&] { pendings.clear(); });
}

TEST(ThreadPool, BehindAStoreJobThatIsHeldUpAnotherThreadHelps) {
  RunningLoop loop(2);
  HeldThread held(loop, Lane::kStore);
  std::vector<Fate> fates(base::limits::kStoreJobsHeldUp + 1);
  std::vector<base::Pending> pendings(fates.size());
  for (size_t i = 0; i < fates.size(); ++i) {
    ASSERT_TRUE(offload(loop, Lane::kStore, std::make_unique<Probe>(fates[i]), pendings[i]));
  }
  // They end while the first one is still held up.
  for (Fate& fate : fates) fate.gone.get_future().wait();
  held.release();
  for (const Fate& fate : fates) EXPECT_NE(fate.worked_on, held.id());
  loop.call([&] { pendings.clear(); });
}

TEST(ThreadPool, LatencyGoesBeforeStoreAndStoreBeforeBackground) {
  RunningLoop loop(1);
  HeldThread held(loop, Lane::kLatency);
  std::vector<base::Pending> pendings(2);
  std::vector<Lane> order;
  std::vector<Fate> fates(2);
  const std::array<Lane, 2> lanes = {Lane::kStore, Lane::kLatency};
  for (size_t i = 0; i < lanes.size(); ++i) {
    const Lane lane = lanes[i];
    ASSERT_TRUE(offload(
        loop, lane,
        std::make_unique<Probe>(fates[i], [&, lane](const auto&) { order.push_back(lane); }),
        pendings[i]));
  }
  held.release();
  for (Fate& fate : fates) fate.gone.get_future().wait();
  EXPECT_EQ(order, (std::vector<Lane>{Lane::kLatency, Lane::kStore}));
  loop.call([&] { pendings.clear(); });
}

TEST(ThreadPool, StopTellsRunningJobsAndBringsQueuedOnesHomeUndone) {
  RunningLoop loop(1);
  std::latch working(1);
  Fate running;
  Fate queued;
  base::Pending running_pending;
  base::Pending queued_pending;
  ASSERT_TRUE(offload(loop, Lane::kStore,
                      std::make_unique<Probe>(running,
                                              [&](const auto& stop) {
                                                working.count_down();
                                                while (!stop.load()) std::this_thread::yield();
                                              }),
                      running_pending));
  working.wait();
  ASSERT_TRUE(offload(loop, Lane::kStore, std::make_unique<Probe>(queued), queued_pending));
  loop.pool.stop();
  running.gone.get_future().wait();
  queued.gone.get_future().wait();
  EXPECT_TRUE(running.done);
  EXPECT_FALSE(queued.worked);
  EXPECT_FALSE(queued.done);
  EXPECT_EQ(queued.destroyed_on, loop.id());
  // Afterwards nothing is taken any more.
  Fate late;
  base::Pending late_pending;
  EXPECT_FALSE(offload(loop, Lane::kLatency, std::make_unique<Probe>(late), late_pending));
}

// A job that has ended holds nobody up: each next one is called for again.
TEST(ThreadPool, JobsOneAfterAnotherAllWorkInEachLane) {
  RunningLoop loop(2);
  for (const Lane lane : {Lane::kStore, Lane::kLatency, Lane::kBackground}) {
    for (int i = 0; i < 5; ++i) {
      Fate fate;
      base::Pending pending;
      ASSERT_TRUE(offload(loop, lane, std::make_unique<Probe>(fate), pending));
      ASSERT_EQ(fate.gone.get_future().wait_for(std::chrono::seconds(20)),
                std::future_status::ready)
          << i;
      EXPECT_TRUE(fate.done);
    }
  }
}

// --- several loops, one pool ---

TEST(ThreadPool, JobsOfTwoLoopsEachEndOnTheirOwn) {
  constexpr size_t kJobs = 200;
  RunningLoop first;
  RunningLoop second(1, first.pool);
  ASSERT_NE(first.id(), second.id());
  std::vector<Fate> fates(2 * kJobs);
  std::vector<base::Pending> pendings(fates.size());
  const auto fill = [&](RunningLoop& loop, size_t begin) {
    for (size_t i = begin; i < begin + kJobs; ++i) {
      std::unique_ptr<base::Job> job = std::make_unique<Probe>(fates[i]);
      EXPECT_TRUE(loop.env.offload(i % 2 == 0 ? Lane::kLatency : Lane::kStore, job, pendings[i]));
    }
  };
  // Both at once, so that their jobs stand in the lanes one among another.
  std::thread other([&] { second.call([&] { fill(second, kJobs); }); });
  first.call([&] { fill(first, 0); });
  other.join();
  for (size_t i = 0; i < fates.size(); ++i) {
    fates[i].gone.get_future().wait();
    const std::thread::id home = i < kJobs ? first.id() : second.id();
    EXPECT_NE(fates[i].worked_on, first.id());
    EXPECT_NE(fates[i].worked_on, second.id());
    EXPECT_TRUE(fates[i].done);
    EXPECT_EQ(fates[i].done_on, home) << i;
    EXPECT_EQ(fates[i].destroyed_on, home) << i;
  }
}

TEST(ThreadPool, AJobCancelledWhileItRunsIsDestroyedOnItsOwnLoopAndTheOtherGoesOn) {
  RunningLoop first;
  RunningLoop second(1, first.pool);
  std::latch working(2);
  std::latch open(1);
  std::array<Fate, 2> fates;
  std::array<base::Pending, 2> pendings;
  const auto work = [&](const std::atomic<bool>&) {
    working.count_down();
    open.wait();
  };
  ASSERT_TRUE(offload(first, Lane::kLatency, std::make_unique<Probe>(fates[0], work), pendings[0]));
  ASSERT_TRUE(
      offload(second, Lane::kLatency, std::make_unique<Probe>(fates[1], work), pendings[1]));
  working.wait();
  second.call([&] { pendings[1].abandon(); });
  open.count_down();
  for (Fate& fate : fates) fate.gone.get_future().wait();
  EXPECT_TRUE(fates[0].done);
  EXPECT_EQ(fates[0].done_on, first.id());
  EXPECT_TRUE(fates[1].worked);
  EXPECT_FALSE(fates[1].done);
  EXPECT_EQ(fates[1].destroyed_on, second.id());
}

TEST(ThreadPool, AtTheStopQueuedJobsGoHomeToTheirOwnLoop) {
  RunningLoop first(1);
  RunningLoop second(1, first.pool);
  std::latch working(1);
  std::array<Fate, 3> fates;
  std::array<base::Pending, 3> pendings;
  const auto until_stop = [&](const std::atomic<bool>& stop) {
    working.count_down();
    while (!stop.load()) std::this_thread::yield();
  };
  ASSERT_TRUE(
      offload(second, Lane::kLatency, std::make_unique<Probe>(fates[0], until_stop), pendings[0]));
  working.wait();
  ASSERT_TRUE(offload(first, Lane::kStore, std::make_unique<Probe>(fates[1]), pendings[1]));
  ASSERT_TRUE(offload(second, Lane::kStore, std::make_unique<Probe>(fates[2]), pendings[2]));
  first.pool.stop();
  for (Fate& fate : fates) fate.gone.get_future().wait();
  EXPECT_EQ(fates[0].done_on, second.id());
  EXPECT_FALSE(fates[1].worked || fates[1].done);
  EXPECT_FALSE(fates[2].worked || fates[2].done);
  EXPECT_EQ(fates[1].destroyed_on, first.id());
  EXPECT_EQ(fates[2].destroyed_on, second.id());
}

}  // namespace
}  // namespace perigee::edge

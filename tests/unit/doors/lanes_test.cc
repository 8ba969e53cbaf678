// The lanes of the pool: how much each holds, shown without a thread that empties it.
#include <gtest/gtest.h>

#include <atomic>

#include "base/limits.h"
#include "edge/doors/thread_pool.h"
#include "tests/support/fake_env.h"

namespace perigee::edge {
namespace {

using base::Lane;

/// Counts where it was.
class CountedJob final : public base::Job {
 public:
  struct Counts {
    std::atomic<int> worked{0};
    std::atomic<int> done{0};
    std::atomic<int> destroyed{0};
  };
  explicit CountedJob(Counts& counts) : counts_(counts) {}
  ~CountedJob() override { ++counts_.destroyed; }
  void work(const std::atomic<bool>&) noexcept override { ++counts_.worked; }
  void done() noexcept override { ++counts_.done; }

 private:
  Counts& counts_;
};

TEST(Lanes, EachHoldsSoManyJobsAndRefusesMore) {
  const std::pair<Lane, size_t> lanes[] = {{Lane::kLatency, base::limits::kLatencyJobs},
                                           {Lane::kStore, base::limits::kStoreJobs},
                                           {Lane::kBackground, base::limits::kBackgroundJobs}};
  test::FakeEnv home;
  CountedJob::Counts counts;
  size_t all = 0;
  {
    // Without a thread nothing leaves a lane.
    ThreadPool pool(0);
    std::vector<base::Pending> pendings;
    for (const auto& [lane, most] : lanes) {
      for (size_t i = 0; i < most; ++i, ++all) {
        std::unique_ptr<base::Job> job = std::make_unique<CountedJob>(counts);
        ASSERT_TRUE(pool.offload(lane, job, pendings.emplace_back(), home));
        EXPECT_EQ(job, nullptr);
      }
      std::unique_ptr<base::Job> job = std::make_unique<CountedJob>(counts);
      base::Pending pending;
      EXPECT_FALSE(pool.offload(lane, job, pending, home));
      EXPECT_NE(job, nullptr) << "the caller keeps it";
      EXPECT_FALSE(pending.waiting());
    }
    pool.stop();
    EXPECT_EQ(counts.destroyed, 3) << "nothing ends but on its loop";
    home.run();
    EXPECT_EQ(counts.worked, 0);
    EXPECT_EQ(counts.done, 0) << "what was queued at the stop goes home without done()";
  }
  EXPECT_EQ(counts.destroyed, static_cast<int>(all) + 3);
}

}  // namespace
}  // namespace perigee::edge

// A disk that fails: each operation once, and for good from each operation on. Nothing crashes, no
// byte is wrong, a purge that was answered as durable is, and what cannot be stored is said to be.
#include <gtest/gtest.h>

#include <map>

#include "base/limits.h"
#include "tests/fault/cache_store/small_store.h"

namespace perigee::cache_store {
namespace {

using test::MemoryIo;
using Op = MemoryIo::Op;

constexpr int kSteps = 120;
constexpr uint64_t kMostFailures = 400;  ///< of one kind, spread over all of its operations

struct Plan {
  Op op = Op::kWrite;
  uint64_t number = 0;
  bool for_good = false;
  bool lands = false;
};

/// A life on a disk that fails by the plan; it is mended when the store cannot be opened, and at
/// the end.
class FailingLife {
 public:
  FailingLife(uint64_t seed, const Plan& plan) : plan_(plan), workload_(seed) {
    workload_.faulty = true;
    workload_.on_io = [this](MemoryIo& io) {
      io.failed_writes_land = plan_.lands;
      io.fail = [this](Op op, uint64_t) { return fails(op); };
    };
  }
  void run() {
    reopen();
    for (int step = 0; step < kSteps; ++step) {
      SCOPED_TRACE("step " + std::to_string(step) + ": " + workload_.last());
      if (!workload_.step()) reopen();
      if (step % 10 == 0) expect_no_wrong_byte();
      if (testing::Test::HasFailure()) return;
    }
    failed_ = workload_.store().stats().failed;
    workload_.crash(std::nullopt);
    mended_ = true;
    reopen();
    expect_no_wrong_byte();
    expect_purges_kept();
  }
  uint64_t count(Op op) const { return counts_.contains(op) ? counts_.at(op) : 0; }
  bool failed() const { return failed_; }
  const Workload& workload() const { return workload_; }

 private:
  bool fails(Op op) {
    const uint64_t number = counts_[op]++;
    if (mended_ || op != plan_.op) return false;
    return plan_.for_good ? number >= plan_.number : number == plan_.number;
  }
  void reopen() {
    if (workload_.open()) return;
    const bool mended = std::exchange(mended_, true);
    ASSERT_TRUE(workload_.open());
    mended_ = mended;
  }
  void expect_no_wrong_byte() {
    for (const Sight& sight : workload_.look()) EXPECT_NE(sight.what, Sight::kWrong);
  }
  void expect_purges_kept() {
    const Sights sights = workload_.look();
    for (size_t key = 0; key < sights.size(); ++key) {
      const Sight& seen = sights[key];
      if (seen.what == Sight::kNothing || seen.stale_since_ms == kUnconfirmedMs) continue;
      const Version& version = *workload_.history().find(seen.version);
      EXPECT_GE(version.begun, workload_.facts()[key].hard_for(version)) << describe(seen);
    }
  }

  Plan plan_;
  std::map<Op, uint64_t> counts_;
  bool mended_ = false;
  bool failed_ = false;
  Workload workload_;
};

class FailingDiskTest : public testing::TestWithParam<Op> {
 protected:
  /// How many operations of the kind a life without a failure has.
  static uint64_t operations(uint64_t seed, Op op) {
    FailingLife life(seed, {.number = UINT64_MAX});
    life.run();
    return life.count(op);
  }
};

TEST_P(FailingDiskTest, OneFailedOperationIsSurvivedWhicheverItIs) {
  const uint64_t operations = FailingDiskTest::operations(5, GetParam());
  const uint64_t stride = operations / kMostFailures + 1;
  for (uint64_t number = 0; number < operations; number += stride) {
    SCOPED_TRACE("operation " + std::to_string(number));
    FailingLife life(5, {GetParam(), number, false, number % 2 == 1});
    life.run();
    if (HasFailure()) return;
    EXPECT_FALSE(life.failed()) << "one failure does not end storing";
  }
}

TEST_P(FailingDiskTest, ADiskThatFailsForGoodIsSurvivedWheneverItBegins) {
  const uint64_t operations = FailingDiskTest::operations(6, GetParam());
  const uint64_t stride = operations / kMostFailures + 1;
  for (uint64_t number = 0; number < operations; number += stride) {
    SCOPED_TRACE("from operation " + std::to_string(number));
    FailingLife life(6, {GetParam(), number, true, number % 2 == 1});
    life.run();
    if (HasFailure()) return;
  }
}

std::string name_of(const testing::TestParamInfo<Op>& info) {
  static constexpr const char* kNames[] = {"Open",  "Allocate",     "Map",  "Read",
                                           "Write", "WriteDurable", "Sync", "Detach"};
  return kNames[static_cast<size_t>(info.param)];
}
INSTANTIATE_TEST_SUITE_P(Operations, FailingDiskTest,
                         testing::Values(Op::kOpen, Op::kAllocate, Op::kMap, Op::kRead, Op::kWrite,
                                         Op::kWriteDurable, Op::kSync, Op::kDetach),
                         name_of);

class FailingWritesTest : public SmallStoreTest {
 protected:
  void SetUp() override { open(); }
};

// Each failed write once cost a slab full of good records, until none was left.
TEST_F(FailingWritesTest, ADiskThatTakesNoWritesKeepsServingWhatItHas) {
  std::vector<uint64_t> versions;
  for (int i = 0; i < 20; ++i) {
    versions.push_back(put("key" + std::to_string(i), store_->ticket(), 3000));
  }
  io_->fail = [](Op op, uint64_t) { return op == Op::kWrite; };
  for (int i = 0; i < 100; ++i) EXPECT_EQ(put("new" + std::to_string(i)), 0u);
  EXPECT_TRUE(store_->stats().failed);
  for (int i = 0; i < 20; ++i) EXPECT_EQ(look("key" + std::to_string(i)), fresh(versions[i]));
  EXPECT_FALSE(store_->maintain({.wall_ms = kNow})) << "nothing is made room for";
}

TEST_F(FailingWritesTest, AWriteThatWasToldAsDoneAndIsNotThereIsNoRecord) {
  const uint64_t version = put("a");
  io_->lose = [](uint64_t) { return true; };
  EXPECT_EQ(put("a"), 0u);
  EXPECT_EQ(put("b"), 0u);
  EXPECT_EQ(put("c", store_->ticket(), 4000), 0u);
  io_->lose = [](uint64_t) { return false; };
  EXPECT_EQ(look("a"), fresh(version));
  EXPECT_EQ(look("b"), kNothing);
  const uint64_t later = put("b");
  EXPECT_EQ(look("b"), fresh(later));
  kill();
  open();
  EXPECT_EQ(look("a"), fresh(version));
  EXPECT_NE(look("b").what, Sight::kWrong);
  EXPECT_EQ(look("c"), kNothing);
}

TEST_F(FailingWritesTest, OnlySoManyFailuresInARowEndStoring) {
  const auto broken = [](Op op, uint64_t) { return op == Op::kWrite; };
  const auto whole = [](Op, uint64_t) { return false; };
  for (int round = 0; round < 3; ++round) {
    io_->fail = broken;
    for (int i = 1; i < base::limits::kWriteFailures; ++i) EXPECT_EQ(put("a"), 0u);
    EXPECT_FALSE(store_->stats().failed);
    io_->fail = whole;
    EXPECT_NE(put("a"), 0u);
  }
  io_->fail = broken;
  for (int i = 0; i < base::limits::kWriteFailures; ++i) EXPECT_EQ(put("a"), 0u);
  EXPECT_TRUE(store_->stats().failed);
}

TEST_F(FailingWritesTest, WhatWasWrittenIsSyncedInItsTime) {
  put("a");
  const uint64_t before = io_->syncs();
  maintain(base::limits::kSyncMs - 1);
  EXPECT_EQ(io_->syncs(), before);
  maintain(base::limits::kSyncMs);
  EXPECT_EQ(io_->syncs(), before + 1);
}

TEST_F(FailingWritesTest, TwoFailedSyncsEndStoringOnlyWhenTheyAreClose) {
  for (const int64_t apart_ms :
       {base::limits::kSyncFailuresMs - 1, base::limits::kSyncFailuresMs}) {
    open();
    io_->fail = [](Op op, uint64_t) { return op == Op::kSync; };
    put("a");
    maintain(5'000);
    EXPECT_FALSE(store_->stats().failed);
    put("b");
    maintain(5'000 + apart_ms);
    EXPECT_EQ(store_->stats().failed, apart_ms < base::limits::kSyncFailuresMs);
  }
}

TEST_F(FailingWritesTest, WhatIsTooLargeDoesNotSealTheOpenSlab) {
  put("a");
  const uint64_t free = store_->stats().slabs_free;
  for (int i = 0; i < 20; ++i) {
    EXPECT_EQ(put("b", store_->ticket(), store_->max_object_bytes() + 1), 0u);
  }
  EXPECT_EQ(store_->stats().slabs_free, free);
}

TEST_F(FailingWritesTest, EmptyBodiesAndTheLargestAreStored) {
  const uint64_t empty = put("empty", store_->ticket(), 0);
  const uint64_t largest = put("largest", store_->ticket(), store_->max_object_bytes());
  EXPECT_EQ(look("empty"), fresh(empty));
  EXPECT_EQ(look("largest"), fresh(largest));
  open();
  EXPECT_EQ(look("empty"), fresh(empty));
  EXPECT_EQ(look("largest"), fresh(largest));
}

TEST_F(FailingWritesTest, AReaderKeepsItsBytesAndAStoreFullOfReadersRefuses) {
  std::vector<Found> held;
  for (int i = 0; i < 100; ++i) {
    const std::string key = "key" + std::to_string(i);
    if (put(key, store_->ticket(), 4000) == 0) continue;
    held.push_back(store_->lookup(store_->digest(key), key, 0));
    ASSERT_EQ(held.back().state, Found::kHit);
  }
  EXPECT_LT(held.size(), 60u) << "readers hold all slabs";
  EXPECT_GT(store_->stats().puts_no_room, 0u);
  EXPECT_GT(store_->stats().objects, 20u) << "and what they do not read is not thrown out in vain";
  held.clear();
  EXPECT_NE(put("again"), 0u);
}

// maintain() once asked to be called again for ever while one slab was ready.
TEST_F(FailingWritesTest, MaintenanceComesToAnEnd) {
  wrap_around();
  for (int i = 0; i < 100; ++i) {
    put("key" + std::to_string(i), store_->ticket(), 3000);
    int steps = 0;
    while (store_->maintain({.wall_ms = kNow + i * 1000})) ASSERT_LT(++steps, 20);
  }
}

}  // namespace
}  // namespace perigee::cache_store

// Locks are taken in the order of their ranks, and work on fibers holds its own.
#include <gtest/gtest.h>

#include "base/lock_rank.h"
#include "base/mutex.h"
#include "tests/support/interleaving.h"

namespace perigee::base {
namespace {

TEST(LockOrderTest, LocksAreTakenFromTheOutermostInwards) {
  Mutex slabs(LockRank::kSlabs);
  Mutex index(LockRank::kIndex);
  Mutex purges(LockRank::kPurges);
  const MutexLock outer(slabs);
  { const MutexLock inner(index); }
  const MutexLock inner(purges);
}

TEST(LockOrderTest, ALockMayBeGivenBackBeforeThoseInsideIt) {
  Mutex slabs(LockRank::kSlabs);
  Mutex index(LockRank::kIndex);
  Mutex purges(LockRank::kPurges);
  slabs.lock();
  index.lock();
  slabs.unlock();
  purges.lock();
  index.unlock();
  purges.unlock();
  const MutexLock again(slabs);
}

TEST(LockOrderDeathTest, ALowerRankIsNotTakenUnderAHigherOne) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  Mutex index(LockRank::kIndex);
  Mutex slabs(LockRank::kSlabs);
  EXPECT_DEATH(
      {
        const MutexLock inner(index);
        const MutexLock outer(slabs);
      },
      "lock order: 'slabs' is taken while 'index shard' is held");
}

TEST(LockOrderDeathTest, TwoLocksOfOneRankAreNotHeldTogether) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  Mutex one(LockRank::kIndex);
  Mutex other(LockRank::kIndex);
  EXPECT_DEATH(
      {
        const MutexLock first(one);
        const MutexLock second(other);
      },
      "lock order: 'index shard' is taken while 'index shard' is held");
}

TEST(LockOrderDeathTest, ALockThatIsNotHeldIsNotGivenBack) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  HeldLocks held;
  EXPECT_DEATH(held.give_back(LockRank::kIndex), "CHECK failed");
}

TEST(LockOrderTest, EachFiberHoldsItsOwnLocks) {
  Mutex slabs(LockRank::kSlabs);
  Mutex index(LockRank::kIndex);
  bool other_ran_inside = false;
  bool inside = false;
  test::Interleaving threads([](uint64_t) { return uint64_t{0}; });
  // The first stops inside of its lock; what the second takes then has a lower rank.
  threads.begin(
      [&] {
        const MutexLock lock(index);
        inside = true;
        threads.yield();
        inside = false;
      },
      {.per_mille = 0});
  ASSERT_EQ(threads.paused(), 1u);
  threads.begin(
      [&] {
        const MutexLock lock(slabs);
        other_ran_inside = inside;
        threads.yield();
      },
      {.per_mille = 0});
  ASSERT_EQ(threads.paused(), 2u);
  // Outside of the fibers no lock is held at all.
  Mutex fills(LockRank::kFillTable);
  { const MutexLock lock(fills); }
  threads.finish();
  EXPECT_TRUE(other_ran_inside);
}

TEST(LockOrderDeathTest, AFiberThatWasPausedStillHoldsItsLocks) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  Mutex slabs(LockRank::kSlabs);
  Mutex index(LockRank::kIndex);
  EXPECT_DEATH(
      {
        test::Interleaving threads([](uint64_t) { return uint64_t{0}; });
        threads.begin(
            [&] {
              const MutexLock inner(index);
              threads.yield();
              const MutexLock outer(slabs);
            },
            {.per_mille = 0});
        threads.finish();
      },
      "lock order: 'slabs' is taken while 'index shard' is held");
}

}  // namespace
}  // namespace perigee::base

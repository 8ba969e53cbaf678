// What a start found is verified ahead of who asks for it: at a bounded pace, in the order of its
// use, and not more than fits into memory.
#include "cache_store/warmer.h"

#include <gtest/gtest.h>

#include "base/limits.h"
#include "tests/unit/cache_store/memory_store.h"

namespace perigee::cache_store {
namespace {

namespace limits = base::limits;

class WarmerTest : public NumberedStoreTest {
 protected:
  void open_with_memory(uint64_t bytes) {
    options_.memory_bytes = bytes;
    open();
  }
  int warm_among(int first, int count) {
    int warm = 0;
    for (int key = first; key < first + count; ++key) warm += state_of(key) == Found::kHit ? 1 : 0;
    return warm;
  }
  bool step(int64_t after_ms) {
    now_ += after_ms;
    return store_->warm_ahead(now_);
  }
};

TEST_F(WarmerTest, WhatAStartFoundIsWarmBeforeAnybodyAsks) {
  put_many(0, 100);
  open();
  EXPECT_EQ(warm_among(0, 100), 0);
  while (step(250)) continue;
  EXPECT_EQ(warm_among(0, 100), 100);
  EXPECT_FALSE(step(250)) << "once";
  EXPECT_EQ(store_->stats().pins, 0u);
}

TEST_F(WarmerTest, NothingIsReadWithoutAStep) {
  put_many(0, 10);
  open();
  for (int i = 0; i < 100; ++i) store_->maintain({.wall_ms = now_ += 50});
  EXPECT_EQ(warm_among(0, 10), 0);
}

TEST_F(WarmerTest, WhatIsDamagedIsDropped) {
  put_many(0, 20);
  flip(place_of_mark(7));
  open();
  while (step(250)) continue;
  EXPECT_EQ(state_of(7), Found::kMiss);
  EXPECT_EQ(store_->stats().corrupt, 1u);
  EXPECT_EQ(warm_among(0, 20), 19);
}

TEST_F(WarmerTest, KeepsItsPace) {
  put_many(0, 150);
  open();
  EXPECT_TRUE(step(0));
  EXPECT_EQ(warm_among(0, 150), 0) << "no time went by";
  EXPECT_TRUE(step(10));
  constexpr auto kMost = static_cast<int>(limits::kWarmBytesPerSecond / 100 / kBodyBytes);
  EXPECT_GT(warm_among(0, 150), kMost / 2);
  EXPECT_LE(warm_among(0, 150), kMost + 1);
}

TEST_F(WarmerTest, EndsWhenHalfOfTheMemoryIsFull) {
  put_many(0, 150);
  constexpr uint64_t kMemory = 80 * kBodyBytes;
  open_with_memory(kMemory);
  while (step(250)) continue;
  EXPECT_GT(warm_among(0, 150), 30);
  EXPECT_LE(warm_among(0, 150), 41);
}

TEST_F(WarmerTest, WhatWasUsedAndWhatIsYoungGoesFirst) {
  put_many(0, 20);
  for (int use = 0; use < 3; ++use) ASSERT_EQ(warm_among(0, 5), 5);
  // What was used is copied into main as probation is used again.
  for (int key = 1000; key < 1300; ++key) {
    put(key);
    store_->maintain({.wall_ms = now_});
  }
  ASSERT_GT(store_->stats().promoted, 0u);
  open_with_memory(10 * 2 * kBodyBytes);
  while (step(250)) continue;
  EXPECT_EQ(warm_among(0, 5), 5) << "they are in main";
  open_with_memory(40 * 2 * kBodyBytes);
  while (step(250)) continue;
  EXPECT_EQ(warm_among(1295, 5), 5) << "of probation, the youngest";
}

/// A slab that was emptied since the start is passed over.
TEST_F(WarmerTest, WhatWasUsedAgainMeanwhileIsLeftAlone) {
  put_many(0, 100);
  open();
  put_many(1000, 300);
  while (step(250)) continue;
  EXPECT_EQ(store_->stats().corrupt, 0u);
  EXPECT_EQ(state_of(1299), Found::kHit);
}

}  // namespace
}  // namespace perigee::cache_store

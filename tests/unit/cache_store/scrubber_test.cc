// Rot in what is stored is found without a client that asks, at a bounded pace, everywhere in turn.
#include "cache_store/scrubber.h"

#include <gtest/gtest.h>

#include "base/limits.h"
#include "tests/unit/cache_store/memory_store.h"

namespace perigee::cache_store {
namespace {

using test::MemoryDisk;
using test::MemoryIo;

constexpr uint64_t kManySlabs = 2 * base::limits::kScrubSlabsLooked + 20;
constexpr auto kPace = static_cast<uint64_t>(base::limits::kScrubBytesPerSecond);

class ScrubberTest : public NumberedStoreTest {
 protected:
  ScrubberTest() : NumberedStoreTest(bytes_of(kManySlabs)) {}
  /// After the look of a client that comes when all is warm.
  bool is_there(int key) { return look(key_of(key)).state == Found::kHit; }
  void step(int64_t after_ms) {
    now_ += after_ms;
    store_->maintain({.wall_ms = now_});
  }
  /// Long enough for the whole store.
  void scrub_all() {
    const int64_t seconds = static_cast<int64_t>(options_.size_bytes / kPace) + 2;
    for (int64_t ms = 0; ms < seconds * 1000; ms += 50) step(50);
  }
};

TEST_F(ScrubberTest, AFlippedBitIsFoundAndDroppedThoughNobodyAsks) {
  put_many(0, 12);
  flip(place_of_mark(3) + 9000);
  flip(place_of_mark(8) - 10);  // the end of its head
  scrub_all();
  EXPECT_EQ(store_->stats().corrupt, 2u);
  for (int key = 0; key < 12; ++key) {
    EXPECT_EQ(state_of(key), key == 3 || key == 8 ? Found::kMiss : Found::kHit) << key;
  }
}

TEST_F(ScrubberTest, AnOlderVersionDoesNotTakeItsPlace) {
  put(1);
  put_many(10, 6);
  put(1, kBodyBytes, 2);
  put_many(20, 6);
  flip(place_of_mark(1, 2) + 100);
  scrub_all();
  EXPECT_EQ(state_of(1), Found::kMiss);
  open();
  EXPECT_EQ(state_of(1), Found::kMiss);
  EXPECT_TRUE(is_there(10));
}

TEST_F(ScrubberTest, WhatIsDeadIsLeftAlone) {
  put(1);
  put_many(10, 6);
  put(1, kBodyBytes, 2);
  flip(place_of_mark(1, 1) + 100);
  scrub_all();
  EXPECT_EQ(store_->stats().corrupt, 0u);
  EXPECT_TRUE(is_there(1));
}

TEST_F(ScrubberTest, WhatCannotBeReadIsDropped) {
  put_many(0, 12);
  const uint64_t bad = place_of_mark(3);
  io_->fail = [&](MemoryIo::Op op, uint64_t offset) {
    return op == MemoryIo::Op::kRead && offset <= bad && bad < offset + 1000;
  };
  scrub_all();
  EXPECT_EQ(store_->stats().corrupt, 1u);
  EXPECT_EQ(state_of(3), Found::kMiss);
}

TEST_F(ScrubberTest, KeepsItsPace) {
  put_many(0, 150);
  const auto scrubbed = [&] { return store_->stats().scrubbed_bytes; };
  ASSERT_EQ(scrubbed(), 0u);
  constexpr uint64_t kOneMore = kBodyBytes + 4096;
  step(100);
  EXPECT_GT(scrubbed(), kPace / 20);
  EXPECT_LE(scrubbed(), kPace / 10 + kOneMore);
  const uint64_t before = scrubbed();
  for (int i = 0; i < 100; ++i) step(0);
  EXPECT_EQ(scrubbed(), before) << "no time went by";
  for (int i = 0; i < 9; ++i) step(100);
  EXPECT_GT(scrubbed(), kPace - 2 * kOneMore);
  EXPECT_LE(scrubbed(), kPace + kOneMore);
  const uint64_t second = scrubbed();
  step(86'400'000);
  EXPECT_LE(scrubbed(), second + kPace + kOneMore) << "a day earns no burst";
  for (int i = 0; i < 100; ++i) step(0);
  const uint64_t third = scrubbed();
  step(-86'400'000);
  EXPECT_EQ(scrubbed(), third) << "nor does a clock that was put back";
}

TEST_F(ScrubberTest, AStepKeepsToItsBudgetToo) {
  put_many(0, 150);
  now_ += 1000;
  store_->maintain({.bytes = 1, .wall_ms = now_});
  EXPECT_GT(store_->stats().scrubbed_bytes, 0u);
  EXPECT_LE(store_->stats().scrubbed_bytes, kBodyBytes + 4096);
}

TEST_F(ScrubberTest, CoversTheWholeStoreInTurnAndAgain) {
  put_many(0, 150);
  scrub_all();
  EXPECT_GE(store_->stats().scrubbed_bytes, 145 * kBodyBytes) << "the open slab is not looked at";
  EXPECT_EQ(store_->stats().corrupt, 0u);
  for (int key = 0; key < 140; key += 5) flip(place_of_mark(key) + 50);
  scrub_all();
  EXPECT_EQ(store_->stats().corrupt, 28u);
  for (int key = 0; key < 150; ++key) EXPECT_EQ(is_there(key), key >= 140 || key % 5 != 0) << key;
}

/// Two steps lead over all but some slabs, of which all but the first are empty.
TEST_F(ScrubberTest, LooksAtABoundedNumberOfSlabsAStep) {
  options_.size_bytes = bytes_of(kManySlabs);
  open();
  put_many(0, 6);
  step(1000);
  EXPECT_GE(store_->stats().scrubbed_bytes, 5 * kBodyBytes);
  flip(place_of_mark(2) + 50);
  step(1000);
  EXPECT_EQ(store_->stats().corrupt, 0u);
  step(1000);
  EXPECT_EQ(store_->stats().corrupt, 1u);
}

/// Between two steps the slab that is being looked at is used again.
TEST_F(ScrubberTest, ASlabThatIsUsedAgainIsNotJudgedByItsOldTable) {
  for (int round = 0; round < 20; ++round) {
    put_many(round * 1000, 150);
    step(20);
  }
  for (int i = 0; i < 100; ++i) step(50);
  EXPECT_EQ(store_->stats().corrupt, 0u);
  EXPECT_GT(store_->stats().scrubbed_bytes, 0u);
  for (int key = 19'100; key < 19'150; ++key) EXPECT_TRUE(is_there(key)) << key;
}

TEST_F(ScrubberTest, LeavesThePagesOfWhatNobodyAskedForAlone) {
  put_many(0, 12);
  open();
  scrub_all();
  EXPECT_GT(store_->stats().scrubbed_bytes, 11 * kBodyBytes);
  EXPECT_EQ(state_of(3), Found::kCold) << "a loop would wait for its pages";
  EXPECT_EQ(store_->stats().pins, 0u);
}

TEST_F(ScrubberTest, PagesThatWereNotInMemoryDoNotStayThere) {
  put_many(0, 7);
  const uint64_t slab = place_of_mark(3) / kSlabBytes * kSlabBytes;
  // Beside the header and the table.
  const uint64_t begin = slab + MemoryDisk::kPage;
  constexpr uint64_t kGone = 7 * MemoryDisk::kPage;
  constexpr uint64_t kThere = 4 * MemoryDisk::kPage;
  io_->evict(begin, kGone);
  step(20);
  EXPECT_GT(*io_->count_resident(begin, kGone), 0u) << "while the slab is looked at";
  while (store_->stats().scrubbed_bytes < 5 * kBodyBytes) step(10);
  EXPECT_EQ(*io_->count_resident(begin, kGone), 0u);
  EXPECT_EQ(*io_->count_resident(begin + kGone, kThere), kThere / MemoryDisk::kPage);
  for (int key = 0; key < 5; ++key) EXPECT_EQ(state_of(key), Found::kHit) << key;
}

}  // namespace
}  // namespace perigee::cache_store

// Records whose pages left memory are cold again before a loop reads them, and nobody asks the
// kernel more than is needed to know.
#include "cache_store/residency.h"

#include <gtest/gtest.h>
#include <sys/mman.h>

#include <algorithm>
#include <string>

#include "base/limits.h"
#include "tests/unit/cache_store/memory_store.h"

namespace perigee::cache_store {
namespace {

namespace limits = base::limits;
using test::MemoryDisk;
using test::MemoryIo;

constexpr uint64_t kManySlabs = limits::kResidencySlabs + 100;
constexpr size_t kPage = MemoryDisk::kPage;

class ResidencyTest : public NumberedStoreTest {
 protected:
  ResidencyTest() : NumberedStoreTest(std::max<uint64_t>(bytes_of(kManySlabs), 40 << 20)) {}

  void warm(int key) { store_->warm(store_->digest(key_of(key)), key_of(key), 0); }
  /// Of the body, in the file.
  uint64_t place_of(int key) {
    const Found found = find(key);
    EXPECT_EQ(found.state, Found::kHit) << key;
    return found.state == Found::kHit ? found.head->body_offset : 0;
  }
  /// Nothing is scrubbed, since that brings pages in. Returns how often the kernel was asked.
  uint64_t step(int64_t after_ms) {
    const uint64_t before = io_->residency_asked();
    now_ += after_ms;
    store_->maintain({.bytes = 0, .wall_ms = now_});
    return io_->residency_asked() - before;
  }
  /// At the whole store.
  void look() { step(limits::kResidencyCalmMs); }
};

TEST_F(ResidencyTest, ARecordWithoutAllOfItsPagesIsColdUntilItIsWarm) {
  put_many(0, 12);
  // The last page alone; what lies beside it keeps its own.
  io_->evict(place_of(3) + kBodyBytes - 1, 1);
  io_->evict(place_of(8) + kPage, 1);
  look();
  EXPECT_EQ(store_->stats().cooled, 2u + (state_of(4) == Found::kCold ? 1 : 0));
  for (const int key : {0, 1, 2, 5, 6, 7, 9, 10, 11}) EXPECT_EQ(state_of(key), Found::kHit) << key;
  for (const int key : {3, 8}) {
    EXPECT_EQ(state_of(key), Found::kCold);
    warm(key);
    const Found found = find(key);
    ASSERT_EQ(found.state, Found::kHit);
    const std::string wanted = mark(key);
    EXPECT_EQ(std::string(reinterpret_cast<const char*>(found.head->body.data()), wanted.size()),
              wanted);
  }
  look();
  EXPECT_EQ(state_of(3), Found::kHit) << "its pages are there";
}

TEST_F(ResidencyTest, AnOpenSlabLosesPagesToo) {
  put(1);
  io_->evict(place_of(1), 1);
  look();
  EXPECT_EQ(state_of(1), Found::kCold);
}

/// Everything that a lookup reads of the record is out of reach: a touch would end the test.
TEST_F(ResidencyTest, ALookupTouchesNothingOfWhatIsNotVerified) {
  put_many(0, 6);
  const uint64_t slab = place_of(2) / kSlabBytes * kSlabBytes;
  io_->evict(slab, kSlabBytes);
  look();
  void* pages = const_cast<std::byte*>(disk_.bytes()) + slab;
  ASSERT_EQ(::mprotect(pages, kSlabBytes, PROT_NONE), 0);
  for (int key = 0; key < 5; ++key) {
    const std::string text = key_of(key);
    EXPECT_EQ(store_->lookup(store_->digest(text), text, kCodedSlots).state, Found::kCold);
    EXPECT_EQ(store_->lookup(store_->digest(text), "another key", 0).state, Found::kCold);
    ParkedRecord parked;
    parked.digest = store_->digest(text);
    parked.slab = 39;
    parked.life = 12'345;
    EXPECT_FALSE(store_->resume(parked));
  }
  ASSERT_EQ(::mprotect(pages, kSlabBytes, PROT_READ | PROT_WRITE), 0);
  warm(2);
  EXPECT_EQ(state_of(2), Found::kHit);
}

TEST_F(ResidencyTest, WhatAStartFoundIsNotTouchedByALookupEither) {
  put_many(0, 6);
  const uint64_t slab = place_of(2) / kSlabBytes * kSlabBytes;
  open();
  void* pages = const_cast<std::byte*>(disk_.bytes()) + slab;
  ASSERT_EQ(::mprotect(pages, kSlabBytes, PROT_NONE), 0);
  EXPECT_EQ(state_of(2), Found::kCold);
  ASSERT_EQ(::mprotect(pages, kSlabBytes, PROT_READ | PROT_WRITE), 0);
}

/// Between two looks its pages came and went: their number is the same.
TEST_F(ResidencyTest, WhatWasVerifiedMeanwhileIsLookedAt) {
  put_many(0, 12);
  const uint64_t place = place_of(3);
  io_->evict(place, kBodyBytes);
  look();
  ASSERT_EQ(state_of(3), Found::kCold);
  look();
  warm(3);
  ASSERT_EQ(state_of(3), Found::kHit);
  io_->evict(place, kBodyBytes);
  look();
  EXPECT_EQ(state_of(3), Found::kCold);
}

TEST_F(ResidencyTest, ALargeStoreIsLookedAtEachSecondAndOthersEachTen) {
  options_.memory_bytes = bytes_of(kSlabs) * 2 - 1;
  open();
  put(1);
  EXPECT_EQ(step(limits::kResidencyMs - 1), 0u);
  EXPECT_GT(step(1), 0u);
  options_.memory_bytes = bytes_of(kSlabs) * 2;
  open();
  put(2);
  EXPECT_EQ(step(limits::kResidencyCalmMs - 1), 0u);
  EXPECT_GT(step(1), 0u);
}

TEST_F(ResidencyTest, WhilePagesOfVerifiedRecordsGoItLooksMoreOften) {
  put_many(0, 12);
  look();
  io_->evict(place_of(3), kBodyBytes);
  look();
  ASSERT_EQ(state_of(3), Found::kCold);
  io_->evict(place_of(8), kBodyBytes);
  EXPECT_EQ(step(limits::kResidencyBusyMs - 1), 0u);
  EXPECT_GT(step(1), 0u);
  EXPECT_EQ(state_of(8), Found::kCold);
  // A look that misses nothing is the last of the quick ones.
  EXPECT_GT(step(limits::kResidencyBusyMs), 0u);
  EXPECT_EQ(step(limits::kResidencyCalmMs - 1), 0u);
  EXPECT_GT(step(1), 0u);
}

TEST_F(ResidencyTest, AClockThatIsPutBackDoesNotEndTheLooks) {
  put(1);
  io_->evict(place_of(1), 1);
  step(-86'400'000);
  EXPECT_EQ(state_of(1), Found::kCold);
}

TEST_F(ResidencyTest, OneQuestionIsEnoughWhileNothingChanges) {
  put(1);
  look();
  EXPECT_EQ(step(limits::kResidencyCalmMs), 1u);
  io_->evict(place_of(1), 1);
  EXPECT_GT(step(limits::kResidencyCalmMs), 1u);
  EXPECT_EQ(state_of(1), Found::kCold);
}

TEST_F(ResidencyTest, AStepLooksAtABoundedNumberOfSlabs) {
  options_.size_bytes = bytes_of(kManySlabs);
  open();
  const auto slabs = static_cast<int>(kManySlabs);
  for (int key = 0; key < slabs; ++key) put(key, kSlabBytes / 4 - 100);
  look();
  std::vector<int> there;
  for (int key = 0; key < slabs; ++key) {
    if (state_of(key) == Found::kHit) there.push_back(key);
  }
  io_->evict(0, bytes_of(kManySlabs));
  const uint64_t asked = step(limits::kResidencyCalmMs);
  EXPECT_LE(asked, 2 * limits::kResidencySlabs + 2);
  for (int i = 0; i < 10; ++i) step(0);
  for (const int key : there) EXPECT_EQ(state_of(key), Found::kCold) << key;
}

TEST_F(ResidencyTest, AStepLooksAtABoundedNumberOfRecords) {
  constexpr uint64_t kLarge = 4 << 20;
  constexpr int kEach = 15'000;  ///< of the smallest to a slab
  disk_.load({});
  options_.slab_bytes = kLarge;
  options_.size_bytes = (4 << 20) + 8 * kLarge;
  open();
  constexpr int kKeys = 4 * kEach;
  for (int key = 0; key < kKeys; ++key) put(key, 0);
  io_->evict(0, options_.size_bytes);
  std::vector<int> hits;
  for (int i = 0; i < 8; ++i) {
    step(i == 0 ? limits::kResidencyCalmMs : 0);
    int there = 0;
    for (int key = 0; key < kKeys; ++key) there += state_of(key) == Found::kHit ? 1 : 0;
    hits.push_back(there);
  }
  EXPECT_GT(hits.front(), 0) << "not all at once";
  EXPECT_LE(hits.front(), kKeys - static_cast<int>(limits::kResidencyRecords));
  EXPECT_LT(hits.back(), kKeys / 100) << "beside what lies in a page with a header or a table";
}

TEST_F(ResidencyTest, WhereNobodyCanTellNothingIsCold) {
  put(1);
  io_->hides_residency = true;
  io_->evict(place_of(1), kBodyBytes);
  look();
  EXPECT_EQ(state_of(1), Found::kHit);
  EXPECT_EQ(store_->stats().cooled, 0u);
}

/// A slab whose table cannot be read tells nothing of its records.
TEST_F(ResidencyTest, AnErrorOfTheDiskLeavesTheRecordsAsTheyAre) {
  put_many(0, 12);
  io_->evict(place_of(1), 1);
  io_->fail = [](MemoryIo::Op op, uint64_t) { return op == MemoryIo::Op::kRead; };
  look();
  io_->fail = [](MemoryIo::Op, uint64_t) { return false; };
  look();
  EXPECT_EQ(state_of(1), Found::kCold) << "the next look finds it";
}

TEST_F(ResidencyTest, MemoryIsLockedWhenThatIsAskedFor) {
  store_.reset();
  io_->fail = [](MemoryIo::Op op, uint64_t) { return op == MemoryIo::Op::kLockMemory; };
  EXPECT_TRUE(Store::open(options_, *io_, *this, now_).ok());
  options_.lock_memory = true;
  EXPECT_FALSE(Store::open(options_, *io_, *this, now_).ok());
  io_->fail = [](MemoryIo::Op, uint64_t) { return false; };
  EXPECT_TRUE(Store::open(options_, *io_, *this, now_).ok());
}

}  // namespace
}  // namespace perigee::cache_store

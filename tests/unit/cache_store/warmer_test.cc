// What a start found is verified ahead of who asks for it: at a bounded pace, in the order of its
// use, and not more than fits into memory.
#include "cache_store/warmer.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "base/limits.h"
#include "cache_store/store.h"
#include "tests/support/memory_disk.h"

namespace perigee::cache_store {
namespace {

namespace limits = base::limits;
using test::MemoryDisk;
using test::MemoryIo;

constexpr uint64_t kSlabBytes = 64 << 10;
constexpr uint64_t kSlabs = 40;
constexpr uint64_t kBytes = (2 << 20) + kSlabs * kSlabBytes;
constexpr size_t kBodyBytes = 12'000;  ///< five to a slab

class Silent final : public StoreObserver {
 public:
  void on_store_event(std::string_view) override {}
};

class WarmerTest : public testing::Test {
 protected:
  void SetUp() override { open(); }

  void open(uint64_t memory_bytes = UINT64_MAX) {
    store_.reset();
    io_ = std::make_unique<MemoryIo>(disk_);
    StoreOptions options;
    options.path = "store";
    options.slab_bytes = kSlabBytes;
    options.journal_bytes = 16 << 10;
    options.size_bytes = kBytes;
    options.memory_bytes = memory_bytes;
    auto opened = Store::open(options, *io_, observer_, now_);
    ASSERT_TRUE(opened.ok()) << opened.error().message;
    store_ = std::move(*opened);
  }
  void put(int key) {
    const std::string body = "<key " + std::to_string(key) + ">" + std::string(kBodyBytes, 'x');
    const std::span<const std::byte> piece = std::as_bytes(std::span(body));
    const std::string text = "key" + std::to_string(key);
    Draft draft;
    draft.key = text;
    draft.base = store_->digest(text);
    draft.body = {&piece, 1};
    draft.ticket = store_->ticket();
    ASSERT_TRUE(store_->put(draft).ok());
  }
  void put_many(int first, int count) {
    for (int key = first; key < first + count; ++key) put(key);
  }
  Found::State state_of(int key) {
    const std::string text = "key" + std::to_string(key);
    return store_->lookup(store_->digest(text), text, 0).state;
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
  void flip(int key) {
    const std::string wanted = "<key " + std::to_string(key) + ">";
    const auto* begin = reinterpret_cast<const char*>(disk_.bytes());
    const char* found = std::search(begin, begin + disk_.size(), wanted.begin(), wanted.end());
    ASSERT_NE(found, begin + disk_.size());
    const std::byte flipped = static_cast<std::byte>(*found) ^ std::byte{1};
    disk_.write(static_cast<uint64_t>(found - begin), {&flipped, 1});
  }

  int64_t now_ = 1'700'000'000'000;
  MemoryDisk disk_{kBytes};
  Silent observer_;
  std::unique_ptr<MemoryIo> io_;
  std::unique_ptr<Store> store_;
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
  flip(7);
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
  open(kMemory);
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
  open(10 * 2 * kBodyBytes);
  while (step(250)) continue;
  EXPECT_EQ(warm_among(0, 5), 5) << "they are in main";
  open(40 * 2 * kBodyBytes);
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

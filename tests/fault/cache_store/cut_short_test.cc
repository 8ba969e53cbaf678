// A real file that is cut short while it is mapped: whoever touches what is gone gets a signal, and
// what it read is not used.
#include <random>

#include "tests/fault/cache_store/file_store.h"
#include "tests/support/torture.h"

namespace perigee::cache_store {
namespace {

constexpr uint64_t kSlabBytes = 64 << 10;
constexpr uint64_t kSlabs = 24;
constexpr uint64_t kArea = 2 << 20;
const int kTrials = test::tortured(150);

using CutShortTest = FileStoreTest;

TEST_F(CutShortTest, NoWrongByteIsReadAndNothingIsStoredAnyMore) {
  std::mt19937_64 chance(1);
  int survivors = 0;
  for (int trial = 0; trial < kTrials; ++trial) {
    SCOPED_TRACE("trial " + std::to_string(trial));
    open_new_file();
    for (int i = 0; i < 60; ++i) ASSERT_TRUE(put(i, chance() % (kSlabBytes / 4)));
    ASSERT_EQ(look(60), 60);
    const uint64_t size = chance() % (kArea + kSlabs * kSlabBytes);
    // The page of a cut in its middle reads as zeros behind it and raises nothing: upkeep finds
    // that.
    const bool in_a_page = chance() % 2 == 0;
    cut(in_a_page ? size : size / 4096 * 4096);
    if (in_a_page) maintain();
    survivors += look(60);
    maintain();
    look(60);
    EXPECT_FALSE(put(100, 1000));
    EXPECT_TRUE(store_->stats().failed);
    look(60);
    // Purges go on in memory; whether they are durable is told.
    const PurgeResult purge = store_->purge({store_->digest("key1"), false, kNow});
    EXPECT_FALSE(store_->commit(purge.seq).ok());
    EXPECT_EQ(history_.look(*store_, "key1").what, Sight::kNothing);
    open();
    look(60);
    EXPECT_FALSE(store_->stats().failed);
    if (HasFailure()) return;
  }
  EXPECT_GT(survivors, 0) << "what lies before the cut is served on";
}

// A slab with a bad page was used again with a page of zeros in the map.
TEST_F(CutShortTest, ASlabWithABadPageIsMappedAnewBeforeItIsUsedAgain) {
  open();
  for (int i = 0; i < 60; ++i) ASSERT_TRUE(put(i, 12'000));
  const std::string key = "key0";
  Found found = store_->lookup(store_->digest(key), key, 0);
  ASSERT_EQ(found.state, Found::kHit);
  const uint64_t whole = kArea + kSlabs * kSlabBytes;
  cut(found.head->body_offset / 4096 * 4096);
  EXPECT_EQ(static_cast<int>(found.head->body[6000]), 0);
  EXPECT_TRUE(store_->poisoned(found.head->pin));
  cut(whole);
  maintain();
  EXPECT_EQ(store_->stats().poisoned, 1u);
  // Its reader holds it; then it is free, and each slab is used once more.
  found.head->pin.reset();
  for (int i = 100; i < 300; ++i) {
    ASSERT_TRUE(put(i, 12'000)) << i;
    maintain();
    EXPECT_EQ(history_.look(*store_, "key" + std::to_string(i)).what, Sight::kObject) << i;
  }
}

// A 304 writes the stored body again. If it goes bad under the write, zeros must not be stored as
// if they were what the origin sent.
TEST_F(CutShortTest, ABodyThatGoesBadIsNotStoredAgain) {
  open();
  ASSERT_TRUE(put(0, 12'000));
  const std::string key = "key0";
  Found found = store_->lookup(store_->digest(key), key, 0);
  ASSERT_EQ(found.state, Found::kHit);
  const uint64_t whole = kArea + kSlabs * kSlabBytes;
  cut((found.head->body_offset + 4096) / 4096 * 4096);
  const std::span<const std::byte> body = found.head->body;
  (void)*static_cast<const volatile std::byte*>(&body[9000]);
  cut(whole);
  Draft draft;
  draft.key = key;
  draft.base = store_->digest(key);
  draft.head = found.head->head;
  draft.body = {&body, 1};
  draft.rid = found.head->rid;
  draft.ticket = store_->ticket();
  draft.source = &found.head->pin;
  EXPECT_FALSE(store_->put(draft).ok());
  EXPECT_NE(history_.look(*store_, key).what, Sight::kWrong);
  found = {};
  open();
  EXPECT_NE(history_.look(*store_, key).what, Sight::kWrong);
}

}  // namespace
}  // namespace perigee::cache_store

// The store in memory that tests of fills use: what it does with long objects is what a store does.
#include "tests/unit/origin/fake_store.h"

#include <gtest/gtest.h>

#include <string>

namespace perigee::origin {
namespace {

using cache_store::Found;
using cache_store::FragmentId;

class FakeStoreTest : public testing::Test {
 protected:
  FakeStoreTest() {
    store_.fragment_size = 8;
    store_.fragmented_most = 16 << 20;
  }

  base::Result<Found> put(const FragmentId& id, std::string_view body,
                          const cache_store::Ticket& ticket) {
    const std::span<const std::byte> piece = std::as_bytes(std::span(body));
    return store_.put_fragment({id, store_.digest("url"), ticket, {&piece, 1}});
  }
  base::Result<Found> put(const FragmentId& id, std::string_view body) {
    return put(id, body, store_.ticket());
  }
  base::Result<Found> put_head(uint64_t rid, uint64_t whole_length) {
    cache_store::Draft draft;
    draft.kind = cache_store::RecordKind::kHead;
    draft.rid = rid;
    draft.key = "url";
    draft.base = store_.digest("url");
    draft.whole_length = whole_length;
    draft.ticket = store_.ticket();
    return store_.put(draft);
  }

  FakeStore store_;
};

TEST_F(FakeStoreTest, HoldsAHeadAndItsFragments) {
  const uint64_t rid = store_.draw_rid();
  EXPECT_NE(rid, store_.draw_rid());
  ASSERT_TRUE(put({rid, 1}, "piece").ok());
  ASSERT_TRUE(put_head(rid, 13).ok());
  const Found head = store_.lookup(store_.digest("url"), "url", 0);
  ASSERT_EQ(head.state, Found::kHit);
  EXPECT_EQ(head.head->kind, cache_store::RecordKind::kHead);
  EXPECT_EQ(head.head->whole_length, 13u);
  const Found found = store_.lookup_fragment({head.head->rid, 1});
  ASSERT_EQ(found.state, Found::kHit);
  EXPECT_EQ(found.head->body.size(), 5u);
  EXPECT_EQ(store_.fragment_pins({rid, 1}), 1u);
  EXPECT_EQ(store_.lookup_fragment({rid, 0}).state, Found::kMiss);
  EXPECT_EQ(store_.fragment_puts, 1u);
  EXPECT_EQ(store_.puts, 1u);
}

TEST_F(FakeStoreTest, LosesFragmentsAsATestWants) {
  ASSERT_TRUE(put({7, 0}, "cold").ok());
  ASSERT_TRUE(put({7, 1}, "evicted").ok());
  ASSERT_TRUE(put({7, 2}, "bad page").ok());
  store_.make_cold({7, 0});
  EXPECT_EQ(store_.lookup_fragment({7, 0}).state, Found::kCold);
  store_.warm_fragment({7, 0});
  EXPECT_EQ(store_.lookup_fragment({7, 0}).state, Found::kHit);
  {
    const Found held = store_.lookup_fragment({7, 1});
    store_.evict_fragment({7, 1});
    EXPECT_EQ(held.head->body.size(), 7u) << "whoever holds it goes on";
  }
  EXPECT_EQ(store_.lookup_fragment({7, 1}).state, Found::kMiss);
  const Found held = store_.lookup_fragment({7, 2});
  store_.poison(FragmentId{7, 2});
  EXPECT_TRUE(store_.poisoned(held.head->pin));
  EXPECT_EQ(store_.lookup_fragment({7, 2}).state, Found::kMiss);
}

TEST_F(FakeStoreTest, RefusesWhatAStoreRefuses) {
  const cache_store::Ticket before = store_.ticket();
  ASSERT_TRUE(put({7, 0}, "piece").ok());
  store_.erase(store_.digest("url"));
  EXPECT_EQ(put({7, 1}, "late", before).error().code, base::ErrorCode::kCancelled);
  ASSERT_NE(store_.fragment({7, 0}), nullptr) << "it is not found without its head, but there";
  EXPECT_EQ(*store_.fragment({7, 0}), "piece");
  store_.refuse_fragments_from = 2;
  EXPECT_TRUE(put({7, 1}, "piece").ok());
  EXPECT_EQ(put({7, 2}, "piece").error().code, base::ErrorCode::kNoSpace);
  EXPECT_EQ(put({7, 1}, "too long!").error().code, base::ErrorCode::kNoSpace);
  EXPECT_FALSE(put_head(7, store_.max_fragmented_bytes() + 1).ok());
}

}  // namespace
}  // namespace perigee::origin

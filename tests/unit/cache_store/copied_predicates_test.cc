// Copies out of a slab that is emptied, and purges by tag, prefix and of everything: a copy says
// that no purge before it concerns the record, so it must have been tested for all of them.
#include <gtest/gtest.h>

#include <string>

#include "tests/support/keys.h"
#include "tests/unit/cache_store/eviction_fixture.h"

namespace perigee::cache_store {
namespace {

/// Nobody looks it up, and no sweep has passed, before its slab is emptied.
class CopiesAndPurges : public EvictionTest {
 protected:
  void put_used(const std::string& key, uint64_t tag) {
    tags_ = {tag};
    ASSERT_TRUE(put(key));
    tags_.clear();
    ASSERT_TRUE(has(key));
  }
  /// Puts alone, so that what was put before is copied, or goes.
  void end_probation_unswept() {
    for (uint64_t i = 0; i < 5 * (kSlabs / 10 + 8); ++i) {
      ASSERT_TRUE(put("crawled " + std::to_string(crawled_++)));
    }
  }
  void purge(Predicate predicate, bool soft) {
    predicate.soft = soft;
    predicate.wall_ms = now_;
    ASSERT_TRUE(store_->commit(store_->purge(predicate).seq).ok());
  }
  const std::string url_ = test::url_key("a.test", "/css/main.css");
  const std::string other_ = test::url_key("b.test", "/");
  const Predicate tag_{.kind = PredicateKind::kTag, .tag = 7};
  const std::string prefix_text_ = test::url_key("a.test", "/css/");
  const Predicate prefix_{.kind = PredicateKind::kPrefix, .prefix = prefix_text_};
  const Predicate everything_{.kind = PredicateKind::kEverything};
};

TEST_F(CopiesAndPurges, WhatATagOrPrefixMatchesIsNotCopied) {
  for (const Predicate& predicate : {tag_, prefix_}) {
    fill();
    put_used(url_, 7);
    put_used(other_, 8);
    purge(predicate, false);
    end_probation_unswept();
    EXPECT_EQ(promoted(), 1u);
    EXPECT_EQ(stats().purged_lazily - filled_.purged_lazily, 1u);
    open();
    EXPECT_FALSE(has(url_));
    EXPECT_TRUE(has(other_));
    store_->erase(store_->digest(other_));
  }
}

TEST_F(CopiesAndPurges, NothingFromBeforeAPurgeOfEverythingIsCopied) {
  fill();
  put_used(url_, 7);
  const uint64_t rid = store_->draw_rid();
  ASSERT_TRUE(put_long("long", rid, 2));
  use_long("long", rid, 2);
  purge(everything_, false);
  put_used(other_, 8);
  end_probation_unswept();
  EXPECT_EQ(promoted(), 1u);
  open();
  EXPECT_FALSE(has(url_));
  EXPECT_FALSE(has("long"));
  EXPECT_FALSE(has_fragment({rid, 0}));
  EXPECT_TRUE(has(other_));
}

TEST_F(CopiesAndPurges, ACopyOfWhatASoftOneMatchesIsStaleAtTheNextStartToo) {
  for (const Predicate& predicate : {tag_, prefix_, everything_}) {
    fill();
    put_used(url_, 7);
    purge(predicate, true);
    end_probation_unswept();
    EXPECT_EQ(promoted(), 1u);
    open();
    EXPECT_EQ(look(url_).head->stale_since_ms, now_);
    store_->erase(store_->digest(url_));
  }
}

/// It was tested, and the journal need not keep them for it.
TEST_F(CopiesAndPurges, ACopyLetsTheJournalForgetThem) {
  fill();
  put_used(other_, 8);
  for (int round = 0; round < 8; ++round) {
    ASSERT_TRUE(has(other_));
    for (int i = 0; i < 10; ++i) purge(i % 2 == 0 ? tag_ : prefix_, i % 3 == 0);
    for (int turn = 0; turn < 12; ++turn) {
      turn_main(10);
      ASSERT_TRUE(has(other_));
    }
  }
  open();
  EXPECT_EQ(look(other_).head->stale_since_ms, 0);
}

}  // namespace
}  // namespace perigee::cache_store

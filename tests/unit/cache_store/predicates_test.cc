// Purges by tag, by prefix and of everything through the store's verbs: in every order with puts
// and lookups, across restarts, and counted by the sweep.
#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <vector>

#include "base/limits.h"
#include "tests/support/keys.h"
#include "tests/unit/cache_store/memory_store.h"

namespace perigee::cache_store {
namespace {

using test::url_key;

struct Put {
  std::vector<uint64_t> tags;
  std::optional<Ticket> ticket;
  RecordKind kind = RecordKind::kObject;
  std::string key;  ///< of a variant; else the URL's
};

class PredicatesTest : public MemoryStoreTest {
 protected:
  PredicatesTest() : MemoryStoreTest(options_of(400, 16 << 10, 16 << 10)) {}

  /// Without a word to anybody; then from what it left.
  void kill_and_open() {
    io_->kill();
    open();
  }
  bool put(const std::string& url, const Put& what = {}) {
    const std::string_view text = "body";
    const std::span<const std::byte> piece = std::as_bytes(std::span(text));
    Draft draft;
    draft.kind = what.kind;
    draft.slot = what.kind == RecordKind::kVarySpec ? kVarySlot : kHeadSlot;
    draft.key = what.key.empty() ? url : what.key;
    draft.base = store_->digest(url);
    draft.tags = what.tags;
    draft.ticket = what.ticket ? *what.ticket : store_->ticket();
    if (what.kind == RecordKind::kHead) {
      draft.rid = store_->draw_rid();
      draft.whole_length = store_->fragment_bytes();
    } else {
      draft.body = {&piece, 1};
    }
    return store_->put(draft).ok();
  }
  bool is_there(const std::string& key) {
    const Found found = look(key);
    return found.state == Found::kHit || found.state == Found::kVary;
  }
  /// -1: it is not there.
  int64_t stale_since(const std::string& key) {
    const Found found = look(key);
    if (found.state == Found::kVary) return found.vary->stale_since_ms;
    return found.state == Found::kHit ? found.head->stale_since_ms : -1;
  }
  uint64_t purge(Predicate predicate, bool soft = false, int64_t wall_ms = kNow) {
    predicate.soft = soft;
    predicate.wall_ms = wall_ms;
    const PurgeResult result = store_->purge(predicate);
    EXPECT_EQ(result.matched, std::nullopt) << "nobody has counted yet";
    EXPECT_TRUE(store_->commit(result.seq).ok());
    return result.seq;
  }
  /// Until it has passed.
  void sweep() {
    for (int i = 0; i < 20; ++i) store_->maintain({.wall_ms = kNow});
  }
  /// Purges, and tells how many the sweep found.
  std::optional<uint64_t> purge_and_sweep(const Predicate& predicate, bool soft = false) {
    const uint64_t seq = purge(predicate, soft);
    sweep();
    return store_->swept(seq);
  }
  uint64_t objects() const { return store_->stats().objects; }

  const std::string url_ = url_key("a.test", "/css/main.css");
  const std::string other_ = url_key("b.test", "/");
  const std::string prefix_ = url_key("a.test", "/css/");
  /// Each matches `url_` with tag 7, and not `other_` with tag 8, but for the last.
  const std::vector<Predicate> kinds_{{.kind = PredicateKind::kTag, .tag = 7},
                                      {.kind = PredicateKind::kPrefix, .prefix = prefix_},
                                      {.kind = PredicateKind::kEverything}};
  static bool spares_others(const Predicate& predicate) {
    return predicate.kind != PredicateKind::kEverything;
  }
};

TEST_F(PredicatesTest, AHardOneTakesWhatItMatchesAtOnce) {
  for (const Predicate& predicate : kinds_) {
    ASSERT_TRUE(put(url_, {.tags = {5, 7}}));
    ASSERT_TRUE(put(other_, {.tags = {8}}));
    purge(predicate);
    EXPECT_FALSE(is_there(url_));
    EXPECT_EQ(is_there(other_), spares_others(predicate));
    EXPECT_FALSE(is_there(url_)) << "nor when it is asked for again";
    ASSERT_TRUE(put(url_, {.tags = {5, 7}}));
    EXPECT_TRUE(is_there(url_)) << "what was fetched after stays";
  }
}

TEST_F(PredicatesTest, ASoftOneMakesStaleAndTheFirstCounts) {
  for (const Predicate& predicate : kinds_) {
    ASSERT_TRUE(put(url_, {.tags = {5, 7}}));
    ASSERT_TRUE(put(other_, {.tags = {8}}));
    purge(predicate, true, kNow + 5'000);
    purge(predicate, true, kNow + 9'000);
    EXPECT_EQ(stale_since(url_), kNow + 5'000);
    EXPECT_EQ(stale_since(other_), spares_others(predicate) ? 0 : kNow + 5'000);
    ASSERT_TRUE(put(url_, {.tags = {7}}));
    EXPECT_EQ(stale_since(url_), 0);
  }
}

/// Tested between the two, or not.
TEST_F(PredicatesTest, AStaleOneThatIsLookedUpInBetweenStaysStaleSinceTheFirst) {
  ASSERT_TRUE(put(url_, {.tags = {7}}));
  purge(kinds_[0], true, kNow + 5'000);
  EXPECT_EQ(stale_since(url_), kNow + 5'000);
  purge(kinds_[1], true, kNow + 9'000);
  EXPECT_EQ(stale_since(url_), kNow + 5'000);
  purge(kinds_[2]);
  EXPECT_FALSE(is_there(url_));
}

/// A purge of the key marks at once, and one by tag is found out later though it came first.
TEST_F(PredicatesTest, AnEarlierPurgeThatIsFoundLaterCounts) {
  ASSERT_TRUE(put(url_, {.tags = {7}}));
  purge(kinds_[0], true, kNow + 5'000);
  store_->purge({store_->digest(url_), true, kNow + 9'000});
  EXPECT_EQ(stale_since(url_), kNow + 5'000);
}

TEST_F(PredicatesTest, APutOfAnEarlierFetchIsRefusedOrStoredStale) {
  for (const Predicate& predicate : kinds_) {
    Ticket before = store_->ticket();
    EXPECT_FALSE(store_->purged_since(store_->digest(url_), url_, before));
    purge(predicate, true, kNow + 5'000);
    EXPECT_TRUE(store_->purged_since(store_->digest(url_), url_, before));
    ASSERT_TRUE(put(url_, {.tags = {7}, .ticket = before}));
    EXPECT_EQ(stale_since(url_), kNow + 5'000);
    before = store_->ticket();
    purge(predicate);
    EXPECT_FALSE(put(url_, {.tags = {7}, .ticket = before}));
    EXPECT_FALSE(is_there(url_));
    EXPECT_EQ(put(other_, {.tags = {8}, .ticket = before}), spares_others(predicate));
  }
}

TEST_F(PredicatesTest, NobodyJoinsAFetchThatMayBringWhatWasPurged) {
  const Ticket before = store_->ticket();
  purge(kinds_[1]);
  EXPECT_TRUE(store_->purged_since(store_->digest(url_), url_, before));
  EXPECT_FALSE(store_->purged_since(store_->digest(other_), other_, before));
  purge(kinds_[0]);
  EXPECT_TRUE(store_->purged_since(store_->digest(other_), other_, before))
      << "its tags are not known yet";
}

TEST_F(PredicatesTest, ARestartFindsThemBeforeAndAfterTheSweep) {
  for (const bool swept : {false, true}) {
    for (const Predicate& predicate : kinds_) {
      for (const bool soft : {false, true}) {
        SCOPED_TRACE(static_cast<int>(predicate.kind));
        ASSERT_TRUE(put(url_, {.tags = {7}}));
        ASSERT_TRUE(put(other_, {.tags = {8}}));
        purge(predicate, soft, kNow + 5'000);
        if (swept) sweep();
        for (int opening = 0; opening < 2; ++opening) {
          kill_and_open();
          EXPECT_EQ(stale_since(url_), soft ? kNow + 5'000 : -1);
          EXPECT_EQ(stale_since(other_), spares_others(predicate) ? 0 : soft ? kNow + 5'000 : -1);
        }
      }
    }
  }
}

/// The tags of two versions differ. Only the newer one is purged, and the older stays replaced.
TEST_F(PredicatesTest, WhatWasReplacedDoesNotComeBack) {
  ASSERT_TRUE(put(url_, {.tags = {8}}));
  ASSERT_TRUE(put(url_, {.tags = {7}}));
  purge(kinds_[0]);
  EXPECT_FALSE(is_there(url_));
  kill_and_open();
  EXPECT_FALSE(is_there(url_));
}

TEST_F(PredicatesTest, VariantsAreTestedEachForItself) {
  const std::string german = test::variant_key(url_, 9, "de");
  const std::string french = test::variant_key(url_, 9, "fr");
  for (const bool soft : {true, false}) {
    for (const Predicate& predicate : kinds_) {
      ASSERT_TRUE(put(url_, {.kind = RecordKind::kVarySpec}));
      ASSERT_TRUE(put(url_, {.tags = {7}, .key = german}));
      ASSERT_TRUE(put(url_, {.tags = {8}, .key = french}));
      purge(predicate, soft, kNow + 5'000);
      const bool by_tag = predicate.kind == PredicateKind::kTag;
      EXPECT_EQ(stale_since(german), soft ? kNow + 5'000 : -1);
      EXPECT_EQ(stale_since(french), by_tag ? 0 : soft ? kNow + 5'000 : -1);
      EXPECT_EQ(is_there(url_), soft || by_tag) << "the spec";
    }
  }
}

/// Its spec had been found by a put, and named variants that a lookup no longer found.
TEST_F(PredicatesTest, ASpecThatWasTakenNamesNoNewVariants) {
  ASSERT_TRUE(put(url_, {.kind = RecordKind::kVarySpec}));
  const uint64_t before = look(url_).vary->rid;
  purge(kinds_[1]);
  ASSERT_TRUE(put(url_, {.kind = RecordKind::kVarySpec}));
  ASSERT_TRUE(is_there(url_));
  EXPECT_NE(look(url_).vary->rid, before);
}

TEST_F(PredicatesTest, FragmentsGoWithTheirHead) {
  for (const Predicate& predicate : kinds_) {
    ASSERT_TRUE(put(url_, {.tags = {7}, .kind = RecordKind::kHead}));
    const uint64_t rid = look(url_).head->rid;
    const std::string bytes(store_->fragment_bytes(), 'f');
    const std::span<const std::byte> piece = std::as_bytes(std::span(bytes));
    const Ticket ticket = store_->ticket();
    ASSERT_TRUE(store_->put_fragment({{rid, 0}, store_->digest(url_), ticket, {&piece, 1}}).ok());
    purge(predicate);
    EXPECT_FALSE(is_there(url_)) << "and nobody knows its rid";
  }
}

TEST_F(PredicatesTest, TheSweepMarksNoFragmentAndTakesThemWithEverything) {
  ASSERT_TRUE(put(url_, {.kind = RecordKind::kHead}));
  const FragmentId id{look(url_).head->rid, 0};
  const std::string bytes(store_->fragment_bytes(), 'f');
  const std::span<const std::byte> piece = std::as_bytes(std::span(bytes));
  const Ticket ticket = store_->ticket();
  ASSERT_TRUE(store_->put_fragment({id, store_->digest(url_), ticket, {&piece, 1}}).ok());
  EXPECT_EQ(purge_and_sweep(kinds_[2], true), 1u) << "the head";
  ASSERT_EQ(store_->lookup_fragment(id).state, Found::kHit);
  EXPECT_EQ(store_->lookup_fragment(id).head->stale_since_ms, 0);
  EXPECT_EQ(purge_and_sweep(kinds_[2]), 1u);
  EXPECT_EQ(objects(), 0u);
}

TEST_F(PredicatesTest, TheSweepFindsAndCountsWhatNobodyAsksFor) {
  for (int i = 0; i < 30; ++i) {
    ASSERT_TRUE(put(url_key("a.test", "/css/" + std::to_string(i)), {.tags = {7}}));
  }
  for (int i = 0; i < 10; ++i) ASSERT_TRUE(put(url_key("b.test", std::to_string(i))));
  const uint64_t soft = purge(kinds_[1], true);
  EXPECT_EQ(store_->swept(soft), std::nullopt);
  sweep();
  EXPECT_EQ(store_->swept(soft), 30u);
  EXPECT_EQ(objects(), 40u);
  (void)look(url_key("a.test", "/css/1"));
  const uint64_t hard = purge(kinds_[0]);
  EXPECT_FALSE(is_there(url_key("a.test", "/css/1"))) << "this one a lookup finds";
  sweep();
  EXPECT_EQ(store_->swept(hard), 30u);
  EXPECT_EQ(objects(), 10u);
  const uint64_t all = purge(kinds_[2]);
  sweep();
  EXPECT_EQ(store_->swept(all), 10u);
  EXPECT_EQ(objects(), 0u);
  EXPECT_EQ(store_->stats().purged_lazily, 70u);
  EXPECT_EQ(store_->swept(all + 1), std::nullopt) << "no such purge";
}

TEST_F(PredicatesTest, TheSweepReadsWhatEarlierRunsLeftAndNotThroughTheMap) {
  for (int i = 0; i < 30; ++i) {
    ASSERT_TRUE(put(url_key("a.test", "/css/" + std::to_string(i)), {.tags = {7}}));
  }
  ASSERT_TRUE(put(other_));
  purge(kinds_[0]);
  kill_and_open();
  EXPECT_EQ(objects(), 31u) << "none was looked up";
  sweep();
  EXPECT_EQ(objects(), 1u);
  EXPECT_TRUE(is_there(other_));
}

/// A purge of so many that one step does not test them all.
TEST_F(PredicatesTest, ALongSweepIsMadeOfBoundedSteps) {
  constexpr size_t kShards = 256;
  ASSERT_TRUE(put(url_, {.tags = {7}}));
  const uint64_t seq = purge(kinds_[0]);
  size_t steps = 0;
  for (; !store_->swept(seq); ++steps) store_->maintain({.wall_ms = kNow});
  EXPECT_EQ(steps, kShards / base::limits::kSweepShards);
  EXPECT_EQ(store_->swept(seq), 1u);
}

TEST_F(PredicatesTest, AStepOfTheSweepTestsABoundedNumberOfRecords) {
  // So many in each shard of the index that the bound of records is reached before that of shards.
  constexpr size_t kMany = 16'000;
  for (size_t i = 0; i < kMany; ++i) {
    ASSERT_TRUE(put(url_key("a.test", "/css/" + std::to_string(i))));
  }
  ASSERT_EQ(objects(), kMany) << "none was evicted";
  const uint64_t seq = purge(kinds_[1]);
  store_->maintain({.wall_ms = kNow});
  const size_t tested = kMany - objects();
  EXPECT_GE(tested, base::limits::kSweepRecords);
  EXPECT_LT(tested, base::limits::kSweepRecords + base::limits::kSweepBatch);
  // And no more bytes than it may.
  store_->maintain({.bytes = 1, .wall_ms = kNow});
  EXPECT_LE(kMany - objects() - tested, base::limits::kSweepBatch);
  for (int i = 0; i < 40 && !store_->swept(seq); ++i) store_->maintain({.wall_ms = kNow});
  EXPECT_EQ(store_->swept(seq), kMany);
  EXPECT_EQ(objects(), 0u);
}

TEST_F(PredicatesTest, ADamagedRecordIsDroppedByTheSweep) {
  ASSERT_TRUE(put(url_));
  // So many that its slab is sealed: a start believes the table, and reads no record.
  for (int i = 0; i < 60; ++i) ASSERT_TRUE(put(url_key("b.test", std::to_string(i))));
  test::MemoryDisk::Image image = disk_.after_kill();
  const std::string_view file(reinterpret_cast<const char*>(disk_.bytes()), disk_.size());
  const size_t at = file.find(url_);
  ASSERT_NE(at, std::string_view::npos);
  image.at(at + 10) ^= std::byte{1};
  io_->kill();
  store_.reset();
  disk_.load(image);
  open();
  ASSERT_EQ(objects(), 61u);
  EXPECT_EQ(purge_and_sweep(kinds_[0]), 0u);
  EXPECT_EQ(objects(), 60u);
  EXPECT_EQ(store_->stats().corrupt, 1u);
}

/// More at once than are remembered one by one: more goes, and none comes back.
TEST_F(PredicatesTest, BeyondTheBoundMoreGoesAndNothingIsLost) {
  ASSERT_TRUE(put(url_, {.tags = {7}}));
  ASSERT_TRUE(put(other_, {.tags = {8}}));
  const Ticket before = store_->ticket();
  store_->purge(kinds_[0]);
  for (uint64_t i = 0; i < base::limits::kPredicates; ++i) {
    store_->purge({.kind = PredicateKind::kTag, .tag = 1'000 + i});
  }
  EXPECT_FALSE(put(url_, {.tags = {7}, .ticket = before}));
  EXPECT_FALSE(is_there(url_));
  EXPECT_FALSE(is_there(other_)) << "it was not tested in time";
  ASSERT_TRUE(put(other_, {.tags = {8}}));
  EXPECT_TRUE(is_there(other_));
}

TEST_F(PredicatesTest, WhatIsKeptUpIsNotHitByTheBound) {
  ASSERT_TRUE(put(other_, {.tags = {8}}));
  for (uint64_t i = 0; i <= base::limits::kPredicates; ++i) {
    store_->purge({.kind = PredicateKind::kTag, .tag = 1'000 + i});
    if (i % 1'000 == 0) {
      EXPECT_EQ(stale_since(other_), 0);
    }
  }
  EXPECT_EQ(stale_since(other_), 0);
}

}  // namespace
}  // namespace perigee::cache_store

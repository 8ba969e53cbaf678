// What stays and what goes when the store is full: what is used stays, a crawl passes through, and
// a copy is the record that it was made of.
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "base/limits.h"
#include "tests/unit/cache_store/eviction_fixture.h"

namespace perigee::cache_store {
namespace {

namespace limits = base::limits;

std::string text(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

TEST_F(EvictionTest, ACrawlPassesTheHotSetBy) {
  std::vector<std::string> hot;
  for (int i = 0; i < 100; ++i) hot.push_back("hot " + std::to_string(i));
  for (const std::string& key : hot) ASSERT_TRUE(put(key));
  for (int round = 0; round < 20; ++round) {
    for (const std::string& key : hot) EXPECT_TRUE(has(key)) << key << " in round " << round;
    crawl(kSlabs / 4);
  }
  EXPECT_GT(stats().evicted, 10 * stats().main.slabs);
}

TEST_F(EvictionTest, AFillIsNoUse) {
  fill();
  ASSERT_TRUE(put("a"));
  end_probation();
  EXPECT_FALSE(has("a"));
}

TEST_F(EvictionTest, OneUseInProbationIsEnough) {
  fill();
  ASSERT_TRUE(put("a"));
  EXPECT_TRUE(has("a"));
  end_probation();
  EXPECT_TRUE(has("a"));
  EXPECT_EQ(promoted(), 1u);
}

TEST_F(EvictionTest, InMainItMustBeUsedAgain) {
  fill();
  const Ticket before = store_->ticket();
  ASSERT_TRUE(put("a"));
  ASSERT_TRUE(put("b"));
  ASSERT_TRUE(has("a") && has("b"));
  end_probation();
  ASSERT_TRUE(has("a"));
  turn_main(kSlabs);
  EXPECT_TRUE(is_there("a", before));
  EXPECT_FALSE(has("b"));
  turn_main(2 * kSlabs);
  EXPECT_FALSE(has("a")) << "one use, one lap more";
  EXPECT_GT(stats().main.laps, 0u);
}

/// What was used in probation has spent its uses when it comes to main.
TEST_F(EvictionTest, WhatNobodyUsesInMainCountsAsUnused) {
  fill();
  turn_main(2 * kSlabs);
  EXPECT_GT(stats().main.laps, filled_.main.laps);
  EXPECT_EQ(stats().main.uses, filled_.main.uses);
}

TEST_F(EvictionTest, WhenAllIsUsedTheMostUsedStays) {
  constexpr int kPairs = 60;
  fill();
  const Ticket before = store_->ticket();
  for (int i = 0; i < kPairs; ++i) {
    for (const char* key : {"often ", "once "}) {
      ASSERT_TRUE(put(key + std::to_string(i)));
      ASSERT_TRUE(has(key + std::to_string(i)));
    }
  }
  end_probation();
  for (int i = 0; i < kPairs; ++i) {
    for (int uses = 0; uses < 3; ++uses) ASSERT_TRUE(has("often " + std::to_string(i)));
    ASSERT_TRUE(has("once " + std::to_string(i)));
  }
  turn_main(kSlabs);
  int often = 0;
  int once = 0;
  for (int i = 0; i < kPairs; ++i) {
    often += is_there("often " + std::to_string(i), before) ? 1 : 0;
    once += is_there("once " + std::to_string(i), before) ? 1 : 0;
  }
  EXPECT_GE(often, kPairs * 9 / 10);
  EXPECT_LT(once, kPairs * 3 / 4) << "there was no room for all";
}

TEST_F(EvictionTest, ASmallVarySpecHasASecondLap) {
  fill();
  const Ticket before = store_->ticket();
  ASSERT_TRUE(put("/url", 40, RecordKind::kVarySpec));
  end_probation();
  EXPECT_TRUE(is_there("/url", before));
}

TEST_F(EvictionTest, WhatIsSmallHasASecondLapWhileItIsFresh) {
  fill();
  ASSERT_TRUE(put("small", 100));
  ASSERT_TRUE(put("half", 2'000));
  lifetime_ms_ = 0;
  ASSERT_TRUE(put("expired", 100));
  end_probation();
  EXPECT_TRUE(has("small"));
  EXPECT_FALSE(has("half"));
  EXPECT_FALSE(has("expired"));
  EXPECT_EQ(stats().second_laps, 1u);
}

TEST_F(EvictionTest, WhatLeftProbationNotLongAgoBeginsInMain) {
  fill();
  ASSERT_TRUE(put("a"));
  end_probation();
  ASSERT_FALSE(has("a"));
  const uint64_t before = stats().main.live_bytes;
  ASSERT_TRUE(put("a"));
  EXPECT_GT(stats().main.live_bytes, before);
  EXPECT_EQ(stats().ghost_hits, 1u);
  end_probation();
  EXPECT_TRUE(has("a"));
}

TEST_F(EvictionTest, ANewVersionLiesWhereThePresentOneDoes) {
  fill();
  ASSERT_TRUE(put("a"));
  const uint64_t in_main = stats().main.live_bytes;
  ASSERT_TRUE(put("a"));
  EXPECT_EQ(stats().main.live_bytes, in_main);
  ASSERT_TRUE(has("a"));
  end_probation();
  const StoreStats before = stats();
  ASSERT_TRUE(put("a", 2'000));
  EXPECT_LT(stats().main.live_bytes, before.main.live_bytes) << "the old version is not counted";
  EXPECT_EQ(stats().probation.live_bytes, before.probation.live_bytes);
}

TEST_F(EvictionTest, ARestartKeepsTheRingsAndCountsOneUseOfEach) {
  fill();
  ASSERT_TRUE(put("a"));
  const StoreStats before = stats();
  ASSERT_GT(before.main.slabs, 0u);
  open();
  EXPECT_EQ(stats().main.slabs, before.main.slabs);
  EXPECT_EQ(stats().probation.slabs, before.probation.slabs);
  EXPECT_EQ(stats().main.live_bytes, before.main.live_bytes);
  end_probation();
  EXPECT_TRUE(has("a")) << "without a use since";
}

TEST_F(EvictionTest, ACopyIsTheSameRecord) {
  fill();
  const std::vector<uint64_t> tags{5, 6, 7};
  const std::string body(3'000, 'b');
  const std::string head(500, 'h');
  const std::span<const std::byte> piece = std::as_bytes(std::span(body));
  Draft draft;
  draft.rid = store_->draw_rid();
  draft.key = "a";
  draft.base = store_->digest("a");
  draft.policy = {kNow, 5'000, 3'600'000, 60'000, 70'000, 9, 203};
  draft.tags = tags;
  draft.head = std::as_bytes(std::span(head));
  draft.body = {&piece, 1};
  draft.ticket = store_->ticket();
  ASSERT_TRUE(store_->put(draft).ok());
  const uint64_t place = look("a").head->body_offset;
  end_probation();
  for (const bool restarted : {false, true}) {
    if (restarted) open();
    const Found found = look("a");
    ASSERT_EQ(found.state, Found::kHit);
    EXPECT_NE(found.head->body_offset, place);
    EXPECT_EQ(found.head->kind, RecordKind::kObject);
    EXPECT_EQ(found.head->rid, draft.rid);
    EXPECT_EQ(found.head->ticket.fetch_seq, draft.ticket.fetch_seq);
    EXPECT_EQ(found.head->policy, draft.policy);
    EXPECT_EQ(found.head->key, "a");
    EXPECT_TRUE(std::ranges::equal(found.head->tags, tags));
    EXPECT_EQ(text(found.head->head), head);
    EXPECT_EQ(text(found.head->body), body);
  }
}

TEST_F(EvictionTest, WhatWasReplacedErasedOrPurgedIsNotCopied) {
  fill();
  for (const char* key : {"replaced", "erased", "purged"}) {
    ASSERT_TRUE(put(key));
    ASSERT_TRUE(has(key));
  }
  store_->erase(store_->digest("erased"));
  store_->purge({store_->digest("purged"), false, now_});
  end_probation();
  ASSERT_TRUE(put("replaced"));
  EXPECT_EQ(promoted(), 1u);
  EXPECT_FALSE(has("erased"));
  EXPECT_FALSE(has("purged"));
}

/// A damaged record is dropped, and stays away.
TEST_F(EvictionTest, ADamagedRecordIsNotCopied) {
  fill();
  ASSERT_TRUE(put("a"));
  const uint64_t place = look("a").head->body_offset;
  const std::byte wrong{'!'};
  ASSERT_TRUE(io_->pwrite(place + 100, {&wrong, 1}).ok());
  end_probation();
  EXPECT_EQ(stats().corrupt, 1u);
  EXPECT_EQ(promoted(), 0u);
  EXPECT_FALSE(has("a"));
}

/// The journal of 32 units is compacted again and again: what it must keep would become the floor.
TEST_F(EvictionTest, ACopyLetsTheJournalForgetOlderPurges) {
  fill();
  ASSERT_TRUE(put("a"));
  for (int round = 0; round < 8; ++round) {
    ASSERT_TRUE(has("a"));
    for (int i = 0; i < 10; ++i) {
      const std::string key = "purged " + std::to_string(i);
      ASSERT_TRUE(store_->commit(store_->purge({store_->digest(key), false, now_}).seq).ok());
    }
    for (int turn = 0; turn < 12; ++turn) {
      turn_main(10);
      ASSERT_TRUE(has("a"));
    }
  }
  open();
  EXPECT_EQ(look("a").head->stale_since_ms, 0);
}

TEST_F(EvictionTest, ACopyOfWhatIsStaleIsStaleAtTheNextStartToo) {
  fill();
  ASSERT_TRUE(put("a"));
  ASSERT_TRUE(store_->commit(store_->purge({store_->digest("a"), true, now_}).seq).ok());
  ASSERT_EQ(look("a").head->stale_since_ms, now_);
  end_probation();
  ASSERT_EQ(look("a").head->stale_since_ms, now_);
  open();
  EXPECT_EQ(look("a").head->stale_since_ms, now_);
}

/// A soft purge of the URL marks its spec, and holds for the variants with an older ticket.
TEST_F(EvictionTest, ACopyOfAVariantIsAsOldAsItWasForThePurgesOfItsUrl) {
  fill();
  ASSERT_TRUE(put("/v", 40, RecordKind::kVarySpec));
  ASSERT_TRUE(put("/v|variant", 3'000, RecordKind::kObject, "/v"));
  const auto is_stale = [&] {
    return look("/v|variant").head->ticket.purge_seq < look("/v").vary->stale_seq;
  };
  EXPECT_FALSE(is_stale());
  ASSERT_TRUE(store_->commit(store_->purge({store_->digest("/v"), true, now_}).seq).ok());
  EXPECT_TRUE(is_stale());
  end_probation();
  EXPECT_TRUE(is_stale());
  open();
  EXPECT_TRUE(is_stale());
}

/// Wherever in its ring the spec lies when its variant is used for the last time.
TEST_F(EvictionTest, AVarySpecStaysAsLongAsAVariantThatWasUsed) {
  fill();
  const Ticket before = store_->ticket();
  for (uint64_t round = 0; round < 12; ++round) {
    const std::string url = "/v" + std::to_string(round);
    const std::string variant = url + "|variant";
    ASSERT_TRUE(put(url, 40, RecordKind::kVarySpec));
    ASSERT_TRUE(has(url));
    end_probation();
    turn_main(round * 4);
    ASSERT_TRUE(put(variant, 3'000, RecordKind::kObject, url));
    ASSERT_TRUE(has(url) && has(variant));
    for (int turn = 0; is_there(variant, before); ++turn) {
      ASSERT_LT(turn, 200);
      EXPECT_TRUE(is_there(url, before)) << url << " after " << turn << " slabs";
      turn_main(1);
    }
  }
}

TEST_F(EvictionTest, ALongObjectStaysWholeWhenItIsUsed) {
  fill();
  const uint64_t used = store_->draw_rid();
  const uint64_t unused = store_->draw_rid();
  ASSERT_TRUE(put_long("used", used, 6));
  ASSERT_TRUE(put_long("unused", unused, 6));
  use_long("used", used, 6);
  end_probation();
  use_long("used", used, 6);
  EXPECT_FALSE(has("unused"));
  for (uint64_t number = 0; number < 6; ++number) EXPECT_FALSE(has_fragment({unused, number}));
}

TEST_F(EvictionTest, LongObjectsLeaveNoGhosts) {
  fill();
  const uint64_t rid = store_->draw_rid();
  ASSERT_TRUE(put_long("long", rid, 3));
  end_probation();
  ASSERT_FALSE(has("long"));
  const uint64_t before = stats().main.live_bytes;
  ASSERT_TRUE(put_long("long", rid, 3));
  EXPECT_EQ(stats().main.live_bytes, before);
  EXPECT_EQ(stats().ghost_hits, 0u);
}

/// However long probation is: a download that takes its time must not lose its begin.
TEST_F(EvictionTest, FragmentsStayWhileTheirObjectIsOnItsWay) {
  fill();
  const uint64_t coming = store_->draw_rid();
  const uint64_t given_up = store_->draw_rid();
  {
    const Awaited awaited = store_->await(store_->digest("coming"));
    ASSERT_TRUE(put_fragment("coming", {coming, 0}));
    ASSERT_TRUE(put_fragment("given up", {given_up, 0}));
    end_probation();
    ASSERT_TRUE(put_head("coming", coming, store_->fragment_bytes()));
  }
  EXPECT_TRUE(has_fragment({coming, 0}));
  EXPECT_FALSE(has_fragment({given_up, 0}));
}

TEST_F(EvictionTest, FragmentsOfAHeadThatIsGoneAreNotCopied) {
  fill();
  const uint64_t old_rid = store_->draw_rid();
  ASSERT_TRUE(put_long("long", old_rid, 2));
  use_long("long", old_rid, 2);
  ASSERT_TRUE(put_head("long", store_->draw_rid(), 2 * store_->fragment_bytes()));
  const uint64_t erased_rid = store_->draw_rid();
  ASSERT_TRUE(put_long("erased", erased_rid, 2));
  use_long("erased", erased_rid, 2);
  store_->erase(store_->digest("erased"));
  end_probation();
  EXPECT_FALSE(has_fragment({old_rid, 0}));
  EXPECT_FALSE(has_fragment({erased_rid, 0}));
}

TEST_F(EvictionTest, FragmentsOfACodingGoWithTheirObjectToo) {
  fill();
  const uint64_t rid = store_->draw_rid();
  const uint64_t old_rid = store_->draw_rid();
  ASSERT_TRUE(put_long("long", rid, 1));
  ASSERT_TRUE(put_long("renewed", old_rid, 1));
  const FragmentId used{rid, 0, 7};
  const FragmentId looked_at{rid, 1, 7};
  const FragmentId dead{old_rid, 0, 7};
  ASSERT_TRUE(put_fragment("long", used));
  ASSERT_TRUE(put_fragment("long", looked_at));
  ASSERT_TRUE(put_fragment("renewed", dead));
  ASSERT_TRUE(has("long") && has_fragment(used) && has_fragment(dead));
  EXPECT_EQ(store_->peek_fragment(looked_at).state, Found::kHit);
  ASSERT_TRUE(put_head("renewed", store_->draw_rid(), 1));
  ASSERT_TRUE(has("renewed"));
  end_probation();
  EXPECT_TRUE(has_fragment(used));
  EXPECT_FALSE(has_fragment(looked_at)) << "that is no use";
  EXPECT_FALSE(has_fragment(dead));
}

TEST_F(EvictionTest, CodingsThatAreUsedAreCopiedWhileTheirObjectIsThere) {
  fill();
  const auto put_coded = [&](const std::string& key, uint64_t rid) {
    const std::string body(1'000, 'c');
    const std::span<const std::byte> piece = std::as_bytes(std::span(body));
    Draft draft;
    draft.kind = RecordKind::kCoded;
    draft.slot = 1;
    draft.rid = rid;
    draft.key = key;
    draft.base = store_->digest(key);
    draft.body = {&piece, 1};
    draft.ticket = store_->ticket();
    return store_->put(draft).ok();
  };
  const auto look_coded = [&](const std::string& key, bool counted) {
    const Digest digest = store_->digest(key);
    Found found =
        counted ? store_->lookup(digest, key, kCodedSlots) : store_->peek(digest, key, kCodedSlots);
    return found;
  };
  const auto rid_of = [&](const std::string& key) { return look_coded(key, false).head->rid; };
  for (const char* key : {"used", "not used", "renewed"}) {
    ASSERT_TRUE(put(key));
    ASSERT_TRUE(put_coded(key, rid_of(key)));
    look(key);
  }
  look_coded("used", true);
  look_coded("renewed", true);
  ASSERT_TRUE(put("renewed"));
  look("renewed");
  const uint64_t copied = stats().promoted;
  end_probation();
  EXPECT_TRUE(look_coded("used", false).coded);
  ASSERT_TRUE(has("not used"));
  EXPECT_FALSE(look_coded("not used", false).coded) << "its object alone was used";
  EXPECT_FALSE(look_coded("renewed", false).coded);
  EXPECT_GE(stats().promoted, copied + 4) << "three objects, and one coding";
}

TEST_F(EvictionTest, ProbationHasItsShareAndFourSlabsAtLeast) {
  fill();
  EXPECT_EQ(stats().probation.slabs, kSlabs / 10);
  options_.probation_percent = 50;
  open();
  fill();
  EXPECT_EQ(stats().probation.slabs, kSlabs / 2);
  options_.probation_percent = 1;
  open();
  fill();
  EXPECT_EQ(stats().probation.slabs, limits::kProbationSlabs);
}

TEST_F(EvictionTest, AShareThatLeavesNothingIsRefused) {
  store_.reset();
  for (const unsigned percent : {0u, 91u}) {
    options_.probation_percent = percent;
    io_ = std::make_unique<test::MemoryIo>(disk_);
    const auto opened = Store::open(options_, *io_, *this, now_);
    ASSERT_FALSE(opened.ok());
    EXPECT_EQ(opened.error().code, base::ErrorCode::kInvalid);
  }
  options_.probation_percent = limits::kProbationPercentMost;
  open();
}

/// All that main can hold is used again and again.
TEST_F(EvictionTest, WhatIsUsedLeavesRoomAllTheSame) {
  const auto use_all = [&](uint64_t slabs) {
    for (uint64_t i = 0; i < slabs * 5; ++i) {
      const uint64_t newest = crawled_++;
      ASSERT_TRUE(put("used " + std::to_string(newest)));
      for (uint64_t used = newest - std::min<uint64_t>(newest, kSlabs * 5); used <= newest;
           ++used) {
        (void)look("used " + std::to_string(used));
      }
      maintain();
    }
  };
  use_all(2 * kSlabs);
  const StoreStats before = stats();
  use_all(4 * kSlabs);
  const StoreStats after = stats();
  // Four records fill a slab, and two and a half of them may be copied. So for each slab that is
  // put, one comes from probation to main, and four or five of main are emptied.
  const uint64_t slack = (limits::kSurvivorSlabs + 1) * options_.slab_bytes;
  EXPECT_LE(after.survivor_bytes - before.survivor_bytes,
            5 * (after.put_bytes - before.put_bytes) + slack);
  EXPECT_GT(after.survivor_bytes - before.survivor_bytes, after.put_bytes - before.put_bytes);
}

/// While probation alone is emptied, the right to copy out of main does not add up.
TEST_F(EvictionTest, ALongCrawlEarnsMainNoMoreThanItsBound) {
  fill();
  crawl(10 * kSlabs);
  for (uint64_t i = 0; i < crawled_; ++i) (void)look("used " + std::to_string(i));
  const StoreStats before = stats();
  turn_main(12);
  const StoreStats after = stats();
  const uint64_t each = (after.put_bytes - before.put_bytes) / (after.puts - before.puts);
  const uint64_t copied =
      after.survivor_bytes - before.survivor_bytes - each * (after.promoted - before.promoted);
  const uint64_t passed = each * (after.main.laps - before.main.laps);
  EXPECT_GT(copied, 0u);
  EXPECT_LE(copied, passed * 2 / 3 + (limits::kSurvivorSlabs + 1) * options_.slab_bytes);
}

/// Puts alone, without upkeep: they leave room for what is copied out of the slabs that they empty.
TEST_F(EvictionTest, WhatIsUsedIsCopiedAlsoWhenPutsMakeRoom) {
  fill();
  for (int i = 0; i < 5; ++i) ASSERT_TRUE(put("hot " + std::to_string(i)));
  for (int i = 0; i < 1'000; ++i) {
    for (int hot = 0; hot < 5; ++hot) ASSERT_TRUE(has("hot " + std::to_string(hot))) << i;
    ASSERT_TRUE(put("crawled " + std::to_string(crawled_++)));
  }
  EXPECT_GE(promoted(), 5u);
}

/// Twelve slabs of 2 MiB.
class LargeSlabs : public EvictionTest {
 protected:
  LargeSlabs() : EvictionTest(12, 2 << 20) {}
};

TEST_F(LargeSlabs, AStepCopiesSoMuchAndNoMore) {
  uint64_t most = 0;
  for (int i = 0; i < 300; ++i) {
    const std::string key = "used " + std::to_string(i);
    ASSERT_TRUE(put(key, 100'000));
    ASSERT_TRUE(has(key));
    for (bool more = true; more;) {
      const uint64_t before = stats().survivor_bytes;
      more = store_->maintain({.wall_ms = now_});
      most = std::max(most, stats().survivor_bytes - before);
    }
  }
  EXPECT_GE(most, limits::kReclaimStepBytes);
  EXPECT_LT(most, limits::kReclaimStepBytes + 101'000);
}

/// A thousand slabs.
class ManySlabs : public EvictionTest {
 protected:
  ManySlabs() : EvictionTest(1'024) {}
};

TEST_F(ManySlabs, APutEmptiesSoManySlabsThatAreReadAndNoMore) {
  std::vector<Pin> held;
  for (int i = 0; i < 5 * 1'024; ++i) {
    const std::string key = std::to_string(i);
    ASSERT_TRUE(put(key));
    // One in each of the first 100 slabs.
    if (i % 5 == 0 && i < 500) held.push_back(std::move(look(key).head->pin));
    if (stats().slabs_free <= limits::kSlabsForSurvivors) break;
  }
  int refused = 0;
  for (int i = 0; i < 40; ++i) refused += put("again " + std::to_string(i)) ? 0 : 1;
  EXPECT_GT(refused, 0);
  EXPECT_LT(refused, 10) << "the next puts go on from there";
}

}  // namespace
}  // namespace perigee::cache_store

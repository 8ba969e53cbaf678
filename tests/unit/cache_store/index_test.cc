// The index alone: what is inserted is found at its place, whatever grows, goes or stands beside
// it.
#include "cache_store/index.h"

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <vector>

namespace perigee::cache_store {
namespace {

constexpr auto kAdmitted = []() -> std::optional<Staleness> { return Staleness{}; };
constexpr auto kNoPin = [](const Location&) { return Pin(); };
constexpr auto kNoFence = [](auto...) { return uint64_t{7}; };

class IndexTest : public testing::Test {
 protected:
  bool insert(const Digest& digest, Slot slot, const Location& location, bool verified = true) {
    return index_.insert({digest, slot}, {.location = location, .verified = verified}, kAdmitted);
  }
  IndexMatches find_all(const Digest& digest, SlotMask accepted) {
    return index_.find(digest, accepted, kNoPin);
  }
  std::optional<IndexEntry> find(const Digest& digest) { return find_all(digest, 0).head; }

  Index index_;
};

const Location kHere{1, 2, 3};
const Location kThere{4, 5, 6};

TEST_F(IndexTest, FindsTheLargestLocationThatThereCanBe) {
  const Location largest{(1u << 22) - 1, (1u << 18) - 1, (1u << 18) - 1};
  insert({8, 1}, kHeadSlot, largest);
  EXPECT_EQ(find({8, 1})->location, largest);
  EXPECT_TRUE(find({8, 1})->verified);
}

TEST_F(IndexTest, CountsUsesWithoutTouchingTheRestOfTheEntry) {
  insert({8, 1}, kHeadSlot, kHere, false);
  for (int use = 0; use < 20; ++use) {
    const std::optional<IndexEntry> entry = find({8, 1});
    ASSERT_TRUE(entry);
    EXPECT_EQ(entry->location, kHere);
    EXPECT_FALSE(entry->verified);
  }
}

TEST_F(IndexTest, CountsTheUsesOfWhatIsVerified) {
  const EntryKey key{{8, 1}, kHeadSlot};
  insert(key.digest, key.slot, kHere, false);
  find(key.digest);
  EXPECT_EQ(index_.standing(key, kHere)->frequency, 0u) << "who found it will look again";
  index_.set_verified(key, kHere);
  index_.find<Index::Uses::kIgnored>(key.digest, 0, kNoPin);
  (void)index_.peek(key.digest, kNoPin);
  EXPECT_EQ(index_.standing(key, kHere)->frequency, 0u);
  for (unsigned use = 1; use <= Index::kMostFrequency + 2; ++use) {
    find(key.digest);
    EXPECT_EQ(index_.standing(key, kHere)->frequency, std::min(use, Index::kMostFrequency));
  }
  EXPECT_FALSE(index_.standing(key, kThere)) << "it lies elsewhere";
}

TEST_F(IndexTest, AnEntryKeepsItsUsesWhenItsRecordIsReplaced) {
  const EntryKey key{{8, 1}, kHeadSlot};
  insert(key.digest, key.slot, kHere);
  find(key.digest);
  insert(key.digest, key.slot, kThere);
  EXPECT_EQ(index_.standing(key, kThere)->frequency, 1u);
}

TEST_F(IndexTest, MovesAnEntryThatIsWhereItWas) {
  const EntryKey key{{8, 1}, kHeadSlot};
  const Location from{1, 2, 3};
  const Location to{4, 5, 3};
  insert(key.digest, key.slot, from);
  index_.make_stale(key.digest, 1'700, kNoFence);
  find(key.digest);
  EXPECT_FALSE(index_.relocate(key, to, from, Ring::kMain, 2));
  EXPECT_TRUE(index_.relocate(key, from, to, Ring::kMain, 2));
  EXPECT_EQ(index_.standing(key, to)->frequency, 2u);
  EXPECT_EQ(index_.ring_of(key.digest), Ring::kMain);
  const std::optional<IndexEntry> entry = find(key.digest);
  EXPECT_TRUE(entry->verified);
  EXPECT_EQ(entry->stale.since_s, 1'700u);
  EXPECT_EQ(index_.totals(Ring::kMain).entries, 1u);
  EXPECT_EQ(index_.totals(Ring::kMain).bytes, 3u * format::kAlignment);
  EXPECT_EQ(index_.totals(Ring::kProbation).entries, 0u);
}

/// As a start may find them: an older version in the other ring may outlive the newer one's slab.
TEST_F(IndexTest, AnEntryRemembersThatAnOlderVersionMayComeBack) {
  const EntryKey key{{8, 1}, kHeadSlot};
  const auto put = [&](const Location& location, Ring ring) {
    index_.insert(key, {.location = location, .ring = ring}, kAdmitted);
  };
  const auto hides_older = [&](const Location& location) {
    bool hides = false;
    EXPECT_TRUE(index_.erase_if(key, location, [&](bool older) { hides = older; }));
    return hides;
  };
  put(kHere, Ring::kMain);
  put(kThere, Ring::kMain);
  EXPECT_FALSE(hides_older(kThere)) << "it goes first";
  put(kHere, Ring::kMain);
  put(kThere, Ring::kProbation);
  EXPECT_TRUE(hides_older(kThere));
  put(kHere, Ring::kMain);
  put(kThere, Ring::kProbation);
  put(kHere, Ring::kProbation);
  EXPECT_TRUE(hides_older(kHere)) << "whatever replaces it";
}

TEST_F(IndexTest, PinsWhatItFindsAndOnlyThat) {
  insert({8, 1}, kHeadSlot, kHere);
  int pinned = 0;
  const auto pin = [&](const Location& location) {
    EXPECT_EQ(location, kHere);
    ++pinned;
    return Pin();
  };
  index_.find({8, 1}, 0, pin);
  index_.find({16, 1}, 0, pin);
  EXPECT_EQ(pinned, 1);
}

TEST_F(IndexTest, AVarySpecTakesOutEverySlotAndAnObjectTakesOutTheSpec) {
  const Digest digest{8, 1};
  insert(digest, kHeadSlot, kHere);
  insert(digest, 2, kHere);
  insert(digest, kVarySlot, kThere);
  EXPECT_EQ(index_.size(), 1u);
  EXPECT_EQ(find(digest)->location, kThere);
  EXPECT_EQ(find(digest)->slot, kVarySlot);
  insert(digest, kHeadSlot, kHere);
  EXPECT_EQ(index_.size(), 1u);
  EXPECT_EQ(find(digest)->location, kHere);
  EXPECT_EQ(find(digest)->slot, kHeadSlot);
}

TEST_F(IndexTest, ACodingAloneIsNotFoundAsAHead) {
  insert({8, 1}, 2, kHere);
  EXPECT_FALSE(find({8, 1}));
}

TEST_F(IndexTest, FindsTheShortestCodingThatIsAcceptedBesideAHead) {
  const Digest digest{8, 1};
  constexpr Slot kZstd = 1;
  constexpr Slot kGzip = 3;
  const auto coded = [&](SlotMask accepted) { return find_all(digest, accepted).coded; };
  insert(digest, kGzip, kThere);
  EXPECT_FALSE(coded(1 << kGzip)) << "no head";
  insert(digest, kHeadSlot, kHere);
  EXPECT_FALSE(coded(0));
  EXPECT_FALSE(coded(1 << kZstd)) << "not stored";
  ASSERT_TRUE(coded(1 << kGzip));
  EXPECT_EQ(coded(1 << kGzip)->location, kThere);
  insert(digest, kZstd, kHere);
  EXPECT_EQ(coded(kCodedSlots)->slot, kZstd) << "of two that are as long the lower slot";
  EXPECT_EQ(coded(1 << kGzip)->slot, kGzip);
  Location shorter = kThere;
  shorter.length64 = kHere.length64 - 1;
  insert(digest, kGzip, shorter);
  EXPECT_EQ(coded(kCodedSlots)->slot, kGzip);
  EXPECT_EQ(find_all(digest, kCodedSlots).head->slot, kHeadSlot);
  // Bits of other slots mean nothing.
  insert(digest, 6, kThere);
  EXPECT_FALSE(coded(static_cast<SlotMask>(~kCodedSlots)));
}

TEST_F(IndexTest, PinsBothWhatItFindsOfACodedObject) {
  insert({8, 1}, kHeadSlot, kHere);
  insert({8, 1}, 2, kThere);
  std::vector<Location> pinned;
  const auto pin = [&](const Location& location) {
    pinned.push_back(location);
    return Pin();
  };
  index_.find({8, 1}, 0, pin);
  EXPECT_EQ(pinned, std::vector{kHere});
  pinned.clear();
  index_.find({8, 1}, 1 << 2, pin);
  EXPECT_EQ(pinned, (std::vector{kHere, kThere}));
}

TEST_F(IndexTest, CodingsGoWithTheirHead) {
  insert({8, 1}, kHeadSlot, kHere);
  insert({8, 1}, 1, kThere);
  insert({8, 1}, 3, kThere);
  insert({16, 1}, 1, kThere);
  ASSERT_TRUE(index_.erase_if({{8, 1}, 3}, kThere, [](bool) {}));
  EXPECT_EQ(index_.size(), 3u) << "a coding goes alone";
  ASSERT_TRUE(index_.erase_if({{8, 1}, kHeadSlot}, kHere, [](bool) {}));
  EXPECT_EQ(index_.size(), 1u) << "another object's stays";
}

TEST_F(IndexTest, AUseOfACodingIsCounted) {
  insert({8, 1}, kHeadSlot, kHere);
  insert({8, 1}, 1, kThere);
  index_.set_verified({{8, 1}, 1}, kThere);
  const auto uses = [&] { return index_.standing({{8, 1}, 1}, kThere)->frequency; };
  index_.find({8, 1}, 0, [](const Location&) { return Pin(); });
  EXPECT_EQ(uses(), 0u) << "of the head alone";
  index_.find({8, 1}, 1 << 1, [](const Location&) { return Pin(); });
  EXPECT_EQ(uses(), 1u);
  index_.find<Index::Uses::kIgnored>({8, 1}, 1 << 1, [](const Location&) { return Pin(); });
  EXPECT_EQ(uses(), 1u);
}

TEST_F(IndexTest, WhatIsRefusedLeavesWhatWasThere) {
  insert({8, 1}, kHeadSlot, kHere);
  EXPECT_FALSE(index_.insert({{8, 1}, kVarySlot}, {.location = kThere},
                             []() -> std::optional<Staleness> { return std::nullopt; }));
  EXPECT_EQ(find({8, 1})->location, kHere);
}

// Reclaim reads a key, the key is put anew, reclaim erases: the new one must stay.
TEST_F(IndexTest, ErasesOnlyWhatIsStillAtItsPlace) {
  insert({8, 1}, kHeadSlot, kHere);
  insert({8, 1}, kHeadSlot, kThere);
  EXPECT_FALSE(index_.erase_if({{8, 1}, kHeadSlot}, kHere, [](bool) { FAIL() << "nothing goes"; }));
  EXPECT_EQ(find({8, 1})->location, kThere);
  bool fenced = false;
  EXPECT_TRUE(index_.erase_if({{8, 1}, kHeadSlot}, kThere, [&](bool) { fenced = true; }));
  EXPECT_TRUE(fenced);
  EXPECT_FALSE(find({8, 1}));
}

TEST_F(IndexTest, VerifiesOnlyWhatIsStillAtItsPlace) {
  insert({8, 1}, kHeadSlot, kThere, false);
  index_.set_verified({{8, 1}, kHeadSlot}, kHere);
  EXPECT_FALSE(find({8, 1})->verified);
  index_.set_verified({{8, 1}, kHeadSlot}, kThere);
  EXPECT_TRUE(find({8, 1})->verified);
  index_.distrust_all();
  EXPECT_FALSE(find({8, 1})->verified);
}

TEST_F(IndexTest, StaleSinceTheFirstMarkUntilItIsPutAnew) {
  insert({8, 1}, kHeadSlot, kHere);
  EXPECT_TRUE(index_.make_stale({8, 1}, 5, kNoFence));
  EXPECT_TRUE(index_.make_stale({8, 1}, 9, kNoFence));
  EXPECT_EQ(find({8, 1})->stale.since_s, 5u);
  insert({8, 1}, kHeadSlot, kHere);
  EXPECT_EQ(find({8, 1})->stale.since_s, 0u);
  EXPECT_FALSE(index_.make_stale({16, 1}, 5, kNoFence));
}

TEST_F(IndexTest, ErasesASlabWithoutItsTable) {
  for (uint64_t i = 1; i <= 1000; ++i) {
    insert({i * 0x9e3779b97f4a7c15ull, i}, kHeadSlot, {static_cast<uint32_t>(i % 10), 1, 1});
  }
  EXPECT_EQ(index_.erase_slab(3), 100u);
  EXPECT_EQ(index_.size(), 900u);
  for (uint64_t i = 1; i <= 1000; ++i) {
    EXPECT_EQ(find({i * 0x9e3779b97f4a7c15ull, i}).has_value(), i % 10 != 3) << i;
  }
}

// Against a map, with digests that crowd together in a few shards and at the ends of the tables, so
// that probes are long and wrap around.
TEST_F(IndexTest, AgreesWithAMapThroughGrowthAndDeletion) {
  std::mt19937_64 chance(3);
  std::map<std::pair<uint64_t, uint64_t>, Location> expected;
  const auto draw_digest = [&] {
    const uint64_t place[] = {~uint64_t{0} << 20 | (chance() % 40) << 3,  // the last home of all
                              (chance() % 40 + 1) << 3,                   // the first
                              chance() % 5000 << 40 | 8};
    return Digest{place[chance() % 3], chance() % 2};
  };
  for (int step = 0; step < 30'000; ++step) {
    const Digest digest = draw_digest();
    const auto key = std::pair(digest.lo & ~uint64_t{7}, digest.hi);
    if (chance() % 100 < 52) {
      const Location location{static_cast<uint32_t>(chance() % 100),
                              static_cast<uint32_t>(step % 9999), 7};
      insert(digest, kHeadSlot, location);
      expected[key] = location;
    } else {
      EXPECT_EQ(index_.erase(digest, kNoFence), expected.erase(key) == 1);
    }
    if (step % 3'000 != 0) continue;
    ASSERT_EQ(index_.size(), expected.size());
    for (const auto& [known, location] : expected) {
      const std::optional<IndexEntry> entry = find({known.first, known.second});
      ASSERT_TRUE(entry);
      ASSERT_EQ(entry->location, location);
    }
  }
}

TEST_F(IndexTest, AnEntryTakesAtMostFortyBytes) {
  std::mt19937_64 chance(4);
  constexpr size_t kEntries = 300'000;
  for (size_t i = 0; i < kEntries; ++i) insert({chance() | 8, chance()}, kHeadSlot, kHere);
  EXPECT_LE(index_.memory_bytes(), kEntries * 40);
  Index reserved;
  reserved.reserve(kEntries);
  EXPECT_LE(reserved.memory_bytes(), kEntries * 36);
}

}  // namespace
}  // namespace perigee::cache_store

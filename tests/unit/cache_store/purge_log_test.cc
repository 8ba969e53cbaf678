// What happened to a record since its ticket: one answer for those that are yet to be stored, and
// one for those that lie in the file.
#include "cache_store/purge_log.h"

#include <gtest/gtest.h>

#include "base/limits.h"
#include "tests/support/keys.h"
#include "tests/support/memory_disk.h"

namespace perigee::cache_store {
namespace {

constexpr uint64_t kFirst = uint64_t{1} << format::kEpochShift;
constexpr Digest kUrl{8, 1};
constexpr Digest kOther{16, 1};

class PurgeLogTest : public testing::Test {
 protected:
  PurgeLogTest() : disk_(1 << 20), log_(io_, 4096) {
    EXPECT_TRUE(io_.open("store").ok());
    EXPECT_TRUE(io_.allocate(1 << 20).ok());
    log_.load({0, 0, 0, 0});
    log_.begin(kFirst, false);
  }
  Fate fate_of(Ticket ticket, Slot slot = kHeadSlot, bool variant = false) {
    return log_.fate_of({kUrl, ticket, slot, variant});
  }
  void purge(const Digest& url, bool soft, int64_t wall_ms) { log_.purge({url, soft, wall_ms}); }

  test::MemoryDisk disk_;
  test::MemoryIo io_{disk_};
  PurgeLog log_;
};

TEST_F(PurgeLogTest, APurgeConcernsTicketsFromBeforeItAndItsOwnUrl) {
  const Ticket before = log_.ticket();
  purge(kOther, false, 1'000);
  EXPECT_FALSE(fate_of(before).gone);
  purge(kUrl, false, 1'000);
  EXPECT_TRUE(fate_of(before).gone);
  EXPECT_FALSE(fate_of(log_.ticket()).gone);
}

TEST_F(PurgeLogTest, ASoftPurgeMakesAnObjectStaleAndRefusesAVariant) {
  const Ticket before = log_.ticket();
  purge(kUrl, true, 5'000);
  purge(kUrl, true, 9'000);
  EXPECT_FALSE(fate_of(before).gone);
  EXPECT_EQ(fate_of(before).stale.since_s, 5u) << "since the first";
  EXPECT_EQ(fate_of(before, kVarySlot).stale.since_s, 9u) << "the last says which variants";
  EXPECT_EQ(fate_of(before, kVarySlot).stale.seq, log_.newest());
  EXPECT_TRUE(fate_of(before, kHeadSlot, true).gone);
}

/// Its head is stale in its place.
TEST_F(PurgeLogTest, AFragmentIsNeverStaleAndGoneAfterAHardPurge) {
  const PurgeSubject fragment{
      .base = kUrl, .ticket = log_.ticket(), .variant = true, .dependent = true};
  purge(kUrl, true, 5'000);
  EXPECT_FALSE(log_.fate_of(fragment).gone);
  EXPECT_EQ(log_.fate_of(fragment).stale.since_s, 0u);
  purge(kUrl, false, 5'000);
  EXPECT_TRUE(log_.fate_of(fragment).gone);
}

TEST_F(PurgeLogTest, AnErasureIsRememberedWhenSomethingIsThereOrOnItsWay) {
  EXPECT_FALSE(log_.erase(kUrl, false));
  EXPECT_EQ(log_.count(), 0u);
  EXPECT_TRUE(log_.erase(kUrl, true));
  EXPECT_EQ(log_.count(), 1u);
  const Awaited awaited = log_.await(kUrl);
  const Ticket ticket = awaited.ticket();
  EXPECT_TRUE(log_.erase(kUrl, false));
  EXPECT_TRUE(log_.purged_since(kUrl, {}, ticket));
  EXPECT_TRUE(log_.erase(kUrl, false)) << "it stands already";
  EXPECT_EQ(log_.count(), 2u);
}

TEST_F(PurgeLogTest, WhatLiesInTheFileIsJudgedAlike) {
  std::vector<PurgeJournal::Entry> purges;
  purges.push_back({.seq = 7, .digest = kUrl, .time_ms = 9'000, .soft = true});
  purges.push_back({.seq = 5, .digest = kUrl, .time_ms = 5'000, .soft = true});
  purges.push_back({.seq = 6, .digest = kOther, .time_ms = 1'000});
  const PurgeHistory history(std::move(purges), {.stale = 3});
  format::TableEntry record{};
  record.digest_lo = kUrl.lo;
  record.digest_hi = kUrl.hi;
  record.purge_seq = 4;
  EXPECT_EQ(history.fate_of(record).stale.since_s, 5u);
  record.slot = kVarySlot;
  EXPECT_EQ(history.fate_of(record).stale.since_s, 9u);
  EXPECT_EQ(history.fate_of(record).stale.seq, 7u);
  record.purge_seq = 7;
  EXPECT_EQ(history.fate_of(record).stale.since_s, 0u) << "the purge that the ticket knows";
  record.purge_seq = 2;
  EXPECT_EQ(history.fate_of(record).stale.since_s, kUnconfirmedMs / 1000) << "below the floor";
  record.kind = static_cast<uint8_t>(RecordKind::kFragment);
  EXPECT_EQ(history.fate_of(record).stale.since_s, 0u) << "a fragment waits for nothing";
  record.digest_lo = kOther.lo;
  EXPECT_TRUE(history.fate_of(record).gone);
}

TEST_F(PurgeLogTest, PurgesByTagPrefixAndOfEverythingFenceWhatTheyMatch) {
  const std::string key = test::url_key("a.test", "/x");
  const std::string variant = test::variant_key(key, 9, "de");
  const std::string prefix = test::url_key("a.test", "/");
  const std::string other = test::url_key("b.test", "/");
  const std::vector<uint64_t> tags{7};
  const std::vector<Predicate> matching{{.kind = PredicateKind::kTag, .tag = 7},
                                        {.kind = PredicateKind::kPrefix, .prefix = prefix},
                                        {.kind = PredicateKind::kEverything}};
  for (Predicate purge : matching) {
    for (const bool soft : {true, false}) {
      purge.soft = soft;
      purge.wall_ms = 5'000;
      const Ticket before = log_.ticket();
      log_.purge({.kind = PredicateKind::kTag, .tag = 8});
      log_.purge({.kind = PredicateKind::kPrefix, .prefix = other});
      PurgeSubject object{.base = kUrl, .ticket = before, .key = key, .tags = tags};
      EXPECT_FALSE(log_.fate_of(object).gone);
      EXPECT_EQ(log_.fate_of(object).stale.since_s, 0u);
      log_.purge(purge);
      EXPECT_EQ(log_.fate_of(object).gone, !soft);
      EXPECT_TRUE(log_.purged_since(kOther, key, before));
      PurgeSubject one{
          .base = kUrl, .ticket = before, .variant = true, .key = variant, .tags = tags};
      EXPECT_EQ(log_.fate_of(one).gone, !soft) << "it is found again by what it says of itself";
      if (soft) {
        EXPECT_EQ(log_.fate_of(object).stale.since_s, 5u);
        EXPECT_EQ(log_.fate_of(one).stale.since_s, 5u);
        object.slot = kVarySlot;
        EXPECT_EQ(log_.fate_of(object).stale.since_s, 0u) << "each variant tells for itself";
      }
      object.ticket = log_.ticket();
      EXPECT_FALSE(log_.fate_of(object).gone);
      EXPECT_EQ(log_.fate_of(object).stale.checked, log_.stamp());
      EXPECT_FALSE(log_.purged_since(kUrl, key, object.ticket));
    }
  }
}

TEST_F(PurgeLogTest, AFragmentGoesWithItsHeadUnlessEverythingGoes) {
  const PurgeSubject fragment{
      .base = kUrl, .ticket = log_.ticket(), .variant = true, .dependent = true};
  log_.purge({.kind = PredicateKind::kTag, .tag = 7});
  const std::string prefix = test::url_key("a.test", "");
  log_.purge({.kind = PredicateKind::kPrefix, .prefix = prefix});
  log_.purge({.soft = true, .wall_ms = 1, .kind = PredicateKind::kEverything});
  EXPECT_FALSE(log_.fate_of(fragment).gone);
  EXPECT_EQ(log_.fate_of(fragment).stale.since_s, 0u);
  log_.purge({.kind = PredicateKind::kEverything});
  EXPECT_TRUE(log_.fate_of(fragment).gone);
}

TEST_F(PurgeLogTest, ACopyAsksWhatCameSinceItWasTested) {
  const std::vector<uint64_t> tags{7};
  const uint64_t first = log_.purge({.kind = PredicateKind::kTag, .tag = 7});
  EXPECT_TRUE(log_.matched_since({{}, tags}, first - 1));
  EXPECT_FALSE(log_.matched_since({{}, tags}, first));
  const uint64_t second =
      log_.purge({.soft = true, .wall_ms = 1, .kind = PredicateKind::kEverything});
  EXPECT_TRUE(log_.matched_since({{}, {}}, first));
  EXPECT_FALSE(log_.matched_since({{}, tags}, second));
}

/// As after so many purges of keys: no stamp of an entry is ever that of another purge.
TEST_F(PurgeLogTest, StampsAreRenewedBeforeTheyRepeat) {
  constexpr uint64_t kApart = uint64_t{1} << 30;
  EXPECT_FALSE(log_.stamps_run_out());
  log_.note_checked(kFirst - kApart);
  EXPECT_TRUE(log_.stamps_run_out());
  const uint32_t before = log_.stamp();
  log_.begin_stamps();
  EXPECT_NE(log_.stamp(), before);
  EXPECT_EQ(log_.newest_predicate(), log_.newest());
  log_.note_checked(log_.newest_predicate());
  EXPECT_FALSE(log_.stamps_run_out());
}

TEST(PurgeLogNumbers, OneThatMeansUntestedIsNotDrawnForAPredicate) {
  test::MemoryDisk disk(1 << 20);
  test::MemoryIo io(disk);
  PurgeLog log(io, 4096);
  log.begin(kFirst + UINT32_MAX - 2, false);
  EXPECT_EQ(log.purge({.kind = PredicateKind::kTag, .tag = 7}), kFirst + UINT32_MAX - 1);
  EXPECT_EQ(log.purge({.kind = PredicateKind::kTag, .tag = 7}), kFirst + UINT32_MAX + 1);
  EXPECT_EQ(log.stamp(), 0u);
}

/// Its slab may go before that of the older version, and the tag says nothing of that one.
TEST_F(PurgeLogTest, WhatHidesAnOlderVersionIsErasedWhenATagTakesIt) {
  Index index;
  const Ticket before = log_.ticket();
  const std::vector<uint64_t> tags{7};
  const Location place{1, 2, 3};
  const auto put = [&](const Digest& digest, Ring ring) {
    index.insert({digest, kHeadSlot}, {place, ring}, [] { return std::optional(Staleness{}); });
  };
  put(kUrl, Ring::kMain);
  put(kUrl, Ring::kProbation);
  put(kOther, Ring::kProbation);
  log_.purge({.kind = PredicateKind::kTag, .tag = 7});
  for (const Digest& digest : {kUrl, kOther}) {
    const FiledSubject subject{before.purge_seq, kHeadSlot, false, {{}, tags}};
    EXPECT_TRUE(log_.settle(index, {digest, kHeadSlot}, place, 0, subject).gone);
  }
  EXPECT_TRUE(log_.fate_of({kUrl, before}).gone);
  EXPECT_FALSE(log_.fate_of({kOther, before}).gone) << "there is none";
}

TEST_F(PurgeLogTest, CountsAreToldWhenTheSweepHasPassed) {
  Index index;
  const uint64_t seq = log_.purge({.kind = PredicateKind::kTag, .tag = 7});
  const std::vector<uint64_t> tags{7};
  const Location place{1, 2, 3};
  for (uint64_t digest = 8; digest <= 24; digest += 8) {
    const EntryKey key{{digest, 1}, kHeadSlot};
    index.insert(key, {place}, [] { return std::optional(Staleness{}); });
    const FiledSubject subject{kFirst, kHeadSlot, digest == 24, {{}, tags}};
    EXPECT_TRUE(log_.settle(index, key, place, 0, subject).gone);
  }
  EXPECT_EQ(index.size(), 0u);
  EXPECT_EQ(log_.matches().swept(seq), std::nullopt);
  log_.finish_sweep(seq);
  EXPECT_EQ(log_.matches().swept(seq), 2u) << "fragments are not counted";
  EXPECT_EQ(log_.matches().sum(), 2u);
  for (size_t i = 0; i < base::limits::kPurgesCounted - 1; ++i) {
    log_.purge({.kind = PredicateKind::kTag, .tag = 8});
  }
  EXPECT_EQ(log_.matches().swept(seq), 2u) << "as many as are remembered";
  log_.purge({.kind = PredicateKind::kTag, .tag = 8});
  EXPECT_EQ(log_.matches().swept(seq), std::nullopt) << "one more";
}

TEST_F(PurgeLogTest, ATicketFromTheFutureIsABug) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH(fate_of({kFirst + 1, 0}), "CHECK failed");
}

}  // namespace
}  // namespace perigee::cache_store

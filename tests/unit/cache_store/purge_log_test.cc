// What happened to a record since its ticket: one answer for those that are yet to be stored, and
// one for those that lie in the file.
#include "cache_store/purge_log.h"

#include <gtest/gtest.h>

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
      .base = kUrl, .ticket = log_.ticket(), .variant = true, .fragment = true};
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
  const Ticket ticket = log_.ticket();
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

TEST_F(PurgeLogTest, ATicketFromTheFutureIsABug) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH(fate_of({kFirst + 1, 0}), "CHECK failed");
}

}  // namespace
}  // namespace perigee::cache_store

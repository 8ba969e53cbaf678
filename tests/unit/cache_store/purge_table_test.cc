// The fence: what a ticket is told about the purges since.
#include "cache_store/purge_table.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <thread>
#include <vector>

namespace perigee::cache_store {
namespace {

constexpr uint64_t kFirst = uint64_t{5} << 40;
const Digest kUrl{8, 1};
const Digest kOther{16, 1};

class PurgeTableTest : public testing::Test {
 protected:
  Ticket ticket() const { return {table_.newest()}; }
  PurgeTable table_{kFirst};
};

TEST_F(PurgeTableTest, KnowsNothingAtFirst) {
  EXPECT_EQ(table_.newest(), kFirst);
  EXPECT_EQ(table_.count(), 0u);
  EXPECT_FALSE(table_.since(kUrl, ticket()).removed);
}

TEST_F(PurgeTableTest, TellsThoseWhoBeganBefore) {
  const Ticket before = ticket();
  EXPECT_EQ(table_.add(kUrl, false, 100), kFirst + 1);
  const Ticket after = ticket();
  EXPECT_TRUE(table_.since(kUrl, before).removed);
  EXPECT_FALSE(table_.since(kOther, before).removed);
  EXPECT_FALSE(table_.since(kUrl, after).removed);
}

TEST_F(PurgeTableTest, ASoftPurgeMakesStaleSinceTheFirst) {
  const Ticket before = ticket();
  table_.add(kUrl, true, 100);
  table_.add(kUrl, true, 200);
  const PurgeTable::Verdict verdict = table_.since(kUrl, before);
  EXPECT_FALSE(verdict.removed);
  EXPECT_TRUE(verdict.stale);
  EXPECT_EQ(verdict.stale_since_ms, 100);
}

TEST_F(PurgeTableTest, AHardPurgeCountsWhereverItStandsAmongSoftOnes) {
  const Ticket before = ticket();
  table_.add(kUrl, true, 100);
  table_.add(kUrl, false, 200);
  table_.add(kUrl, true, 300);
  EXPECT_TRUE(table_.since(kUrl, before).removed);
}

TEST_F(PurgeTableTest, RefusesATicketThatIsOlderThanItsMemory) {
  const Ticket before = ticket();
  for (size_t i = 0; i < PurgeTable::kRemembered; ++i) table_.add(kOther, false, 0);
  EXPECT_FALSE(table_.since(kUrl, before).removed) << "all since are remembered";
  table_.add(kOther, false, 0);
  EXPECT_TRUE(table_.since(kUrl, before).removed)
      << "one is forgotten: it may have been this URL's";
  EXPECT_EQ(table_.oldest_known(), before.purge_seq + 1);
  EXPECT_FALSE(table_.since(kUrl, {before.purge_seq + 1}).removed);
}

TEST_F(PurgeTableTest, TellsTheFirstAndTheLastSoftPurgeSinceATicket) {
  const Ticket before = ticket();
  table_.add(kUrl, true, 100);
  table_.add(kOther, true, 150);
  const uint64_t last = table_.add(kUrl, true, 200);
  const PurgeTable::Verdict verdict = table_.since(kUrl, before);
  EXPECT_TRUE(verdict.stale);
  EXPECT_FALSE(verdict.removed);
  EXPECT_EQ(verdict.stale_since_ms, 100);
  EXPECT_EQ(verdict.last_ms, 200);
  EXPECT_EQ(verdict.last_seq, last);
}

TEST_F(PurgeTableTest, APurgeThatATicketKnowsIsNoneSinceIt) {
  const uint64_t seq = table_.add(kUrl, false, 100);
  table_.add(kOther, false, 200);
  EXPECT_FALSE(table_.since(kUrl, {seq}).removed);
  EXPECT_TRUE(table_.since(kUrl, {seq - 1}).removed);
}

/// Each thread draws numbers of its own, and is told of each purge of its URL.
TEST_F(PurgeTableTest, NoNumberIsDrawnTwiceByThreads) {
  constexpr uint64_t kRounds = 50'000;
  constexpr uint64_t kThreads = 3;
  std::vector<std::thread> threads;
  std::vector<std::vector<uint64_t>> drawn(kThreads);
  for (uint64_t number = 0; number < kThreads; ++number) {
    threads.emplace_back([this, number, &mine = drawn[number]] {
      const Digest url{8 * (number + 1), number};
      for (uint64_t round = 0; round < kRounds; ++round) {
        const Ticket before = ticket();
        mine.push_back(table_.add(url, false, 100));
        EXPECT_TRUE(table_.since(url, before).removed);
        // Unless the others have drawn so many meanwhile that its own is forgotten.
        const bool removed = table_.since(url, {mine.back()}).removed;
        EXPECT_TRUE(!removed || table_.oldest_known() > mine.back());
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  std::vector<bool> seen(kThreads * kRounds + 1);
  for (const std::vector<uint64_t>& mine : drawn) {
    EXPECT_TRUE(std::is_sorted(mine.begin(), mine.end()));
    for (const uint64_t seq : mine) {
      ASSERT_GT(seq, kFirst);
      ASSERT_LE(seq, kFirst + kThreads * kRounds);
      EXPECT_FALSE(seen[seq - kFirst]);
      seen[seq - kFirst] = true;
    }
  }
  EXPECT_EQ(table_.count(), kThreads * kRounds);
}

}  // namespace
}  // namespace perigee::cache_store

// Purges and what could make them void: one test for each way that was found or feared.
#include <cstring>

#include "cache_store/format.h"
#include "tests/fault/cache_store/small_store.h"

namespace perigee::cache_store {
namespace {

using test::MemoryDisk;
using test::MemoryIo;

constexpr uint64_t kJournalBytes = 2048;
constexpr uint64_t kUnits = kJournalBytes / sizeof(format::JournalUnit);

class PurgeDurabilityTest : public SmallStoreTest {
 protected:
  void SetUp() override { open(); }

  format::Superblock superblock() {
    format::Superblock a;
    format::Superblock b;
    std::memcpy(&a, disk_.bytes() + format::kSuperblockA, sizeof a);
    std::memcpy(&b, disk_.bytes() + format::kSuperblockB, sizeof b);
    return a.version > b.version ? a : b;
  }
  void fail(MemoryIo::Op which) {
    io_->fail = [which](MemoryIo::Op op, uint64_t) { return op == which; };
  }
  void fail_superblocks() {
    io_->fail = [](MemoryIo::Op op, uint64_t offset) {
      return op == MemoryIo::Op::kWriteDurable && offset < format::kJournalBegin;
    };
  }
  void mend() {
    io_->fail = [](MemoryIo::Op, uint64_t) { return false; };
  }
  /// After a purge of "a" that could not be written.
  void expect_in_force_and_written_later() {
    EXPECT_TRUE(store_->stats().journal_bad);
    EXPECT_EQ(look("a"), kNothing) << "in force all the same";
    mend();
    maintain(0);
    EXPECT_FALSE(store_->stats().journal_bad);
    kill();
    open();
    EXPECT_EQ(look("a"), kNothing);
  }
  uint64_t active_half() {
    return format::kJournalBegin + superblock().journal_half * kJournalBytes;
  }
};

// A purge that was lost in a crash once gave its number to another one, which then came "before"
// records that were fetched after the lost one.
TEST_F(PurgeDurabilityTest, NumbersOfLostPurgesAreNotGivenAgain) {
  store_->purge({store_->digest("lost"), false, kNow});
  ASSERT_NE(put("a"), 0u);
  kill();
  open();
  ASSERT_TRUE(purge("a"));
  EXPECT_EQ(look("a"), kNothing);
  open();
  EXPECT_EQ(look("a"), kNothing);
}

// With an old superblock the journal held numbers above those that were drawn next, and a purge
// with such a number was taken for one that stands in it already.
TEST_F(PurgeDurabilityTest, APurgeAfterAnOldSuperblockCameBackIsWrittenToo) {
  MemoryDisk::Image before = disk_.after_kill();
  open();
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(purge("other" + std::to_string(i)));
  close();
  MemoryDisk::Image now = disk_.after_kill();
  for (uint64_t at = 0; at < format::kJournalBegin; at += 4096) {
    for (uint64_t i = at; i < at + 512; ++i) now.at(i) = before.at(i);
  }
  disk_.load(now);
  open();
  ASSERT_NE(put("a"), 0u);
  ASSERT_TRUE(purge("a"));
  kill();
  open();
  EXPECT_EQ(look("a"), kNothing);
}

// Compaction drops what no record needs; a slab that was emptied may be back after a power cut.
TEST_F(PurgeDurabilityTest, APowerCutThatBringsASlabBackBringsNoPurgedObjectBack) {
  ASSERT_NE(put("a"), 0u);
  ASSERT_TRUE(purge("a"));
  for (uint64_t i = 1; i < kUnits / 2; ++i) ASSERT_TRUE(purge("other" + std::to_string(i)));
  open();
  const uint64_t generation = superblock().journal_generation;
  wrap_around();
  ASSERT_TRUE(purge("one too many"));
  maintain(0);
  ASSERT_NE(superblock().journal_generation, generation) << "it was compacted";
  cut_power();
  open();
  EXPECT_EQ(look("a").stale_since_ms, kUnconfirmedMs) << "what was purged is a floor by now";
}

// A record may be stored after a purge, of a fetch from before it.
TEST_F(PurgeDurabilityTest, ASoftPurgeHoldsForALaterPutOfAnEarlierFetchAfterARestart) {
  const Ticket before = store_->ticket();
  ASSERT_TRUE(purge("a", true));
  purge_others();
  const uint64_t version = put("a", before);
  EXPECT_EQ(look("a"), stale(version, kNow));
  kill();
  open();
  EXPECT_TRUE(look("a").stale());
}

TEST_F(PurgeDurabilityTest, TheFirstSoftPurgeSinceTheFetchCounts) {
  const uint64_t version = put("a");
  store_->purge({store_->digest("a"), true, kNow + 5'000});
  store_->purge({store_->digest("a"), true, kNow + 9'000});
  EXPECT_EQ(look("a"), stale(version, kNow + 5'000));
  open();
  EXPECT_EQ(look("a"), stale(version, kNow + 5'000));
}

TEST_F(PurgeDurabilityTest, ASoftPurgeWithinASecondIsRoundedUp) {
  const uint64_t version = put("a");
  store_->purge({store_->digest("a"), true, kNow + 1});
  EXPECT_EQ(look("a"), stale(version, kNow + 1'000));
}

TEST_F(PurgeDurabilityTest, AVersionFromAfterAPurgeSurvivesARestart) {
  put("a");
  ASSERT_TRUE(purge("a"));
  const uint64_t version = put("a");
  open();
  EXPECT_EQ(look("a"), fresh(version));
}

TEST_F(PurgeDurabilityTest, AnErasureSurvivesAKillOnceItIsWritten) {
  put("a");
  store_->erase(store_->digest("a"));
  maintain(0);
  kill();
  open();
  EXPECT_EQ(look("a"), kNothing);
}

// A batch that is larger than the room that is left, and larger than the whole journal.
TEST_F(PurgeDurabilityTest, AnyNumberOfPurgesCanBeCommittedAtOnce) {
  const uint64_t version = put("a");
  for (uint64_t i = 0; i < 10 * kUnits; ++i) {
    store_->purge({store_->digest("other" + std::to_string(i)), false, kNow});
  }
  ASSERT_TRUE(purge("b"));
  EXPECT_FALSE(store_->stats().journal_bad);
  EXPECT_EQ(look("a"), fresh(version));
  kill();
  open();
  EXPECT_EQ(look("a"), stale(version, kUnconfirmedMs)) << "the older purges became a floor";
  EXPECT_FALSE(listener_.doubted());
}

TEST_F(PurgeDurabilityTest, AFloorIsNeverLowered) {
  put("a");
  purge_others(100);
  const uint64_t floor = superblock().stale_floor;
  EXPECT_GT(floor, 0u);
  open();
  EXPECT_GE(superblock().stale_floor, floor);
  purge_others(100);
  EXPECT_GT(superblock().stale_floor, floor);
}

TEST_F(PurgeDurabilityTest, AFailedPurgeIsAnErrorAndInForceAndWrittenLater) {
  put("a");
  fail(MemoryIo::Op::kWriteDurable);
  EXPECT_FALSE(purge("a"));
  expect_in_force_and_written_later();
}

// The other half is written and the superblock is not: whichever half it names, no purge may be
// lost.
TEST_F(PurgeDurabilityTest, AFlipThatFailsLosesNoPurge) {
  for (const bool lands : {false, true}) {
    SCOPED_TRACE(lands ? "the failed write landed" : "the failed write did not land");
    open();
    ASSERT_NE(put("a"), 0u);
    for (uint64_t i = 0; i <= kUnits / 2; ++i) ASSERT_TRUE(purge("other" + std::to_string(i)));
    fail_superblocks();
    io_->failed_writes_land = lands;
    maintain(0);
    EXPECT_FALSE(purge("a")) << "nobody knows which half is read at the next start";
    mend();
    ASSERT_TRUE(purge("a"));
    kill();
    open();
    EXPECT_EQ(look("a"), kNothing);
  }
}

TEST_F(PurgeDurabilityTest, ADamagedJournalMakesAllUnconfirmed) {
  for (uint64_t damaged_unit = 0; damaged_unit < 3; ++damaged_unit) {
    open();
    const uint64_t kept = put("kept");
    put("a");
    ASSERT_TRUE(purge("a"));
    ASSERT_TRUE(purge("b"));
    ASSERT_TRUE(purge("c"));
    close();
    MemoryDisk::Image image = disk_.after_kill();
    image.at(active_half() + damaged_unit * sizeof(format::JournalUnit) + 9) ^= std::byte{4};
    disk_.load(image);
    open();
    EXPECT_TRUE(listener_.doubted()) << damaged_unit;
    EXPECT_EQ(look("kept"), stale(kept, kUnconfirmedMs));
    EXPECT_NE(look("a").stale_since_ms, look("a").what == Sight::kNothing ? 1 : 0);
    const uint64_t version = put("new");
    open();
    EXPECT_FALSE(listener_.doubted()) << "the journal is whole again";
    EXPECT_EQ(look("new"), fresh(version));
  }
}

TEST_F(PurgeDurabilityTest, AJournalThatCannotBeReadMakesAllUnconfirmed) {
  const uint64_t version = put("a");
  close();
  MemoryIo io(disk_);
  io.fail = [](MemoryIo::Op op, uint64_t offset) {
    return op == MemoryIo::Op::kRead && offset >= format::kJournalBegin &&
           offset < format::kJournalBegin + 2 * kJournalBytes;
  };
  auto opened = Store::open(small_store(), io, listener_, kNow);
  ASSERT_TRUE(opened.ok());
  EXPECT_EQ(history_.look(**opened, "a"), stale(version, kUnconfirmedMs));
}

TEST_F(PurgeDurabilityTest, AnOldSuperblockMakesAllUnconfirmed) {
  MemoryDisk::Image old = disk_.after_kill();
  open();
  const uint64_t version = put("a");
  close();
  MemoryDisk::Image image = disk_.after_kill();
  for (const uint64_t place : {format::kSuperblockA, format::kSuperblockB}) {
    for (uint64_t i = 0; i < sizeof(format::Superblock); ++i)
      image.at(place + i) = old.at(place + i);
  }
  disk_.load(image);
  open();
  EXPECT_TRUE(listener_.doubted());
  EXPECT_EQ(look("a"), stale(version, kUnconfirmedMs));
}

TEST_F(PurgeDurabilityTest, OneDamagedSuperblockTakesNothing) {
  for (const uint64_t place : {format::kSuperblockA, format::kSuperblockB}) {
    open();
    const uint64_t version = put("a");
    put("b");
    ASSERT_TRUE(purge("b"));
    close();
    MemoryDisk::Image image = disk_.after_kill();
    image.at(place + 100) ^= std::byte{1};
    disk_.load(image);
    open();
    EXPECT_FALSE(listener_.doubted());
    EXPECT_EQ(look("a"), fresh(version));
    EXPECT_EQ(look("b"), kNothing);
  }
}

// A newer slab that is given up before an older one must not uncover what it replaced.
TEST_F(PurgeDurabilityTest, AnOlderVersionDoesNotComeBackWhenANewerOneIsDropped) {
  ASSERT_NE(put("a"), 0u);
  for (int i = 0; i < 5; ++i) put("filler" + std::to_string(i), store_->ticket(), 4000);
  maintain(5'000);
  ASSERT_NE(put("a"), 0u);
  fail(MemoryIo::Op::kSync);
  maintain(10'000);
  EXPECT_EQ(look("a"), kNothing) << "what may not have been written is dropped";
  mend();
  maintain(10'001);
  kill();
  open();
  EXPECT_EQ(look("a"), kNothing);
}

// Nor must a record that is found to be damaged when it is first looked at.
TEST_F(PurgeDurabilityTest, AnOlderVersionDoesNotComeBackWhenANewerOneIsDamaged) {
  ASSERT_NE(put("a"), 0u);
  for (int i = 0; i < 5; ++i) put("filler" + std::to_string(i), store_->ticket(), 4000);
  ASSERT_NE(put("a"), 0u);
  const uint64_t body_offset = [&] {
    const Found found = store_->lookup(store_->digest("a"), "a", 0);
    return found.head->body_offset;
  }();
  open();
  const std::byte flipped = disk_.bytes()[body_offset] ^ std::byte{1};
  disk_.write(body_offset, {&flipped, 1});
  EXPECT_EQ(look("a"), kNothing) << "it is damaged";
  EXPECT_EQ(store_->stats().corrupt, 1u);
  maintain(5'000);
  ASSERT_TRUE(purge("another")) << "the journal is written";
  open();
  EXPECT_EQ(look("a"), kNothing);
}

/// Nobody knows then what else was purged: only the origin's word makes a record usable.
TEST_F(PurgeDurabilityTest, PurgesThatCouldNotBeWrittenAreMissedAtTheNextStart) {
  const uint64_t other = put("b");
  put("a");
  test::MemoryDisk::Image before = disk_.after_kill();
  io_->fail = [](MemoryIo::Op op, uint64_t offset) {
    return op == MemoryIo::Op::kWriteDurable && offset >= format::kJournalBegin;
  };
  EXPECT_FALSE(purge("a"));
  maintain(0);
  test::MemoryDisk::Image left = disk_.after_kill();
  kill();
  // Nothing of the failed write arrived, so that the journal itself looks whole.
  for (uint64_t i = 0; i < 2 * kJournalBytes; ++i) {
    left.at(format::kJournalBegin + i) = before.at(format::kJournalBegin + i);
  }
  disk_.load(left);
  open();
  EXPECT_TRUE(listener_.doubted());
  EXPECT_EQ(look("b"), stale(other, kUnconfirmedMs));
  EXPECT_NE(look("a").stale_since_ms, 0);
}

TEST_F(PurgeDurabilityTest, APurgeByTagIsDurableOnceItIsCommitted) {
  const uint64_t other = put_tagged("b", 8);
  for (const bool swept : {false, true}) {
    ASSERT_NE(put_tagged("a", 7), 0u);
    ASSERT_TRUE(purge_tag(7));
    for (int i = 0; swept && i < 20; ++i) maintain(0);
    kill();
    open();
    EXPECT_EQ(look("a"), kNothing);
    EXPECT_EQ(look("b"), fresh(other));
  }
  EXPECT_FALSE(listener_.doubted());
}

// A version that does not know the new units would skip nothing: it would end its journal there.
TEST_F(PurgeDurabilityTest, OtherVersionsAreToldBeforeAUnitOfANewKindIsWritten) {
  EXPECT_EQ(superblock().incompat, 0u);
  ASSERT_TRUE(purge("a"));
  EXPECT_EQ(superblock().incompat, 0u);
  uint64_t units = 0;
  io_->watch = [&] {
    // Whatever is in the journal now, the superblocks said so before.
    const auto kind =
        static_cast<uint8_t>(disk_.bytes()[active_half() + sizeof(format::JournalUnit) +
                                           offsetof(format::JournalUnit, kind)]);
    if (kind != static_cast<uint8_t>(PredicateKind::kTag)) return;
    ++units;
    for (const uint64_t place : {format::kSuperblockA, format::kSuperblockB}) {
      format::Superblock block;
      std::memcpy(&block, disk_.bytes() + place, sizeof block);
      EXPECT_EQ(block.incompat, format::kPredicateUnits);
    }
  };
  ASSERT_TRUE(purge_tag(7));
  io_->watch = [] {};
  EXPECT_GT(units, 0u);
  // Until the journal holds none any more: then others can read it again.
  put("new");
  wrap_around();
  maintain(5'000);
  purge_others(100);
  EXPECT_EQ(superblock().incompat, 0u);
}

TEST_F(PurgeDurabilityTest, AKindThatCannotBeAnnouncedIsNotDurable) {
  put_tagged("a", 7);
  fail_superblocks();
  EXPECT_FALSE(purge_tag(7));
  expect_in_force_and_written_later();
}

TEST_F(PurgeDurabilityTest, APurgeOfEverythingIsNeverFolded) {
  ASSERT_NE(put("a"), 0u);
  const PurgeResult all = store_->purge({.wall_ms = kNow, .kind = PredicateKind::kEverything});
  ASSERT_TRUE(store_->commit(all.seq).ok());
  const uint64_t version = put("b");
  purge_others(100);
  ASSERT_GT(superblock().stale_floor, all.seq) << "what came after it was folded";
  kill();
  open();
  EXPECT_EQ(look("a"), kNothing);
  EXPECT_EQ(look("b"), stale(version, kUnconfirmedMs));
}

TEST_F(PurgeDurabilityTest, APurgeByTagThatIsFoldedLeavesWhatItTookUnconfirmed) {
  const uint64_t version = put_tagged("a", 7);
  ASSERT_TRUE(purge_tag(7));
  purge_others(100);
  EXPECT_EQ(look("a"), kNothing);
  kill();
  open();
  EXPECT_EQ(look("a"), stale(version, kUnconfirmedMs));
}

// The newer version had the tag and is gone from the index; the older one lies in another slab.
TEST_F(PurgeDurabilityTest, AnOlderVersionDoesNotComeBackWhenAPurgedOneIsDropped) {
  ASSERT_NE(put_tagged("a", 8), 0u);
  for (int i = 0; i < 5; ++i) put("filler" + std::to_string(i), store_->ticket(), 4000);
  maintain(5'000);
  ASSERT_NE(put_tagged("a", 7), 0u);
  ASSERT_TRUE(purge_tag(7));
  EXPECT_EQ(look("a"), kNothing);
  fail(MemoryIo::Op::kSync);
  maintain(10'000);
  mend();
  maintain(10'001);
  kill();
  open();
  EXPECT_EQ(look("a"), kNothing);
}

TEST_F(PurgeDurabilityTest, TwoFailedSyncsWithinAMinuteEndStoring) {
  put("a");
  fail(MemoryIo::Op::kSync);
  maintain(5'000);
  EXPECT_FALSE(store_->stats().failed);
  EXPECT_NE(put("b"), 0u);
  maintain(10'000);
  EXPECT_TRUE(store_->stats().failed);
  EXPECT_EQ(put("c"), 0u);
}

TEST_F(PurgeDurabilityTest, FailedSyncsFarApartDoNot) {
  for (int i = 1; i < 4; ++i) {
    ASSERT_NE(put("a"), 0u);
    fail(MemoryIo::Op::kSync);
    maintain(i * 100'000);
    EXPECT_FALSE(store_->stats().failed);
  }
}

}  // namespace
}  // namespace perigee::cache_store

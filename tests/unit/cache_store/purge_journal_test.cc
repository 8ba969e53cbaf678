// The journal alone: what was committed is loaded, in order, and damage is told from its end.
#include "cache_store/purge_journal.h"

#include <gtest/gtest.h>

#include "base/limits.h"
#include "tests/support/memory_disk.h"

namespace perigee::cache_store {
namespace {

constexpr uint64_t kHalfBytes = 2048;
constexpr uint64_t kUnits = kHalfBytes / sizeof(format::JournalUnit);
using Op = test::MemoryIo::Op;

class PurgeJournalTest : public testing::Test {
 protected:
  PurgeJournalTest() {
    disk_.resize(format::kJournalBegin + 2 * kHalfBytes);
    load();
  }

  /// As a new process does, with what the superblock says.
  PurgeJournal::Loaded load() {
    journal_ = std::make_unique<PurgeJournal>(io_, kHalfBytes);
    return journal_->load(superblock_);
  }
  void add(uint64_t seq, bool erasure = false, bool soft = false) {
    journal_->add({seq, {seq * 8, seq}, static_cast<int64_t>(seq * 100), erasure, soft});
  }
  base::Status compact(uint64_t lowest) {
    return journal_->compact(lowest, ++generation_, [this](const PurgeJournal::Half& half) {
      superblock_ = half;
      return base::Status(base::Done{});
    });
  }
  static std::vector<uint64_t> seqs(const PurgeJournal::Loaded& loaded) {
    std::vector<uint64_t> result;
    for (const PurgeJournal::Entry& entry : loaded.entries) result.push_back(entry.seq);
    return result;
  }
  void damage(uint64_t unit) {
    test::MemoryDisk::Image image = disk_.after_kill();
    image.at(format::kJournalBegin + superblock_.half * kHalfBytes + unit * 64 + 20) ^=
        std::byte{1};
    disk_.load(image);
  }

  test::MemoryDisk disk_{1 << 20};
  test::MemoryIo io_{disk_};
  PurgeJournal::Half superblock_;
  uint64_t generation_ = 0;
  std::unique_ptr<PurgeJournal> journal_;
};

using Seqs = std::vector<uint64_t>;

TEST_F(PurgeJournalTest, LoadsWhatWasCommitted) {
  add(1);
  add(2, true, false);
  add(3, false, true);
  ASSERT_TRUE(journal_->commit(3).ok());
  EXPECT_EQ(journal_->durable_seq(), 3u);
  const PurgeJournal::Loaded loaded = load();
  ASSERT_EQ(seqs(loaded), (Seqs{1, 2, 3}));
  EXPECT_FALSE(loaded.damaged);
  EXPECT_EQ(loaded.entries[0].digest, (Digest{8, 1}));
  EXPECT_EQ(loaded.entries[0].time_ms, 100);
  EXPECT_TRUE(loaded.entries[1].erasure);
  EXPECT_TRUE(loaded.entries[2].soft);
  EXPECT_EQ(journal_->durable_seq(), 3u);
}

TEST_F(PurgeJournalTest, DoesNotLoadWhatWasOnlyAdded) {
  add(1);
  ASSERT_TRUE(journal_->commit(1).ok());
  add(2);
  EXPECT_EQ(seqs(load()), Seqs{1});
}

TEST_F(PurgeJournalTest, GoesOnWhereItWasAfterALoad) {
  add(1);
  ASSERT_TRUE(journal_->commit(1).ok());
  load();
  add(2);
  ASSERT_TRUE(journal_->commit(2).ok());
  EXPECT_EQ(seqs(load()), (Seqs{1, 2}));
}

TEST_F(PurgeJournalTest, TakesExactlyAsManyAsTheHalfHolds) {
  for (uint64_t seq = 1; seq <= kUnits + 3; ++seq) add(seq);
  const base::Status status = journal_->commit(kUnits + 3);
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().code, base::ErrorCode::kNoSpace);
  EXPECT_TRUE(journal_->needs_compaction());
  EXPECT_TRUE(journal_->commit(kUnits).ok()) << "those are durable";
  const PurgeJournal::Loaded loaded = load();
  EXPECT_EQ(loaded.entries.size(), kUnits);
  EXPECT_FALSE(loaded.damaged);
}

TEST_F(PurgeJournalTest, WhatIsDurableIsNoErrorThoughMoreDidNotFit) {
  for (uint64_t seq = 1; seq <= kUnits + 1; ++seq) add(seq);
  EXPECT_TRUE(journal_->commit(kUnits).ok());
  EXPECT_EQ(journal_->durable_seq(), kUnits);
}

TEST_F(PurgeJournalTest, CompactionDropsWhatNoRecordNeedsAndKeepsTheRest) {
  for (uint64_t seq = 1; seq <= 6; ++seq) add(seq);
  ASSERT_TRUE(journal_->commit(6).ok());
  ASSERT_TRUE(compact(4).ok());
  EXPECT_EQ(superblock_.half, 1u);
  EXPECT_EQ(superblock_.seq, 6u);
  EXPECT_EQ(superblock_.folded, 0u);
  add(7);
  ASSERT_TRUE(journal_->commit(7).ok());
  EXPECT_EQ(seqs(load()), (Seqs{5, 6, 7}));
}

TEST_F(PurgeJournalTest, CompactionFoldsTheOldestBeyondAQuarter) {
  for (uint64_t seq = 1; seq <= kUnits; ++seq) add(seq);
  ASSERT_TRUE(journal_->commit(kUnits).ok());
  ASSERT_TRUE(compact(0).ok());
  EXPECT_EQ(superblock_.folded, kUnits - kUnits / 4);
  const PurgeJournal::Loaded loaded = load();
  EXPECT_EQ(loaded.entries.size(), kUnits / 4);
  EXPECT_EQ(loaded.entries.front().seq, superblock_.folded + 1);
}

// The third use of a half once had the same chain as the first, so that old units were read as new
// ones.
TEST_F(PurgeJournalTest, AUseOfAHalfKnowsNothingOfTheOneBefore) {
  add(1);
  add(2);
  ASSERT_TRUE(journal_->commit(2).ok());
  ASSERT_TRUE(compact(2).ok());
  ASSERT_TRUE(compact(2).ok());
  EXPECT_EQ(superblock_.half, 0u);
  const PurgeJournal::Loaded loaded = load();
  EXPECT_TRUE(loaded.entries.empty());
  EXPECT_FALSE(loaded.damaged);
  EXPECT_EQ(journal_->durable_seq(), 2u);
}

TEST_F(PurgeJournalTest, AFailedCompactionLeavesAllAsItWas) {
  add(1);
  ASSERT_TRUE(journal_->commit(1).ok());
  io_.fail = [](Op op, uint64_t) { return op == Op::kWriteDurable; };
  EXPECT_FALSE(compact(0).ok());
  EXPECT_TRUE(journal_->bad());
  io_.fail = [](Op, uint64_t) { return false; };
  add(2);
  EXPECT_TRUE(journal_->commit(2).ok());
  EXPECT_FALSE(journal_->bad());
  EXPECT_EQ(seqs(load()), (Seqs{1, 2}));
}

TEST_F(PurgeJournalTest, AfterAFailedFlipNothingIsDurableUntilOneSucceeds) {
  add(1);
  ASSERT_TRUE(journal_->commit(1).ok());
  const auto failing = [](const PurgeJournal::Half&) {
    return base::Status(base::Error{base::ErrorCode::kIo, EIO, "no"});
  };
  EXPECT_FALSE(journal_->compact(0, ++generation_, failing).ok());
  add(2);
  EXPECT_FALSE(journal_->commit(2).ok());
  EXPECT_TRUE(journal_->needs_compaction());
  ASSERT_TRUE(compact(0).ok());
  EXPECT_TRUE(journal_->commit(2).ok());
  EXPECT_EQ(seqs(load()), (Seqs{1, 2}));
}

TEST_F(PurgeJournalTest, DamageAnywhereIsTold) {
  for (uint64_t unit = 0; unit < 4; ++unit) {
    SCOPED_TRACE(unit);
    ASSERT_TRUE(compact(UINT64_MAX).ok());
    for (uint64_t seq = 1; seq <= 3; ++seq) add(generation_ * 10 + seq);
    ASSERT_TRUE(journal_->commit(generation_ * 10 + 3).ok());
    damage(unit);
    const PurgeJournal::Loaded loaded = load();
    EXPECT_TRUE(loaded.damaged) << "the fourth place is behind the end, where zeros must be";
    EXPECT_EQ(loaded.entries.size(), std::min<uint64_t>(unit, 3));
  }
}

TEST_F(PurgeJournalTest, LoadsEveryKind) {
  journal_->add({.seq = 1, .digest = {77, 0}, .kind = PredicateKind::kTag});
  journal_->add({.seq = 2,
                 .digest = {5, 6},
                 .time_ms = 9,
                 .soft = true,
                 .kind = PredicateKind::kPrefix,
                 .shape = {2, 300}});
  journal_->add({.seq = 3, .kind = PredicateKind::kEverything});
  add(4);
  ASSERT_TRUE(journal_->commit(4).ok());
  const PurgeJournal::Loaded loaded = load();
  ASSERT_EQ(seqs(loaded), (Seqs{1, 2, 3, 4}));
  EXPECT_EQ(loaded.entries[0].kind, PredicateKind::kTag);
  EXPECT_EQ(loaded.entries[0].digest.lo, 77u);
  EXPECT_EQ(loaded.entries[1].kind, PredicateKind::kPrefix);
  EXPECT_EQ(loaded.entries[1].digest, (Digest{5, 6}));
  EXPECT_EQ(loaded.entries[1].shape, (PrefixShape{2, 300}));
  EXPECT_TRUE(loaded.entries[1].soft);
  EXPECT_EQ(loaded.entries[2].kind, PredicateKind::kEverything);
  EXPECT_EQ(loaded.entries[3].kind, PredicateKind::kKey);
}

/// A unit that nobody can have meant ends the chain, though its checksum holds.
TEST_F(PurgeJournalTest, ImplausibleUnitsAreDamage) {
  for (const PrefixShape& shape : {PrefixShape{4, 1}, PrefixShape{2, UINT32_MAX}}) {
    ASSERT_TRUE(compact(UINT64_MAX).ok());
    const uint64_t seq = generation_ * 10;
    journal_->add({.seq = seq, .kind = PredicateKind::kPrefix, .shape = shape});
    ASSERT_TRUE(journal_->commit(seq).ok());
    EXPECT_TRUE(load().damaged);
  }
  ASSERT_TRUE(compact(UINT64_MAX).ok());
  journal_->add({.seq = 1'000, .kind = static_cast<PredicateKind>(6)});
  ASSERT_TRUE(journal_->commit(1'000).ok());
  EXPECT_TRUE(load().damaged);
}

TEST_F(PurgeJournalTest, AnnouncesOtherKindsBeforeTheFirstIsWritten) {
  int announced = 0;
  bool possible = false;
  journal_->announce_with([&]() -> base::Status {
    ++announced;
    if (!possible) return base::Error{base::ErrorCode::kIo, EIO, "no"};
    return base::Done{};
  });
  add(1);
  ASSERT_TRUE(journal_->commit(1).ok());
  EXPECT_EQ(announced, 0) << "a key is nothing new";
  journal_->add({.seq = 2, .kind = PredicateKind::kTag});
  EXPECT_FALSE(journal_->commit(2).ok());
  EXPECT_TRUE(journal_->bad());
  EXPECT_EQ(journal_->durable_seq(), 1u) << "nothing is written that was not announced";
  possible = true;
  ASSERT_TRUE(journal_->commit(2).ok());
  EXPECT_EQ(announced, 2);
  journal_->add({.seq = 3, .kind = PredicateKind::kEverything});
  ASSERT_TRUE(journal_->commit(3).ok());
  EXPECT_EQ(announced, 2) << "once for a half";
  ASSERT_TRUE(compact(2).ok());
  EXPECT_TRUE(superblock_.predicates) << "one is left";
  ASSERT_TRUE(compact(3).ok());
  EXPECT_FALSE(superblock_.predicates);
  journal_->add({.seq = 4, .kind = PredicateKind::kTag});
  ASSERT_TRUE(journal_->commit(4).ok());
  EXPECT_EQ(announced, 3) << "the other half held none";
}

TEST_F(PurgeJournalTest, AHardPurgeOfEverythingTakesThePlaceOfAllBefore) {
  for (uint64_t seq = 1; seq <= kUnits; ++seq) {
    if (seq == 3 || seq == 5) {
      journal_->add({.seq = seq, .soft = seq == 5, .kind = PredicateKind::kEverything});
    } else {
      add(seq);
    }
  }
  ASSERT_TRUE(journal_->commit(kUnits).ok());
  ASSERT_TRUE(compact(0).ok());
  const PurgeJournal::Loaded loaded = load();
  EXPECT_EQ(loaded.entries.size(), kUnits / 4) << "the rest is folded";
  EXPECT_EQ(loaded.entries.front().seq, 3u) << "but not this one";
  EXPECT_EQ(loaded.entries[1].seq, superblock_.folded + 1);
  EXPECT_EQ(loaded.entries.back().seq, kUnits);
  ASSERT_TRUE(compact(3).ok());
  EXPECT_EQ(load().entries.front().seq, superblock_.seq - kUnits / 4 + 2) << "nobody needs it";
}

TEST_F(PurgeJournalTest, WhatIsTooMuchToRememberIsFolded) {
  io_.fail = [](Op op, uint64_t) { return op == Op::kWriteDurable; };
  constexpr uint64_t kMany = base::limits::kPurgesPending + 10;
  for (uint64_t seq = 1; seq <= kMany; ++seq) add(seq);
  EXPECT_FALSE(journal_->commit(kMany).ok());
  io_.fail = [](Op, uint64_t) { return false; };
  EXPECT_FALSE(journal_->commit(kMany).ok()) << "first what was given up must become a floor";
  ASSERT_TRUE(compact(0).ok());
  EXPECT_EQ(superblock_.folded, base::limits::kPurgesPending);
  EXPECT_TRUE(journal_->commit(kMany).ok());
  EXPECT_EQ(load().entries.size(), 10u);
}

}  // namespace
}  // namespace perigee::cache_store

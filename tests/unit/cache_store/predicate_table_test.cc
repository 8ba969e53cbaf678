// Purges by tag, prefix and of everything alone: which records each concerns, in every order, at
// every bound, and when numbers run over 32 bits.
#include "cache_store/predicate_table.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "base/limits.h"
#include "tests/support/keys.h"

namespace perigee::cache_store {
namespace {

namespace limits = base::limits;
using Entry = PredicateTable::Entry;
using test::url_key;

constexpr uint64_t kFirst = uint64_t{1} << format::kEpochShift;

class PredicateTableTest : public testing::Test {
 protected:
  PredicateTableTest() { table_.begin(kFirst, {}); }

  static Entry tag(uint64_t number, bool soft = false, int64_t time_ms = 1'000) {
    return {.digest = {number, 0}, .time_ms = time_ms, .soft = soft, .kind = PredicateKind::kTag};
  }
  static Entry prefix(std::string_view target, bool soft = false, int64_t time_ms = 1'000) {
    const KeyPrefix parsed = KeyPrefix::of(url_key("a.test", target));
    return {.digest = parsed.digest,
            .time_ms = time_ms,
            .soft = soft,
            .kind = PredicateKind::kPrefix,
            .shape = parsed.shape};
  }
  static Entry everything(bool soft = false, int64_t time_ms = 1'000) {
    return {.time_ms = time_ms, .soft = soft, .kind = PredicateKind::kEverything};
  }
  uint64_t add(Entry entry) {
    entry.seq = ++seq_;
    table_.add(entry);
    return entry.seq;
  }
  PredicateTable::Verdict look(const std::vector<uint64_t>& tags, std::string_view target,
                               uint64_t since) const {
    const std::string key = url_key("a.test", target);
    return table_.since({key, tags}, since);
  }

  PredicateTable table_;
  uint64_t seq_ = kFirst;
};

TEST_F(PredicateTableTest, EachKindConcernsItsOwnRecordsFromBefore) {
  const std::vector<uint64_t> tags{5, 7};
  for (const Entry& entry : {tag(7), prefix("/x"), everything()}) {
    const uint64_t seq = add(entry);
    EXPECT_TRUE(look(tags, "/x/y", seq - 1).removed);
    EXPECT_EQ(look(tags, "/x/y", seq - 1).by, seq);
    EXPECT_FALSE(look(tags, "/x/y", seq).removed) << "it was fetched after";
    EXPECT_EQ(look({5}, "/z", seq - 1).removed, entry.kind == PredicateKind::kEverything);
    EXPECT_EQ(look({}, "/z", seq - 1).removed, entry.kind == PredicateKind::kEverything);
  }
}

TEST_F(PredicateTableTest, ASoftOneMakesStaleSinceTheFirstOfThem) {
  add(tag(7, true, 9'000));
  const uint64_t second = add(prefix("/", true, 5'000));
  add(tag(7, true, 7'000));
  const auto all = look({7}, "/", kFirst);
  EXPECT_FALSE(all.removed);
  EXPECT_TRUE(all.stale);
  EXPECT_EQ(all.stale_since_ms, 5'000) << "a clock went back: the earliest time holds";
  EXPECT_EQ(look({7}, "/", second).stale_since_ms, 7'000);
  EXPECT_EQ(look({}, "/", second).stale, false);
}

TEST_F(PredicateTableTest, AHardOneTakesThoughASoftOneOfTheSameNameCameBeforeOrAfter) {
  for (const bool soft_first : {false, true}) {
    const uint64_t since = seq_;
    const uint64_t first = add(tag(7, soft_first));
    add(tag(7, !soft_first));
    EXPECT_TRUE(look({7}, "/", since).removed);
    EXPECT_EQ(look({7}, "/", first).removed, soft_first);
    EXPECT_EQ(look({7}, "/", first).stale, !soft_first);
  }
}

TEST_F(PredicateTableTest, ATagIsNotAPrefixNorTheOtherWayRound) {
  const Entry entry = prefix("/x");
  add({.digest = entry.digest, .kind = PredicateKind::kTag});
  EXPECT_FALSE(look({}, "/x", kFirst).removed);
}

TEST_F(PredicateTableTest, WhatIsOnItsWayMayHaveAnyTag) {
  const std::string key = url_key("a.test", "/x");
  const uint64_t first = add(prefix("/other"));
  EXPECT_FALSE(table_.may_match_since(key, kFirst));
  add(tag(7));
  EXPECT_TRUE(table_.may_match_since(key, first));
  const uint64_t second = seq_;
  EXPECT_FALSE(table_.may_match_since(key, second));
  add(prefix("/x", true));
  EXPECT_TRUE(table_.may_match_since(key, second));
}

/// All of a random history, against one that remembers every purge.
TEST_F(PredicateTableTest, SaysWhatAListOfAllWouldSay) {
  std::mt19937_64 chance(7);
  const std::vector<std::string> targets{"", "/", "/a", "/a/b", "/ab", "/b"};
  std::vector<std::pair<Entry, std::string>> list;
  for (int i = 0; i < 2'000; ++i) {
    const bool soft = chance() % 4 != 0;
    const auto time_ms = static_cast<int64_t>(1 + chance() % 10'000);
    const std::string& target = targets[chance() % targets.size()];
    const uint64_t kind = chance() % 100;
    Entry entry = kind < 1    ? everything(soft, time_ms)
                  : kind < 50 ? tag(chance() % 20, soft, time_ms)
                              : prefix(target, soft, time_ms);
    entry.seq = add(entry);
    list.emplace_back(entry, target);
    const std::vector<uint64_t> tags{chance() % 20, chance() % 20};
    const std::string& looked = targets[chance() % targets.size()];
    const uint64_t since = seq_ - chance() % std::min<uint64_t>(seq_ - kFirst, 400);
    bool removed = false;
    std::optional<int64_t> first;
    for (const auto& [each, begin] : list) {
      const bool named = each.kind == PredicateKind::kEverything ||
                         (each.kind == PredicateKind::kTag &&
                          std::count(tags.begin(), tags.end(), each.digest.lo) > 0) ||
                         (each.kind == PredicateKind::kPrefix && looked.starts_with(begin));
      if (!named || each.seq <= since) continue;
      removed = removed || !each.soft;
      if (each.soft && !first) first = each.time_ms;
    }
    const auto verdict = look(tags, looked, since);
    ASSERT_EQ(verdict.removed, removed) << i;
    if (!removed) {
      ASSERT_EQ(verdict.stale, first.has_value()) << i;
      ASSERT_TRUE(!first || verdict.stale_since_ms <= *first) << i;
    }
  }
}

TEST_F(PredicateTableTest, AtTheBoundNothingIsFoldedAndBeyondItTheOlderHalf) {
  for (uint64_t i = 1; i <= limits::kPredicates; ++i) add(tag(i, i % 2 == 0, 5'000));
  EXPECT_EQ(table_.size(), limits::kPredicates);
  EXPECT_FALSE(look({}, "/", kFirst).removed) << "one without a tag";
  EXPECT_FALSE(look({}, "/", kFirst).stale);
  add(tag(limits::kPredicates + 1));
  EXPECT_EQ(table_.size(), limits::kPredicates - limits::kPredicates / 2 + 1);
  EXPECT_TRUE(look({}, "/", kFirst).removed) << "it was not tested against what was folded";
  const uint64_t folded = kFirst + limits::kPredicates / 2;
  EXPECT_TRUE(look({}, "/", folded - 2).removed);
  EXPECT_FALSE(look({}, "/", folded - 1).removed) << "the last hard one that was folded";
  EXPECT_TRUE(look({}, "/", folded - 1).stale) << "the last soft one";
  EXPECT_EQ(look({}, "/", folded - 1).stale_since_ms, 5'000);
  EXPECT_FALSE(look({}, "/", folded).stale) << "what was tested until then stays";
  for (uint64_t i = 1; i <= limits::kPredicates + 1; ++i) {
    const auto verdict = look({i}, "/", kFirst + i - 1);
    ASSERT_TRUE(verdict.removed || (i % 2 == 0 && verdict.stale)) << "purge " << i << " is lost";
  }
}

TEST_F(PredicateTableTest, BeyondTheBoundOfLengthsTheOlderHalfIsFolded) {
  std::string target;
  for (size_t i = 0; i < limits::kPrefixShapes; ++i) add(prefix(target += 'a'));
  EXPECT_EQ(table_.size(), limits::kPrefixShapes);
  EXPECT_FALSE(look({}, "b", kFirst).removed);
  add(prefix(target += 'a'));
  EXPECT_LT(table_.size(), limits::kPrefixShapes);
  EXPECT_TRUE(look({}, "b", kFirst).removed);
  EXPECT_FALSE(look({}, "b", kFirst + limits::kPrefixShapes / 2).removed);
  EXPECT_TRUE(look({}, target, seq_ - 1).removed);
}

TEST_F(PredicateTableTest, PrefixesOfOneLengthCountAsOneOfThem) {
  for (size_t i = 0; i < limits::kPrefixShapes + 20; ++i) {
    add(prefix("/" + std::to_string(100 + i)));
  }
  EXPECT_EQ(table_.size(), limits::kPrefixShapes + 20);
  EXPECT_FALSE(look({}, "/b", kFirst).removed) << "nothing was folded";
  EXPECT_TRUE(look({}, "/100", kFirst).removed);
}

TEST_F(PredicateTableTest, AHardPurgeOfEverythingMakesRoom) {
  for (uint64_t i = 1; i <= 1'000; ++i) add(tag(i));
  const uint64_t seq = add(everything());
  EXPECT_EQ(table_.size(), 0u);
  EXPECT_EQ(table_.kill_floor(), seq);
  EXPECT_TRUE(look({3}, "/", seq - 1).removed);
  EXPECT_FALSE(look({3}, "/", seq).removed);
}

TEST_F(PredicateTableTest, ForgetsThoseThatConcernNoRecord) {
  for (uint64_t i = 1; i <= 10; ++i) add(tag(i));
  table_.forget(kFirst + 4);
  EXPECT_EQ(table_.size(), 6u);
  EXPECT_TRUE(look({5}, "/", kFirst + 4).removed);
  EXPECT_EQ(table_.newest(), seq_) << "what was tested stays so";
}

TEST_F(PredicateTableTest, WhatTheJournalHeldIsHeldAgainstRecordsOfEarlierRuns) {
  PredicateTable table;
  Entry early = tag(7);
  early.seq = 12;
  const Entry key{.seq = 13, .digest = {8, 1}};
  const std::vector<Entry> loaded{early, key};
  table.begin(kFirst, loaded);
  const std::vector<uint64_t> tags{7};
  EXPECT_TRUE(table.since({{}, tags}, 11).removed);
  EXPECT_FALSE(table.since({{}, tags}, 12).removed);
  EXPECT_EQ(table.newest(), kFirst);
  EXPECT_EQ(table.stamp(), 0u) << "no number of this run";
}

TEST_F(PredicateTableTest, AStampIsTheNewestNumberWithTheseBits) {
  constexpr uint64_t kWrap = uint64_t{1} << 32;
  for (const uint64_t newest : {kFirst, kFirst + 5, kFirst + kWrap - 2, kFirst + kWrap + 3,
                                kFirst + 7 * kWrap, 3 * kFirst + kWrap / 2}) {
    for (const uint64_t behind : {uint64_t{0}, uint64_t{1}, uint64_t{4}, uint64_t{1} << 30}) {
      if (newest - behind < kFirst) continue;
      const auto stamp = static_cast<uint32_t>(newest - behind);
      EXPECT_EQ(PredicateTable::seq_of(stamp, newest), newest - behind);
      EXPECT_EQ(PredicateTable::is_behind(stamp, static_cast<uint32_t>(newest)), behind > 0);
      EXPECT_FALSE(PredicateTable::is_behind(static_cast<uint32_t>(newest), stamp));
    }
    EXPECT_TRUE(
        PredicateTable::is_behind(PredicateTable::kUntested, static_cast<uint32_t>(newest)));
  }
  EXPECT_FALSE(PredicateTable::may_stamp(kFirst + kWrap - 1));
  EXPECT_TRUE(PredicateTable::may_stamp(kFirst + kWrap));
}

/// The low 32 bits of a purge's number are lower than those of an entry that was tested before it.
TEST_F(PredicateTableTest, APurgeBehindAWrapIsFound) {
  constexpr uint64_t kWrap = uint64_t{1} << 32;
  seq_ = kFirst + kWrap - 3;
  const auto checked = static_cast<uint32_t>(add(tag(1)));
  seq_ += 2;
  const uint64_t behind = add(tag(7));
  ASSERT_LT(table_.stamp(), checked);
  const std::vector<uint64_t> tags{7};
  EXPECT_TRUE(table_.since_stamp({{}, tags}, checked).removed);
  EXPECT_FALSE(table_.since_stamp({{}, tags}, static_cast<uint32_t>(behind)).removed);
  const std::vector<uint64_t> others{1};
  EXPECT_FALSE(table_.since_stamp({{}, others}, checked).removed) << "it was tested against that";
}

TEST_F(PredicateTableTest, AdvancingTestsNothingAndTakesNothing) {
  const uint64_t seq = add(tag(7));
  table_.advance(seq + 100);
  EXPECT_EQ(table_.newest(), seq + 100);
  EXPECT_TRUE(look({7}, "/", seq - 1).removed);
  EXPECT_FALSE(look({7}, "/", seq).removed);
}

TEST_F(PredicateTableTest, ANumberThatMeansUntestedIsABug) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  Entry entry = tag(7);
  entry.seq = kFirst + UINT32_MAX;
  EXPECT_DEATH(table_.add(entry), "CHECK failed");
  EXPECT_DEATH(table_.advance(kFirst + (uint64_t{1} << 32)), "CHECK failed")
      << "it has the stamp of the one before";
}

}  // namespace
}  // namespace perigee::cache_store

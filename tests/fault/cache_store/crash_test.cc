// A crash at every step of a store's life: killed, or the power cut with what was not synced
// dropped, torn or reordered. Whatever is found afterwards is whole, and what was purged stays
// purged.
#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cstring>

#include "cache_store/format.h"
#include "tests/fault/cache_store/workload.h"

namespace perigee::cache_store {
namespace {

using test::MemoryDisk;
using test::MemoryIo;

constexpr int64_t kNow = 1'800'000'000'000;

/// A moment at which the process or the power could go, and what that would leave.
struct Snapshot {
  MemoryDisk::Image image;
  bool power = false;
};

/// What was known when a step began and what was known when it had ended.
struct Known {
  Sights sights;
  std::vector<KeyFacts> facts;
  Sights synced;
};

class CrashTest : public testing::TestWithParam<uint64_t> {
 protected:
  CrashTest() : chance_(GetParam() * 31 + 7), workload_(GetParam()) {
    workload_.on_io = [this](MemoryIo& io) { io.watch = [this] { take_snapshots(); }; };
  }

  Known known() const { return {workload_.look(), workload_.facts(), workload_.synced()}; }
  void take_snapshots() {
    snapshots_.push_back({workload_.disk().after_kill(), false});
    const auto cut = static_cast<MemoryDisk::Cut>(chance_() % 4);
    snapshots_.push_back({workload_.disk().after_power_cut(cut, chance_), true});
  }
  /// Opens what a crash left and holds it against what must and may be there.
  void check(const Snapshot& snapshot, const Known& before, const Known& after);
  void check_killed(size_t key, const Sight& seen, const Known& before, const Known& after);
  void check_power_cut(size_t key, const Sight& seen, const Known& before, const Known& after);
  /// Whether it waits for the origin because the journal was folded: then it may be anything whole.
  bool unconfirmed(const Sight& seen) const {
    return stale_floor_ > 0 && seen.stale_since_ms == kUnconfirmedMs;
  }

  std::string name(size_t key) const { return workload_.name(key); }

  std::mt19937_64 chance_;
  std::vector<Snapshot> snapshots_;
  MemoryDisk disk_{kSmallStoreBytes};
  uint64_t stale_floor_ = 0;
  uint64_t seen_whole_ = 0;
  uint64_t seen_fragments_ = 0;
  Workload workload_;  ///< last: closing its store is watched too
};

uint64_t stale_floor_of(const MemoryDisk& disk) {
  uint64_t floor = 0;
  for (const uint64_t offset : {format::kSuperblockA, format::kSuperblockB}) {
    format::Superblock block;
    std::memcpy(&block, disk.bytes() + offset, sizeof block);
    floor = std::max(floor, block.stale_floor);
  }
  return floor;
}

void CrashTest::check(const Snapshot& snapshot, const Known& before, const Known& after) {
  disk_.load(snapshot.image);
  Sights first;
  for (int opening = 0; opening < 2; ++opening) {
    MemoryIo io(disk_);
    Listener listener;
    auto opened = Store::open(small_store(), io, listener, kNow);
    ASSERT_TRUE(opened.ok()) << opened.error().message;
    EXPECT_TRUE(snapshot.power || !listener.doubted())
        << "a killed process leaves nothing in doubt";
    stale_floor_ = stale_floor_of(disk_);
    Sights sights;
    for (size_t key = 0; key < workload_.keys().size(); ++key) {
      sights.push_back(workload_.history().look(**opened, workload_.keys()[key]));
      seen_whole_ += sights.back().what == Sight::kNothing ? 0 : 1;
      seen_fragments_ += static_cast<uint64_t>(std::popcount(sights.back().fragments));
    }
    if (opening == 1) {
      for (size_t key = 0; key < sights.size(); ++key) {
        const bool same =
            sights[key] == first[key] && sights[key].fragments == first[key].fragments;
        EXPECT_TRUE(same || unconfirmed(sights[key]))
            << name(key) << ": at first " << describe(first[key]) << ", then "
            << describe(sights[key]);
      }
      continue;
    }
    first = sights;
    for (size_t key = 0; key < sights.size(); ++key) {
      ASSERT_NE(sights[key].what, Sight::kWrong) << name(key);
      if (snapshot.power) {
        check_power_cut(key, sights[key], before, after);
      } else {
        check_killed(key, sights[key], before, after);
      }
    }
  }
}

/// All that was done is there; what a step in the making or a purge that is not durable yet does,
/// may be.
void CrashTest::check_killed(size_t key, const Sight& seen, const Known& before,
                             const Known& after) {
  const auto may_be = [&](const Known& known) {
    return seen == known.sights[key] || known.facts[key].unsettled.contains(seen);
  };
  // The slab of the old version may be the one that made room for the new one.
  const bool replaced = before.sights[key].version != after.sights[key].version;
  const bool may_be_gone = replaced && seen.what == Sight::kNothing;
  EXPECT_TRUE(may_be(before) || may_be(after) || may_be_gone || unconfirmed(seen))
      << name(key) << ": " << describe(seen) << ", before " << describe(before.sights[key])
      << ", after " << describe(after.sights[key]);
  if (replaced || seen.version != after.sights[key].version) return;
  const uint64_t stayed =
      before.sights[key].fragments & after.sights[key].fragments & ~workload_.rewritten(key);
  const uint64_t were_there = before.sights[key].fragments | after.sights[key].fragments;
  EXPECT_EQ(seen.fragments & stayed, stayed) << name(key) << ": a fragment is lost";
  EXPECT_EQ(seen.fragments & ~were_there, 0u) << name(key) << ": a fragment is back";
}

void CrashTest::check_power_cut(size_t key, const Sight& seen, const Known& before,
                                const Known& after) {
  const Sight& synced = before.synced[key];
  const bool settled = synced.what != Sight::kNothing &&
                       before.sights[key].version == synced.version &&
                       after.sights[key].version == synced.version;
  EXPECT_TRUE(!settled || seen.version == synced.version)
      << name(key) << ": what was synced is lost: " << describe(synced) << ", seen "
      << describe(seen);
  if (settled) {
    const uint64_t stayed = synced.fragments & after.synced[key].fragments &
                            before.sights[key].fragments & after.sights[key].fragments;
    EXPECT_EQ(seen.fragments & stayed, stayed) << name(key) << ": a synced fragment is lost";
  }
  if (seen.what == Sight::kNothing || unconfirmed(seen)) return;
  const Version& version = *workload_.history().find(seen.version);
  EXPECT_GE(version.begun, before.facts[key].hard_for(version))
      << name(key) << ": a purged object is back: " << describe(seen);
  EXPECT_TRUE(seen.stale() || version.begun >= before.facts[key].soft_for(version))
      << name(key) << ": a soft purge is forgotten: " << describe(seen);
}

TEST_P(CrashTest, LeavesEachRecordWholeOrAbsentAtEveryStep) {
  ASSERT_TRUE(workload_.open());
  snapshots_.clear();
  uint64_t crashes = 0;
  Known before = known();
  for (int step = 0; step < 300; ++step) {
    ASSERT_TRUE(workload_.step());
    SCOPED_TRACE("step " + std::to_string(step) + ": " + workload_.last());
    const Known after = known();
    for (const Snapshot& snapshot : snapshots_) {
      SCOPED_TRACE(snapshot.power ? "power cut" : "killed");
      check(snapshot, before, after);
      if (HasFailure()) return;
    }
    crashes += snapshots_.size();
    snapshots_.clear();
    before = after;
    if (step % 70 == 69) {
      // And life goes on from what a power cut left.
      workload_.crash(workload_.disk().after_power_cut(MemoryDisk::Cut::kSectors, chance_));
      ASSERT_TRUE(workload_.open());
      snapshots_.clear();
      before = known();
    }
  }
  EXPECT_GT(crashes, 500u);
  EXPECT_GT(seen_whole_, crashes) << "most openings find something";
  EXPECT_GT(workload_.fragment_puts(), 10u);
  EXPECT_GT(workload_.coding_puts() + workload_.shells(), 5u);
  EXPECT_GT(seen_fragments_, crashes / 4) << "of long objects too";
}

INSTANTIATE_TEST_SUITE_P(Seeds, CrashTest, testing::Range<uint64_t>(1, 25));

}  // namespace
}  // namespace perigee::cache_store

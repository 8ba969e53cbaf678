// The keys that left probation: remembered for a while, in a bounded table.
#include "cache_store/ghosts.h"

#include <gtest/gtest.h>

#include <random>
#include <vector>

#include "base/limits.h"

namespace perigee::cache_store {
namespace {

namespace limits = base::limits;

class GhostsTest : public testing::Test {
 protected:
  Digest draw() { return {chance_() | 8, chance_()}; }
  /// Adds so many, and says how many of these are remembered then.
  size_t remembered_of(size_t count) {
    std::vector<Digest> digests;
    for (size_t i = 0; i < count; ++i) ghosts_.add(digests.emplace_back(draw()));
    return static_cast<size_t>(std::count_if(digests.begin(), digests.end(),
                                             [&](const Digest& d) { return ghosts_.contains(d); }));
  }

  std::mt19937_64 chance_{1};
  Ghosts ghosts_;
};

TEST_F(GhostsTest, RemembersAKeyUntilItIsTakenOut) {
  const Digest digest = draw();
  EXPECT_FALSE(ghosts_.contains(digest));
  EXPECT_FALSE(ghosts_.remove(digest));
  ghosts_.add(digest);
  ghosts_.add(digest);
  EXPECT_TRUE(ghosts_.contains(digest));
  EXPECT_FALSE(ghosts_.contains(draw()));
  EXPECT_TRUE(ghosts_.remove(digest));
  EXPECT_FALSE(ghosts_.contains(digest)) << "twice is once";
}

TEST_F(GhostsTest, ForgetsTheOldestFirst) {
  const Digest first = draw();
  ghosts_.add(first);
  remembered_of(limits::kGhostsLeast / 4);
  EXPECT_TRUE(ghosts_.contains(first));
  remembered_of(limits::kGhostsLeast * 20);
  EXPECT_FALSE(ghosts_.contains(first));
}

TEST_F(GhostsTest, RemembersAboutAsManyAsItHasRoomFor) {
  EXPECT_GT(remembered_of(limits::kGhostsLeast / 2), limits::kGhostsLeast / 2 * 95 / 100);
  EXPECT_LE(remembered_of(limits::kGhostsLeast * 4), limits::kGhostsLeast + 1);
  ghosts_.make_room_for(limits::kGhostsLeast * 8);
  EXPECT_GT(remembered_of(limits::kGhostsLeast * 4), limits::kGhostsLeast * 4 * 95 / 100);
}

TEST_F(GhostsTest, KeepsWhatItHasWhenItGrows) {
  std::vector<Digest> digests;
  for (size_t i = 0; i < limits::kGhostsLeast / 4; ++i) ghosts_.add(digests.emplace_back(draw()));
  ghosts_.make_room_for(limits::kGhostsLeast * 10);
  for (const Digest& digest : digests) EXPECT_TRUE(ghosts_.contains(digest));
}

TEST_F(GhostsTest, TakesSoMuchMemoryAndNoMore) {
  EXPECT_EQ(ghosts_.memory_bytes(), limits::kGhostsLeast * 4);
  ghosts_.make_room_for(limits::kGhostsMost * 10);
  EXPECT_EQ(ghosts_.memory_bytes(), limits::kGhostsMost * 4);
}

}  // namespace
}  // namespace perigee::cache_store

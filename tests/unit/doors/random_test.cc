// Chance: two sources never say the same, and every bit is drawn.
#include "edge/doors/random.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <set>

namespace perigee::edge {
namespace {

TEST(Random, FillsAllOfTheBytesEachTimeAnew) {
  std::array<std::byte, 64> first{};
  std::array<std::byte, 64> second{};
  fill_random(first);
  fill_random(second);
  EXPECT_NE(first, second);
  // That a quarter of 64 random bytes is all zeros happens once in 2^128.
  for (size_t begin = 0; begin < first.size(); begin += 16) {
    EXPECT_FALSE(std::all_of(first.begin() + begin, first.begin() + begin + 16,
                             [](std::byte b) { return b == std::byte{0}; }));
  }
}

TEST(Random, TwoSourcesDifferAndNeitherRepeatsItself) {
  RandomSource first;
  RandomSource second;
  std::set<uint64_t> drawn;
  uint64_t ever_one = 0;
  uint64_t ever_zero = 0;
  for (int i = 0; i < 1'000; ++i) {
    for (RandomSource* source : {&first, &second}) {
      const uint64_t number = source->next();
      drawn.insert(number);
      ever_one |= number;
      ever_zero |= ~number;
    }
  }
  EXPECT_EQ(drawn.size(), 2'000u);
  EXPECT_EQ(ever_one, UINT64_MAX);
  EXPECT_EQ(ever_zero, UINT64_MAX);
}

}  // namespace
}  // namespace perigee::edge

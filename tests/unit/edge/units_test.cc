// Sizes and durations as people write them.
#include "edge/units.h"

#include <gtest/gtest.h>

namespace perigee::edge {
namespace {

TEST(Units, SizesHaveAUnit) {
  EXPECT_EQ(parse_size("4096B"), 4096u);
  EXPECT_EQ(parse_size("64KiB"), 65'536u);
  EXPECT_EQ(parse_size("512MiB"), 512u << 20);
  EXPECT_EQ(parse_size("1GiB"), 1u << 30);
  EXPECT_EQ(parse_size("2TiB"), 2ull << 40);
  EXPECT_EQ(parse_size("5KB"), 5000u);
  EXPECT_EQ(parse_size("5MB"), 5'000'000u);
  EXPECT_EQ(parse_size("5GB"), 5'000'000'000u);
  EXPECT_EQ(parse_size("0B"), 0u);
}

TEST(Units, WhatIsNoSizeIsRefused) {
  for (const char* text : {"", "12", "MiB", "1.5MiB", "-1MiB", "+1MiB", " 1MiB", "1 MiB", "1mib",
                           "1MiB ", "1M", "0x10B", "99999999999999999999B", "9999999999TiB"}) {
    EXPECT_FALSE(parse_size(text)) << text;
  }
}

TEST(Units, DurationsHaveAUnit) {
  EXPECT_EQ(parse_duration_ms("250ms"), 250);
  EXPECT_EQ(parse_duration_ms("30s"), 30'000);
  EXPECT_EQ(parse_duration_ms("5m"), 300'000);
  EXPECT_EQ(parse_duration_ms("1h"), 3'600'000);
  EXPECT_EQ(parse_duration_ms("7d"), 604'800'000);
  EXPECT_EQ(parse_duration_ms("0s"), 0);
}

TEST(Units, WhatIsNoDurationIsRefused) {
  for (const char* text : {"", "30", "s", "1.5s", "-1s", "1 s", "1S", "1min", "1w", "1h30m",
                           "99999999999999999999s", "9999999999999999d"}) {
    EXPECT_FALSE(parse_duration_ms(text)) << text;
  }
}

}  // namespace
}  // namespace perigee::edge

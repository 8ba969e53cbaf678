// Sizes, durations and networks as people write them.
#include "edge/units.h"

#include <gtest/gtest.h>

namespace perigee::edge {
namespace {

base::Address address(std::string_view text) { return *base::Address::parse_host(text, 0); }

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

TEST(Units, ANetworkContainsWhatItsPrefixCovers) {
  const Network ten = *parse_network("10.0.0.0/8");
  EXPECT_TRUE(ten.contains(address("10.255.1.2")));
  EXPECT_FALSE(ten.contains(address("11.0.0.1")));
  EXPECT_FALSE(ten.contains(address("::1")));
  const Network odd = *parse_network("192.0.2.128/25");
  EXPECT_TRUE(odd.contains(address("192.0.2.129")));
  EXPECT_FALSE(odd.contains(address("192.0.2.127")));
  const Network one = *parse_network("192.0.2.7");
  EXPECT_TRUE(one.contains(address("192.0.2.7")));
  EXPECT_FALSE(one.contains(address("192.0.2.8")));
  const Network six = *parse_network("2001:db8::/32");
  EXPECT_TRUE(six.contains(address("2001:db8:1::5")));
  EXPECT_FALSE(six.contains(address("2001:db9::5")));
  const Network all = *parse_network("0.0.0.0/0");
  EXPECT_TRUE(all.contains(address("203.0.113.1")));
  EXPECT_FALSE(all.contains(address("::1"))) << "of one family";
}

TEST(Units, EveryBitOfAPrefixCounts) {
  for (const std::string text : {"165.90.195.60", "a55a:c33c:9669:1ee1:5aa5:3cc3:6996:e11e"}) {
    const base::Address base = address(text);
    const unsigned bits = text.find(':') == std::string::npos ? 32 : 128;
    for (unsigned prefix = 0; prefix <= bits; ++prefix) {
      const Network network = *parse_network(text + "/" + std::to_string(prefix));
      for (unsigned bit = 0; bit < bits; ++bit) {
        base::Address other = base;
        other.bytes[bit / 8] ^= static_cast<uint8_t>(0x80 >> bit % 8);
        EXPECT_EQ(network.contains(other), bit >= prefix)
            << text << "/" << prefix << ", bit " << bit;
      }
    }
  }
}

TEST(Units, AnIpv4PeerOnADualStackSocketIsInItsIpv4Network) {
  EXPECT_TRUE(parse_network("127.0.0.0/8")->contains(address("::ffff:127.0.0.1")));
  EXPECT_TRUE(parse_network("10.0.0.0/8")->contains(address("::ffff:10.1.2.3")));
  EXPECT_FALSE(parse_network("10.0.0.0/8")->contains(address("::ffff:11.1.2.3")));
}

TEST(Units, WhatIsNoNetworkIsRefused) {
  for (const char* text : {"", "/8", "10.0.0.0/33", "::1/129", "10.0.0/8", "10.0.0.0/",
                           "10.0.0.0/8x", "10.0.0.0/-1", "host/8", "10.0.0.0 /8"}) {
    EXPECT_FALSE(parse_network(text)) << text;
  }
}

}  // namespace
}  // namespace perigee::edge

// Which addresses a network contains, and how it is written.
#include "base/network.h"

#include <gtest/gtest.h>

namespace perigee::base {
namespace {

Address address(std::string_view text) { return *Address::parse_host(text, 0); }

TEST(NetworkTest, ANetworkContainsWhatItsPrefixCovers) {
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

TEST(NetworkTest, EveryBitOfAPrefixCounts) {
  for (const std::string text : {"165.90.195.60", "a55a:c33c:9669:1ee1:5aa5:3cc3:6996:e11e"}) {
    const Address first = address(text);
    const unsigned bits = text.find(':') == std::string::npos ? 32 : 128;
    for (unsigned prefix = 0; prefix <= bits; ++prefix) {
      const Network network = *parse_network(text + "/" + std::to_string(prefix));
      for (unsigned bit = 0; bit < bits; ++bit) {
        Address other = first;
        other.bytes[bit / 8] ^= static_cast<uint8_t>(0x80 >> bit % 8);
        EXPECT_EQ(network.contains(other), bit >= prefix)
            << text << "/" << prefix << ", bit " << bit;
      }
    }
  }
}

TEST(NetworkTest, AnIpv4PeerOnADualStackSocketIsInItsIpv4Network) {
  EXPECT_TRUE(parse_network("127.0.0.0/8")->contains(address("::ffff:127.0.0.1")));
  EXPECT_TRUE(parse_network("10.0.0.0/8")->contains(address("::ffff:10.1.2.3")));
  EXPECT_FALSE(parse_network("10.0.0.0/8")->contains(address("::ffff:11.1.2.3")));
}

TEST(NetworkTest, WhatIsNoNetworkIsRefused) {
  for (const char* text : {"", "/8", "10.0.0.0/33", "::1/129", "10.0.0/8", "10.0.0.0/",
                           "10.0.0.0/8x", "10.0.0.0/-1", "host/8", "10.0.0.0 /8"}) {
    EXPECT_FALSE(parse_network(text)) << text;
  }
}

}  // namespace
}  // namespace perigee::base

// Addresses as text and back.
#include "base/address.h"

#include <gtest/gtest.h>

namespace perigee::base {
namespace {

TEST(Address, TextReadsBackAsTheSame) {
  for (const char* text : {"192.0.2.1:80", "127.0.0.1:65535", "[::1]:8080", "[2001:db8::5]:0"}) {
    const std::optional<Address> address = Address::parse(text);
    ASSERT_TRUE(address) << text;
    EXPECT_EQ(address->text(), text);
    EXPECT_EQ(Address::parse(address->text()), address);
  }
}

TEST(Address, APortAloneIsEveryIpv4Address) {
  EXPECT_EQ(Address::parse(":80")->text(), "0.0.0.0:80");
}

TEST(Address, WhatIsNoAddressAndPortIsRefused) {
  for (const char* text :
       {"", "80", "192.0.2.1", "192.0.2.1:", "192.0.2.1:65536", "192.0.2.1:-1", "192.0.2.1:8x",
        "192.0.2:80", "::1:80", "[::1]", "[::1:80", "[]:80", "[192.0.2.1.5]:80", "localhost:80",
        " 192.0.2.1:80", "[0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0001]:80"}) {
    EXPECT_FALSE(Address::parse(text)) << text;
  }
}

TEST(Address, ALiteralIsNoName) {
  EXPECT_EQ(Address::parse_host("192.0.2.1", 7)->text(), "192.0.2.1:7");
  EXPECT_EQ(Address::parse_host("::1", 7)->text(), "[::1]:7");
  EXPECT_FALSE(Address::parse_host("example.test", 7));
  EXPECT_FALSE(Address::parse_host("", 7));
  EXPECT_FALSE(Address::parse_host("[::1]", 7));
}

TEST(Address, LoopbackHasThreeForms) {
  for (const char* text : {"127.0.0.1", "127.255.0.9", "::1", "::ffff:127.0.0.1"}) {
    EXPECT_TRUE(Address::parse_host(text, 0)->is_loopback()) << text;
  }
  for (const char* text : {"128.0.0.1", "::2", "::", "::ffff:128.0.0.1", "1::1"}) {
    EXPECT_FALSE(Address::parse_host(text, 0)->is_loopback()) << text;
  }
  EXPECT_FALSE(Address().is_loopback());
}

TEST(Address, AMappedAddressStandsForItsIpv4Address) {
  EXPECT_EQ(Address::parse("[::ffff:192.0.2.1]:80")->unmapped().text(), "192.0.2.1:80");
  EXPECT_EQ(Address::parse("[::1]:80")->unmapped().text(), "[::1]:80");
  EXPECT_EQ(Address::parse("192.0.2.1:80")->unmapped().text(), "192.0.2.1:80");
}

TEST(Address, NoAddressIsUnknown) { EXPECT_EQ(Address().host_text(), "unknown"); }

}  // namespace
}  // namespace perigee::base

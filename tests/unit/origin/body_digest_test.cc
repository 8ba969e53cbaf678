// Digests of bodies as they come.
#include "origin/body_digest.h"

#include <gtest/gtest.h>

#include <string_view>

namespace perigee::test {
namespace {

using http::DigestAlgorithm;
using origin::BodyDigest;

std::span<const std::byte> bytes(std::string_view text) { return std::as_bytes(std::span(text)); }

// Of "abc", as FIPS 180-4 gives them.
constexpr std::string_view kSha256 = "ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=";
constexpr std::string_view kSha512 =
    "3a81oZNherrMQXNJriBBMRLm+k6JqX6iCp7u5ktV05ohkpkqJ0/BqDa6PCOj/uu9RU1EI2Q86A4qmslPpUyknw==";

bool holds(std::initializer_list<http::AnnouncedDigest> announced, std::string_view body) {
  BodyDigest digest(announced, false);
  for (const char& c : body) digest.add(bytes({&c, 1}));
  return digest.finish();
}

TEST(BodyDigest, OfTheKnownText) {
  EXPECT_EQ(origin::sha256_of(bytes("abc")), kSha256);
  origin::Hasher hasher(DigestAlgorithm::kSha512);
  hasher.add(bytes("a"));
  hasher.add(bytes("bc"));
  EXPECT_EQ(hasher.finish(), kSha512);
}

TEST(BodyDigest, WhatWasAnnouncedIsCompared) {
  const std::string right256(kSha256);
  const std::string right512(kSha512);
  std::string wrong256 = right256;
  wrong256[0] = 'v';
  std::string wrong512 = right512;
  wrong512[85] = 'x';
  EXPECT_TRUE(holds({{DigestAlgorithm::kSha256, right256}}, "abc"));
  EXPECT_TRUE(holds({{DigestAlgorithm::kSha512, right512}}, "abc"));
  EXPECT_FALSE(holds({{DigestAlgorithm::kSha256, right256}}, "abd"));
  EXPECT_FALSE(holds({{DigestAlgorithm::kSha256, right256}}, "ab"));
  EXPECT_FALSE(holds({{DigestAlgorithm::kSha512, wrong512}}, "abc"));
  EXPECT_FALSE(
      holds({{DigestAlgorithm::kSha512, right512}, {DigestAlgorithm::kSha256, wrong256}}, "abc"));
  EXPECT_FALSE(
      holds({{DigestAlgorithm::kSha256, right256}, {DigestAlgorithm::kSha256, wrong256}}, "abc"));
  EXPECT_TRUE(holds({}, "abc"));
}

TEST(BodyDigest, TheSha256IsKnownWhereItIsWanted) {
  BodyDigest wanted({}, true);
  wanted.add(bytes("abc"));
  EXPECT_TRUE(wanted.finish());
  EXPECT_EQ(wanted.sha256(), kSha256);
  BodyDigest unwanted({{DigestAlgorithm::kSha512, std::string(kSha512)}}, false);
  unwanted.add(bytes("abc"));
  EXPECT_TRUE(unwanted.finish());
  EXPECT_EQ(unwanted.sha256(), "");
}

}  // namespace
}  // namespace perigee::test

// Beginnings of keys: which URLs a prefix matches, and that nothing else does.
#include "cache_store/key_prefix.h"

#include <gtest/gtest.h>

#include <random>
#include <string>

#include "base/limits.h"
#include "tests/support/keys.h"

namespace perigee::cache_store {
namespace {

using test::url_key;
using test::variant_key;

bool matches(std::string_view prefix, std::string_view key) {
  const KeyPrefix parsed = KeyPrefix::of(prefix);
  return KeyParts(key).digest(parsed.shape) == parsed.digest;
}

TEST(KeyPrefix, MatchesWhatBeginsSoUnderTheSameSchemeAndSite) {
  const std::string prefix = url_key("a.test", "/css/");
  EXPECT_TRUE(matches(prefix, url_key("a.test", "/css/")));
  EXPECT_TRUE(matches(prefix, url_key("a.test", "/css/main.css?v=1")));
  EXPECT_FALSE(matches(prefix, url_key("a.test", "/css")));
  EXPECT_FALSE(matches(prefix, url_key("a.test", "/cs/main.css")));
  EXPECT_FALSE(matches(prefix, url_key("a.test", "/js/css/")));
  EXPECT_FALSE(matches(prefix, url_key("a.test", "/css/", "http")));
  EXPECT_FALSE(matches(prefix, url_key("b.test", "/css/")));
}

TEST(KeyPrefix, OfAnEmptyTargetIsAllOfASiteAndOfNoOther) {
  const std::string prefix = url_key("a.test", "");
  EXPECT_TRUE(matches(prefix, url_key("a.test", "/")));
  EXPECT_TRUE(matches(prefix, url_key("a.test", "")));
  EXPECT_FALSE(matches(prefix, url_key("a.test.evil", "/")));
  EXPECT_FALSE(matches(prefix, url_key("a.tes", "t/")));
}

/// Fewer parts are a prefix too: here of the site's name.
TEST(KeyPrefix, ItsLastPartMayBeAnyOfThem) {
  const std::string whole = url_key("a.test", "/x");
  const std::string site = url_key("a.te", "");
  const std::string prefix = site.substr(0, site.size() - 4);
  EXPECT_TRUE(matches(prefix, whole));
  EXPECT_TRUE(matches(prefix, url_key("a.te", "/")));
  EXPECT_FALSE(matches(prefix, url_key("b.test", "/x")));
}

TEST(KeyPrefix, OfAVariantTheUrlCounts) {
  const std::string url = url_key("a.test", "/page");
  const std::string variant = variant_key(url, 7, "de");
  EXPECT_EQ(url_key_of(variant, true), url);
  EXPECT_EQ(url_key_of(url, false), url);
  EXPECT_EQ(url_key_of("abc", true), "") << "no variant's key is so";
}

TEST(KeyPrefix, ALongerOneThanIsComparedMatchesMore) {
  const std::string common(base::limits::kPrefixBytes, 'a');
  for (const size_t size : {base::limits::kPrefixBytes, base::limits::kPrefixBytes + 1}) {
    const std::string prefix = url_key("s", std::string(size, 'a'));
    EXPECT_TRUE(matches(prefix, url_key("s", common + "b"))) << "also of what is longer";
    EXPECT_TRUE(matches(prefix, url_key("s", common + "a")));
    EXPECT_FALSE(matches(prefix, url_key("s", common.substr(1))));
  }
}

TEST(KeyPrefix, WhatIsNotMadeOfPartsMatchesNothing) {
  std::mt19937_64 chance(1);
  const std::string prefix = url_key("", "");
  EXPECT_FALSE(matches(prefix, ""));
  EXPECT_FALSE(matches(prefix, "key"));
  EXPECT_FALSE(matches(prefix, std::string_view("\xff\xff\xff\xff", 4)));
  const std::string key = url_key("a.test", "/x");
  for (size_t size = 0; size < key.size(); ++size) {
    EXPECT_FALSE(matches(key, std::string_view(key).substr(0, size))) << size;
  }
  for (int i = 0; i < 10'000; ++i) {
    std::string noise(chance() % 40, 0);
    for (char& c : noise) c = static_cast<char>(chance() % 5);
    (void)KeyParts(noise).digest({static_cast<uint8_t>(chance() % 4), 1});
  }
}

/// A prefix that matches is one of which every byte is compared.
TEST(KeyPrefix, EveryByteCounts) {
  const std::string key = url_key("a.test", "/css/main.css");
  const std::string prefix = url_key("a.test", "/css/main");
  ASSERT_TRUE(matches(prefix, key));
  for (size_t at = 4; at < prefix.size(); ++at) {
    // A length that is wrong makes it no prefix; that of the target may be another one.
    const bool in_a_length = (at >= 9 && at < 13) || (at >= 19 && at < 23);
    if (in_a_length) continue;
    std::string other = prefix;
    other[at] ^= 1;
    EXPECT_FALSE(matches(other, key)) << at;
  }
}

TEST(KeyPrefixDeathTest, TextThatIsNoPrefixIsABug) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH(KeyPrefix::of("abc"), "CHECK failed");
  EXPECT_DEATH(KeyPrefix::of(""), "CHECK failed");
  std::string five;
  for (int i = 0; i < 5; ++i) five += std::string(4, '\0');
  EXPECT_DEATH(KeyPrefix::of(five), "CHECK failed");
}

}  // namespace
}  // namespace perigee::cache_store

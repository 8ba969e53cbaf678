// Digest fields (RFC 9530): which of them are compared, and which are refused.
#include "http/digest_fields.h"

#include <gtest/gtest.h>

#include "tests/support/rule.h"
#include "tests/unit/http/exchange_text.h"

namespace perigee::test {
namespace {

GUARDS("http::announced_digests, http::announced_part_digest, http::refuses_sha256");

using http::DigestAlgorithm;

/// As long as a SHA-256, and as a SHA-512.
const std::string kShort = std::string(43, 's') + "=";
const std::string kLong = std::string(86, 'l') + "==";

/// "256:sss= 512:lll=="
std::string shown(const http::AnnouncedDigest& digest) {
  return (digest.algorithm == DigestAlgorithm::kSha256 ? "256:" : "512:") + digest.base64;
}
std::string announced(std::initializer_list<std::string> lines) {
  const Lines fields(lines);
  std::string text;
  for (const http::AnnouncedDigest& digest : http::announced_digests(fields.fields())) {
    text += (text.empty() ? "" : " ") + shown(digest);
  }
  return text;
}
bool refuses(std::initializer_list<std::string> lines) {
  return http::refuses_sha256(Lines(lines).fields());
}

RULE(DigestFields, OfEachFieldTheLongestIsCompared, "RFC 9530 §2, §3, §5; http-rules 4.6",
     "A recipient may ignore any or all of the digests of a field",
     "SHA-512 or else SHA-256 is compared, of Repr-Digest and of Content-Digest", "") {
  EXPECT_EQ(announced({"Repr-Digest: sha-256=:" + kShort + ":"}), "256:" + kShort);
  EXPECT_EQ(announced({"Content-Digest: sha-512=:" + kLong + ":"}), "512:" + kLong);
  EXPECT_EQ(announced({"Repr-Digest: sha-256=:" + kShort + ":, sha-512=:" + kLong + ":"}),
            "512:" + kLong);
  EXPECT_EQ(
      announced({"Repr-Digest: sha-512=:" + kLong + ":", "repr-digest: sha-256=:" + kShort + ":",
                 "Content-Digest: sha-256=:" + kShort + ":"}),
      "512:" + kLong + " 256:" + kShort);
}

RULE(DigestFields, WhatCannotBeReadSaysNothing, "RFC 9530 §2, §5; RFC 9651 §4.2; http-rules 4.6",
     "A field that does not parse is ignored whole, and unknown algorithms are ignored",
     "it is passed on and compared with nothing", "") {
  for (const std::string& value :
       {std::string("sha-256=" + kShort), std::string("sha-256=\"" + kShort + "\""),
        std::string("md5=:" + kShort + ":"), std::string("sha-256=:c2hvcnQ=:"),
        std::string("sha-512=:" + kShort + ":"), std::string("sha-256=:" + kShort + ":,"),
        std::string("sha-256"), std::string("sha-256=1"), std::string()}) {
    EXPECT_EQ(announced({"Repr-Digest: " + value}), "") << value;
  }
  EXPECT_EQ(announced({"Repr-Digest: sha-256=:" + kShort + ":", "Repr-Digest: ?"}), "");
  EXPECT_EQ(announced({"Digest: sha-256=:" + kShort + ":"}), "");
}

TEST(DigestFields, OfAPartOnlyItsContentIsCompared) {
  const Lines both(
      {"Repr-Digest: sha-256=:" + kShort + ":", "Content-Digest: sha-512=:" + kLong + ":"});
  EXPECT_EQ(shown(*http::announced_part_digest(both.fields())), "512:" + kLong);
  EXPECT_FALSE(
      http::announced_part_digest(Lines({"Repr-Digest: sha-256=:" + kShort + ":"}).fields()));
}

RULE(DigestFields, AWeightOfZeroRefuses, "RFC 9530 §4; http-rules 4.6",
     "0 means not acceptable; a sender may ignore other wishes",
     "only a refused SHA-256 is left out", "repr_digest") {
  EXPECT_TRUE(refuses({"Want-Repr-Digest: sha-256=0"}));
  EXPECT_TRUE(refuses({"Want-Repr-Digest: sha-512=9", "want-repr-digest: sha-256=0"}));
  for (const char* said : {"sha-256=1", "sha-512=5", "sha-512=0", "sha-256", "sha-256=0.0",
                           "sha-256=?0", "sha-256=0,", ""}) {
    EXPECT_FALSE(refuses({std::string("Want-Repr-Digest: ") + said})) << said;
  }
  EXPECT_FALSE(refuses({"Want-Content-Digest: sha-256=0"}));
  EXPECT_FALSE(refuses({}));
}

TEST(DigestFields, OursReadsAsOne) {
  EXPECT_EQ(http::sha256_value("abc="), "sha-256=:abc=:");
  EXPECT_TRUE(http::names_sha256(http::sha256_value(kShort)));
  EXPECT_FALSE(http::names_sha256("sha-512=:" + kLong + ":"));
  EXPECT_FALSE(http::names_sha256("sha-256=1"));
  EXPECT_FALSE(http::names_sha256("sha-256=:"));
}

}  // namespace
}  // namespace perigee::test

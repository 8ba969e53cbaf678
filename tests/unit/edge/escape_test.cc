// Bytes of strangers in a log stay within their quotes and their line.
#include "edge/escape.h"

#include <gtest/gtest.h>

namespace perigee::test {
namespace {

std::string escaped(std::string_view text, size_t most = 1000) {
  std::string out;
  edge::append_escaped(out, text, most);
  return out;
}

TEST(Escape, LeavesPlainTextAsItIs) {
  std::string plain;
  for (char c = 0x20; c < 0x7f; ++c) {
    if (c != '"' && c != '\\') plain.push_back(c);
  }
  EXPECT_EQ(escaped(plain), plain);
}

TEST(Escape, WritesEveryOtherByteAsHexadecimal) {
  EXPECT_EQ(escaped("a\"b\\c"), "a\\x22b\\x5Cc");
  EXPECT_EQ(escaped("\r\n\t\x1b[0m"), "\\x0D\\x0A\\x09\\x1B[0m");
  EXPECT_EQ(escaped("\xc3\xa9\x7f\xff"), "\\xC3\\xA9\\x7F\\xFF");
  EXPECT_EQ(escaped(std::string_view("\0", 1)), "\\x00");
}

TEST(Escape, TakesOnlySoManyBytes) { EXPECT_EQ(escaped("ab\"d", 3), "ab\\x22"); }

}  // namespace
}  // namespace perigee::test

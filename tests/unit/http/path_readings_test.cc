// How origins may read one path, and that it costs little to find out (http-rules 5.6).
#include "http/path_readings.h"

#include <gmock/gmock.h>

#include "tests/support/rule.h"

namespace perigee::http {
namespace {

GUARDS("http::PathReadings, http::is_plain_path");

using testing::Contains;
using testing::Not;

std::vector<std::string> readings(std::string_view path) {
  PathReadings readings;
  const auto all = readings.of(path);
  return {all.begin(), all.end()};
}
std::string canonical(std::string_view path) { return readings(path).front(); }

RULE(PathReadings, Canonical, "RFC 3986 §6.2.2; http-rules 5.6",
     "Percent-encoding and dot segments do not change what a path names",
     "decoded once, slashes merged, dot segments removed", "") {
  EXPECT_EQ(canonical("/a/b"), "/a/b");
  EXPECT_EQ(canonical("/"), "/");
  EXPECT_EQ(canonical(""), "/");
  EXPECT_EQ(canonical("//a///b//"), "/a/b/");
  EXPECT_EQ(canonical("/%61%2fb%5Cc"), "/a/b/c");
  EXPECT_EQ(canonical("/a\\b"), "/a/b");
  EXPECT_EQ(canonical("/%2561"), "/%61");
  EXPECT_EQ(canonical("/%25%36%31"), "/%61") << "decoded once";
  EXPECT_EQ(canonical("/a/..%2fb"), "/b");
  EXPECT_EQ(canonical("/..%2f..%2fb"), "/b");
  EXPECT_EQ(canonical("/a/b/.."), "/a/");
  EXPECT_EQ(canonical("/a/%2e"), "/a/");
  EXPECT_EQ(canonical("/a;x/b"), "/a;x/b");
  EXPECT_EQ(canonical("/a./b"), "/a./b");
  EXPECT_EQ(canonical("/%"), "/%");
  EXPECT_EQ(canonical("/%4"), "/%4");
  EXPECT_EQ(canonical("/%zz%41"), "/%zzA");
}

RULE(PathReadings, Others, "http-rules 5.6", "Origins decode, cut and merge in their own ways",
     "as it came, decoded to the end, without parameters, without dots and spaces at the ends of "
     "segments, with encoded slashes as data, and behind what looks like a host",
     "") {
  EXPECT_THAT(readings("/%2561/..%2fb"), Contains("/%2561/..%2fb"));
  EXPECT_THAT(readings("/%2561"), Contains("/a"));
  EXPECT_THAT(readings("/%25%32%35%36%31"), Contains("/a"));
  EXPECT_THAT(readings("/%61/..%2fb"), Contains("/a/..%2fb"));
  EXPECT_THAT(readings("/a;x=1/b;y"), Contains("/a/b"));
  EXPECT_THAT(readings("/a%3bx/b"), Contains("/a/b"));
  EXPECT_THAT(readings("/a;%2f..%2f../b"), Contains("/b"));
  EXPECT_THAT(readings("/a;%2f../b"), Contains("/b"));
  EXPECT_THAT(readings("/a/..;/b"), Contains("/b"));
  EXPECT_THAT(readings("/a. ./b%20"), Contains("/a/b"));
  EXPECT_THAT(readings("/a/.. /b"), Contains("/b"));
  EXPECT_THAT(readings("/a/.../b"), Contains("/a/b"));
  EXPECT_THAT(readings("//host/a"), Contains("/a"));
  EXPECT_THAT(readings("//host"), Not(Contains("/")));
}

TEST(PathReadings, APlainPathHasOneReading) {
  for (const std::string_view path : {"/", "/a/b.c", "/a/b/", "/a-b_c~d/e.f.g", "/A/b"}) {
    EXPECT_TRUE(is_plain_path(path)) << path;
    for (const std::string& reading : readings(path)) EXPECT_EQ(reading, path);
  }
  for (const std::string_view path :
       {"", "*", "//a", "/a//b", "/a;b", "/%61", "/a./b", "/a.", "/a\\b", "/a b"}) {
    EXPECT_FALSE(is_plain_path(path)) << path;
  }
}

TEST(PathReadings, AreLinearInThePath) {
  // Each decoding of such a path leaves one to decode again: in turns it would take thousands.
  std::string nested = "/%";
  for (int i = 0; i < 100'000; ++i) nested += "25";
  EXPECT_THAT(readings(nested + "61"), Contains("/a"));
}

}  // namespace
}  // namespace perigee::http

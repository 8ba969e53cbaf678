// How a folder reads the path of a request, and how it writes one into a Location.
#include "origin/folder_path.h"

#include <gtest/gtest.h>

namespace perigee::origin {
namespace {

/// The path, "+" behind it when segments were merged, "-" for none.
std::string read(std::string_view target) {
  const std::optional<FolderPath> path = read_folder_path(target);
  return path ? path->text + (path->merged ? "+" : "") : "-";
}

TEST(FolderPaths, AreDecodedOnceWithoutTheirQuery) {
  EXPECT_EQ(read("/"), "");
  EXPECT_EQ(read("/a/b.html?x=/y"), "a/b.html");
  EXPECT_EQ(read("/a%20b/"), "a b/");
  EXPECT_EQ(read("/%2561"), "%61");
  EXPECT_EQ(read("/%C3%a9"), "\xc3\xa9");
  EXPECT_EQ(read("/a%3fb?c"), "a?b");
}

TEST(FolderPaths, ThatNoFileHasAreNone) {
  for (const std::string_view target :
       {"", "*", "a", "?x", "/%", "/a%2", "/%zz", "/%2f", "/a%2Fb", "/a%00b", "http://h/a"}) {
    EXPECT_EQ(read(target), "-") << target;
  }
}

TEST(FolderPaths, LoseEmptySegments) {
  EXPECT_EQ(read("//"), "+");
  EXPECT_EQ(read("//docs"), "docs+");
  EXPECT_EQ(read("//docs/"), "docs/+");
  EXPECT_EQ(read("/docs//"), "docs/+");
  EXPECT_EQ(read("/docs///a//b"), "docs/a/b+");
  EXPECT_EQ(read("///?a//b"), "+");
  EXPECT_EQ(read("/a?//"), "a");
}

TEST(FolderPaths, AreHiddenWhenASegmentBeginsWithADot) {
  for (const std::string_view path :
       {".git", ".git/config", "a/.env", "a/..", "..", ".", "a/./b", ".well-known", "...",
        ".well-known/.x", ".well-known/a/.x", "a/.well-known/b", ".well-knownx/a"}) {
    EXPECT_TRUE(is_hidden(path)) << path;
  }
  for (const std::string_view path :
       {"", "a", "a.b", "a./b", ".well-known/", ".well-known/security.txt", "a/b.c"}) {
    EXPECT_FALSE(is_hidden(path)) << path;
  }
}

TEST(FolderPaths, AreEncodedInALocation) {
  EXPECT_EQ(folder_location("", "//?a=1"), "/?a=1");
  EXPECT_EQ(folder_location("docs/", "/docs"), "/docs/");
  EXPECT_EQ(folder_location("docs/", "/docs?"), "/docs/?");
  EXPECT_EQ(folder_location("a b/%\xc3\xa9?#\\\"\r\n", "/?x=%20//h"),
            "/a%20b/%25%C3%A9%3F%23%5C%22%0D%0A?x=%20//h");
  EXPECT_EQ(folder_location("A-z.0_~!$&'()*+,;=:@", "/"), "/A-z.0_~!$&'()*+,;=:@");
}

/// No target makes a reference with a host (RFC 3986 §4.2).
TEST(FolderPaths, ALocationNeverBeginsAHost) {
  for (const std::string target :
       {"//evil.test/", "///evil.test", "//evil.test//x", "/\\evil.test/", "/%5Cevil.test/",
        "/%5c/evil.test", "//%5C%5Cevil.test", "/;//evil.test", "/%09/evil.test/"}) {
    const std::optional<FolderPath> path = read_folder_path(target);
    ASSERT_TRUE(path) << target;
    const std::string location = folder_location(path->text + "/", target);
    EXPECT_TRUE(location.starts_with('/')) << location;
    EXPECT_FALSE(location.starts_with("//")) << location;
    EXPECT_EQ(location.find('\\'), std::string::npos) << location;
    EXPECT_EQ(location.find('\t'), std::string::npos) << location;
  }
}

}  // namespace
}  // namespace perigee::origin

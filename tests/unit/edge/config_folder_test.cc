// The table of a site whose origin is a folder: what it says, and what is said of mistakes.
#include "tests/unit/edge/config_fixture.h"

namespace perigee::edge {
namespace {

using Folder = origin::DirectoryOriginOptions;

class FolderConfigTest : public ConfigTest {
 protected:
  Folder folder(const std::string& lines) {
    const Config config = good("[[site]]\ndefault = true\norigin = \"dir:public\"\n" + lines);
    return config.sites.empty() ? Folder() : std::get<Folder>(config.sites.front().origin);
  }
  /// What is wrong with a line of the table, which is line 5.
  std::string wrong(const std::string& line) {
    return mistake_in_site("[site.folder]\n" + line + "\n");
  }
};

TEST_F(FolderConfigTest, HasDefaults) {
  for (const std::string lines : {"", "[site.folder]\n", "folder = {}\n"}) {
    const Folder options = folder(lines);
    EXPECT_EQ(options.path, folder_.file("public"));
    EXPECT_EQ(options.cache_control, "max-age=10");
    EXPECT_FALSE(options.follow_links);
    EXPECT_EQ(options.tag, Folder::Tag::kModified);
    EXPECT_EQ(options.index, std::vector<std::string>{"index.html"});
    EXPECT_EQ(options.not_found, "/404.html");
    EXPECT_TRUE(options.clean_urls);
    EXPECT_EQ(options.fallback, "");
    EXPECT_TRUE(options.types.empty());
  }
}

TEST_F(FolderConfigTest, IsRead) {
  const std::string table =
      "follow_links = true\netag = \"content\"\nindex = [\"index.html\", \"index.htm\"]\n"
      "not_found = \"/errors/404.html\"\nclean_urls = false\nfallback = \"/app.html\"\n"
      "types = { MKV = \"video/x-matroska\", \"tar.gz\" = \"application/x-tgz; a=b\" }\n";
  const std::string in_line =
      "folder = { follow_links = true, etag = \"content\", index = [\"index.html\", "
      "\"index.htm\"], not_found = \"/errors/404.html\", clean_urls = false, fallback = "
      "\"/app.html\", types = { mkv = \"video/x-matroska\", \"tar.gz\" = \"application/x-tgz; "
      "a=b\" } }\n";
  const std::string nested = table.substr(0, table.find("types")) +
                             "[site.folder.types]\nmkv = \"video/x-matroska\"\n\"tar.gz\" = "
                             "\"application/x-tgz; a=b\"\n";
  for (const std::string& lines :
       {"[site.folder]\n" + table, in_line, "[site.folder]\n" + nested}) {
    const Folder options = folder(lines);
    EXPECT_TRUE(options.follow_links);
    EXPECT_EQ(options.tag, Folder::Tag::kContent);
    EXPECT_EQ(options.index, (std::vector<std::string>{"index.html", "index.htm"}));
    EXPECT_EQ(options.not_found, "/errors/404.html");
    EXPECT_FALSE(options.clean_urls);
    EXPECT_EQ(options.fallback, "/app.html");
    EXPECT_EQ(options.types, (origin::MediaTypes::Own{{"mkv", "video/x-matroska"},
                                                      {"tar.gz", "application/x-tgz; a=b"}}));
  }
}

TEST_F(FolderConfigTest, EmptyTextsTurnOff) {
  const Folder options = folder("folder = { not_found = \"\", fallback = \"\", index = [] }\n");
  EXPECT_EQ(options.not_found, "");
  EXPECT_EQ(options.fallback, "");
  EXPECT_TRUE(options.index.empty());
  EXPECT_EQ(folder("folder = { etag = \"mtime\" }\n").tag, Folder::Tag::kModified);
}

TEST_F(FolderConfigTest, ItsMistakesAreNamed) {
  EXPECT_EQ(wrong("follow_link = true"),
            "5:1: unknown key 'follow_link' in [site.folder], did you mean 'follow_links'?");
  EXPECT_EQ(wrong("follow_links = 1"), "5:16: 'follow_links' is true or false");
  EXPECT_EQ(wrong("clean_urls = \"yes\""), "5:14: 'clean_urls' is true or false");
  EXPECT_EQ(wrong("etag = \"inode\""), "5:8: 'etag' is one of \"mtime\", \"content\"");
  EXPECT_EQ(wrong("index = \"index.html\""), "5:9: 'index' is a list");
  for (const std::string name : {"", "a/b", "/index.html", ".hidden", ".."}) {
    EXPECT_EQ(wrong("index = [\"" + name + "\"]"),
              "5:10: '" + name + "' is not the name of a file, such as \"index.html\"");
  }
  for (const std::string key : {"not_found", "fallback"}) {
    for (const std::string path :
         {"404.html", "/", "/a/", "//a", "/a//b", "/.git/config", "/../a", "/a/.b"}) {
      EXPECT_EQ(wrong(key + " = \"" + path + "\"").substr(2),
                std::to_string(key.size() + 4) + ": '" + key +
                    "' is a path in the folder, such as \"/404.html\", or empty")
          << path;
    }
  }
}

TEST_F(FolderConfigTest, MistakesInItsTypesAreNamed) {
  EXPECT_EQ(wrong("types = 1"), "5:9: 'types' is a section: [site.folder.types]");
  EXPECT_EQ(wrong("types = { mkv = 1 }"),
            "5:17: the type of 'mkv' is not a media type, such as \"video/webm\"");
  for (const std::string type : {"", "video", "video/", "/webm", "a b/c", "a/b/c", "a/b\\n"}) {
    EXPECT_EQ(wrong("types = { mkv = \"" + type + "\" }").substr(0, 26),
              "5:17: the type of 'mkv' is")
        << type;
  }
  EXPECT_EQ(wrong("types = { \".mkv\" = \"a/b\" }"),
            "5:11: '.mkv' is not a suffix without its dot, such as mkv");
  EXPECT_EQ(wrong("types = { \"\" = \"a/b\" }"),
            "5:11: '' is not a suffix without its dot, such as mkv");
  EXPECT_EQ(wrong("types = { \"a/b\" = \"a/b\" }"),
            "5:11: 'a/b' is not a suffix without its dot, such as mkv");
  EXPECT_EQ(wrong("types = { tar.gz = \"a/b\" }"),
            "5:11: a suffix that holds a dot is quoted, such as \"tar.gz\"");
}

TEST_F(FolderConfigTest, HasSoManyIndexes) {
  std::string names = "\"0.html\"";
  for (size_t i = 1; i < base::limits::kFolderIndexes; ++i) {
    names += ", \"" + std::to_string(i) + ".html\"";
  }
  EXPECT_EQ(folder("folder = { index = [" + names + "] }\n").index.size(),
            base::limits::kFolderIndexes);
  EXPECT_NE(wrong("index = [" + names + ", \"x\"]").find("'index' lists at most 8 names"),
            std::string::npos);
}

TEST_F(FolderConfigTest, StandsBesideAFolderOnly) {
  for (const std::string url : {"http://127.0.0.1:1", "https://a.test"}) {
    EXPECT_EQ(mistake("[[site]]\ndefault = true\norigin = \"" + url +
                      "\"\n[site.folder]\nclean_urls = true\n"),
              "4:1: 'folder' stands beside an origin that is a folder");
    EXPECT_EQ(mistake("[[site]]\ndefault = true\norigin = \"" + url + "\"\nfolder = {}\n"),
              "4:10: 'folder' stands beside an origin that is a folder");
  }
  EXPECT_EQ(mistake_in_site("folder = 1\n"), "4:10: 'folder' is a section: [site.folder]");
  EXPECT_EQ(mistake_in_site("foldr = {}\n"),
            "4:1: unknown key 'foldr' in [[site]], did you mean 'folder'?");
}

TEST_F(FolderConfigTest, BelongsToItsSite) {
  const Config config = good(
      "[[site]]\nhosts = [\"a.test\"]\norigin = \"dir:a\"\n[site.folder]\nclean_urls = false\n"
      "[[site]]\nhosts = [\"b.test\"]\norigin = \"dir:b\"\n");
  EXPECT_FALSE(std::get<Folder>(config.sites[0].origin).clean_urls);
  EXPECT_TRUE(std::get<Folder>(config.sites[1].origin).clean_urls);
}

}  // namespace
}  // namespace perigee::edge

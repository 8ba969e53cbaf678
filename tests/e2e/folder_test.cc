// A folder as origin of the real binary: releases that come and go, what a static host answers, and
// what is said of a folder that is not there.
#include <filesystem>

#include "tests/e2e/harness/site.h"

namespace perigee::e2e {
namespace {

namespace fs = std::filesystem;

/// A site in whose folder no response stays fresh, so that each request asks the folder.
std::string site_of(const std::string& folder, const std::string& lines = "") {
  return "[[site]]\ndefault = true\norigin = \"dir:" + folder + "\"\nttl = \"0s\"\n" + lines;
}

class Folder : public testing::Test {
 protected:
  std::string served() const { return all.file("public"); }
  void release(const std::string& name, const std::string& content) {
    all.write(name + "/index.html", content);
    all.write(name + "/404.html", content + " has it not");
  }
  void point_at(const std::string& name) {
    fs::create_directory_symlink(name, all.file("new"));
    fs::rename(all.file("new"), served());
  }
  TempFolder all;
};

TEST_F(Folder, ALinkThatIsPointedAtTheNextReleaseIsFollowed) {
  release("1", "one");
  release("2", "two");
  point_at("1");
  Node node({.config = site_of(served())});
  Client client(node.port());
  client.get("/").expect(200).expect_body("one");
  point_at("2");
  fs::remove_all(all.file("1"));
  client.get("/").expect(200).expect_body("two");
  client.get("/none").expect(404).expect_body("two has it not");
  client.get("/none.js").expect(404);
}

TEST_F(Folder, AFolderThatIsRenamedIntoPlaceIsServed) {
  release("public", "one");
  release("next", "two");
  Node node({.config = site_of(served())});
  Client client(node.port());
  client.get("/").expect(200).expect_body("one");
  fs::rename(served(), all.file("old"));
  fs::rename(all.file("next"), served());
  client.get("/").expect(200).expect_body("two");
}

TEST_F(Folder, WhileItIsRemovedAndBuiltWhatIsStoredIsServed) {
  release("public", "one");
  all.write("public/a.txt", "a");
  Node node({.config = site_of(served())});
  Client client(node.port());
  client.get("/").expect(200);
  EXPECT_TRUE(eventually([&] {
    return client.get("/", {"Cache-Control: only-if-cached"}).cache().contains("fwd=stale");
  }));
  fs::remove_all(served());
  client.get("/").expect(200).expect_body("one").expect_cache("fwd=stale; detail=stale-if-error");
  client.get("/a.txt").expect(503).expect_body(
      "503 Service Unavailable: the folder of this site cannot be opened now\n");
  release("public", "two");
  client.get("/").expect(200).expect_body("two");
  client.get("/a.txt").expect(404).expect_body("two has it not");
  EXPECT_EQ(node.stop(), 0);
  EXPECT_NE(node.output().find("the folder " + served() + " cannot be opened: No such file"),
            std::string::npos)
      << node.output();
}

TEST_F(Folder, ThatIsNotThereAtStartIsAWarningAndHeals) {
  release("public", "an earlier one");
  Node node({.origin = "dir:" + served()});
  EXPECT_EQ(node.stop(), 0);
  std::filesystem::remove_all(served());
  node.start();
  Client client(node.port());
  client.get("/").expect(503);
  EXPECT_NE(node.output().find("the folder " + served() +
                               " cannot be opened: No such file or "
                               "directory; its site answers 503 until it is there"),
            std::string::npos)
      << node.output();
  release("public", "one");
  client.get("/").expect(200).expect_body("one");
}

TEST_F(Folder, ACheckSaysThatItIsNotThere) {
  const std::string file = all.write("perigee.toml", site_of("public"));
  const auto check = [&] { return run({.arguments = {binary(), "--check", "-c", file}}); };
  const Finished absent = check();
  EXPECT_EQ(absent.exit, 0);
  EXPECT_EQ(absent.out, "configuration OK\n");
  EXPECT_NE(absent.err.find(":3:10: warning: the folder " + served() + " cannot be opened: "),
            std::string::npos)
      << absent.err;
  release("public", "one");
  const Finished there = check();
  EXPECT_EQ(there.exit, 0);
  EXPECT_EQ(there.err.find("the folder"), std::string::npos) << there.err;
}

/// Releases are swapped as fast as can be while clients ask: every answer is of one release, and
/// none is an error.
TEST_F(Folder, UnderLoadNoAnswerMixesReleasesAndNoneIsAnError) {
  for (const std::string name : {"1", "2"}) {
    release(name, name);
    all.write(name + "/large.bin", std::string(300'000, name.front()));
  }
  point_at("1");
  Node node({.config = site_of(served())});
  Client client(node.port());
  for (int round = 0; round < 200; ++round) {
    // The next release is built anew, and the last one is removed, as deployments do.
    const std::string next = round % 2 == 0 ? "2" : "1";
    fs::remove_all(all.file(next));
    release(next, next);
    all.write(next + "/large.bin", std::string(300'000, next.front()));
    Client other(node.port());
    other.send(other.bytes("GET", "/large.bin"));
    point_at(next);
    client.get("/").expect(200).expect_body(next);
    client.get("/none").expect(404).expect_body(next + " has it not");
    const Response large = other.read().expect(200);
    EXPECT_EQ(large.body, std::string(300'000, large.body.front()));
  }
}

TEST_F(Folder, AnswersAsAStaticHostDoes) {
  release("public", "root");
  all.write("public/about.html", "about");
  all.write("public/docs/index.html", "docs");
  all.write("public/empty.txt", "");
  all.write("public/live.m3u8", "#EXTM3U");
  Node node({.origin = "dir:" + served()});
  Client client(node.port());
  client.get("/about").expect(200).expect_body("about");
  client.get("/about.html").expect(200).expect_body("about");
  client.get("/docs?x=1").expect(301).expect_field("Location", "/docs/?x=1");
  client.get("//docs").expect(301).expect_field("Location", "/docs/");
  client.get("//evil.test/").expect(404);
  client.get("/none").expect(404).expect_body("root has it not");
  client.get("/live.m3u8")
      .expect(200)
      .expect_field("Content-Type", "application/vnd.apple.mpegurl");
  client.get("/empty.txt", {"Range: bytes=0-"})
      .expect(416)
      .expect_field("Content-Range", "bytes */0");
  client.get("/empty.txt").expect(200).expect_body("");
}

TEST_F(Folder, DoesWhatItsTableSays) {
  release("public", "app");
  all.write("public/a.txt", "same");
  all.write("public/b.txt", "same");
  all.write("shared/film.mkv", "film");
  fs::create_directory_symlink(all.file("shared"), all.file("public/shared"));
  Node node({.config = site_of(served(),
                               "[site.folder]\nfollow_links = true\netag = \"content\"\n"
                               "fallback = \"/index.html\"\nclean_urls = false\n"
                               "types = { mkv = \"video/x-own\" }\n")});
  Client client(node.port());
  client.get("/shared/film.mkv").expect(200).expect_field("Content-Type", "video/x-own");
  client.get("/user/5").expect(200).expect_body("app");
  client.get("/user/5.js").expect(404).expect_body("app has it not");
  const auto tag = [&](const std::string& target) {
    const std::string field = client.get(target).expect(200).field("ETag");
    return field.starts_with("W/") ? field.substr(2) : field;
  };
  EXPECT_EQ(tag("/a.txt"), tag("/b.txt"));
  EXPECT_NE(tag("/a.txt"), tag("/"));
}

TEST_F(Folder, ALargeFileIsHashedAndServed) {
  const std::string film = tools::pattern_body(20 << 20);
  all.write("public/film", film);
  Node node({.config = site_of(served(), "[site.folder]\netag = \"content\"\n")});
  Client client(node.port());
  const Response first = client.get("/film").expect(200);
  EXPECT_TRUE(first.body == film);
  const Response again = client.get("/film").expect(200);
  EXPECT_TRUE(again.body == film);
}

TEST_F(Folder, AnswersManyClientsOfSeveralLoops) {
  release("public", "one");
  Node node({.config = site_of(served()), .workers = 4});
  std::vector<Client> clients;
  for (int i = 0; i < 50; ++i) clients.emplace_back(node.port());
  for (Client& client : clients) client.send(client.bytes("GET", "/"));
  for (Client& client : clients) client.read().expect(200).expect_body("one");
}

}  // namespace
}  // namespace perigee::e2e

// What operators do to a running node, and what a start and --check tell them.
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <sstream>
#include <thread>

#include "tests/e2e/harness/site.h"
#include "tests/support/main/paths.h"

namespace perigee::e2e {
namespace {

using Operating = SiteTest;

bool holds(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

TEST_F(Operating, SignalsWithoutAMeaningAreLoggedAndTheNodeServesOn) {
  for (const auto& [number, said] :
       {std::pair(SIGHUP, "SIGHUP is ignored"), std::pair(SIGUSR2, "SIGUSR2 is ignored"),
        std::pair(SIGUSR1, "SIGUSR1: ")}) {
    node.process().signal(number);
    ASSERT_TRUE(eventually([&] { return holds(node.output(), said); })) << said;
  }
  get("/a").expect(200);
  EXPECT_EQ(node.stop(), 0);
}

TEST_F(Operating, SigquitDrainsAsSigtermDoes) {
  origin.reply("/slow", {.fields = {max_age(60)}, .body = "late"});
  origin.hold("/slow");
  Client waiting(node.port());
  waiting.send(waiting.bytes("GET", "/slow"));
  ASSERT_TRUE(origin.wait_for("/slow", 1));
  node.process().signal(SIGQUIT);
  ASSERT_TRUE(eventually([&] { return holds(node.output(), "finishing what is in flight"); }));
  // In a drain they have no other meaning: only a second signal that stops does.
  node.process().signal(SIGHUP);
  ASSERT_TRUE(eventually([&] { return holds(node.output(), "SIGHUP is ignored"); }));
  EXPECT_TRUE(node.process().running());
  origin.release("/slow");
  waiting.read().expect(200).expect_body("late");
  EXPECT_EQ(node.process().wait(), 0) << node.output();
}

/// A node whose access log is a file.
class AccessLogFile : public testing::Test {
 protected:
  std::string config(const std::string& log) const {
    return "[log]\naccess = \"" + log + "\"\n[[site]]\ndefault = true\norigin = \"" + origin.url() +
           "\"\n";
  }

  tools::FakeOrigin origin;
  TempFolder folder;
};

TEST_F(AccessLogFile, ALineIsThereWithinASecondOrSo) {
  const std::string log = folder.file("access");
  Node node({.config = config(log)});
  Client(node.port()).get("/a").expect(200);
  EXPECT_TRUE(eventually([&] { return holds(read_file(log), "/a\" 200 "); }));
  EXPECT_TRUE(node.process().running());
}

TEST_F(AccessLogFile, IsRotatedUnderLoadAndEachLineIsInOneFileWhole) {
  constexpr int kClients = 4;
  constexpr int kRequests = 400;
  const std::string log = folder.file("access");
  Node node({.config = config(log)});
  for (int id = 0; id < kClients; ++id) {
    origin.reply("/" + std::to_string(id), {.fields = {"Cache-Control: no-store"}, .body = "x"});
  }
  std::atomic<int> sent{0};
  std::vector<std::thread> clients;
  for (int id = 0; id < kClients; ++id) {
    clients.emplace_back([&, id] {
      Client client(node.port());
      for (int i = 0; i < kRequests; ++i) {
        client.get("/" + std::to_string(id) + "?" + std::to_string(i) + "-end").expect(200);
        ++sent;
      }
    });
  }
  // As logrotate does: rename, then the signal; the next one when a new file is there.
  std::vector<std::string> files;
  while (sent < kClients * kRequests) {
    files.push_back(log + "." + std::to_string(files.size()));
    std::filesystem::rename(log, files.back());
    node.process().signal(SIGUSR1);
    ASSERT_TRUE(eventually([&] { return std::filesystem::exists(log); }));
  }
  for (std::thread& client : clients) client.join();
  EXPECT_EQ(node.stop(), 0);
  files.push_back(log);
  EXPECT_GT(files.size(), 2u);
  std::multiset<std::string> seen;
  for (const std::string& file : files) {
    std::istringstream lines(read_file(file));
    for (std::string line; std::getline(lines, line);) {
      EXPECT_TRUE(line.starts_with("127.0.0.1 [") && line.find(" fwd=uri-miss") == line.rfind(' '))
          << line;
      const size_t begin = line.find("/");
      seen.insert(line.substr(begin, line.find("-end") - begin));
    }
  }
  EXPECT_EQ(seen.size(), static_cast<size_t>(kClients * kRequests));
  for (int i = 0; i < kRequests; ++i) EXPECT_EQ(seen.count("/0?" + std::to_string(i)), 1u) << i;
}

TEST_F(AccessLogFile, AFullDiskIsToldOnceAndTheNodeServesOn) {
  Node node({.config = config("/dev/full")});
  Client(node.port()).get("/a").expect(200);
  const std::string told = "the access log /dev/full cannot be written: No space left on device";
  ASSERT_TRUE(eventually([&] { return holds(node.output(), told); })) << node.output();
  for (int i = 0; i < 300; ++i) Client(node.port()).get("/a").expect(200);
  EXPECT_EQ(node.stop(), 0);
  const std::string output = node.output();
  EXPECT_EQ(output.find(told), output.rfind(told)) << output;
}

TEST_F(AccessLogFile, ThatCannotBeWrittenIsAnErrorAtStart) {
  folder.write("file", "x");
  const std::string log = folder.file("file/access");
  const Finished done =
      run({.arguments = {binary(), "--origin", origin.url(), "--access-log", log, "--listen",
                         "127.0.0.1:0", "--store", folder.file("store")}});
  EXPECT_EQ(done.exit, 1);
  EXPECT_TRUE(holds(done.err, "the access log " + log + " cannot be opened: Not a directory"))
      << done.err;
  EXPECT_FALSE(std::filesystem::exists(folder.file("store")));
}

/// Starts that must fail, and leave nothing behind.
class Starting : public testing::Test {
 protected:
  Finished start(const std::string& origin) const {
    return run({.arguments = {binary(), "--origin", origin, "--listen", "127.0.0.1:0", "--store",
                              store(), "--store-size", "32MiB"}});
  }
  std::string store() const { return folder.file("cache/store"); }

  TempFolder folder;
};

TEST_F(Starting, AMistypedOriginLeavesNoStoreBehind) {
  const Finished no_host = start("http://no-such-host.invalid");
  EXPECT_EQ(no_host.exit, 1);
  EXPECT_TRUE(holds(no_host.err, "no-such-host.invalid cannot be resolved")) << no_host.err;
  EXPECT_TRUE(holds(no_host.err, "no store was made")) << no_host.err;
  EXPECT_FALSE(std::filesystem::exists(folder.file("cache")));
}

TEST_F(Starting, AMissingFolderLeavesNoStoreBehind) {
  const Finished done = start("dir:" + folder.file("public"));
  EXPECT_EQ(done.exit, 1);
  EXPECT_TRUE(holds(done.err, folder.file("public"))) << done.err;
  EXPECT_TRUE(holds(done.err, "no store was made")) << done.err;
  EXPECT_FALSE(std::filesystem::exists(folder.file("cache")));
}

TEST_F(Starting, AMissingFolderIsNoMatterForAStoreThatIsThere) {
  const std::string page = folder.write("public/a.txt", "one");
  const std::string origin = "dir:" + folder.file("public");
  {
    Node node({.origin = origin, .store = store(), .store_size = "32MiB"});
    EXPECT_TRUE(
        eventually([&] { return Client(node.port()).get("/a.txt", {"Host: a.test"}).is_hit(); }));
  }
  std::filesystem::remove_all(folder.file("public"));
  Node node({.origin = origin, .store = store(), .store_size = "32MiB"});
  Client(node.port()).get("/a.txt", {"Host: a.test"}).expect(200).expect_body("one");
}

TEST_F(Starting, APortThatIsTakenLeavesNoStoreBehind) {
  tools::FakeOrigin origin;
  const Finished done =
      run({.arguments = {binary(), "--origin", origin.url(), "--listen",
                         "127.0.0.1:" + std::to_string(origin.port()), "--store", store()}});
  EXPECT_EQ(done.exit, 1);
  EXPECT_TRUE(holds(done.err, "cannot listen on")) << done.err;
  EXPECT_FALSE(std::filesystem::exists(folder.file("cache")));
}

TEST_F(Starting, WithoutASizeAStoreThatIsThereKeepsIts) {
  tools::FakeOrigin origin;
  { const Node node({.origin = origin.url(), .store = store(), .store_size = "32MiB"}); }
  Process node({.arguments = {binary(), "--origin", origin.url(), "--listen", "127.0.0.1:0",
                              "--store", store()}});
  EXPECT_TRUE(eventually([&] {
    return holds(node.err(), "takes 32 MiB of disk, as large as it was: 0 objects");
  })) << node.err();
  node.signal(SIGTERM);
  EXPECT_EQ(node.wait(), 0);
}

TEST_F(Starting, AStoreThatIsThereIsServedFromWhateverNamesSay) {
  tools::FakeOrigin origin;
  origin.reply("/a", {.fields = {max_age(600)}, .body = "one"});
  const auto config = [&](const std::string& url) {
    return "[[site]]\nhosts = [\"a.test\"]\norigin = \"" + url + "\"\n";
  };
  {
    Node node({.config = config(origin.url()), .store = store(), .store_size = "32MiB"});
    EXPECT_TRUE(
        eventually([&] { return Client(node.port()).get("/a", {"Host: a.test"}).is_hit(); }));
  }
  Node node(
      {.config = config("http://no-such-host.invalid"), .store = store(), .store_size = "32MiB"});
  Client(node.port()).get("/a", {"Host: a.test"}).expect(200).expect_body("one");
}

TEST_F(Starting, OneOriginOfSeveralThatIsThereIsEnough) {
  tools::FakeOrigin origin;
  Node node({.config = "[[site]]\nhosts = [\"a.test\"]\norigin = \"http://no-such-host.invalid\"\n"
                       "[[site]]\ndefault = true\norigin = \"" +
                       origin.url() + "\"\n"});
  Client(node.port()).get("/a").expect(200);
  EXPECT_TRUE(holds(node.output(), "no-such-host.invalid cannot be resolved")) << node.output();
}

TEST_F(Starting, TheStartSaysWhatTheStoreTakes) {
  tools::FakeOrigin origin;
  Node node({.origin = origin.url(), .store_size = "32MiB"});
  EXPECT_TRUE(eventually([&] {
    return holds(node.output(),
                 "the store " + node.store() + " takes 32 MiB of disk, as configured: 0 objects");
  })) << node.output();
}

/// --check of a file with this text.
class Check : public testing::Test {
 protected:
  Finished check(const std::string& text, const std::vector<std::string>& more = {}) {
    file = folder.write("perigee.toml", text);
    std::vector<std::string> arguments = {binary(), "--check", "-c",
                                          file,     "--store", folder.file("new/store")};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return run({.arguments = arguments});
  }

  TempFolder folder;
  std::string file;
};

TEST_F(Check, ReportsEveryMistakeWithItsLineAndACaret) {
  const std::string text =
      "[server]\n"
      "listn = []\n"
      "[[site]]\n"
      "default = true\n"
      "origin = \"ftp://x\"\n"
      "ttl = \"5 parsecs\"\n";
  const Finished done = check(text);
  EXPECT_EQ(done.exit, 78);
  EXPECT_EQ(done.out, "");
  EXPECT_EQ(done.err, "perigee: " + file +
                          ":2:1: unknown key 'listn' in [server], did you mean 'listen'?\n"
                          "    listn = []\n"
                          "    ^\n"
                          "perigee: " +
                          file +
                          ":5:10: 'ftp://x' is not an origin: http://host:port, https://host, or "
                          "dir:/folder\n"
                          "    origin = \"ftp://x\"\n"
                          "             ^\n"
                          "perigee: " +
                          file +
                          ":6:7: 'ttl' is a duration with a unit, such as \"30s\"\n"
                          "    ttl = \"5 parsecs\"\n"
                          "          ^\n");
  const Finished started = run({.arguments = {binary(), "-c", file}});
  EXPECT_EQ(started.exit, 78);
  EXPECT_EQ(started.err, done.err) << "a start says the same";
}

TEST_F(Check, WarningsChangeNothingButWhatIsSaid) {
  const Finished done =
      check("[[site]]\ndefault = true\norigin = \"http://no-such-host.invalid\"\nttl = \"0s\"\n");
  EXPECT_EQ(done.exit, 0) << "and no name is asked for";
  EXPECT_EQ(done.out, "configuration OK\n");
  EXPECT_TRUE(holds(done.err, ":4:7: warning: ")) << done.err;
  EXPECT_FALSE(std::filesystem::exists(folder.file("new"))) << "nothing is made";
}

TEST_F(Check, LooksAtFoldersAndFilesToo) {
  folder.write("file", "x");
  const std::string text = "[log]\naccess = \"" + folder.file("file/log") +
                           "\"\n[[site]]\ndefault = true\norigin = \"dir:none\"\n";
  const Finished done = check(text, {"--store-size", "1KiB"});
  EXPECT_EQ(done.exit, 78);
  for (const std::string& part : {file + ":5:10: ", file + ":2:10: the access log ",
                                  std::string("perigee: --store-size: ")}) {
    EXPECT_TRUE(holds(done.err, part)) << part << " in " << done.err;
  }
}

TEST(Install, KeepsAConfigurationThatIsThere) {
  const TempFolder root;
  const std::string config = root.file("etc/perigee/perigee.toml");
  const std::string build = std::filesystem::path(binary()).parent_path().string();
  const auto install = [&] {
    // What is installed has been built already.
    return run({.arguments = {"make", "-s", "-C", test::source_file(""), "-o", "all", "install",
                              "DESTDIR=" + root.path(), "BUILD=" + build}});
  };
  const Finished first = install();
  ASSERT_EQ(first.exit, 0) << first.err;
  const std::string shipped = read_file(test::source_file("conf/perigee.toml"));
  EXPECT_EQ(read_file(config), shipped);
  EXPECT_TRUE(std::filesystem::exists(root.file("usr/local/bin/perigee")));
  EXPECT_TRUE(std::filesystem::exists(root.file("usr/local/bin/perigeectl")));
  EXPECT_FALSE(std::filesystem::exists(config + ".example"));
  root.write("etc/perigee/perigee.toml", "# mine\n");
  const Finished second = install();
  ASSERT_EQ(second.exit, 0) << second.err;
  EXPECT_EQ(read_file(config), "# mine\n");
  EXPECT_EQ(read_file(config + ".example"), shipped);
}

}  // namespace
}  // namespace perigee::e2e

// The command line and the configuration file: what they say, and what is said of mistakes.
#include <signal.h>

#include <algorithm>
#include <filesystem>
#include <iterator>

#include "tests/e2e/harness/site.h"
#include "tests/support/main/paths.h"

namespace perigee::e2e {
namespace {

Finished perigee(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), binary());
  return run({.arguments = std::move(arguments)});
}

TEST(CommandLine, SaysItsVersionAndItsOptions) {
  const Finished version = perigee({"--version"});
  EXPECT_EQ(version.exit, 0);
  EXPECT_EQ(version.out.find("perigee 0."), 0u) << version.out;
  const Finished help = perigee({"--help"});
  EXPECT_EQ(help.exit, 0);
  for (const std::string option :
       {"--origin", "--listen", "--store", "--store-size", "--workers", "--check", "-c"}) {
    EXPECT_NE(help.out.find(option), std::string::npos) << option;
  }
}

TEST(CommandLine, AMistakeIsAUsageError) {
  const std::vector<std::vector<std::string>> mistakes = {
      {},
      {"--nonsense"},
      {"--origin"},
      {"--origin", "ftp://a"},
      {"--origin", "http://a", "--listen", "nowhere"},
      {"--origin", "http://a", "--store-size", "12"},
      {"--origin", "http://a", "--workers", "0"},
      {"--origin", "http://a", "--workers", "257"},
  };
  for (const auto& arguments : mistakes) {
    const Finished done = perigee(arguments);
    EXPECT_EQ(done.exit, 64) << testing::PrintToString(arguments);
    EXPECT_FALSE(done.err.empty());
    EXPECT_EQ(done.out, "");
  }
}

struct Mistake {
  std::string name;
  std::string text;
  std::string place;  ///< ":line:column"
  std::string says;
};
void PrintTo(const Mistake& mistake, std::ostream* out) { *out << mistake.name; }

class Mistakes : public testing::TestWithParam<Mistake> {};

TEST_P(Mistakes, NameTheirPlaceAndWhatIsMeant) {
  TempFolder folder;
  const std::string file = folder.write("perigee.toml", GetParam().text);
  for (const bool check : {true, false}) {
    const Finished done = check ? perigee({"--check", "-c", file}) : perigee({"-c", file});
    EXPECT_EQ(done.exit, 78);
    EXPECT_EQ(done.err.find("perigee: " + file + GetParam().place + ": "), 0u) << done.err;
    EXPECT_NE(done.err.find(GetParam().says), std::string::npos) << done.err;
  }
}

const std::string kSite = "[[site]]\ndefault = true\norigin = \"http://127.0.0.1:1\"\n";
INSTANTIATE_TEST_SUITE_P(
    File, Mistakes,
    testing::Values(Mistake{"UnknownSection", "[serve]\nworkers = 1\n" + kSite, ":1:2", "'server'"},
                    Mistake{"UnknownKey", "[server]\nlistn = []\n" + kSite, ":2:1", "'listen'"},
                    Mistake{"UnknownSiteKey", kSite + "tll = \"1h\"\n", ":4:1", "'ttl'"},
                    Mistake{"BadUnit", kSite + "ttl = \"5 parsecs\"\n", ":4:7", "duration"},
                    Mistake{"NoUnit", kSite + "ttl = 5\n", ":4:7", "duration"},
                    Mistake{"BadSize", "[store]\nsize = \"1GX\"\n" + kSite, ":2:8", "size"},
                    Mistake{"NoOrigin", "[[site]]\ndefault = true\n", ":1:1", "origin"},
                    Mistake{"NoSite", "[server]\nworkers = 1\n", ":1:1", "[[site]]"},
                    Mistake{"BadToml", "[server\n", ":1:8", "]"},
                    Mistake{"BadListen", "[server]\nlisten = [\"here\"]\n" + kSite, ":2:11",
                            "here"}),
    [](const auto& mistake) { return mistake.param.name; });

TEST(Configuration, TheShippedOneIsGood) {
  const Finished done = perigee({"--check", "-c", test::source_file("conf/perigee.toml")});
  EXPECT_EQ(done.exit, 0) << done.err;
  EXPECT_EQ(done.out, "configuration OK\n");
}

TEST(Configuration, AFileThatIsNotThereIsNamed) {
  const Finished done = perigee({"-c", "/nonexistent/perigee.toml"});
  EXPECT_EQ(done.exit, 78);
  EXPECT_NE(done.err.find("/nonexistent/perigee.toml"), std::string::npos) << done.err;
}

TEST(Configuration, SitesAreChosenByHost) {
  tools::FakeOrigin one;
  tools::FakeOrigin two;
  one.reply("/", {.fields = {max_age(60)}, .body = "one"});
  two.reply("/", {.fields = {max_age(60)}, .body = "two"});
  Node node({.config = "[[site]]\nhosts = [\"one.example\", \"www.one.example\"]\norigin = \"" +
                       one.url() + "\"\n[[site]]\nhosts = [\"two.example\"]\norigin = \"" +
                       two.url() + "\"\n"});
  Client client(node.port());
  client.get("/", {"Host: one.example"}).expect(200).expect_body("one");
  EXPECT_EQ(one.last("/")->field("Host"), "one.example");
  client.get("/", {"Host: WWW.One.Example.:80"}).expect(200).expect_body("one");
  client.get("/", {"Host: two.example:9000"}).expect(200).expect_body("two");
  client.get("/", {"Host: three.example"}).expect(421);
  client.get("http://two.example/", {"Host: two.example"}).expect(200).expect_body("two");
}

TEST(Configuration, TheLongestRuleOfAPathWins) {
  tools::FakeOrigin origin;
  Node node({.config = "[[site]]\ndefault = true\norigin = \"" + origin.url() + "\"\n" +
                       "default_ttl = \"1h\"\n"
                       "[[site.rule]]\nprefix = \"/private/\"\nbypass = true\n"
                       "[[site.rule]]\nprefix = \"/private/shared/\"\nttl = \"2h\"\n"});
  const auto get = [&](const std::string& target) {
    return Client(node.port()).get(target).expect(200);
  };
  const auto becomes_hit = [&](const std::string& target) {
    return eventually([&] { return get(target).is_hit(); });
  };
  EXPECT_TRUE(becomes_hit("/silent"));
  EXPECT_TRUE(becomes_hit("/private/shared/a"));
  for (size_t round = 1; round <= 3; ++round) {
    get("/private/a").expect_cache("fwd=bypass");
    EXPECT_EQ(origin.count("/private/a"), round);
  }
}

TEST(Configuration, TtlOverrulesTheLifetimeAndNothingElse) {
  tools::FakeOrigin origin;
  origin.reply("/short", {.fields = {max_age(0)}, .body = "short"});
  origin.reply("/private", {.fields = {"Cache-Control: private"}, .body = "private"});
  origin.reply("/cookie", {.fields = {"Set-Cookie: a=1"}, .body = "cookie"});
  Node node(
      {.config = "[[site]]\ndefault = true\nttl = \"1h\"\norigin = \"" + origin.url() + "\"\n"});
  EXPECT_TRUE(eventually([&] { return Client(node.port()).get("/short").is_hit(); }));
  for (const std::string target : {"/private", "/cookie"}) {
    for (size_t round = 1; round <= 3; ++round) {
      Client(node.port()).get(target).expect(200);
      EXPECT_EQ(origin.count(target), round);
    }
  }
}

TEST(Configuration, FoldersAreFoundBesideTheFile) {
  TempFolder folder;
  folder.write("public/index.html", "hello");
  const std::string file =
      folder.write("perigee.toml", "[[site]]\ndefault = true\norigin = \"dir:public\"\n");
  Process node({.arguments = {binary(), "-c", file, "--listen", "127.0.0.1:0", "--store",
                              folder.file("store"), "--store-size", "32MiB"},
                .folder = "/"});
  uint16_t port = 0;
  ASSERT_TRUE(eventually([&] { return (port = port_in(node.out())) != 0; })) << node.err();
  Client(port).get("/").expect(200).expect_body("hello");
  node.signal(SIGTERM);
  EXPECT_EQ(node.wait(), 0);
}

TEST(Configuration, ListensOnIpv6) {
  tools::FakeOrigin origin;
  Node node({.origin = origin.url(), .listen = "[::1]:0"});
  Client client(node.port(), true);
  client.get("/a").expect(200);
  client.request("PURGE", "/a").expect(200);
}

TEST(Configuration, ListensOnEachAddress) {
  tools::FakeOrigin origin;
  const TempFolder folder;
  const std::string config = folder.write(
      "perigee.toml", "[server]\nlisten = [\"127.0.0.1:0\", \"[::1]:0\"]\n" +
                          ("[[site]]\ndefault = true\norigin = \"" + origin.url()) + "\"\n");
  Process node({.arguments = {binary(), "-c", config, "--store", folder.file("store"),
                              "--store-size", "32MiB", "--workers", "1"}});
  const std::string second = "listening on http://[::1]:";
  std::string out;
  const auto port_of_second = [&] {
    out = node.out();
    return port_in(out.substr(std::min(out.find(second), out.size())));
  };
  ASSERT_TRUE(eventually([&] { return port_of_second() != 0; }));
  Client(port_in(out)).get("/a").expect(200);
  Client(port_of_second(), true).get("/a").expect(200);
  node.signal(SIGTERM);
  EXPECT_EQ(node.wait(), 0);
}

TEST(Configuration, AsManyWorkersServeAsItSays) {
  tools::FakeOrigin origin;
  const auto threads = [](Node& node) {
    const std::string tasks = "/proc/" + std::to_string(node.process().pid()) + "/task";
    const std::filesystem::directory_iterator all(tasks);
    return std::distance(begin(all), end(all));
  };
  Node one({.origin = origin.url(), .workers = 1});
  Node five({.origin = origin.url(), .workers = 5});
  // The first line about a listener may be there before the last thread is.
  EXPECT_TRUE(eventually([&] { return threads(five) - threads(one) == 4; }));
}

TEST(Configuration, AnErrorPageHasASentenceAndTheLogHasTheReason) {
  uint16_t port = 0;
  {
    tools::FakeOrigin gone;
    port = gone.port();
  }
  const std::string address = "127.0.0.1:" + std::to_string(port);
  Node node({.origin = "http://" + address});
  for (int i = 0; i < 3; ++i) {
    Client(node.port())
        .get("/a")
        .expect(502)
        .expect_body("502 Bad Gateway: the origin cannot be reached\n");
  }
  EXPECT_EQ(node.stop(), 0);
  const std::string log = node.output();
  const std::string reason = "no connection to " + address;
  const size_t told = log.find(reason);
  EXPECT_NE(told, std::string::npos) << log;
  EXPECT_EQ(log.find(reason, told + 1), std::string::npos) << "once a minute: " << log;
}

TEST(Configuration, TheAccessLogEscapesWhatAClientSent) {
  TempFolder folder;
  tools::FakeOrigin origin;
  const std::string log = folder.file("access");
  Node node({.config = "[log]\naccess = \"" + log + "\"\n[[site]]\ndefault = true\norigin = \"" +
                       origin.url() + "\"\n"});
  Client(node.port()).get("/a?\" 200 0 0ms hit\\").expect(400);
  Client(node.port()).get("/a?\"200\\", {"Host: a.example"}).expect(200);
  EXPECT_EQ(node.stop(), 0);
  const std::string lines = read_file(log);
  EXPECT_NE(lines.find("\"GET a.example/a?\\x22200\\x5C\" 200 "), std::string::npos) << lines;
}

TEST(Configuration, TheAccessLogSaysTheSameWordAsTheHeader) {
  TempFolder folder;
  tools::FakeOrigin origin;
  origin.reply("/a", {.fields = {max_age(60)}, .body = "one"});
  const std::string log = folder.file("access");
  Node node({.config = "[log]\naccess = \"" + log + "\"\n[[site]]\ndefault = true\norigin = \"" +
                       origin.url() + "\"\n"});
  Client client(node.port());
  client.get("/a", {"Host: a.example"}).expect(200);
  EXPECT_TRUE(
      eventually([&] { return Client(node.port()).get("/a", {"Host: a.example"}).is_hit(); }));
  client.get("/a", {"Host: a.example"}).expect_cache("hit");
  EXPECT_EQ(node.stop(), 0);
  const std::string lines = read_file(log);
  EXPECT_NE(lines.find("\"GET a.example/a\" 200 3 "), std::string::npos) << lines;
  EXPECT_NE(lines.find("fwd=uri-miss stored"), std::string::npos) << lines;
  EXPECT_NE(lines.find("ms hit\n"), std::string::npos) << lines;
}

}  // namespace
}  // namespace perigee::e2e

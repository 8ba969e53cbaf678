// A node's life as its owner sees it: start, kill, restart, drain, and what keeps it from starting.
#include <signal.h>
#include <sys/stat.h>

#include <chrono>
#include <filesystem>
#include <fstream>

#include "tests/e2e/harness/site.h"

namespace perigee::e2e {
namespace {

using Lifecycle = SiteTest;

/// Runs the binary to its end.
Finished perigee(std::vector<std::string> arguments,
                 std::vector<std::pair<int, rlim_t>> limits = {}) {
  arguments.insert(arguments.begin(), binary());
  return run({.arguments = std::move(arguments), .limits = std::move(limits)});
}

TEST_F(Lifecycle, AfterKillMinusNineTheFirstRequestOfACachedPageIsAHit) {
  origin.reply("/a", {.fields = {max_age(600)}, .body = tools::pattern_body(50'000)});
  hit("/a");
  for (int round = 0; round < 3; ++round) {
    node.kill();
    node.start();
    get("/a").expect(200).expect_body(tools::pattern_body(50'000)).expect_cache("hit");
  }
  EXPECT_EQ(origin.count("/a"), 1u);
}

TEST_F(Lifecycle, AnOrderlyStopKeepsEverythingToo) {
  origin.reply("/a", {.fields = {max_age(600)}, .body = "one"});
  hit("/a");
  EXPECT_EQ(node.stop(), 0);
  node.start();
  get("/a").expect(200).expect_body("one").expect_cache("hit");
}

TEST_F(Lifecycle, CachedPagesStayUpWhenTheOriginIsDown) {
  origin.reply("/a", {.fields = {max_age(600)}, .body = "one"});
  hit("/a");
  origin.refuse();
  origin.drop_connections(true);
  for (int round = 0; round < 20; ++round) get("/a").expect(200).expect_cache("hit");
  get("/b").expect(502);
}

TEST_F(Lifecycle, SigtermLetsTheResponseInFlightFinish) {
  origin.reply("/slow", {.fields = {max_age(60)}, .body = "late"});
  origin.hold("/slow");
  Client waiting(node.port());
  waiting.send(waiting.bytes("GET", "/slow"));
  Client idle(node.port());
  idle.get("/other").expect(200);
  ASSERT_TRUE(origin.wait_for("/slow", 1));
  node.process().signal(SIGTERM);
  // What is idle ends at once, what is in flight is waited for.
  EXPECT_EQ(idle.end(), State::kNone);
  EXPECT_TRUE(node.process().running());
  origin.release("/slow");
  waiting.read().expect(200).expect_body("late").expect_field("Connection", "close");
  EXPECT_EQ(node.process().wait(), 0) << node.output();
}

TEST_F(Lifecycle, ADrainIsBounded) {
  Node bounded(
      {.config = "[server]\ndrain_timeout = \"200ms\"\n[[site]]\ndefault = true\norigin = \"" +
                 origin.url() + "\"\n"});
  origin.hold("/slow");
  Client waiting(bounded.port());
  waiting.send(waiting.bytes("GET", "/slow"));
  ASSERT_TRUE(origin.wait_for("/slow", 1));
  const auto begin = std::chrono::steady_clock::now();
  bounded.process().signal(SIGTERM);
  EXPECT_EQ(bounded.process().wait(), 0) << bounded.output();
  // By its own bound, not by the one for a worker that hangs, which is 10 s.
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(8));
  EXPECT_NE(waiting.read().state, State::kWhole);
}

TEST_F(Lifecycle, ASecondSignalStopsAtOnce) {
  origin.hold("/slow");
  Client waiting(node.port());
  waiting.send(waiting.bytes("GET", "/slow"));
  ASSERT_TRUE(origin.wait_for("/slow", 1));
  node.process().signal(SIGINT);
  ASSERT_TRUE(eventually([&] { return node.output().find("second signal") != std::string::npos; }));
  node.process().signal(SIGINT);
  EXPECT_EQ(node.process().wait(), 0) << node.output();
  EXPECT_NE(waiting.read().state, State::kWhole);
}

TEST_F(Lifecycle, ASecondOneOnThePortIsRefusedByName) {
  TempFolder folder;
  const std::string address = "127.0.0.1:" + std::to_string(node.port());
  const Finished second =
      perigee({"--origin", origin.url(), "--listen", address, "--store", folder.file("store")});
  EXPECT_EQ(second.exit, 1);
  EXPECT_NE(second.err.find("cannot listen on " + address), std::string::npos) << second.err;
  get("/a").expect(200);
}

TEST_F(Lifecycle, ASecondOneOnTheStoreIsRefusedByName) {
  const Finished second =
      perigee({"--origin", origin.url(), "--listen", "127.0.0.1:0", "--store", node.store()});
  EXPECT_EQ(second.exit, 1);
  EXPECT_NE(second.err.find(node.store() + " is in use by another perigee"), std::string::npos)
      << second.err;
  get("/a").expect(200);
}

TEST_F(Lifecycle, WithoutAStoreBeingNamedEachOriginHasItsOwn) {
  // The same port, one origin after the other: the second one's pages are not the first one's.
  tools::FakeOrigin other;
  origin.reply("/", {.fields = {max_age(600)}, .body = "one"});
  other.reply("/", {.fields = {max_age(600)}, .body = "other"});
  TempFolder cache;
  uint16_t port = 0;
  for (const auto& [url, body] : {std::pair(origin.url(), "one"), std::pair(other.url(), "other"),
                                  std::pair(origin.url(), "one")}) {
    Process brief({.arguments = {binary(), "--origin", url, "--store-size", "32MiB", "--listen",
                                 "127.0.0.1:" + std::to_string(port)},
                   .environment = {{"XDG_CACHE_HOME", cache.path()}}});
    ASSERT_TRUE(eventually([&] { return (port = port_in(brief.out())) != 0; })) << brief.err();
    EXPECT_TRUE(eventually([&] { return Client(port).get("/").is_hit(); }));
    Client(port).get("/").expect(200).expect_body(body);
    brief.signal(SIGTERM);
    EXPECT_EQ(brief.wait(), 0) << brief.err();
  }
  EXPECT_EQ(origin.count("/") + other.count("/"), 2u);
}

TEST_F(Lifecycle, AStoreInMemoryServesPurgesAndOutlivesItsNode) {
  TempFolder elsewhere("/dev/shm");
  const std::string large = tools::pattern_body(50'000);
  origin.reply("/small", {.fields = {max_age(600)}, .body = "one"});
  origin.reply("/large", {.fields = {max_age(600)}, .body = large});
  Node in_memory({.origin = origin.url(), .store = elsewhere.file("store"), .store_size = "48MiB"});
  const auto is_hit = [&](const std::string& path, const std::string& body) {
    return eventually(
        [&] { return Client(in_memory.port()).get(path).expect_body(body).is_hit(); });
  };
  EXPECT_TRUE(is_hit("/small", "one"));
  EXPECT_TRUE(is_hit("/large", large));
  Client(in_memory.port()).request("PURGE", "/small").expect(200);
  in_memory.kill();
  in_memory.start();
  Client client(in_memory.port());
  client.get("/large").expect(200).expect_body(large).expect_cache("hit");
  client.get("/small").expect(200).expect_body("one").expect_cache("fwd=uri-miss");
}

TEST_F(Lifecycle, ADamagedStoreStartsAllTheSame) {
  origin.reply("/a", {.fields = {max_age(600)}, .body = "one"});
  const uintmax_t size = std::filesystem::file_size(node.store());
  for (const uintmax_t left : {uintmax_t{0}, uintmax_t{100}, size / 2}) {
    hit("/a");
    node.kill();
    std::filesystem::resize_file(node.store(), left);
    node.start();
    hit("/a").expect_body("one");
  }
  node.kill();
  {
    std::fstream file(node.store(), std::ios::binary | std::ios::in | std::ios::out);
    for (uintmax_t at = 0; at < size; at += 1000) file.seekp(static_cast<long>(at)).put('#');
  }
  node.start();
  hit("/a").expect_body("one");
}

TEST_F(Lifecycle, RotIsFoundAndDroppedBeforeAnybodyAsks) {
  const std::string body = "<begin of the body>" + tools::pattern_body(50'000);
  origin.reply("/a", {.fields = {max_age(600)}, .body = body});
  origin.reply("/b", {.fields = {max_age(600)}, .body = "behind it: a start checks the last one"});
  hit("/a");
  hit("/b");
  EXPECT_EQ(node.stop(), 0);
  const std::string store = read_file(node.store());
  const size_t at = store.find("<begin of the body>") + 1000;
  std::fstream(node.store(), std::ios::in | std::ios::out | std::ios::binary)
      .seekp(static_cast<std::streamoff>(at))
      .put(static_cast<char>(store[at] ^ 1));
  node.start();
  EXPECT_TRUE(eventually([&] {
    return node.output().find("damaged records found in the store and dropped: 1") !=
           std::string::npos;
  })) << node.output();
  get("/a").expect(200).expect_body(body).expect_cache("fwd=uri-miss");
  EXPECT_EQ(node.stop(), 0);
  EXPECT_NE(node.output().find(" bytes scrubbed, 1 damaged"), std::string::npos) << node.output();
}

TEST_F(Lifecycle, SomebodysFileIsNeverTakenForAStore) {
  TempFolder folder;
  for (const std::string& content : {std::string("short\n"), tools::pattern_body(1 << 20)}) {
    const std::string file = folder.write("notes.txt", content);
    const Finished done =
        perigee({"--origin", origin.url(), "--listen", "127.0.0.1:0", "--store", file});
    EXPECT_NE(done.exit, 0);
    EXPECT_NE(done.err.find(file), std::string::npos) << done.err;
    EXPECT_TRUE(read_file(file) == content);
  }
}

TEST_F(Lifecycle, AFullDiskIsAClearError) {
  TempFolder folder;
  const std::string store = folder.file("store");
  const Finished done = perigee({"--origin", origin.url(), "--listen", "127.0.0.1:0", "--store",
                                 store, "--store-size", "64MiB"},
                                {{RLIMIT_FSIZE, 1 << 20}});
  EXPECT_EQ(done.exit, 1);
  EXPECT_NE(done.err.find(store), std::string::npos) << done.err;
  EXPECT_NE(done.err.find("allocated"), std::string::npos) << done.err;
  EXPECT_NE(done.err.find("needs 64 MiB, and there is room for "), std::string::npos) << done.err;
  EXPECT_NE(done.err.find("give the store a smaller size"), std::string::npos) << done.err;
  EXPECT_EQ(std::filesystem::file_size(store), 0u);
}

TEST_F(Lifecycle, AStoreThatCannotGrowStaysAsItWas) {
  TempFolder folder;
  const std::string store = folder.file("store");
  { const Node small({.origin = origin.url(), .store = store, .store_size = "32MiB"}); }
  const Finished done = perigee({"--origin", origin.url(), "--listen", "127.0.0.1:0", "--store",
                                 store, "--store-size", "64MiB"},
                                {{RLIMIT_FSIZE, 40 << 20}});
  EXPECT_EQ(done.exit, 1);
  EXPECT_NE(done.err.find(store + " needs 64 MiB"), std::string::npos) << done.err;
  EXPECT_EQ(std::filesystem::file_size(store), 32u << 20);
}

TEST_F(Lifecycle, WithAnotherSizeTheStoreKeepsWhatFits) {
  TempFolder folder;
  const std::string store = folder.file("store");
  constexpr int kPages = 80;
  constexpr const char* kHost = "Host: a.test";  // the port is another one at each start
  for (int i = 0; i < kPages; ++i) {
    origin.reply("/page" + std::to_string(i),
                 {.fields = {max_age(600)}, .body = tools::pattern_body(200'000)});
  }
  const auto hits_with = [&](const std::string& size) {
    Node resized({.origin = origin.url(), .store = store, .store_size = size});
    Client client(resized.port());
    int hits = 0;
    for (int i = 0; i < kPages; ++i) {
      const Response page =
          client.get("/page" + std::to_string(i), {kHost, "Cache-Control: only-if-cached"});
      hits += page.is_hit() ? 1 : 0;
    }
    return hits;
  };
  {
    Node first({.origin = origin.url(), .store = store, .store_size = "64MiB"});
    for (int i = 0; i < kPages; ++i) {
      const std::string page = "/page" + std::to_string(i);
      EXPECT_TRUE(eventually([&] { return Client(first.port()).get(page, {kHost}).is_hit(); }))
          << page;
    }
  }
  EXPECT_EQ(hits_with("96MiB"), kPages);
  EXPECT_EQ(std::filesystem::file_size(store), 96u << 20);
  EXPECT_EQ(hits_with("80MiB"), kPages) << "the slabs at the end were empty";
  const int left = hits_with("18MiB");
  EXPECT_GT(left, 0);
  EXPECT_LT(left, kPages);
  EXPECT_LE(std::filesystem::file_size(store), 18u << 20);
}

}  // namespace
}  // namespace perigee::e2e

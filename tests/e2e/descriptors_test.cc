// A node with few descriptors: clients that do nothing never lock others out, and the node keeps
// those that it needs itself.
#include <signal.h>
#include <sys/resource.h>

#include <cstdlib>
#include <filesystem>

#include "tests/e2e/harness/site.h"

namespace perigee::e2e {
namespace {

constexpr size_t kLimit = 256;
constexpr size_t kReserve = 128;  ///< half of the limit: less than 64 and the origin's 64
constexpr size_t kIdle = 400;

class Descriptors : public SiteTest {
 protected:
  Descriptors() {
    origin.reply("/a", {.fields = {max_age(600)}, .body = "one"});
    origin.reply("/big", {.fields = {"Cache-Control: no-store"}, .body = big});
  }
  size_t open_descriptors() {
    const std::filesystem::directory_iterator all("/proc/" +
                                                  std::to_string(narrow.process().pid()) + "/fd");
    return static_cast<size_t>(std::distance(begin(all), end(all)));
  }
  /// What new clients get: from the store, and from the origin. One connection would be the first
  /// to make room between its two requests.
  void expect_service(const std::string& miss) {
    Client(narrow.port()).get("/a").expect(200).expect_body("one").expect_cache("hit");
    Client(narrow.port()).get(miss).expect(200).expect_cache("fwd=uri-miss");
  }
  void fill_the_store() {
    ASSERT_TRUE(eventually([this] { return Client(narrow.port()).get("/a").is_hit(); }));
  }

  const std::string big = tools::pattern_body(24 << 20);
  Node narrow{{.origin = origin.url(), .limits = {{RLIMIT_NOFILE, kLimit}}}};
};

TEST_F(Descriptors, IdleConnectionsNeverLockOthersOut) {
  fill_the_store();
  // Both are in flight all the while: their readers take nothing.
  std::vector<Client> active;
  std::vector<Response> answers;
  for (int i = 0; i < 2; ++i) {
    Client& client = active.emplace_back(narrow.port());
    client.send(client.bytes("GET", "/big"));
    answers.push_back(client.read_head());
  }
  std::vector<Client> idle;
  for (size_t i = 0; i < kIdle; ++i) {
    Client& client = idle.emplace_back(narrow.port());
    switch (i % 4) {
      case 0:  // never speaks
        break;
      case 1:
        client.send("GET / HT");
        break;
      default:
        client.get("/a").expect(200);
    }
    if (i % 20 == 0) {
      expect_service("/miss" + std::to_string(i));
      EXPECT_LE(open_descriptors(), kLimit - kReserve + 8) << "the origin's few beside";
    }
  }
  expect_service("/last");
  for (size_t i = 0; i < active.size(); ++i) {
    active[i].read_body(answers[i]);
    answers[i].expect(200);
    EXPECT_TRUE(answers[i].body == big) << answers[i].body.size();
  }
}

TEST_F(Descriptors, WhoWasIdleTheLongestIsClosedInOrder) {
  fill_the_store();
  Client first(narrow.port());
  first.get("/a").expect(200);
  std::vector<Client> others;
  for (size_t i = 0; i < kLimit; ++i) others.emplace_back(narrow.port()).get("/a").expect(200);
  EXPECT_EQ(first.end(), State::kNone);
  others.back().get("/a").expect(200);
}

TEST_F(Descriptors, HeadsThatNeverEndLockNobodyOut) {
  fill_the_store();
  std::vector<Client> many;
  for (size_t i = 0; i < kIdle; ++i) many.emplace_back(narrow.port()).send("GET");
  expect_service("/miss");
}

// A login shell's soft limit is often 1024, however much the hard one allows.
TEST_F(SiteTest, TheNodeTakesAllDescriptorsThatTheHardLimitAllows) {
  TempFolder folder;
  Process soft({.arguments = {"sh", "-c", "ulimit -Sn 200; exec \"$@\"", "sh", binary(), "--origin",
                              origin.url(), "--listen", "127.0.0.1:0", "--store",
                              folder.file("store"), "--store-size", "32MiB", "--workers", "1"},
                .limits = {{RLIMIT_NOFILE, 1'000}}});
  constexpr std::string_view kRoom = "room for ";
  ASSERT_TRUE(eventually([&] { return soft.err().find(kRoom) != std::string::npos; }));
  const size_t at = soft.err().find(kRoom) + kRoom.size();
  EXPECT_GT(std::strtoul(soft.err().c_str() + at, nullptr, 10), 500u) << soft.err();
  soft.signal(SIGTERM);
  EXPECT_EQ(soft.wait(), 0) << soft.err();
}

}  // namespace
}  // namespace perigee::e2e

// PURGE as a user sends it: at once, for good, and from nowhere else.
#include <signal.h>

#include <map>
#include <sstream>

#include "tests/e2e/harness/site.h"

namespace perigee::e2e {
namespace {

using Purge = SiteTest;
using tools::FakeRequest;
using tools::Wire;

bool says(const Response& answer, std::string_view words) {
  return answer.body.find(words) != std::string::npos;
}

TEST_F(Purge, RemovesAUrlAndSaysWhetherItWasThere) {
  origin.reply("/a", {.fields = {max_age(600)}, .body = "one"});
  hit("/a");
  const Response first = request("PURGE", "/a").expect(200);
  EXPECT_TRUE(says(first, "\"matched\":1")) << first.body;
  EXPECT_EQ(first.field("Content-Type"), "application/json");
  get("/a").expect(200).expect_cache("fwd=uri-miss");
  const Response other = request("PURGE", "/never").expect(200);
  EXPECT_TRUE(says(other, "\"matched\":0")) << other.body;
  EXPECT_EQ(origin.count("/never"), 0u);
}

TEST_F(Purge, RemovesAllVariants) {
  origin.set("/a", [](FakeRequest& asked, Wire& wire) {
    const std::string body = asked.field("Accept-Language").value_or("none");
    send_reply({.fields = {max_age(600), "Vary: Accept-Language"}, .body = body}, asked, wire);
  });
  hit("/a", {"Accept-Language: fr"});
  hit("/a", {"Accept-Language: de"});
  EXPECT_TRUE(says(request("PURGE", "/a").expect(200), "\"matched\":1"));
  get("/a", {"Accept-Language: fr"}).expect_cache("fwd=uri-miss");
  get("/a", {"Accept-Language: de"}).expect(200).expect_body("de");
  EXPECT_EQ(origin.count("/a"), 4u);
}

TEST_F(Purge, ASoftOneMakesTheCopyStale) {
  for (const std::string line : {"Soft-Purge: 1", "Fastly-Soft-Purge: 1"}) {
    const std::string path = "/" + line.substr(0, line.find(':'));
    origin.reply(path, {.fields = {max_age(600)}, .body = "one", .etag = "\"1\""});
    hit(path);
    EXPECT_TRUE(says(request("PURGE", path, {line}).expect(200), "\"matched\":1"));
    // Checked with the origin, and good again.
    get(path).expect(200).expect_body("one").expect_cache("fwd=stale; fwd-status=304");
    EXPECT_EQ(origin.last(path)->field("If-None-Match"), "\"1\"");
    hit(path);
    EXPECT_EQ(origin.count(path), 2u);
  }
}

TEST_F(Purge, IsRefusedToWhoeverCameThroughAProxy) {
  origin.reply("/a", {.fields = {max_age(600)}, .body = "one"});
  hit("/a");
  for (const std::string line :
       {"X-Forwarded-For: 192.0.2.1", "Via: 1.1 front", "Forwarded: for=_x", "X-Real-IP: 192.0.2.1",
        "X-Forwarded-Proto: https", "CF-Connecting-IP: 192.0.2.1"}) {
    request("PURGE", "/a", {line}).expect(403);
  }
  get("/a").expect_cache("hit");
}

TEST_F(Purge, IsRefusedToAddressesThatAreNotListed) {
  origin.reply("/a", {.fields = {max_age(600)}, .body = "one"});
  Node guarded({.config = "[[site]]\ndefault = true\npurge_from = [\"192.0.2.0/24\"]\norigin = \"" +
                          origin.url() + "\"\n"});
  Client client(guarded.port());
  client.request("PURGE", "/a").expect(403);
  EXPECT_EQ(origin.count("/a"), 0u);
}

/// The system calls that a process makes, written down in their order by strace.
class Trace {
 public:
  Trace(pid_t pid, const std::string& calls)
      : strace_({.arguments = {"strace", "-f", "-s", "64", "-e", "trace=" + calls, "-o",
                               folder_.file("calls"), "-p", std::to_string(pid)}}) {
    EXPECT_TRUE(eventually([this] { return strace_.err().find("attached") != std::string::npos; }))
        << "strace must be installed, and may look at our processes: " << strace_.err();
  }
  /// One line per call. One that was interrupted by another thread's stands where it ended.
  std::vector<std::string> stop() {
    strace_.signal(SIGINT);
    strace_.wait();
    std::istringstream text(read_file(folder_.file("calls")));
    std::map<std::string, std::string> begun;
    std::vector<std::string> lines;
    for (std::string line; std::getline(text, line);) {
      const std::string thread = line.substr(0, line.find(' '));
      const size_t cut = line.find(" <unfinished ...>");
      const size_t resumed = line.find(" resumed>");
      if (cut != std::string::npos) {
        begun[thread] = line.substr(0, cut);
      } else if (resumed != std::string::npos) {
        lines.push_back(begun[thread] + line.substr(resumed + 9));
      } else {
        lines.push_back(line);
      }
    }
    return lines;
  }

 private:
  TempFolder folder_;
  Process strace_;
};

/// For each answer that was sent: how many durable writes had ended before.
std::vector<size_t> durable_before_answers(const std::vector<std::string>& calls) {
  std::vector<size_t> before;
  size_t durable = 0;
  for (const std::string& call : calls) {
    const bool failed = call.find("= -1") != std::string::npos;
    if (call.find("RWF_DSYNC") != std::string::npos && !failed) ++durable;
    if (call.find("\"HTTP/1.1 200") != std::string::npos) before.push_back(durable);
  }
  return before;
}

TEST_F(Purge, IsAnsweredWhenItIsOnStableStorage) {
  const std::vector<std::string> paths = {"/a", "/b", "/c"};
  for (const std::string& path : paths) {
    origin.reply(path, {.fields = {max_age(600)}, .body = "one"});
    hit(path);
  }
  for (const char* method : {"PURGE", "POST"}) {
    SCOPED_TRACE(method);
    for (const std::string& path : paths) hit(path);
    Client client(node.port());
    Trace trace(node.process().pid(), "pwritev2,sendmsg,sendto,write");
    for (const std::string& path : paths) client.request(method, path).expect(200);
    const std::vector<std::string> calls = trace.stop();
    std::string all;
    for (const std::string& call : calls) all += call + "\n";
    std::vector<size_t> before = durable_before_answers(calls);
    // The origin's own answers are not of this process.
    ASSERT_EQ(before.size(), paths.size()) << all;
    for (size_t i = 0; i < before.size(); ++i) EXPECT_GT(before[i], i) << all;
  }
}

TEST_F(Purge, HoldsAfterKillMinusNine) {
  origin.reply("/purged", {.fields = {max_age(600)}, .body = "one"});
  origin.reply("/kept", {.fields = {max_age(600)}, .body = "two"});
  hit("/purged");
  hit("/kept");
  request("PURGE", "/purged").expect(200);
  node.kill();
  node.start();
  get("/kept").expect(200).expect_cache("hit");
  get("/purged").expect(200).expect_cache("fwd=uri-miss");
}

TEST_F(Purge, KeepsAFillThatBeganBeforeItOutOfTheStore) {
  origin.reply("/a", {.fields = {max_age(600)}, .body = "old"});
  origin.hold("/a");
  Client early(node.port());
  early.send(early.bytes("GET", "/a"));
  ASSERT_TRUE(origin.wait_for("/a", 1));
  request("PURGE", "/a").expect(200);
  origin.release("/a");
  early.read().expect(200).expect_body("old");
  origin.reply("/a", {.fields = {max_age(600)}, .body = "new"});
  get("/a").expect(200).expect_body("new").expect_cache("fwd=uri-miss");
  hit("/a").expect_body("new");
}

TEST_F(Purge, WorksAsCurlSendsIt) {
  origin.reply("/a", {.fields = {max_age(600)}, .body = "one"});
  hit("/a");
  const Finished done = curl({"-X", "PURGE", node.url("/a")});
  EXPECT_EQ(done.exit, 0) << done.err;
  EXPECT_NE(done.out.find("\"matched\":1"), std::string::npos) << done.out;
}

}  // namespace
}  // namespace perigee::e2e

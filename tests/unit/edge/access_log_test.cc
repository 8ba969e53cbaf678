// The access log and the counters: what each exchange leaves in them, field by field.
#include "edge/access_log.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <deque>
#include <filesystem>
#include <fstream>

#include "edge/log.h"
#include "tests/support/edge/stand.h"
#include "tests/support/temp_folder.h"

namespace perigee::test {
namespace {

Reply fresh(std::string body) { return Reply(200).cache("max-age=60").body(std::move(body)); }

/// A stand whose access log is a file.
class AccessLogTest : public testing::Test {
 protected:
  AccessLogTest() {
    stand_ =
        std::make_unique<Stand>("[server]\ntrusted_proxies = [\"10.0.0.0/8\"]\n[log]\naccess = \"" +
                                folder_.file("access") + "\"");
    stand_->origin.on("/a", fresh("hello"));
  }
  Stand& stand() { return *stand_; }
  /// A connection that lasts as long as the node.
  Client& connect(std::string_view address = "203.0.113.9:4711") {
    return clients_.emplace_back(stand(), address);
  }
  /// All lines so far. The node ends with it, since what is queued is written at the end.
  std::vector<std::string> lines() {
    clients_.clear();
    stand_.reset();
    EXPECT_TRUE(edge::stop_log());
    edge::start_log("info");
    std::ifstream file(folder_.file("access"));
    std::vector<std::string> all;
    for (std::string line; std::getline(file, line);) all.push_back(line);
    return all;
  }
  using Texts = std::vector<std::string>;

  TempFolder folder_;

 private:
  std::unique_ptr<Stand> stand_;
  std::deque<Client> clients_;
};

TEST_F(AccessLogTest, ALineSaysWhoAskedWhenForWhatAndWhatCameOfIt) {
  stand().origin.hold();
  Client& client = connect();
  client.ask("GET", "/a?b");
  stand().origin.on("/a?b", fresh("hello"));
  stand().pass_ms(250);
  stand().origin.release();
  client.answer();
  stand().run();
  client.ask("GET", "/a?b").answer();
  client.ask("HEAD", "/a?b").answer();
  stand().pass_ms(20'000);
  client.ask("GET", "/a?b", "Range: bytes=1-2\r\n").answer();
  EXPECT_EQ(lines(), (Texts{"203.0.113.9 [Thu, 01 Jan 2026 00:16:40 GMT] \"GET site.test/a?b\" 200 "
                            "5 250ms fwd=uri-miss stored",
                            "203.0.113.9 [Thu, 01 Jan 2026 00:16:40 GMT] \"GET site.test/a?b\" 200 "
                            "5 0ms hit",
                            "203.0.113.9 [Thu, 01 Jan 2026 00:16:40 GMT] \"HEAD site.test/a?b\" "
                            "200 0 0ms hit",
                            "203.0.113.9 [Thu, 01 Jan 2026 00:17:00 GMT] \"GET site.test/a?b\" 206 "
                            "2 0ms hit"}));
}

TEST_F(AccessLogTest, EveryRequestThatIsAnsweredHasItsLine) {
  Client& client = connect("127.0.0.1:4711");
  const auto bytes = [&](std::string_view method, std::string_view target,
                         std::string_view lines = "") {
    return std::to_string(client.ask(method, target, lines).answer().body.size());
  };
  bytes("GET", "/none");
  client.ask("POST", "/a", "", "content").answer();
  bytes("OPTIONS", "*");
  const std::string purged = bytes("PURGE", "/a");
  const std::string gateway = bytes("GET", "/c", "Cache-Control: only-if-cached\r\n");
  const std::string unknown = bytes("GET", "/a", "Host: other.test\r\n");
  Texts ends;
  for (const std::string& line : lines()) ends.push_back(line.substr(line.find('"')));
  EXPECT_EQ(ends, (Texts{"\"GET site.test/none\" 404 0 0ms fwd=uri-miss",
                         "\"POST site.test/a\" 200 5 0ms fwd=method",
                         "\"OPTIONS site.test*\" 204 0 0ms fwd=bypass",
                         "\"PURGE site.test/a\" 200 " + purged + " 0ms fwd=bypass",
                         "\"GET site.test/c\" 504 " + gateway + " 0ms fwd=uri-miss",
                         "\"GET other.test/a\" 421 " + unknown + " 0ms fwd=bypass"}));
}

TEST_F(AccessLogTest, WhoJoinedAFillOfAnotherSaysSo) {
  stand().origin.hold();
  Client& first = connect();
  Client& second = connect("203.0.113.10:4711");
  first.ask("GET", "/a");
  stand().run();
  second.ask("GET", "/a");
  stand().run();
  stand().origin.release();
  first.answer();
  second.answer();
  Texts ends;
  for (const std::string& line : lines()) {
    ends.push_back(line.substr(0, line.find(' ')) + line.substr(line.rfind("ms ") + 2));
  }
  EXPECT_EQ(ends, (Texts{"203.0.113.9 fwd=uri-miss stored",
                         "203.0.113.10 fwd=uri-miss collapsed stored"}));
}

TEST_F(AccessLogTest, BehindATrustedProxyTheAddressIsTheClients) {
  for (const std::string_view peer : {"10.0.0.1:1", "203.0.113.9:1"}) {
    Client(stand(), peer).ask("GET", "/a", "X-Forwarded-For: 198.51.100.7\r\n").answer();
  }
  const Texts all = lines();
  ASSERT_EQ(all.size(), 2u);
  EXPECT_TRUE(all[0].starts_with("198.51.100.7 [")) << all[0];
  EXPECT_TRUE(all[1].starts_with("203.0.113.9 [")) << all[1];
}

TEST_F(AccessLogTest, WhatWasCutOrLeftHasItsLineToo) {
  stand().origin.on("/cut", fresh("hello").stops_after(3));
  Client& cut = connect();
  cut.ask("GET", "/cut");
  cut.arrived();
  stand().origin.reset();
  stand().run();
  stand().origin.hold();
  Client& left = connect();
  left.ask("GET", "/left");
  stand().run();
  left.reset();
  stand().run();
  Client& posted = connect();
  posted.ask("POST", "/left");
  stand().run();
  posted.reset();
  stand().run();
  stand().env.hold_jobs = true;
  Client& purger = connect("127.0.0.1:4711");
  purger.ask("PURGE", "/left");
  stand().run();
  purger.reset();
  stand().run();
  Texts ends;
  for (const std::string& line : lines()) ends.push_back(line.substr(line.find('"')));
  EXPECT_EQ(ends, (Texts{"\"GET site.test/cut\" 200 3 0ms fwd=uri-miss stored",
                         "\"GET site.test/left\" 0 0 0ms fwd=uri-miss",
                         "\"POST site.test/left\" 0 0 0ms fwd=method",
                         "\"PURGE site.test/left\" 0 0 0ms fwd=bypass"}));
}

TEST_F(AccessLogTest, EachPartIsEscapedAndCut) {
  edge::AccessRecord record;
  const std::string method = "G\"" + std::string(2000, 'm');
  const std::string host = "h\\" + std::string(2000, 'h');
  const std::string target = "/\n" + std::string(2000, 't');
  record.method = method;
  record.host = host;
  record.target = target;
  edge::LogConfig config;
  lines();
  config.access = folder_.file("parts");
  {
    edge::AccessLog log(config);
    ASSERT_TRUE(log.status().ok());
    ASSERT_TRUE(log.enabled());
    log.write(record);
  }
  EXPECT_TRUE(edge::stop_log());
  edge::start_log("info");
  std::ifstream file(config.access);
  std::string line;
  std::getline(file, line);
  EXPECT_NE(line.find("\"G\\x22" + std::string(1022, 'm') + " h\\x5C" + std::string(1022, 'h') +
                      "/\\x0A" + std::string(1022, 't') + "\" "),
            std::string::npos)
      << line;
}

TEST(AccessLog, IsOffUnlessItIsAskedFor) {
  for (const std::string access : {"off", ""}) {
    edge::LogConfig config;
    config.access = access;
    EXPECT_FALSE(edge::AccessLog(config).enabled()) << access;
  }
}

TEST(AccessLog, WhatCannotBeOpenedIsNamed) {
  edge::LogConfig config;
  config.access = std::filesystem::temp_directory_path();
  const edge::AccessLog log(config);
  EXPECT_FALSE(log.enabled());
  ASSERT_FALSE(log.status().ok());
  EXPECT_EQ(log.status().error().message,
            "the access log " + config.access + " cannot be opened: Is a directory");
}

TEST(AccessLog, GoesToStandardOutputWhereThatIsAskedFor) {
  testing::internal::CaptureStdout();
  {
    edge::LogConfig config;
    config.access = "stdout";
    edge::AccessLog log(config);
    log.write(
        {.method = "GET", .host = "a.test", .target = "/", .status = 200, .cache = {.hit = true}});
    log.write({.method = "GET", .host = "a.test", .target = "/left"});
  }
  EXPECT_TRUE(edge::stop_log());
  edge::start_log("info");
  const std::string out = testing::internal::GetCapturedStdout();
  EXPECT_NE(out.find("] \"GET a.test/\" 200 0 0ms hit\n"), std::string::npos) << out;
  EXPECT_NE(out.find("] \"GET a.test/left\" 0 0 0ms -\n"), std::string::npos)
      << "its client left before anything was decided: " << out;
}

// --- counters ---

TEST(Metrics, TheSummaryCountsEachThingInItsPlace) {
  Stand stand;
  stand.origin.on("/a", fresh("x"));
  stand.origin.on("/late", Reply(200)
                               .cache("public; max-age=60")
                               .line("Date", "Thu, 01 Jan 2026 00:10:00 GMT")
                               .body("x"));
  size_t bytes = 0;
  for (const char* target : {"/a", "/a", "/a", "/a", "/none", "/late", "/late"}) {
    bytes += stand.get(target).body.size();
  }
  Client(stand).write("BAD\r\n\r\n").answer();
  Client(stand).write("BAD\r\n\r\n").answer();
  stand.origin.go_away();
  for (int i = 0; i < 3; ++i) bytes += stand.ask("POST", "/b").body.size();
  bytes += stand.get("/c").body.size();
  EXPECT_EQ(stand.metrics.summary(),
            "3 hits, 8 forwarded, 2 refused, 6 2xx, 3 4xx, 4 5xx, " + std::to_string(bytes) +
                " bytes of content, 0 cut, "
                "5 fills, 1 stored, 1 failed, 0 invalidations not written at once, "
                "4 failures of origins, 2 with an old Date, 2 with a semicolon in Cache-Control, "
                "0 pages in place of assets, 0 retained, 0 with a wrong digest, 0 coded, 0 of them "
                "found ready, 0 found that are none, 0 not worth coding, 0 failed to code, 0 of "
                "origins not decodable, 0 kept in codings alone, 0 bytes saved in 0 ms of CPU (0 a "
                "second)");
}

TEST(Metrics, CodersAreCountedByWhatCameOfThem) {
  using Outcome = origin::CodingOutcome;
  edge::Metrics metrics(1);
  metrics.on_coded({Outcome::kStored, 10'000, 2'000, false, 5'000});
  metrics.on_coded({Outcome::kStored, 2'000, 1'000, true, 3'000, true});
  metrics.on_coded({Outcome::kNotWorthIt, 4'000, 0, false, 1'000});
  metrics.on_coded({Outcome::kTooSlow, 4'000, 0, false, 1'000});
  metrics.on_coded({Outcome::kFailed, 4'000, 0, false, 0, false, "/a.js.br"});
  metrics.on_coded({Outcome::kNotReady, 4'000, 0, false, 0, true, "/a.js.gz"});
  for (int i = 0; i < 4; ++i) metrics.on_coded({Outcome::kDropped, 4'000});
  for (int i = 0; i < 3; ++i) metrics.on_coded({Outcome::kUndecodable});
  for (const auto kind : {Outcome::kPresent, Outcome::kGone, Outcome::kStopped}) {
    metrics.on_coded({kind, 4'000});
  }
  const std::string summary = metrics.summary();
  const size_t begin = summary.find(", 2 coded");
  ASSERT_NE(begin, std::string::npos) << summary;
  EXPECT_EQ(summary.substr(begin),
            ", 2 coded, 1 of them found ready, 2 found that are none, 2 not worth coding, 1 failed "
            "to code, 3 of origins not decodable, 5 kept "
            "in codings alone, 9000 "
            "bytes saved in 10 ms of CPU "
            "(900000 a second)");
}

TEST(Metrics, ALoopCountsStatusesBytesAndWhatWasCut) {
  Stand stand;
  stand.origin.on("/a", fresh("hello"));
  stand.get("/a");
  stand.get("/a");
  stand.get("/none");
  Client(stand).write("BAD\r\n\r\n").answer();
  const edge::LoopMetrics& loop = stand.metrics.loop(0);
  EXPECT_EQ(loop.statuses[2], 2u);
  EXPECT_EQ(loop.statuses[4], 2u);
  EXPECT_EQ(loop.body_bytes, 10u);
  EXPECT_EQ(loop.cut, 0u);
  EXPECT_EQ(loop.hits, 1u);
  EXPECT_EQ(loop.forwards[static_cast<size_t>(http::Forward::kUriMiss)], 2u);
  stand.origin.on("/cut", fresh("hello").stops_after(3));
  Client cut(stand);
  cut.ask("GET", "/cut");
  cut.arrived();
  stand.origin.reset();
  stand.run();
  EXPECT_EQ(loop.cut, 1u);
  EXPECT_EQ(loop.body_bytes, 13u);
}

TEST(Metrics, TheSummaryIsOfAllLoops) {
  edge::Metrics metrics(3);
  const http::CacheStatus hit{.hit = true};
  for (unsigned i = 0; i < 3; ++i) {
    metrics.loop(i).on_response(200, hit, 1, true);
    metrics.loop(i).on_response(302, {.forward = http::Forward::kMethod}, 4, false);
    metrics.loop(i).on_refused(400);
    metrics.loop(i).on_unwritten_invalidation();
  }
  EXPECT_TRUE(metrics.summary().starts_with(
      "3 hits, 3 forwarded, 3 refused, 3 2xx, 3 3xx, 3 4xx, 15 bytes of content, 3 cut, 0 fills, "
      "0 stored, 0 failed, 3 invalidations not written at once"))
      << metrics.summary();
}

}  // namespace
}  // namespace perigee::test

// Load from wrk: nothing fails while the cache is used hard, purged, and bypassed.
#include "tests/e2e/harness/site.h"

namespace perigee::e2e {
namespace {

class Load : public SiteTest {
 protected:
  /// wrk for a second, over 64 connections.
  ProcessOptions wrk(const std::string& target) const {
    return {.arguments = {"wrk", "-t2", "-c64", "-d1s", "--timeout", "20s", node.url(target)}};
  }
  static void expect_clean(const std::string& report) {
    EXPECT_NE(report.find("requests in"), std::string::npos) << report;
    for (const std::string trouble : {"Socket errors", "Non-2xx"}) {
      EXPECT_EQ(report.find(trouble), std::string::npos) << report;
    }
  }
};

TEST_F(Load, OfHitsNeverFails) {
  origin.reply("/a", {.fields = {max_age(600)}, .body = tools::pattern_body(1'000)});
  hit("/a");
  const Finished done = run(wrk("/a"));
  EXPECT_EQ(done.exit, 0) << done.err;
  expect_clean(done.out);
  EXPECT_EQ(origin.count("/a"), 1u);
}

TEST_F(Load, OfLargeHitsNeverFails) {
  origin.reply("/a", {.fields = {max_age(600)}, .body = tools::pattern_body(400'000)});
  hit("/a");
  const Finished done = run(wrk("/a"));
  expect_clean(done.out);
  EXPECT_EQ(origin.count("/a"), 1u);
}

TEST_F(Load, WhilePurgesComeNeverFailsAndEachPurgeCostsOneFetchAtMost) {
  origin.reply("/a", {.fields = {max_age(600)}, .body = tools::pattern_body(20'000)});
  hit("/a");
  Process load(wrk("/a"));
  size_t purges = 0;
  while (load.running()) {
    request("PURGE", "/a").expect(200);
    ++purges;
  }
  expect_clean(load.out());
  EXPECT_LE(origin.count("/a"), purges + 1);
  EXPECT_GT(origin.count("/a"), 1u);
}

TEST_F(Load, OfWhatCannotBeStoredNeverFails) {
  origin.reply("/a", {.fields = {"Cache-Control: no-store"}, .body = tools::pattern_body(1'000)});
  const Finished done = run(wrk("/a"));
  expect_clean(done.out);
}

TEST_F(Load, MemoryIsGivenBack) {
  origin.reply("/a", {.fields = {max_age(600)}, .body = tools::pattern_body(20'000)});
  hit("/a");
  expect_clean(run(wrk("/a")).out);
  const size_t first = node.memory_bytes();
  for (int round = 0; round < 2; ++round) expect_clean(run(wrk("/a")).out);
  EXPECT_LT(node.memory_bytes(), first + (16 << 20));
}

}  // namespace
}  // namespace perigee::e2e

// Objects that are kept in codings alone: coded hits, decoded ones, ranges and validation.
#include <gtest/gtest.h>

#include <string>

#include "origin/coding_job.h"
#include "tests/support/edge/coded_flow.h"

namespace perigee::test {
namespace {

/// Objects whose bodies lie in their codings alone, as where the store is short.
class FlowShell : public FlowCoding {
 protected:
  FlowShell() {
    stand.origin.on("/a", [this](const Asked& asked) {
      if (asked["If-None-Match"] == "\"v1\"") {
        return Reply(304).cache(cache).etag("\"v1\"").line("X-Asked", "again");
      }
      return page(body, cache);
    });
  }
  /// Gives the body away.
  void drop(std::string_view target = "/a", http::Coding coding = http::Coding::kZstd) {
    const cache_store::Found found = stand.stored(target);
    origin::CodingOutcome outcome;
    origin::CodingJob job(
        stand.store(),
        {std::string(found.head->key), found.digest, found.head->rid, coding,
         origin::CodingWay::kDrop},
        [] { return int64_t{0}; }, [&](const origin::CodingOutcome& made) { outcome = made; });
    const std::atomic<bool> stop{false};
    job.work(stop);
    job.done();
    ASSERT_EQ(outcome.kind, origin::CodingOutcome::kDropped);
    ASSERT_TRUE(is_shell());
  }
  bool is_shell() {
    const cache_store::Found found = stand.stored("/a");
    return found.head && found.head->kind == cache_store::RecordKind::kShell;
  }

  std::string cache = "max-age=60";
  const std::string body = text_of(50'000);
};

TEST_F(FlowShell, WhereTheStoreIsShortTheBodyIsNeverWritten) {
  const auto fill_up = [&] {
    for (int i = 0; !stand.store().is_short(); ++i) {
      const std::string target = "/noise" + std::to_string(i);
      stand.origin.on(target, Reply(200).cache("max-age=60").body(std::string(50'000, 'x')));
      stand.get(target);
      stand.settle();
    }
  };
  fill_up();
  const uint64_t before = stand.store().stats().put_bytes;
  const Answer first = stand.get("/a", kBrowser);
  EXPECT_EQ(first.cache(), "perigee; fwd=uri-miss; fwd-status=200; stored");
  EXPECT_TRUE(first.body == body) << "nobody waits for a coder";
  stand.settle();
  EXPECT_TRUE(is_shell());
  EXPECT_LT(stand.store().stats().put_bytes - before, body.size() / 2);
  EXPECT_TRUE(decoded(stand.get("/a", kBrowser)) == body);
  EXPECT_TRUE(stand.get("/a").body == body);
  EXPECT_EQ(stand.origin.asked_for("/a"), 1u);
  // For clients that take no coding it is kept as it came.
  stand.origin.on("/b", page(body));
  stand.get("/b");
  stand.settle();
  EXPECT_EQ(stand.stored("/b").head->kind, cache_store::RecordKind::kObject);
}

TEST_F(FlowShell, CodedHitsAreAsBefore) {
  const Answer before = warm("/a");
  drop();
  const Answer after = stand.get("/a", kBrowser);
  EXPECT_EQ(after.cache(), "perigee; hit; ttl=60");
  EXPECT_EQ(after["Content-Encoding"], "zstd");
  EXPECT_TRUE(after.body == before.body);
}

TEST_F(FlowShell, TheIdentityIsDecodedAsItIsSent) {
  warm("/a");
  drop();
  for (int i = 0; i < 2; ++i) {
    const Answer plain = stand.get("/a");
    EXPECT_EQ(plain.cache(), "perigee; hit; ttl=60");
    EXPECT_EQ(plain["Content-Encoding"], "");
    EXPECT_EQ(plain["Content-Length"], "50000");
    EXPECT_EQ(plain["ETag"], "\"v1\"") << "these are the bytes of the origin";
    EXPECT_TRUE(plain.body == body);
  }
  EXPECT_EQ(stand.ask("HEAD", "/a")["Content-Length"], "50000");
  EXPECT_EQ(stand.origin.asked_for("/a"), 1u);
  EXPECT_EQ(stand.pins("/a"), 0u);
}

TEST_F(FlowShell, SoAreRanges) {
  warm("/a");
  drop();
  const auto range = [&](std::string_view wanted) {
    return stand.get("/a", std::string(kBrowser) + "Range: bytes=" + std::string(wanted) + "\r\n");
  };
  for (const auto& [wanted, begin, size] :
       {std::tuple<std::string_view, size_t, size_t>{"0-9", 0, 10},
        {"32760-32775", 32'760, 16},
        {"20000-", 20'000, 30'000},
        {"-5", 49'995, 5}}) {
    const Answer part = range(wanted);
    EXPECT_EQ(part.status, 206) << wanted;
    EXPECT_EQ(part["ETag"], "\"v1\"");
    EXPECT_EQ(part["Content-Encoding"], "");
    EXPECT_TRUE(part.body == body.substr(begin, size)) << wanted;
  }
  // Backwards as well.
  const Answer parts = range("40000-40009,10-19,49990-49999");
  EXPECT_EQ(parts.status, 206);
  for (const size_t at : {40'000u, 10u, 49'990u}) {
    EXPECT_NE(parts.body.find(body.substr(at, 10)), std::string::npos) << at;
  }
  EXPECT_EQ(range("50000-").status, 416);
}

TEST_F(FlowShell, OtherCodingsAreMadeOfTheOneThatIsThere) {
  warm("/a", accept("zstd"));
  drop();
  EXPECT_TRUE(stand.get("/a", accept("gzip")).body == body) << "decoded meanwhile";
  stand.settle();
  const Answer answer = stand.get("/a", accept("gzip"));
  EXPECT_EQ(answer["Content-Encoding"], "gzip");
  EXPECT_TRUE(decoded(answer) == body);
  EXPECT_EQ(stand.origin.asked_for("/a"), 1u);
}

TEST_F(FlowShell, A304FreshensIt) {
  warm("/a");
  drop();
  stand.pass_ms(61'000);
  const Answer coded = stand.get("/a", kBrowser);
  EXPECT_EQ(coded.cache(), "perigee; fwd=stale; fwd-status=304; stored; detail=revalidated");
  EXPECT_EQ(coded["Content-Encoding"], "zstd");
  EXPECT_TRUE(decoded(coded) == body);
  stand.settle();
  EXPECT_TRUE(is_shell());
  const Answer hit = stand.get("/a", kBrowser);
  EXPECT_EQ(hit.cache(), "perigee; hit; ttl=60");
  EXPECT_EQ(hit["X-Asked"], "again");
  stand.pass_ms(61'000);
  const Answer plain = stand.get("/a");
  EXPECT_EQ(plain.cache(), "perigee; fwd=stale; fwd-status=304; stored; detail=revalidated");
  EXPECT_EQ(plain["ETag"], "\"v1\"");
  EXPECT_TRUE(plain.body == body);
  stand.settle();
  stand.pass_ms(61'000);
  const Answer part = stand.get("/a", "Range: bytes=5-9\r\n");
  EXPECT_EQ(part.status, 206);
  EXPECT_EQ(part.body, body.substr(5, 5));
}

TEST_F(FlowShell, WhatIsRevalidatedEachTimeIsAnsweredToo) {
  cache = "no-cache";
  warm("/a");
  drop();
  for (int i = 0; i < 3; ++i) {
    EXPECT_TRUE(stand.get("/a").body == body);
    EXPECT_TRUE(decoded(stand.get("/a", kBrowser)) == body);
    stand.settle();
  }
  EXPECT_TRUE(is_shell());
}

TEST_F(FlowShell, A304MayForbidCodings) {
  warm("/a");
  drop();
  stand.pass_ms(61'000);
  cache = "max-age=60, no-transform";
  for (int i = 0; i < 2; ++i) {
    const Answer answer = stand.get("/a", kBrowser);
    EXPECT_EQ(answer["Content-Encoding"], "");
    EXPECT_EQ(answer["ETag"], "\"v1\"");
    EXPECT_TRUE(answer.body == body);
    stand.settle();
  }
}

TEST_F(FlowShell, WithoutItsCodingsItIsFetchedAnew) {
  const Answer coded = warm("/a");
  drop();
  stand.damage(coded.body.substr(0, 64));
  stand.restart();
  const Answer answer = stand.get("/a", kBrowser);
  EXPECT_TRUE(decoded(answer) == body);
  EXPECT_EQ(stand.origin.asked.back()["If-None-Match"], "") << "a 304 would have no body";
  EXPECT_EQ(stand.origin.asked_for("/a"), 2u);
}

TEST_F(FlowShell, IsThereAfterARestart) {
  warm("/a");
  drop();
  stand.restart();
  EXPECT_TRUE(stand.get("/a").body == body);
  stand.restart();
  EXPECT_TRUE(decoded(stand.get("/a", kBrowser)) == body);
  EXPECT_EQ(stand.origin.asked_for("/a"), 1u);
}

TEST_F(FlowShell, ASlowReaderHoldsNoSlabAndGoesOn) {
  warm("/a");
  drop();
  Client client(stand);
  client.reading().capacity = 10'000;
  client.ask("GET", "/a");
  stand.run();
  stand.pass_ms(2 * base::limits::kParkMs);
  EXPECT_EQ(stand.pins("/a"), 0u);
  client.reading().capacity = 1 << 20;
  EXPECT_TRUE(client.answer().body == body);
}

}  // namespace
}  // namespace perigee::test

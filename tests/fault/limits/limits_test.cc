// One case a bound of base/limits.h: what is below it passes, and what is beyond it gets the stated
// answer.
#include "base/limits.h"

#include <gtest/gtest.h>

#include <optional>
#include <set>

#include "http/arena.h"
#include "http/message.h"
#include "origin/fill_table.h"
#include "tests/fault/limits/table.h"
#include "tests/support/edge/stand.h"

namespace perigee::test {
namespace {

namespace limits = base::limits;

Reply fresh(std::string body) { return Reply(200).cache("max-age=3600").body(body); }

/// The status that a request with these bytes gets, and whether the connection ends behind it.
struct Outcome {
  int status;
  bool closed;
  bool operator==(const Outcome&) const = default;
};
std::ostream& operator<<(std::ostream& out, const Outcome& outcome) {
  return out << outcome.status << (outcome.closed ? " and closed" : "");
}
constexpr Outcome kPasses{200, false};

Outcome outcome_of(const std::string& bytes) {
  Stand stand;
  stand.origin.on("/a", fresh("x"));
  Client client(stand);
  client.write(bytes);
  const Answer answer = client.answer();
  return {answer.status, client.saw_end()};
}

std::string get(const std::string& target, const std::string& lines = "") {
  return "GET " + target + " HTTP/1.1\r\nHost: site.test\r\n" + lines + "\r\n";
}

std::string many_fields(size_t count) {
  std::string lines;
  for (size_t i = 0; i < count; ++i) lines += "X-" + std::to_string(i) + ": y\r\n";
  return lines;
}

std::string post(const std::string& chunks) {
  return "POST /a HTTP/1.1\r\nHost: site.test\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks;
}

// --- client to us ---

TEST(Limits, kRequestHeadBytes) {
  // Several fields, each within its own bound.
  const auto head = [](size_t bytes) {
    std::string lines;
    while (bytes - get("/a", lines).size() > 4096) lines += "X: " + std::string(1019, 'a') + "\r\n";
    const size_t left = bytes - get("/a", lines).size();
    return get("/a", lines + "Y: " + std::string(left - 5, 'a') + "\r\n");
  };
  ASSERT_EQ(head(limits::kRequestHeadBytes).size(), limits::kRequestHeadBytes);
  EXPECT_EQ(outcome_of(head(limits::kRequestHeadBytes)), kPasses);
  EXPECT_EQ(outcome_of(head(limits::kRequestHeadBytes + 1)), (Outcome{431, true}));
}

TEST(Limits, kRequestLineBytes) {
  const auto of_size = [](size_t bytes) {
    return get("/" + std::string(bytes - std::string("GET / HTTP/1.1").size(), 'a'));
  };
  EXPECT_EQ(outcome_of(of_size(limits::kRequestLineBytes)).status, 404);
  EXPECT_EQ(outcome_of(of_size(limits::kRequestLineBytes + 1)), (Outcome{414, true}));
}

TEST(Limits, kFieldBytes) {
  const auto field = [](size_t bytes) {
    return get("/a", "X: " + std::string(bytes, 'a') + "\r\n");
  };
  // The name is one byte.
  EXPECT_EQ(outcome_of(field(limits::kFieldBytes - limits::kFieldCharge - 1)), kPasses);
  EXPECT_EQ(outcome_of(field(limits::kFieldBytes - limits::kFieldCharge)), (Outcome{431, true}));
}

TEST(Limits, kFieldCharge) {
  const auto field = [](size_t bytes) {
    return get("/a", "X: " + std::string(bytes - 1, 'a') + "\r\n");
  };
  EXPECT_EQ(outcome_of(field(limits::kFieldBytes - limits::kFieldCharge)), kPasses);
  EXPECT_EQ(outcome_of(field(limits::kFieldBytes - limits::kFieldCharge + 1)),
            (Outcome{431, true}));
}

TEST(Limits, kRequestFields) {
  // Host is one too.
  EXPECT_EQ(outcome_of(get("/a", many_fields(limits::kRequestFields - 1))), kPasses);
  EXPECT_EQ(outcome_of(get("/a", many_fields(limits::kRequestFields))), (Outcome{431, true}));
}

TEST(Limits, kChunkExtensionBytes) {
  const auto extended = [](size_t bytes) {
    return post("1;" + std::string(bytes - 1, 'e') + "\r\nx\r\n0\r\n\r\n");
  };
  EXPECT_EQ(outcome_of(extended(limits::kChunkExtensionBytes)), kPasses);
  EXPECT_EQ(outcome_of(extended(limits::kChunkExtensionBytes + 1)).status, 400);
}

TEST(Limits, kChunkExtensionsBytes) {
  const auto chunks = [](size_t extensions) {
    std::string bytes;
    for (size_t n = 0; extensions > 0; extensions -= n) {
      n = std::min<size_t>(extensions, 128);
      bytes += "1;" + std::string(n - 1, 'e') + "\r\nx\r\n";
    }
    return post(bytes + "0\r\n\r\n");
  };
  EXPECT_EQ(outcome_of(chunks(limits::kChunkExtensionsBytes)), kPasses);
  // A semicolon alone is no extension.
  EXPECT_EQ(outcome_of(chunks(limits::kChunkExtensionsBytes + 2)).status, 400);
}

TEST(Limits, kTrailerBytes) {
  const auto trailer = [](size_t bytes) {
    return post("1\r\nx\r\n0\r\nX: " + std::string(bytes - 4, 't') + "\r\n\r\n");
  };
  EXPECT_EQ(outcome_of(trailer(limits::kTrailerBytes)), kPasses);
  EXPECT_EQ(outcome_of(trailer(limits::kTrailerBytes + 1)).status, 431);
}

TEST(Limits, kUsualRequestBytes) {
  const auto cache_of = [](size_t bytes) {
    Stand stand;
    stand.origin.on("/a", Reply(500).cache("max-age=60").body("x"));
    const size_t others = std::string("/aHost: site.test\r\nX: \r\n").size();
    Client client(stand);
    client.write(get("/a", "X: " + std::string(bytes - others, 'a') + "\r\n"));
    return client.answer().cache();
  };
  EXPECT_NE(cache_of(limits::kUsualRequestBytes).find("stored"), std::string::npos);
  EXPECT_EQ(cache_of(limits::kUsualRequestBytes + 1).find("stored"), std::string::npos);
}

TEST(Limits, kOddPathBytes) {
  // It has several readings, none of which lies within the rule.
  const auto cache_of = [](size_t bytes, const std::string& odd) {
    Stand stand("[[site.rule]]\nprefix = \"/private/\"\nbypass = true\n");
    const std::string target = "/" + odd + std::string(bytes - 1 - odd.size(), 'a');
    stand.origin.on(target, fresh("x"));
    return stand.get(target).cache();
  };
  const std::string stored = "perigee; fwd=uri-miss; fwd-status=200; stored";
  EXPECT_EQ(cache_of(limits::kOddPathBytes, "%20"), stored);
  EXPECT_EQ(cache_of(limits::kOddPathBytes + 1, "%20"), "perigee; fwd=bypass; fwd-status=200");
  EXPECT_EQ(cache_of(limits::kOddPathBytes + 1, ""), stored) << "a plain path is read in one way";
}

std::string connection_line(size_t members) {
  std::string line = "close, Upgrade, TE, Keep-Alive";
  for (size_t i = 0; i < members; ++i) line += ", X-" + std::to_string(i);
  return line;
}

TEST(Limits, kConnectionMembers) {
  const auto asked = [](size_t members) {
    return outcome_of(get("/a", "Connection: " + connection_line(members) + "\r\n"));
  };
  EXPECT_EQ(asked(limits::kConnectionMembers), (Outcome{200, true}));
  EXPECT_EQ(asked(limits::kConnectionMembers + 1), (Outcome{400, true}));
  // The lines of one head count together.
  const std::string half = "Connection: x" + std::string(limits::kConnectionMembers, ',') + "\r\n";
  std::string lines;
  for (size_t i = 0; i < limits::kConnectionMembers; ++i) lines += half;
  EXPECT_EQ(outcome_of(get("/a", lines)), kPasses);
  EXPECT_EQ(outcome_of(get("/a", lines + half)), (Outcome{400, true}));
  const auto answered = [](size_t members) {
    Stand stand;
    stand.origin.on("/a", fresh("x").line("Connection", connection_line(members)));
    return stand.get("/a").status;
  };
  EXPECT_EQ(answered(limits::kConnectionMembers), 200);
  EXPECT_EQ(answered(limits::kConnectionMembers + 1), 502);
}

TEST(Limits, kNamedFields) {
  const auto cache_of = [](size_t names) {
    std::string list;
    for (size_t i = 0; i < names; ++i) list += (i == 0 ? "X-" : ", X-") + std::to_string(i);
    Stand stand;
    stand.origin.on("/a", Reply(200).cache("max-age=60, private=\"" + list + "\"").body("x"));
    return stand.get("/a").cache();
  };
  EXPECT_NE(cache_of(limits::kNamedFields).find("stored"), std::string::npos);
  EXPECT_EQ(cache_of(limits::kNamedFields + 1).find("stored"), std::string::npos) << "private";
}

TEST(Limits, kDictionaryMembers) {
  const auto cache_of = [](size_t keys) {
    std::string dictionary = "max-age=60";
    for (size_t i = 1; i < keys; ++i) dictionary += ",k" + std::to_string(i);
    Stand stand;
    stand.origin.on("/a",
                    Reply(200).cache("no-store").line("CDN-Cache-Control", dictionary).body("x"));
    return stand.get("/a").cache();
  };
  EXPECT_NE(cache_of(limits::kDictionaryMembers).find("stored"), std::string::npos);
  EXPECT_EQ(cache_of(limits::kDictionaryMembers + 1).find("stored"), std::string::npos);
}

TEST(Limits, kVaryNames) {
  const auto cache_of = [](size_t names) {
    std::string vary;
    for (size_t i = 0; i < names; ++i) vary += (i == 0 ? "X-" : ", X-") + std::to_string(i);
    Stand stand;
    stand.origin.on("/a", fresh("x").line("Vary", vary));
    return stand.get("/a").cache();
  };
  EXPECT_NE(cache_of(limits::kVaryNames).find("stored"), std::string::npos);
  EXPECT_EQ(cache_of(limits::kVaryNames + 1).find("stored"), std::string::npos);
}

TEST(Limits, kRangePartsFree) {
  // Spans with gaps between them, so that none are joined.
  const auto status = [](size_t parts) {
    Stand stand;
    stand.origin.on("/a", fresh(std::string(1000, 'x')));
    stand.get("/a");
    std::string spans;
    for (size_t i = 0; i < parts; ++i) {
      const std::string at = std::to_string(i * 10);
      spans += (i == 0 ? "" : ",") + at + "-" + at;
    }
    return stand.get("/a", "Range: bytes=" + spans + "\r\n").status;
  };
  EXPECT_EQ(status(limits::kRangePartsFree), 206);
  EXPECT_EQ(status(limits::kRangePartsFree + 1), 200) << "the whole";
}

// --- us to client ---

TEST(Limits, kCopyBodyBytes) {
  // A copied body lets go of its pin at once, though nothing was taken yet; a lent one holds it.
  for (const bool copied : {true, false}) {
    Stand stand;
    stand.origin.on("/a", fresh(std::string(limits::kCopyBodyBytes + (copied ? 0 : 1), 'x')));
    stand.get("/a");
    Client client(stand);
    client.reading().capacity = 0;
    client.ask("GET", "/a");
    stand.run();
    EXPECT_EQ(stand.pins("/a"), copied ? 0u : 1u);
  }
}

TEST(LimitsDeathTest, kFreshFields) {
  http::ResponseHead head;
  for (size_t i = 0; i < limits::kFreshFields; ++i) head.add_fresh(http::FieldName::kAge, "1");
  EXPECT_DEATH(head.add_fresh(http::FieldName::kAge, "1"), "CHECK failed");
}

TEST(Limits, kArenaBlockBytes) {
  http::Arena arena;
  ASSERT_NE(arena.alloc(1), nullptr);
  EXPECT_EQ(arena.heap_bytes(), limits::kArenaBlockBytes);
  ASSERT_NE(arena.alloc(limits::kArenaBlockBytes / 8), nullptr);
  EXPECT_EQ(arena.heap_bytes(), limits::kArenaBlockBytes) << "the same block";
}

TEST(Limits, kExchangeArenaBytes) {
  http::Arena arena;
  size_t taken = 0;
  while (arena.alloc(1000) != nullptr) taken += 1000;
  EXPECT_LE(taken, limits::kExchangeArenaBytes);
  EXPECT_GT(taken, limits::kExchangeArenaBytes / 2);
  EXPECT_EQ(arena.copy(std::string(2000, 'x')).data(), nullptr);
  arena.reset();
  EXPECT_NE(arena.alloc(1000), nullptr);
}

// --- origin to us ---

TEST(Limits, kOriginHeadBytes) {
  const auto status = [](size_t bytes) {
    Stand stand;
    const size_t others = fresh("").line("X", "").wire("GET").size();
    stand.origin.on("/a", fresh("").line("X", std::string(bytes - others, 'a')));
    return stand.get("/a").status;
  };
  EXPECT_EQ(status(limits::kOriginHeadBytes), 200);
  EXPECT_EQ(status(limits::kOriginHeadBytes + 1), 502);
}

TEST(Limits, kOriginFields) {
  const auto status = [](size_t fields) {
    Stand stand;
    Reply reply = fresh("x");
    // Its Cache-Control and Content-Length are two.
    for (size_t i = 2; i < fields; ++i) reply.line("X-" + std::to_string(i), "y");
    stand.origin.on("/a", reply);
    return stand.get("/a").status;
  };
  EXPECT_EQ(status(limits::kOriginFields), 200);
  EXPECT_EQ(status(limits::kOriginFields + 1), 502);
}

/// Clients of one stand, each with a request of its own for a URL of its own.
std::vector<std::unique_ptr<Client>> ask_many(Stand& stand, size_t count) {
  std::vector<std::unique_ptr<Client>> clients;
  for (size_t i = 0; i < count; ++i) {
    clients.push_back(std::make_unique<Client>(stand));
    const std::string target = "/" + std::to_string(i);
    stand.origin.on(target, fresh(target));
    clients.back()->ask("GET", target);
  }
  stand.run();
  return clients;
}

TEST(Limits, kOriginConnections) {
  Stand stand;
  stand.origin.hold();
  const auto clients = ask_many(stand, limits::kOriginConnections + 6);
  EXPECT_EQ(stand.origin.open_connections(), limits::kOriginConnections);
  stand.origin.release();
  for (size_t i = 0; i < clients.size(); ++i) {
    EXPECT_EQ(clients[i]->answer().body, "/" + std::to_string(i));
  }
  EXPECT_LE(stand.origin.open_connections(), limits::kOriginConnections);
}

TEST(Limits, kFills) {
  const std::string connections = "origin_connections = 1000\n";
  Stand stand(connections +
              "[[site]]\nhosts = [\"other.test\"]\norigin = \"http://127.0.0.1:9\"\n" +
              connections);
  stand.origin.hold();
  // One more than may ask: it waits in line, and nobody is turned away.
  const auto clients = ask_many(stand, limits::kFills + 1);
  EXPECT_EQ(stand.origin.asked.size(), limits::kFills);
  // One site's slow origin takes no other site's turn.
  Client other(stand);
  other.ask("GET", "/other", "Host: other.test\r\n");
  stand.run();
  EXPECT_EQ(stand.origin.asked.size(), limits::kFills + 1);
  EXPECT_EQ(clients.back()->answer().status, 0);
  EXPECT_EQ(clients.front()->answer().status, 0);
  stand.origin.release();
  for (size_t i = 0; i < clients.size(); ++i) EXPECT_EQ(clients[i]->answer().status, 200) << i;
}

TEST(Limits, kFillsWaiting) {
  Stand stand;
  stand.origin.on("/stale", fresh("stale"));
  stand.get("/stale");
  stand.env.step_wall(4'000'000);
  stand.origin.hold();
  const auto clients = ask_many(stand, limits::kFills + limits::kFillsWaiting + 1);
  EXPECT_EQ(clients.back()->answer().status, 503) << "one more than may wait";
  EXPECT_EQ(stand.metrics.origin_failures(), 1u) << "and that is told";
  EXPECT_EQ(clients[clients.size() - 2]->answer().status, 0) << "waits";
  EXPECT_EQ(stand.get("/stale").body, "stale") << "a copy covers what finds no place in the line";
}

TEST(Limits, kUnstoredWindowBytes) {
  // A body that is not stored is paced by its reader: the origin is not read further than the
  // window.
  Stand stand;
  constexpr size_t kSize = 5'000'000;
  stand.origin.on("/a", Reply(200).cache("no-store").body(std::string(kSize, 'x')));
  Client client(stand);
  client.reading().capacity = 1000;
  client.ask("GET", "/a");
  stand.run();
  const size_t taken = kSize - stand.origin.unread();
  EXPECT_LE(taken, limits::kUnstoredWindowBytes + 4 * limits::kFillChunkBytes);
  EXPECT_GE(taken, limits::kFillChunkBytes);
}

class Unobserved final : public origin::FillObserver {
 public:
  void on_fill_begun() override {}
  void on_fill_ended(bool, bool) override {}
};

TEST(Limits, kHitForMissMarks) {
  Stand stand;
  base::Budget budget(1);
  Unobserved observer;
  origin::FillTable table({stand.store(), budget, observer});
  const auto digest = [](uint64_t n) { return cache_store::Digest{n, n}; };
  const base::Tick now = stand.env.now();
  for (uint64_t n = 1; n <= limits::kHitForMissMarks; ++n) table.mark(digest(n), now);
  EXPECT_TRUE(table.marked(digest(1), now));
  table.mark(digest(limits::kHitForMissMarks + 1), now);
  EXPECT_FALSE(table.marked(digest(1), now)) << "the oldest goes";
  EXPECT_TRUE(table.marked(digest(2), now));
  EXPECT_TRUE(table.marked(digest(limits::kHitForMissMarks + 1), now));
}

// --- loop to pool ---

TEST(Limits, kLatencyJobs) {
  // At the bound a cold record is fetched instead, and a purge is 503.
  Stand stand;
  stand.origin.on("/a", fresh("x"));
  stand.get("/a");
  stand.restart();
  stand.env.lane_capacity[static_cast<size_t>(base::Lane::kLatency)] = 0;
  EXPECT_EQ(stand.get("/a").status, 200);
  EXPECT_EQ(stand.origin.asked.size(), 2u);
  Client admin(stand, "127.0.0.1:1");
  EXPECT_EQ(admin.ask("PURGE", "/a").answer().status, 503);
}

TEST(Limits, kStoreJobs) {
  // At the bound the response is answered and not stored.
  Stand stand;
  stand.origin.on("/a", fresh("x"));
  stand.env.lane_capacity[static_cast<size_t>(base::Lane::kStore)] = 0;
  EXPECT_EQ(stand.get("/a").status, 200);
  EXPECT_EQ(stand.get("/a").status, 200);
  EXPECT_EQ(stand.origin.asked.size(), 2u);
}

// --- the store ---

/// Why the stand's store refuses this draft; nullopt: it is stored.
std::optional<base::ErrorCode> refusal(Stand& stand, cache_store::Draft draft) {
  draft.base = stand.store().digest(draft.key);
  draft.ticket = stand.store().ticket();
  const base::Result<cache_store::Found> result = stand.store().put(draft);
  return result.ok() ? std::nullopt : std::optional(result.error().code);
}

TEST(Limits, kKeyBytes) {
  Stand stand;
  const std::string key(limits::kKeyBytes + 1, 'k');
  const std::string_view most = std::string_view(key).substr(1);
  EXPECT_EQ(refusal(stand, {.key = most}), std::nullopt);
  EXPECT_EQ(refusal(stand, {.key = key}), base::ErrorCode::kNoSpace);
}

TEST(Limits, kHeadImageBytes) {
  Stand stand;
  const std::vector<std::byte> head(limits::kHeadImageBytes + 1);
  EXPECT_EQ(refusal(stand, {.key = "most", .head = std::span(head).subspan(1)}), std::nullopt);
  EXPECT_EQ(refusal(stand, {.key = "more", .head = head}), base::ErrorCode::kNoSpace);
}

TEST(Limits, kTags) {
  Stand stand;
  const std::vector<uint64_t> tags(limits::kTags + 1, 7);
  EXPECT_EQ(refusal(stand, {.key = "most", .tags = std::span(tags).subspan(1)}), std::nullopt);
  EXPECT_EQ(refusal(stand, {.key = "more", .tags = tags}), base::ErrorCode::kNoSpace);
}

// --- times ---

TEST(Limits, kOriginIdleMs) {
  Stand stand;
  stand.origin.on("/a", fresh("x"));
  stand.get("/a");
  stand.pass_ms(limits::kOriginIdleMs - 500);
  EXPECT_EQ(stand.origin.open_connections(), 1u);
  stand.pass_ms(1000);
  EXPECT_EQ(stand.origin.open_connections(), 0u);
}

TEST(Limits, kHitForMissMs) {
  Stand stand;
  stand.origin.on("/a", Reply(200).cache("no-store").body("x"));
  stand.get("/a");
  stand.origin.hold();
  // While the mark stands, requests do not wait for one another.
  const auto asks = [&] {
    Client one(stand);
    Client two(stand);
    one.ask("GET", "/a");
    two.ask("GET", "/a");
    stand.run();
    const size_t asked = stand.origin.asked.size();
    stand.origin.release();
    stand.run();
    stand.origin.hold();
    return asked;
  };
  stand.pass_ms(limits::kHitForMissMs - 1000);
  EXPECT_EQ(asks(), 3u);
  // Each response that is not stored makes a mark of its own.
  stand.origin.on("/a", Reply(500).body("x"));
  stand.pass_ms(limits::kHitForMissMs + 1000);
  EXPECT_EQ(asks(), 4u) << "forgotten: one asks, the other waits";
}

TEST(Limits, kMaintainMs) {
  Stand stand;
  const uint64_t before = stand.env.offloads(base::Lane::kStore);
  stand.pass_ms(20 * limits::kMaintainMs);
  const uint64_t steps = stand.env.offloads(base::Lane::kStore) - before;
  EXPECT_GE(steps, 10u);
  EXPECT_LE(steps, 21u);
}

TEST(Limits, EachBoundThatIsShownElsewhereIsNamedOnce) {
  std::set<std::string_view> seen;
  for (const Shown& shown : kShownElsewhere)
    EXPECT_TRUE(seen.insert(shown.bound).second) << shown.bound;
}

}  // namespace
}  // namespace perigee::test

// What goes wrong around a request: clients that leave, bad pages, full lanes. Nothing stays
// behind.
#include <gtest/gtest.h>

#include <functional>

#include "tests/support/edge/stand.h"
#include "tests/support/rule.h"

namespace perigee::test {
namespace {

Reply fresh(std::string body) { return Reply(200).cache("max-age=3600").body(body); }

/// Nothing of any request is left: no timer, no waiting answer, no connection, no pin.
void expect_nothing_left(Stand& stand, const char* what, size_t timers = Stand::kIdleTimers) {
  stand.run();
  EXPECT_EQ(stand.connections(), 0u) << what;
  EXPECT_EQ(stand.env.waiting(), 0u) << what;
  // An idle connection to the origin is kept for a while, and has a timer.
  stand.pass_ms(60'000);
  EXPECT_EQ(stand.env.timers(), timers) << what;
  EXPECT_EQ(stand.origin.open_connections(), 0u) << what;
}

struct Stage {
  const char* name;
  std::function<void(Stand&)> prepare;
  std::function<void(Client&)> ask;
};

void cold(Stand& stand) {
  stand.origin.on("/a", fresh("hello"));
  Client client(stand);
  client.ask("GET", "/a").answer();
  client.half_close();
  stand.run();
  stand.restart();
  stand.env.hold_jobs = true;
}

const Stage kStages[] = {
    {"in the middle of a head", [](Stand&) {}, [](Client& c) { c.write("GET /a HT"); }},
    {"a cold record is being verified", cold, [](Client& c) { c.ask("GET", "/a"); }},
    {"the origin has not answered", [](Stand& s) { s.origin.hold(); },
     [](Client& c) { c.ask("GET", "/a"); }},
    {"the origin has not answered a HEAD", [](Stand& s) { s.origin.hold(); },
     [](Client& c) { c.ask("HEAD", "/a"); }},
    {"the body is on its way",
     [](Stand& s) { s.origin.on("/a", fresh(std::string(50'000, 'x')).stops_after(100)); },
     [](Client& c) { c.ask("GET", "/a"); }},
    {"an unstored body is on its way",
     [](Stand& s) {
       s.origin.on("/a",
                   Reply(200).cache("no-store").body(std::string(50'000, 'x')).stops_after(100));
     },
     [](Client& c) { c.ask("GET", "/a"); }},
    {"a request streams up", [](Stand&) {},
     [](Client& c) {
       c.write("PUT /a HTTP/1.1\r\nHost: site.test\r\nContent-Length: 99\r\n\r\nab");
     }},
    {"a POST is answered", [](Stand& s) { s.origin.hold(); },
     [](Client& c) { c.ask("POST", "/a", "", "x"); }},
    {"a purge is being written", [](Stand& s) { s.env.hold_jobs = true; },
     [](Client& c) { c.ask("PURGE", "/a"); }},
    {"many requests are pipelined", [](Stand& s) { s.origin.hold(); },
     [](Client& c) {
       for (int i = 0; i < 100; ++i) c.ask("GET", "/" + std::to_string(i));
     }},
};

TEST(FlowFaults, AClientThatIsResetAtAnyStageLeavesNothingBehind) {
  for (const Stage& stage : kStages) {
    Stand stand;
    stage.prepare(stand);
    {
      Client client(stand, "127.0.0.1:1");
      stage.ask(client);
      stand.run();
      client.reset();
      stand.run();
    }
    stand.env.hold_jobs = false;
    stand.origin.release();
    stand.origin.finish_all();
    expect_nothing_left(stand, stage.name);
  }
}

TEST(FlowFaults, ANodeThatStopsAtAnyStageLeavesNothingBehind) {
  for (const Stage& stage : kStages) {
    Stand stand;
    stage.prepare(stand);
    Client client(stand, "127.0.0.1:1");
    stage.ask(client);
    stand.run();
    stand.worker->stop();
    stand.env.hold_jobs = false;
    expect_nothing_left(stand, stage.name, 0);
    EXPECT_TRUE(client.saw_end()) << stage.name;
  }
}

TEST(FlowFaults, ASlowReaderThatLeavesLetsGoOfItsPin) {
  Stand stand;
  stand.origin.on("/a", fresh(std::string(60'000, 'x')));
  stand.get("/a");
  {
    Client client(stand);
    client.reading().capacity = 1000;
    client.ask("GET", "/a");
    stand.run();
    EXPECT_EQ(stand.pins("/a"), 1u);
    client.reset();
    stand.run();
  }
  EXPECT_EQ(stand.pins("/a"), 0u);
}

TEST(FlowFaults, ABodyWhosePageWentBadIsCut) {
  Stand stand;
  stand.origin.on("/a", fresh(std::string(60'000, 'x')));
  stand.get("/a");
  Client client(stand);
  client.reading().capacity = 1000;
  client.ask("GET", "/a");
  stand.run();
  stand.poison("/a");
  client.reading().capacity = 100'000;
  client.arrived();
  stand.run();
  EXPECT_TRUE(client.saw_reset());
}

TEST(FlowFaults, ASmallBodyWhosePageWentBadWhileItWasCopiedNeverLeaves) {
  Stand stand;
  stand.origin.on("/a", fresh("hello"));
  stand.get("/a");
  const cache_store::Found held = stand.stored("/a");
  ASSERT_EQ(held.state, cache_store::Found::kHit);
  // As if the page went bad between the lookup and the copy: the slab is marked, its entry still
  // there.
  stand.poison("/a");
  Client client(stand);
  client.ask("GET", "/a");
  const Answer answer = client.answer();
  EXPECT_TRUE(client.saw_reset() || answer.cache().find("hit") == std::string::npos)
      << answer.cache();
}

TEST(FlowFaults, AfterABadPageTheUrlIsFetchedAgain) {
  Stand stand;
  stand.origin.on("/a", fresh("hello"));
  stand.get("/a");
  stand.poison("/a");
  stand.pass_ms(200);
  EXPECT_EQ(stand.get("/a").body, "hello");
  EXPECT_EQ(stand.origin.asked.size(), 2u);
}

TEST(FlowFaults, AColdRecordWhoseLaneIsFullIsFetchedInstead) {
  Stand stand;
  cold(stand);
  stand.env.hold_jobs = false;
  stand.env.lane_capacity[0] = 0;
  const Answer answer = stand.get("/a");
  EXPECT_EQ(answer.body, "hello");
  EXPECT_EQ(stand.origin.asked.size(), 2u);
  EXPECT_EQ(stand.get("/a", "Cache-Control: only-if-cached\r\n").status, 200)
      << "stored anew, verified";
}

TEST(FlowFaults, AColdRecordWhoseLaneIsFullIsNotFetchedForOnlyIfCached) {
  Stand stand;
  cold(stand);
  stand.env.hold_jobs = false;
  stand.env.lane_capacity[0] = 0;
  EXPECT_EQ(stand.get("/a", "Cache-Control: only-if-cached\r\n").status, 504);
  EXPECT_EQ(stand.ask("HEAD", "/a").status, 200);
  EXPECT_EQ(stand.origin.asked.back().method, "HEAD");
}

TEST(FlowFaults, AFillWhoseLaneIsFullAnswersUnstored) {
  Stand stand;
  stand.origin.on("/a", fresh("hello"));
  stand.env.lane_capacity[1] = 0;
  for (int i = 0; i < 2; ++i) EXPECT_EQ(stand.get("/a").body, "hello");
  EXPECT_EQ(stand.origin.asked.size(), 2u);
}

TEST(FlowFaults, AColdRecordThatIsDamagedIsFetchedAgain) {
  Stand stand;
  stand.origin.on("/a", fresh("hello"));
  stand.get("/a");
  stand.restart();
  stand.damage("hello");
  const Answer answer = stand.get("/a");
  EXPECT_EQ(answer.body, "hello");
  EXPECT_EQ(answer.cache(), "perigee; fwd=uri-miss; fwd-status=200; stored");
}

TEST(FlowFaults, AHeadImageOfAnotherVersionIsAMissAndNothingElse) {
  Stand stand("ttl = \"1h\"");
  stand.origin.on("/a", Reply(200).body("hello"));
  stand.get("/a");
  stand.settle();
  {
    const cache_store::Found found = stand.stored("/a");
    ASSERT_EQ(found.state, cache_store::Found::kHit);
    std::vector<std::byte> old(found.head->head.begin(), found.head->head.end());
    old[3] = std::byte{'1'};
    const std::span<const std::byte> body[] = {found.head->body};
    const auto put = stand.store().put({.key = found.head->key,
                                        .base = found.digest,
                                        .policy = found.head->policy,
                                        .head = old,
                                        .body = body,
                                        .ticket = stand.store().ticket()});
    ASSERT_TRUE(put.ok());
  }
  EXPECT_EQ(stand.get("/a").cache(), "perigee; fwd=uri-miss; fwd-status=200; stored");
  stand.settle();
  EXPECT_EQ(stand.get("/a").body, "hello");
  EXPECT_TRUE(stand.get("/a").cache().starts_with("perigee; hit"));
  EXPECT_EQ(stand.origin.asked.size(), 2u);
}

}  // namespace
}  // namespace perigee::test

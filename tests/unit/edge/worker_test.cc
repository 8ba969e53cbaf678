// A worker: the upkeep that it orders, and what it cuts when it stops.
#include "edge/worker.h"

#include <gtest/gtest.h>

#include "base/limits.h"
#include "tests/support/edge/stand.h"

namespace perigee::test {
namespace {

TEST(Worker, AResponseThatItsStopCutsDoesNotLookWhole) {
  Stand stand;
  stand.origin.on("/a", Reply().cache("no-store").chunked("abcdef").stops_after(3));
  Client client(stand);
  client.write("GET /a HTTP/1.0\r\nHost: site.test\r\n\r\n");
  EXPECT_TRUE(client.arrived().ends_with("\r\n\r\nabc"));
  stand.worker->stop();
  client.arrived();
  EXPECT_TRUE(client.saw_reset()) << "only the end of the connection would delimit it";
}

TEST(Worker, OneStepOfUpkeepWaitsAtATime) {
  Stand stand;
  stand.env.hold_jobs = true;
  for (int i = 0; i < 3; ++i) {
    stand.pass_ms(10 * base::limits::kMaintainMs);
    EXPECT_EQ(stand.env.jobs(base::Lane::kStore), 1u);
  }
  stand.env.run_jobs();
  stand.run();
  stand.pass_ms(2 * base::limits::kMaintainMs);
  EXPECT_EQ(stand.env.jobs(base::Lane::kStore), 1u) << "and the next one follows";
  stand.env.hold_jobs = false;
}

TEST(Worker, WhatAStartFoundIsReadAheadWhenThatIsAskedFor) {
  for (const bool asked : {false, true}) {
    Stand stand(asked ? "[store]\nwarm = true" : "");
    stand.origin.on("/a", Reply(200).cache("max-age=3600").body("hello"));
    stand.get("/a");
    stand.settle();
    stand.restart();
    ASSERT_EQ(stand.stored("/a").state, cache_store::Found::kCold);
    stand.env.hold_jobs = true;
    stand.pass_ms(10 * base::limits::kMaintainMs);
    EXPECT_EQ(stand.env.jobs(base::Lane::kBackground), asked ? 1u : 0u) << "one step at a time";
    stand.env.hold_jobs = false;
    stand.env.run_jobs();
    stand.pass_ms(10 * base::limits::kMaintainMs);
    EXPECT_EQ(stand.stored("/a").state,
              asked ? cache_store::Found::kHit : cache_store::Found::kCold);
    stand.env.hold_jobs = true;
    stand.pass_ms(10 * base::limits::kMaintainMs);
    EXPECT_EQ(stand.env.jobs(base::Lane::kBackground), 0u) << "it has come to its end";
    stand.env.hold_jobs = false;
  }
}

TEST(Worker, ASecondLoopIsAskedToMakeRoomAndLeavesUpkeepToTheFirst) {
  Stand stand;
  FakeEnv other(1);
  {
    // A second loop of the same node.
    edge::Worker second(stand.node(), stand.snapshot(), other);
    EXPECT_EQ(other.timers(), 0u);
    stand.client_slots().set_bound(0);
    const base::Pending wait = stand.client_slots().wait(stand.env, [] {});
    stand.run();
    stand.worker->turn();
    EXPECT_TRUE(other.turn()) << "woken";
  }
  const base::Pending wait = stand.client_slots().wait(stand.env, [] {});
  stand.worker->turn();
  EXPECT_FALSE(other.turn()) << "gone";
}

TEST(Worker, WhoComesAfterItsStopIsRefused) {
  Stand stand;
  stand.worker->stop();
  Client late(stand);
  stand.run();
  EXPECT_TRUE(late.saw_reset());
  EXPECT_EQ(stand.connections(), 0u);
}

}  // namespace
}  // namespace perigee::test

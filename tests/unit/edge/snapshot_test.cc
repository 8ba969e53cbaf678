// Another snapshot of the configuration under load: who waits keeps the one that it began under,
// who comes later follows the new one, and the old one ends when nobody needs it any more.
#include "edge/snapshot.h"

#include <gtest/gtest.h>

#include <memory>

#include "tests/support/edge/stand.h"

namespace perigee::test {
namespace {

constexpr std::string_view kOld = "cdn_cache_control = \"pass\"\nalt_svc = 'h2=\":1\"'";
constexpr std::string_view kNew = "cdn_cache_control = \"pass\"\nalt_svc = 'h2=\":2\"'";

Reply fresh(std::string body) { return Reply(200).cache("max-age=600").body(std::move(body)); }

/// A stand that takes kNew in the place of kOld.
struct Reloaded : Stand {
  Reloaded() : Stand(std::string(kOld)) {}
  void reload_now() { reload(std::string(kNew)); }
};

TEST(SnapshotUnderLoad, AFillThatWaitsEndsAsItBegan) {
  Reloaded stand;
  stand.origin.on("/a", fresh("a"));
  stand.origin.on("/b", fresh("b"));
  stand.origin.hold();
  Client waiting(stand);
  waiting.ask("GET", "/a");
  stand.run();
  stand.reload_now();
  Client later(stand);
  later.ask("GET", "/b");
  stand.run();
  stand.origin.release();
  const Answer old_answer = waiting.answer();
  EXPECT_EQ(old_answer.body, "a");
  EXPECT_EQ(old_answer["Alt-Svc"], "h2=\":1\"");
  const Answer new_answer = later.answer();
  EXPECT_EQ(new_answer.body, "b");
  EXPECT_EQ(new_answer["Alt-Svc"], "h2=\":2\"");
  stand.settle();
  EXPECT_EQ(stand.get("/a")["Alt-Svc"], "h2=\":2\"") << "what is stored belongs to no snapshot";
  EXPECT_EQ(stand.origin.asked.size(), 2u);
}

TEST(SnapshotUnderLoad, WaitersOfBothJoinOneFill) {
  Reloaded stand;
  stand.origin.on("/a", fresh("a"));
  stand.origin.hold();
  Client first(stand);
  first.ask("GET", "/a");
  stand.run();
  stand.reload_now();
  Client second(stand);
  second.ask("GET", "/a");
  stand.run();
  stand.origin.release();
  EXPECT_EQ(first.answer()["Alt-Svc"], "h2=\":1\"");
  EXPECT_EQ(second.answer()["Alt-Svc"], "h2=\":2\"");
  EXPECT_EQ(stand.origin.asked.size(), 1u);
}

TEST(SnapshotUnderLoad, RelaysPurgesAndColdRecordsThatWaitGoOn) {
  Reloaded stand;
  stand.origin.on("/a", fresh("a"));
  stand.get("/a");
  stand.restart();
  // A cold record, a relayed POST and a purge, none of which has its answer.
  stand.env.hold_jobs = true;
  stand.origin.hold();
  Client cold(stand);
  Client relayed(stand);
  Client admin(stand, "127.0.0.1:1");
  cold.ask("GET", "/a");
  relayed.ask("POST", "/a", "", "x");
  admin.ask("PURGE", "/b");
  stand.run();
  stand.reload_now();
  stand.env.hold_jobs = false;
  stand.env.run_jobs();
  stand.run();
  EXPECT_EQ(cold.answer()["Alt-Svc"], "h2=\":1\"");
  EXPECT_EQ(admin.answer().status, 200);
  stand.origin.release();
  EXPECT_EQ(relayed.answer()["Alt-Svc"], "h2=\":1\"");
}

TEST(SnapshotUnderLoad, TheOldOneEndsWithTheLastThatNeedsIt) {
  Reloaded stand;
  stand.origin.on("/a", fresh("a"));
  stand.origin.on("/b", fresh("b"));
  edge::SnapshotPtr old = stand.snapshot();
  stand.worker->use(old);
  const std::weak_ptr<const edge::Snapshot> watched = old;
  old.reset();
  // An idle connection to the origin stays behind from this.
  stand.get("/b");
  stand.settle();
  stand.origin.hold();
  auto waiting = std::make_unique<Client>(stand);
  waiting->ask("GET", "/a");
  stand.run();
  stand.reload_now();
  stand.run();
  EXPECT_FALSE(watched.expired()) << "a fill is in flight";
  stand.origin.release();
  EXPECT_EQ(waiting->answer().body, "a");
  waiting.reset();
  stand.run();
  EXPECT_TRUE(watched.expired());
  EXPECT_EQ(stand.get("/a").body, "a");
}

TEST(SnapshotUnderLoad, AReaderInTheMiddleOfABodyGoesOn) {
  Reloaded stand;
  stand.origin.on("/a", fresh(std::string(100'000, 'x')).stops_after(10));
  Client reader(stand);
  reader.ask("GET", "/a");
  stand.run();
  for (int i = 0; i < 3; ++i) {
    stand.reload_now();
    stand.run();
  }
  stand.origin.send(std::string(99'990, 'x'));
  const Answer answer = reader.answer();
  EXPECT_EQ(answer.body.size(), 100'000u);
}

TEST(SnapshotBounds, AreKeptWhereTheSameOriginIsAsked) {
  edge::Config config;
  const auto site = [](std::string authority, size_t connections) {
    origin::HttpOriginOptions options;
    options.authority = std::move(authority);
    options.connections = connections;
    edge::SiteConfig made;
    made.origin = options;
    return made;
  };
  config.sites = {site("a.test", 2), site("a.test", 2), site("b.test", 2)};
  edge::Metrics metrics(1);
  const auto make = [&](const edge::Snapshot* former) {
    return edge::Snapshot::make(config, former, metrics, [](std::string_view) {});
  };
  const edge::SnapshotPtr first = make(nullptr);
  config.sites = {site("b.test", 3), site("a.test", 2), site("a.test", 2), site("a.test", 2)};
  const edge::SnapshotPtr second = make(first.get());
  EXPECT_NE(second->sites()[0]->bounds, first->sites()[2]->bounds) << "another bound";
  EXPECT_EQ(second->sites()[1]->bounds, first->sites()[0]->bounds);
  EXPECT_EQ(second->sites()[2]->bounds, first->sites()[1]->bounds);
  for (const auto& former : first->sites()) {
    EXPECT_NE(second->sites()[3]->bounds, former->bounds) << "none is shared by two sites";
  }
}

TEST(SnapshotNames, TheFirstSiteOfANameHasIt) {
  edge::Config config;
  for (const char* const port : {":1", ":2", ":3"}) {
    origin::HttpOriginOptions options;
    options.authority = std::string("127.0.0.1") + port;
    edge::SiteConfig site;
    site.origin = options;
    site.hosts = {"a.test", "b.test" + std::string(port)};
    site.is_default = true;
    config.sites.push_back(site);
  }
  edge::Metrics metrics(1);
  const edge::SnapshotPtr sites =
      edge::Snapshot::make(config, nullptr, metrics, [](std::string_view) {});
  EXPECT_EQ(sites->find("a.test")->place, 0u);
  EXPECT_EQ(sites->find("a.test:99")->place, 0u);
  EXPECT_EQ(sites->find("b.test:3")->place, 2u);
  EXPECT_EQ(sites->find("b.test:4")->place, 0u) << "the default";
  EXPECT_EQ(sites->find("")->place, 0u);
}

}  // namespace
}  // namespace perigee::test

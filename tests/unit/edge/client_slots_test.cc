// Slots of clients: how many there are, who waits for one, and which connection goes for it.
#include "edge/client_slots.h"

#include <gtest/gtest.h>

#include <optional>
#include <thread>

#include "base/limits.h"
#include "tests/support/edge/stand.h"
#include "tests/support/rule.h"

namespace perigee::test {
namespace {

GUARDS("edge::ClientSlots, edge::client_bound");

namespace limits = base::limits;
using edge::ClientSlot;
using edge::ClientSlots;

edge::Config config_with(std::vector<size_t> connections, size_t folders = 0) {
  edge::Config config;
  for (const size_t count : connections) {
    origin::HttpOriginOptions origin;
    origin.connections = count;
    config.sites.emplace_back().origin = origin;
  }
  for (size_t i = 0; i < folders; ++i) {
    config.sites.emplace_back().origin = origin::DirectoryOriginOptions{};
  }
  return config;
}

TEST(ClientBound, IsWhatTheNodeItselfDoesNotNeed) {
  constexpr size_t kReserved = limits::kDescriptorsReserved;
  EXPECT_EQ(edge::client_bound(config_with({100}), 1000, 30), 1000 - kReserved - 100 - 30);
  EXPECT_EQ(edge::client_bound(config_with({100, 7}), 1000, 30), 1000 - kReserved - 107 - 30);
  EXPECT_EQ(edge::client_bound(config_with({}, 1), 1000, 0),
            1000 - kReserved - limits::kOriginConnections);
  edge::Config tunnels = config_with({100});
  auto policy = std::make_shared<http::PolicyOptions>();
  policy->upgrades = {"websocket"};
  tunnels.sites[0].rules.push_back({.prefix = "/a", .loose_prefix = "/a", .policy = policy});
  EXPECT_EQ(edge::client_bound(tunnels, 10'000, 30),
            10'000 - kReserved - 100 - limits::kTunnels - 30);
  // At most half is reserved: at it, and one beyond.
  EXPECT_EQ(edge::client_bound(config_with({500 - kReserved}), 1000, 30), 470u);
  EXPECT_EQ(edge::client_bound(config_with({501 - kReserved}), 1000, 30), 470u);
  EXPECT_EQ(edge::client_bound(config_with({499 - kReserved}), 1000, 30), 471u);
  // One client can always come.
  EXPECT_EQ(edge::client_bound(config_with({64}), 32, 20), 1u);
  EXPECT_GT(edge::client_bound(config_with({64}), SIZE_MAX, 20), size_t{1} << 40);
}

TEST(ClientSlots, ThereAreAsManyAsTheBoundAndEachIsGivenBackOnce) {
  ClientSlots slots;
  slots.set_bound(2);
  ClientSlot first = slots.take();
  {
    const ClientSlot second = slots.take();
    EXPECT_TRUE(second);
    EXPECT_FALSE(slots.take());
    EXPECT_EQ(slots.taken(), 2u);
  }
  const ClientSlot moved = std::move(first);
  EXPECT_TRUE(moved);
  EXPECT_EQ(slots.taken(), 1u);
}

TEST(ClientSlots, OfManyThreadsNoMoreThanTheBoundHaveOne) {
  ClientSlots slots;
  slots.set_bound(3);
  std::atomic<size_t> most = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int round = 0; round < 20'000; ++round) {
        const ClientSlot slot = slots.take();
        size_t seen = most.load();
        const size_t taken = slots.taken();
        while (taken > seen && !most.compare_exchange_weak(seen, taken)) {
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_LE(most.load(), 3u);
  EXPECT_EQ(slots.taken(), 0u);
}

TEST(ClientSlots, WhoWaitsLongestIsToldFirstAndOnceASlot) {
  ClientSlots slots;
  slots.set_bound(1);
  FakeEnv env;
  std::string told;
  std::optional<ClientSlot> slot(slots.take());
  base::Pending first = slots.wait(env, [&] { told += "1"; });
  base::Pending second = slots.wait(env, [&] { told += "2"; });
  env.run();
  EXPECT_EQ(told, "");
  EXPECT_EQ(slots.wanted(), 2u);
  slot.reset();
  env.run();
  EXPECT_EQ(told, "1");
  EXPECT_EQ(slots.wanted(), 1u);
  slot.emplace(slots.take());
  slot.reset();
  env.run();
  EXPECT_EQ(told, "12");
  EXPECT_FALSE(first.waiting());
  EXPECT_FALSE(second.waiting());
}

TEST(ClientSlots, ASlotThatBecameFreeBeforeTheWaitIsTold) {
  ClientSlots slots;
  slots.set_bound(1);
  FakeEnv env;
  bool told = false;
  const base::Pending wait = slots.wait(env, [&] { told = true; });
  EXPECT_FALSE(told) << "never inside the call";
  env.run();
  EXPECT_TRUE(told);
}

TEST(ClientSlots, WhoGoesWhileItIsBeingToldLeavesTheSlotToTheNext) {
  ClientSlots slots;
  slots.set_bound(1);
  FakeEnv env;
  std::string told;
  std::optional<ClientSlot> slot(slots.take());
  base::Pending first = slots.wait(env, [&] { told += "1"; });
  base::Pending second = slots.wait(env, [&] { told += "2"; });
  base::Pending third = slots.wait(env, [&] { told += "3"; });
  second.abandon();
  EXPECT_EQ(slots.wanted(), 2u);
  slot.reset();
  first.abandon();
  env.run();
  EXPECT_EQ(told, "3");
}

TEST(ClientSlots, TheOtherLoopsAreWokenOnceForEachThatWaits) {
  ClientSlots slots;
  slots.set_bound(1);
  FakeEnv here(0);
  FakeEnv there(1);
  slots.add_loop(here);
  slots.add_loop(there);
  const ClientSlot slot = slots.take();
  slots.ask_others(here);
  EXPECT_FALSE(there.turn()) << "nobody waits";
  const base::Pending wait = slots.wait(here, [] {});
  slots.ask_others(here);
  slots.ask_others(here);
  EXPECT_FALSE(here.turn());
  EXPECT_TRUE(there.turn());
  EXPECT_FALSE(there.turn());
  slots.remove_loop(there);
  const base::Pending other = slots.wait(here, [] {});
  slots.ask_others(here);
  EXPECT_FALSE(there.turn());
}

// --- which connection goes ---

/// A channel that holds a slot, as accepted sockets do.
class SlottedChannel final : public MemoryChannel {
 public:
  SlottedChannel(FakeEnv& env, std::shared_ptr<Link> link, ClientSlot slot)
      : MemoryChannel(env, std::move(link), 0), slot_(std::move(slot)) {}

 private:
  const ClientSlot slot_;
};

/// A node that may hold `bound` clients, with /a in its store.
class BoundStand : public Stand {
 public:
  explicit BoundStand(size_t bound) {
    origin.on("/a", Reply(200).cache("max-age=3600").body(std::string(50'000, 'a')));
    get("/a");
    client_slots().set_bound(bound);
  }
  /// A client, accepted as a listener would; null: without a free slot.
  std::unique_ptr<MemoryChannel> come(std::string_view bytes = "") {
    ClientSlot slot = client_slots().take();
    if (!slot) return nullptr;
    auto link = std::make_shared<MemoryChannel::Link>();
    auto far = std::make_unique<MemoryChannel>(env, link, 1);
    far->write(bytes);
    worker->adopt(std::make_unique<SlottedChannel>(env, link, std::move(slot)),
                  worker->site_service());
    run();
    // Nobody is idle for as long as another.
    env.advance(1);
    return far;
  }
  /// Waits for a slot and takes it. False: there is none.
  bool make_room() {
    bool told = false;
    const base::Pending wait = client_slots().wait(env, [&] { told = true; });
    run();
    if (told) taken_.push_back(client_slots().take());
    return told;
  }

 private:
  std::vector<ClientSlot> taken_;
};

constexpr std::string_view kGet = "GET /a HTTP/1.1\r\nHost: site.test\r\n\r\n";

/// The letters of those that have ended.
std::string ended(const std::vector<std::unique_ptr<MemoryChannel>>& clients) {
  std::string letters;
  for (size_t i = 0; i < clients.size(); ++i) {
    if (clients[i]->other_gone()) letters += static_cast<char>('a' + i);
  }
  return letters;
}

RULE(MakingRoom, TheOneThatIsQuietTheLongestGoes, "RFC 9112 §9.5; http-rules 4.9",
     "a server may close an idle connection at any time",
     "where no more clients can be held, the one that is idle the longest makes room", "") {
  BoundStand stand(3);
  std::vector<std::unique_ptr<MemoryChannel>> clients;
  for (int i = 0; i < 3; ++i) clients.push_back(stand.come(i == 1 ? "" : kGet));
  EXPECT_EQ(stand.come(), nullptr);
  EXPECT_EQ(ended(clients), "") << "nobody waits";
  // Who asks again is the youngest.
  clients[0]->write(kGet);
  stand.run();
  for (const std::string_view expected : {"b", "bc", "abc"}) {
    EXPECT_TRUE(stand.make_room());
    EXPECT_EQ(ended(clients), expected);
    EXPECT_EQ(stand.connections(), 3 - expected.size());
  }
  // In order, and without a word behind what was asked for.
  for (const auto& client : clients) EXPECT_FALSE(client->saw_reset());
  EXPECT_EQ(clients[1]->read(), "");
  EXPECT_TRUE(clients[2]->read().ends_with("\r\n\r\n" + std::string(50'000, 'a')));
}

TEST(MakingRoom, ExchangesInFlightNeverGo) {
  BoundStand stand(3);
  std::vector<std::unique_ptr<MemoryChannel>> clients;
  // Waits for the origin; sends content; takes its answer slowly.
  stand.origin.on("/slow", Reply(200).body("x").stops_after(0));
  clients.push_back(stand.come("GET /slow HTTP/1.1\r\nHost: site.test\r\n\r\n"));
  clients.push_back(
      stand.come("POST /slow HTTP/1.1\r\nHost: site.test\r\nContent-Length: 9\r\n\r\nab"));
  clients.push_back(stand.come());
  clients[2]->in_rules().capacity = 1000;
  clients[2]->write(kGet);
  stand.run();
  EXPECT_FALSE(stand.make_room());
  EXPECT_EQ(ended(clients), "");
  // Its answer was taken: now it can go.
  while (!clients[2]->read().empty()) stand.run();
  EXPECT_TRUE(stand.make_room());
  EXPECT_EQ(ended(clients), "c");
}

TEST(MakingRoom, WhoseAnswerIsStillInTheQueueStays) {
  BoundStand stand(1);
  stand.origin.on("/b", Reply(200).cache("max-age=3600").body(std::string(2000, 'b')));
  std::vector<std::unique_ptr<MemoryChannel>> clients;
  clients.push_back(stand.come());
  clients[0]->in_rules().capacity = 1000;
  clients[0]->write("GET /b HTTP/1.1\r\nHost: site.test\r\n\r\n");
  stand.run();
  EXPECT_FALSE(stand.make_room()) << "its exchange has ended, its bytes have not left";
  std::string got;
  for (std::string more = clients[0]->read(); !more.empty(); more = clients[0]->read()) {
    got += more;
    stand.run();
  }
  EXPECT_TRUE(got.ends_with("\r\n\r\n" + std::string(2000, 'b')));
  EXPECT_TRUE(stand.make_room());
}

TEST(MakingRoom, WhoIsLingeredForStays) {
  BoundStand stand(1);
  std::vector<std::unique_ptr<MemoryChannel>> clients;
  clients.push_back(stand.come("GET"));
  clients[0]->write(" /a b HTTP/1.1\r\n\r\n");
  stand.run();
  ASSERT_TRUE(clients[0]->read().starts_with("HTTP/1.1 400"));
  EXPECT_FALSE(stand.make_room()) << "a close now could lose what was said";
}

TEST(MakingRoom, HeadsThatAreOnlyPartlyThereGoAfterTheIdleOldestFirst) {
  BoundStand stand(4);
  std::vector<std::unique_ptr<MemoryChannel>> clients;
  clients.push_back(stand.come("GET /a HTT"));
  clients.push_back(stand.come("GET"));
  clients.push_back(stand.come());
  clients.push_back(stand.come(kGet));
  // Dripping makes nobody younger.
  clients[0]->write("P");
  stand.run();
  for (const std::string_view expected : {"c", "cd", "acd", "abcd"}) {
    EXPECT_TRUE(stand.make_room());
    std::string letters = ended(clients);
    EXPECT_EQ(letters, expected);
  }
}

TEST(MakingRoom, AnIdleConnectionWhoseRequestHasArrivedIsAnsweredFirst) {
  BoundStand stand(2);
  const auto first = stand.come();
  const auto second = stand.come();
  // In the turn in which another client came.
  first->write(kGet);
  bool told = false;
  const base::Pending wait = stand.client_slots().wait(stand.env, [&] { told = true; });
  stand.env.each_turn = nullptr;
  stand.env.turn();
  stand.env.each_turn = [&] { return stand.worker->turn(); };
  stand.run();
  EXPECT_TRUE(told);
  EXPECT_FALSE(first->other_gone());
  EXPECT_TRUE(second->other_gone());
  EXPECT_TRUE(first->read().starts_with("HTTP/1.1 200"));
}

TEST(MakingRoom, WhoBecomesQuietWhileOthersWaitGoesThen) {
  BoundStand stand(1);
  const auto client = stand.come();
  client->in_rules().capacity = 1000;
  client->write(kGet);
  stand.run();
  bool told = false;
  const base::Pending wait = stand.client_slots().wait(stand.env, [&] { told = true; });
  stand.run();
  EXPECT_FALSE(told);
  while (!client->read().empty()) stand.run();
  EXPECT_TRUE(told);
  EXPECT_TRUE(client->other_gone());
}

}  // namespace
}  // namespace perigee::test

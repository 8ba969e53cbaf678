// Clients that stop reading: after a while they hold no slab of the store any more, and go on where
// they were.
#include <gtest/gtest.h>

#include <deque>
#include <string>

#include "tests/support/edge/large_body.h"

namespace perigee::test {
namespace {

namespace limits = base::limits;

class Parking : public testing::Test {
 protected:
  void store(const std::string& target, const std::string& text) {
    stand.origin.on(target, Reply(200).cache("max-age=600").etag("\"v\"").body(text));
    Client client(stand);
    client.reading().capacity = 16 * limits::kMiB;
    EXPECT_TRUE(client.ask("GET", target).answer().body == text);
    stand.settle();
  }
  /// A client that takes a thousand bytes and no more.
  Client& begin(const std::string& target) {
    Client& client = clients.emplace_back(stand);
    client.reading().capacity = 1'000;
    client.ask("GET", target);
    stand.run();
    return client;
  }
  uint64_t pins() { return stand.store().stats().pins; }
  std::string rest_of(Client& client) {
    client.reading().capacity = 16 * limits::kMiB;
    std::string got;
    for (std::string part = client.arrived(); !part.empty(); part = client.arrived()) got += part;
    return got;
  }
  /// Other things that are asked for again, until nothing that was there is left.
  void churn() {
    const size_t each = stand.store().max_object_bytes() / 2;
    const size_t all = stand.store().stats().slabs * stand.store().stats().slab_bytes;
    for (size_t bytes = 0; bytes < 3 * all; bytes += each) {
      const std::string target = "/other" + std::to_string(++churned);
      store(target, std::string(each, 'x'));
      EXPECT_EQ(stand.get(target).status, 200);
    }
  }

  Stand stand;
  std::deque<Client> clients;
  size_t churned = 0;
};

TEST_F(Parking, WhoIsBlockedForLongHoldsNothingAndGoesOn) {
  for (const size_t size : {20'000u, 500'000u}) {
    SCOPED_TRACE(size);
    const std::string text = content(size);
    const std::string target = "/" + std::to_string(size);
    store(target, text);
    Client& client = begin(target);
    EXPECT_EQ(pins(), 1u);
    stand.pass_ms(limits::kParkMs - 1'000);
    EXPECT_EQ(pins(), 1u);
    stand.pass_ms(1'500);
    EXPECT_EQ(pins(), 0u);
    EXPECT_TRUE(rest_of(client).ends_with(text));
  }
  EXPECT_EQ(stand.origin.asked.size(), 2u);
}

TEST_F(Parking, WhoseFillHasStoredItHoldsNothingEither) {
  for (const size_t size : {20'000u, 500'000u}) {
    SCOPED_TRACE(size);
    const std::string text = content(size);
    const std::string target = "/" + std::to_string(size);
    stand.origin.on(target, Reply(200).cache("max-age=600").etag("\"v\"").body(text));
    Client& client = begin(target);
    stand.settle();
    EXPECT_EQ(stand.stored(target).state, cache_store::Found::kHit);
    stand.pass_ms(limits::kParkMs + 500);
    EXPECT_EQ(pins(), 0u);
    EXPECT_TRUE(rest_of(client).ends_with(text));
  }
}

TEST_F(Parking, NorDoesWhoWasAnsweredByA304) {
  for (const size_t size : {20'000u, 500'000u}) {
    SCOPED_TRACE(size);
    const std::string text = content(size);
    const std::string target = "/" + std::to_string(size);
    stand.origin.on(target, RangedFile{text});
    EXPECT_TRUE(get(stand, target).body == text);
    stand.settle();
    stand.pass_ms(70'000);
    Client& client = begin(target);
    stand.settle();
    EXPECT_EQ(stand.origin.asked.back()["If-None-Match"], "\"v1\"");
    stand.pass_ms(limits::kParkMs + 500);
    EXPECT_EQ(pins(), 0u);
    EXPECT_TRUE(rest_of(client).ends_with(text));
  }
}

TEST_F(Parking, ARequestBehindItTakesNothingUpAgainForLong) {
  store("/a", content(20'000));
  Client& client = begin("/a");
  stand.pass_ms(limits::kParkMs + 500);
  client.ask("GET", "/a");
  stand.run();
  stand.pass_ms(limits::kParkMs + 500);
  EXPECT_EQ(pins(), 0u);
}

TEST_F(Parking, PartsOfABodyGoOnToo) {
  const std::string text = content(30'000);
  store("/a", text);
  Client& client = clients.emplace_back(stand);
  client.reading().capacity = 1'000;
  client.ask("GET", "/a", "Range: bytes=0-9999,20000-29999\r\n");
  stand.run();
  stand.pass_ms(limits::kParkMs + 500);
  EXPECT_EQ(pins(), 0u);
  const std::string got = rest_of(client);
  EXPECT_NE(got.find(text.substr(0, 10'000)), std::string::npos);
  EXPECT_NE(got.find(text.substr(20'000, 10'000)), std::string::npos);
}

TEST_F(Parking, WhoseRecordIsGoneMeanwhileIsCut) {
  const std::string text = content(20'000);
  store("/a", text);
  Client& client = begin("/a");
  stand.pass_ms(limits::kParkMs + 500);
  churn();
  const std::string got = rest_of(client);
  EXPECT_TRUE(client.saw_reset());
  EXPECT_TRUE(text.starts_with(got.substr(got.find("\r\n\r\n") + 4)));
}

TEST_F(Parking, ALongBodyGoesOnWithWhatTheOriginStillHas) {
  const std::string text = content(500'000);
  stand.origin.on("/a", RangedFile{text, "\"v\""});
  Client first(stand);
  first.reading().capacity = 16 * limits::kMiB;
  EXPECT_TRUE(first.ask("GET", "/a").answer().body == text);
  stand.settle();
  Client& client = begin("/a");
  stand.pass_ms(limits::kParkMs + 500);
  churn();
  EXPECT_TRUE(rest_of(client).ends_with(text));
}

TEST_F(Parking, WhenEachSlabIsHeldByASlowClientOthersAreStoredAllTheSame) {
  const size_t slabs = stand.store().stats().slabs;
  const std::string text = content(stand.store().max_object_bytes());
  for (size_t i = 0; i < 4 * slabs; ++i) store("/" + std::to_string(i), text);
  for (size_t i = 0; i < 4 * slabs; ++i) {
    const std::string target = "/" + std::to_string(i);
    if (stand.stored(target).state == cache_store::Found::kHit) begin(target);
  }
  ASSERT_GT(pins(), 2 * slabs);
  stand.pass_ms(limits::kParkMs + 500);
  EXPECT_EQ(pins(), 0u);
  const uint64_t refused = stand.store().stats().puts_no_room;
  churn();
  // Where all was used, the first slabs that are emptied give little room.
  EXPECT_LE(stand.store().stats().puts_no_room, refused + 4);
  EXPECT_EQ(stand.stored("/other" + std::to_string(churned)).state, cache_store::Found::kHit);
}

TEST_F(Parking, WhereSlabsRunShortABlockedClientHoldsNoneAtAll) {
  const size_t slabs = stand.store().stats().slabs;
  const std::string text = content(stand.store().max_object_bytes());
  for (size_t i = 0; i < 3 * slabs; ++i) store("/" + std::to_string(i), text);
  const std::string newest = "/" + std::to_string(3 * slabs - 1);
  for (size_t i = 0; i < 3 * slabs; ++i) {
    const std::string target = "/" + std::to_string(i);
    if (stand.stored(target).state == cache_store::Found::kHit) begin(target);
  }
  const auto refused = [&] { return stand.store().stats().puts_no_room; };
  const uint64_t before = refused();
  for (size_t i = 0; refused() == before && i < slabs; ++i) store("/x" + std::to_string(i), text);
  ASSERT_GT(refused(), before) << "readers hold what was emptied";
  const uint64_t held = pins();
  begin(newest);
  stand.pass_ms(100);
  EXPECT_EQ(pins(), held);
  stand.pass_ms(limits::kParkMs + 500);
  EXPECT_EQ(pins(), 0u);
  store("/y", text);
  begin("/y");
  stand.pass_ms(100);
  EXPECT_EQ(pins(), 1u) << "there is room again";
}

TEST_F(Parking, ManyWhoReadNothingOfTheirFillsKeepNobodyOutOfTheStore) {
  const size_t slabs = stand.store().stats().slabs;
  const std::string text = content(stand.store().stats().slab_bytes / 2);
  for (size_t i = 0; i < 4 * slabs; ++i) {
    const std::string target = "/large" + std::to_string(i);
    stand.origin.on(target, RangedFile{text});
    begin(target);
    if (i % 4 == 0) stand.pass_ms(20);
  }
  for (size_t i = 0; i < slabs; ++i) {
    const std::string target = "/small" + std::to_string(i);
    stand.origin.on(target, Reply(200).cache("max-age=600").body(text.substr(0, 5'000)));
    EXPECT_EQ(get(stand, target).status, 200);
    stand.settle();
    EXPECT_EQ(get(stand, target).cache(), "perigee; hit; ttl=600");
  }
  stand.pass_ms(limits::kParkMs + limits::kRoomMs);
  // Those that began last at least; the others' fills were stored, and have gone by now.
  for (size_t i = 4 * slabs - 4; i < 4 * slabs; ++i) {
    EXPECT_TRUE(rest_of(clients[i]).ends_with(text)) << i;
  }
  EXPECT_EQ(pins(), 0u);
}

}  // namespace
}  // namespace perigee::test

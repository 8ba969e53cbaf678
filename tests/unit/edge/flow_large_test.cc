// Objects that are longer than a record may be, through a whole node: kept in fragments, answered
// from them, never mixed.
#include <gtest/gtest.h>

#include <deque>
#include <string>

#include "base/limits.h"
#include "tests/support/edge/large_body.h"
#include "tests/support/rule.h"

namespace perigee::test {
namespace {

GUARDS("origin::FillOwner, origin::FragmentBody, origin::view_of, edge::RequestFlow");

namespace limits = base::limits;

Reply large(std::string text = kText) {
  return Reply(200).cache("max-age=60").etag("\"v1\"").body(std::move(text));
}

/// From where it is allowed.
int purge(Stand& stand, std::string_view target) {
  return Client(stand, "127.0.0.1:1").ask("PURGE", target).answer().status;
}

/// The fragments of what is stored for a URL.
size_t fragments_of(Stand& stand, std::string_view target) {
  const cache_store::Found head = stand.stored(target);
  if (head.state != cache_store::Found::kHit) return 0;
  EXPECT_EQ(head.head->kind, cache_store::RecordKind::kHead);
  size_t number = 0;
  while (stand.store().lookup_fragment({head.head->rid, number}).state !=
         cache_store::Found::kMiss) {
    ++number;
  }
  return number;
}

RULE(FlowLarge, AnObjectIsStoredInFragmentsAndIsAHit, "http-rules 3.20",
     "a cache decides what it stores, however long it is",
     "what is longer than a record may be is stored in fragments", "") {
  Stand stand;
  ASSERT_GT(kLarge, stand.store().max_object_bytes());
  stand.origin.on("/a", large());
  const Answer first = get(stand, "/a");
  EXPECT_EQ(first.body, kText);
  EXPECT_EQ(first.cache(), "perigee; fwd=uri-miss; fwd-status=200; stored");
  stand.settle();
  EXPECT_EQ(fragments_of(stand, "/a"),
            (kLarge + stand.store().fragment_bytes() - 1) / stand.store().fragment_bytes());
  const Answer second = get(stand, "/a");
  EXPECT_EQ(second.body, kText);
  EXPECT_EQ(second.cache(), "perigee; hit; ttl=60");
  EXPECT_EQ(second["Content-Length"], std::to_string(kLarge));
  EXPECT_EQ(stand.origin.asked.size(), 1u);
}

TEST(FlowLarge, SizesAroundTheBoundsAreStoredAndHit) {
  Stand stand;
  const uint64_t record = stand.store().max_object_bytes();
  const uint64_t fragment = stand.store().fragment_bytes();
  const uint64_t most = stand.store().max_fragmented_bytes();
  for (const uint64_t size :
       {record, record + 1, 2 * fragment - 1, 2 * fragment, 2 * fragment + 1, most}) {
    const std::string target = "/" + std::to_string(size);
    const std::string text = content(size);
    stand.origin.on(target, large(text));
    EXPECT_EQ(get(stand, target).body, text);
    stand.settle();
    const Answer again = get(stand, target);
    EXPECT_EQ(again.cache(), "perigee; hit; ttl=60") << size;
    EXPECT_TRUE(again.body == text) << size;
  }
}

TEST(FlowLarge, OneThatIsLongerThanItsShareOfTheStorePassesThrough) {
  Stand stand;
  const std::string text = content(stand.store().max_fragmented_bytes() + 1);
  stand.origin.on("/a", large(text));
  stand.origin.on("/b", Reply(200).cache("max-age=60").chunked(text));
  for (const std::string_view target : {"/a", "/b"}) {
    EXPECT_TRUE(get(stand, target).body == text);
    stand.settle();
    EXPECT_EQ(stand.stored(target).state, cache_store::Found::kMiss);
    EXPECT_TRUE(get(stand, target).body == text);
  }
  EXPECT_EQ(stand.origin.asked.size(), 4u);
}

TEST(FlowLarge, ABodyOfUnknownLengthIsStoredToo) {
  Stand stand;
  stand.origin.on("/a", Reply(200).cache("max-age=60").etag("\"v1\"").chunked(kText));
  EXPECT_EQ(get(stand, "/a").body, kText);
  stand.settle();
  const Answer second = get(stand, "/a");
  EXPECT_EQ(second.cache(), "perigee; hit; ttl=60");
  EXPECT_EQ(second.body, kText);
  EXPECT_EQ(second["Content-Length"], std::to_string(kLarge));
}

TEST(FlowLarge, RangesAreCutFromFragments) {
  Stand stand;
  stand.origin.on("/a", large());
  get(stand, "/a");
  stand.settle();
  const size_t fragment = stand.store().fragment_bytes();
  const auto range = [&](size_t begin, size_t size) {
    const Answer part = get(
        stand, "/a",
        "Range: bytes=" + std::to_string(begin) + "-" + std::to_string(begin + size - 1) + "\r\n");
    EXPECT_EQ(part.status, 206);
    EXPECT_EQ(part.cache(), "perigee; hit; ttl=60");
    EXPECT_EQ(part.body, kText.substr(begin, size)) << begin << " " << size;
  };
  range(0, 1);
  range(fragment - 1, 1);
  range(fragment, 1);
  range(fragment - 1, 2);
  range(10, 3 * fragment);
  range(kLarge - 1, 1);
  const Answer last = get(stand, "/a", "Range: bytes=-5\r\n");
  EXPECT_EQ(last.body, kText.substr(kLarge - 5));
  const Answer parts = get(stand, "/a",
                           "Range: bytes=0-1, " + std::to_string(fragment - 1) + "-" +
                               std::to_string(fragment) + "\r\n");
  EXPECT_EQ(parts.status, 206);
  EXPECT_NE(parts.body.find("\r\n\r\n" + kText.substr(0, 2) + "\r\n"), std::string::npos);
  EXPECT_NE(parts.body.find("\r\n\r\n" + kText.substr(fragment - 1, 2) + "\r\n"),
            std::string::npos);
  EXPECT_EQ(get(stand, "/a", "Range: bytes=900000-\r\n").status, 416);
  EXPECT_EQ(get(stand, "/a", "If-None-Match: \"v1\"\r\n").status, 304);
  const Answer head = stand.ask("HEAD", "/a");
  EXPECT_EQ(head["Content-Length"], std::to_string(kLarge));
  EXPECT_EQ(head.body, "");
  EXPECT_EQ(stand.origin.asked.size(), 1u);
}

TEST(FlowLarge, A304WritesAHeadAndLeavesTheFragments) {
  Stand stand;
  stand.origin.on("/a", [](const Asked& asked) {
    return asked["If-None-Match"] == "\"v1\""
               ? Reply(304).cache("max-age=100").etag("\"v1\"").line("X", "new")
               : large().cache("max-age=1").line("X", "old");
  });
  get(stand, "/a");
  stand.settle();
  const uint64_t rid = stand.stored("/a").head->rid;
  stand.pass_ms(70'000);
  const Answer validated = get(stand, "/a");
  EXPECT_EQ(validated.cache(), "perigee; fwd=stale; fwd-status=304; stored; detail=revalidated");
  EXPECT_EQ(validated.body, kText);
  stand.settle();
  EXPECT_EQ(stand.stored("/a").head->rid, rid);
  const Answer hit = get(stand, "/a");
  EXPECT_EQ(hit.cache(), "perigee; hit; ttl=100");
  EXPECT_EQ(hit["X"], "new");
  EXPECT_EQ(hit.body, kText);
  stand.pass_ms(101'000);
  EXPECT_EQ(get(stand, "/a", "Range: bytes=499999-\r\n").body, kText.substr(499'999))
      << "a range may validate too";
}

TEST(FlowLarge, ANewVersionReplacesAllFragmentsAtOnce) {
  Stand stand;
  const std::string second = content(kLarge, 'b');
  stand.origin.on("/a", large());
  get(stand, "/a");
  stand.settle();
  EXPECT_EQ(purge(stand, "/a"), 200);
  stand.origin.on("/a", large(second));
  EXPECT_EQ(get(stand, "/a").body, second);
  stand.settle();
  const Answer hit = get(stand, "/a");
  EXPECT_EQ(hit.body, second);
  EXPECT_EQ(hit.cache(), "perigee; hit; ttl=60");
  EXPECT_EQ(stand.origin.asked_for("/a"), 2u);
}

/// A client of a fill of which one half has come.
Client half_filled(Stand& stand) {
  stand.origin.on("/a", large().stops_after(kLarge / 2));
  Client client(stand);
  client.reading().capacity = 16 * limits::kMiB;
  client.ask("GET", "/a");
  stand.run();
  return client;
}

TEST(FlowLarge, APurgeDuringTheFillKeepsItOutOfTheStore) {
  Stand stand;
  Client client = half_filled(stand);
  EXPECT_EQ(purge(stand, "/a"), 200);
  stand.origin.send(kText.substr(kLarge / 2));
  EXPECT_EQ(client.answer().body, kText) << "who asked before the purge is answered";
  stand.settle();
  EXPECT_EQ(stand.stored("/a").state, cache_store::Found::kMiss);
}

TEST(FlowLarge, AfterARestartItIsVerifiedFragmentByFragment) {
  Stand stand;
  stand.origin.on("/a", large());
  get(stand, "/a");
  stand.settle();
  stand.restart();
  const Answer answer = get(stand, "/a");
  EXPECT_EQ(answer.body, kText);
  EXPECT_EQ(answer.cache().find("perigee; hit"), 0u);
  EXPECT_EQ(stand.origin.asked.size(), 1u);
}

TEST(FlowLarge, ADamagedFragmentIsNeverServed) {
  Stand stand;
  stand.origin.on("/a", large());
  get(stand, "/a");
  stand.settle();
  stand.damage(kText.substr(300'000, 100));
  stand.restart();
  Client client(stand);
  client.reading().capacity = 16 * limits::kMiB;
  client.ask("GET", "/a");
  const std::string got = client.arrived();
  EXPECT_TRUE(client.saw_reset()) << "a cut must be seen";
  EXPECT_LT(got.size(), kLarge);
  EXPECT_TRUE(kText.starts_with(got.substr(got.find("\r\n\r\n") + 4)));
  EXPECT_EQ(get(stand, "/a").body, kText) << "the next one is fetched anew";
  stand.settle();
  EXPECT_EQ(get(stand, "/a").cache(), "perigee; hit; ttl=60");
  EXPECT_EQ(stand.origin.asked.size(), 3u) << "twice whole, and once for a range, which it ignores";
}

RULE(FlowLarge, AnObjectOfWhichAFragmentIsGoneIsFetchedWhole, "RFC 9111 §3.3; http-rules 3.20",
     "an incomplete response must not be used as a complete one",
     "without a strong ETag it is fetched anew, and not validated", "") {
  Stand stand;
  stand.origin.on("/a", Reply(200).cache("max-age=60").etag("W/\"v1\"").body(kText));
  get(stand, "/a");
  stand.settle();
  const size_t whole = fragments_of(stand, "/a");
  const uint64_t rid = stand.stored("/a").head->rid;
  stand.damage(kText.substr(300'000, 100));
  stand.restart();
  for (size_t number = 0; number < whole; ++number) stand.store().warm_fragment({rid, number});
  ASSERT_LT(fragments_of(stand, "/a"), whole) << "what is damaged was dropped";
  const Answer answer = get(stand, "/a");
  EXPECT_EQ(answer.body, kText);
  EXPECT_EQ(answer.cache(), "perigee; fwd=uri-miss; fwd-status=200; stored");
  EXPECT_EQ(stand.origin.asked.back()["If-None-Match"], "") << "a 304 would bring no body";
  stand.settle();
  EXPECT_EQ(get(stand, "/a").cache(), "perigee; hit; ttl=60");
}

TEST(FlowLarge, ClientsOfAllPacesShareOneFetch) {
  Stand stand;
  stand.origin.on("/a", large().stops_after(100'000));
  std::deque<Client> clients;
  for (size_t i = 0; i < 3; ++i) clients.emplace_back(stand).ask("GET", "/a");
  clients[0].reading().capacity = 1'000;
  stand.run();
  stand.origin.send(kText.substr(100'000, 250'000));
  stand.run();
  Client& late = clients.emplace_back(stand).ask("GET", "/a");
  late.reading().capacity = 5'000;
  Client& range = clients.emplace_back(stand);
  range.ask("GET", "/a", "Range: bytes=1000-1009\r\n");
  EXPECT_EQ(range.answer().body, kText.substr(1'000, 10)) << "from the fragments, at once";
  stand.origin.send(kText.substr(350'000));
  stand.run();
  for (Client* client : {&clients[0], &clients[1], &clients[2], &late}) {
    std::string got;
    for (std::string part = client->arrived(); !part.empty(); part = client->arrived()) got += part;
    EXPECT_TRUE(got.ends_with("\r\n\r\n" + kText)) << got.size();
  }
  EXPECT_EQ(stand.origin.asked.size(), 1u);
}

TEST(FlowLarge, AFillIsPacedByTheStoreAndTakesBoundedMemory) {
  Stand stand;
  const std::string text = content(stand.store().max_fragmented_bytes());
  stand.origin.on("/a", large(text).stops_after(0));
  Client slow(stand);
  slow.reading().capacity = 1'000;
  slow.ask("GET", "/a");
  stand.run();
  stand.origin.send(text);
  stand.run();
  EXPECT_EQ(stand.origin.unread(), 0u) << "a slow client does not hold the origin up";
  stand.settle();
  EXPECT_EQ(get(stand, "/a").cache(), "perigee; hit; ttl=60");
  std::string got;
  for (std::string part = slow.arrived(); !part.empty(); part = slow.arrived()) got += part;
  EXPECT_TRUE(got.ends_with(text));
}

TEST(FlowLarge, WhereTheStoreTakesNothingItPassesThrough) {
  Stand stand;
  stand.origin.on("/a", large().stops_after(200'000));
  Client client(stand);
  client.reading().capacity = 16 * limits::kMiB;
  client.ask("GET", "/a");
  stand.run();
  stand.io->refuse_writes = true;
  stand.origin.send(kText.substr(200'000));
  EXPECT_EQ(client.answer().body, kText);
  stand.settle();
  EXPECT_EQ(stand.stored("/a").state, cache_store::Found::kMiss);
}

TEST(FlowLarge, ACutResponseIsCutForAllAndNotStored) {
  Stand stand;
  Client client = half_filled(stand);
  stand.origin.reset();
  client.arrived();
  EXPECT_TRUE(client.saw_reset());
  stand.settle();
  EXPECT_EQ(stand.stored("/a").state, cache_store::Found::kMiss);
}

TEST(FlowLarge, VariantsAreKeptApart) {
  Stand stand;
  stand.origin.on("/a", [](const Asked& asked) {
    const char version = asked["X"] == "b" ? 'b' : 'a';
    return large(content(kLarge, version)).line("Vary", "X");
  });
  for (int round = 0; round < 2; ++round) {
    EXPECT_TRUE(get(stand, "/a", "X: a\r\n").body == content(kLarge, 'a'));
    EXPECT_TRUE(get(stand, "/a", "X: b\r\n").body == content(kLarge, 'b'));
    stand.settle();
  }
  EXPECT_EQ(stand.origin.asked.size(), 2u);
}

}  // namespace
}  // namespace perigee::test

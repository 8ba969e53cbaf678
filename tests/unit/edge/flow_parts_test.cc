// Stored objects of which parts are missing, through a whole node: what is missing is asked for by
// range, once, and two versions are never mixed.
#include <gtest/gtest.h>

#include <deque>
#include <string>
#include <vector>

#include "base/limits.h"
#include "tests/support/edge/large_body.h"
#include "tests/support/rule.h"

namespace perigee::test {
namespace {

GUARDS("origin::FragmentFetch, origin::FragmentBody, edge::Completed");

namespace limits = base::limits;

/// A node that has all of /a, from an origin that takes ranges.
class Parts : public testing::Test {
 protected:
  Parts() {
    stand.origin.on("/a", RangedFile{kText});
    EXPECT_EQ(get(stand, "/a").body, kText);
    stand.settle();
    each = stand.store().fragment_bytes();
  }
  /// Fragments that were damaged on the disk; the node has not looked at them since it started.
  void damage(std::initializer_list<size_t> numbers) {
    for (const size_t number : numbers) stand.damage(kText.substr(number * each + 100, 50));
    stand.restart();
  }
  /// They are gone.
  void lose(std::initializer_list<size_t> numbers, std::string_view target = "/a") {
    damage(numbers);
    get(stand, target, "Range: bytes=0-0\r\n");
    const uint64_t rid = stand.stored(target).head->rid;
    for (const size_t number : numbers) stand.store().warm_fragment({rid, number});
    stand.origin.asked.clear();
  }
  /// As the 304 to somebody else's request would have it put.
  void put_again(std::string_view target) {
    const cache_store::Found found = stand.stored(target);
    const cache_store::RecordView& record = *found.head;
    const std::vector<std::byte> head(record.head.begin(), record.head.end());
    cache_store::Draft draft;
    draft.kind = record.kind;
    draft.rid = record.rid;
    draft.key = record.key;
    draft.base = found.digest;
    draft.policy = record.policy;
    draft.head = head;
    draft.whole_length = record.whole_length;
    draft.ticket = stand.store().ticket();
    ASSERT_TRUE(stand.store().put(draft).ok());
  }
  std::string range_of(size_t number) const {
    return "bytes=" + std::to_string(number * each) + "-" +
           std::to_string(std::min(kLarge, (number + 1) * each) - 1);
  }

  Stand stand;
  size_t each = 0;
};

TEST_F(Parts, WhatCameForSomebodyElseMeanwhileIsSaidToBeTheirs) {
  const RangedFile file{kText};
  stand.origin.on("/b", [&](const Asked& asked) {
    if (asked["If-None-Match"].empty()) return file(asked);
    stand.origin.hold();
    return Reply(304).cache("max-age=60").etag("\"v1\"");
  });
  EXPECT_TRUE(get(stand, "/b").body == kText);
  stand.settle();
  lose({2}, "/b");
  stand.pass_ms(70'000);
  for (const bool theirs : {false, true}) {
    Client client(stand);
    client.reading().capacity = 16 * limits::kMiB;
    client.ask("GET", "/b");
    stand.run();
    // Revalidated, it waits for the part that is missing.
    if (theirs) put_again("/b");
    stand.origin.release();
    const Answer answer = client.answer();
    EXPECT_TRUE(answer.body == kText);
    const std::string revalidated = "perigee; fwd=stale; fwd-status=304; stored";
    EXPECT_EQ(answer.cache(), revalidated + (theirs ? "; collapsed" : "; detail=revalidated"));
    stand.settle();
    lose({2}, "/b");
    stand.pass_ms(70'000);
  }
}

TEST_F(Parts, ManyThatTurnOutDamagedAreAskedForWhileTheBodyIsSent) {
  damage({1, 2, 3, 4, 5, 6});
  const Answer answer = get(stand, "/a");
  EXPECT_TRUE(answer.body == kText);
  EXPECT_EQ(stand.origin.asked.size(), 7u);
  stand.settle();
  EXPECT_TRUE(get(stand, "/a").body == kText);
  EXPECT_EQ(stand.origin.asked.size(), 7u);
}

TEST_F(Parts, OneThatTurnsOutDamagedIsAskedForWhileTheBodyIsSent) {
  damage({4});
  const Answer answer = get(stand, "/a");
  EXPECT_EQ(answer.cache(), "perigee; hit; ttl=60");
  EXPECT_TRUE(answer.body == kText);
  ASSERT_EQ(stand.origin.asked.size(), 2u);
  EXPECT_EQ(stand.origin.asked[1]["Range"], range_of(4));
  EXPECT_EQ(stand.origin.asked[1]["If-Range"], "\"v1\"");
  stand.settle();
  EXPECT_TRUE(get(stand, "/a").body == kText);
  EXPECT_EQ(stand.origin.asked.size(), 2u) << "it is stored again";
}

RULE_F(Parts, OnlyWhatIsMissingIsAskedFor, "RFC 9111 §3.4; RFC 9211 §2.2; http-rules 3.20",
       "an incomplete response may be completed by a range request with its strong validator",
       "missing fragments are asked for with Range and If-Range, and the answer says fwd=partial",
       "") {
  lose({2, 5});
  const Answer answer = get(stand, "/a");
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.cache(), "perigee; fwd=partial; fwd-status=206; stored");
  EXPECT_TRUE(answer.body == kText);
  EXPECT_EQ(stand.origin.asked.size(), 2u);
  EXPECT_EQ(stand.origin.asked[0]["Range"], range_of(2));
  EXPECT_EQ(stand.origin.asked[1]["Range"], range_of(5));
  stand.settle();
  EXPECT_EQ(get(stand, "/a").cache(), "perigee; hit; ttl=60");
}

TEST_F(Parts, ARangeOfWhatIsThereIsAHit) {
  lose({2, 7});
  const Answer answer =
      get(stand, "/a",
          "Range: bytes=" + std::to_string(3 * each) + "-" + std::to_string(7 * each - 1) + "\r\n");
  EXPECT_EQ(answer.status, 206);
  EXPECT_EQ(answer.cache(), "perigee; hit; ttl=60");
  EXPECT_TRUE(answer.body == kText.substr(3 * each, 4 * each));
  EXPECT_EQ(stand.ask("HEAD", "/a").cache(), "perigee; hit; ttl=60");
  EXPECT_EQ(get(stand, "/a", "If-None-Match: \"v1\"\r\n").status, 304);
  EXPECT_EQ(stand.origin.asked.size(), 0u);
}

TEST_F(Parts, SeveralRangesAreCompletedToo) {
  lose({2, 5});
  const std::string first = std::to_string(2 * each + 7);
  const std::string second = std::to_string(5 * each + 9);
  const Answer answer = get(
      stand, "/a", "Range: bytes=" + second + "-" + second + "," + first + "-" + first + "\r\n");
  EXPECT_EQ(answer.status, 206);
  EXPECT_EQ(answer.cache(), "perigee; fwd=partial; fwd-status=206; stored");
  EXPECT_NE(answer.body.find("\r\n\r\n" + kText.substr(2 * each + 7, 1) + "\r\n"),
            std::string::npos);
  EXPECT_NE(answer.body.find("\r\n\r\n" + kText.substr(5 * each + 9, 1) + "\r\n"),
            std::string::npos);
}

TEST_F(Parts, AllWhoReadOnePlaceShareOneFetch) {
  lose({3});
  stand.origin.hold();
  std::deque<Client> clients;
  const std::string range =
      "Range: bytes=" + std::to_string(3 * each + 5) + "-" + std::to_string(3 * each + 14) + "\r\n";
  for (int i = 0; i < 4; ++i) clients.emplace_back(stand).ask("GET", "/a", range);
  stand.run();
  EXPECT_EQ(stand.origin.asked.size(), 1u);
  stand.origin.release();
  EXPECT_EQ(clients[0].answer().cache(), "perigee; fwd=partial; fwd-status=206; stored");
  for (int i = 1; i < 4; ++i) {
    const Answer answer = clients[i].answer();
    EXPECT_EQ(answer.body, kText.substr(3 * each + 5, 10));
    EXPECT_EQ(answer.cache(), "perigee; fwd=partial; fwd-status=206; stored; collapsed");
  }
  EXPECT_EQ(stand.origin.asked.size(), 1u);
}

TEST_F(Parts, TheNextOneIsOnItsWayWhileOneIsRead) {
  lose({3, 4, 5});
  Client client(stand);
  client.reading().capacity = 1'000;
  client.ask("GET", "/a", "Range: bytes=" + std::to_string(3 * each) + "-\r\n");
  stand.run();
  ASSERT_EQ(stand.origin.asked.size(), 2u) << "one ahead, not all of them";
  EXPECT_EQ(stand.origin.asked[1]["Range"], range_of(4));
}

RULE_F(Parts, AnotherVersionIsFetchedWhole, "RFC 9110 §13.1.5; RFC 9111 §3.4",
       "parts of different representations must not be combined",
       "when the origin has another version, the answer is that version alone", "") {
  lose({2});
  const std::string second = content(kLarge, 'b');
  stand.origin.on("/a", RangedFile{second, "\"v2\""});
  const Answer answer = get(stand, "/a");
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer["ETag"], "\"v2\"");
  EXPECT_TRUE(answer.body == second);
  stand.settle();
  EXPECT_TRUE(get(stand, "/a").body == second);
  EXPECT_EQ(get(stand, "/a").cache(), "perigee; hit; ttl=60");
}

TEST_F(Parts, AnotherVersionInTheMiddleOfABodyCutsIt) {
  damage({4});
  stand.origin.on("/a", RangedFile{content(kLarge, 'b'), "\"v2\""});
  Client client(stand);
  client.reading().capacity = 16 * limits::kMiB;
  client.ask("GET", "/a");
  const std::string got = client.arrived();
  EXPECT_TRUE(client.saw_reset()) << "a cut must be seen";
  EXPECT_TRUE(kText.starts_with(got.substr(got.find("\r\n\r\n") + 4)));
  EXPECT_EQ(get(stand, "/a", "Range: bytes=0-0\r\n")["ETag"], "\"v2\"")
      << "nothing of the old one is served any more";
}

TEST_F(Parts, AnOriginThatTakesNoRangesIsAskedForTheWhole) {
  lose({2});
  stand.origin.on("/a", Reply(200).cache("max-age=60").etag("\"v1\"").body(kText));
  const Answer answer = get(stand, "/a");
  EXPECT_EQ(answer.cache(), "perigee; fwd=uri-miss; fwd-status=200; stored");
  EXPECT_TRUE(answer.body == kText);
  EXPECT_EQ(stand.origin.asked.size(), 2u);
  EXPECT_EQ(stand.origin.asked[1]["Range"], "");
}

TEST_F(Parts, WhatLiesAboutItsRangeIsNotTaken) {
  struct Lie {
    const char* content_range;
    const char* etag;
    size_t size;
  };
  const size_t end = 3 * each;
  const std::string right = "bytes " + std::to_string(2 * each) + "-" + std::to_string(end - 1);
  const std::string size = "/" + std::to_string(kLarge);
  const std::string other_place = "bytes 0-" + std::to_string(each - 1) + size;
  const std::string other_size = right + "/" + std::to_string(kLarge + 1);
  const std::string honest = right + size;
  for (const Lie& lie :
       {Lie{other_place.c_str(), "\"v1\"", each}, Lie{other_size.c_str(), "\"v1\"", each},
        Lie{"", "\"v1\"", each}, Lie{honest.c_str(), "\"v2\"", each}, Lie{honest.c_str(), "", each},
        Lie{honest.c_str(), "\"v1\"", each - 1}}) {
    stand.origin.on("/a", RangedFile{kText});
    get(stand, "/a");
    stand.settle();
    lose({2});
    stand.origin.on("/a", [&](const Asked& asked) {
      if (asked["Range"].empty()) return RangedFile{kText}(asked);
      Reply reply(206);
      if (*lie.content_range != '\0') reply.line("Content-Range", lie.content_range);
      if (*lie.etag != '\0') reply.etag(lie.etag);
      return reply.body(std::string(lie.size, 'x'));
    });
    const Answer answer = get(stand, "/a");
    EXPECT_EQ(answer.status, 200) << lie.content_range << " " << lie.etag;
    EXPECT_TRUE(answer.body == kText) << lie.content_range << " " << lie.etag;
    stand.settle();
  }
}

TEST_F(Parts, WhatIsLongerThanItsRangeIsNotTaken) {
  lose({2});
  stand.origin.on("/a", [&](const Asked&) {
    return Reply(206)
        .line("Content-Range", range_of(2).replace(5, 1, " ") + "/" + std::to_string(kLarge))
        .etag("\"v1\"")
        .chunked(kText.substr(2 * each, each) + "and more");
  });
  Client client(stand);
  client.reading().capacity = 16 * limits::kMiB;
  client.ask("GET", "/a");
  stand.settle();
  const std::string got = client.arrived();
  const std::string body = got.substr(got.find("\r\n\r\n") + 4);
  EXPECT_TRUE(client.saw_reset());
  EXPECT_LT(body.size(), 3 * each);
  EXPECT_TRUE(kText.starts_with(body));
  const uint64_t rid = stand.stored("/a").head->rid;
  EXPECT_FALSE(stand.store().has_fragment({rid, 2}));
}

TEST_F(Parts, AnAnswerThatEndsEarlyIsCompleted) {
  lose({2});
  stand.origin.on("/a", RangedFile{.text = kText, .most = each / 2});
  EXPECT_TRUE(get(stand, "/a").body == kText);
  ASSERT_EQ(stand.origin.asked.size(), 2u);
  EXPECT_EQ(stand.origin.asked[1]["Range"],
            "bytes=" + std::to_string(2 * each + each / 2) + "-" + std::to_string(3 * each - 1));
}

TEST_F(Parts, OneThatEndsEarlyAgainAndAgainIsGivenUp) {
  lose({2});
  stand.origin.on("/a", RangedFile{.text = kText, .most = each / 8});
  Client client(stand);
  client.reading().capacity = 16 * limits::kMiB;
  client.ask("GET", "/a");
  client.arrived();
  EXPECT_TRUE(client.saw_reset());
  EXPECT_LT(stand.origin.asked.size(), 16u);
}

TEST_F(Parts, WithoutItsOriginOnlyWhatIsThereIsServed) {
  lose({2});
  stand.origin.go_away();
  EXPECT_EQ(get(stand, "/a").status, 502);
  EXPECT_EQ(get(stand, "/a", "Range: bytes=0-9\r\n").body, kText.substr(0, 10));
  stand.pass_ms(70'000);
  EXPECT_EQ(get(stand, "/a").status, 502) << "stale and not whole";
}

TEST_F(Parts, AFailingOriginIsNoReasonToForget) {
  lose({2});
  stand.origin.on("/a", Reply(500).body("no"));
  EXPECT_EQ(get(stand, "/a").status, 502);
  EXPECT_EQ(get(stand, "/a", "Range: bytes=0-9\r\n").cache(), "perigee; hit; ttl=60");
  stand.origin.on("/a", Reply(404).body("gone"));
  EXPECT_EQ(get(stand, "/a").status, 404);
  EXPECT_EQ(get(stand, "/a", "Range: bytes=0-9\r\n").status, 404) << "it is not there any more";
}

TEST_F(Parts, OnlyIfCachedAsksNobody) {
  lose({2});
  const Answer answer = get(stand, "/a", "Cache-Control: only-if-cached\r\n");
  EXPECT_EQ(answer.status, 504);
  EXPECT_EQ(answer.cache(), "perigee; fwd=partial");
  EXPECT_EQ(stand.origin.asked.size(), 0u);
}

TEST_F(Parts, OnlyIfCachedAsksNobodyInTheMiddleOfABodyEither) {
  damage({4});
  Client client(stand);
  client.reading().capacity = 16 * limits::kMiB;
  client.ask("GET", "/a", "Cache-Control: only-if-cached\r\n");
  const std::string got = client.arrived();
  EXPECT_TRUE(client.saw_reset()) << "a cut must be seen";
  EXPECT_TRUE(kText.starts_with(got.substr(got.find("\r\n\r\n") + 4)));
  EXPECT_EQ(stand.origin.asked.size(), 1u) << "the fetch that stored it";
}

TEST_F(Parts, AStaleOneIsValidatedAndThenCompleted) {
  lose({2});
  stand.pass_ms(70'000);
  const Answer answer = get(stand, "/a");
  EXPECT_EQ(answer.cache(), "perigee; fwd=stale; fwd-status=304; stored; detail=revalidated");
  EXPECT_TRUE(answer.body == kText);
  ASSERT_EQ(stand.origin.asked.size(), 2u);
  EXPECT_EQ(stand.origin.asked[1]["Range"], range_of(2));
}

/// The 304 says nothing of ranges: whether the origin takes them is seen before the answer begins.
TEST_F(Parts, AStaleOneThatCannotBeCompletedIsFetchedWhole) {
  for (const char* cache : {"max-age=60", "no-cache"}) {
    stand.origin.on("/a", [cache](const Asked& asked) {
      if (asked["If-None-Match"] == "\"v1\"") return Reply(304).cache(cache).etag("\"v1\"");
      return Reply(200).cache(cache).etag("\"v1\"").body(kText);
    });
    lose({2});
    stand.pass_ms(70'000);
    EXPECT_TRUE(get(stand, "/a").body == kText);
    EXPECT_LE(stand.origin.asked.size(), 3u);
    stand.settle();
    EXPECT_TRUE(get(stand, "/a").body == kText);
  }
}

TEST_F(Parts, AStaleOneWithoutAStrongValidatorIsFetchedWhole) {
  stand.origin.on("/b", [](const Asked& asked) {
    const bool known = !asked["If-None-Match"].empty();
    Reply reply(known ? 304 : 200);
    reply.cache("max-age=60").etag("W/\"v1\"");
    return known ? reply : reply.body(kText);
  });
  EXPECT_TRUE(get(stand, "/b").body == kText);
  stand.settle();
  lose({2}, "/b");
  stand.pass_ms(70'000);
  EXPECT_TRUE(get(stand, "/b").body == kText);
  stand.settle();
  EXPECT_EQ(get(stand, "/b").cache(), "perigee; hit; ttl=60");
}

TEST_F(Parts, AStaleOneThatIsCompletedIsSaidToBeStale) {
  RangedFile file{kText};
  file.cache = "max-age=60, stale-while-revalidate=600";
  stand.origin.on("/b", file);
  EXPECT_EQ(get(stand, "/b").body, kText);
  stand.settle();
  lose({2}, "/b");
  stand.pass_ms(70'000);
  // The whole is validated behind the client; the client waits for what is missing alone.
  const Answer answer = get(stand, "/b");
  EXPECT_EQ(answer.cache(),
            "perigee; fwd=partial; fwd-status=206; stored; detail=stale-while-revalidate");
  EXPECT_EQ(answer["Age"], "70");
  EXPECT_TRUE(answer.body == kText);
}

TEST_F(Parts, APurgeMeanwhileKeepsThemOutOfTheStore) {
  lose({2});
  stand.origin.hold();
  Client client(stand);
  client.reading().capacity = 16 * limits::kMiB;
  client.ask("GET", "/a");
  stand.run();
  EXPECT_EQ(Client(stand, "127.0.0.1:1").ask("PURGE", "/a").answer().status, 200);
  stand.origin.release();
  EXPECT_TRUE(client.answer().body == kText);
  stand.settle();
  EXPECT_EQ(get(stand, "/a").cache(), "perigee; hit; ttl=60") << "by a fetch after the purge";
  EXPECT_EQ(stand.origin.asked.back()["Range"], "");
}

TEST_F(Parts, AnOriginThatIsGoneBetweenTwoAnswersCutsTheBody) {
  lose({2});
  stand.origin.on("/a", [this](const Asked& asked) {
    stand.env.on_connect = [](const base::Endpoint&) {
      return std::optional<FakeEnv::ConnectResult>(
          base::Error{base::ErrorCode::kConnect, 111, "connection refused"});
    };
    return RangedFile{.text = kText, .most = each / 2}(asked).line("Connection", "close");
  });
  Client client(stand);
  client.reading().capacity = 16 * limits::kMiB;
  client.ask("GET", "/a");
  stand.run();
  stand.origin.finish();
  client.arrived();
  EXPECT_TRUE(client.saw_reset());
}

}  // namespace
}  // namespace perigee::test

// Stored objects of which parts are missing, through a whole node: what is missing is asked for by
// range, once, and two versions are never mixed.
#include <gtest/gtest.h>

#include <deque>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/limits.h"
#include "tests/support/edge/stand.h"
#include "tests/support/rule.h"

namespace perigee::test {
namespace {

GUARDS("origin::FragmentFetch, origin::FragmentBody, origin::FillOwner, edge::Completed");

namespace limits = base::limits;

/// A text in which no two places look alike.
std::string content(size_t size, char version = 'a') {
  std::string text;
  for (size_t i = 0; text.size() < size; ++i) text += version + std::to_string(i) + ";";
  text.resize(size);
  return text;
}

/// Of more than eight fragments, the last one short.
constexpr size_t kLarge = 500'001;
const std::string kText = content(kLarge);

Answer get(Stand& stand, std::string_view target, std::string_view lines = "") {
  Client client(stand);
  client.reading().capacity = 16 * limits::kMiB;
  return client.ask("GET", target, lines).answer();
}

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
  void lose(std::initializer_list<size_t> numbers) {
    damage(numbers);
    get(stand, "/a", "Range: bytes=0-0\r\n");
    const uint64_t rid = stand.stored("/a").head->rid;
    for (const size_t number : numbers) stand.store().warm_fragment({rid, number});
    stand.origin.asked.clear();
  }
  std::string range_of(size_t number) const {
    return "bytes=" + std::to_string(number * each) + "-" +
           std::to_string(std::min(kLarge, (number + 1) * each) - 1);
  }

  Stand stand;
  size_t each = 0;
};

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

RULE_F(Parts, OnlyWhatIsMissingIsAskedFor, "RFC 9111 §3.4; RFC 9211 §2.2",
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
  EXPECT_EQ(get(stand, "/a")["ETag"], "\"v2\"") << "the old one is not served any more";
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

TEST_F(Parts, AStaleOneIsValidatedAndThenCompleted) {
  lose({2});
  stand.pass_ms(70'000);
  const Answer answer = get(stand, "/a");
  EXPECT_EQ(answer.cache(), "perigee; fwd=stale; fwd-status=304; stored; detail=revalidated");
  EXPECT_TRUE(answer.body == kText);
  ASSERT_EQ(stand.origin.asked.size(), 2u);
  EXPECT_EQ(stand.origin.asked[1]["Range"], range_of(2));
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

/// A node that has nothing, and an origin that takes ranges.
class ColdRanges : public testing::Test {
 protected:
  ColdRanges() { stand.origin.on("/a", RangedFile{kText}); }

  static std::string range_line(size_t begin, size_t end) {
    return "Range: bytes=" + std::to_string(begin) + "-" + std::to_string(end - 1) + "\r\n";
  }
  Answer range(size_t begin, size_t end) { return get(stand, "/a", range_line(begin, end)); }
  std::string asked(size_t request) const { return stand.origin.asked[request]["Range"]; }
  std::string range_of(size_t number) const {
    return "bytes=" + std::to_string(number * each) + "-" +
           std::to_string(std::min(kLarge, (number + 1) * each) - 1);
  }

  Stand stand;
  const size_t each = stand.store().fragment_bytes();
};

RULE_F(ColdRanges, OnlyThePartThatHoldsItIsFetched, "RFC 9111 §3.3; http-rules 2.11",
       "a cache may store a partial response, and answer with what it has of it",
       "the aligned part that holds the range is asked for and stored", "fetch_ranges") {
  const Answer first = range(3 * each + 10, 3 * each + 30);
  EXPECT_EQ(first.status, 206);
  EXPECT_EQ(first.cache(), "perigee; fwd=uri-miss; fwd-status=206; stored");
  EXPECT_EQ(first.body, kText.substr(3 * each + 10, 20));
  EXPECT_EQ(first["Content-Range"], "bytes " + std::to_string(3 * each + 10) + "-" +
                                        std::to_string(3 * each + 29) + "/" +
                                        std::to_string(kLarge));
  ASSERT_EQ(stand.origin.asked.size(), 1u);
  EXPECT_EQ(asked(0), range_of(3));
  EXPECT_EQ(stand.origin.asked[0]["If-Range"], "");
  stand.settle();
  EXPECT_EQ(range(3 * each, 4 * each).cache(), "perigee; hit; ttl=60");
  EXPECT_EQ(stand.ask("HEAD", "/a")["Content-Length"], std::to_string(kLarge));
  EXPECT_EQ(stand.origin.asked.size(), 1u);
}

TEST_F(ColdRanges, TheRestComesWhenItIsAskedForAndNothingTwice) {
  range(3 * each + 10, 3 * each + 30);
  const Answer next = range(4 * each, 4 * each + 1);
  EXPECT_EQ(next.cache(), "perigee; fwd=partial; fwd-status=206; stored");
  EXPECT_EQ(next.body, kText.substr(4 * each, 1));
  EXPECT_EQ(asked(1), range_of(4));
  EXPECT_EQ(stand.origin.asked[1]["If-Range"], "\"v1\"");
  const Answer whole = get(stand, "/a");
  EXPECT_EQ(whole.status, 200);
  EXPECT_TRUE(whole.body == kText);
  EXPECT_EQ(whole["Content-Length"], std::to_string(kLarge));
  std::set<std::string> ranges;
  for (const Asked& one : stand.origin.asked) {
    EXPECT_TRUE(ranges.insert(one["Range"]).second) << one["Range"] << " was asked for twice";
  }
  EXPECT_EQ(ranges.size(), (kLarge + each - 1) / each);
  stand.settle();
  EXPECT_EQ(get(stand, "/a").cache(), "perigee; hit; ttl=60");
}

TEST_F(ColdRanges, TheLastBytesHaveTheLastPartFetched) {
  const Answer last = get(stand, "/a", "Range: bytes=-10\r\n");
  EXPECT_EQ(last.status, 206);
  EXPECT_EQ(last.body, kText.substr(kLarge - 10));
  EXPECT_EQ(last.cache(), "perigee; fwd=uri-miss; fwd-status=206; stored");
  EXPECT_EQ(asked(0), "bytes=-" + std::to_string(each));
  stand.settle();
  EXPECT_EQ(range(kLarge - 100, kLarge).cache(), "perigee; hit; ttl=60");
  EXPECT_TRUE(get(stand, "/a", "Range: bytes=-" + std::to_string(3 * each) + "\r\n").body ==
              kText.substr(kLarge - 3 * each));
}

TEST_F(ColdRanges, FromThereOnIsFetchedPartByPart) {
  const Answer rest = get(stand, "/a", "Range: bytes=" + std::to_string(5 * each + 3) + "-\r\n");
  EXPECT_EQ(rest.status, 206);
  EXPECT_TRUE(rest.body == kText.substr(5 * each + 3));
  EXPECT_EQ(asked(0), range_of(5));
  EXPECT_EQ(stand.origin.asked.size(), (kLarge + each - 1) / each - 5);
}

TEST_F(ColdRanges, AllOfItIsNoPart) {
  EXPECT_EQ(get(stand, "/a", "Range: bytes=0-\r\n").status, 206);
  EXPECT_EQ(asked(0), "");
  EXPECT_EQ(stand.origin.asked.size(), 1u);
}

TEST_F(ColdRanges, OfASmallFileTheFirstPartIsTheWhole) {
  stand.origin.on("/small", RangedFile{"0123456789"});
  const Answer part = get(stand, "/small", "Range: bytes=2-4\r\n");
  EXPECT_EQ(part.body, "234");
  EXPECT_EQ(part["Content-Range"], "bytes 2-4/10");
  EXPECT_EQ(part.cache(), "perigee; fwd=uri-miss; fwd-status=206; stored");
  stand.settle();
  const Answer whole = get(stand, "/small");
  EXPECT_EQ(whole.status, 200);
  EXPECT_EQ(whole.body, "0123456789");
  EXPECT_EQ(whole.cache(), "perigee; hit; ttl=60");
  EXPECT_EQ(whole["Content-Range"], "");
  EXPECT_EQ(get(stand, "/small", "Range: bytes=-3\r\n").body, "789");
  EXPECT_EQ(stand.origin.asked.size(), 1u);
}

TEST_F(ColdRanges, BehindTheEndIsA416) {
  const Answer beyond = range(2 * kLarge, 2 * kLarge + 5);
  EXPECT_EQ(beyond.status, 416);
  EXPECT_EQ(beyond["Content-Range"], "bytes */" + std::to_string(kLarge));
}

TEST_F(ColdRanges, AnOriginThatTakesNoneIsAskedOnce) {
  stand.origin.on("/a", Reply(200).cache("max-age=60").etag("\"v1\"").body(kText));
  const Answer part = range(3 * each, 3 * each + 10);
  EXPECT_EQ(part.status, 206);
  EXPECT_EQ(part.body, kText.substr(3 * each, 10));
  EXPECT_EQ(part.cache(), "perigee; fwd=uri-miss; fwd-status=200; stored");
  stand.settle();
  EXPECT_EQ(get(stand, "/a").cache(), "perigee; hit; ttl=60");
  EXPECT_EQ(stand.origin.asked.size(), 1u);
}

TEST_F(ColdRanges, WithoutAStrongTagTheWholeIsFetched) {
  for (const char* etag : {"", "W/\"v1\""}) {
    const std::string target = std::string("/") + (*etag == '\0' ? "none" : "weak");
    stand.origin.on(target, RangedFile{kText, etag});
    const Answer part = get(stand, target, range_line(3 * each, 3 * each + 10));
    EXPECT_EQ(part.status, 206);
    EXPECT_EQ(part.body, kText.substr(3 * each, 10));
    ASSERT_EQ(stand.origin.asked_for(target), 2u);
    EXPECT_EQ(stand.origin.asked.back()["Range"], "");
    stand.settle();
    EXPECT_EQ(get(stand, target).cache(), "perigee; hit; ttl=60");
  }
}

TEST_F(ColdRanges, APartOfWhatIsNotStoredComesFromTheOriginAsItIs) {
  stand.origin.on("/a", RangedFile{.text = kText, .cache = "no-store"});
  const Answer first = range(3 * each, 3 * each + 10);
  EXPECT_EQ(first.status, 206);
  EXPECT_EQ(first.body, kText.substr(3 * each, 10));
  EXPECT_EQ(stand.origin.asked.size(), 2u);
  EXPECT_EQ(asked(1) + "\r\n", range_line(3 * each, 3 * each + 10).substr(7));
  EXPECT_EQ(range(5, 10).body, kText.substr(5, 5));
  EXPECT_EQ(stand.origin.asked.size(), 3u) << "it is remembered that nobody shares it";
  EXPECT_EQ(asked(2), "bytes=5-9");
  EXPECT_EQ(stand.stored("/a").state, cache_store::Found::kMiss);
}

TEST_F(ColdRanges, APartOfWhatIsTooLongToBeStoredComesFromTheOriginAsItIs) {
  const std::string text = content(stand.store().max_fragmented_bytes() + 1);
  stand.origin.on("/a", RangedFile{text});
  EXPECT_EQ(range(3 * each, 3 * each + 10).body, text.substr(3 * each, 10));
  EXPECT_EQ(range(text.size() - 10, text.size()).body, text.substr(text.size() - 10));
  EXPECT_EQ(stand.origin.asked.size(), 3u);
}

TEST_F(ColdRanges, WhereTheStoreTakesNothingItComesAsItIs) {
  stand.io->refuse_writes = true;
  EXPECT_EQ(range(3 * each, 3 * each + 10).body, kText.substr(3 * each, 10));
}

TEST_F(ColdRanges, APlayerThatSeeksHasEachPartFetchedOnce) {
  stand.origin.hold();
  std::deque<Client> clients;
  std::vector<std::pair<size_t, size_t>> spans;
  for (const size_t number : {6u, 2u, 4u, 2u, 5u, 0u}) {
    spans.emplace_back(number * each + 100, (number + 1) * each + 200);
  }
  for (const auto& [begin, end] : spans) {
    clients.emplace_back(stand).ask("GET", "/a", range_line(begin, end));
    clients.back().reading().capacity = 16 * limits::kMiB;
  }
  stand.run();
  stand.origin.release();
  for (size_t i = 0; i < spans.size(); ++i) {
    const Answer answer = clients[i].answer();
    EXPECT_EQ(answer.status, 206);
    EXPECT_TRUE(answer.body == kText.substr(spans[i].first, spans[i].second - spans[i].first));
  }
  std::set<std::string> ranges;
  for (const Asked& one : stand.origin.asked) {
    EXPECT_TRUE(ranges.insert(one["Range"]).second) << one["Range"] << " was asked for twice";
  }
}

TEST_F(ColdRanges, WhoWantsTheWholeWaitsForNoSecondFetch) {
  stand.origin.hold();
  Client part(stand);
  part.ask("GET", "/a", range_line(3 * each, 3 * each + 10));
  Client whole(stand);
  whole.reading().capacity = 16 * limits::kMiB;
  whole.ask("GET", "/a");
  stand.run();
  EXPECT_EQ(stand.origin.asked.size(), 1u);
  stand.origin.release();
  EXPECT_EQ(part.answer().body, kText.substr(3 * each, 10));
  EXPECT_TRUE(whole.answer().body == kText);
  std::set<std::string> ranges;
  for (const Asked& one : stand.origin.asked) {
    EXPECT_TRUE(ranges.insert(one["Range"]).second) << one["Range"] << " was asked for twice";
  }
}

TEST_F(ColdRanges, VariantsAreKeptApart) {
  stand.origin.on("/a", [](const Asked& asked) {
    const bool b = asked["X"] == "b";
    return RangedFile{content(kLarge, b ? 'b' : 'a'), b ? "\"b\"" : "\"a\""}(asked).line("Vary",
                                                                                         "X");
  });
  for (int round = 0; round < 2; ++round) {
    for (const char version : {'a', 'b'}) {
      const std::string text = content(kLarge, version);
      const std::string field = std::string("X: ") + version + "\r\n";
      EXPECT_EQ(get(stand, "/a", field + range_line(3 * each, 3 * each + 10)).body,
                text.substr(3 * each, 10));
      EXPECT_EQ(get(stand, "/a", field + range_line(4 * each, 4 * each + 10)).body,
                text.substr(4 * each, 10));
      stand.settle();
    }
  }
  EXPECT_EQ(stand.origin.asked.size(), 4u);
}

TEST_F(ColdRanges, AClientsIfRangeHoldsOrItGetsTheWhole) {
  const Answer other =
      get(stand, "/a", range_line(3 * each, 3 * each + 10) + "If-Range: \"other\"\r\n");
  EXPECT_EQ(other.status, 200);
  EXPECT_TRUE(other.body == kText);
  const Answer same =
      get(stand, "/a", range_line(3 * each, 3 * each + 10) + "If-Range: \"v1\"\r\n");
  EXPECT_EQ(same.status, 206);
}

TEST_F(ColdRanges, APurgeBeforeThePartHasComeForgetsIt) {
  stand.origin.hold();
  Client client(stand);
  client.ask("GET", "/a", range_line(3 * each, 3 * each + 10));
  stand.run();
  EXPECT_EQ(Client(stand, "127.0.0.1:1").ask("PURGE", "/a").answer().status, 200);
  stand.origin.release();
  EXPECT_EQ(client.answer().body, kText.substr(3 * each, 10));
  stand.settle();
  EXPECT_EQ(stand.stored("/a").state, cache_store::Found::kMiss);
}

TEST_F(ColdRanges, AnErrorIsAnError) {
  stand.origin.on("/a", Reply(404).body("none"));
  EXPECT_EQ(range(3 * each, 3 * each + 10).status, 404);
  stand.origin.on("/b", Reply(500).body("broken"));
  EXPECT_EQ(get(stand, "/b", range_line(5, 6)).status, 500);
  EXPECT_EQ(stand.origin.asked.size(), 2u);
}

TEST_F(ColdRanges, APartThatLiesIsNotTaken) {
  for (const std::string& range :
       {std::string("bytes 0-9/500001"), "bytes 0-" + std::to_string(each - 1) + "/*",
        std::string("bytes 9-0/500001"), std::string("")}) {
    const std::string target = "/" + std::to_string(stand.origin.asked.size());
    stand.origin.on(target, [&](const Asked& asked) {
      if (asked["Range"].empty()) return RangedFile{kText}(asked);
      Reply reply = Reply(206).cache("max-age=60").etag("\"v1\"");
      if (!range.empty()) reply.line("Content-Range", range);
      return reply.body(std::string(each, 'x'));
    });
    EXPECT_EQ(get(stand, target, range_line(3 * each, 3 * each + 10)).body,
              kText.substr(3 * each, 10))
        << range;
  }
}

TEST(ColdRange, IsFetchedWholeWhereTheSiteSaysSo) {
  Stand stand("fetch_ranges = false");
  stand.origin.on("/a", RangedFile{kText});
  EXPECT_EQ(get(stand, "/a", "Range: bytes=200000-200009\r\n").body, kText.substr(200'000, 10));
  ASSERT_EQ(stand.origin.asked.size(), 1u);
  EXPECT_EQ(stand.origin.asked[0]["Range"], "");
}

/// A node, and an origin whose connection ends in the middle of its first answer.
class Broken : public testing::Test {
 protected:
  /// The answer to a request without Range stops there.
  void stop_after(size_t bytes) {
    stand.origin.on("/a", [this, bytes](const Asked& asked) {
      return asked["Range"].empty() ? file(asked).stops_after(bytes) : file(asked);
    });
  }
  Client& begin() {
    Client& client = clients.emplace_back(stand);
    client.reading().capacity = 16 * limits::kMiB;
    client.ask("GET", "/a");
    stand.run();
    return client;
  }
  void expect_cut(Client& client) {
    client.arrived();
    EXPECT_TRUE(client.saw_reset());
    stand.settle();
    EXPECT_EQ(stand.stored("/a").state, cache_store::Found::kMiss);
  }

  Stand stand;
  RangedFile file{kText};
  std::deque<Client> clients;
};

RULE_F(Broken, TheRestOfABodyThatWasCutIsAskedFor, "RFC 9111 §3.3; RFC 9111 §3.4",
       "an incomplete response may be completed with range requests",
       "the rest is asked for under the strong tag, and clients see one body", "") {
  for (const size_t size : {kLarge, size_t{1'000}}) {
    SCOPED_TRACE(size);
    file.text = content(size);
    stop_after(size / 2);
    Client& client = begin();
    stand.origin.reset();
    const Answer answer = client.answer();
    EXPECT_EQ(answer.status, 200);
    EXPECT_TRUE(answer.body == file.text);
    ASSERT_EQ(stand.origin.asked.size(), 2u);
    EXPECT_EQ(stand.origin.asked[1]["Range"],
              "bytes=" + std::to_string(size / 2) + "-" + std::to_string(size - 1));
    EXPECT_EQ(stand.origin.asked[1]["If-Range"], "\"v1\"");
    stand.settle();
    const Answer again = get(stand, "/a");
    EXPECT_EQ(again.cache(), "perigee; hit; ttl=60");
    EXPECT_TRUE(again.body == file.text);
    EXPECT_EQ(Client(stand, "127.0.0.1:1").ask("PURGE", "/a").answer().status, 200);
    stand.origin.asked.clear();
  }
}

TEST_F(Broken, AnotherVersionDoesNotContinueIt) {
  stop_after(kLarge / 2);
  Client& client = begin();
  file = RangedFile{content(kLarge, 'b'), "\"v2\""};
  stand.origin.reset();
  expect_cut(client);
}

TEST_F(Broken, WithoutItsOriginItIsCut) {
  stop_after(kLarge / 2);
  Client& client = begin();
  stand.origin.go_away();
  expect_cut(client);
}

TEST_F(Broken, WithoutAStrongTagItIsCut) {
  file.etag = "W/\"v1\"";
  stop_after(kLarge / 2);
  Client& client = begin();
  stand.origin.reset();
  expect_cut(client);
  EXPECT_EQ(stand.origin.asked.size(), 1u);
}

TEST_F(Broken, AgainAndAgainItIsCut) {
  file.most = 1'000;
  stop_after(kLarge / 2);
  Client& client = begin();
  stand.origin.reset();
  expect_cut(client);
  EXPECT_EQ(stand.origin.asked.size(), 1u + limits::kPartRequests);
}

TEST_F(Broken, MoreThanTheRestIsNotTaken) {
  stop_after(kLarge / 2);
  Client& client = begin();
  stand.origin.on("/a", [](const Asked&) {
    return Reply(206)
        .etag("\"v1\"")
        .line("Content-Range", "bytes " + std::to_string(kLarge / 2) + "-" +
                                   std::to_string(kLarge - 1) + "/" + std::to_string(kLarge))
        .chunked(kText.substr(kLarge / 2) + "more");
  });
  stand.origin.reset();
  expect_cut(client);
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

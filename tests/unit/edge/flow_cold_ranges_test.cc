// Ranges of what is not stored, through a whole node: only the parts that are needed are fetched,
// and each once, also while somebody gets the whole.
#include <gtest/gtest.h>

#include <deque>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "tests/support/edge/large_body.h"
#include "tests/support/rule.h"

namespace perigee::test {
namespace {

GUARDS("origin::FillOwner, origin::Fill, edge::Filled");

namespace limits = base::limits;

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

RULE_F(ColdRanges, OnlyThePartThatHoldsItIsFetched, "RFC 9111 §3.3; http-rules 3.21",
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

RULE_F(ColdRanges, TheDigestOfAPartIsNotTheWholes, "RFC 9530 §2; http-rules 3.21",
       "Content-Digest is of the content of its own message, Repr-Digest of the representation",
       "of a 206 that puts the head of its whole into the store the first is not kept", "") {
  stand.origin.on("/a", [this](const Asked& asked) {
    return RangedFile{kText}(asked)
        .line("Content-Digest", "sha-256=:cGFydA==:")
        .line("Content-MD5", "cGFydA==")
        .line("Repr-Digest", "sha-256=:d2hvbGU=:");
  });
  range(0, 10);
  stand.settle();
  EXPECT_TRUE(get(stand, "/a").body == kText);
  const Answer whole = get(stand, "/a");
  EXPECT_EQ(whole.status, 200);
  EXPECT_EQ(whole["Content-Digest"], "");
  EXPECT_EQ(whole["Content-MD5"], "");
  EXPECT_EQ(whole["Repr-Digest"], "sha-256=:d2hvbGU=:");
}

TEST_F(ColdRanges, ALargeOneThatComesWholeAsAPartIsStoredWhole) {
  stand.origin.on("/a", [](const Asked&) {
    return Reply(206)
        .cache("max-age=60")
        .etag("\"v1\"")
        .line("Content-Range",
              "bytes 0-" + std::to_string(kLarge - 1) + "/" + std::to_string(kLarge))
        .body(kText);
  });
  EXPECT_EQ(range(3 * each, 3 * each + 10).body, kText.substr(3 * each, 10));
  stand.settle();
  EXPECT_TRUE(get(stand, "/a").body == kText);
  EXPECT_EQ(stand.origin.asked.size(), 1u);
}

TEST_F(ColdRanges, A304ThatNobodyAskedForHasTheWholeFetched) {
  stand.origin.on("/a", [](const Asked& asked) {
    return asked["Range"].empty() ? RangedFile{kText}(asked) : Reply(304);
  });
  EXPECT_EQ(range(3 * each, 3 * each + 10).body, kText.substr(3 * each, 10));
}

TEST_F(ColdRanges, AConditionThatFailsSaysWhatWasFetchedForIt) {
  const Answer answer =
      get(stand, "/a", range_line(3 * each, 3 * each + 10) + "If-Match: \"other\"\r\n");
  EXPECT_EQ(answer.status, 412);
  EXPECT_EQ(answer.cache(), "perigee; fwd=uri-miss; fwd-status=206; stored");
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
  range(3 * each, 3 * each + 10);
  EXPECT_EQ(range(3 * each, 3 * each + 10).cache(), "perigee; hit; ttl=60") << "and only that one";
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
        "bytes 0-" + std::to_string(each - 1) + "/" + std::to_string(kLarge),
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

/// A client that gets the whole, of which the first bytes have come.
class Filling : public ColdRanges {
 protected:
  void begin(size_t bytes) {
    stand.origin.on("/a", [this, bytes](const Asked& asked) {
      const Reply reply = file(asked);
      return asked["Range"].empty() ? Reply(reply).stops_after(bytes) : reply;
    });
    whole.reading().capacity = 16 * limits::kMiB;
    whole.ask("GET", "/a");
  }
  RangedFile file{kText};
  Client whole{stand};
};

TEST_F(Filling, WhoWantsWhatComesMuchLaterHasThatPartFetched) {
  begin(100);
  stand.run();
  const Answer part = range(6 * each, 6 * each + 10);
  EXPECT_EQ(part.body, kText.substr(6 * each, 10));
  EXPECT_EQ(part.cache(), "perigee; fwd=uri-miss; fwd-status=206; stored");
  const Answer last = get(stand, "/a", "Range: bytes=-5\r\n");
  EXPECT_EQ(last.body, kText.substr(kLarge - 5));
  ASSERT_EQ(stand.origin.asked.size(), 3u);
  EXPECT_EQ(asked(1), range_of(6));
}

TEST_F(Filling, SoDoesWhoCameBeforeTheHead) {
  stand.origin.hold("GET", "/a");
  begin(100);
  Client player(stand);
  player.ask("GET", "/a", range_line(6 * each, 6 * each + 10));
  stand.run();
  EXPECT_EQ(stand.origin.asked.size(), 1u);
  stand.origin.release();
  EXPECT_EQ(player.answer().body, kText.substr(6 * each, 10));
  EXPECT_EQ(stand.origin.asked.size(), 2u);
}

TEST_F(Filling, WhoWantsWhatComesSoonWaitsForIt) {
  begin(100);
  stand.run();
  Client player(stand);
  player.ask("GET", "/a", range_line(each, each + 10));
  stand.run();
  ASSERT_EQ(stand.origin.asked.size(), 1u);
  stand.origin.send(kText.substr(100));
  EXPECT_EQ(player.answer().body, kText.substr(each, 10));
  EXPECT_TRUE(whole.answer().body == kText);
  stand.settle();
  EXPECT_EQ(get(stand, "/a").cache(), "perigee; hit; ttl=60");
}

TEST_F(Filling, WhereNoPartsCanBeHadItIsWaitedForHoweverLateItComes) {
  file.etag = "W/\"v1\"";
  begin(100);
  stand.run();
  Client player(stand);
  player.ask("GET", "/a", range_line(6 * each, 6 * each + 10));
  stand.run();
  ASSERT_EQ(stand.origin.asked.size(), 1u);
  stand.origin.send(kText.substr(100));
  EXPECT_EQ(player.answer().body, kText.substr(6 * each, 10));
}

}  // namespace
}  // namespace perigee::test

// Answers of an origin that end in the middle, through a whole node: the rest is asked for.
#include <gtest/gtest.h>

#include <deque>
#include <string>

#include "tests/support/edge/large_body.h"
#include "tests/support/rule.h"

namespace perigee::test {
namespace {

GUARDS("origin::FillOwner");

namespace limits = base::limits;

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

RULE_F(Broken, TheRestOfABodyThatWasCutIsAskedFor, "RFC 9111 §3.3; RFC 9111 §3.4; http-rules 3.22",
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

}  // namespace
}  // namespace perigee::test

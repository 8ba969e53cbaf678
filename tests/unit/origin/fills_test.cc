// One fetch for each key: who is answered by it, who is sent away, what is stored, and what it
// leaves behind.
#include "origin/fills.h"

#include <algorithm>

#include "tests/support/rule.h"
#include "tests/unit/origin/fill_fixture.h"

namespace perigee::origin {
namespace {

GUARDS("origin::Fills, origin::FillTable, origin::Fills");

namespace limits = base::limits;

const std::string kFresh = "Cache-Control: max-age=60\n";
std::string sized(size_t bytes) { return kFresh + "Content-Length: " + std::to_string(bytes); }

class OneLoop : public FillsTest {};
class FourLoops : public FillsTest {
 protected:
  FourLoops() : FillsTest(4) {}
};

// --- one fetch ---

TEST_F(OneLoop, AFillAnswersItsClientAndIsStored) {
  TestWaiter& client = join();
  EXPECT_EQ(client.said, "") << "nothing is said inside join";
  fetch().answer(200, sized(5), "hello");
  run();
  EXPECT_EQ(client.said, "own");
  EXPECT_TRUE(client.whole());
  EXPECT_EQ(client.text(), "hello");
  EXPECT_TRUE(client.storing);
  ASSERT_NE(stored(), nullptr);
  EXPECT_EQ(*stored(), "hello");
  EXPECT_EQ(stored_count_, 1u);
}

TEST_F(FourLoops, OneFetchHoweverManyAskOnHoweverManyLoops) {
  std::vector<TestWaiter*> clients;
  for (size_t i = 0; i < 400; ++i) clients.push_back(&join("/a", "", i % 4));
  EXPECT_EQ(fetches(), 1u);
  fetch().head(200, sized(9));
  run();
  fetch().feed("abc");
  run();
  for (TestWaiter* client : clients) EXPECT_EQ(client->text(), "abc") << "streams while it fills";
  fetch().feed("def");
  run();
  fetch().feed("ghi");
  fetch().end();
  run();
  for (size_t i = 0; i < clients.size(); ++i) {
    EXPECT_EQ(clients[i]->said, i == 0 ? "own" : "head");
    EXPECT_TRUE(clients[i]->whole());
    EXPECT_EQ(clients[i]->text(), "abcdefghi");
  }
  EXPECT_EQ(store_.puts, 1u);
}

TEST_F(FourLoops, WhoComesAfterTheHeadJoinsTheGrowingBody) {
  TestWaiter& first = join();
  fetch().head(200, sized(6));
  fetch().feed("abc");
  run();
  TestWaiter& late = join("/a", "", 2);
  EXPECT_EQ(late.said, "head");
  EXPECT_EQ(late.text(), "abc");
  fetch().feed("def");
  fetch().end();
  run();
  EXPECT_TRUE(late.whole());
  EXPECT_EQ(late.text(), "abcdef");
  EXPECT_EQ(first.text(), "abcdef");
  EXPECT_EQ(fetches(), 1u);
}

TEST_F(FourLoops, WhoComesBetweenTheEndAndThePutIsAnsweredWithoutAGap) {
  for (const auto& loop : loops_) loop->env.hold_jobs = true;
  join();
  fetch().answer(200, sized(5), "hello");
  run();
  TestWaiter& late = join("/a", "", 1);
  EXPECT_EQ(late.said, "head");
  EXPECT_EQ(late.text(), "hello");
  FillRequest judged_before = request(1, "/a");
  loops_[0]->env.run_jobs();
  run();
  EXPECT_EQ(join(std::move(judged_before), 1).said, "stored") << "the index knows it: look again";
  EXPECT_EQ(fetches(), 1u);
}

TEST_F(OneLoop, AFillSurvivesItsFirstClient) {
  TestWaiter& first = join();
  TestWaiter& second = join();
  drop(first);
  fetch().answer(200, sized(5), "hello");
  run();
  EXPECT_EQ(second.said, "head");
  EXPECT_EQ(second.text(), "hello");
}

TEST_F(OneLoop, AFillWithoutClientsGoesOnToItsHead) {
  drop(join());
  fetch().answer(200, sized(5), "hello");
  run();
  EXPECT_NE(stored(), nullptr);
}

TEST_F(OneLoop, ABodyThatIsCutIsNotStoredAndTheClientSeesTheCut) {
  TestWaiter& client = join();
  fetch().head(200, sized(9));
  fetch().feed("abc");
  run();
  fetch().cut();
  run();
  EXPECT_TRUE(client.cut());
  EXPECT_EQ(client.text(), "abc");
  EXPECT_EQ(stored(), nullptr);
}

TEST_F(FourLoops, AFailureIsToldToAllWhoWait) {
  TestWaiter& first = join();
  TestWaiter& second = join("/a", "", 1);
  fetch().fail(FetchError::kTimeout);
  run();
  EXPECT_EQ(first.said, "failed:504");
  EXPECT_EQ(second.said, "failed:504");
  join("/a", "", 1);
  EXPECT_EQ(fetches(), 2u) << "and the next one tries again";
}

TEST_F(OneLoop, ABodyOfUnknownLengthIsStoredWithItsLength) {
  TestWaiter& client = join();
  fetch().head(200, kFresh);
  for (int i = 0; i < 40; ++i) {
    fetch().feed(std::string(5000, static_cast<char>('a' + i % 26)));
    run();
  }
  fetch().end();
  run();
  EXPECT_EQ(client.text().size(), 200'000u);
  ASSERT_NE(stored(), nullptr);
  EXPECT_EQ(*stored(), client.text());
  const FillRequest next = request(0, "/a");
  EXPECT_EQ(view_of(next.stored, store_)->content_length, 200'000u);
}

TEST_F(FourLoops, InterimHeadsReachEverybodyBeforeTheFinalOne) {
  TestWaiter& first = join();
  TestWaiter& second = join("/a", "", 3);
  fetch().interim(103, "Link: </a>");
  fetch().interim(102);
  fetch().answer(200, sized(2), "ok");
  run();
  EXPECT_EQ(first.said, "103 102 own");
  EXPECT_EQ(second.said, "103 102 head");
}

// --- who is not answered by it ---

RULE_F(FourLoops, AResponseThatCannotBeSharedReleasesEverybodyAtOnce,
       "http-rules 1.2; RFC 9111 §5.2.2.5",
       "a response that must not be stored answers the one request that it was fetched for",
       "all who wait go alone at once, before its content has come", "") {
  TestWaiter& own = join();
  TestWaiter& second = join("/a", "", 1);
  TestWaiter& third = join("/a", "", 2);
  fetch().head(200, "Cache-Control: no-store");
  run();
  EXPECT_EQ(own.said, "own");
  EXPECT_FALSE(own.whole());
  EXPECT_EQ(second.said, "released");
  EXPECT_EQ(third.said, "released");
}

struct PrivateCase {
  const char* name;
  const char* first_asks;
  const char* response;
  const char* second_asks;
  const char* second_hears;
};
class PrivateToARequest : public FillsTest, public ::testing::WithParamInterface<PrivateCase> {};
TEST_P(PrivateToARequest, AnswersOnlyWhomAHitWouldAnswer) {
  const PrivateCase& row = GetParam();
  TestWaiter& first = join("/a", row.first_asks);
  TestWaiter& second = join("/a", row.second_asks);
  fetch().answer(200, row.response, "body");
  run();
  EXPECT_EQ(first.said, "own");
  EXPECT_EQ(second.said, row.second_hears);
}
INSTANTIATE_TEST_SUITE_P(
    , PrivateToARequest,
    ::testing::Values(
        PrivateCase{"SetCookie", "", "Cache-Control: max-age=60\nSet-Cookie: a=b", "", "released"},
        PrivateCase{"NoCache", "", "Cache-Control: no-cache\nETag: \"a\"", "", "released"},
        PrivateCase{"AlreadyStale", "", "Cache-Control: max-age=60\nAge: 90\nETag: \"a\"", "",
                    "released"},
        PrivateCase{"Authorization", "Authorization: x", "Cache-Control: max-age=60", "",
                    "released"},
        PrivateCase{"AuthorizationPublic", "Authorization: x", "Cache-Control: public, max-age=60",
                    "", "head"},
        PrivateCase{"VaryMatches", "Accept-Language: de",
                    "Cache-Control: max-age=60\nVary: Accept-Language", "Accept-Language: de",
                    "head"},
        PrivateCase{"VaryDiffers", "Accept-Language: de",
                    "Cache-Control: max-age=60\nVary: Accept-Language", "Accept-Language: fr",
                    "released"},
        PrivateCase{"VaryStar", "", "Cache-Control: max-age=60\nVary: *", "", "released"}),
    [](const auto& row) { return std::string(row.param.name); });

TEST_F(OneLoop, VariantsAreFilledApartOnceTheirVaryIsKnown) {
  join("/a", "Accept-Language: de");
  fetch().answer(200, kFresh + "Vary: Accept-Language", "hallo");
  run();
  TestWaiter& french = join("/a", "Accept-Language: fr");
  TestWaiter& english = join("/a", "Accept-Language: en");
  EXPECT_EQ(fetches(), 3u) << "nobody waits for another language";
  origin().open.front()->answer(200, kFresh + "Vary: Accept-Language", "salut");
  run();
  fetch().answer(200, kFresh + "Vary: Accept-Language", "hello");
  run();
  EXPECT_EQ(french.text(), "salut");
  EXPECT_EQ(english.text(), "hello");
  EXPECT_EQ(request(0, "/a", "Accept-Language: de").stored.head->body.size(), 5u);
}

RULE_F(OneLoop, VariantsThatAreFetchedAtOnceAreAllFound, "RFC 9111 §4.1",
       "a stored response is selected by the request fields that its Vary names",
       "both of two variants are found afterwards, also when neither fetch knew of a Vary", "") {
  join("/a", "Accept-Language: de", 0, JoinMode::kAlone);
  join("/a", "Accept-Language: fr", 0, JoinMode::kAlone);
  ASSERT_EQ(origin().open.size(), 2u);
  PlayedFetch& french = *origin().open.back();
  origin().open.front()->answer(200, kFresh + "Vary: Accept-Language", "hallo");
  french.answer(200, kFresh + "Vary: Accept-Language", "bonjour");
  run();
  EXPECT_EQ(request(0, "/a", "Accept-Language: de").stored.head->body.size(), 5u);
  EXPECT_EQ(request(0, "/a", "Accept-Language: fr").stored.head->body.size(), 7u);
}

TEST_F(OneLoop, AWaiterMayDestroyOthersInsideItsCallback) {
  TestWaiter& first = join();
  TestWaiter& second = join();
  TestWaiter& third = join();
  first.at_head = [&] { second.leave_fill(); };
  fetch().answer(200, sized(2), "ok");
  run();
  EXPECT_EQ(second.said, "");
  EXPECT_EQ(third.said, "head");
}

// --- hit-for-miss ---

RULE_F(OneLoop, AnUncacheableUrlNeverQueuesClients, "http-rules 3.2",
       "what cannot be shared must not be waited for",
       "for 30 s requests for it are not queued behind one another", "") {
  join();
  fetch().answer(200, "Cache-Control: no-store", "x");
  run();
  join();
  join();
  EXPECT_EQ(fetches(), 3u);
  advance(limits::kHitForMissMs + 100);
  while (!origin().open.empty()) fetch().fail(FetchError::kClosed);
  join();
  join();
  EXPECT_EQ(fetches(), 4u) << "the mark is over";
}

RULE_F(OneLoop, AStorableResponseEndsTheMark, "http-rules 3.2",
       "hit-for-miss, not hit-for-pass: what turns out storable is stored",
       "a storable response is stored and ends the mark", "") {
  join();
  fetch().answer(200, "Cache-Control: no-store", "x");
  run();
  join();
  fetch().answer(200, sized(1), "y");
  run();
  EXPECT_NE(stored(), nullptr);
  store_.erase(store_.digest(key("/a")));
  join();
  join();
  EXPECT_EQ(fetches(), 3u) << "they wait for one another again";
}

RULE_F(OneLoop, NoClientCanSetTheMark, "http-rules 3.2",
       "nobody may switch the cache off for a URL by what a request says",
       "a response that is private to a request because of the request leaves no mark", "") {
  join("/a", "Authorization: x");
  fetch().answer(200, kFresh, "x");
  run();
  TestWaiter& second = join();
  TestWaiter& third = join();
  EXPECT_EQ(fetches(), 2u);
  fetch().answer(200, sized(1), "y");
  run();
  EXPECT_EQ(second.said, "own");
  EXPECT_EQ(third.said, "head");
}

// --- bounds ---

TEST_F(OneLoop, OnlySoManyFillsOfASiteAskAtOnceAndTheOthersWaitInLine) {
  for (size_t i = 0; i < limits::kFills; ++i) join("/" + std::to_string(i));
  EXPECT_EQ(fetches(), limits::kFills);
  TestWaiter& beyond = join("/beyond");
  EXPECT_EQ(fetches(), limits::kFills) << "it waits";
  EXPECT_EQ(join("/0").said, "") << "joining one in flight needs none";
  TestWaiter& with = join("/beyond");
  loops_[0]->fills.refresh_behind(request(0, "/behind"));
  EXPECT_EQ(fetches(), limits::kFills) << "nobody waits for a refresh: none stands in line";
  origin().open.front()->answer(200, sized(1), "x");
  run();
  EXPECT_EQ(fetches(), limits::kFills + 1) << "one ended, one began";
  fetch().answer(200, sized(1), "y");
  run();
  EXPECT_EQ(beyond.text(), "y");
  EXPECT_EQ(with.text(), "y") << "what waits in line can be joined";
}

TEST_F(OneLoop, WaitingInLineEndsIn503AfterItsTime) {
  for (size_t i = 0; i < limits::kFills; ++i) join("/" + std::to_string(i));
  TestWaiter& beyond = join("/beyond");
  advance(limits::kPermitMs - 1);
  EXPECT_EQ(beyond.said, "");
  advance(20);
  EXPECT_EQ(beyond.said, "failed:503");
  EXPECT_EQ(fetches(), limits::kFills);
}

TEST_F(OneLoop, WhoLeavesTheLineIsNotAskedFor) {
  for (size_t i = 0; i < limits::kFills; ++i) join("/" + std::to_string(i));
  join("/gone").leave_fill();
  run();
  TestWaiter& next = join("/next");
  origin().open.front()->answer(200, sized(1), "x");
  run();
  fetch().answer(200, sized(1), "y");
  run();
  EXPECT_EQ(next.text(), "y");
}

TEST_F(OneLoop, TheLineOfASiteIsBounded) {
  for (size_t i = 0; i < limits::kFills + limits::kFillsWaiting; ++i) {
    ASSERT_EQ(join("/" + std::to_string(i)).said, "") << i;
  }
  EXPECT_EQ(join("/beyond").said, "refused");
  EXPECT_EQ(join("/0").said, "") << "joining one in flight needs no place";
}

/// Slow fills of one site leave all other sites alone.
TEST_F(OneLoop, EachSiteHasItsOwnFills) {
  for (size_t i = 0; i < limits::kFills + limits::kFillsWaiting; ++i) {
    join("/" + std::to_string(i));
  }
  FillRequest of_other_site = request(0, "/other");
  base::Budget of_its_own(limits::kFills);
  of_other_site.site = std::make_shared<PlayedSite>(origin(), of_its_own);
  TestWaiter& other = join(std::move(of_other_site), 0);
  EXPECT_EQ(fetches(), limits::kFills + 1);
  fetch().answer(200, sized(1), "y");
  run();
  EXPECT_EQ(other.text(), "y");
}

TEST_F(OneLoop, BeyondTheBoundOfWaitersEachGoesAlone) {
  for (size_t i = 0; i < limits::kWaiters; ++i) {
    TestWaiter& waiter = waiters_.emplace_back(*loops_[0], "/a", "");
    ASSERT_TRUE(loops_[0]->fills.join(request(0, "/a"), waiter, JoinMode::kShared));
  }
  run();
  EXPECT_EQ(fetches(), 1u);
  join();
  join();
  EXPECT_EQ(fetches(), 3u);
  origin().open.front()->answer(200, sized(2), "ok");
  run();
  EXPECT_EQ(waiters_.front().text(), "ok");
  EXPECT_EQ(std::next(waiters_.begin(), limits::kWaiters - 1)->text(), "ok");
}

TEST_F(OneLoop, TellsABoundedNumberOfWaitersATurn) {
  constexpr size_t kAll = 3 * limits::kWaitersTurn;
  for (size_t i = 0; i < kAll; ++i) join();
  const auto told = [this] {
    return static_cast<size_t>(
        std::count_if(waiters_.begin(), waiters_.end(),
                      [](const TestWaiter& waiter) { return !waiter.said.empty(); }));
  };
  fetch().answer(200, sized(2), "ok");
  EXPECT_EQ(told(), limits::kWaitersTurn);
  // What the loop has to do besides does not wait for all of them.
  size_t meanwhile = 0;
  loops_[0]->env.post([&] { meanwhile = told(); });
  run();
  EXPECT_LE(meanwhile, 2 * limits::kWaitersTurn);
  EXPECT_EQ(told(), kAll);
  EXPECT_EQ(waiters_.back().text(), "ok");
}

// --- patience ---

RULE_F(FourLoops, AfterItsPatienceOneFurtherFetchIsTriedAtATime, "http-rules 1.19",
       "a request that hangs must not hold all others for its whole timeout",
       "after 5 s one waiter fetches for itself, the rest keep waiting", "") {
  TestWaiter& own = join();
  TestWaiter& second = join("/a", "", 1);
  TestWaiter& third = join("/a", "", 2);
  advance(limits::kWaiterPatienceMs - 200);
  EXPECT_EQ(second.said + third.said, "");
  advance(400);
  EXPECT_EQ(second.said + third.said, "released");
  EXPECT_EQ(own.said, "");
  advance(60'000);
  EXPECT_EQ(second.said + third.said, "released") << "one at a time";
}

class Patience : public FillsTest {
 protected:
  Patience() : FillsTest(2) {
    first_ = &join("/a", "", 0);
    eager_ = &join("/a", "", 1);
    rest_ = &join("/a", "", 1);
    eager_->at_released = [this] {
      eager_->loop.fills.join(request(1, "/a"), *eager_, JoinMode::kAlone);
    };
    advance(limits::kWaiterPatienceMs + 200);
    EXPECT_EQ(fetches(), 2u);
  }
  TestWaiter* first_;
  TestWaiter* eager_;
  TestWaiter* rest_;
};

TEST_F(Patience, WhatTheFurtherFetchStoresRelievesTheOthers) {
  fetch(1).answer(200, sized(2), "ok");
  run();
  EXPECT_EQ(eager_->said, "releasedown");
  EXPECT_EQ(rest_->said, "stored");
  EXPECT_EQ(first_->said, "stored");
}

TEST_F(Patience, AFurtherFetchThatCannotBeSharedReleasesTheOthers) {
  fetch(1).answer(200, "Cache-Control: no-store", "x");
  run();
  EXPECT_EQ(rest_->said, "released");
}

TEST_F(Patience, AfterAFurtherFetchThatFailedTheNextOneTries) {
  fetch(1).fail(FetchError::kClosed);
  run();
  EXPECT_EQ(eager_->said, "releasedfailed:502");
  EXPECT_EQ(rest_->said, "");
  advance(limits::kWaiterPatienceMs + 200);
  EXPECT_EQ(rest_->said, "released");
}

TEST_F(Patience, AFurtherClientThatLeavesDoesNotEndTheTrying) {
  drop(*eager_);
  fetch(1).fail(FetchError::kClosed);
  run();
  advance(limits::kWaiterPatienceMs + 200);
  EXPECT_EQ(rest_->said, "released");
}

TEST_F(Patience, AFurtherFetchThatFindsNoRoomLetsTheNextOneTry) {
  fetch(1).fail(FetchError::kClosed);
  run();
  TestWaiter& late = join("/a", "", 1);
  bool begun = true;
  rest_->at_released = [&] {
    begun = rest_->loop.fills.join(request(1, "/a"), *rest_, JoinMode::kAlone);
  };
  for (size_t i = 1; i < limits::kFills + limits::kFillsWaiting; ++i) join("/" + std::to_string(i));
  ASSERT_EQ(join("/beyond").said, "refused");
  advance(limits::kWaiterPatienceMs + 200);
  EXPECT_EQ(rest_->said, "released");
  EXPECT_FALSE(begun) << "the line of the site is full";
  advance(limits::kWaiterPatienceMs + 200);
  EXPECT_EQ(late.said, "released");
}

TEST_F(Patience, WhoWasRelievedHoldsNothingOfTheFirstFetch) {
  store_.object_most = 200'000;
  fetch(1).answer(200, sized(2), "ok");
  run();
  ASSERT_EQ(first_->said + rest_->said, "storedstored");
  // Who is not content with what is stored joins the first fetch, whose body gets a window.
  TestWaiter& late = join("/a", "", 1);
  fetch(0).head(200, sized(1'000'000));
  fetch(0).feed(std::string(900'000, 'x'));
  run();
  EXPECT_EQ(late.text().size(), 900'000u) << "nobody else keeps the first bytes";
  drop(late);
  EXPECT_TRUE(origin(0).open.empty()) << "nor waits for the rest";
}

TEST_F(Patience, TheFirstFetchStillAnswersWhoWaits) {
  fetch(0).answer(200, sized(2), "ok");
  run();
  EXPECT_EQ(rest_->said, "head");
  fetch(1).answer(200, sized(3), "new");
  run();
  EXPECT_EQ(*stored(), "new");
}

}  // namespace
}  // namespace perigee::origin

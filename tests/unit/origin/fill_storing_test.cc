// What becomes of what a fill brought: memory, windows, records, purges, freshening, and the stop.
#include "origin/fill_owner.h"
#include "tests/support/rule.h"
#include "tests/unit/origin/fill_fixture.h"

namespace perigee::origin {
namespace {

GUARDS("origin::FillOwner, origin::FillSink");

namespace limits = base::limits;

const std::string kFresh = "Cache-Control: max-age=60\n";
const std::string kUncacheable = "Cache-Control: no-store\n";
constexpr size_t kChunk = limits::kFillChunkBytes;
std::string length(size_t bytes) { return "Content-Length: " + std::to_string(bytes); }

class Storing : public FillsTest {
 protected:
  Storing() : FillsTest(2) {}
};

// --- from chunks to the record ---

TEST_F(Storing, ASlowReaderGoesOnFromTheRecordAndTheMemoryIsFree) {
  const std::string body(300'000, 'x');
  TestWaiter& slow = join();
  slow.budget = 1000;
  fetch().answer(200, kFresh + length(body.size()), body);
  run();
  EXPECT_EQ(slow.text().size(), 1000u);
  EXPECT_EQ(store_.pins(key("/a")), 1u);
  slow.take(5000);
  EXPECT_EQ(budget_.used(), 0u) << "the chunks went with the put";
  slow.take(SIZE_MAX / 2);
  EXPECT_TRUE(slow.whole());
  EXPECT_EQ(slow.text(), body);
}

TEST_F(Storing, ARangeIsReadAcrossTheMoveToTheRecord) {
  std::string body(200'000, 'x');
  for (size_t i = 0; i < body.size(); ++i) body[i] = static_cast<char>('a' + i % 23);
  TestWaiter& slow = waiters_.emplace_back(*loops_[0], "/a", "");
  slow.begin = 100'000;
  slow.end = 150'000;
  slow.budget = 10'000;
  ASSERT_TRUE(loops_[0]->fills.join(request(0, "/a"), slow, JoinMode::kShared));
  run();
  fetch().answer(200, kFresh + length(body.size()), body);
  run();
  slow.take(SIZE_MAX / 2);
  EXPECT_TRUE(slow.whole());
  EXPECT_EQ(slow.text(), body.substr(100'000, 50'000));
}

RULE_F(Storing, AnOlderResponseDoesNotReplaceANewerOne, "RFC 9111 §4",
       "when several stored responses would do, the most recent one is used",
       "what was asked for later stays, whichever of overlapping responses is stored last", "") {
  join("/a", "", 0, JoinMode::kAlone);
  join("/a", "", 1, JoinMode::kAlone);
  fetch(1).answer(200, kFresh + length(3), "new");
  run();
  fetch(0).answer(200, kFresh + length(3), "old");
  run();
  ASSERT_NE(stored(), nullptr);
  EXPECT_EQ(*stored(), "new");
  EXPECT_EQ(stored_count_, 1u);
}

TEST_F(Storing, ABadPageUnderAReaderIsACutNotBytes) {
  TestWaiter& slow = join();
  slow.budget = 10;
  fetch().answer(200, kFresh + length(1000), std::string(1000, 'x'));
  run();
  slow.take(10);
  store_.poison(key("/a"));
  slow.take(10);
  EXPECT_TRUE(slow.cut());
}

TEST_F(Storing, WhenThePutFailsReadersStillGetAllOfIt) {
  store_.refuse_puts = true;
  TestWaiter& slow = join();
  slow.budget = 10;
  fetch().answer(200, kFresh + length(1000), std::string(1000, 'x'));
  run();
  EXPECT_GT(budget_.used(), 0u) << "charged while somebody reads";
  slow.take(SIZE_MAX / 2);
  EXPECT_TRUE(slow.whole());
  slow.finish();
  EXPECT_EQ(budget_.used(), 0u);
}

TEST_F(Storing, AFullPoolLosesTheRecordNotTheResponse) {
  loops_[0]->env.lane_capacity = {0, 0, 0};
  TestWaiter& client = join();
  fetch().answer(200, kFresh + length(2), "ok");
  run();
  EXPECT_TRUE(client.whole());
  EXPECT_EQ(stored(), nullptr);
}

// --- windows ---

TEST_F(Storing, AnUnstoredBodyIsPacedByItsSlowestReader) {
  TestWaiter& fast = join();
  store_.object_most = 200'000;
  TestWaiter& slow = join("/a", "", 1);
  slow.budget = 0;
  fetch().head(200, kFresh + length(2'000'000));
  fetch().feed(std::string(2'000'000, 'x'));
  run();
  EXPECT_EQ(slow.said, "head") << "too large to store, and shared all the same";
  EXPECT_FALSE(fast.storing);
  EXPECT_LE(fast.text().size(), limits::kUnstoredWindowBytes);
  slow.take(kChunk);
  run();
  EXPECT_GT(fast.text().size(), kChunk);
  EXPECT_LE(budget_.used(), limits::kUnstoredWindowBytes);
}

TEST_F(Storing, ALaggardThatHoldsOthersUpIsCutLoose) {
  TestWaiter& fast = join();
  store_.object_most = 200'000;
  TestWaiter& slow = join("/a", "", 1);
  slow.budget = 0;
  fetch().head(200, kFresh + length(1'000'000));
  fetch().feed(std::string(1'000'000, 'x'));
  fetch().end();
  run();
  EXPECT_FALSE(fast.whole());
  advance(limits::kLaggardMs - 200);
  EXPECT_FALSE(fast.whole());
  for (int i = 0; i < 40 && !fast.whole(); ++i) advance(limits::kLaggardMs);
  EXPECT_TRUE(fast.whole());
  slow.take(SIZE_MAX / 2);
  EXPECT_TRUE(slow.cut());
}

TEST_F(Storing, NoLaggardIsCutLooseWhileSomebodyIsAboutToRead) {
  FillBody body;
  body.set_window(2 * limits::kFillChunkBytes);
  const std::vector<std::byte> bytes(2 * limits::kFillChunkBytes);
  body.attach(0);
  body.attach(bytes.size());
  body.append(bytes);
  ASSERT_TRUE(body.full());
  ASSERT_EQ(body.take(bytes.size(), 0).got, FillBody::Got::kWait);
  body.hold();
  EXPECT_FALSE(body.drop_laggards());
  EXPECT_FALSE(body.release());
  EXPECT_EQ(body.take(0, 1).got, FillBody::Got::kHave);
  EXPECT_TRUE(body.drop_laggards());
  EXPECT_EQ(body.take(0, 1).got, FillBody::Got::kBehind);
}

TEST_F(Storing, AReaderAloneIsNeverCutForBeingSlow) {
  TestWaiter& slow = join();
  slow.budget = 10;
  fetch().head(200, kUncacheable + length(1'000'000));
  fetch().feed(std::string(1'000'000, 'x'));
  fetch().end();
  run();
  EXPECT_GT(fetch().left(), 800'000u);
  advance(300'000);
  slow.take(SIZE_MAX / 2);
  run();
  EXPECT_TRUE(slow.whole());
}

TEST_F(Storing, NobodyJoinsAnUnstoredBodyWhoseFirstBytesAreGone) {
  store_.object_most = 200'000;
  join();
  fetch().head(200, kFresh + length(2'000'000));
  fetch().feed(std::string(400'000, 'x'));
  run();
  join("/a", "", 1);
  EXPECT_EQ(fetches(), 2u);
}

TEST_F(Storing, ABodyThatTurnsOutLongerThanARecordGoesOnUnstored) {
  for (const uint64_t most : {uint64_t{20'000}, uint64_t{300'000}}) {
    store_.object_most = most;
    const std::string target = "/" + std::to_string(most);
    TestWaiter& client = join(target);
    fetch().head(200, kFresh);
    std::string all;
    for (int i = 0; i < 100; ++i) {
      all += std::string(10'000, static_cast<char>('a' + i % 26));
      fetch().feed(std::string_view(all).substr(all.size() - 10'000));
      run();
    }
    fetch().end();
    run();
    EXPECT_TRUE(client.whole()) << most;
    EXPECT_EQ(client.text(), all);
    EXPECT_EQ(stored(target), nullptr);
  }
}

// --- without clients ---

RULE_F(Storing, AFillOutlivesItsClientsWhenLittleIsMissing, "http-rules 3.11",
       "a fetch that nobody waits for costs the origin bytes",
       "it goes on when at most 8 MiB or a quarter are missing, else it ends with its last waiter",
       "") {
  TestWaiter& client = join();
  fetch().head(200, kFresh + length(500'000));
  fetch().feed(std::string(1000, 'x'));
  run();
  drop(client);
  ASSERT_FALSE(origin().open.empty());
  fetch().feed(std::string(499'000, 'x'));
  fetch().end();
  run();
  EXPECT_NE(stored(), nullptr);
}

RULE_F(Storing, AnUnstoredFillEndsWithItsLastWaiter, "http-rules 3.11",
       "a client must not make the origin send what nobody gets (RangeAmp)",
       "what is not stored is dropped as soon as nobody reads it", "") {
  TestWaiter& client = join();
  fetch().head(200, kUncacheable);
  fetch().feed("x");
  run();
  drop(client);
  EXPECT_TRUE(origin().open.empty());
}

TEST_F(Storing, MuchThatIsMissingIsDroppedWithTheLastWaiter) {
  store_.object_most = 64 << 20;
  for (const auto& [megabytes, goes_on] : {std::pair(7, true), std::pair(40, false)}) {
    TestWaiter& client = join("/" + std::to_string(megabytes));
    fetch().head(200, kFresh + length(static_cast<size_t>(megabytes) << 20));
    fetch().feed("x");
    run();
    drop(client);
    EXPECT_EQ(!origin().open.empty(), goes_on) << megabytes;
    if (goes_on) fetch().cut();
    run();
  }
}

TEST_F(Storing, AnUncacheableHeadThatComesAfterItsClientEndsTheFetch) {
  drop(join());
  fetch().head(200, kUncacheable);
  run();
  EXPECT_TRUE(origin().open.empty());
}

TEST_F(Storing, ARefreshBehindThatBringsSomethingUncacheableEnds) {
  keep("/a", "Cache-Control: max-age=60\nETag: \"1\"\nContent-Length: 3", "old");
  refresh();
  fetch().head(200, kUncacheable);
  run();
  EXPECT_TRUE(origin().open.empty());
  EXPECT_EQ(*stored(), "old");
}

// --- memory ---

class LittleMemory : public FillsTest {
 protected:
  LittleMemory() : FillsTest(1, 1 << 20) {}
  /// Takes all of it.
  TestWaiter& hog() {
    TestWaiter& hog = join("/hog");
    fetch().head(200, kFresh + length(1 << 20));
    fetch().feed("x");
    run();
    return hog;
  }
};

TEST_F(LittleMemory, MemoryIsReservedBeforeTheHeadIsPassedOn) {
  TestWaiter& first = hog();
  EXPECT_EQ(first.said, "own");
  EXPECT_EQ(budget_.used(), budget_.limit());
  TestWaiter& second = join("/b");
  fetch().answer(200, kFresh + length(2), "ok");
  run();
  EXPECT_EQ(second.said, "") << "nothing is promised yet";
  drop(first);
  origin().open.front()->cut();
  run();
  EXPECT_EQ(second.said, "own");
  EXPECT_TRUE(second.whole());
}

TEST_F(LittleMemory, WaitingForMemoryEndsIn503) {
  hog();
  TestWaiter& second = join("/b");
  fetch().answer(200, kFresh + length(2), "ok");
  run();
  advance(limits::kReserveMs - 200);
  EXPECT_EQ(second.said, "");
  advance(400);
  EXPECT_EQ(second.said, "failed:503");
}

TEST_F(LittleMemory, MemoryIsGivenInTheOrderOfAsking) {
  TestWaiter& first = hog();
  TestWaiter& large = join("/large");
  PlayedFetch& large_fetch = fetch();
  large_fetch.answer(200, kFresh + length(1 << 20), std::string(1 << 20, 'x'));
  TestWaiter& little = join("/little");
  fetch().answer(200, kFresh + length(2), "ok");
  run();
  drop(first);
  origin().open.front()->cut();
  run();
  EXPECT_EQ(large.said, "own");
  EXPECT_EQ(little.said, "own") << "once the large one was stored";
}

TEST_F(LittleMemory, AResponseWithoutContentNeedsNone) {
  hog();
  TestWaiter& second = join("/b");
  fetch().head(204, kFresh);
  run();
  EXPECT_EQ(second.said, "own");
  EXPECT_TRUE(second.whole());
}

TEST_F(LittleMemory, OneThatLeavesWhileItWaitsForMemoryHoldsNobodyUp) {
  TestWaiter& first = hog();
  TestWaiter& second = join("/b");
  fetch().head(200, kUncacheable + length(500'000));
  TestWaiter& third = join("/c");
  fetch().answer(200, kFresh + length(2), "ok");
  run();
  drop(second);
  drop(first);
  origin().open.front()->cut();
  run();
  EXPECT_EQ(third.said, "own");
}

// --- purge ---

RULE_F(Storing, AFillThatBeganBeforeAPurgeIsNotStored, "http-rules 1.7; RFC 9111 §4.4",
       "an invalidation must not be undone by a response that was on its way",
       "who had joined is answered, whoever comes later starts anew, nothing is stored", "") {
  TestWaiter& before = join();
  fetch().head(200, kFresh + length(3));
  run();
  store_.erase(store_.digest(key("/a")));
  TestWaiter& after = join("/a", "", 1);
  EXPECT_EQ(fetches(), 2u);
  fetch(0).feed("old");
  fetch(0).end();
  run();
  EXPECT_EQ(before.text(), "old");
  EXPECT_EQ(stored(), nullptr);
  fetch(1).answer(200, kFresh + length(3), "new");
  run();
  EXPECT_EQ(after.text(), "new");
  EXPECT_EQ(*stored(), "new");
}

// --- freshening ---

class Freshening : public FillsTest {
 protected:
  Freshening() : FillsTest(2) {
    keep("/a", "Cache-Control: max-age=60\nETag: \"1\"\nContent-Length: 4", "body");
    rid_ = store_.rid(key("/a"));
    advance(61'000);
  }
  uint64_t rid_ = 0;
};

RULE_F(Freshening, A304FreshensWhatIsStoredAndServesItsBody, "RFC 9111 §4.3.4; http-rules 2.9",
       "a 304 updates the stored response, which is then used",
       "the record is written anew with its rid; all who wait read the stored body", "") {
  TestWaiter& first = join();
  TestWaiter& second = join("/a", "", 1);
  EXPECT_EQ(fetch().asked("If-None-Match"), "\"1\"");
  fetch().head(304, "Cache-Control: max-age=90\nETag: \"1\"");
  run();
  EXPECT_EQ(first.said, "own");
  EXPECT_TRUE(first.revalidated);
  EXPECT_EQ(first.status, 200);
  EXPECT_EQ(first.text(), "body");
  EXPECT_EQ(second.said, "head");
  EXPECT_EQ(second.text(), "body");
  EXPECT_EQ(store_.rid(key("/a")), rid_);
  EXPECT_EQ(request(0, "/a").stored.head->policy.lifetime_ms, 90'000);
}

RULE_F(Freshening, A304WithAnotherStrongTagIsAskedAgainWithoutConditions,
       "RFC 9111 §4.3.4; http-rules 2.9", "a 304 with another strong validator freshens nothing",
       "it is fetched again without conditions", "") {
  TestWaiter& client = join();
  fetch().head(304, "ETag: \"2\"");
  run();
  EXPECT_EQ(client.said, "");
  EXPECT_EQ(fetches(), 3u);
  EXPECT_EQ(fetch().asked("If-None-Match"), "");
  fetch().answer(200, kFresh + "ETag: \"2\"\n" + length(3), "new");
  run();
  EXPECT_EQ(client.text(), "new");
  EXPECT_EQ(*stored(), "new");
}

TEST_F(Freshening, A304ToAQuestionWithoutConditionsIsNoAnswer) {
  TestWaiter& client = join();
  fetch().head(304, "ETag: \"2\"");
  run();
  fetch().head(304, "ETag: \"2\"");
  run();
  EXPECT_EQ(client.said, "failed:502");
  EXPECT_EQ(fetches(), 3u) << "it is not asked for ever";
}

TEST_F(Freshening, WhatHasNoValidatorIsAskedForWithoutConditions) {
  keep("/plain", kFresh + length(3), "old");
  TestWaiter& client = join("/plain");
  fetch().head(304, "");
  run();
  EXPECT_EQ(client.said, "failed:502") << "it cannot have been asked for";
}

TEST_F(Freshening, A304WhoseVaryLeavesOutWhatWasSentAnswersItsOwnClientAlone) {
  // Sent as long as the stored Vary names it, and poison where it does not.
  static constexpr std::string_view kNamed[] = {"rsc"};
  FillRequest asked = request(0, "/a", "RSC: 1");
  asked.sent_for = kNamed;
  TestWaiter& first = join(std::move(asked), 0);
  TestWaiter& second = join("/a", "", 1);
  fetch().head(304, "Cache-Control: max-age=90\nETag: \"1\"\nVary: Accept-Language");
  run();
  EXPECT_EQ(first.said, "own");
  EXPECT_FALSE(first.storing);
  EXPECT_EQ(second.said, "released");
}

TEST_F(Freshening, ANewResponseReplacesTheRecord) {
  TestWaiter& client = join();
  fetch().answer(200, kFresh + "ETag: \"2\"\n" + length(3), "new");
  run();
  EXPECT_FALSE(client.revalidated);
  EXPECT_EQ(*stored(), "new");
  EXPECT_NE(store_.rid(key("/a")), rid_);
}

TEST_F(Freshening, ASlowReaderOfTheStoredBodyIsNotDisturbedByAReplacement) {
  TestWaiter& slow = join();
  slow.budget = 1;
  fetch().head(304, "Cache-Control: max-age=60");
  run();
  store_.erase(store_.digest(key("/a")));
  slow.take(SIZE_MAX / 2);
  EXPECT_EQ(slow.text(), "body");
  EXPECT_TRUE(slow.whole());
}

RULE_F(Freshening, ARefreshThatFailsLeavesTheRecord, "http-rules 2.8",
       "a failure is no reason to forget what was good", "the stored response stays", "") {
  refresh();
  fetch().fail(FetchError::kTimeout);
  run();
  EXPECT_EQ(*stored(), "body");
}

struct ErrorCase {
  const char* name;
  uint16_t status;
  const char* lines;
  bool replaces;
};
class ErrorOnRefresh : public FillsTest, public ::testing::WithParamInterface<ErrorCase> {};
TEST_P(ErrorOnRefresh, ReplacesOnlyWhenItSaysHowLongItHolds) {
  keep("/a", "Cache-Control: max-age=60\nETag: \"1\"\nContent-Length: 4", "body");
  advance(61'000);
  refresh();
  fetch().answer(GetParam().status, GetParam().lines, "oops");
  run();
  EXPECT_EQ(*stored(), GetParam().replaces ? "oops" : "body");
}
INSTANTIATE_TEST_SUITE_P(
    , ErrorOnRefresh,
    ::testing::Values(ErrorCase{"ServerError", 500, "", false},
                      ErrorCase{"ServerErrorWithTag", 503, "ETag: \"e\"", false},
                      ErrorCase{"NotFoundEstimated", 404,
                                "Last-Modified: Thu, 01 Jan 2015 00:00:00 GMT", false},
                      ErrorCase{"NotFoundStated", 404, "Cache-Control: max-age=5", true},
                      ErrorCase{"GoneStated", 410, "Cache-Control: max-age=5", true}),
    [](const auto& row) { return std::string(row.param.name); });

TEST_F(Freshening, OneRefreshAtATime) {
  refresh();
  refresh();
  EXPECT_EQ(fetches(), 2u);
  TestWaiter& client = join();
  EXPECT_EQ(fetches(), 2u) << "and whoever asks joins it";
  fetch().head(304, "Cache-Control: max-age=60");
  run();
  EXPECT_EQ(client.said, "head");
}

TEST_F(Storing, A304ThatWasNotAskedForIsNoAnswer) {
  TestWaiter& client = join();
  fetch().answer(304, "ETag: \"1\"", "");
  run();
  EXPECT_EQ(client.said, "failed:502");
  EXPECT_EQ(stored(), nullptr);
}

TEST_F(Storing, A206ThatWasNotAskedForIsPassedOnToItsOwnClientAlone) {
  TestWaiter& own = join();
  TestWaiter& other = join();
  fetch().answer(206, "Cache-Control: max-age=60\nContent-Range: bytes 0-0/9", "x");
  run();
  EXPECT_EQ(own.said, "own");
  EXPECT_EQ(other.said, "released");
  EXPECT_EQ(stored(), nullptr);
}

// --- the stop ---

TEST_F(Storing, AStopFailsWhoWaitsAndCutsWhoReads) {
  TestWaiter& waits = join("/a", "", 1);
  TestWaiter& reads = join("/b");
  fetch(0).head(200, kFresh + length(9));
  fetch(0).feed("abc");
  run();
  loops_[0]->fills.cancel();
  loops_[1]->fills.cancel();
  EXPECT_EQ(waits.said, "") << "never inside the call";
  run();
  EXPECT_EQ(waits.said, "failed:503");
  EXPECT_TRUE(reads.cut());
}

TEST_F(Storing, AStopDuringThePutLeavesNothing) {
  loops_[0]->env.hold_jobs = true;
  TestWaiter& client = join();
  fetch().answer(200, kFresh + length(2), "ok");
  run();
  loops_[0]->fills.cancel();
  loops_[0]->env.run_jobs();
  run();
  drop(client);
  EXPECT_EQ(budget_.used(), 0u);
}

TEST_F(Storing, MayBeLeftAtEveryStage) {
  const std::vector<std::function<void()>> steps = {
      [] {}, [&] { fetch().interim(103); }, [&] { fetch().head(200, kFresh + length(6)); },
      [&] { fetch().feed("abc"); }, [&] { fetch().feed("def"), fetch().end(); }};
  for (size_t last = 0; last < steps.size(); ++last) {
    TestWaiter& client = join("/" + std::to_string(last));
    for (size_t i = 0; i <= last; ++i) steps[i](), run();
    drop(client);
    if (!origin().open.empty()) fetch().cut();
    run();
    EXPECT_EQ(budget_.used(), 0u) << "after step " << last;
  }
}

}  // namespace
}  // namespace perigee::origin

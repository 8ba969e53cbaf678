// A fill at each of its bounds: what is still done at N, and what is not at N + 1.
#include "origin/fill_owner.h"
#include "tests/unit/origin/fill_fixture.h"

namespace perigee::origin {
namespace {

namespace limits = base::limits;

const std::string kFresh = "Cache-Control: max-age=60\n";
const std::string kUncacheable = "Cache-Control: no-store\n";
constexpr size_t kRecordMost = 200'000;
std::string length(size_t bytes) { return "Content-Length: " + std::to_string(bytes); }

class FillBounds : public FillsTest {
 protected:
  FillBounds() { store_.object_most = kRecordMost; }
};

TEST_F(FillBounds, ABodyOfUnknownLengthIsStoredUpToTheLongestRecord) {
  for (const size_t more : {size_t{0}, size_t{1}}) {
    const std::string target = "/" + std::to_string(more);
    TestWaiter& client = join(target);
    fetch().head(200, kFresh);
    fetch().feed(std::string(kRecordMost + more, 'x'));
    run();
    EXPECT_EQ(fetch().relay, more > 0) << "what is not stored goes at its reader's pace";
    fetch().end();
    run();
    EXPECT_TRUE(client.whole());
    EXPECT_EQ(stored(target) != nullptr, more == 0);
  }
}

TEST_F(FillBounds, WhatIsLongerThanARecordIsNotReadFurtherThanItsWindow) {
  TestWaiter& slow = join();
  slow.budget = 0;
  fetch().head(200, kFresh);
  fetch().feed(std::string(2'000'000, 'x'));
  run();
  EXPECT_GE(fetch().left(), 2'000'000 - kRecordMost - 2 * limits::kFillChunkBytes);
  slow.take(SIZE_MAX / 2);
  fetch().end();
  run();
  EXPECT_TRUE(slow.whole());
}

/// That such a body is not stored turns out only when it is longer than a record may be.
TEST_F(FillBounds, NobodyJoinsABodyOfUnknownLengthWhoseFirstBytesAreGone) {
  TestWaiter& first = join();
  fetch().head(200, kFresh);
  fetch().feed(std::string(150'000, 'x'));
  run();
  TestWaiter& early = join();
  run();
  EXPECT_TRUE(early.storing);
  early.finish();
  for (int i = 0; i < 4; ++i) {
    fetch().feed(std::string(150'000, 'x'));
    run();
  }
  EXPECT_EQ(fetches(), 1u);
  EXPECT_EQ(first.text().size(), 750'000u);
  TestWaiter& late = join();
  EXPECT_EQ(fetches(), 2u);
  fetch().answer(200, kFresh + length(2), "ok");
  run();
  EXPECT_TRUE(late.whole());
}

TEST_F(FillBounds, WhoJoinsWhatHasOutgrownARecordIsNotToldThatItIsStored) {
  TestWaiter& slow = join();
  slow.budget = 0;
  fetch().head(200, kFresh);
  fetch().feed(std::string(250'000, 'x'));
  run();
  TestWaiter& joined = join();
  run();
  EXPECT_EQ(fetches(), 1u);
  EXPECT_EQ(joined.said, "head");
  EXPECT_FALSE(joined.storing);
  fetch().end();
  slow.take(SIZE_MAX / 2);
  run();
  EXPECT_TRUE(slow.whole());
  EXPECT_TRUE(joined.whole());
}

TEST_F(FillBounds, ABodyOfKnownLengthIsStoredUpToTheLongestRecord) {
  for (const size_t more : {size_t{0}, size_t{1}}) {
    TestWaiter& client = join("/" + std::to_string(more));
    fetch().head(200, kFresh + length(kRecordMost + more));
    run();
    EXPECT_EQ(client.storing, more == 0);
    EXPECT_EQ(fetch().relay, more > 0);
    fetch().cut();
    run();
  }
}

struct Outlives {
  const char* name;
  uint64_t whole;
  uint64_t missing;
  bool goes_on;
};
class LeftAlone : public FillsTest, public ::testing::WithParamInterface<Outlives> {};

TEST_P(LeftAlone, AFillGoesOnUpToTheBoundOfWhatIsMissing) {
  const Outlives& row = GetParam();
  store_.object_most = 64 << 20;
  TestWaiter& client = join();
  fetch().head(200, kFresh + length(row.whole));
  for (uint64_t left = row.whole - row.missing; left > 0;) {
    const uint64_t some = std::min<uint64_t>(left, limits::kFillChunkBytes);
    fetch().feed(std::string(some, 'x'));
    run();
    left -= some;
  }
  drop(client);
  EXPECT_EQ(!origin().open.empty(), row.goes_on);
}
constexpr uint64_t kLittle = limits::kFillOutlivesBytes;
INSTANTIATE_TEST_SUITE_P(
    , LeftAlone,
    ::testing::Values(Outlives{"Little", 3 * kLittle, kLittle, true},
                      Outlives{"MoreThanLittle", 3 * kLittle, kLittle + 1, false},
                      Outlives{"AQuarter", 36 << 20, 9 << 20, true},
                      Outlives{"MoreThanAQuarter", 36 << 20, (9 << 20) + 1, false}),
    [](const auto& row) { return std::string(row.param.name); });

TEST_F(FillBounds, TimeThatAFillWaitedInLineDoesNotEndItLater) {
  for (size_t i = 0; i < limits::kFills; ++i) join("/" + std::to_string(i));
  TestWaiter& waited = join("/waited");
  origin().open.front()->answer(200, kFresh + length(1), "x");
  run();
  ASSERT_EQ(fetches(), limits::kFills + 1);
  advance(limits::kPermitMs + 1000);
  EXPECT_EQ(waited.said, "") << "it asks, and waits for the origin";
  fetch().answer(200, kFresh + length(1), "y");
  run();
  EXPECT_EQ(waited.text(), "y");
}

TEST_F(FillBounds, TimeThatAFillWaitedForMemoryDoesNotEndItLater) {
  base::Share taken = budget_.try_take(budget_.limit());
  TestWaiter& waited = join();
  fetch().head(200, kUncacheable + length(4));
  fetch().feed("ab");
  run();
  EXPECT_EQ(waited.said, "");
  taken.shrink_to(0);
  run();
  EXPECT_EQ(waited.said, "own");
  advance(limits::kReserveMs + 1000);
  fetch().feed("cd");
  fetch().end();
  run();
  EXPECT_TRUE(waited.whole());
}

TEST_F(FillBounds, OneFillDoesNotTakeTheWholeTurn) {
  store_.object_most = 8 << 20;
  join();
  fetch().head(200, kFresh + length(8 << 20));
  run();
  fetch().feed(std::string(4 * limits::kSendBytes, 'x'));
  size_t before = fetch().left();
  while (fetch().left() > 0) {
    loops_[0]->env.turn();
    EXPECT_LE(before - fetch().left(), limits::kSendBytes);
    before = fetch().left();
  }
  fetch().cut();
  run();
}

TEST_F(FillBounds, WhatWaitsForItsPutAsksNoOrigin) {
  loops_[0]->env.hold_jobs = true;
  join();
  fetch().answer(200, kFresh + length(5), "hello");
  run();
  EXPECT_EQ(asking_.used(), 0u) << "its turn to ask is another's";
  EXPECT_TRUE(origin().open.empty()) << "and so is its connection";
  loops_[0]->env.run_jobs();
  run();
  EXPECT_NE(stored(), nullptr);
}

TEST_F(FillBounds, WhatAHeadFreshensIsNotPutAfterAPurgeSinceItWasSent) {
  keep("/a", kFresh + "ETag: \"1\"\n" + length(3), "old");
  FillRequest judged = request(0, "/a");
  const cache_store::Ticket sent = store_.ticket();
  store_.erase(store_.digest(key("/a")));
  const test::FieldLines fields(kFresh + "ETag: \"1\"\n" + length(3));
  http::ReceivedResponse head;
  head.status = 200;
  head.fields = fields.list();
  const int64_t now_ms = loops_[0]->env.wall().ms;
  loops_[0]->fills.freshen(std::move(judged), sent, head, {now_ms, now_ms});
  run();
  EXPECT_EQ(stored(), nullptr);
}

TEST_F(FillBounds, ARangeBeyondWhatCameIsCutWhetherItIsStoredOrNot) {
  for (const std::string& cache : {kFresh, kUncacheable}) {
    const std::string target = cache == kFresh ? "/stored" : "/passed";
    TestWaiter& client = waiters_.emplace_back(*loops_[0], target, "");
    client.begin = 10;
    client.end = 500;
    client.budget = 5;
    ASSERT_TRUE(loops_[0]->fills.join(request(0, target), client, JoinMode::kShared));
    run();
    fetch().answer(200, cache, std::string(100, 'x'));
    run();
    client.take(SIZE_MAX / 2);
    EXPECT_TRUE(client.cut()) << target;
    EXPECT_EQ(client.text().size(), cache == kFresh ? 5u : 90u) << target;
  }
}

TEST_F(FillBounds, AReaderThatBeginsLaterTellsWhatIsLeftForIt) {
  TestWaiter& client = waiters_.emplace_back(*loops_[0], "/a", "");
  client.begin = 30;
  client.budget = 0;
  ASSERT_TRUE(loops_[0]->fills.join(request(0, "/a"), client, JoinMode::kShared));
  run();
  fetch().answer(200, kFresh + length(100), std::string(100, 'x'));
  run();
  EXPECT_EQ(client.body->size(), std::optional<uint64_t>(70));
  client.take(100);
  EXPECT_EQ(client.text().size(), 70u);
}

TEST_F(FillBounds, WhoIsNotAnsweredByAFillDoesNotKeepItGoing) {
  TestWaiter& first = join();
  fetch().head(200, kFresh + length(2'000'000));
  fetch().feed(std::string(400'000, 'x'));
  run();
  join();
  ASSERT_EQ(origin().open.size(), 2u) << "its first bytes are gone: the second asks for itself";
  drop(first);
  EXPECT_EQ(origin().open.size(), 1u);
}

TEST_F(FillBounds, NobodyTriesFurtherWhileTheFirstWaitsInLine) {
  for (size_t i = 0; i < limits::kFills; ++i) join("/" + std::to_string(i));
  join();
  TestWaiter& second = join();
  advance(limits::kWaiterPatienceMs + 200);
  EXPECT_EQ(second.said, "") << "it would stand behind the first in the same line";
}

TEST_F(FillBounds, WhoJoinsAgainInsteadOfTryingLetsTheNextOneTry) {
  join();
  TestWaiter& eager = join();
  eager.at_released = [&] { loops_[0]->fills.join(request(0, "/a"), eager, JoinMode::kShared); };
  advance(limits::kWaiterPatienceMs + 200);
  EXPECT_EQ(eager.said, "released");
  advance(limits::kWaiterPatienceMs + 200);
  EXPECT_EQ(eager.said, "releasedreleased");
}

TEST_F(FillBounds, WhoLostPatienceHoldsNoBytesOfTheFirstBody) {
  TestWaiter& first = join();
  join();
  advance(limits::kWaiterPatienceMs + 200);
  fetch().head(200, kFresh + length(1'000'000));
  fetch().feed(std::string(1'000'000, 'x'));
  fetch().end();
  run();
  EXPECT_TRUE(first.whole());
}

TEST_F(FillBounds, AKeyIsHitForMissUpToItsTime) {
  const cache_store::Digest key{8, 8};
  table_.mark(key, {0});
  EXPECT_TRUE(table_.marked(key, {limits::kHitForMissMs - 1}));
  EXPECT_FALSE(table_.marked(key, {limits::kHitForMissMs}));
}

}  // namespace
}  // namespace perigee::origin

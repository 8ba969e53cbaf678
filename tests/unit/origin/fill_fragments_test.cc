// Fills of bodies that are longer than a record may be: fragments as the bytes come, then the head.
#include "origin/fill_owner.h"
#include "tests/unit/origin/fill_fixture.h"

namespace perigee::origin {
namespace {

namespace limits = base::limits;
using cache_store::FragmentId;

const std::string kFresh = "Cache-Control: max-age=60\nETag: \"v\"\n";
constexpr uint64_t kFragment = 100'000;
constexpr size_t kSize = 950'000;
constexpr size_t kFragments = 10;
constexpr size_t kWindow = kFragment + 2 * limits::kFillChunkBytes;

std::string text(size_t size) {
  std::string out;
  for (size_t i = 0; out.size() < size; ++i) out += std::to_string(i) + ",";
  out.resize(size);
  return out;
}
const std::string kText = text(kSize);

class InFragments : public FillsTest {
 protected:
  InFragments() : FillsTest(2) {
    store_.object_most = kFragment;
    store_.fragment_size = kFragment;
    store_.fragmented_most = 2'000'000;
  }
  static std::string declared() { return kFresh + "Content-Length: " + std::to_string(kSize); }
  void begin(size_t bytes) {
    fetch().head(200, declared());
    fetch().feed(std::string_view(kText).substr(0, bytes));
    run();
  }
  void go_on(size_t from, size_t bytes = SIZE_MAX) {
    fetch().feed(std::string_view(kText).substr(from, bytes));
    run();
  }
  void end() {
    fetch().end();
    run();
  }
  /// What the stored head's fragments hold, one behind the other.
  std::string kept() {
    std::string out;
    for (uint64_t n = 0; const std::string* part = store_.fragment({rid(), n}); ++n) out += *part;
    return out;
  }
  uint64_t rid() { return store_.rid(key("/a")); }
};

TEST_F(InFragments, ALongBodyIsStoredAsItComesAndItsHeadLast) {
  TestWaiter& client = join();
  begin(450'000);
  EXPECT_GE(store_.fragment_puts, 3u);
  EXPECT_EQ(stored(), nullptr) << "no head before the body is whole";
  EXPECT_TRUE(client.storing);
  EXPECT_LE(budget_.used(), std::max<size_t>(2 * kFragment, kWindow));
  go_on(450'000);
  end();
  ASSERT_NE(stored(), nullptr);
  EXPECT_EQ(store_.fragment_puts, kFragments);
  EXPECT_TRUE(kept() == kText);
  EXPECT_TRUE(client.whole());
  EXPECT_TRUE(client.text() == kText);
  EXPECT_EQ(budget_.used(), 0u);
  EXPECT_EQ(stored_count_, 1u);
}

TEST_F(InFragments, ASlowReaderReadsThemAndHoldsNobodyUp) {
  join();
  TestWaiter& slow = join("/a", "", 1);
  slow.budget = 1'000;
  begin(kSize);
  EXPECT_EQ(fetch().left(), 0u) << "the store paces the origin, no client does";
  end();
  EXPECT_NE(stored(), nullptr);
  for (int i = 0; i < 20; ++i) {
    slow.take(30'000);
    run();
  }
  slow.take(SIZE_MAX / 2);
  run();
  EXPECT_TRUE(slow.whole());
  EXPECT_TRUE(slow.text() == kText);
}

TEST_F(InFragments, WhoComesLateReadsWhatIsStoredAndThenWhatComes) {
  join();
  begin(700'000);
  TestWaiter& late = join("/a", "", 1);
  run();
  EXPECT_EQ(late.said, "head");
  EXPECT_GT(late.text().size(), 600'000u);
  TestWaiter& range = waiters_.emplace_back(*loops_[1], "/a", "");
  range.begin = kFragment - 5;
  range.end = kFragment + 5;
  ASSERT_TRUE(loops_[1]->fills.join(request(1, "/a"), range, JoinMode::kShared));
  run();
  EXPECT_TRUE(range.whole());
  EXPECT_EQ(range.text(), kText.substr(kFragment - 5, 10));
  go_on(700'000);
  end();
  EXPECT_TRUE(late.text() == kText);
  EXPECT_TRUE(late.whole());
  EXPECT_EQ(fetches(), 1u);
}

TEST_F(InFragments, ABodyOfUnknownLengthBecomesFragmentsOnItsWay) {
  TestWaiter& client = join();
  fetch().head(200, kFresh);
  fetch().feed(kText);
  run();
  end();
  EXPECT_TRUE(kept() == kText);
  EXPECT_TRUE(client.text() == kText);
}

TEST_F(InFragments, BeyondTheObjectsShareItGoesOnUnstored) {
  store_.fragmented_most = 4 * kFragment;
  TestWaiter& client = join();
  fetch().head(200, kFresh);
  fetch().feed(kText);
  run();
  end();
  EXPECT_TRUE(client.whole());
  EXPECT_TRUE(client.text() == kText);
  EXPECT_EQ(stored(), nullptr);
}

/// Takes what comes in small bites, with turns of all loops between them.
void take_slowly(TestWaiter& slow, const std::function<void()>& turn) {
  for (int i = 0; i < 200 && !slow.whole() && !slow.cut(); ++i) {
    slow.take(20'000);
    turn();
  }
}

TEST_F(InFragments, WhoLagsBehindGetsAllWhenStoringIsGivenUp) {
  const auto no_room = [this] { store_.refuse_fragments_from = 3; };
  const auto purged = [this] { store_.purge({store_.digest(key("/a")), false, 0}); };
  const auto full = [this] { loops_[0]->env.lane_capacity = {0, 0, 0}; };
  for (const std::function<void()>& give_up : {std::function<void()>(no_room), {purged}, {full}}) {
    store_.refuse_fragments_from = UINT64_MAX;
    loops_[0]->env.lane_capacity = {64, 64, 64};
    TestWaiter& slow = join();
    slow.budget = 1'000;
    begin(450'000);
    ASSERT_GE(store_.fragment_puts, 3u);
    give_up();
    go_on(450'000);
    fetch().end();
    run();
    advance(limits::kRoomMs);
    take_slowly(slow, [this] { run(); });
    EXPECT_TRUE(slow.whole());
    EXPECT_TRUE(slow.text() == kText);
    EXPECT_EQ(stored(), nullptr);
    drop(slow);
    run();
  }
}

TEST_F(InFragments, AFragmentWithoutRoomIsPutLaterOrTheLastOne) {
  for (const uint64_t from : {uint64_t{3}, kFragments - 1}) {
    SCOPED_TRACE(from);
    store_.refuse_fragments_from = from;
    TestWaiter& client = join();
    begin(kSize);
    end();
    advance(limits::kRoomMs / 2);
    EXPECT_EQ(stored(), nullptr);
    store_.refuse_fragments_from = UINT64_MAX;
    advance(2 * limits::kMaintainMs);
    EXPECT_TRUE(client.whole());
    EXPECT_TRUE(client.text() == kText);
    ASSERT_NE(stored(), nullptr);
    EXPECT_TRUE(kept() == kText);
    drop(client);
    store_.erase(store_.digest(key("/a")));
    run();
  }
}

TEST_F(InFragments, TheWaitForRoomBeginsAnewWithEachFragment) {
  store_.refuse_fragments_from = 2;
  TestWaiter& client = join();
  begin(kSize);
  end();
  for (uint64_t from = 3; from <= kFragments; ++from) {
    advance(limits::kRoomMs - 2 * limits::kMaintainMs);
    store_.refuse_fragments_from = from;
    advance(2 * limits::kMaintainMs);
  }
  EXPECT_TRUE(client.text() == kText);
  ASSERT_NE(stored(), nullptr);
}

TEST_F(InFragments, WithoutRoomForLongMemoryGoesBackAsReadersMoveOn) {
  store_.refuse_fragments_from = 2;
  TestWaiter& client = join();
  client.budget = 1'000;
  begin(kSize);
  EXPECT_GT(budget_.used(), limits::kUnstoredWindowBytes);
  advance(limits::kRoomMs);
  client.take(kSize - 250'000);
  run();
  EXPECT_FALSE(client.whole());
  EXPECT_LE(budget_.used(), limits::kUnstoredWindowBytes + limits::kFillChunkBytes);
  EXPECT_GT(budget_.used(), 0u);
}

TEST_F(InFragments, WhoLagsBehindGetsAllOfABodyThatOutgrowsItsShare) {
  store_.fragmented_most = 4 * kFragment;
  TestWaiter& slow = join();
  slow.budget = 1'000;
  fetch().head(200, kFresh);
  fetch().feed(kText);
  fetch().end();
  run();
  EXPECT_GT(fetch().left(), 0u) << "its reader paces it now";
  take_slowly(slow, [this] { run(); });
  EXPECT_TRUE(slow.whole());
  EXPECT_TRUE(slow.text() == kText);
}

TEST_F(InFragments, WhoHoldsOthersUpAfterThatIsCutLoose) {
  store_.refuse_fragments_from = 3;
  TestWaiter& fast = join();
  TestWaiter& slow = join("/a", "", 1);
  slow.budget = 1'000;
  begin(kSize);
  fetch().end();
  run();
  advance(limits::kRoomMs);
  for (int i = 0; i < 20 && !fast.whole(); ++i) advance(limits::kLaggardMs);
  EXPECT_TRUE(fast.whole());
  EXPECT_TRUE(fast.text() == kText);
  slow.take(SIZE_MAX / 2);
  run();
  EXPECT_TRUE(slow.cut());
  EXPECT_TRUE(kText.starts_with(slow.text()));
}

TEST_F(InFragments, AFragmentThatWasEvictedUnderAReaderIsACut) {
  TestWaiter& slow = join();
  slow.budget = 1'000;
  begin(kSize);
  end();
  store_.evict_fragment({rid(), 4});
  slow.take(SIZE_MAX / 2);
  run();
  EXPECT_TRUE(slow.cut());
  EXPECT_EQ(slow.text(), kText.substr(0, 4 * kFragment));
}

TEST_F(InFragments, AColdFragmentIsVerifiedOnTheWay) {
  TestWaiter& slow = join();
  slow.budget = 1'000;
  begin(kSize);
  end();
  for (uint64_t n = 0; n < kFragments; ++n) store_.make_cold({rid(), n});
  slow.take(SIZE_MAX / 2);
  run();
  EXPECT_TRUE(slow.whole());
  EXPECT_TRUE(slow.text() == kText);
}

TEST_F(InFragments, ACutBodyLeavesNoHead) {
  TestWaiter& client = join();
  begin(500'000);
  fetch().cut();
  run();
  EXPECT_FALSE(client.cut()) << "the rest is asked for";
  EXPECT_EQ(fetch().asked("Range"), "bytes=500000-" + std::to_string(kSize - 1));
  fetch().fail(FetchError::kClosed);
  run();
  EXPECT_TRUE(client.cut());
  EXPECT_EQ(stored(), nullptr);
  drop(client);
  run();
  EXPECT_EQ(budget_.used(), 0u);
}

TEST_F(InFragments, WithoutClientsItGoesOnWhenLittleIsMissing) {
  TestWaiter& client = join();
  begin(900'000);
  drop(client);
  go_on(900'000);
  end();
  EXPECT_TRUE(kept() == kText);
}

TEST_F(InFragments, OfUnknownLengthItIsGivenUpWhenNobodyWaitsAnyMore) {
  TestWaiter& client = join();
  fetch().head(200, kFresh);
  fetch().feed(std::string_view(kText).substr(0, 450'000));
  run();
  ASSERT_EQ(origin().open.size(), 1u);
  drop(client);
  run();
  EXPECT_TRUE(origin().open.empty());
  EXPECT_EQ(budget_.used(), 0u);
}

TEST_F(InFragments, AStopInTheMiddleOfAPutIsInOrder) {
  TestWaiter& client = join();
  fetch().head(200, declared());
  fetch().feed(std::string_view(kText).substr(0, 450'000));
  loops_[0]->env.turn();
  loops_[0]->fills.cancel();
  run();
  EXPECT_TRUE(client.cut() || client.said.starts_with("failed"));
  EXPECT_EQ(stored(), nullptr);
}

TEST_F(InFragments, A304KeepsTheFragments) {
  keep("/a", kFresh + "Content-Length: " + std::to_string(kSize), kText);
  const uint64_t before = rid();
  ASSERT_NE(before, 0u);
  const size_t puts = store_.fragment_puts;
  policy_->honour_client_directives = true;
  FillRequest again = request(0, "/a");
  again.stored = store_.lookup({}, key("/a"), 0);
  TestWaiter& client = join(std::move(again), 0);
  EXPECT_EQ(fetch().asked("If-None-Match"), "\"v\"");
  fetch().head(304, kFresh);
  run();
  EXPECT_TRUE(client.revalidated);
  EXPECT_TRUE(client.whole());
  EXPECT_TRUE(client.text() == kText);
  EXPECT_EQ(rid(), before);
  EXPECT_EQ(store_.fragment_puts, puts);
}

TEST_F(InFragments, WhatLacksAFragmentIsNotValidatedButFetched) {
  const std::string weak = "Cache-Control: max-age=60\nETag: W/\"v\"\n";
  keep("/a", weak + "Content-Length: " + std::to_string(kSize), kText);
  store_.evict_fragment({rid(), 7});
  FillRequest again = request(0, "/a");
  again.stored = store_.lookup({}, key("/a"), 0);
  EXPECT_FALSE(view_of(again.stored, store_).has_value());
  TestWaiter& client = join(std::move(again), 0);
  EXPECT_EQ(fetch().asked("If-None-Match"), "");
  fetch().answer(200, declared(), kText);
  run();
  EXPECT_TRUE(client.text() == kText);
  EXPECT_TRUE(kept() == kText);
}

}  // namespace
}  // namespace perigee::origin

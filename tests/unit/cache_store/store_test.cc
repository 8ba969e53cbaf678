// The store through its verbs: what is put is found, what is purged is gone, and both survive a
// restart.
#include "cache_store/store.h"

#include <gtest/gtest.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>
#include <random>

#include "base/limits.h"
#include "cache_store/sigbus.h"
#include "cache_store/store_io.h"
#include "tests/support/temp_folder.h"

namespace perigee::cache_store {
namespace {

constexpr int64_t kNow = 1'700'000'000'000;

class Silent : public StoreObserver {
 public:
  void on_store_event(std::string_view sentence) override { last = sentence; }
  std::string last;
};

std::string text(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

class StoreTest : public testing::Test {
 protected:
  void SetUp() override {
    options_.path = folder_.file("nested/store");
    options_.size_bytes = 18 << 20;
    open();
  }
  void TearDown() override { close(); }
  void open() {
    io_ = make_file_io();
    auto opened = Store::open(options_, *io_, observer_, kNow);
    ASSERT_TRUE(opened.ok()) << opened.error().message;
    store_ = std::move(*opened);
  }
  void close() {
    store_.reset();
    io_.reset();
  }
  void reopen() {
    close();
    open();
  }
  base::Result<Found> put(std::string_view key, std::string_view body, Ticket ticket,
                          RecordKind kind = RecordKind::kObject) {
    Draft draft;
    draft.kind = kind;
    draft.slot = kind == RecordKind::kVarySpec ? kVarySlot : kHeadSlot;
    draft.key = key;
    draft.base = store_->digest(key);
    draft.policy.lifetime_ms = 60'000;
    draft.policy.status = 200;
    const std::string_view head = "head of ";
    const std::span<const std::byte> piece = std::as_bytes(std::span(body));
    draft.head = std::as_bytes(std::span(head));
    draft.body = {&piece, 1};
    draft.ticket = ticket;
    return store_->put(draft);
  }
  base::Result<Found> put(std::string_view key, std::string_view body) {
    return put(key, body, store_->ticket());
  }
  Found look(std::string_view key) {
    const Digest digest = store_->digest(key);
    Found found = store_->lookup(digest, key, 0);
    if (found.state == Found::kCold) {
      store_->warm(digest, key, 0);
      found = store_->lookup(digest, key, 0);
    }
    return found;
  }
  std::string body_of(std::string_view key) {
    const Found found = look(key);
    return found.state == Found::kHit ? text(found.head->body) : "(miss)";
  }

  test::TempFolder folder_;
  StoreOptions options_;
  std::unique_ptr<StoreIo> io_;
  Silent observer_;
  std::unique_ptr<Store> store_;
};

TEST_F(StoreTest, FindsWhatWasPut) {
  ASSERT_TRUE(put("a", "body of a").ok());
  const Found found = store_->lookup(store_->digest("a"), "a", 0);
  ASSERT_EQ(found.state, Found::kHit);
  EXPECT_EQ(text(found.head->body), "body of a");
  EXPECT_EQ(text(found.head->head), "head of ");
  EXPECT_EQ(found.head->policy.lifetime_ms, 60'000);
  EXPECT_EQ(look("b").state, Found::kMiss);
}

TEST_F(StoreTest, KeepsObjectsAcrossARestart) {
  for (int i = 0; i < 500; ++i) {
    ASSERT_TRUE(put("key" + std::to_string(i), std::string(static_cast<size_t>(i) * 7, 'x')).ok());
  }
  reopen();
  EXPECT_EQ(store_->stats().recovered, 500u);
  for (int i = 0; i < 500; ++i) {
    EXPECT_EQ(body_of("key" + std::to_string(i)), std::string(static_cast<size_t>(i) * 7, 'x'))
        << i;
  }
}

TEST_F(StoreTest, TheNewestVersionWinsAfterARestart) {
  ASSERT_TRUE(put("a", "old").ok());
  ASSERT_TRUE(put("a", "new").ok());
  EXPECT_EQ(body_of("a"), "new");
  reopen();
  EXPECT_EQ(body_of("a"), "new");
  EXPECT_EQ(store_->stats().recovered, 1u) << "older versions are none";
}

TEST_F(StoreTest, AKilledProcessLosesNothingThatWasPut) {
  close();
  const pid_t child = fork();
  if (child == 0) {
    open();
    for (int i = 0; i < 200; ++i) {
      if (!put("k" + std::to_string(i), "v" + std::to_string(i)).ok()) _exit(1);
    }
    kill(getpid(), SIGKILL);
  }
  int status = 0;
  waitpid(child, &status, 0);
  ASSERT_TRUE(WIFSIGNALED(status));
  open();
  for (int i = 0; i < 200; ++i) {
    EXPECT_EQ(body_of("k" + std::to_string(i)), "v" + std::to_string(i));
  }
}

TEST_F(StoreTest, APurgedObjectNeverComesBack) {
  ASSERT_TRUE(put("a", "1").ok());
  ASSERT_TRUE(put("b", "2").ok());
  const PurgeResult result = store_->purge({store_->digest("a"), false, kNow});
  EXPECT_EQ(result.matched, 1);
  ASSERT_TRUE(store_->commit(result.seq).ok());
  EXPECT_EQ(look("a").state, Found::kMiss);
  EXPECT_EQ(store_->purge({store_->digest("a"), false, kNow}).matched, 0);
  reopen();
  EXPECT_EQ(look("a").state, Found::kMiss);
  EXPECT_EQ(body_of("b"), "2");
}

TEST_F(StoreTest, ADurablePurgeSurvivesKillMinusNine) {
  ASSERT_TRUE(put("a", "1").ok());
  close();
  const pid_t child = fork();
  if (child == 0) {
    open();
    const PurgeResult result = store_->purge({store_->digest("a"), false, kNow});
    if (!store_->commit(result.seq).ok()) _exit(1);
    kill(getpid(), SIGKILL);
  }
  int status = 0;
  waitpid(child, &status, 0);
  ASSERT_TRUE(WIFSIGNALED(status));
  open();
  EXPECT_EQ(look("a").state, Found::kMiss);
}

TEST_F(StoreTest, AFetchThatBeganBeforeAPurgeIsNotStored) {
  const Ticket before = store_->ticket();
  store_->purge({store_->digest("a"), false, kNow});
  EXPECT_TRUE(store_->purged_since(store_->digest("a"), "a", before));
  const auto refused = put("a", "old", before);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code, base::ErrorCode::kCancelled);
  EXPECT_TRUE(put("b", "other", before).ok());
  EXPECT_TRUE(put("a", "new").ok());
}

TEST_F(StoreTest, AnOlderResponseDoesNotReplaceANewerOne) {
  const Ticket older = store_->ticket();
  const Ticket newer = store_->ticket();
  ASSERT_TRUE(put("a", "new", newer).ok());
  const auto refused = put("a", "old", older);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code, base::ErrorCode::kCancelled);
  EXPECT_FALSE(put("a", "old", older, RecordKind::kVarySpec).ok()) << "nor exclude it";
  EXPECT_TRUE(put("b", "another", older).ok());
  EXPECT_TRUE(put("a", "new again", newer).ok()) << "a repeated put is none";
  reopen();
  EXPECT_EQ(body_of("a"), "new again");
  EXPECT_TRUE(put("a", "newest").ok()) << "what comes after a start is newer than all before";
  EXPECT_EQ(body_of("a"), "newest");
}

TEST_F(StoreTest, AnOlderObjectDoesNotExcludeANewerVarySpec) {
  const Ticket older = store_->ticket();
  ASSERT_TRUE(put("/v", "spec", store_->ticket(), RecordKind::kVarySpec).ok());
  EXPECT_FALSE(put("/v", "object", older).ok());
  EXPECT_FALSE(put("/v", "other spec", older, RecordKind::kVarySpec).ok());
  EXPECT_TRUE(put("/v", "spec", older, RecordKind::kVarySpec).ok()) << "it is the same";
  EXPECT_EQ(look("/v").state, Found::kVary);
}

TEST_F(StoreTest, ATicketOlderThanTheRingIsRefused) {
  const Ticket before = store_->ticket();
  for (int i = 0; i < 5000; ++i) store_->purge({store_->digest(std::to_string(i)), false, kNow});
  EXPECT_FALSE(put("a", "x", before).ok());
}

TEST_F(StoreTest, ASoftPurgeMarksStaleAndKeeps) {
  ASSERT_TRUE(put("a", "1").ok());
  const Ticket before = store_->ticket();
  EXPECT_EQ(store_->purge({store_->digest("a"), true, kNow}).matched, 1);
  EXPECT_EQ(look("a").head->stale_since_ms, kNow);
  ASSERT_TRUE(put("a", "2", before).ok());
  EXPECT_EQ(look("a").head->stale_since_ms, kNow) << "a fetch from before is stored stale";
  ASSERT_TRUE(put("a", "3").ok());
  EXPECT_EQ(look("a").head->stale_since_ms, 0);
}

TEST_F(StoreTest, ASecondSoftPurgeDoesNotBeginStalenessAnew) {
  ASSERT_TRUE(put("a", "1").ok());
  store_->purge({store_->digest("a"), true, kNow});
  const PurgeResult second = store_->purge({store_->digest("a"), true, kNow + 60'000});
  EXPECT_EQ(look("a").head->stale_since_ms, kNow);
  ASSERT_TRUE(store_->commit(second.seq).ok());
  reopen();
  EXPECT_EQ(look("a").head->stale_since_ms, kNow);
}

TEST_F(StoreTest, ASoftPurgeSurvivesARestart) {
  ASSERT_TRUE(put("a", "1").ok());
  store_->purge({store_->digest("a"), true, kNow});
  reopen();
  EXPECT_EQ(look("a").head->stale_since_ms, kNow);
}

TEST_F(StoreTest, EachSoftPurgeOfAUrlWithVariantsCounts) {
  ASSERT_TRUE(put("/v", "spec", store_->ticket(), RecordKind::kVarySpec).ok());
  const auto stale_since_s = [&] { return look("/v").vary->stale_since_ms / 1000; };
  store_->purge({store_->digest("/v"), true, kNow + 1'000});
  EXPECT_EQ(stale_since_s(), (kNow + 1'000) / 1000);
  // Variants were confirmed in between: the second purge must hold for them.
  const PurgeResult second = store_->purge({store_->digest("/v"), true, kNow + 90'000});
  EXPECT_EQ(stale_since_s(), (kNow + 90'000) / 1000);
  ASSERT_TRUE(store_->commit(second.seq).ok());
  reopen();
  EXPECT_EQ(stale_since_s(), (kNow + 90'000) / 1000);
}

TEST_F(StoreTest, ASoftPurgeSaysWhichVariantsItHoldsFor) {
  const Ticket before = store_->ticket();
  ASSERT_TRUE(put("/v", "spec", before, RecordKind::kVarySpec).ok());
  EXPECT_EQ(look("/v").vary->stale_seq, 0u);
  const auto concerns = [&](const Ticket& ticket) {
    return ticket.purge_seq < look("/v").vary->stale_seq;
  };
  store_->purge({store_->digest("/v"), true, kNow});
  const Ticket between = store_->ticket();
  EXPECT_TRUE(concerns(before));
  EXPECT_FALSE(concerns(between)) << "within the same second, and whatever the clock says";
  const PurgeResult second = store_->purge({store_->digest("/v"), true, kNow - 90'000});
  const Ticket after = store_->ticket();
  EXPECT_TRUE(concerns(between));
  EXPECT_FALSE(concerns(after));
  ASSERT_TRUE(store_->commit(second.seq).ok());
  reopen();
  EXPECT_TRUE(concerns(between));
  EXPECT_FALSE(concerns(after));
  store_->erase(store_->digest("/v"));
  ASSERT_TRUE(put("/v", "spec", store_->ticket(), RecordKind::kVarySpec).ok());
  EXPECT_EQ(look("/v").vary->stale_seq, 0u) << "of another spec";
}

/// Anybody can send requests that invalidate URLs which are not stored.
TEST_F(StoreTest, ErasingWhatIsNotThereIsRememberedNowhere) {
  const Awaited awaited = store_->await(store_->digest("slow"));
  const Ticket before = awaited.ticket();
  for (size_t i = 0; i < 2 * base::limits::kPurgesRemembered; ++i) {
    EXPECT_EQ(store_->erase(store_->digest("absent" + std::to_string(i))), 0);
  }
  EXPECT_EQ(store_->stats().purges, 0u) << "none was drawn, so none is written";
  EXPECT_FALSE(store_->purged_since(store_->digest("slow"), "slow", before));
  EXPECT_TRUE(put("slow", "body", before).ok());
}

/// Whoever erases it again answers for the first one too: a kill must not bring it back after that.
TEST_F(StoreTest, ErasingAgainWaitsForWhatIsNotWrittenYet) {
  ASSERT_TRUE(put("a", "body").ok());
  const Digest url = store_->digest("a");
  EXPECT_EQ(store_->erase(url), 1);
  EXPECT_EQ(store_->erase(url), 1) << "there is something to commit";
  EXPECT_EQ(store_->erase(store_->digest("b")), 0);
  EXPECT_EQ(store_->stats().purges, 1u);
  ASSERT_TRUE(store_->commit(store_->ticket().purge_seq).ok());
  EXPECT_EQ(store_->erase(url), 0);
}

TEST_F(StoreTest, ErasingWhatIsOnItsWayFencesItOnce) {
  const Digest url = store_->digest("a");
  Awaited first = store_->await(url);
  const Ticket before = first.ticket();
  for (int i = 0; i < 100; ++i) EXPECT_EQ(store_->erase(url), 1);
  EXPECT_EQ(store_->stats().purges, 1u) << "the first one fences all that is on its way";
  EXPECT_EQ(put("a", "old", before).error().code, base::ErrorCode::kCancelled);
  // Another response is asked for: the next erase must fence it too.
  const Awaited second = store_->await(url);
  const Ticket after = second.ticket();
  first.reset();
  EXPECT_EQ(store_->erase(url), 1);
  EXPECT_EQ(store_->stats().purges, 2u);
  EXPECT_EQ(put("a", "older", after).error().code, base::ErrorCode::kCancelled);
  EXPECT_TRUE(put("a", "new", store_->ticket()).ok());
}

TEST_F(StoreTest, ErasingWhatWasAwaitedAndIsNotAnyMoreIsNothing) {
  const Digest url = store_->digest("a");
  {
    Awaited awaited = store_->await(url);
    Awaited moved = std::move(awaited);
    awaited = std::move(moved);
  }
  EXPECT_EQ(store_->erase(url), 0);
  EXPECT_EQ(store_->stats().purges, 0u);
}

TEST_F(StoreTest, AVarySpecAndAnObjectExcludeEachOther) {
  ASSERT_TRUE(put("a", "object").ok());
  ASSERT_TRUE(put("a", "spec", store_->ticket(), RecordKind::kVarySpec).ok());
  EXPECT_EQ(look("a").state, Found::kVary);
  reopen();
  {
    const Found found = look("a");
    EXPECT_EQ(found.state, Found::kVary);
    EXPECT_EQ(text(found.vary->body), "spec");
  }
  ASSERT_TRUE(put("a", "object again").ok());
  EXPECT_EQ(body_of("a"), "object again");
  reopen();
  EXPECT_EQ(body_of("a"), "object again");
}

TEST_F(StoreTest, AVarySpecThatIsThereGoesOnNamingItsVariants) {
  const auto spec = [&](std::string_view names) {
    const auto stored = put("/v", names, store_->ticket(), RecordKind::kVarySpec);
    return stored.ok() ? stored->vary->rid : 0;
  };
  const uint64_t first = spec("accept");
  EXPECT_NE(first, 0u);
  EXPECT_EQ(spec("accept"), first);
  reopen();
  EXPECT_EQ(spec("accept"), first) << "not verified yet";
  const uint64_t second = spec("accept cookie");
  EXPECT_NE(second, first) << "a prefix is another one";
  EXPECT_NE(spec("accept"), first) << "variants from before the change stay out of reach";
  const uint64_t last = spec("accept");
  store_->purge({store_->digest("/v"), false, kNow});
  EXPECT_NE(spec("accept"), last) << "and those from before a purge";
}

TEST_F(StoreTest, RecyclesTheOldestSlabsAndKeepsTheNewest) {
  const std::string body(40'000, 'b');
  for (int i = 0; i < 1200; ++i) {
    ASSERT_TRUE(put("key" + std::to_string(i), body + std::to_string(i)).ok()) << i;
  }
  EXPECT_EQ(look("key0").state, Found::kMiss);
  EXPECT_EQ(body_of("key1199"), body + "1199");
  EXPECT_GT(store_->stats().evicted, 0u);
  reopen();
  EXPECT_EQ(body_of("key1199"), body + "1199");
}

TEST_F(StoreTest, WhatWasReplacedIsNotEvictedOnceMore) {
  const std::string body(40'000, 'b');
  for (int i = 0; i < 1200; ++i) ASSERT_TRUE(put("key", body).ok()) << i;
  EXPECT_EQ(store_->stats().evicted, 0u);
}

TEST_F(StoreTest, MakesSoManySlabsReadyAndNoMore) {
  const std::string body(40'000, 'b');
  for (int i = 0; i < 1200; ++i) ASSERT_TRUE(put("key" + std::to_string(i), body).ok()) << i;
  for (int steps = 0; store_->maintain({.wall_ms = kNow}); ++steps) ASSERT_LT(steps, 20);
  constexpr uint64_t kFree = base::limits::kSlabsReady + base::limits::kSlabsForSurvivors;
  EXPECT_EQ(store_->stats().slabs_free, kFree);
  for (int more = 0; more < 3; ++more) EXPECT_FALSE(store_->maintain({.wall_ms = kNow}));
  EXPECT_EQ(store_->stats().slabs_free, kFree);
}

TEST_F(StoreTest, APinnedRecordOutlivesRecycling) {
  ASSERT_TRUE(put("pinned", "stay").ok());
  const Found found = look("pinned");
  ASSERT_EQ(found.state, Found::kHit);
  const std::string body(60'000, 'z');
  for (int i = 0; i < 1000; ++i) ASSERT_TRUE(put("k" + std::to_string(i), body).ok());
  EXPECT_EQ(text(found.head->body), "stay");
}

TEST_F(StoreTest, AnObjectLargerThanAQuarterSlabIsRefused) {
  const auto refused = put("a", std::string(store_->max_object_bytes() + 1, 'x'));
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code, base::ErrorCode::kNoSpace);
  EXPECT_TRUE(put("a", std::string(store_->max_object_bytes(), 'x')).ok());
}

TEST_F(StoreTest, WhoseMapCannotBeGuardedIsRefused) {
  close();
  std::array<SlabWord, 1> words;
  std::array<std::byte, 100> maps;
  size_t taken = 0;
  while (
      taken < maps.size() &&
      guard_map(
          {.begin = &maps[taken], .size = 1, .area = 0, .slab_bytes = 1, .words = words.data()})) {
    ++taken;
  }
  ASSERT_LT(taken, maps.size());
  io_ = make_file_io();
  EXPECT_FALSE(Store::open(options_, *io_, observer_, kNow).ok());
  for (size_t i = 0; i < taken; ++i) unguard_map(&maps[i]);
}

TEST_F(StoreTest, ASecondStoreOnTheSameFileIsRefused) {
  const auto io = make_file_io();
  const auto second = Store::open(options_, *io, observer_, kNow);
  ASSERT_FALSE(second.ok());
  EXPECT_EQ(second.error().code, base::ErrorCode::kForbidden);
}

TEST_F(StoreTest, ATooSmallStoreNamesTheLeastSize) {
  StoreOptions small = options_;
  small.path = folder_.file("small");
  small.size_bytes = (18 << 20) - 1;
  const auto io = make_file_io();
  const auto opened = Store::open(small, *io, observer_, kNow);
  ASSERT_FALSE(opened.ok());
  EXPECT_NE(opened.error().message.find("18 MiB"), std::string::npos);
}

TEST_F(StoreTest, AFileThatIsNotOursIsLeftAlone) {
  close();
  std::ofstream(options_.path, std::ios::trunc) << std::string(200'000, 'q');
  io_ = make_file_io();
  const auto opened = Store::open(options_, *io_, observer_, kNow);
  ASSERT_FALSE(opened.ok());
  EXPECT_EQ(opened.error().code, base::ErrorCode::kInvalid);
  EXPECT_EQ(std::filesystem::file_size(options_.path), 200'000u);
}

TEST_F(StoreTest, ACopiedFileIsStaleUntilConfirmed) {
  ASSERT_TRUE(put("a", "1").ok());
  close();
  const std::string copy = folder_.file("copy");
  std::filesystem::copy_file(options_.path, copy);
  options_.path = copy;
  open();
  const Found found = look("a");
  ASSERT_EQ(found.state, Found::kHit);
  EXPECT_EQ(found.head->stale_since_ms, kUnconfirmedMs);
  ASSERT_TRUE(put("b", "2").ok());
  EXPECT_EQ(look("b").head->stale_since_ms, 0);
}

TEST_F(StoreTest, GrowsAndShrinksWithTheConfiguredSize) {
  ASSERT_TRUE(put("a", "1").ok());
  options_.size_bytes = 30 << 20;
  reopen();
  EXPECT_EQ(body_of("a"), "1");
  const uint64_t grown = store_->stats().slabs;
  options_.size_bytes = 18 << 20;
  reopen();
  EXPECT_LT(store_->stats().slabs, grown);
  EXPECT_EQ(body_of("a"), "1");
}

TEST_F(StoreTest, FlippedBitsAreAMissAndNeverAWrongByte) {
  std::map<std::string, std::string> bodies;
  for (int i = 0; i < 300; ++i) {
    const std::string key = "key" + std::to_string(i);
    bodies[key] = std::string(2000, static_cast<char>('a' + i % 26)) + key;
    ASSERT_TRUE(put(key, bodies[key]).ok());
  }
  std::mt19937_64 chance(7);
  for (int round = 0; round < 30; ++round) {
    close();
    {
      std::fstream file(options_.path, std::ios::in | std::ios::out | std::ios::binary);
      for (int flip = 0; flip < 8; ++flip) {
        // Anywhere in the first slabs: headers, records, bodies.
        const uint64_t at = (2 << 20) + chance() % (800 << 10);
        file.seekg(static_cast<std::streamoff>(at));
        const char byte = static_cast<char>(file.get() ^ (1 << chance() % 8));
        file.seekp(static_cast<std::streamoff>(at));
        file.put(byte);
      }
    }
    open();
    for (const auto& [key, body] : bodies) {
      const std::string got = body_of(key);
      EXPECT_TRUE(got == body || got == "(miss)") << key;
    }
  }
}

TEST_F(StoreTest, DamagedSuperblocksMakeAnEmptyStore) {
  ASSERT_TRUE(put("a", "1").ok());
  close();
  {
    std::fstream file(options_.path, std::ios::in | std::ios::out | std::ios::binary);
    for (const int at : {100, 64 * 1024 + 100}) {
      file.seekp(at);
      file.put('\x7f');
    }
  }
  open();
  EXPECT_EQ(look("a").state, Found::kMiss);
  EXPECT_TRUE(put("a", "2").ok());
}

TEST_F(StoreTest, ATruncatedFileIsAPoisonedSlabAndNotACrash) {
  ASSERT_TRUE(put("a", std::string(9000, 'x')).ok());
  const Found found = look("a");
  ASSERT_EQ(found.state, Found::kHit);
  ASSERT_EQ(truncate(options_.path.c_str(), 1 << 20), 0);
  uint64_t sum = 0;
  for (const std::byte byte : found.head->body) sum += static_cast<uint64_t>(byte);
  EXPECT_EQ(sum, 0u) << "zero pages stand in";
  EXPECT_TRUE(store_->poisoned(found.head->pin));
  EXPECT_EQ(look("a").state, Found::kMiss);
  store_->maintain({.wall_ms = kNow});
  EXPECT_EQ(store_->stats().poisoned, 1u);
}

TEST_F(StoreTest, PagesOnLoanKeepTheirBytesWhenTheSlabIsRewritten) {
  options_.slab_bytes = 2 << 20;
  options_.size_bytes = 24 << 20;
  options_.path = folder_.file("lending");
  reopen();
  if (!store_->can_lend_pages()) {
    // Then the edge copies; the promise below is not made here.
    GTEST_SKIP() << "this file system cannot detach pages";
  }
  const std::string body(100'000, 'l');
  ASSERT_TRUE(put("lent", body).ok());
  int pair[2];
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
  uint64_t place = 0;
  {
    const Found found = look("lent");
    place = found.head->body_offset;
    auto offset = static_cast<off_t>(place);
    ASSERT_EQ(sendfile(pair[0], store_->fd(), &offset, body.size()), ssize_t(body.size()));
  }
  const std::string other(400'000, 'o');
  for (int i = 0; i < 200; ++i) ASSERT_TRUE(put("k" + std::to_string(i), other).ok());
  EXPECT_NE(look("lent").head->body_offset, place) << "it was copied, and its slab used again";
  std::string received(body.size(), '\0');
  ASSERT_EQ(recv(pair[1], received.data(), received.size(), MSG_WAITALL), ssize_t(body.size()));
  EXPECT_EQ(received, body);
  ::close(pair[0]);
  ::close(pair[1]);
}

TEST_F(StoreTest, ManyPurgesFoldIntoAFloorAndNothingComesBack) {
  ASSERT_TRUE(put("kept", "1").ok());
  for (int i = 0; i < 12'000; ++i) {
    const std::string key = "k" + std::to_string(i);
    if (i % 100 == 0) {
      ASSERT_TRUE(put(key, "x").ok());
    }
    store_->purge({store_->digest(key), false, kNow});
    if (i % 500 == 0) store_->maintain({.wall_ms = kNow + i});
  }
  reopen();
  EXPECT_FALSE(store_->stats().journal_bad);
  for (int i = 0; i < 12'000; i += 100) {
    const Found found = look("k" + std::to_string(i));
    const bool gone_or_stale = found.state == Found::kMiss || found.head->stale_since_ms != 0;
    EXPECT_TRUE(gone_or_stale) << i;
  }
  EXPECT_EQ(body_of("kept"), "1");
}

}  // namespace
}  // namespace perigee::cache_store

// Threads that look up, read, put, purge, erase and keep up a store that recycles all the time.
// Every body that is read is the whole of one version of its key; what was purged or erased is
// never seen again, neither then nor after a restart; what was marked stale stays so. Under
// ThreadSanitizer this shows the races.
#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <cstring>
#include <filesystem>
#include <random>
#include <thread>
#include <vector>

#include "cache_store/store.h"
#include "cache_store/store_io.h"
#include "tests/support/keys.h"
#include "tests/support/temp_folder.h"

namespace perigee::cache_store {
namespace {

constexpr int64_t kNow = 1'700'000'000'000;
constexpr uint64_t kKeys = 100;
constexpr uint64_t kFew = 2;
constexpr uint64_t kTags = 3;
constexpr int kOperations = 1'500;  ///< a thread

class Silent : public StoreObserver {
 public:
  void on_store_event(std::string_view) override {}
};

/// Keys of a few sites, so that a prefix takes some of them.
constexpr uint64_t kSites = 4;
std::string key_of(uint64_t number) {
  return test::url_key("site" + std::to_string(number % kSites), "/" + std::to_string(number));
}

/// A body that names its key and version in every word.
std::vector<uint64_t> body_of(uint64_t key, uint64_t version) {
  return std::vector<uint64_t>(16 + version * 37 % 1500, key << 48 | version);
}

class ConcurrencyTest : public testing::Test {
 protected:
  void SetUp() override {
    options_.path = folder_.file("store");
    options_.slab_bytes = 64 << 10;
    options_.journal_bytes = 8 << 10;
    options_.size_bytes = (2 << 20) + 20 * options_.slab_bytes;
    open();
  }

  void open() {
    io_ = make_file_io();
    auto opened = Store::open(options_, *io_, observer_, kNow);
    ASSERT_TRUE(opened.ok()) << opened.error().message;
    store_ = std::move(*opened);
  }

  /// `late`: not before something was purged since its ticket.
  void put(uint64_t key, bool late = false) {
    const std::string name = key_of(key);
    const Awaited awaited = store_->await(store_->digest(name));
    const Ticket ticket = awaited.ticket();
    // After the ticket: a version that is known when a purge begins was asked for before it.
    const uint64_t version = versions_.fetch_add(1) + 1;
    const uint64_t purged = purged_.load();
    while (late && purging_ > 0 && purged_ == purged && !HasFatalFailure()) {
      std::this_thread::yield();
    }
    const std::vector<uint64_t> words = body_of(key, version);
    const std::span<const std::byte> piece = std::as_bytes(std::span(words));
    Draft draft;
    draft.key = name;
    draft.base = store_->digest(name);
    draft.body = {&piece, 1};
    draft.head = std::as_bytes(std::span(&version, 1));
    draft.ticket = ticket;
    const uint64_t tag = key % kTags;
    draft.tags = {&tag, 1};
    const Floors before = floors(key);
    const base::Result<Found> found = store_->put(draft);
    if (found.ok()) check(*found, key, before);
  }
  /// Versions up to these are gone, or stale.
  struct Floors {
    uint64_t gone = 0;
    uint64_t stale = 0;
  };
  Floors floors(uint64_t key) const { return {gone_[key].load(), stale_[key].load()}; }
  static void raise(std::atomic<uint64_t>& floor, uint64_t version) {
    uint64_t before = floor.load();
    while (before < version && !floor.compare_exchange_weak(before, version)) continue;
  }
  /// Reads all of a record while it is pinned. `floors` from before it was looked up.
  void check(const Found& found, uint64_t key, const Floors& floors) {
    uint64_t version = 0;
    ASSERT_EQ(found.head->head.size(), sizeof version);
    std::memcpy(&version, found.head->head.data(), sizeof version);
    // After a restart nobody may know any more what was purged long ago: then only the origin can
    // make it usable.
    const bool unconfirmed = restarted_ && found.head->stale_since_ms == kUnconfirmedMs;
    if (!unconfirmed) {
      ASSERT_GT(version, floors.gone) << "what was purged is back";
    }
    if (version <= floors.stale) {
      ASSERT_NE(found.head->stale_since_ms, 0) << "what was marked stale is fresh again";
    }
    const std::vector<uint64_t> words = body_of(key, version);
    ASSERT_EQ(found.head->body.size(), words.size() * 8);
    ASSERT_EQ(std::memcmp(found.head->body.data(), words.data(), words.size() * 8), 0);
    reads_.fetch_add(1);
  }
  void read(uint64_t key) {
    const std::string name = key_of(key);
    const Digest digest = store_->digest(name);
    const Floors before = floors(key);
    Found found = store_->lookup(digest, name, 0);
    if (found.state == Found::kCold) {
      store_->warm(digest, name, 0);
      found = store_->lookup(digest, name, 0);
    }
    if (found.state == Found::kHit) check(found, key, before);
  }
  static constexpr uint64_t kFragments = 4;
  /// Every word of a fragment names its rid and its number.
  std::vector<uint64_t> fragment_of(const FragmentId& id) const {
    return std::vector<uint64_t>(store_->fragment_bytes() / 8, id.rid << 8 | id.number);
  }
  /// With its head first, last or in between, and perhaps without some of its fragments.
  void put_long(uint64_t key, uint64_t chance) {
    const std::string name = key_of(key);
    const Awaited awaited = store_->await(store_->digest(name));
    const Ticket ticket = awaited.ticket();
    const uint64_t rid = store_->draw_rid();
    const uint64_t head_at = chance % (kFragments + 1);
    for (uint64_t number = 0; number <= kFragments; ++number) {
      if (number == head_at) {
        Draft draft;
        draft.kind = RecordKind::kHead;
        draft.rid = rid;
        draft.key = name;
        draft.base = store_->digest(name);
        draft.whole_length = kFragments * store_->fragment_bytes();
        draft.ticket = ticket;
        (void)store_->put(draft);
      }
      if (number == kFragments || (chance >> (8 + number)) % 8 == 0) continue;
      const std::vector<uint64_t> words = fragment_of({rid, number});
      const std::span<const std::byte> piece = std::as_bytes(std::span(words));
      (void)store_->put_fragment({{rid, number}, store_->digest(name), ticket, {&piece, 1}});
    }
  }
  void read_long(uint64_t key, std::atomic<uint64_t>& hits, std::atomic<uint64_t>& misses) {
    const std::string name = key_of(key);
    const Found head = store_->lookup(store_->digest(name), name, 0);
    if (head.state != Found::kHit) return;
    ASSERT_EQ(head.head->kind, RecordKind::kHead);
    for (uint64_t number = 0; number < kFragments; ++number) {
      const FragmentId id{head.head->rid, number};
      const Found found = store_->lookup_fragment(id);
      (found.state == Found::kHit ? hits : misses).fetch_add(1);
      if (found.state != Found::kHit) continue;
      ASSERT_EQ(found.head->rid, id.rid);
      const std::vector<uint64_t> words = fragment_of(id);
      ASSERT_EQ(found.head->body.size(), words.size() * 8);
      ASSERT_EQ(std::memcmp(found.head->body.data(), words.data(), words.size() * 8), 0);
    }
  }
  void purge(uint64_t key) {
    const uint64_t known = versions_.load();
    const PurgeResult purge = store_->purge({store_->digest(key_of(key)), false, kNow});
    raise(gone_[key], known);
    purged_.fetch_add(1);
    EXPECT_TRUE(store_->commit(purge.seq).ok());
  }
  void erase(uint64_t key) {
    const uint64_t known = versions_.load();
    store_->erase(store_->digest(key_of(key)));
    raise(gone_[key], known);
  }
  void soft_purge(uint64_t key) {
    const uint64_t known = versions_.load();
    store_->purge({store_->digest(key_of(key)), true, kNow});
    raise(stale_[key], known);
  }
  /// By tag, by prefix, and rarely of everything; hard or soft.
  void purge_many(std::mt19937_64& chance) {
    Predicate predicate;
    const uint64_t choice = chance() % 16;
    predicate.kind = choice == 0  ? PredicateKind::kEverything
                     : choice < 8 ? PredicateKind::kTag
                                  : PredicateKind::kPrefix;
    predicate.tag = chance() % kTags;
    const uint64_t site = chance() % kSites;
    const std::string prefix = test::url_key("site" + std::to_string(site), "");
    predicate.prefix = prefix;
    predicate.soft = chance() % 2 == 0;
    predicate.wall_ms = kNow;
    const uint64_t known = versions_.load();
    const PurgeResult purge = store_->purge(predicate);
    for (uint64_t key = 0; key < kKeys; ++key) {
      const bool taken = predicate.kind == PredicateKind::kTag      ? key % kTags == predicate.tag
                         : predicate.kind == PredicateKind::kPrefix ? key % kSites == site
                                                                    : true;
      if (taken) raise(predicate.soft ? stale_[key] : gone_[key], known);
    }
    purged_.fetch_add(1);
    if (chance() % 4 == 0) {
      EXPECT_TRUE(store_->commit(purge.seq).ok());
    }
  }
  template <typename Work>
  void spawn(Work work) {
    threads_.emplace_back([work, seed = threads_.size()]() mutable {
      std::mt19937_64 chance(seed + 1);
      for (int i = 0; i < kOperations && !HasFatalFailure(); ++i) work(chance);
    });
  }
  void join() {
    for (std::thread& thread : threads_) thread.join();
    threads_.clear();
  }

  test::TempFolder folder_;
  StoreOptions options_;
  Silent observer_;
  std::unique_ptr<StoreIo> io_;
  std::unique_ptr<Store> store_;
  std::vector<std::thread> threads_;
  std::atomic<uint64_t> versions_{0};
  std::atomic<uint64_t> reads_{0};
  std::atomic<uint64_t> purged_{0};
  std::atomic<int> purging_{0};  ///< threads that still do
  bool restarted_ = false;
  std::array<std::atomic<uint64_t>, kKeys> gone_{};
  std::array<std::atomic<uint64_t>, kKeys> stale_{};
};

TEST_F(ConcurrencyTest, EveryBodyIsTrueWhateverHappensBesides) {
  std::atomic<int64_t> wall_ms{kNow};
  for (int i = 0; i < 2; ++i) {
    spawn([this](auto& chance) { put(chance() % kKeys); });
    spawn([this](auto& chance) { read(chance() % kKeys); });
  }
  spawn([this](auto& chance) {
    if (chance() % 8 == 0) purge(chance() % kKeys);
    if (chance() % 16 == 0) erase(chance() % kKeys);
    if (chance() % 16 == 0) soft_purge(chance() % kKeys);
  });
  spawn([this, &wall_ms](auto&) { store_->maintain({.wall_ms = wall_ms.fetch_add(100)}); });
  spawn([this](auto& chance) {
    // A slow reader: its slab must not be used again under it.
    const uint64_t key = chance() % kKeys;
    const std::string name = key_of(key);
    const Floors before = floors(key);
    const Found found = store_->lookup(store_->digest(name), name, 0);
    if (found.state != Found::kHit) return;
    for (int i = 0; i < 3; ++i) put(chance() % kKeys);
    check(found, key, before);
  });
  join();
  EXPECT_GT(reads_, 1'000u);
  EXPECT_GT(store_->stats().evicted, 100u) << "slabs were used again and again";
  // Erasures are durable with what is committed after them.
  purge(0);
  store_.reset();
  open();
  restarted_ = true;
  const uint64_t before = reads_.load();
  for (uint64_t key = 0; key < kKeys; ++key) read(key);
  EXPECT_GT(reads_, before) << "something survived";
}

/// A few keys, purged and put all the time: each put ends just before or just after a purge.
TEST_F(ConcurrencyTest, WhatWasPurgedIsNeverSeenAgain) {
  purging_ = 2;
  for (int i = 0; i < 2; ++i) {
    spawn([this](auto& chance) { put(chance() % kFew, chance() % 4 == 0); });
    spawn([this, left = kOperations](auto& chance) mutable {
      const uint64_t key = chance() % kFew;
      if (chance() % 4 == 0) {
        erase(key);
      } else {
        purge(key);
      }
      read(key);
      if (--left == 0) --purging_;
    });
  }
  join();
  EXPECT_GT(store_->stats().puts_refused, 10u) << "puts and purges met";
}

/// All kinds of purges beside lookups, puts of fetches from before, and the sweep.
TEST_F(ConcurrencyTest, WhatWasPurgedByTagOrPrefixIsNeverSeenAgain) {
  constexpr uint64_t kSome = 12;
  purging_ = 1;
  for (int i = 0; i < 2; ++i) {
    spawn([this](auto& chance) { put(chance() % kSome, chance() % 8 == 0); });
    spawn([this](auto& chance) { read(chance() % kSome); });
  }
  spawn([this, left = kOperations](auto& chance) mutable {
    purge_many(chance);
    if (chance() % 4 == 0) soft_purge(chance() % kSome);
    for (uint64_t key = 0; key < kSome; ++key) read(key);
    if (--left == 0) --purging_;
  });
  spawn([this](auto&) { store_->maintain({.wall_ms = kNow}); });
  join();
  EXPECT_GT(reads_, 1'000u);
  EXPECT_GT(store_->stats().puts_refused, 10u) << "puts and purges met";
  EXPECT_GT(store_->stats().purged_lazily, 10u);
  purge(0);
  store_.reset();
  open();
  restarted_ = true;
  for (uint64_t key = 0; key < kKeys; ++key) read(key);
}

/// Long objects are written again and again, each time under another rid, while others read them
/// and their slabs are used again: no two versions ever mix.
TEST_F(ConcurrencyTest, FragmentsAreThoseOfTheirHead) {
  std::atomic<uint64_t> hits{0};
  std::atomic<uint64_t> misses{0};
  for (int i = 0; i < 2; ++i) {
    spawn([&, this](auto& chance) {
      const uint64_t key = chance() % kFew;
      put_long(key, chance());
      read_long(key, hits, misses);
    });
    spawn([&, this](auto& chance) { read_long(chance() % kFew, hits, misses); });
  }
  spawn([this](auto& chance) { put(kFew + chance() % kFew); });
  spawn([this](auto& chance) {
    if (chance() % 16 == 0) erase(chance() % kFew);
    store_->maintain({.wall_ms = kNow});
  });
  join();
  EXPECT_GT(hits, 1'000u);
  EXPECT_GT(misses, 0u) << "and some were gone";
}

TEST_F(ConcurrencyTest, ColdRecordsAreWarmedByManyAtOnce) {
  for (uint64_t key = 0; key < kKeys; ++key) put(key);
  store_.reset();
  open();
  for (int i = 0; i < 4; ++i) {
    spawn([this](auto& chance) { read(chance() % kKeys); });
  }
  spawn([this](auto& chance) { put(chance() % kKeys); });
  join();
  EXPECT_GT(reads_, 1'000u);
  EXPECT_EQ(store_->stats().corrupt, 0u);
}

}  // namespace
}  // namespace perigee::cache_store

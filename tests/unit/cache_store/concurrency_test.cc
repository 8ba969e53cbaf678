// Threads that look up, read, put, purge, erase and keep up a store that recycles all the time.
// Every body that is read is the whole of one version of its key. Under ThreadSanitizer this shows
// the races.
#include <gtest/gtest.h>

#include <atomic>
#include <cstring>
#include <filesystem>
#include <random>
#include <thread>
#include <vector>

#include "cache_store/store.h"
#include "cache_store/store_io.h"

namespace perigee::cache_store {
namespace {

constexpr int64_t kNow = 1'700'000'000'000;
constexpr uint64_t kKeys = 100;
constexpr int kOperations = 1'500;  ///< a thread

class Silent : public StoreObserver {
 public:
  void on_store_event(std::string_view) override {}
};

std::string key_of(uint64_t number) { return "key" + std::to_string(number); }

/// A body that names its key and version in every word.
std::vector<uint64_t> body_of(uint64_t key, uint64_t version) {
  return std::vector<uint64_t>(16 + version * 37 % 1500, key << 48 | version);
}

class ConcurrencyTest : public testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/perigee-threads-XXXXXX";
    folder_ = mkdtemp(name);
    options_.path = folder_ + "/store";
    options_.slab_bytes = 64 << 10;
    options_.journal_bytes = 8 << 10;
    options_.size_bytes = (2 << 20) + 20 * options_.slab_bytes;
    io_ = make_file_io();
    auto opened = Store::open(options_, *io_, observer_, kNow);
    ASSERT_TRUE(opened.ok()) << opened.error().message;
    store_ = std::move(*opened);
  }
  void TearDown() override {
    store_.reset();
    std::filesystem::remove_all(folder_);
  }

  void put(uint64_t key) {
    const uint64_t version = versions_.fetch_add(1) + 1;
    const std::string name = key_of(key);
    const std::vector<uint64_t> words = body_of(key, version);
    const std::span<const std::byte> piece = std::as_bytes(std::span(words));
    Draft draft;
    draft.key = name;
    draft.base = store_->digest(name);
    draft.body = {&piece, 1};
    draft.head = std::as_bytes(std::span(&version, 1));
    draft.ticket = store_->ticket();
    const base::Result<Found> found = store_->put(draft);
    if (found.ok()) check(*found, key);
  }
  /// Reads all of a record while it is pinned.
  void check(const Found& found, uint64_t key) {
    uint64_t version = 0;
    ASSERT_EQ(found.record.head.size(), sizeof version);
    std::memcpy(&version, found.record.head.data(), sizeof version);
    const std::vector<uint64_t> words = body_of(key, version);
    ASSERT_EQ(found.record.body.size(), words.size() * 8);
    ASSERT_EQ(std::memcmp(found.record.body.data(), words.data(), words.size() * 8), 0);
    reads_.fetch_add(1);
  }
  void read(uint64_t key) {
    const std::string name = key_of(key);
    const Digest digest = store_->digest(name);
    Found found = store_->lookup(digest, name, 0);
    if (found.state == Found::kCold) {
      store_->warm(digest, name, 0);
      found = store_->lookup(digest, name, 0);
    }
    if (found.state == Found::kHit) check(found, key);
  }
  void purge(uint64_t key) {
    const PurgeResult purge = store_->purge({store_->digest(key_of(key)), false, kNow});
    EXPECT_TRUE(store_->commit(purge.seq).ok());
  }
  template <typename Work>
  void spawn(Work work) {
    threads_.emplace_back([work, seed = threads_.size()] {
      std::mt19937_64 chance(seed + 1);
      for (int i = 0; i < kOperations && !HasFatalFailure(); ++i) work(chance);
    });
  }
  void join() {
    for (std::thread& thread : threads_) thread.join();
    threads_.clear();
  }

  std::string folder_;
  StoreOptions options_;
  Silent observer_;
  std::unique_ptr<StoreIo> io_;
  std::unique_ptr<Store> store_;
  std::vector<std::thread> threads_;
  std::atomic<uint64_t> versions_{0};
  std::atomic<uint64_t> reads_{0};
};

TEST_F(ConcurrencyTest, EveryBodyIsTrueWhateverHappensBesides) {
  std::atomic<int64_t> wall_ms{kNow};
  for (int i = 0; i < 2; ++i) {
    spawn([this](auto& chance) { put(chance() % kKeys); });
    spawn([this](auto& chance) { read(chance() % kKeys); });
  }
  spawn([this](auto& chance) {
    if (chance() % 8 == 0) purge(chance() % kKeys);
    if (chance() % 16 == 0) store_->erase(store_->digest(key_of(chance() % kKeys)));
    if (chance() % 16 == 0) store_->purge({store_->digest(key_of(chance() % kKeys)), true, kNow});
  });
  spawn([this, &wall_ms](auto&) { store_->maintain({.wall_ms = wall_ms.fetch_add(100)}); });
  spawn([this](auto& chance) {
    // A slow reader: its slab must not be used again under it.
    const uint64_t key = chance() % kKeys;
    const std::string name = key_of(key);
    const Found found = store_->lookup(store_->digest(name), name, 0);
    if (found.state != Found::kHit) return;
    for (int i = 0; i < 3; ++i) put(chance() % kKeys);
    check(found, key);
  });
  join();
  EXPECT_GT(reads_, 1'000u);
  EXPECT_GT(store_->stats().evicted, 100u) << "slabs were used again and again";
}

TEST_F(ConcurrencyTest, ColdRecordsAreWarmedByManyAtOnce) {
  for (uint64_t key = 0; key < kKeys; ++key) put(key);
  store_.reset();
  io_ = make_file_io();
  auto opened = Store::open(options_, *io_, observer_, kNow);
  ASSERT_TRUE(opened.ok());
  store_ = std::move(*opened);
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

// A fixture for what only a real file has: a small store in a folder of its own, which goes with
// the test.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <memory>
#include <string>

#include "cache_store/store_io.h"
#include "tests/fault/cache_store/history.h"
#include "tests/support/temp_folder.h"

namespace perigee::cache_store {

class FileStoreTest : public testing::Test {
 protected:
  static constexpr int64_t kNow = 1'700'000'000'000;

  explicit FileStoreTest(const std::string& where = "/tmp", uint64_t slab_bytes = 64 << 10,
                         uint64_t slabs = 24)
      : folder_(where) {
    options_.path = folder_.file("store");
    options_.slab_bytes = slab_bytes;
    options_.journal_bytes = 8 << 10;
    options_.size_bytes = (2 << 20) + slabs * slab_bytes;
  }
  ~FileStoreTest() override { store_.reset(); }

  /// The door to the file; a test may put another before it.
  virtual std::unique_ptr<StoreIo> make_io() { return make_file_io(); }
  void open() {
    store_.reset();
    io_ = make_io();
    auto opened = Store::open(options_, *io_, listener_, kNow);
    ASSERT_TRUE(opened.ok()) << opened.error().message;
    store_ = std::move(*opened);
  }
  void open_new_file() {
    store_.reset();
    std::filesystem::remove(options_.path);
    open();
  }
  void cut(uint64_t size) {
    ASSERT_EQ(truncate(options_.path.c_str(), static_cast<off_t>(size)), 0);
  }
  static std::string key_of(int number) { return "key" + std::to_string(number); }

  bool put(int number, size_t body_bytes) {
    Version& version = history_.begin(key_of(number));
    version.body_bytes = body_bytes;
    Draft draft;
    draft.ticket = store_->ticket();
    return history_.put(*store_, version, draft);
  }
  /// How many of the first keys are there; none of them wrong.
  int look(int keys) {
    int found = 0;
    for (int i = 0; i < keys; ++i) {
      const Sight seen = history_.look(*store_, key_of(i));
      EXPECT_NE(seen.what, Sight::kWrong) << i;
      found += seen.what == Sight::kObject ? 1 : 0;
    }
    return found;
  }
  Found find(int number) {
    const std::string key = key_of(number);
    return store_->lookup(store_->digest(key), key, 0);
  }
  void maintain() {
    for (int i = 0; i < 10 && store_->maintain({.wall_ms = kNow}); ++i) {
    }
  }

  test::TempFolder folder_;
  StoreOptions options_;
  Listener listener_;
  std::unique_ptr<StoreIo> io_;
  History history_;
  std::unique_ptr<Store> store_;
};

}  // namespace perigee::cache_store

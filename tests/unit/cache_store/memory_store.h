// A small store on a disk in memory, which a test opens again and again: what most tests of a
// store's work stand on.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <string_view>

#include "cache_store/store.h"
#include "tests/support/memory_disk.h"

namespace perigee::cache_store {

/// What the store says is not looked at, unless a fixture overrides on_store_event().
class MemoryStoreTest : public testing::Test, protected StoreObserver {
 protected:
  static constexpr int64_t kNow = 1'700'000'000'000;
  /// Bytes of a file with so many slabs.
  static constexpr uint64_t bytes_of(uint64_t slabs, uint64_t slab_bytes) {
    return (2 << 20) + slabs * slab_bytes;
  }
  static StoreOptions options_of(uint64_t slabs, uint64_t slab_bytes, uint64_t journal_bytes) {
    StoreOptions options;
    options.path = "store";
    options.slab_bytes = slab_bytes;
    options.journal_bytes = journal_bytes;
    options.size_bytes = bytes_of(slabs, slab_bytes);
    return options;
  }

  explicit MemoryStoreTest(const StoreOptions& options)
      : MemoryStoreTest(options, options.size_bytes) {}
  /// A larger disk leaves room for larger stores.
  MemoryStoreTest(const StoreOptions& options, uint64_t disk_bytes)
      : disk_(disk_bytes), options_(options) {}
  void SetUp() override { open(); }

  /// As `options_` are by now. What was open is closed before.
  void open() {
    close();
    io_ = std::make_unique<test::MemoryIo>(disk_);
    auto opened = Store::open(options_, *io_, *this, now_);
    ASSERT_TRUE(opened.ok()) << opened.error().message;
    store_ = std::move(*opened);
  }
  void close() {
    store_.reset();
    io_.reset();
  }
  bool put_object(std::string_view key, std::string_view body) {
    const std::span<const std::byte> piece = std::as_bytes(std::span(body));
    Draft draft;
    draft.key = key;
    draft.base = store_->digest(key);
    draft.body = {&piece, 1};
    draft.ticket = store_->ticket();
    return store_->put(draft).ok();
  }
  /// After it was warmed, if it was cold.
  Found look(const std::string& key) {
    const Digest digest = store_->digest(key);
    Found found = store_->lookup(digest, key, 0);
    if (found.state != Found::kCold) return found;
    store_->warm(digest, key, 0);
    return store_->lookup(digest, key, 0);
  }

  int64_t now_ = kNow;
  test::MemoryDisk disk_;
  StoreOptions options_;
  std::unique_ptr<test::MemoryIo> io_;
  std::unique_ptr<Store> store_;

 private:
  void on_store_event(std::string_view) override {}
};

/// 40 slabs of 64 KiB. Keys are numbers, and five of the usual bodies fill a slab.
class NumberedStoreTest : public MemoryStoreTest {
 protected:
  static constexpr uint64_t kSlabs = 40;
  static constexpr uint64_t kSlabBytes = 64 << 10;
  static constexpr size_t kBodyBytes = 12'000;
  static constexpr uint64_t bytes_of(uint64_t slabs) {
    return MemoryStoreTest::bytes_of(slabs, kSlabBytes);
  }

  explicit NumberedStoreTest(uint64_t disk_bytes = bytes_of(kSlabs))
      : MemoryStoreTest(options_of(kSlabs, kSlabBytes, 16 << 10), disk_bytes) {}

  static std::string key_of(int key) { return "key" + std::to_string(key); }
  /// Every body begins with its mark, so that it can be found on the disk.
  static std::string mark(int key, int version = 1) {
    const std::string of_version = version == 1 ? "" : ", version " + std::to_string(version);
    return "<key " + std::to_string(key) + of_version + ">";
  }
  void put(int key, size_t body_bytes = kBodyBytes, int version = 1) {
    ASSERT_TRUE(put_object(key_of(key), mark(key, version) + std::string(body_bytes, 'x')));
  }
  void put_many(int first, int count) {
    for (int key = first; key < first + count; ++key) put(key);
  }
  /// Where the mark lies, in the file.
  uint64_t place_of_mark(int key, int version = 1) const {
    const std::string_view file(reinterpret_cast<const char*>(disk_.bytes()), disk_.size());
    const size_t place = file.find(mark(key, version));
    EXPECT_NE(place, std::string_view::npos) << mark(key, version);
    return place;
  }
  /// One bit of the byte there.
  void flip(uint64_t offset) {
    ASSERT_LT(offset, disk_.size());
    const std::byte flipped = disk_.bytes()[offset] ^ std::byte{1};
    disk_.write(offset, {&flipped, 1});
  }
  Found find(int key) { return store_->lookup(store_->digest(key_of(key)), key_of(key), 0); }
  Found::State state_of(int key) { return find(key).state; }
};

}  // namespace perigee::cache_store

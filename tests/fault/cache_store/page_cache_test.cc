// A real file whose pages leave the page cache: nobody reads them on a loop, and the bytes are
// right when they are back.
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/limits.h"
#include "tests/fault/cache_store/file_store.h"

namespace perigee::cache_store {
namespace {

constexpr int kKeys = 12;
constexpr size_t kBody = 200'000;  ///< more than the kernel reads ahead beside a table

class PageCacheTest : public FileStoreTest {
 protected:
  PageCacheTest() : FileStoreTest("/tmp", 1 << 20, 8) {}
  /// As a kernel short of memory: first nobody has the pages mapped any more, then they go.
  void drop_page_cache() {
    const Found found = find(0);
    ASSERT_EQ(found.state, Found::kHit);
    const std::byte* map = found.head->body.data() - found.head->body_offset;
    ASSERT_EQ(::fsync(io_->fd()), 0);
    ASSERT_EQ(::madvise(const_cast<std::byte*>(map), options_.size_bytes, MADV_DONTNEED), 0);
    const int file = ::open(options_.path.c_str(), O_RDONLY | O_CLOEXEC);
    ASSERT_GE(file, 0);
    ASSERT_EQ(::posix_fadvise(file, 0, 0, POSIX_FADV_DONTNEED), 0);
    ::close(file);
    ASSERT_LT(*io_->count_resident(0, options_.size_bytes), 64u) << "the pages did not go";
  }
  Found::State state_of(int number) { return find(number).state; }
};

TEST_F(PageCacheTest, WhatLeftItIsColdAndRightWhenItIsBack) {
  open();
  for (int i = 0; i < kKeys; ++i) ASSERT_TRUE(put(i, kBody));
  for (int i = 0; i < kKeys; ++i) ASSERT_EQ(state_of(i), Found::kHit);
  drop_page_cache();
  store_->maintain({.wall_ms = kNow + base::limits::kResidencyCalmMs});
  for (int i = 0; i < kKeys; ++i) EXPECT_EQ(state_of(i), Found::kCold) << i;
  EXPECT_EQ(store_->stats().cooled, static_cast<uint64_t>(kKeys));
  EXPECT_EQ(look(kKeys), kKeys) << "warm(), and the bytes are those that were put";
  for (int i = 0; i < kKeys; ++i) EXPECT_EQ(state_of(i), Found::kHit) << i;
  store_->maintain({.wall_ms = kNow + 2 * base::limits::kResidencyCalmMs});
  for (int i = 0; i < kKeys; ++i) EXPECT_EQ(state_of(i), Found::kHit) << i;
}

TEST_F(PageCacheTest, WarmingAfterAStartBringsThePagesIn) {
  open();
  for (int i = 0; i < kKeys; ++i) ASSERT_TRUE(put(i, kBody));
  drop_page_cache();
  open();
  for (int64_t now = kNow; store_->warm_ahead(now); now += 100) continue;
  for (int i = 0; i < kKeys; ++i) EXPECT_EQ(state_of(i), Found::kHit) << i;
  EXPECT_GE(*io_->count_resident(0, options_.size_bytes) * 4096, kKeys * kBody);
  EXPECT_EQ(look(kKeys), kKeys);
}

}  // namespace
}  // namespace perigee::cache_store

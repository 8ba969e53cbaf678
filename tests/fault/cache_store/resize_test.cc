// A store that is opened with another size keeps what fits, also when the process or the power ends
// in the middle of it; and no older version comes back for one that was dropped.
#include <gtest/gtest.h>

#include <map>

#include "cache_store/format.h"
#include "tests/fault/cache_store/history.h"
#include "tests/support/memory_disk.h"

namespace perigee::cache_store {
namespace {

using test::MemoryDisk;
using test::MemoryIo;

constexpr int64_t kNow = 1'800'000'000'000;
constexpr uint64_t kSlabBytes = 16 << 10;
constexpr uint64_t kMostSlabs = 24;
constexpr uint64_t kArea = 2 << 20;

uint64_t bytes_of_slabs(uint64_t slabs) { return kArea + slabs * kSlabBytes; }

StoreOptions store_of(uint64_t slabs, uint64_t journal_bytes = 16 << 10) {
  StoreOptions options;
  options.path = "disk";
  options.slab_bytes = kSlabBytes;
  options.journal_bytes = journal_bytes;
  options.size_bytes = bytes_of_slabs(slabs);
  options.entropy.fill(std::byte{7});
  return options;
}

class Resize : public testing::Test {
 protected:
  /// With so many slabs, on this disk.
  void open(uint64_t slabs, MemoryDisk& disk) {
    close();
    listener_ = {};
    io_ = std::make_unique<MemoryIo>(disk);
    if (watch_) io_->watch = watch_;
    auto opened = Store::open(store_of(slabs, journal_bytes_), *io_, listener_, kNow);
    ASSERT_TRUE(opened.ok()) << opened.error().message;
    store_ = std::move(*opened);
    EXPECT_EQ(store_->stats().slabs, slabs);
  }
  void open(uint64_t slabs) { open(slabs, disk_); }
  void close() { store_.reset(); }
  static std::string key_of(int number) { return "key" + std::to_string(number); }
  /// A new version, four to a slab.
  void put(const std::string& key) {
    Version& version = history_.begin(key);
    version.body_bytes = 3500;
    Draft draft;
    draft.policy.lifetime_ms = 60'000;
    draft.ticket = store_->ticket();
    ASSERT_TRUE(history_.put(*store_, version, draft));
    newest_[key] = version.number;
  }
  void put_many(int first, int count) {
    for (int i = first; i < first + count; ++i) put(key_of(i));
  }
  void purge(const std::string& key) {
    ASSERT_TRUE(store_->commit(store_->purge({store_->digest(key), false, kNow}).seq).ok());
    newest_[key] = 0;
  }
  /// How many keys are there. Each that is there is there in its newest version, or waits for its
  /// origin, if purges may have been lost.
  int look() {
    int found = 0;
    for (const auto& [key, newest] : newest_) {
      const Sight seen = history_.look(*store_, key);
      if (seen.what == Sight::kNothing) continue;
      EXPECT_EQ(seen.what, Sight::kObject) << key;
      const bool waits = may_wait_ && seen.stale_since_ms == kUnconfirmedMs;
      EXPECT_TRUE(seen.version == newest || waits) << key << ": " << describe(seen);
      ++found;
    }
    return found;
  }

  MemoryDisk disk_{bytes_of_slabs(kMostSlabs)};
  Listener listener_;
  uint64_t journal_bytes_ = 16 << 10;
  bool may_wait_ = false;
  std::function<void()> watch_;
  std::unique_ptr<MemoryIo> io_;
  std::unique_ptr<Store> store_;
  History history_;
  std::map<std::string, uint64_t> newest_;
};

TEST_F(Resize, GrowingKeepsAllAndAddsSlabsAtTheEnd) {
  open(8);
  put_many(0, 20);
  const int before = look();
  open(16);
  EXPECT_EQ(disk_.size(), bytes_of_slabs(16));
  EXPECT_EQ(look(), before);
  put_many(100, 20);
  EXPECT_EQ(look(), before + 20) << "nothing had to make room";
  open(16);
  EXPECT_EQ(look(), before + 20);
}

TEST_F(Resize, ShrinkingDropsTheSlabsBeyond) {
  open(16);
  put_many(0, 48);
  ASSERT_EQ(look(), 48);
  open(8);
  EXPECT_EQ(disk_.size(), bytes_of_slabs(8));
  ASSERT_EQ(listener_.sentences.size(), 1u);
  EXPECT_NE(listener_.sentences[0].find("smaller than it was"), std::string::npos);
  const int left = look();
  EXPECT_GT(left, 20);
  EXPECT_LT(left, 48);
  open(8);
  EXPECT_EQ(look(), left);
  put_many(100, 4);
  EXPECT_GE(look(), 4) << "it goes on storing";
}

TEST_F(Resize, WhatWasNewestInADroppedSlabDoesNotComeBackOlder) {
  open(16);
  put_many(0, 12);
  put_many(100, 24);
  put_many(0, 12);  // again, in the slabs that go
  purge(key_of(100));
  ASSERT_EQ(look(), 35);
  for (int start = 0; start < 3; ++start) {
    open(8);
    for (int i = 0; i < 12; ++i) {
      EXPECT_EQ(history_.look(*store_, key_of(i)).what, Sight::kNothing) << i;
    }
    EXPECT_GT(look(), 15);
  }
  open(16);
  for (int i = 0; i < 12; ++i) {
    EXPECT_EQ(history_.look(*store_, key_of(i)).what, Sight::kNothing) << i;
  }
  EXPECT_FALSE(listener_.doubted());
}

/// The newest lies in a slab that stays, an older one in one that goes.
TEST_F(Resize, WhatIsNewestInASlabThatStaysStays) {
  open(16);
  put_many(0, 48);    // fills slabs 0 to 15 but some
  put_many(200, 24);  // the oldest slabs are used again
  put_many(40, 4);    // in low slabs now
  const auto sight = [&](int key) { return history_.look(*store_, key_of(key)); };
  ASSERT_EQ(sight(40).version, newest_[key_of(40)]);
  open(12);
  for (int key = 40; key < 44; ++key) EXPECT_EQ(sight(key).version, newest_[key_of(key)]) << key;
  look();
}

TEST_F(Resize, SlabsThatWereDroppedAreEmptyWhenItGrowsAgain) {
  open(16);
  put_many(0, 48);
  open(8);
  const int left = look();
  open(16);
  EXPECT_EQ(look(), left);
}

/// The power was cut when the superblock named the smaller number, and the file was not cut yet.
TEST_F(Resize, SlabsBehindTheEndAreNotFoundWhenItGrows) {
  open(16);
  put_many(0, 48);
  close();
  MemoryDisk::Image left = disk_.after_kill();
  open(8);
  const int stay = look();
  close();
  for (const auto& [number, page] : disk_.after_kill().pages) {
    if (number * MemoryDisk::kPage < bytes_of_slabs(8)) left.pages[number] = page;
  }
  disk_.load(left);
  open(16);
  EXPECT_EQ(look(), stay);
}

/// The slabs that stay hold nothing that was fetched before the purges, so that a compaction would
/// forget them; the slabs that go hold what was purged, until they are gone.
TEST_F(Resize, APurgeHoldsInTheSlabsThatGoUntilTheyAreGone) {
  journal_bytes_ = 2 << 10;
  open(16);
  put_many(0, 60);
  // Nobody looks at them: what is used would be copied to other slabs.
  ASSERT_EQ(store_->stats().objects, 60u);
  purge(key_of(59));
  for (int i = 0; i < 20; ++i) purge("other" + std::to_string(i));
  put_many(200, 44);
  close();
  std::vector<MemoryDisk::Image> left;
  watch_ = [&] { left.push_back(disk_.after_kill()); };
  open(10);
  close();
  watch_ = nullptr;
  EXPECT_GT(left.size(), 5u);
  may_wait_ = true;
  for (const MemoryDisk::Image& image : left) {
    MemoryDisk disk(bytes_of_slabs(kMostSlabs));
    disk.load(image);
    open(16, disk);
    look();
    close();
  }
}

/// More keys than the journal holds lose their newest version.
TEST_F(Resize, MoreOutdatedKeysThanTheJournalHoldsWaitForTheirOrigin) {
  journal_bytes_ = 1 << 10;
  may_wait_ = true;
  open(24);
  put_many(0, 40);
  put_many(0, 40);
  for (int start = 0; start < 2; ++start) {
    open(12);
    look();
    const Sight seen = history_.look(*store_, key_of(0));
    EXPECT_TRUE(seen == Sight{} || seen.stale_since_ms == kUnconfirmedMs) << describe(seen);
  }
}

/// At each write of an opening with another size, killed or the power cut; then opened with either
/// size.
class ResizeCut : public Resize {
 protected:
  void expect_right_whenever_cut(uint64_t from, uint64_t to) {
    open(from);
    put_many(0, 12);
    put_many(100, 20);
    put_many(0, 12);
    for (int i = 100; i < 116; ++i) purge(key_of(i));
    store_->maintain({.wall_ms = kNow + 10'000});
    close();
    std::mt19937_64 chance(from);
    std::vector<MemoryDisk::Image> left;
    watch_ = [&] {
      left.push_back(disk_.after_kill());
      for (int cut = 0; cut < 4; ++cut) {
        left.push_back(disk_.after_power_cut(static_cast<MemoryDisk::Cut>(cut), chance));
      }
    };
    open(to);
    store_->maintain({.wall_ms = kNow + 10'000});
    close();
    watch_ = nullptr;
    EXPECT_GT(left.size(), 30u);
    for (size_t step = 0; step < left.size(); ++step) {
      for (const uint64_t slabs : {from, to}) {
        SCOPED_TRACE("step " + std::to_string(step) + ", then " + std::to_string(slabs));
        MemoryDisk disk(bytes_of_slabs(kMostSlabs));
        disk.load(left[step]);
        open(slabs, disk);
        look();
        open(slabs, disk);
        look();
        close();
      }
    }
  }
};

TEST_F(ResizeCut, ShrinkingIsRightWheneverItIsCut) { expect_right_whenever_cut(20, 7); }
TEST_F(ResizeCut, GrowingIsRightWheneverItIsCut) { expect_right_whenever_cut(9, 20); }

TEST_F(Resize, ADiskThatRefusesAnyStepOfItLeavesAStore) {
  for (const uint64_t to : {uint64_t{7}, uint64_t{20}}) {
    for (int failing = 0; failing < 60; ++failing) {
      SCOPED_TRACE("operation " + std::to_string(failing) + " to " + std::to_string(to));
      MemoryDisk disk(bytes_of_slabs(kMostSlabs));
      open(12, disk);
      put_many(0, 8);
      put_many(100, 16);
      put_many(0, 8);
      close();
      {
        MemoryIo io(disk);
        int operation = 0;
        io.fail = [&](MemoryIo::Op op, uint64_t) {
          return op != MemoryIo::Op::kRead && operation++ == failing;
        };
        Listener listener;
        (void)Store::open(store_of(to), io, listener, kNow).ok();
      }
      open(to, disk);
      look();
      close();
    }
  }
}

}  // namespace
}  // namespace perigee::cache_store

// A slab is emptied while its records are put, erased and purged, and the process is killed in the
// middle of it: no record comes back that was replaced or removed.
#include <cstring>
#include <functional>
#include <random>
#include <utility>
#include <vector>

#include "cache_store/checksum.h"
#include "cache_store/format.h"
#include "tests/fault/cache_store/small_store.h"
#include "tests/support/interleaving.h"
#include "tests/support/torture.h"

namespace perigee::cache_store {
namespace {

const uint64_t kSeeds = static_cast<uint64_t>(test::tortured(1'000));

class EmptyingTest : public SmallStoreTest {
 protected:
  EmptyingTest() : empty_(disk_.after_kill()) {}
  void open_new_file() {
    close();
    disk_.load(empty_);
    open();
  }
  void open_with_share(unsigned percent) {
    close();
    io_ = std::make_unique<test::MemoryIo>(disk_);
    StoreOptions options = small_store();
    options.probation_percent = percent;
    auto opened = Store::open(options, *io_, listener_, kNow);
    ASSERT_TRUE(opened.ok()) << opened.error().message;
    store_ = std::move(*opened);
  }
  uint64_t put_object(const std::string& key) { return put(key, store_->ticket(), 3'024); }
  uint64_t put_used(const std::string& key) {
    const uint64_t version = put_object(key);
    EXPECT_EQ(look(key), fresh(version));
    return version;
  }
  void keep_up() {
    for (int steps = 0; store_->maintain({.wall_ms = kNow}); ++steps) ASSERT_LT(steps, 200);
  }
  /// All slabs but those that stand ready are in use, and the oldest one is about to be emptied.
  void fill_up() {
    for (int i = 0; store_->stats().slabs_free > 1; ++i) {
      ASSERT_NE(put_object("filler" + std::to_string(i)), 0u);
    }
  }
  /// A new file with "a" and "b", which were used, in the slab that is about to be emptied.
  void open_full() {
    open_new_file();
    put_used("a");
    put_used("b");
    fill_up();
  }
  /// Main has all slabs but probation's share.
  void fill_main() {
    for (int i = 0; i < 120; ++i) {
      put_used("used" + std::to_string(i));
      keep_up();
    }
  }
  /// On the disk, not asking the store.
  bool has_main_slab() const {
    for (uint64_t slab = format::kAreaAlignment; slab < kSmallStoreBytes; slab += 16 << 10) {
      format::SlabHeader header;
      std::memcpy(&header, disk_.bytes() + slab, sizeof header);
      const bool main = header.ring == static_cast<uint8_t>(format::Ring::kMain);
      if (header.magic == format::kSlabMagic && main) return true;
    }
    return false;
  }
  uint64_t promoted() const { return store_->stats().promoted; }

 private:
  const test::MemoryDisk::Image empty_;
};

/// Whatever comes between the steps of a copy.
TEST_F(EmptyingTest, WhatIsErasedWhileItIsCopiedStaysAway) {
  std::mt19937_64 chance;
  test::Interleaving threads([&chance](uint64_t n) { return chance() % n; });
  uint64_t copied = 0;
  for (uint64_t seed = 1; seed <= kSeeds && !HasFailure(); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    open_full();
    chance.seed(seed);
    threads.run(std::vector<std::function<void()>>{
        [this] { keep_up(); },
        [this] {
          store_->erase(store_->digest("a"));
          EXPECT_TRUE(store_->commit(store_->ticket().purge_seq).ok());
        }});
    EXPECT_EQ(look("a"), kNothing);
    EXPECT_NE(look("b"), kNothing);
    copied += promoted() == 2 ? 1 : 0;
    kill();
    open();
    EXPECT_EQ(look("a"), kNothing);
    EXPECT_NE(look("b"), kNothing);
  }
  EXPECT_GT(copied, kSeeds / 20) << "the erase came after the copy";
  EXPECT_LT(copied, kSeeds * 19 / 20) << "the erase came before the copy";
}

/// Between the look at its entry and the write of its copy, main's first slab is opened.
TEST_F(EmptyingTest, WhatIsErasedJustBeforeItsCopyIsWrittenStaysAway) {
  open_new_file();
  put_used("a");
  fill_up();
  bool erased = false;
  io_->watch = [&] {
    if (!std::exchange(erased, erased || has_main_slab()) && erased) {
      EXPECT_EQ(store_->erase(store_->digest("a")), 1);
    }
  };
  keep_up();
  ASSERT_TRUE(erased);
  EXPECT_EQ(promoted(), 0u);
  EXPECT_GT(store_->stats().survivor_bytes, 0u) << "the copy was written all the same";
  EXPECT_EQ(look("a"), kNothing);
  EXPECT_TRUE(store_->commit(store_->ticket().purge_seq).ok());
  kill();
  open();
  EXPECT_EQ(look("a"), kNothing);
}

TEST_F(EmptyingTest, WhatIsPutWhileItIsCopiedIsFound) {
  std::mt19937_64 chance;
  test::Interleaving threads([&chance](uint64_t n) { return chance() % n; });
  for (uint64_t seed = 1; seed <= kSeeds && !HasFailure(); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    open_full();
    chance.seed(seed);
    uint64_t last = 0;
    threads.run(std::vector<std::function<void()>>{[this] { keep_up(); },
                                                   [this, &last] { last = put_object("a"); },
                                                   [this] { put_object("c"); }});
    EXPECT_EQ(look("a"), fresh(last));
    kill();
    open();
    EXPECT_EQ(look("a"), fresh(last));
    EXPECT_NE(look("b"), kNothing);
  }
}

/// The slab of the old versions is not wiped when the process is killed, and the new versions lie
/// in the other ring, which goes first from then on.
TEST_F(EmptyingTest, AnOlderVersionInTheOtherRingDoesNotComeBack) {
  open_new_file();
  fill_main();
  const std::string in_main = "used90";
  ASSERT_NE(look(in_main), kNothing);
  for (int i = 0; i < 30; ++i) {
    put_object("unused" + std::to_string(i));
    keep_up();
  }
  const uint64_t old_a = put_used("a");
  const uint64_t old_b = put_used("b");
  const uint64_t before = promoted();
  for (int i = 0; promoted() == before; ++i) {
    ASSERT_LT(i, 1'000);
    if (!store_->maintain({.bytes = 1, .wall_ms = kNow})) put_object("f" + std::to_string(i));
  }
  ASSERT_EQ(promoted(), before + 1) << "one of the two is not copied yet";
  const uint64_t new_a = put_object("a");
  const uint64_t new_b = put_object("b");
  kill();
  open_with_share(50);
  for (int i = 0; i < 200; ++i) {
    ASSERT_NE(put_object(in_main), 0u);
    keep_up();
  }
  EXPECT_EQ(store_->stats().probation.laps, 0u) << "main alone went round";
  kill();
  open();
  const Sight a = look("a");
  const Sight b = look("b");
  EXPECT_TRUE(a == kNothing || a == fresh(new_a)) << describe(a) << ", the old one is " << old_a;
  EXPECT_TRUE(b == kNothing || b == fresh(new_b)) << describe(b) << ", the old one is " << old_b;
  EXPECT_TRUE(a == kNothing || b == kNothing) << "the one in main has gone";
}

/// A later version may know more rings: their slabs are read, and go as those of probation do.
TEST_F(EmptyingTest, SlabsOfAnUnknownRingAreRead) {
  open_new_file();
  const uint64_t version = put_used("a");
  kill();
  test::MemoryDisk::Image image = disk_.after_kill();
  format::SlabHeader header;
  std::memcpy(&header, disk_.bytes() + format::kAreaAlignment, sizeof header);
  ASSERT_EQ(header.magic, format::kSlabMagic);
  header.ring = 7;
  header.checksum = checksum_of(header);
  const std::span<const std::byte> bytes = bytes_of(header);
  for (size_t i = 0; i < bytes.size(); ++i) image.at(format::kAreaAlignment + i) = bytes[i];
  disk_.load(image);
  open();
  EXPECT_EQ(store_->stats().probation.slabs, 1u);
  EXPECT_EQ(look("a"), fresh(version));
  fill_up();
  keep_up();
  EXPECT_EQ(look("a"), fresh(version)) << "it was copied";
  EXPECT_EQ(store_->stats().main.slabs, 1u);
}

}  // namespace
}  // namespace perigee::cache_store

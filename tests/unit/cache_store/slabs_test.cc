// A slab goes round: free, open, sealed, draining, free. What must hold whatever the disk says ends
// the process when it does not.
#include "cache_store/slabs.h"

#include <gtest/gtest.h>

#include <vector>

#include "tests/support/memory_disk.h"

namespace perigee::cache_store {
namespace {

constexpr uint64_t kSlabBytes = 64 << 10;
constexpr Ring kRing = Ring::kProbation;

class SlabsTest : public testing::Test, private StoreObserver {
 protected:
  SlabsTest() : disk_(8 << 20), health_(*this), slabs_(io_, health_, file()) {
    GTEST_FLAG_SET(death_test_style, "threadsafe");
    slabs_.begin_epoch(1);
    const base::MutexLock lock(slabs_.mutex());
    for (uint32_t slab = 0; slab < slabs_.count(); ++slab) slabs_.adopt_empty(slab);
  }
  MappedFile file() {
    StoreOptions options;
    options.size_bytes = 4 << 20;
    options.slab_bytes = kSlabBytes;
    geometry_ = *choose_geometry(options);
    EXPECT_TRUE(io_.open("store").ok());
    EXPECT_TRUE(io_.allocate(geometry_.file_bytes()).ok());
    return {geometry_, *io_.map(geometry_.file_bytes()), {}};
  }
  void open_one() REQUIRES(slabs_.mutex()) {
    ASSERT_TRUE(slabs_.free_count() > 0 || slabs_.free_one());
    ASSERT_TRUE(slabs_.open(kRing, 0).ok());
  }
  Location append(uint64_t bytes) REQUIRES(slabs_.mutex()) {
    format::TableEntry entry{};
    entry.seq = slabs_.draw_number();
    entry.offset64 = static_cast<uint32_t>(slabs_.used(kRing) / format::kAlignment);
    entry.length64 = static_cast<uint32_t>(bytes / format::kAlignment);
    return slabs_.append(kRing, entry, Slabs::Origin::kNew);
  }

  test::MemoryDisk disk_;
  test::MemoryIo io_{disk_};
  Geometry geometry_;
  Health health_;
  Slabs slabs_;

 private:
  void on_store_event(std::string_view) override {}
};

using SlabsDeathTest = SlabsTest;

TEST_F(SlabsTest, RecordsLieBehindOneAnotherUntilTheTableWouldNotFit) {
  const base::MutexLock lock(slabs_.mutex());
  open_one();
  const Location first = append(1024);
  const Location second = append(2048);
  EXPECT_EQ(first.slab, second.slab);
  EXPECT_EQ(second.offset64, first.offset64 + first.length64);
  const uint64_t left = kSlabBytes - slabs_.used(kRing) - format::table_bytes(3);
  EXPECT_TRUE(slabs_.has_room(kRing, left));
  EXPECT_FALSE(slabs_.has_room(kRing, left + 1));
}

TEST_F(SlabsTest, ASlabThatIsReadIsFreedWhenItsLastPinDrops) {
  const base::MutexLock lock(slabs_.mutex());
  while (slabs_.free_one()) continue;
  ASSERT_EQ(slabs_.free_count(), slabs_.count());
  open_one();
  const Location location = append(1024);
  Pin pin = slabs_.pin(location.slab);
  EXPECT_EQ(slabs_.pins(), 1u);
  slabs_.seal(kRing);
  EXPECT_EQ(slabs_.oldest_sealed(kRing), location.slab);
  slabs_.retire(location.slab);
  EXPECT_EQ(slabs_.draining_pinned(), 1u);
  EXPECT_FALSE(slabs_.free_one());
  pin.reset();
  EXPECT_TRUE(slabs_.free_one());
  EXPECT_EQ(slabs_.free_count(), slabs_.count());
}

TEST_F(SlabsDeathTest, ASlabIsRetiredOnce) {
  const base::MutexLock lock(slabs_.mutex());
  open_one();
  const Location location = append(1024);
  slabs_.retire(location.slab);
  EXPECT_DEATH(slabs_.retire(location.slab), "CHECK failed");
}

TEST_F(SlabsDeathTest, OneSlabIsOpenAtATime) {
  const base::MutexLock lock(slabs_.mutex());
  open_one();
  EXPECT_DEATH((void)slabs_.open(kRing, 0), "CHECK failed");
}

TEST_F(SlabsDeathTest, SequenceNumbersRise) {
  const base::MutexLock lock(slabs_.mutex());
  open_one();
  append(1024);
  format::TableEntry entry{};
  entry.seq = 1;
  entry.offset64 = static_cast<uint32_t>(slabs_.used(kRing) / format::kAlignment);
  entry.length64 = 1;
  EXPECT_DEATH(slabs_.append(kRing, entry, Slabs::Origin::kNew), "highest_seq");
}

TEST_F(SlabsDeathTest, ARecordEndsBeforeTheTable) {
  const base::MutexLock lock(slabs_.mutex());
  open_one();
  EXPECT_DEATH(append(kSlabBytes), "table_bytes");
}

TEST_F(SlabsDeathTest, APinIsGivenBackOnce) {
  SlabWord word;
  Pin pin(&word, 0, 0);
  EXPECT_DEATH(pin.reset(), "CHECK failed");
  word.life_pins = 1;
}

}  // namespace
}  // namespace perigee::cache_store

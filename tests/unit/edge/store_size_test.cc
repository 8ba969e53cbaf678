// The size of a store for which nobody said one.
#include "edge/store_size.h"

#include <gtest/gtest.h>

#include "tests/support/temp_folder.h"

namespace perigee::edge {
namespace {

constexpr uint64_t kMiB = 1 << 20;
constexpr uint64_t kGiB = 1 << 30;

void expect_size(const StoreGround& ground, uint64_t bytes, std::string_view why) {
  const ChosenSize chosen = choose_store_size(ground);
  EXPECT_EQ(chosen.bytes, bytes);
  EXPECT_EQ(chosen.why, why);
}

TEST(StoreSize, IsAGiBWhereThereIsPlenty) {
  expect_size({.memory_bytes = 64 * kGiB, .disk_free = 100 * kGiB}, kGiB, "the default");
  expect_size({.memory_bytes = 2 * kGiB, .disk_free = 10 * kGiB}, kGiB, "the default");
}

TEST(StoreSize, IsHalfOfTheMemoryAtMost) {
  expect_size({.memory_bytes = kGiB, .disk_free = 100 * kGiB}, kGiB / 2, "half of the memory");
}

TEST(StoreSize, IsATenthOfTheFreeDiskAtMost) {
  expect_size({.memory_bytes = 64 * kGiB, .disk_free = 5 * kGiB}, kGiB / 2,
              "a tenth of the free disk");
  expect_size({.memory_bytes = kGiB, .disk_free = 1000 * kMiB}, 100 * kMiB,
              "a tenth of the free disk");
  expect_size({.memory_bytes = kGiB, .disk_free = 0}, 0, "a tenth of the free disk");
}

TEST(StoreSize, OfAStoreThatIsThereStaysHoweverFullTheDiskIs) {
  expect_size({.memory_bytes = kGiB, .disk_free = 0, .present_bytes = 700 * kMiB}, 700 * kMiB,
              "as large as it was");
  expect_size({.memory_bytes = 64 * kGiB, .disk_free = 100 * kGiB, .present_bytes = 256}, kGiB,
              "the default");
}

TEST(StoreSize, LooksAtTheFileAndAtTheDiskBelowFoldersThatAreYetToBeMade) {
  const test::TempFolder folder;
  const StoreGround none = look_at_ground(folder.file("a/b/store"));
  EXPECT_EQ(none.present_bytes, 0u);
  EXPECT_GT(none.disk_free, 0u);
  EXPECT_LT(none.disk_free, UINT64_MAX);
  EXPECT_GT(none.memory_bytes, 0u);
  EXPECT_EQ(look_at_ground(folder.write("store", "12345")).present_bytes, 5u);
  EXPECT_EQ(look_at_ground(folder.path()).present_bytes, 0u) << "a folder is no store";
}

}  // namespace
}  // namespace perigee::edge

// A store whose creation ends at any moment: killed, the power cut, or the disk refusing. The next
// start goes on, or refuses with a word; nothing is ever taken for ours that is not.
#include <gtest/gtest.h>

#include <cstring>

#include "cache_store/format.h"
#include "tests/fault/cache_store/workload.h"

namespace perigee::cache_store {
namespace {

using test::MemoryDisk;
using test::MemoryIo;

constexpr int64_t kNow = 1'800'000'000'000;

/// What happened when a disk was opened.
struct Opening {
  bool ok = false;
  std::string message;
};

Opening open(MemoryDisk& disk) {
  MemoryIo io(disk);
  Listener listener;
  auto opened = Store::open(small_store(), io, listener, kNow);
  if (!opened.ok()) return {false, opened.error().message};
  EXPECT_FALSE(listener.doubted()) << "there is nothing that could be in doubt";
  return {true, ""};
}

/// Whether the images hold a superblock's magic at its first place.
bool is_marked(const MemoryDisk& disk) {
  return std::memcmp(disk.bytes(), &format::kSuperblockMagic, sizeof(uint64_t)) == 0;
}

TEST(Creation, KilledAtAnyWriteItGoesOnAtTheNextStart) {
  MemoryDisk disk(kSmallStoreBytes);
  std::vector<MemoryDisk::Image> left;
  {
    MemoryIo io(disk);
    left.push_back(disk.after_kill());
    io.watch = [&] { left.push_back(disk.after_kill()); };
    Listener listener;
    ASSERT_TRUE(Store::open(small_store(), io, listener, kNow).ok());
  }
  EXPECT_GT(left.size(), 5u);
  for (size_t step = 0; step < left.size(); ++step) {
    SCOPED_TRACE("step " + std::to_string(step));
    MemoryDisk found(kSmallStoreBytes);
    found.load(left[step]);
    EXPECT_TRUE(found.size() == 0 || is_marked(found)) << "ours from the first byte on";
    for (int start = 0; start < 2; ++start) {
      const Opening opening = open(found);
      EXPECT_TRUE(opening.ok) << opening.message;
    }
  }
}

TEST(Creation, AfterAPowerCutItGoesOnOrIsRefusedWithAWord) {
  uint64_t went_on = 0;
  for (uint64_t seed = 1; seed <= 40; ++seed) {
    std::mt19937_64 chance(seed);
    MemoryDisk disk(kSmallStoreBytes);
    std::vector<MemoryDisk::Image> left;
    MemoryIo io(disk);
    io.watch = [&] {
      left.push_back(disk.after_power_cut(static_cast<MemoryDisk::Cut>(chance() % 4), chance));
    };
    Listener listener;
    ASSERT_TRUE(Store::open(small_store(), io, listener, kNow).ok());
    for (const MemoryDisk::Image& image : left) {
      MemoryDisk found(kSmallStoreBytes);
      found.load(image);
      const Opening opening = open(found);
      went_on += opening.ok ? 1 : 0;
      EXPECT_TRUE(opening.ok ||
                  opening.message.find("is not a store of perigee") != std::string::npos)
          << opening.message;
      // Behind the mark everything goes on.
      EXPECT_TRUE(opening.ok || found.size() == sizeof(format::Superblock)) << found.size();
    }
  }
  EXPECT_GT(went_on, 100u);
}

TEST(Creation, ADiskThatRefusesAnyStepLeavesAFileThatCanBeUsed) {
  for (int failing = 0; failing < 40; ++failing) {
    SCOPED_TRACE("operation " + std::to_string(failing));
    MemoryDisk disk(kSmallStoreBytes);
    {
      MemoryIo io(disk);
      int operation = 0;
      io.fail = [&](MemoryIo::Op, uint64_t) { return operation++ == failing; };
      Listener listener;
      (void)Store::open(small_store(), io, listener, kNow).ok();
    }
    const Opening opening = open(disk);
    EXPECT_TRUE(opening.ok) << opening.message;
  }
}

}  // namespace
}  // namespace perigee::cache_store

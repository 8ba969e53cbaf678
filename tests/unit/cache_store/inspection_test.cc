// What a look at a file finds wrong is judged by a second look: bytes that stay are damaged, bytes
// that change are being written.
#include "cache_store/inspection.h"

#include <gtest/gtest.h>

#include <functional>

#include "cache_store/store.h"
#include "tests/support/memory_disk.h"

namespace perigee::cache_store {
namespace {

using test::MemoryDisk;
using test::MemoryIo;

constexpr uint64_t kBytes = (2 << 20) + 8 * (64 << 10);

class Silent final : public StoreObserver {
 public:
  void on_store_event(std::string_view) override {}
};

class InspectionTest : public testing::Test {
 protected:
  void SetUp() override {
    MemoryIo io(disk_);
    Silent observer;
    StoreOptions options;
    options.path = "store";
    options.slab_bytes = 64 << 10;
    options.journal_bytes = 4 << 10;
    options.size_bytes = kBytes;
    auto opened = Store::open(options, io, observer, 1'700'000'000'000);
    ASSERT_TRUE(opened.ok()) << opened.error().message;
    const std::string body(9000, 'x');
    const std::span<const std::byte> piece = std::as_bytes(std::span(body));
    for (const char* key : {"a", "b", "c", "d", "e", "f", "g", "h"}) {
      Draft draft;
      draft.key = key;
      draft.base = (*opened)->digest(key);
      draft.body = {&piece, 1};
      draft.ticket = (*opened)->ticket();
      ASSERT_TRUE((*opened)->put(draft).ok());
    }
    // Slab 0 is sealed, slab 1 is open.
    area_ = 2 << 20;
  }
  void write(uint64_t offset, unsigned char byte) {
    const auto value = static_cast<std::byte>(byte);
    disk_.write(offset, {&value, 1});
  }
  /// Looks at a slab; `then` runs at the beginning of the second look.
  PartReport check(uint32_t slab, const std::function<void()>& then) {
    MemoryIo io(disk_);
    auto inspection = Inspection::begin(io, disk_.size());
    EXPECT_TRUE(inspection.ok());
    int looks = 0;
    const uint64_t begin = (*inspection)->geometry().slab_begin(slab);
    io.fail = [&](MemoryIo::Op op, uint64_t offset) {
      if (op == MemoryIo::Op::kRead && offset == begin && ++looks == 2) then();
      return false;
    };
    return (*inspection)->check_slab(slab);
  }

  MemoryDisk disk_{kBytes};
  uint64_t area_ = 0;
};

TEST_F(InspectionTest, WhatIsWrongTwiceInTheSameWayIsDamaged) {
  write(area_ + 5000, 'y');
  const PartReport report = check(0, [] {});
  EXPECT_EQ(report.problems.size(), 1u);
  EXPECT_EQ(report.damaged.records, 1u);
  EXPECT_GT(report.damaged.bytes, 9000u);
  EXPECT_EQ(report.good.records, 6u);
  EXPECT_FALSE(report.changing);
}

TEST_F(InspectionTest, WhatIsWholeAtTheSecondLookIsNotDamaged) {
  write(area_ + 5000, 'y');
  const PartReport report = check(0, [&] { write(area_ + 5000, 'x'); });
  EXPECT_EQ(report.problems.size(), 0u);
  EXPECT_EQ(report.damaged.records, 0u);
  EXPECT_EQ(report.good.records, 7u);
  EXPECT_TRUE(report.changing);
}

TEST_F(InspectionTest, WhatIsWrongInAnotherWayIsChanging) {
  write(area_ + 5000, 'y');
  const PartReport report = check(0, [&] { write(area_ + 5000, 'z'); });
  EXPECT_EQ(report.problems.size(), 0u);
  EXPECT_EQ(report.damaged.records, 0u);
  EXPECT_EQ(report.good.records, 6u);
  EXPECT_TRUE(report.changing);
}

TEST_F(InspectionTest, ASlabThatIsEmptiedMeanwhileIsChanging) {
  write(area_ + 5000, 'y');
  const PartReport report = check(0, [&] {
    for (uint64_t i = 0; i < sizeof(format::SlabHeader); ++i) write(area_ + i, 0);
  });
  EXPECT_EQ(report.problems.size(), 0u);
  EXPECT_EQ(report.good.records, 0u);
  EXPECT_TRUE(report.changing);
}

TEST_F(InspectionTest, DamageStaysDamageWhileMoreIsAppended) {
  write(area_ + 70, 0xff);  // slab 0's first record
  const PartReport report = check(0, [&] { write(area_ + 20'000, 'y'); });
  EXPECT_EQ(report.problems.size(), 1u);
  EXPECT_EQ(report.damaged.records, 1u);
  EXPECT_TRUE(report.changing);
}

TEST_F(InspectionTest, EachRecordIsReadBack) {
  MemoryIo io(disk_);
  const auto inspection = Inspection::begin(io, disk_.size());
  ASSERT_TRUE(inspection.ok());
  size_t empty = 0;
  const std::vector<FiledRecord> records = (*inspection)->records(empty);
  EXPECT_EQ(records.size(), 8u);
  EXPECT_EQ(empty, 6u);
  for (const FiledRecord& record : records) {
    EXPECT_EQ(record.standing, FiledRecord::Standing::kLive);
    const auto text = (*inspection)->read(record);
    ASSERT_TRUE(text);
    EXPECT_EQ(text->key.size(), 1u);
  }
}

}  // namespace
}  // namespace perigee::cache_store

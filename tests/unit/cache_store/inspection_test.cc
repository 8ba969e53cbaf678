// What a look at a file finds wrong is judged by a second look: bytes that stay are damaged, bytes
// that change are being written.
#include "cache_store/inspection.h"

#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <utility>

#include "tests/support/keys.h"
#include "tests/unit/cache_store/memory_store.h"

namespace perigee::cache_store {
namespace {

using test::MemoryIo;

class InspectionTest : public MemoryStoreTest {
 protected:
  InspectionTest() : MemoryStoreTest(options_of(8, 64 << 10, 4 << 10)) {}
  void SetUp() override {
    open();
    const std::string body(9000, 'x');
    for (const char* key : {"a", "b", "c", "d", "e", "f", "g", "h"}) {
      ASSERT_TRUE(put_object(key, body));
    }
    close();
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

/// As a start finds it: each record is tested by its own words.
TEST_F(InspectionTest, PurgesByTagPrefixAndOfEverythingAreTold) {
  using Standing = FiledRecord::Standing;
  const std::string url = test::url_key("a.test", "/x");
  const std::string variant = test::variant_key(url, 9, "de");
  const std::string prefix = test::url_key("a.test", "/");
  open();
  const uint64_t tag = 7;
  const std::string body = "b";
  const std::span<const std::byte> piece = std::as_bytes(std::span(body));
  for (const std::string& key : {std::string("tagged"), variant}) {
    Draft draft;
    draft.key = key;
    draft.base = store_->digest(key == variant ? url : key);
    draft.body = {&piece, 1};
    draft.tags = {&tag, key == variant ? 0u : 1u};
    draft.ticket = store_->ticket();
    ASSERT_TRUE(store_->put(draft).ok());
  }
  const auto standing = [&](std::string_view key) {
    MemoryIo reading(disk_);
    const auto inspection = Inspection::begin(reading, disk_.size());
    EXPECT_TRUE((*inspection)->check_frame().problems.empty());
    size_t empty = 0;
    for (const FiledRecord& record : (*inspection)->records(empty)) {
      const auto text = (*inspection)->read(record);
      if (text && text->key == key) return std::pair(record.standing, record.stale_since_s);
    }
    return std::pair(Standing::kSuperseded, 0u);
  };
  const auto purge = [&](Predicate predicate) {
    ASSERT_TRUE(store_->commit(store_->purge(predicate).seq).ok());
  };
  EXPECT_EQ(standing("tagged"), std::pair(Standing::kLive, 0u));
  purge({.soft = true, .wall_ms = 5'000, .kind = PredicateKind::kPrefix, .prefix = prefix});
  EXPECT_EQ(standing(variant), std::pair(Standing::kLive, 5u));
  purge({.kind = PredicateKind::kTag, .tag = 7});
  EXPECT_EQ(standing("tagged").first, Standing::kPurged);
  EXPECT_EQ(standing(variant).first, Standing::kLive);
  EXPECT_EQ(standing("a"), std::pair(Standing::kLive, 0u));
  purge({.kind = PredicateKind::kEverything});
  EXPECT_EQ(standing(variant).first, Standing::kPurged);
  EXPECT_EQ(standing("a").first, Standing::kPurged);
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

// Codings beside a head: what is looked up, and what of it may be served.
#include <gtest/gtest.h>

#include <array>
#include <memory>
#include <string>

#include "cache_store/store.h"
#include "tests/support/memory_disk.h"

namespace perigee::cache_store {
namespace {

constexpr Slot kZstd = 1;
constexpr Slot kGzip = 3;
constexpr SlotMask bit(Slot slot) { return static_cast<SlotMask>(1 << slot); }

class CodedTest : public testing::Test, private StoreObserver {
 protected:
  CodedTest() : disk_(8 << 20) {
    StoreOptions options;
    options.path = "store";
    options.size_bytes = 4 << 20;
    options.slab_bytes = 64 << 10;
    store_ = std::move(*Store::open(options, io_, *this, 1'700'000'000'000));
  }
  uint64_t put(Slot slot, std::string_view body, uint64_t rid) {
    const std::array<uint64_t, 2> tags = {11, 12};
    const std::span<const std::byte> piece = std::as_bytes(std::span(body));
    Draft draft;
    draft.kind = slot == kHeadSlot ? RecordKind::kObject : RecordKind::kCoded;
    draft.slot = slot;
    draft.rid = rid;
    draft.key = "a";
    draft.base = store_->digest("a");
    draft.tags = tags;
    draft.body = {&piece, 1};
    draft.ticket = store_->ticket();
    const base::Result<Found> stored = store_->put(draft);
    return stored.ok() ? stored->head->rid : 0;
  }
  Found look(SlotMask accepted) { return store_->lookup(store_->digest("a"), "a", accepted); }
  static std::string text(std::span<const std::byte> bytes) {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
  }

  test::MemoryDisk disk_;
  test::MemoryIo io_{disk_};
  std::unique_ptr<Store> store_;

 private:
  void on_store_event(std::string_view) override {}
};

TEST_F(CodedTest, IsFoundBesideItsHeadWhenItIsAccepted) {
  const uint64_t rid = put(kHeadSlot, "identity", 0);
  ASSERT_EQ(put(kGzip, "gzip", rid), rid);
  const Found found = look(bit(kZstd) | bit(kGzip));
  ASSERT_EQ(found.state, Found::kHit);
  EXPECT_EQ(text(found.head->body), "identity");
  ASSERT_TRUE(found.coded);
  EXPECT_EQ(text(found.coded->body), "gzip");
  EXPECT_EQ(found.coded->slot, kGzip);
  EXPECT_FALSE(look(0).coded);
  EXPECT_FALSE(look(bit(kZstd)).coded);
  EXPECT_EQ(text(look(bit(kZstd)).head->body), "identity");
}

TEST_F(CodedTest, OfAnotherVersionIsDead) {
  const uint64_t rid = put(kHeadSlot, "identity", 0);
  ASSERT_EQ(put(kGzip, "gzip", rid), rid);
  const uint64_t newer = put(kHeadSlot, "newer", 0);
  EXPECT_NE(newer, rid);
  const Found found = look(bit(kGzip));
  ASSERT_EQ(found.state, Found::kHit);
  EXPECT_EQ(text(found.head->body), "newer");
  EXPECT_FALSE(found.coded);
}

TEST_F(CodedTest, HoldsItsOwnSlab) {
  const uint64_t rid = put(kHeadSlot, "identity", 0);
  ASSERT_EQ(put(kGzip, "gzip", rid), rid);
  EXPECT_EQ(store_->stats().pins, 0u);
  {
    const Found found = look(bit(kGzip));
    EXPECT_EQ(store_->stats().pins, 2u);
    EXPECT_EQ(look(0).state, Found::kHit);
    EXPECT_EQ(store_->stats().pins, 2u);
  }
  EXPECT_EQ(store_->stats().pins, 0u);
}

TEST_F(CodedTest, ARecordTellsItsTagsAndItsWholeLength) {
  put(kHeadSlot, "identity", 0);
  const Found found = look(0);
  ASSERT_TRUE(found.head);
  ASSERT_EQ(found.head->tags.size(), 2u);
  EXPECT_EQ(found.head->tags[0], 11u);
  EXPECT_EQ(found.head->tags[1], 12u);
  EXPECT_EQ(found.head->whole_length, std::string_view("identity").size());
}

}  // namespace
}  // namespace perigee::cache_store

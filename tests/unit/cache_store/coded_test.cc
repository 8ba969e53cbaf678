// Codings beside a head: what is looked up, and what of it may be served.
#include <gtest/gtest.h>

#include <array>
#include <string>

#include "base/text.h"
#include "cache_store/store.h"
#include "tests/unit/cache_store/memory_store.h"

namespace perigee::cache_store {
namespace {

constexpr Slot kZstd = 1;
constexpr Slot kGzip = 3;
constexpr SlotMask bit(Slot slot) { return static_cast<SlotMask>(1 << slot); }

class CodedTest : public MemoryStoreTest {
 protected:
  CodedTest() : MemoryStoreTest(options_of(32, 64 << 10, 64 << 10)) {}
  Draft draft_of(RecordKind kind, Slot slot, uint64_t rid) const {
    Draft draft;
    draft.kind = kind;
    draft.slot = slot;
    draft.rid = rid;
    draft.key = "a";
    draft.base = store_->digest("a");
    draft.ticket = store_->ticket();
    return draft;
  }
  uint64_t put(Slot slot, std::string_view body, uint64_t rid) {
    const std::array<uint64_t, 2> tags = {11, 12};
    const std::span<const std::byte> piece = std::as_bytes(std::span(body));
    const bool object = slot == kHeadSlot;
    Draft draft = draft_of(object ? RecordKind::kObject : RecordKind::kCoded, slot, rid);
    if (object) draft.tags = tags;
    draft.body = {&piece, 1};
    const base::Result<Found> stored = store_->put(draft);
    if (!stored.ok()) return 0;
    return (object ? stored->head : stored->coded)->rid;
  }
  base::Result<Found> put_bodiless(uint64_t whole_length, uint64_t rid) {
    Draft draft = draft_of(RecordKind::kCoded, kGzip, rid);
    draft.whole_length = whole_length;
    return store_->put(draft);
  }
  bool put_shell(uint64_t rid) {
    const std::array<uint64_t, 2> tags = {11, 12};
    Draft draft = draft_of(RecordKind::kShell, kHeadSlot, rid);
    draft.replaces = true;
    draft.tags = tags;
    draft.whole_length = 8;
    return store_->put(draft).ok();
  }
  Found look(SlotMask accepted) { return store_->lookup(store_->digest("a"), "a", accepted); }
  static std::string text(std::span<const std::byte> bytes) {
    return std::string(base::as_text(bytes));
  }
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

TEST_F(CodedTest, OneWithoutABodyTellsHowLongItIsElsewhere) {
  const uint64_t rid = put(kHeadSlot, "identity", 0);
  const uint64_t most = store_->max_fragmented_bytes();
  ASSERT_TRUE(put_bodiless(most, rid).ok());
  const Found found = look(bit(kGzip));
  ASSERT_TRUE(found.coded);
  EXPECT_TRUE(found.coded->body.empty());
  EXPECT_EQ(found.coded->whole_length, most);
  EXPECT_EQ(put_bodiless(most + 1, rid).error().code, base::ErrorCode::kNoSpace);
  ASSERT_EQ(put(kGzip, "gzip", rid), rid);
  EXPECT_EQ(look(bit(kGzip)).coded->whole_length, 4u);
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH((void)put_bodiless(0, rid), "CHECK failed") << "of nothing";
}

TEST_F(CodedTest, OneThatIsTooLongForASmallerStoreIsNotFound) {
  const uint64_t rid = put(kHeadSlot, "identity", 0);
  ASSERT_TRUE(put_bodiless(store_->max_fragmented_bytes(), rid).ok());
  options_.size_bytes = bytes_of(16, options_.slab_bytes);
  open();
  store_->warm(store_->digest("a"), "a", bit(kGzip));
  const Found found = look(bit(kGzip));
  ASSERT_EQ(found.state, Found::kHit);
  EXPECT_FALSE(found.coded);
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

TEST_F(CodedTest, OfAnotherVersionDoesNotHideOneThatIsGood) {
  const uint64_t rid = put(kHeadSlot, "identity", 0);
  ASSERT_EQ(put(kZstd, "z", rid), rid);
  const uint64_t newer = put(kHeadSlot, "newer", 0);
  ASSERT_EQ(put(kGzip, std::string(200, 'g'), newer), newer);
  // The shorter one is dead.
  const Found found = look(kCodedSlots);
  ASSERT_TRUE(found.coded);
  EXPECT_EQ(found.coded->slot, kGzip);
}

TEST_F(CodedTest, IsPutBesideItsOwnObjectAlone) {
  EXPECT_EQ(put(kGzip, "gzip", 7), 0u) << "there is none";
  const uint64_t rid = put(kHeadSlot, "identity", 0);
  EXPECT_EQ(put(kGzip, "gzip", rid + 1), 0u) << "it is another one";
  EXPECT_EQ(put(kGzip, "gzip", rid), rid);
  EXPECT_EQ(put(kHeadSlot, "identity", rid), rid);
  EXPECT_EQ(text(look(bit(kGzip)).coded->body), "gzip") << "a 304 keeps it";
}

TEST_F(CodedTest, GoesWithItsObject) {
  for (const bool erased : {true, false}) {
    const uint64_t rid = put(kHeadSlot, "identity", 0);
    ASSERT_EQ(put(kGzip, "gzip", rid), rid);
    if (erased) {
      store_->erase(store_->digest("a"));
    } else {
      store_->purge({.digest = store_->digest("a"), .wall_ms = kNow});
    }
    EXPECT_EQ(look(bit(kGzip)).state, Found::kMiss);
    EXPECT_EQ(store_->stats().objects, 0u);
    EXPECT_EQ(put(kGzip, "gzip", rid), 0u) << "a coder that comes late";
  }
}

TEST_F(CodedTest, APurgeByTagCountsTheObjectAndNotItsCodings) {
  const uint64_t rid = put(kHeadSlot, "identity", 0);
  ASSERT_EQ(put(kGzip, "gzip", rid), rid);
  Predicate predicate;
  predicate.kind = PredicateKind::kTag;
  predicate.tag = 11;
  predicate.wall_ms = kNow;
  const uint64_t seq = store_->purge(predicate).seq;
  for (int i = 0; i < 20; ++i) store_->maintain({.wall_ms = kNow});
  EXPECT_EQ(store_->swept(seq), 1u);
  EXPECT_EQ(look(bit(kGzip)).state, Found::kMiss);
  EXPECT_EQ(store_->stats().objects, 0u);
}

TEST_F(CodedTest, IsThereAfterARestart) {
  const uint64_t rid = put(kHeadSlot, "identity", 0);
  ASSERT_EQ(put(kGzip, "gzip", rid), rid);
  ASSERT_EQ(put(kZstd, std::string(200, 'z'), rid), rid);
  open();
  ASSERT_EQ(look(bit(kGzip)).state, Found::kCold);
  store_->warm(store_->digest("a"), "a", bit(kGzip));
  const Found found = look(bit(kGzip));
  ASSERT_EQ(found.state, Found::kHit);
  ASSERT_TRUE(found.coded);
  EXPECT_EQ(text(found.coded->body), "gzip");
  EXPECT_EQ(look(kCodedSlots).coded->slot, kGzip) << "the shortest";
}

TEST_F(CodedTest, AReaderDoesNotGoOnInAnotherCodingOfTheSameObject) {
  const uint64_t rid = put(kHeadSlot, "identity", 0);
  ASSERT_EQ(put(kGzip, "fast", rid), rid);
  ParkedRecord parked;
  {
    const Found found = look(bit(kGzip));
    const RecordView& record = *found.coded;
    parked = {record.digest,     record.slot,       record.rid,         record.checksum,
              record.pin.slab(), record.pin.life(), record.body.data(), record.body_offset};
  }
  const ParkedRecord before = parked;
  EXPECT_TRUE(store_->resume(parked)) << "its slab is the same";
  parked.life ^= 1;  // the slab was used again
  ParkedRecord there = parked;
  EXPECT_TRUE(store_->resume(there));
  EXPECT_EQ(there.life, before.life);
  EXPECT_EQ(there.body, before.body);
  ASSERT_EQ(put(kGzip, "best", rid), rid);
  EXPECT_FALSE(store_->resume(parked));
}

TEST_F(CodedTest, APeekCountsNoUse) {
  const uint64_t rid = put(kHeadSlot, "identity", 0);
  ASSERT_EQ(put(kGzip, "gzip", rid), rid);
  const Found found = store_->peek(store_->digest("a"), "a", bit(kGzip));
  ASSERT_TRUE(found.head && found.coded);
  EXPECT_EQ(text(found.coded->body), "gzip");
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

TEST_F(CodedTest, AShellTakesThePlaceOfItsObjectAlone) {
  EXPECT_FALSE(put_shell(7)) << "there is none";
  const uint64_t rid = put(kHeadSlot, "identity", 0);
  ASSERT_EQ(put(kGzip, "gzip", rid), rid);
  EXPECT_FALSE(put_shell(rid + 1)) << "it is another one";
  ASSERT_TRUE(put_shell(rid));
  for (const bool again : {false, true}) {
    if (again) {
      open();
      store_->warm(store_->digest("a"), "a", bit(kGzip));
    }
    const Found found = look(bit(kGzip));
    ASSERT_EQ(found.state, Found::kHit);
    EXPECT_EQ(found.head->kind, RecordKind::kShell);
    EXPECT_EQ(found.head->rid, rid);
    EXPECT_EQ(found.head->whole_length, 8u);
    EXPECT_TRUE(found.head->body.empty());
    ASSERT_EQ(found.head->tags.size(), 2u);
    ASSERT_TRUE(found.coded);
    EXPECT_EQ(text(found.coded->body), "gzip");
  }
  EXPECT_TRUE(put_shell(rid)) << "a 304 writes it again";
  EXPECT_TRUE(look(bit(kGzip)).coded);
  const uint64_t newer = put(kHeadSlot, "newer", 0);
  EXPECT_EQ(look(bit(kGzip)).head->kind, RecordKind::kObject);
  EXPECT_FALSE(put_shell(rid)) << "of the one before";
  EXPECT_EQ(look(0).head->rid, newer);
}

TEST_F(CodedTest, IsShortWhenMoreThanHalfIsInUse) {
  const uint64_t slabs = store_->stats().slabs;
  bool seen = false;
  for (int i = 0; i < 1'000 && !seen; ++i) {
    const uint64_t empty = store_->stats().slabs_free;
    ASSERT_TRUE(put_object(std::to_string(i), std::string(14'000, 'x')));
    seen = empty * 2 < slabs;
    ASSERT_EQ(store_->is_short(), seen) << empty;
  }
  EXPECT_TRUE(seen);
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

// Objects that are longer than a record may be: a head, and the fragments under its rid.
#include <gtest/gtest.h>

#include <array>
#include <cstring>
#include <memory>
#include <string>

#include "cache_store/file_secret.h"
#include "cache_store/format.h"
#include "cache_store/fragment_key.h"
#include "cache_store/geometry.h"
#include "cache_store/store.h"
#include "tests/support/memory_disk.h"

namespace perigee::cache_store {
namespace {

constexpr int64_t kNow = 1'700'000'000'000;
constexpr uint64_t kSlabBytes = 32 << 10;
constexpr uint64_t kArea = 2 << 20;

std::string text(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

class FragmentsTest : public testing::Test, private StoreObserver {
 protected:
  FragmentsTest() : disk_(4 << 20) {
    options_.path = "store";
    options_.slab_bytes = kSlabBytes;
    options_.journal_bytes = 8 << 10;
    options_.size_bytes = kArea + 16 * kSlabBytes;
    open();
  }
  void open() {
    close();
    io_ = std::make_unique<test::MemoryIo>(disk_);
    store_ = std::move(*Store::open(options_, *io_, *this, kNow));
  }
  void close() { store_.reset(); }
  /// Nothing is sealed: what was appended last is walked at the next start.
  void kill() {
    io_->kill();
    close();
  }

  base::Result<Found> put_head(std::string_view key, uint64_t rid, uint64_t whole_length,
                               const Ticket& ticket) {
    const std::string_view head = "head of ";
    Draft draft;
    draft.kind = RecordKind::kHead;
    draft.rid = rid;
    draft.key = key;
    draft.base = store_->digest(key);
    draft.head = std::as_bytes(std::span(head));
    draft.whole_length = whole_length;
    draft.ticket = ticket;
    return store_->put(draft);
  }
  base::Result<Found> put_head(std::string_view key, uint64_t rid, uint64_t whole_length = 10'000) {
    return put_head(key, rid, whole_length, store_->ticket());
  }
  base::Result<Found> put_object(std::string_view key, std::string_view body,
                                 const Ticket& ticket) {
    const std::span<const std::byte> piece = std::as_bytes(std::span(body));
    Draft draft;
    draft.key = key;
    draft.base = store_->digest(key);
    draft.body = {&piece, 1};
    draft.ticket = ticket;
    return store_->put(draft);
  }
  base::Result<Found> put_fragment(const FragmentId& id, std::string_view body,
                                   const Ticket& ticket, std::string_view url = "a") {
    const std::span<const std::byte> bytes = std::as_bytes(std::span(body));
    const std::array pieces = {bytes.first(body.size() / 2), bytes.subspan(body.size() / 2)};
    return store_->put_fragment({id, store_->digest(url), ticket, pieces});
  }
  base::Result<Found> put_fragment(const FragmentId& id, std::string_view body) {
    return put_fragment(id, body, store_->ticket());
  }
  Found look(std::string_view key) {
    const Digest digest = store_->digest(key);
    if (store_->lookup(digest, key, 0).state == Found::kCold) store_->warm(digest, key, 0);
    return store_->lookup(digest, key, 0);
  }
  std::string fragment(const FragmentId& id) {
    if (store_->lookup_fragment(id).state == Found::kCold) store_->warm_fragment(id);
    const Found found = store_->lookup_fragment(id);
    return found.state == Found::kHit ? text(found.head->body) : "(miss)";
  }
  void fill(int records) {
    const std::string body(8'000, 'f');
    for (int i = 0; i < records; ++i) {
      ASSERT_TRUE(put_object("filler" + std::to_string(i), body, store_->ticket()).ok());
    }
  }
  /// Where the first record that holds these bytes begins, in the file.
  uint64_t record_with(std::string_view bytes) const {
    const std::string_view all(reinterpret_cast<const char*>(disk_.bytes()), disk_.size());
    const size_t found = all.find(bytes, kArea);
    EXPECT_NE(found, std::string_view::npos);
    uint64_t at = found / format::kAlignment * format::kAlignment;
    while (number_at<uint32_t>(at) != format::kRecordMagic) at -= format::kAlignment;
    return at;
  }
  template <typename Number>
  Number number_at(uint64_t offset) const {
    Number number{};
    std::memcpy(&number, disk_.bytes() + offset, sizeof number);
    return number;
  }
  /// Changes a record's header as a faulty writer would: all its checksums hold.
  template <typename Change>
  void forge(uint64_t record, Change change) {
    auto header = number_at<format::RecordHeader>(record);
    const format::RecordLayout layout = format::layout(header);
    change(header);
    const FileSecret secret(number_at<format::Superblock>(format::kSuperblockA));
    header.head_checksum = secret.head_checksum(
        header, {disk_.bytes() + record + layout.key, layout.body - layout.key});
    disk_.write(record, std::as_bytes(std::span(&header, 1)));
  }

  test::MemoryDisk disk_;
  StoreOptions options_;
  std::unique_ptr<test::MemoryIo> io_;
  std::unique_ptr<Store> store_;

 private:
  void on_store_event(std::string_view) override {}
};

TEST_F(FragmentsTest, AHeadIsFoundWhetherItsFragmentsAreThereOrNot) {
  const uint64_t rid = store_->draw_rid();
  const auto stored = put_head("a", rid, 10'000);
  ASSERT_TRUE(stored.ok());
  EXPECT_EQ(stored->head->kind, RecordKind::kHead);
  const Found found = look("a");
  ASSERT_EQ(found.state, Found::kHit);
  EXPECT_EQ(found.head->kind, RecordKind::kHead);
  EXPECT_EQ(found.head->rid, rid);
  EXPECT_EQ(found.head->whole_length, 10'000u);
  EXPECT_EQ(text(found.head->head), "head of ");
  EXPECT_TRUE(found.head->body.empty());
  EXPECT_EQ(store_->lookup_fragment({rid, 0}).state, Found::kMiss);
}

TEST_F(FragmentsTest, AFragmentIsFoundUnderItsRidAndNumber) {
  const uint64_t rid = store_->draw_rid();
  const auto stored = put_fragment({rid, 1}, "second piece");
  ASSERT_TRUE(stored.ok());
  EXPECT_EQ(text(stored->head->body), "second piece");
  ASSERT_TRUE(put_fragment({rid, 0}, "first piece").ok());
  {
    const Found found = store_->lookup_fragment({rid, 1});
    ASSERT_EQ(found.state, Found::kHit);
    EXPECT_EQ(found.head->kind, RecordKind::kFragment);
    EXPECT_EQ(found.head->rid, rid);
    EXPECT_EQ(text(found.head->body), "second piece");
    EXPECT_EQ(store_->stats().pins, 2u) << "it is held, and so is what put_fragment() returned";
    EXPECT_EQ(std::memcmp(disk_.bytes() + found.head->body_offset, "second piece", 12), 0);
  }
  EXPECT_EQ(fragment({rid, 0}), "first piece");
  EXPECT_EQ(fragment({rid, 2}), "(miss)");
  EXPECT_EQ(fragment({rid + 1, 0}), "(miss)");
}

TEST_F(FragmentsTest, NoRidIsDrawnTwice) {
  const uint64_t first = store_->draw_rid();
  const uint64_t of_object = put_object("o", "body", store_->ticket())->head->rid;
  const uint64_t second = store_->draw_rid();
  EXPECT_LT(first, of_object);
  EXPECT_LT(of_object, second);
  open();
  EXPECT_LT(second, store_->draw_rid());
}

TEST_F(FragmentsTest, AfterARestartTheyAreColdThenWarmThenFound) {
  const uint64_t rid = store_->draw_rid();
  ASSERT_TRUE(put_fragment({rid, 0}, "piece").ok());
  ASSERT_TRUE(put_head("a", rid).ok());
  fill(8);
  open();
  EXPECT_EQ(store_->lookup(store_->digest("a"), "a", 0).state, Found::kCold);
  EXPECT_EQ(store_->lookup_fragment({rid, 0}).state, Found::kCold);
  store_->warm_fragment({rid, 0});
  EXPECT_EQ(fragment({rid, 0}), "piece");
  const Found head = look("a");
  ASSERT_EQ(head.state, Found::kHit);
  EXPECT_EQ(head.head->kind, RecordKind::kHead);
  EXPECT_EQ(head.head->whole_length, 10'000u);
}

TEST_F(FragmentsTest, AStartFindsThemInASlabWithoutATable) {
  const uint64_t rid = store_->draw_rid();
  ASSERT_TRUE(put_fragment({rid, 0}, "piece 0").ok());
  ASSERT_TRUE(put_head("a", rid).ok());
  ASSERT_TRUE(put_fragment({rid, 1}, std::string(4'000, 'p')).ok());
  ASSERT_TRUE(put_object("behind", "body", store_->ticket()).ok());
  kill();
  open();
  EXPECT_EQ(store_->stats().recovered, 4u);
  EXPECT_EQ(look("a").head->kind, RecordKind::kHead);
  EXPECT_EQ(fragment({rid, 0}), "piece 0");
  EXPECT_EQ(fragment({rid, 1}), std::string(4'000, 'p'));
  EXPECT_EQ(text(look("behind").head->body), "body");
}

TEST_F(FragmentsTest, OfAHeadAndAnObjectTheLaterOneIsFound) {
  const uint64_t rid = store_->draw_rid();
  const Ticket older = store_->ticket();
  ASSERT_TRUE(put_object("a", "short", store_->ticket()).ok());
  EXPECT_EQ(put_head("a", rid, 10'000, older).error().code, base::ErrorCode::kCancelled);
  const Ticket between = store_->ticket();
  ASSERT_TRUE(put_head("a", rid).ok());
  EXPECT_EQ(put_object("a", "older", between).error().code, base::ErrorCode::kCancelled);
  open();
  EXPECT_EQ(look("a").head->kind, RecordKind::kHead);
  ASSERT_TRUE(put_object("a", "short again", store_->ticket()).ok());
  open();
  EXPECT_EQ(look("a").head->kind, RecordKind::kObject);
  EXPECT_EQ(text(look("a").head->body), "short again");
}

TEST_F(FragmentsTest, AFragmentThatIsPutAgainIsReplacedWhateverItsTicket) {
  const uint64_t rid = store_->draw_rid();
  const Ticket older = store_->ticket();
  ASSERT_TRUE(put_fragment({rid, 0}, "piece").ok());
  ASSERT_TRUE(put_fragment({rid, 0}, "again", older).ok());
  EXPECT_EQ(fragment({rid, 0}), "again");
  EXPECT_EQ(store_->stats().objects, 1u);
  open();
  EXPECT_EQ(fragment({rid, 0}), "again");
}

TEST_F(FragmentsTest, AHardPurgeRefusesTheRestAndLeavesNoHead) {
  const uint64_t rid = store_->draw_rid();
  const Ticket ticket = store_->ticket();
  ASSERT_TRUE(put_fragment({rid, 0}, "piece", ticket).ok());
  const PurgeResult purge = store_->purge({store_->digest("a"), false, kNow});
  EXPECT_EQ(put_fragment({rid, 1}, "late", ticket).error().code, base::ErrorCode::kCancelled);
  EXPECT_EQ(put_head("a", rid, 10'000, ticket).error().code, base::ErrorCode::kCancelled);
  EXPECT_TRUE(put_fragment({rid, 1}, "of another", ticket, "b").ok());
  EXPECT_EQ(store_->stats().puts_refused, 2u);
  ASSERT_TRUE(store_->commit(purge.seq).ok());
  open();
  EXPECT_EQ(look("a").state, Found::kMiss);
}

TEST_F(FragmentsTest, AnEraseRefusesTheRestWhenItWasAwaited) {
  const Awaited awaited = store_->await(store_->digest("a"));
  const uint64_t rid = store_->draw_rid();
  const Ticket ticket = store_->ticket();
  ASSERT_TRUE(put_fragment({rid, 0}, "piece", ticket).ok());
  EXPECT_EQ(store_->erase(store_->digest("a")), 1);
  EXPECT_EQ(put_fragment({rid, 1}, "late", ticket).error().code, base::ErrorCode::kCancelled);
  EXPECT_EQ(put_head("a", rid, 10'000, ticket).error().code, base::ErrorCode::kCancelled);
}

TEST_F(FragmentsTest, APurgeTakesTheHeadAndNobodyFindsTheFragments) {
  const uint64_t rid = store_->draw_rid();
  ASSERT_TRUE(put_fragment({rid, 0}, "piece").ok());
  ASSERT_TRUE(put_head("a", rid).ok());
  EXPECT_EQ(store_->purge({store_->digest("a"), false, kNow}).matched, 1);
  EXPECT_EQ(look("a").state, Found::kMiss);
  const uint64_t next = store_->draw_rid();
  ASSERT_TRUE(put_head("a", next).ok());
  EXPECT_EQ(fragment({look("a").head->rid, 0}), "(miss)");
}

TEST_F(FragmentsTest, ASoftPurgeMarksTheHeadAndRefusesNoFragment) {
  const uint64_t rid = store_->draw_rid();
  const Ticket ticket = store_->ticket();
  ASSERT_TRUE(put_fragment({rid, 0}, "piece", ticket).ok());
  const PurgeResult purge = store_->purge({store_->digest("a"), true, kNow});
  {
    const auto late = put_fragment({rid, 1}, "late", ticket);
    ASSERT_TRUE(late.ok());
    EXPECT_EQ(late->head->stale_since_ms, 0) << "its head tells";
    const auto head = put_head("a", rid, 10'000, ticket);
    ASSERT_TRUE(head.ok());
    EXPECT_EQ(head->head->stale_since_ms, kNow);
  }
  EXPECT_EQ(look("a").head->stale_since_ms, kNow);
  ASSERT_TRUE(store_->commit(purge.seq).ok());
  open();
  EXPECT_EQ(look("a").head->stale_since_ms, kNow);
  EXPECT_EQ(fragment({rid, 1}), "late");
  EXPECT_EQ(store_->lookup_fragment({rid, 1}).head->stale_since_ms, 0);
}

TEST_F(FragmentsTest, OfAVariantASoftPurgeRefusesTheHeadAlone) {
  const uint64_t rid = store_->draw_rid();
  Draft draft;
  draft.kind = RecordKind::kHead;
  draft.rid = rid;
  draft.key = "a variant";
  draft.base = store_->digest("a");
  draft.whole_length = 10'000;
  draft.ticket = store_->ticket();
  store_->purge({store_->digest("a"), true, kNow});
  EXPECT_TRUE(put_fragment({rid, 0}, "piece", draft.ticket).ok());
  EXPECT_EQ(store_->put(draft).error().code, base::ErrorCode::kCancelled);
}

TEST_F(FragmentsTest, AHeadThatIsWrittenAgainKeepsItsFragments) {
  const uint64_t rid = store_->draw_rid();
  ASSERT_TRUE(put_fragment({rid, 0}, "piece").ok());
  ASSERT_TRUE(put_head("a", rid).ok());
  store_->purge({store_->digest("a"), true, kNow});
  ASSERT_TRUE(put_head("a", rid).ok());
  EXPECT_EQ(look("a").head->stale_since_ms, 0);
  open();
  const uint64_t found = look("a").head->rid;
  EXPECT_EQ(found, rid);
  EXPECT_EQ(fragment({found, 0}), "piece");
}

TEST_F(FragmentsTest, ANewHeadDoesNotReachTheFragmentsOfTheOld) {
  const uint64_t old_rid = store_->draw_rid();
  ASSERT_TRUE(put_fragment({old_rid, 0}, "old").ok());
  ASSERT_TRUE(put_fragment({old_rid, 1}, "old").ok());
  ASSERT_TRUE(put_head("a", old_rid).ok());
  const uint64_t rid = store_->draw_rid();
  ASSERT_TRUE(put_head("a", rid).ok());
  ASSERT_TRUE(put_fragment({rid, 0}, "new").ok());
  for (int opening = 0; opening < 2; ++opening) {
    const uint64_t found = look("a").head->rid;
    EXPECT_EQ(fragment({found, 0}), "new");
    EXPECT_EQ(fragment({found, 1}), "(miss)");
    open();
  }
}

TEST_F(FragmentsTest, SomeOfThemMayBeEvictedAndTheOthersStay) {
  const uint64_t rid = store_->draw_rid();
  const auto body = [](uint64_t number) {
    return std::string(4'000, static_cast<char>('a' + number));
  };
  ASSERT_TRUE(put_fragment({rid, 0}, body(0)).ok());
  fill(30);
  for (uint64_t number = 1; number < 4; ++number) {
    ASSERT_TRUE(put_fragment({rid, number}, body(number)).ok());
  }
  ASSERT_TRUE(put_head("a", rid, 16'000).ok());
  fill(24);
  EXPECT_EQ(look("a").state, Found::kHit);
  EXPECT_EQ(fragment({rid, 0}), "(miss)");
  for (uint64_t number = 1; number < 4; ++number) EXPECT_EQ(fragment({rid, number}), body(number));
  ASSERT_TRUE(put_fragment({rid, 0}, body(0)).ok()) << "it may be fetched again";
  EXPECT_EQ(fragment({rid, 0}), body(0));
}

TEST_F(FragmentsTest, AHeldFragmentOutlivesItsEviction) {
  const uint64_t rid = store_->draw_rid();
  ASSERT_TRUE(put_fragment({rid, 0}, std::string(4'000, 'h')).ok());
  const Found held = store_->lookup_fragment({rid, 0});
  ASSERT_EQ(held.state, Found::kHit);
  fill(80);
  EXPECT_EQ(fragment({rid, 0}), "(miss)");
  EXPECT_EQ(text(held.head->body), std::string(4'000, 'h'));
}

TEST_F(FragmentsTest, ADamagedFragmentIsAMissAndDropped) {
  const uint64_t rid = store_->draw_rid();
  ASSERT_TRUE(put_fragment({rid, 0}, "the good piece").ok());
  ASSERT_TRUE(put_fragment({rid, 1}, "another piece").ok());
  ASSERT_TRUE(put_head("a", rid).ok());
  close();
  const uint64_t body = record_with("the good piece") + sizeof(format::RecordHeader) + 24;
  disk_.write(body + 4, std::as_bytes(std::span("X", 1)));
  open();
  EXPECT_EQ(store_->lookup_fragment({rid, 0}).state, Found::kCold);
  store_->warm_fragment({rid, 0});
  EXPECT_EQ(store_->lookup_fragment({rid, 0}).state, Found::kMiss);
  EXPECT_EQ(store_->stats().corrupt, 1u);
  EXPECT_EQ(fragment({rid, 1}), "another piece");
  EXPECT_EQ(look("a").state, Found::kHit);
  ASSERT_TRUE(put_fragment({rid, 0}, "the good piece").ok());
  open();
  EXPECT_EQ(fragment({rid, 0}), "the good piece");
}

TEST_F(FragmentsTest, AFragmentIsNeverFoundAsAnObject) {
  const uint64_t rid = store_->draw_rid();
  const FragmentId id{rid, 0};
  const FragmentKey key(id);
  ASSERT_TRUE(put_fragment(id, "piece").ok());
  EXPECT_EQ(look(key.text()).state, Found::kMiss);
  EXPECT_FALSE(look(key.text()).head);
  Draft object;
  object.rid = rid;
  object.key = key.text();
  object.ticket = store_->ticket();
  ASSERT_TRUE(store_->put(object).ok());
  EXPECT_EQ(fragment(id), "(miss)") << "nor an object as a fragment";
}

TEST_F(FragmentsTest, WhatIsTooLongIsRefused) {
  const uint64_t rid = store_->draw_rid();
  const uint64_t most = store_->max_fragmented_bytes();
  const uint64_t size = store_->fragment_bytes();
  EXPECT_TRUE(put_head("a", rid, most).ok());
  EXPECT_EQ(put_head("a", rid, most + 1).error().code, base::ErrorCode::kNoSpace);
  EXPECT_TRUE(put_fragment({rid, most / size - 1}, std::string(size, 'x')).ok());
  EXPECT_EQ(put_fragment({rid, most / size}, "x").error().code, base::ErrorCode::kNoSpace);
  EXPECT_EQ(put_fragment({rid, 0}, std::string(size + 1, 'x')).error().code,
            base::ErrorCode::kNoSpace);
}

TEST_F(FragmentsTest, WhatNoCallerMayAskForEndsTheProcess) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  const uint64_t rid = store_->draw_rid();
  EXPECT_DEATH(put_fragment({rid, 0}, ""), "CHECK failed") << "an empty one";
  EXPECT_DEATH(put_fragment({0, 0}, "x"), "CHECK failed") << "of no object";
  EXPECT_DEATH(put_head("a", 0), "CHECK failed") << "a head without a rid";
  EXPECT_DEATH(put_head("a", rid, 0), "CHECK failed") << "of nothing";
  Draft draft;
  draft.whole_length = 1;
  EXPECT_DEATH(store_->put(draft), "CHECK failed") << "an object is as long as its body";
  draft.kind = RecordKind::kFragment;
  draft.whole_length = 0;
  EXPECT_DEATH(store_->put(draft), "CHECK failed") << "put_fragment() makes its key";
}

TEST_F(FragmentsTest, AHeadThatLiesIsAMiss) {
  uint64_t rid = store_->draw_rid();
  const uint64_t most = store_->max_fragmented_bytes();
  for (const uint64_t length : {uint64_t{0}, most + 1, UINT64_MAX}) {
    const std::string key = "head" + std::to_string(length);
    ASSERT_TRUE(put_head(key, rid).ok());
    close();
    forge(record_with(key), [&](format::RecordHeader& header) { header.whole_length = length; });
    open();
    EXPECT_EQ(look(key).state, Found::kMiss) << length;
    EXPECT_TRUE(put_head(key, rid).ok()) << "and is replaced";
    EXPECT_EQ(look(key).state, Found::kHit);
  }
  ASSERT_TRUE(put_object("with a body", "body", store_->ticket()).ok());
  close();
  forge(record_with("with a body"), [](format::RecordHeader& header) { header.kind = 2; });
  open();
  EXPECT_EQ(look("with a body").state, Found::kMiss);
}

TEST_F(FragmentsTest, WhatIsOfAnotherLengthThanItSaysIsAMiss) {
  for (const uint64_t length : {uint64_t{0}, uint64_t{3}, uint64_t{5}, UINT64_MAX}) {
    const std::string key = "object" + std::to_string(length);
    ASSERT_TRUE(put_object(key, "body", store_->ticket()).ok());
    close();
    forge(record_with(key), [&](format::RecordHeader& header) { header.whole_length = length; });
    open();
    EXPECT_EQ(look(key).state, Found::kMiss) << length;
  }
}

TEST_F(FragmentsTest, AFragmentThatLiesIsAMiss) {
  const FragmentId id{store_->draw_rid(), 0};
  const FragmentKey key(id);
  const auto become_fragment = [&](auto change) {
    close();
    forge(record_with("piece"), [&](format::RecordHeader& header) {
      header.kind = 4;
      header.rid = id.rid;
      change(header);
    });
    open();
  };
  const auto put_as_object = [&](std::string_view head, std::string_view body) {
    const std::span<const std::byte> piece = std::as_bytes(std::span(body));
    Draft draft;
    draft.key = key.text();
    draft.head = std::as_bytes(std::span(head));
    draft.body = {&piece, 1};
    draft.ticket = store_->ticket();
    ASSERT_TRUE(store_->put(draft).ok());
  };
  put_as_object("", "piece");
  become_fragment([](format::RecordHeader&) {});
  EXPECT_EQ(fragment(id), "piece") << "this one tells the truth";
  become_fragment([](format::RecordHeader& header) { header.rid += 1; });
  EXPECT_EQ(fragment(id), "(miss)") << "of another rid";
  // Each one in a file of its own, where it is the first of its key.
  for (const bool head : {true, false}) {
    close();
    disk_.load({});
    open();
    put_as_object(head ? "head" : "", "piece" + std::string(head ? 0 : kSlabBytes / 4 - 5, 'x'));
    become_fragment([](format::RecordHeader&) {});
    EXPECT_EQ(fragment(id), "(miss)") << (head ? "with a head" : "longer than fragments are");
  }
}

TEST_F(FragmentsTest, AHeadThatIsTooLongForASmallerStoreIsAMiss) {
  const uint64_t rid = store_->draw_rid();
  ASSERT_TRUE(put_head("long", rid, store_->max_fragmented_bytes()).ok());
  ASSERT_TRUE(put_head("short", rid, 8'000).ok());
  options_.size_bytes = kArea + 8 * kSlabBytes;
  open();
  EXPECT_EQ(look("long").state, Found::kMiss);
  EXPECT_EQ(look("short").state, Found::kHit);
  EXPECT_EQ(store_->stats().corrupt, 0u) << "there is nothing wrong with it";
}

/// FORMAT.md, byte by byte.
TEST_F(FragmentsTest, TheirRecordsLieInTheFileAsItsDescriptionSays) {
  const FragmentId id{0x0102030405060708, 0x05};
  const char key[] = "\0\x08\x07\x06\x05\x04\x03\x02\x01\x05\0\0\0\0\0\0\0";
  ASSERT_EQ(FragmentKey(id).text(), std::string_view(key, 17));
  ASSERT_TRUE(put_fragment(id, "piece").ok());
  const uint64_t fragment = record_with("piece");
  EXPECT_EQ(number_at<uint8_t>(fragment + 4), 4) << "kind";
  EXPECT_EQ(number_at<uint8_t>(fragment + 5), 0) << "slot";
  EXPECT_EQ(number_at<uint64_t>(fragment + 24), id.rid);
  const Digest own = store_->digest(std::string_view(key, 17));
  EXPECT_EQ(number_at<uint64_t>(fragment + 32), own.lo);
  EXPECT_EQ(number_at<uint64_t>(fragment + 40), own.hi);
  EXPECT_EQ(number_at<uint64_t>(fragment + 48), store_->digest("a").lo) << "base";
  EXPECT_EQ(number_at<uint32_t>(fragment + 64), 17u) << "key_length";
  EXPECT_EQ(number_at<uint32_t>(fragment + 68), 0u) << "head_length";
  EXPECT_EQ(number_at<uint16_t>(fragment + 72), 0u) << "tag_count";
  EXPECT_EQ(number_at<uint64_t>(fragment + 80), 5u) << "body_length";
  EXPECT_EQ(number_at<uint64_t>(fragment + 88), 5u) << "whole_length";
  EXPECT_EQ(std::memcmp(disk_.bytes() + fragment + 168, key, 17), 0);
  EXPECT_EQ(std::memcmp(disk_.bytes() + fragment + 192, "piece", 5), 0);

  ASSERT_TRUE(put_head("https://a/long", id.rid, 0x4321).ok());
  const uint64_t head = record_with("https://a/long");
  EXPECT_EQ(number_at<uint8_t>(head + 4), 2) << "kind";
  EXPECT_EQ(number_at<uint8_t>(head + 5), 0) << "slot";
  EXPECT_EQ(number_at<uint64_t>(head + 24), id.rid);
  EXPECT_EQ(number_at<uint64_t>(head + 80), 0u) << "body_length";
  EXPECT_EQ(number_at<uint64_t>(head + 88), 0x4321u) << "whole_length";
}

TEST_F(FragmentsTest, ThoseOfACodingHaveAKeyOfTheirOwn) {
  const FragmentId id{0x0102030405060708, 0x05, 0x1112131415161718};
  const char key[] =
      "\0\x08\x07\x06\x05\x04\x03\x02\x01\x05\0\0\0\0\0\0\0"
      "\x18\x17\x16\x15\x14\x13\x12\x11";
  ASSERT_EQ(FragmentKey(id).text(), std::string_view(key, 25));
  const auto parsed = FragmentKey::parse({key, 25});
  ASSERT_TRUE(parsed);
  EXPECT_EQ(parsed->rid, id.rid);
  EXPECT_EQ(parsed->number, id.number);
  EXPECT_EQ(parsed->coding, id.coding);
  EXPECT_EQ(FragmentKey::parse({key, 17})->coding, 0u);
  EXPECT_FALSE(FragmentKey::parse({key, 24}));
  ASSERT_TRUE(put_fragment({id.rid, id.number}, "of the body").ok());
  ASSERT_TRUE(put_fragment(id, "of a coding").ok());
  ASSERT_TRUE(put_fragment({id.rid, id.number, 3}, "of another one").ok());
  EXPECT_EQ(fragment({id.rid, id.number}), "of the body");
  EXPECT_EQ(fragment(id), "of a coding");
  EXPECT_EQ(fragment({id.rid, id.number, 3}), "of another one");
  EXPECT_FALSE(store_->has_fragment({id.rid, id.number, 4}));
}

TEST(FragmentSizes, FourFragmentsFillASlab) {
  constexpr uint64_t kKiB = 1024;
  const auto bytes = [](uint64_t slab_bytes) {
    return Geometry{.slab_bytes = slab_bytes, .slab_count = 64}.fragment_bytes();
  };
  EXPECT_EQ(bytes(4096 * kKiB), 1020 * kKiB);
  EXPECT_EQ(bytes(2048 * kKiB), 508 * kKiB);
  EXPECT_EQ(bytes(256 * kKiB), 60 * kKiB);
  for (uint64_t slab = format::kLeastSlabBytes; slab <= format::kMostSlabBytes; slab += 4096) {
    const uint64_t record = format::layout(sizeof(format::RecordHeader), 17, 0, 0, bytes(slab)).end;
    const uint64_t four = sizeof(format::SlabHeader) + 4 * record + format::table_bytes(4);
    EXPECT_TRUE(four <= slab || slab < 32 * kKiB) << slab;
    EXPECT_TRUE(bytes(slab) % 4096 == 0 && bytes(slab) >= 4096 && bytes(slab) <= slab / 4) << slab;
  }
}

TEST(FragmentSizes, OneObjectTakesAnEighthOfTheStoreAtMost) {
  const Geometry geometry{.slab_bytes = 4 << 20, .slab_count = 256};
  EXPECT_LE(geometry.fragmented_bytes_most(), uint64_t{128} << 20);
  EXPECT_GT(geometry.fragmented_bytes_most(), uint64_t{126} << 20);
  EXPECT_EQ(geometry.fragmented_bytes_most() % geometry.fragment_bytes(), 0u);
  const Geometry least{.slab_bytes = format::kLeastSlabBytes, .slab_count = 4};
  EXPECT_EQ(least.fragmented_bytes_most(), 2 * least.fragment_bytes());
}

}  // namespace
}  // namespace perigee::cache_store

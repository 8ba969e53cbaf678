// Readers that let go of their slab for a while: they go on in the same record, or not at all.
#include <gtest/gtest.h>

#include <string>

#include "cache_store/store.h"
#include "cache_store/store_io.h"
#include "tests/support/temp_folder.h"

namespace perigee::cache_store {
namespace {

constexpr int64_t kNow = 1'700'000'000'000;

class Silent : public StoreObserver {
 public:
  void on_store_event(std::string_view) override {}
};

std::string text(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

class ResumeTest : public testing::Test {
 protected:
  ResumeTest() {
    StoreOptions options;
    options.path = folder_.file("store");
    options.size_bytes = 18 << 20;
    auto opened = Store::open(options, *io_, observer_, kNow);
    EXPECT_TRUE(opened.ok()) << opened.error().message;
    store_ = std::move(*opened);
  }
  bool put(std::string_view key, std::string_view body, uint64_t rid = 0) {
    const std::span<const std::byte> piece = std::as_bytes(std::span(body));
    Draft draft;
    draft.key = key;
    draft.base = store_->digest(key);
    draft.policy.status = 200;
    draft.rid = rid;
    draft.body = {&piece, 1};
    draft.ticket = store_->ticket();
    return store_->put(draft).ok();
  }
  /// What a reader keeps of a record, which it then lets go of.
  ParkedRecord park(std::string_view key) {
    const Found found = store_->lookup(store_->digest(key), key, 0);
    const RecordView& record = *found.head;
    return {record.digest,     record.slot,       record.rid,         record.checksum,
            record.pin.slab(), record.pin.life(), record.body.data(), record.body_offset};
  }

  test::TempFolder folder_;
  std::unique_ptr<StoreIo> io_ = make_file_io();
  Silent observer_;
  std::unique_ptr<Store> store_;
};

TEST_F(ResumeTest, AReaderGoesOnInTheSameSlab) {
  ASSERT_TRUE(put("a", "body of a"));
  ParkedRecord parked = park("a");
  EXPECT_EQ(store_->stats().pins, 0u);
  // Whatever the index says: it is the same place.
  ASSERT_TRUE(put("a", "another"));
  const Pin pin = store_->resume(parked);
  ASSERT_TRUE(pin);
  EXPECT_EQ(store_->stats().pins, 1u);
  EXPECT_EQ(text({parked.body, 9}), "body of a");
}

TEST_F(ResumeTest, AReaderGoesOnWhereItsRecordLiesByNow) {
  for (const bool same : {true, false}) {
    SCOPED_TRACE(same);
    const std::string body(5'000, same ? 's' : 'o');
    ASSERT_TRUE(put("a", body));
    ParkedRecord parked = park("a");
    const ParkedRecord before = parked;
    // Until that slab was used again. Each time the record is written anew, as a 304 does it.
    for (int i = 0; i < 3'000; ++i) {
      if (i % 20 == 0) put("a", body, same ? before.rid : 0);
      put("other" + std::to_string(i), std::string(20'000, 'x'));
      store_->maintain({.wall_ms = kNow});
    }
    const Pin pin = store_->resume(parked);
    EXPECT_EQ(static_cast<bool>(pin), same);
    if (!pin) continue;
    EXPECT_TRUE(parked.slab != before.slab || parked.life != before.life);
    EXPECT_TRUE(text({parked.body, body.size()}) == body);
  }
}

}  // namespace
}  // namespace perigee::cache_store

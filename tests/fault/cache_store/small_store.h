// A fixture for one event at a time: a small store on a disk in memory that is opened, closed and
// killed.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "tests/fault/cache_store/history.h"
#include "tests/fault/cache_store/workload.h"
#include "tests/support/memory_disk.h"

namespace perigee::cache_store {

class SmallStoreTest : public testing::Test {
 protected:
  static constexpr int64_t kNow = 1'700'000'000'000;

  void open() {
    close();
    listener_ = {};
    io_ = std::make_unique<test::MemoryIo>(disk_);
    auto opened = Store::open(small_store(), *io_, listener_, kNow);
    ASSERT_TRUE(opened.ok()) << opened.error().message;
    store_ = std::move(*opened);
  }
  void close() { store_.reset(); }
  void kill() {
    io_->kill();
    close();
  }
  void cut_power(test::MemoryDisk::Cut cut = test::MemoryDisk::Cut::kNothing) {
    std::mt19937_64 chance(1);
    const test::MemoryDisk::Image left = disk_.after_power_cut(cut, chance);
    kill();
    disk_.load(left);
  }

  /// 0: refused.
  uint64_t put(std::string_view key, Ticket ticket, size_t body_bytes = 100,
               RecordKind kind = RecordKind::kObject) {
    Version& version = history_.begin(key);
    version.kind = kind;
    version.body_bytes = body_bytes;
    Draft draft;
    draft.policy.lifetime_ms = 60'000;
    draft.tags = tags_;
    draft.ticket = ticket;
    return history_.put(*store_, version, draft) ? version.number : 0;
  }
  uint64_t put(std::string_view key) { return put(key, store_->ticket()); }
  /// The same with one tag.
  uint64_t put_tagged(std::string_view key, uint64_t tag) {
    tags_ = {tag};
    const uint64_t version = put(key);
    tags_.clear();
    return version;
  }
  /// Appends until everything that was there before is gone.
  void wrap_around() {
    for (int i = 0; i < 60; ++i) put("filler" + std::to_string(i), store_->ticket(), 4000);
  }
  Sight look(std::string_view key) { return history_.look(*store_, key); }
  bool purge_tag(uint64_t tag, bool soft = false) {
    const PurgeResult purge =
        store_->purge({.soft = soft, .wall_ms = kNow, .kind = PredicateKind::kTag, .tag = tag});
    return store_->commit(purge.seq).ok();
  }
  bool purge(std::string_view key, bool soft = false) {
    return store_->commit(store_->purge({store_->digest(key), soft, kNow}).seq).ok();
  }
  /// So many that the journal is compacted.
  void purge_others(int count = 40) {
    for (int i = 0; i < count; ++i) {
      ASSERT_TRUE(purge("other" + std::to_string(i)));
      store_->maintain({.wall_ms = kNow});
    }
  }
  void maintain(int64_t after_ms) { store_->maintain({.wall_ms = kNow + after_ms}); }

  test::MemoryDisk disk_{kSmallStoreBytes};
  History history_;
  std::vector<uint64_t> tags_;  ///< of what is put
  Listener listener_;
  std::unique_ptr<test::MemoryIo> io_;
  std::unique_ptr<Store> store_;
};

inline const Sight kNothing{};
inline Sight fresh(uint64_t version) { return {Sight::kObject, version, 0}; }
inline Sight stale(uint64_t version, int64_t since_ms) {
  return {Sight::kObject, version, since_ms};
}

}  // namespace perigee::cache_store

// A small store that is full, for tests of what stays and what goes.
#pragma once

#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tests/unit/cache_store/memory_store.h"

namespace perigee::cache_store {

inline constexpr uint64_t kSlabs = 64;

/// 64 slabs of 16 KiB. An object of 3,000 bytes is a usual one here: five fill a slab.
class EvictionTest : public MemoryStoreTest {
 protected:
  explicit EvictionTest(uint64_t slabs = kSlabs, uint64_t slab_bytes = 16 << 10)
      : MemoryStoreTest(options_of(slabs, slab_bytes, 2 << 10)) {}

  /// A draft whose body is its key, again and again.
  bool put(const std::string& key, size_t bytes = 3'000, RecordKind kind = RecordKind::kObject,
           const std::string& url = "") {
    std::string body;
    while (body.size() < bytes) body += key + " ";
    body.resize(bytes);
    const std::span<const std::byte> piece = std::as_bytes(std::span(body));
    Draft draft;
    draft.kind = kind;
    draft.slot = kind == RecordKind::kVarySpec ? kVarySlot : kHeadSlot;
    draft.key = key;
    draft.base = store_->digest(url.empty() ? key : url);
    draft.policy.response_time_ms = now_;
    draft.policy.lifetime_ms = lifetime_ms_;
    draft.body = {&piece, 1};
    draft.tags = tags_;
    draft.ticket = ticket_ ? *ticket_ : store_->ticket();
    return store_->put(draft).ok();
  }
  bool put_long(const std::string& key, uint64_t rid, uint64_t fragments) {
    for (uint64_t number = 0; number < fragments; ++number) {
      if (!put_fragment(key, {rid, number})) return false;
    }
    return put_head(key, rid, fragments * store_->fragment_bytes());
  }
  bool put_fragment(const std::string& key, const FragmentId& id) {
    const std::vector<std::byte> body(store_->fragment_bytes(), std::byte{'f'});
    const std::span<const std::byte> piece(body);
    return store_->put_fragment({id, store_->digest(key), store_->ticket(), {&piece, 1}}).ok();
  }
  bool put_head(const std::string& key, uint64_t rid, uint64_t whole_length) {
    Draft draft;
    draft.kind = RecordKind::kHead;
    draft.rid = rid;
    draft.key = key;
    draft.base = store_->digest(key);
    draft.whole_length = whole_length;
    draft.ticket = store_->ticket();
    return store_->put(draft).ok();
  }
  bool has(const std::string& key) { return look(key).state != Found::kMiss; }
  bool has_fragment(const FragmentId& id) {
    Found found = store_->lookup_fragment(id);
    if (found.state == Found::kCold) {
      store_->warm_fragment(id);
      found = store_->lookup_fragment(id);
    }
    return found.state == Found::kHit;
  }
  void use_long(const std::string& key, uint64_t rid, uint64_t fragments) {
    ASSERT_TRUE(has(key));
    for (uint64_t number = 0; number < fragments; ++number) {
      ASSERT_TRUE(has_fragment({rid, number}));
    }
  }
  void maintain() {
    for (int steps = 0; store_->maintain({.wall_ms = now_}); ++steps) ASSERT_LT(steps, 1'000);
  }
  /// Objects that nobody asks for again; `slabs` of them.
  void crawl(uint64_t slabs, size_t bytes = 3'000) {
    const uint64_t each = options_.slab_bytes / (bytes + 300);
    for (uint64_t i = 0; i < slabs * each; ++i) {
      ASSERT_TRUE(put("crawled " + std::to_string(crawled_++), bytes));
      maintain();
    }
  }
  /// All slabs are in use, and probation has its share. Counts are taken from here on.
  void fill() {
    turn_main(kSlabs * 3 / 2);
    end_probation();
    filled_ = stats();
  }
  uint64_t promoted() const { return stats().promoted - filled_.promoted; }
  /// All that lies in probation comes to its end, and main does not go round.
  void end_probation() { crawl(kSlabs / 10 + 4); }
  /// So many slabs of main are emptied, and as many filled with what is used once.
  void turn_main(uint64_t slabs) {
    for (uint64_t i = 0; i < slabs * 5; ++i) {
      const std::string key = "used " + std::to_string(crawled_++);
      ASSERT_TRUE(put(key));
      ASSERT_TRUE(has(key));
      maintain();
    }
  }
  /// Without a use of it: an older response is refused. If it is gone, that one is there then.
  bool is_there(const std::string& key, const Ticket& older) {
    ticket_ = older;
    const bool refused = !put(key);
    ticket_.reset();
    return refused;
  }
  StoreStats stats() const { return store_->stats(); }

  int64_t lifetime_ms_ = 3'600'000;
  std::optional<Ticket> ticket_;  ///< of what is put; else a new one
  std::vector<uint64_t> tags_;    ///< of what is put
  uint64_t crawled_ = 0;
  StoreStats filled_;

 private:
  void on_store_event(std::string_view sentence) override { ADD_FAILURE() << sentence; }
};

}  // namespace perigee::cache_store

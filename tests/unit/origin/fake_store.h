// A store in memory, for tests of those who use one: puts that fail, purges, records that are cold.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "cache_store/awaited.h"
#include "cache_store/store.h"

namespace perigee::origin {

class FakeStore final : public cache_store::Store {
 public:
  ~FakeStore() override;

  // --- for tests ---
  bool refuse_puts = false;
  uint64_t object_most = 1 << 20;
  uint64_t fragment_size = 256 << 10;
  uint64_t fragmented_most = 0;                 ///< nothing is kept in fragments
  uint64_t refuse_fragments_from = UINT64_MAX;  ///< this number and those behind it find no room
  size_t puts = 0;                              ///< fragments not counted
  size_t fragment_puts = 0;
  /// The body stored under a key; nullptr: nothing is.
  const std::string* body(const std::string& key) const;
  /// Readers that hold a record of this key.
  uint64_t pins(const std::string& key) const;
  uint64_t rid(const std::string& key) const;
  void poison(const std::string& key);
  /// The bytes of a fragment; nullptr: it is not there.
  const std::string* fragment(const cache_store::FragmentId& id) const;
  uint64_t fragment_pins(const cache_store::FragmentId& id) const;
  void evict_fragment(const cache_store::FragmentId& id);
  /// It must be warmed before it is found again.
  void make_cold(const cache_store::FragmentId& id);
  void poison(const cache_store::FragmentId& id);

  // --- cache_store::Store ---
  cache_store::Digest digest(std::string_view key) const override;
  cache_store::Found lookup(const cache_store::Digest&, std::string_view key,
                            cache_store::SlotMask) override;
  cache_store::Found peek(const cache_store::Digest& digest, std::string_view key,
                          cache_store::SlotMask accepted) override {
    return lookup(digest, key, accepted);
  }
  cache_store::Pin resume(cache_store::ParkedRecord& parked) override;
  void warm(const cache_store::Digest&, std::string_view, cache_store::SlotMask) override {}
  base::Result<cache_store::Found> put(const cache_store::Draft& draft) override;
  uint64_t draw_rid() override { return next_rid_++; }
  cache_store::Found lookup_fragment(const cache_store::FragmentId& id) override;
  cache_store::Found peek_fragment(const cache_store::FragmentId& id) override {
    return lookup_fragment(id);
  }
  bool has_fragment(const cache_store::FragmentId& id) override {
    return lookup_fragment(id).state != cache_store::Found::kMiss;
  }
  void warm_fragment(const cache_store::FragmentId& id) override;
  base::Result<cache_store::Found> put_fragment(const cache_store::FragmentDraft& draft) override;
  uint64_t fragment_bytes() const override { return fragment_size; }
  uint64_t max_fragmented_bytes() const override {
    return fragmented_most / fragment_size * fragment_size;
  }
  cache_store::Awaited await(const cache_store::Digest& base) override {
    return awaited_.enter(base, [this] { return ticket(); });
  }
  int erase(const cache_store::Digest& digest) override;
  cache_store::PurgeResult purge(const cache_store::Predicate& predicate) override;
  base::Status commit(uint64_t) override { return base::Done{}; }
  cache_store::Ticket ticket() const override { return {sequence_, ++fetches_}; }
  bool purged_since(const cache_store::Digest& digest, std::string_view url_key,
                    cache_store::Ticket ticket) const override;
  std::optional<uint64_t> swept(uint64_t) const override { return std::nullopt; }
  bool maintain(const cache_store::StepBudget&) override { return false; }
  bool warm_ahead(int64_t) override { return false; }
  bool poisoned(const cache_store::Pin& pin) const override;
  int fd() const override { return -1; }
  bool is_crowded() const override { return false; }
  bool is_short() const override { return false; }
  bool can_lend_pages() const override { return false; }
  uint64_t max_object_bytes() const override { return object_most; }
  cache_store::StoreStats stats() const override { return {}; }
  uint64_t identity() const override { return 0; }

 private:
  struct Record {
    cache_store::RecordKind kind;
    uint64_t rid;
    cache_store::Ticket ticket;
    cache_store::Digest base;
    base::ReuseFacts policy;
    std::string key;
    std::vector<std::byte> head;
    std::string body;
    uint64_t whole_length = 0;
    bool cold = false;
    cache_store::SlabWord word;
  };
  static std::string key_of(const cache_store::FragmentId& id);
  static void append(std::span<const std::span<const std::byte>> pieces, std::string& to);
  cache_store::Found view(Record& record) const;
  cache_store::Found replace(std::shared_ptr<Record> record);
  Record* find(const std::string& key) const;

  std::map<std::string, std::shared_ptr<Record>> records_;
  std::vector<std::shared_ptr<Record>> gone_;  ///< perhaps still pinned
  std::map<uint64_t, uint64_t> purged_;        ///< digest.lo -> sequence
  uint64_t sequence_ = 1;
  uint64_t next_rid_ = 1;
  mutable uint64_t fetches_ = 0;
  cache_store::AwaitedTable awaited_;
};

}  // namespace perigee::origin

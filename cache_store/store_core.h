// The store's insides, shared by the files that implement its verbs: store.cc (looking up, purging),
// append.cc (writing), reclaim.cc (making room), recovery.cc (opening).
//
// Lock order: append mutex -> index shard -> purge mutex. Nothing is read or written in the file under a shard's lock.
#pragma once

#include <array>
#include <atomic>
#include <deque>
#include <memory>
#include <mutex>
#include <vector>

#include "cache_store/index.h"
#include "cache_store/purge_journal.h"
#include "cache_store/purge_table.h"
#include "cache_store/slab.h"
#include "cache_store/store.h"
#include "cache_store/store_io.h"

namespace perigee::cache_store {

/// Derived from the superblock; fixed while the store is open.
struct Geometry {
  uint64_t slab_bytes = 0;
  uint64_t slab_count = 0;
  uint64_t journal_bytes = 0;
  uint64_t area = 0;
  uint64_t file_bytes() const { return area + slab_count * slab_bytes; }
  uint64_t slab_begin(uint32_t slab) const { return area + slab * slab_bytes; }
};
/// For a wanted file size; kInvalid with the least size when it is too small.
base::Result<Geometry> choose_geometry(const StoreOptions& options);

class StoreCore final : public Store {
 public:
  StoreCore(const StoreOptions& options, StoreIo& io, StoreObserver& observer);
  ~StoreCore() override;

  /// recovery.cc
  base::Status start(int64_t wall_ms);

  Digest digest(std::string_view key) const override;
  Found lookup(const Digest& digest, std::string_view key, SlotMask accepted) override;
  void warm(const Digest& digest, std::string_view key, SlotMask accepted) override;
  base::Result<Found> put(const Draft& draft) override;
  int erase(const Digest& digest) override;
  PurgeResult purge(const Predicate& predicate) override;
  base::Status commit(uint64_t seq) override;
  Ticket ticket() const override { return {purges_->newest()}; }
  bool purged_since(const Digest& digest, Ticket ticket) const override;
  bool maintain(const StepBudget& budget) override;
  bool poisoned(const Pin& pin) const override {
    return pin.word() != nullptr && pin.word()->poisoned.load(std::memory_order_relaxed);
  }
  int fd() const override { return io_.fd(); }
  bool can_lend_pages() const override { return can_lend_; }
  uint64_t max_object_bytes() const override { return geometry_.slab_bytes / 4; }
  StoreStats stats() const override;

 private:
  // recovery.cc
  base::Status adopt_or_create(const FileFacts& facts, int64_t wall_ms);
  base::Status create(const FileFacts& facts, const Geometry& geometry, int64_t wall_ms);
  std::optional<format::Superblock> read_superblock();
  base::Status write_superblock();
  void probe_lending();
  void recover(const std::vector<PurgeJournal::Entry>& purges);
  bool read_slab(uint32_t slab, std::vector<format::TableEntry>& table);
  bool read_table(uint32_t slab, const format::SlabHeader& header,
                  std::vector<format::TableEntry>& table);
  void walk_slab(uint32_t slab, const format::SlabHeader& header,
                 std::vector<format::TableEntry>& table);

  // append.cc
  base::Status open_slab();
  void seal_open_slab();
  base::Status write_record(const Draft& draft, const Digest& digest, uint64_t body_bytes,
                            format::RecordHeader& header, Location& location);
  uint64_t head_checksum(const format::RecordHeader& header,
                         std::span<const std::span<const std::byte>> parts) const;
  void sync_if_due(int64_t wall_ms);

  // reclaim.cc
  bool reclaim_one();
  void empty_slab(uint32_t slab);
  void free_drained();
  void drop_poisoned();
  void compact_journal(int64_t wall_ms);

  // store.cc
  bool read_record(const Location& location, std::string_view key, RecordView& out) const;
  uint64_t record_purge(const Digest& digest, bool erasure, bool soft, int64_t time_ms);
  Pin pin(uint32_t slab) {
    const uint64_t word = words_[slab].life_pins.fetch_add(1, std::memory_order_acquire);
    return Pin(&words_[slab], slab, static_cast<uint32_t>(word >> 32));
  }
  const std::byte* at(const Location& location) const {
    return map_ + geometry_.slab_begin(location.slab) + uint64_t{location.offset64} * 64;
  }
  bool verify(const Location& location, const Digest& digest, Slot slot) const;

  const StoreOptions options_;
  StoreIo& io_;
  StoreObserver& observer_;
  Geometry geometry_;
  format::Superblock superblock_{};
  const std::byte* map_ = nullptr;
  std::array<char, 192> key_secret_{};
  uint64_t checksum_seed_ = 0;
  bool can_lend_ = false;   ///< sendfile from the map's file is safe
  bool can_detach_ = false;

  Index index_;
  std::unique_ptr<PurgeTable> purges_;
  std::unique_ptr<PurgeJournal> journal_;
  std::mutex purge_mutex_;       ///< a sequence number is drawn and journalled under it; behind a shard's
  std::unique_ptr<SlabWord[]> words_;

  mutable std::mutex append_mutex_;
  std::vector<SlabInfo> slabs_;
  std::deque<uint32_t> sealed_;  ///< oldest first
  std::deque<uint32_t> free_;
  std::vector<uint32_t> draining_;
  int64_t open_ = -1;            ///< the open slab, or -1
  uint64_t counter_ = 0;         ///< of generations and seqs in this epoch
  int64_t last_sync_ms_ = 0;
  int sync_failures_ = 0;
  std::atomic<bool> failed_{false};

  std::atomic<uint64_t> puts_{0};
  std::atomic<uint64_t> puts_refused_{0};
  std::atomic<uint64_t> puts_no_room_{0};
  std::atomic<uint64_t> evicted_{0};
  std::atomic<uint64_t> corrupt_{0};
  std::atomic<uint64_t> poisoned_{0};
  uint64_t recovered_ = 0;
};

}  // namespace perigee::cache_store

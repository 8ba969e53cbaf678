// The store's insides, shared by the files that implement its verbs: store.cc (looking up,
// purging), append.cc (writing), reclaim.cc (making room and upkeep), superblock.cc and recovery.cc
// (opening).
//
// Lock order: append mutex -> index shard -> purge mutex -> the locks of journal and purge table;
// also append mutex -> journal. Nothing is read or written in the file under a shard's lock.
#pragma once

#include <array>
#include <atomic>
#include <deque>
#include <memory>
#include <vector>

#include "base/mutex.h"
#include "cache_store/awaited.h"
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
  uint64_t scratch = 0;  ///< for the self-test of lending; ends where `area` begins
  uint64_t area = 0;     ///< where the slabs begin
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
  Awaited await(const Digest& base) override { return {awaited_, base}; }
  int erase(const Digest& digest) override;
  PurgeResult purge(const Predicate& predicate) override;
  base::Status commit(uint64_t seq) override;
  Ticket ticket() const override {
    return {purges_->newest(), fetches_.fetch_add(1, std::memory_order_relaxed)};
  }
  bool purged_since(const Digest& digest, Ticket ticket) const override;
  bool maintain(const StepBudget& budget) override;
  bool poisoned(const Pin& pin) const override {
    return pin.word() != nullptr && pin.word()->is_poisoned();
  }
  int fd() const override { return io_.fd(); }
  bool can_lend_pages() const override { return can_lend_; }
  uint64_t max_object_bytes() const override { return geometry_.slab_bytes / 4; }
  StoreStats stats() const override;

 private:
  /// What a slab's header and its table, or a walk, say of it.
  struct ScannedSlab {
    format::SlabHeader header{};
    std::vector<format::TableEntry> table;
  };
  struct ScannedFile {
    struct Slab {
      uint64_t generation;
      uint32_t number;
    };
    struct Record {
      format::TableEntry entry;
      uint32_t slab;
    };
    std::vector<Slab> slabs;      ///< that hold records, oldest first
    std::vector<Record> records;  ///< the highest seq last
    uint64_t newest_epoch = 0;
    uint64_t journal_seq = 0;  ///< purges up to this one were durable once
  };
  /// A record as it will lie in its slab, header first. A small body lies in `bytes` too.
  struct RecordImage {
    format::RecordHeader header{};
    format::RecordLayout layout{};
    std::vector<std::byte> bytes;
    bool whole = false;
  };
  enum class Condition : uint8_t { kGood, kDamaged, kUnreadable };

  // superblock.cc
  base::Status adopt_or_create(const FileFacts& facts) REQUIRES(append_mutex_);
  base::Status adopt(const format::Superblock& found) REQUIRES(append_mutex_);
  base::Status create(const FileFacts& facts, const Geometry& geometry) REQUIRES(append_mutex_);
  base::Status allocate();
  base::Status write_superblock(format::Superblock next) REQUIRES(append_mutex_);

  // recovery.cc
  void derive_secrets() REQUIRES(append_mutex_);
  ScannedFile scan() REQUIRES(append_mutex_);
  std::optional<ScannedSlab> read_slab(uint32_t number) const REQUIRES(append_mutex_);
  bool read_table(uint32_t number, ScannedSlab& slab) const;
  void walk_slab(uint32_t number, ScannedSlab& slab) const;
  bool is_plausible(const format::TableEntry& entry) const;
  base::Status begin_epoch(const FileFacts& facts, const PurgeJournal::Loaded& journal,
                           const ScannedFile& file) REQUIRES(append_mutex_);
  void publish_scanned(const ScannedFile& file, std::vector<PurgeJournal::Entry> purges)
      REQUIRES(append_mutex_);
  void probe_lending();

  // append.cc
  base::Status check(const Draft& draft, const Digest& digest, uint64_t body_bytes);
  RecordImage make_image(const Draft& draft, const Digest& digest, uint64_t body_bytes) const;
  base::Error refuse(std::string_view why);
  Found present_under(const Digest& digest, std::string_view key) REQUIRES(append_mutex_);
  static bool is_fenced(const Draft& draft, const Digest& digest,
                        const PurgeTable::Verdict& verdict);
  base::Status append(const Draft& draft, RecordImage& image, Location& location)
      REQUIRES(append_mutex_);
  base::Status write_record(const Draft& draft, const RecordImage& image, uint64_t begin)
      REQUIRES(append_mutex_);
  base::Result<Found> publish(const Draft& draft, const Digest& digest, const Location& location)
      REQUIRES(append_mutex_);
  void note_write(const base::Status& status) REQUIRES(append_mutex_);
  bool has_room(uint64_t record_bytes) const REQUIRES(append_mutex_);
  base::Status open_slab() REQUIRES(append_mutex_);
  void seal_open_slab() REQUIRES(append_mutex_);
  /// The open slab takes no more records; they stay where they are.
  void close_open_slab() REQUIRES(append_mutex_);
  uint64_t head_checksum(const format::RecordHeader& header, std::span<const std::byte> meta) const;

  // reclaim.cc
  bool ready_one() REQUIRES(append_mutex_);
  bool make_room() REQUIRES(append_mutex_);
  void empty_slab(uint32_t number, bool newer_first) REQUIRES(append_mutex_);
  void free_slab(uint32_t number) REQUIRES(append_mutex_);
  size_t pinned_draining() const REQUIRES(append_mutex_);
  void drop_slab(uint32_t number) REQUIRES(append_mutex_);
  void check_length();
  void drop_poisoned();
  void sync_if_due(int64_t wall_ms);
  void drop_unsynced(int64_t wall_ms) REQUIRES(append_mutex_);
  base::Status compact_journal() REQUIRES(append_mutex_);
  void tell_journal_state(const base::Status& last_write) REQUIRES(append_mutex_);

  // store.cc
  bool read_record(const Location& location, std::string_view key, RecordView& out) const;
  uint64_t record_purge(const Digest& digest, bool erasure, bool soft, int64_t time_ms);
  uint64_t draw_number() REQUIRES(append_mutex_) {
    return superblock_.epoch << format::kEpochShift | ++counter_;
  }
  Pin pin(uint32_t slab) {
    const uint64_t word = words_[slab].life_pins.fetch_add(1, std::memory_order_acquire);
    return Pin(&words_[slab], slab, static_cast<uint32_t>(word >> 32));
  }
  const std::byte* at(const Location& location) const {
    return map_ + geometry_.slab_begin(location.slab) + uint64_t{location.offset64} * 64;
  }
  Condition verify(const Location& location, const Digest& digest, Slot slot) const;

  const StoreOptions options_;
  StoreIo& io_;
  StoreObserver& observer_;
  Geometry geometry_;
  const std::byte* map_ = nullptr;
  std::array<char, 192> key_secret_{};
  uint64_t checksum_seed_ = 0;
  bool guarded_ = false;
  bool can_lend_ = false;  ///< sendfile from the store file is safe
  bool can_detach_ = false;

  Index index_;
  std::unique_ptr<PurgeTable> purges_;
  AwaitedTable awaited_;
  std::unique_ptr<PurgeJournal> journal_;
  base::Mutex purge_mutex_{
      base::LockRank::kPurges};  ///< a sequence number is drawn and queued under it
  std::unique_ptr<SlabWord[]> words_;
  mutable std::atomic<uint64_t> fetches_{0};  ///< the fetch_seq of the next ticket

  mutable base::Mutex append_mutex_{base::LockRank::kSlabs};
  format::Superblock superblock_ GUARDED_BY(append_mutex_){};  ///< as it was last written
  std::vector<SlabInfo> slabs_ GUARDED_BY(append_mutex_);
  std::deque<uint32_t> sealed_ GUARDED_BY(append_mutex_);    ///< oldest first
  std::deque<uint32_t> draining_ GUARDED_BY(append_mutex_);  ///< emptied first first
  std::deque<uint32_t> free_ GUARDED_BY(append_mutex_);
  int64_t open_ GUARDED_BY(append_mutex_) = -1;     ///< the open slab, or -1
  uint64_t counter_ GUARDED_BY(append_mutex_) = 0;  ///< of generations and seqs in this epoch
  int64_t last_sync_ms_ GUARDED_BY(append_mutex_) = 0;
  int64_t last_sync_failure_ms_ GUARDED_BY(append_mutex_) = 0;
  bool sync_failed_ GUARDED_BY(append_mutex_) = false;
  bool journal_was_bad_ GUARDED_BY(append_mutex_) = false;
  int write_failures_ GUARDED_BY(append_mutex_) = 0;  ///< in a row
  std::atomic<bool> failed_{false};

  std::atomic<uint64_t> puts_{0};
  std::atomic<uint64_t> puts_refused_{0};
  std::atomic<uint64_t> puts_no_room_{0};
  std::atomic<uint64_t> evicted_{0};
  std::atomic<uint64_t> corrupt_{0};
  std::atomic<uint64_t> poisoned_{0};
  uint64_t recovered_ = 0;
};

/// What StoreOptions and superblocks may say.
bool is_slab_size(uint64_t bytes);
bool is_journal_size(uint64_t bytes);
/// Of a record at `offset` in its slab.
format::TableEntry table_entry(const format::RecordHeader& header, uint64_t offset,
                               const format::RecordLayout& layout);
/// Whole seconds for the index: rounded up, so that nothing received before a purge is after it.
inline uint32_t seconds_up(int64_t ms) {
  return static_cast<uint32_t>(ms <= 0 ? 1 : (ms + 999) / 1000);
}

}  // namespace perigee::cache_store

// The Store: its verbs, and the parts that they use.
//
//   Superblocks    which file this is          Slabs          where records lie, and pins
//   Recovery       what a file holds           RecordReader   views and checks them
//   Index          where each key's are        RecordWriter   appends them
//   PurgeLog       what purges did to them     Reclaimer      makes room
//   JournalKeeper, Syncer, Health              what must be durable, and what happens if it is not
//   Scrubber, BadRecords                       find rot, and take out what it hit
//   Verifier, Residency, Warmer                what loops may serve without waiting for the disk
//   Sweeper                                    finds what purges took
//
// The order of the locks is base/lock_rank.h. Nothing is read or written in the file under an index
// shard's lock.
#pragma once

#include <atomic>
#include <memory>
#include <optional>

#include "cache_store/bad_records.h"
#include "cache_store/file_secret.h"
#include "cache_store/health.h"
#include "cache_store/index.h"
#include "cache_store/journal_keeper.h"
#include "cache_store/purge_log.h"
#include "cache_store/reclaimer.h"
#include "cache_store/record_reader.h"
#include "cache_store/record_writer.h"
#include "cache_store/recovery.h"
#include "cache_store/residency.h"
#include "cache_store/scrubber.h"
#include "cache_store/shrinking.h"
#include "cache_store/slabs.h"
#include "cache_store/store.h"
#include "cache_store/store_io.h"
#include "cache_store/superblocks.h"
#include "cache_store/sweeper.h"
#include "cache_store/syncer.h"
#include "cache_store/verifier.h"
#include "cache_store/warmer.h"

namespace perigee::cache_store {

class SlabStore final : public Store {
 public:
  /// The file is opened, adopted and mapped.
  SlabStore(StoreIo& io, StoreObserver& observer, std::unique_ptr<Superblocks> superblocks,
            const MappedFile& file, const StoreOptions& options);
  /// Writes the last purges.
  ~SlabStore() override;

  /// At start: recovers the index, before any other verb. `slabs_found`: see OpenedSize.
  base::Status start(const FileFacts& facts, uint64_t slabs_found, int64_t wall_ms);

  Digest digest(std::string_view key) const override { return secret_.digest(key); }
  Found lookup(const Digest& digest, std::string_view key, SlotMask accepted) override {
    return find<Index::Uses::kCounted>(digest, key, accepted);
  }
  Found peek(const Digest& digest, std::string_view key, SlotMask accepted) override {
    return find<Index::Uses::kIgnored>(digest, key, accepted);
  }
  Pin resume(ParkedRecord& parked) override;
  void warm(const Digest& digest, std::string_view key, SlotMask accepted) override;
  base::Result<Found> put(const Draft& draft) override;
  uint64_t draw_rid() override;
  Found lookup_fragment(const FragmentId& id) override {
    return find_fragment<Index::Uses::kCounted>(id);
  }
  Found peek_fragment(const FragmentId& id) override {
    return find_fragment<Index::Uses::kIgnored>(id);
  }
  bool has_fragment(const FragmentId& id) override;
  void warm_fragment(const FragmentId& id) override;
  base::Result<Found> put_fragment(const FragmentDraft& fragment) override;
  uint64_t fragment_bytes() const override { return slabs_.geometry().fragment_bytes(); }
  uint64_t max_fragmented_bytes() const override {
    return slabs_.geometry().fragmented_bytes_most();
  }
  Awaited await(const Digest& base) override { return purges_.await(base); }
  int erase(const Digest& digest) override;
  PurgeResult purge(const Predicate& predicate) override;
  base::Status commit(uint64_t seq) override { return journal_keeper_.commit(seq); }
  Ticket ticket() const override { return purges_.ticket(); }
  bool purged_since(const Digest& digest, std::string_view url_key, Ticket ticket) const override {
    return purges_.purged_since(digest, url_key, ticket);
  }
  std::optional<uint64_t> swept(uint64_t seq) const override {
    return purges_.matches().swept(seq);
  }
  bool maintain(const StepBudget& budget) override;
  bool warm_ahead(int64_t wall_ms) override { return warmer_.step(wall_ms); }
  bool poisoned(const Pin& pin) const override { return pin.is_poisoned(); }
  int fd() const override { return io_.fd(); }
  bool is_short() const override { return short_.load(std::memory_order_relaxed); }
  bool is_crowded() const override { return reclaimer_.is_crowded(); }
  bool can_lend_pages() const override { return slabs_.can_lend(); }
  uint64_t max_object_bytes() const override { return slabs_.geometry().body_bytes_most(); }
  StoreStats stats() const override;
  uint64_t identity() const override { return superblocks_->identity(); }

 private:
  ScannedFile scan(uint64_t slab_count) const;
  base::Status cut(const Shrunk& shrunk, std::vector<PurgeJournal::Entry>& purges);
  void publish_scanned(const ScannedFile& file, const PurgeHistory& history);
  bool is_good(const ScannedFile::Record& copy) const;
  template <Index::Uses kUses>
  Found find(const Digest& digest, std::string_view key, SlotMask accepted);
  template <Index::Uses kUses>
  Found find_fragment(const FragmentId& id);
  bool view(IndexEntry& entry, std::string_view key, std::optional<RecordView>& out) const;
  bool view_coded(const Digest& digest, IndexEntry& entry, std::string_view key, Found& found);
  bool settle(const Digest& digest, const IndexEntry& entry, RecordView& record);
  base::Result<Found> store(const Draft& draft);
  std::optional<base::Result<Found>> store_now(const Draft& draft, const PurgeSubject& subject,
                                               RecordWriter::Image& image);
  Reclaimer::Progress reclaim(uint64_t bytes);
  Found present_under(const Digest& digest, std::string_view key) REQUIRES(slabs_.mutex());
  base::Result<Found> publish(const Draft& draft, const PurgeSubject& subject,
                              const Location& location) REQUIRES(slabs_.mutex());
  void renew_stamps() REQUIRES(predicate_mutex_);
  base::Error refuse(std::string_view why);
  void check_length();

  StoreIo& io_;
  Health health_;
  std::atomic<bool> short_{false};
  const std::unique_ptr<Superblocks> superblocks_;
  const FileSecret secret_;
  Index index_;
  PurgeLog purges_;
  Slabs slabs_;
  const Recovery recovery_;
  const RecordReader reader_;
  RecordWriter writer_;
  Reclaimer reclaimer_;
  JournalKeeper journal_keeper_;
  Syncer syncer_;
  BadRecords bad_;
  Scrubber scrubber_;
  Residency residency_;
  Verifier verifier_;
  Warmer warmer_;
  Sweeper sweeper_;
  /// Purges by tag, prefix and of everything are drawn one after the other.
  base::Mutex predicate_mutex_{base::LockRank::kPredicateDraw};

  std::atomic<uint64_t> puts_{0};
  std::atomic<uint64_t> put_bytes_{0};
  std::atomic<uint64_t> puts_refused_{0};
  std::atomic<uint64_t> puts_no_room_{0};
  uint64_t recovered_ = 0;
};

}  // namespace perigee::cache_store

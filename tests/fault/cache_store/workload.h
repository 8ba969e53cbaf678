// A random life of a small store: puts, 304s, variants, long objects in fragments, codings, shells,
// purges, erasures, upkeep and restarts, with a model of what must be seen after each step.
#pragma once

#include <array>
#include <functional>
#include <memory>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "tests/fault/cache_store/history.h"
#include "tests/support/memory_disk.h"

namespace perigee::cache_store {

/// Twelve slabs of 16 KiB and a journal of 32 units: everything wraps within some hundred steps.
/// `identity` stands for the chance that makes each file another one.
StoreOptions small_store(int identity = 7);
inline constexpr uint64_t kSmallStoreBytes = (2 << 20) + 12 * 16384;

/// Every key, in the order of Workload::keys(): each URL and behind it its variant.
using Sights = std::vector<Sight>;

/// The last durable purges of some kind.
struct LastPurges {
  uint64_t hard = 0;  ///< and erasures: versions begun before are gone
  uint64_t soft = 0;  ///< versions begun before are stale
};

/// What the model knows of a key beside its present sight.
struct KeyFacts {
  static constexpr uint64_t kTags = 3;

  std::set<Sight> unsettled;  ///< may be seen after a crash, since a purge of it is not durable yet
  LastPurges own;             ///< of the key
  LastPurges lazy;            ///< of a prefix of it, and of everything
  std::array<LastPurges, kTags> tagged;

  uint64_t hard_for(const Version& version) const;
  uint64_t soft_for(const Version& version) const;
};

class Workload {
 public:
  explicit Workload(uint64_t seed, const StoreOptions& options = small_store());
  ~Workload();

  /// One random operation. False: the store could not be opened again.
  bool step();
  const std::vector<std::string>& keys() const { return keys_; }
  /// For messages.
  std::string name(size_t key) const;
  const History& history() const { return history_; }
  test::MemoryDisk& disk() { return disk_; }
  /// The present opening of the disk.
  test::MemoryIo& io() { return *io_; }
  Store& store() { return *store_; }
  /// Called for each new opening, before it.
  std::function<void(test::MemoryIo&)> on_io = [](test::MemoryIo&) {};
  /// Whether operations may fail because the disk does: the model expects less then.
  bool faulty = false;

  Sights look() const;
  const std::vector<KeyFacts>& facts() const { return facts_; }
  /// At the last sync.
  const Sights& synced() const { return synced_; }
  uint64_t puts() const { return puts_; }
  uint64_t fragment_puts() const { return fragment_puts_; }
  uint64_t coding_puts() const { return coding_puts_; }
  uint64_t shells() const { return shells_; }
  /// The fragments of the key that the last step put, a bit each: the slab of an old one may be the
  /// one that made room.
  uint64_t rewritten(size_t key) const { return key == rewritten_key_ ? rewritten_ : 0; }
  /// What the last step did.
  const std::string& last() const { return last_; }
  bool open();
  /// The next opening finds what a crash left.
  void crash(const std::optional<test::MemoryDisk::Image>& image);

 private:
  struct Purge {
    PredicateKind kind = PredicateKind::kKey;
    size_t key = 0;
    uint64_t tag = 0;
    std::string prefix;  ///< of a target
    bool soft = false;
    int64_t wall_ms = 0;
    uint64_t event = 0;
  };
  uint64_t draw(uint64_t below) { return chance_() % below; }
  size_t draw_key() { return draw(keys_.size()); }
  size_t draw_url() { return base_of(draw_key()); }
  void forget_unsettled();
  static size_t base_of(size_t key) { return key - key % 2; }
  /// A long object that comes step by step, so that all else may happen in between: its fragments
  /// in order, and its head before one of them or behind them all.
  struct Download {
    size_t key;
    uint64_t version;
    uint64_t head_at;   ///< the fragment that it is put before
    uint64_t next = 0;  ///< the fragment that comes
    bool head_put = false;
  };
  void put();
  void begin_download(size_t key, Version& version);
  void go_on(Download& download);
  void put_fragment(size_t key, const Version& version, uint64_t number, const Ticket& ticket,
                    uint64_t begun);
  void put_coding(size_t key, const Version& version, const Ticket& ticket, uint64_t begun);
  void drop_body(size_t key, const Version& version);
  Draft draft_of(size_t key, const Version& version, std::span<const std::byte> head) const;
  bool is_base_fenced(size_t key, uint64_t begun) const;
  void note_put(size_t key, const Version& version);
  bool concerns(const Purge& purge, size_t key, const Version& version) const;
  int64_t stale_since(size_t key, const Version& version, size_t count) const;
  bool is_fenced(size_t key, const Version& version) const;
  uint64_t fragments_of(const Version& version) const;
  void put_version(size_t key, const Version& version, const Sight& present);
  void purge(bool soft);
  void purge_many(bool soft);
  void settle(const Purge& purge);
  void erase();
  void commit();
  void close();
  void maintain();

  std::mt19937_64 chance_;
  const StoreOptions options_;
  const uint64_t putting_;  ///< steps in a hundred that put; odd seeds purge the more
  test::MemoryDisk disk_{kSmallStoreBytes};
  Listener listener_;
  std::unique_ptr<test::MemoryIo> io_;
  std::unique_ptr<Store> store_;
  History history_;
  std::vector<std::string> keys_;
  std::vector<std::string> targets_;  ///< of each URL
  std::vector<KeyFacts> facts_;
  std::vector<Purge> purges_;  ///< all
  size_t settled_purges_ = 0;  ///< of them, durable
  std::vector<std::pair<Ticket, uint64_t>>
      tickets_;                   ///< with `begun`, taken in the present opening
  std::vector<Awaited> awaited_;  ///< every key, for each of them
  std::set<uint64_t> put_now_;    ///< versions, in the present opening
  std::optional<Download> download_;
  Sights synced_;
  uint64_t puts_ = 0;
  uint64_t fragment_puts_ = 0;
  uint64_t coding_puts_ = 0;
  uint64_t shells_ = 0;
  size_t rewritten_key_ = 0;
  uint64_t rewritten_ = 0;
  std::string last_;
  int64_t wall_ms_ = 1'700'000'000'000;
};

}  // namespace perigee::cache_store

// A store file in memory that survives the node's process, loses what a machine loses, and fails.
//
// Here's how it works:
//  1. SimDisk holds the bytes. Each start of the node opens it through a SimDiskIo of its own.
//  2. kill(): the process is dead. What it still writes while its objects are destroyed reaches
//     nobody. die_after(n) kills it in the middle of its writes, and of the last one only a part
//     arrives.
//  3. What was synced lies on the platter. cut_power(): of what was written since, any part may be
//     lost, in any order; where sectors tear, each has any version since the last sync, and a few
//     that were synced are lost too, as disks do that promise what they cannot keep.
//  4. Reads, writes and syncs may fail. A failed sync is told once: the pages count as clean, stay
//     as they are for readers, and are lost when the power fails.
//  5. In some runs pages go out of memory at random, so that what was verified is cold again.
//  6. lend(): a socket holds pages, not bytes. What is written in place shows in them; detach()
//     gives the file new pages, and the old ones stay as they were.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "cache_store/store_io.h"
#include "tests/sim/random.h"
#include "tests/sim/sim_channel.h"

namespace perigee::sim {

class SimDisk final : public Lender {
 public:
  SimDisk(Random& random, bool lends) : random_(random), lends_(lends) {}
  ~SimDisk() override;
  SimDisk(const SimDisk&) = delete;
  SimDisk& operator=(const SimDisk&) = delete;

  std::unique_ptr<cache_store::StoreIo> make_io();
  void kill() { alive_ = false; }
  void die_after(unsigned writes) { writes_left_ = static_cast<int>(writes); }
  /// `torn`: sector by sector.
  void cut_power(bool torn);
  bool dead() const { return !alive_; }
  /// How often it failed.
  uint64_t errors() const { return errors_; }
  /// How often it was read or written.
  uint64_t uses() const { return uses_; }
  /// How often lent pages were given up by the file while a socket still held them.
  uint64_t detached() const { return detached_; }

  std::shared_ptr<LentPages> lend(uint64_t offset, uint64_t size) override;

  unsigned errors_per_mille = 0;

 private:
  friend class SimDiskIo;
  class Pages;
  /// The sectors that a write touched, as it left them.
  struct Write {
    uint64_t offset;
    std::vector<std::byte> after;
  };
  bool fails();
  base::Status write(uint64_t offset, std::span<const std::byte> bytes, bool durable);
  base::Status sync();
  base::Status detach(uint64_t offset, uint64_t length);
  void put(uint64_t offset, std::span<const std::byte> bytes);
  void settle(const Write& write);
  void damage();
  bool takes_write();
  bool page_goes();
  void resize(uint64_t size);

  Random& random_;
  Random gone_{1};  ///< which pages are not in memory
  const bool lends_;
  std::byte* bytes_ = nullptr;  ///< as processes see them
  uint64_t size_ = 0;
  std::vector<std::byte> platter_;
  bool alive_ = true;
  int writes_left_ = -1;  ///< until the process dies in the middle; -1: it does not
  std::vector<Write> unsynced_;
  std::vector<std::pair<uint64_t, uint64_t>> written_;  ///< offsets and sizes, the last ones
  std::vector<std::weak_ptr<Pages>> lent_;
  uint64_t errors_ = 0;
  uint64_t uses_ = 0;
  uint64_t detached_ = 0;
};

}  // namespace perigee::sim

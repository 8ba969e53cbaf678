// A store file in memory that survives the node's process, and can lose what a machine loses.
//
// Here's how it works:
//  1. SimDisk holds the bytes. Each start of the node opens it through a SimDiskIo of its own.
//  2. kill(): the process is dead. What it still writes while its objects are destroyed reaches
//  nobody.
//     die_after(n) kills it in the middle of its writes, so that a record can be torn from its
//     header.
//  3. cut_power(): of what was written since the last sync, any part may be lost, in any order.
#pragma once

#include <memory>
#include <vector>

#include "cache_store/store_io.h"
#include "tests/sim/random.h"

namespace perigee::sim {

class SimDisk {
 public:
  SimDisk() = default;
  ~SimDisk();
  SimDisk(const SimDisk&) = delete;
  SimDisk& operator=(const SimDisk&) = delete;

  std::unique_ptr<cache_store::StoreIo> make_io();
  void kill() { alive_ = false; }
  void die_after(unsigned writes) { writes_left_ = static_cast<int>(writes); }
  void cut_power(Random& random);
  bool dead() const { return !alive_; }

 private:
  friend class SimDiskIo;
  struct Write {
    uint64_t offset;
    std::vector<std::byte> before;
    std::vector<std::byte> after;
  };
  void write(uint64_t offset, std::span<const std::byte> bytes, bool durable);
  bool takes_write();
  void resize(uint64_t size);

  std::byte* bytes_ = nullptr;
  uint64_t size_ = 0;
  bool alive_ = true;
  int writes_left_ = -1;  ///< until the process dies in the middle; -1: it does not
  std::vector<Write> unsynced_;
};

}  // namespace perigee::sim

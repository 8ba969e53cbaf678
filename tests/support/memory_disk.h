// A disk for the store that knows what was not synced, and a StoreIo on it that can fail.
//
// What a killed process leaves is what the disk shows now. What a power cut leaves is less: of each
// sector any version since the last sync, in any combination. A disk can be loaded with either and
// opened again.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <random>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "cache_store/store_io.h"

namespace perigee::test {

class MemoryDisk {
 public:
  static constexpr size_t kPage = 4096;
  static constexpr size_t kSector = 512;
  using Page = std::array<std::byte, kPage>;

  /// The content of the file: its length, and the pages that were ever written.
  struct Image {
    uint64_t size = 0;
    std::map<uint64_t, Page> pages;
    /// The byte at `offset`, made if need be.
    std::byte& at(uint64_t offset) { return pages[offset / kPage][offset % kPage]; }
  };
  /// How a power cut chooses what of the unsynced writes is there.
  enum class Cut {
    kNothing,  ///< only what was synced
    kPrefix,   ///< all writes up to some moment
    kSectors,  ///< any version of each sector
    kPages,    ///< any version of each page
  };

  explicit MemoryDisk(uint64_t most_bytes);
  ~MemoryDisk();
  MemoryDisk(const MemoryDisk&) = delete;
  MemoryDisk& operator=(const MemoryDisk&) = delete;

  /// What a process that is killed now leaves.
  Image after_kill() const;
  /// What a power cut now leaves.
  Image after_power_cut(Cut cut, std::mt19937_64& chance) const;
  /// The disk holds this now, all of it synced.
  void load(const Image& image);

  uint64_t size() const { return size_; }
  const std::byte* bytes() const { return bytes_; }
  void resize(uint64_t size);
  void write(uint64_t offset, std::span<const std::byte> bytes);
  /// What was written in this range is on stable storage.
  void settle(uint64_t offset, uint64_t length);
  void settle_all();

 private:
  using Sector = std::array<std::byte, kSector>;
  struct Version {
    uint64_t write;  ///< how many writes there were before
    Sector bytes;
  };
  const Sector& sector(uint64_t number) const;

  const uint64_t most_bytes_;
  std::byte* bytes_ = nullptr;
  uint64_t size_ = 0;
  uint64_t writes_ = 0;
  std::vector<bool> touched_;  ///< pages
  /// By sector: the version on stable storage, then all since.
  std::map<uint64_t, std::vector<Version>> unsettled_;
};

/// One opening of the disk. Operations are counted, watched and made to fail by the test.
class MemoryIo final : public cache_store::StoreIo {
 public:
  enum class Op : uint8_t {
    kOpen,
    kAllocate,
    kMap,
    kRead,
    kWrite,
    kWriteDurable,
    kSync,
    kDetach,
    kMapAgain,
    kLockMemory
  };
  explicit MemoryIo(MemoryDisk& disk) : disk_(disk) {}

  /// Asked before each operation at an offset; true: it fails. A failing write leaves half of its
  /// bytes.
  std::function<bool(Op, uint64_t offset)> fail = [](Op, uint64_t) { return false; };
  /// Asked before each write that does not fail; true: it is told as done, and nothing is written.
  std::function<bool(uint64_t offset)> lose = [](uint64_t) { return false; };
  /// A failing write leaves all of its bytes instead: the error was reported late.
  bool failed_writes_land = false;
  /// Called while a write is in the disk but not yet on stable storage, and after each operation
  /// that changed the disk.
  std::function<void()> watch = [] {};
  /// As if the process were gone: nothing has an effect any more, and all fails.
  void kill() { killed_ = true; }
  /// How often all was synced.
  uint64_t syncs() const { return syncs_; }
  /// The pages of the range go out of memory. What is read or written comes back in.
  void evict(uint64_t offset, uint64_t length);
  /// Nobody can tell what is in memory, as on an old kernel.
  bool hides_residency = false;
  /// How often somebody asked how many pages are in memory.
  uint64_t residency_asked() const { return residency_asked_; }

  base::Result<cache_store::FileFacts> open(const std::string& path) override;
  base::Status allocate(uint64_t size) override;
  base::Result<const std::byte*> map(uint64_t size) override;
  base::Result<uint64_t> size() override;
  base::Status pread(uint64_t offset, std::span<std::byte> into) override;
  base::Status pwrite(uint64_t offset, std::span<const std::byte> bytes) override;
  base::Status pwrite_durable(uint64_t offset, std::span<const std::byte> bytes) override;
  base::Status sync() override;
  base::Status detach(uint64_t offset, uint64_t length) override;
  void populate(uint64_t, uint64_t) override {}
  std::optional<uint64_t> count_resident(uint64_t offset, uint64_t length) override;
  bool find_resident(uint64_t offset, std::span<unsigned char> pages) override;
  void release(uint64_t offset, uint64_t length) override;
  base::Status lock_memory() override;
  base::Status map_again(uint64_t offset, uint64_t length) override;
  int fd() const override { return -1; }

 private:
  std::optional<base::Error> refused(Op op, uint64_t offset = 0);
  void bring_in(uint64_t offset, uint64_t length);
  base::Status write(Op op, uint64_t offset, std::span<const std::byte> bytes);

  MemoryDisk& disk_;
  bool killed_ = false;
  uint64_t syncs_ = 0;
  uint64_t residency_asked_ = 0;
  std::set<uint64_t> evicted_;  ///< pages
};

}  // namespace perigee::test

#include "tests/sim/sim_disk.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstring>

namespace perigee::sim {

using base::Done;
using base::Status;

/// The door of one life of the process.
class SimDiskIo final : public cache_store::StoreIo {
 public:
  explicit SimDiskIo(SimDisk& disk) : disk_(disk) {}

  base::Result<cache_store::FileFacts> open(const std::string&) override {
    return cache_store::FileFacts{disk_.size_, 1, 1};
  }
  Status allocate(uint64_t size) override {
    if (disk_.alive_) disk_.resize(size);
    return Done{};
  }
  base::Result<const std::byte*> map(uint64_t) override {
    return static_cast<const std::byte*>(disk_.bytes_);
  }
  base::Result<uint64_t> size() override { return disk_.size_; }
  Status pread(uint64_t offset, std::span<std::byte> into) override {
    if (offset + into.size() > disk_.size_) {
      return base::Error{base::ErrorCode::kIo, 0, "the disk is shorter"};
    }
    std::copy_n(disk_.bytes_ + offset, into.size(), into.data());
    return Done{};
  }
  Status pwrite(uint64_t offset, std::span<const std::byte> bytes) override {
    disk_.write(offset, bytes, false);
    return Done{};
  }
  Status pwrite_durable(uint64_t offset, std::span<const std::byte> bytes) override {
    disk_.write(offset, bytes, true);
    return Done{};
  }
  Status sync() override {
    if (disk_.alive_) disk_.unsynced_.clear();
    return Done{};
  }
  Status detach(uint64_t offset, uint64_t length) override {
    const std::vector<std::byte> zeros(length);
    disk_.write(offset, zeros, false);
    return Done{};
  }
  void populate(uint64_t, uint64_t) override {}
  Status map_again(uint64_t, uint64_t) override { return Done{}; }
  int fd() const override { return -1; }

 private:
  SimDisk& disk_;
};

SimDisk::~SimDisk() {
  if (bytes_ != nullptr) munmap(bytes_, size_);
}

std::unique_ptr<cache_store::StoreIo> SimDisk::make_io() {
  alive_ = true;
  writes_left_ = -1;
  return std::make_unique<SimDiskIo>(*this);
}

/// Counts a write of a process that dies in the middle of its writes.
bool SimDisk::takes_write() {
  if (writes_left_ == 0) alive_ = false;
  if (writes_left_ > 0) --writes_left_;
  return alive_;
}

void SimDisk::resize(uint64_t size) {
  if (size == size_) return;
  std::byte* bytes = nullptr;
  if (size > 0) {
    void* made = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(made != MAP_FAILED);
    bytes = static_cast<std::byte*>(made);
    std::copy_n(bytes_, std::min(size, size_), bytes);
  }
  if (bytes_ != nullptr) munmap(bytes_, size_);
  bytes_ = bytes;
  size_ = size;
}

void SimDisk::write(uint64_t offset, std::span<const std::byte> bytes, bool durable) {
  if (!takes_write()) return;
  if (offset + bytes.size() > size_) resize(offset + bytes.size());
  std::byte* at = bytes_ + offset;
  if (!durable) {
    unsynced_.push_back({offset, {at, at + bytes.size()}, {bytes.begin(), bytes.end()}});
  }
  std::memcpy(at, bytes.data(), bytes.size());
}

void SimDisk::cut_power(Random& random) {
  alive_ = false;
  // What was written durably in between never overlaps these: the journal and the superblocks.
  for (auto it = unsynced_.rbegin(); it != unsynced_.rend(); ++it) {
    std::memcpy(bytes_ + it->offset, it->before.data(), it->before.size());
  }
  for (const Write& write : unsynced_) {
    if (random.chance(500)) {
      std::memcpy(bytes_ + write.offset, write.after.data(), write.after.size());
    }
  }
  unsynced_.clear();
}

}  // namespace perigee::sim

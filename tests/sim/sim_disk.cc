#include "tests/sim/sim_disk.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstring>
#include <limits>

namespace perigee::sim {

using base::Done;
using base::Error;
using base::ErrorCode;
using base::Status;

namespace {

constexpr uint64_t kSector = 512;
constexpr uint64_t kPage = 4096;
constexpr size_t kRemembered = 12;
constexpr unsigned kGonePerMille = 20;       ///< pages that are not in memory
constexpr size_t kMostDamaged = 128 * 1024;  ///< a larger write makes a slab empty
/// Stands for the file where pages are lent; nobody else knows it.
constexpr int kDescriptor = std::numeric_limits<int>::max();

}  // namespace

/// Pages that a socket holds, and the file too until it gets new ones.
class SimDisk::Pages final : public LentPages {
 public:
  Pages(const SimDisk& disk, uint64_t begin, uint64_t size)
      : disk_(disk), offset(begin), length(size) {}
  std::string_view bytes() const override {
    if (detached_) return own_;
    return {reinterpret_cast<const char*>(disk_.bytes_ + offset), length};
  }
  void detach() {
    own_ = bytes();
    detached_ = true;
  }
  bool overlaps(uint64_t begin, uint64_t size) const {
    return !detached_ && offset < begin + size && begin < offset + length;
  }

 private:
  const SimDisk& disk_;
  std::string own_;
  bool detached_ = false;

 public:
  const uint64_t offset;
  const uint64_t length;
};

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
      return Error{ErrorCode::kIo, 0, "the disk is shorter"};
    }
    if (disk_.fails()) return Error{ErrorCode::kIo, 5, "a bad block"};
    std::copy_n(disk_.bytes_ + offset, into.size(), into.data());
    return Done{};
  }
  Status pwrite(uint64_t offset, std::span<const std::byte> bytes) override {
    return disk_.write(offset, bytes, false);
  }
  Status pwrite_durable(uint64_t offset, std::span<const std::byte> bytes) override {
    return disk_.write(offset, bytes, true);
  }
  Status sync() override { return disk_.sync(); }
  Status detach(uint64_t offset, uint64_t length) override { return disk_.detach(offset, length); }
  void populate(uint64_t, uint64_t) override {}
  /// Of a busy machine: of what is asked about, a page is gone now and then.
  std::optional<uint64_t> count_resident(uint64_t, uint64_t length) override {
    const uint64_t pages = (length + kPage - 1) / kPage;
    return disk_.page_goes() ? pages / 2 : pages;
  }
  bool find_resident(uint64_t, std::span<unsigned char> pages) override {
    for (unsigned char& page : pages) page = disk_.page_goes() ? 0 : 1;
    return true;
  }
  void release(uint64_t, uint64_t) override {}
  Status lock_memory() override { return Done{}; }
  Status map_again(uint64_t, uint64_t) override { return Done{}; }
  int fd() const override { return disk_.lends_ ? kDescriptor : -1; }
  std::optional<bool> keeps_lent_pages() const override { return disk_.lends_; }

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

bool SimDisk::fails() {
  ++uses_;
  if (!alive_ || !random_.chance(errors_per_mille)) return false;
  ++errors_;
  return true;
}

/// Where pages are lent, which is in some runs.
bool SimDisk::page_goes() { return lends_ && gone_.chance(kGonePerMille); }

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
  platter_.resize(size);
}

/// Into the pages, whole sectors of which are written back some time.
void SimDisk::put(uint64_t offset, std::span<const std::byte> bytes) {
  if (bytes.empty()) return;
  std::memcpy(bytes_ + offset, bytes.data(), bytes.size());
  const uint64_t begin = offset / kSector * kSector;
  const uint64_t end = std::min((offset + bytes.size() + kSector - 1) / kSector * kSector, size_);
  unsynced_.push_back({begin, {bytes_ + begin, bytes_ + end}});
  if (bytes.size() < 2 * kSector || bytes.size() > kMostDamaged) return;
  if (written_.size() == kRemembered) written_.erase(written_.begin());
  written_.emplace_back(begin, end - begin);
}

/// Sectors in the midst of what was written last are lost.
void SimDisk::damage() {
  for (int i = 0; i < 3 && !written_.empty(); ++i) {
    const auto& [offset, size] = written_[random_.below(written_.size())];
    const uint64_t at = offset + kSector * (1 + random_.below(size / kSector - 1));
    std::fill_n(platter_.begin() + static_cast<ptrdiff_t>(at), std::min(kSector, size_ - at),
                std::byte{0});
  }
}

Status SimDisk::write(uint64_t offset, std::span<const std::byte> bytes, bool durable) {
  const bool was_alive = alive_;
  const bool whole = takes_write();
  if (!whole && !was_alive) return Done{};
  if (offset + bytes.size() > size_) resize(offset + bytes.size());
  const bool error = whole && fails();
  if (!whole || error) {
    // Of what was not taken whole, some pages may be there.
    put(offset, bytes.first(std::min(bytes.size(), random_.below(4) * kPage)));
    if (!error) return Done{};
    return Error{random_.chance(300) ? ErrorCode::kNoSpace : ErrorCode::kIo, 5,
                 "the disk does not take it"};
  }
  put(offset, bytes);
  // The journal and the superblocks, which nothing else is written to.
  if (durable) {
    settle(unsynced_.back());
    unsynced_.pop_back();
  }
  return Done{};
}

void SimDisk::settle(const Write& write) {
  std::copy(write.after.begin(), write.after.end(),
            platter_.begin() + static_cast<ptrdiff_t>(write.offset));
}

Status SimDisk::sync() {
  if (!alive_) return Done{};
  const bool error = fails();
  for (const Write& write : unsynced_) {
    if (!error || random_.chance(500)) settle(write);
  }
  unsynced_.clear();
  if (error) return Error{ErrorCode::kIo, 5, "what was written cannot be written back"};
  return Done{};
}

Status SimDisk::detach(uint64_t offset, uint64_t length) {
  if (!takes_write()) return Done{};
  std::erase_if(lent_, [](const auto& pages) { return pages.expired(); });
  for (const auto& held : lent_) {
    const std::shared_ptr<Pages> pages = held.lock();
    if (!pages->overlaps(offset, length)) continue;
    pages->detach();
    ++detached_;
  }
  const std::vector<std::byte> zeros(length);
  put(offset, zeros);
  if (!fails()) return Done{};
  return Error{ErrorCode::kNoSpace, 28, "a detached slab cannot be allocated again"};
}

std::shared_ptr<LentPages> SimDisk::lend(uint64_t offset, uint64_t size) {
  CHECK(offset + size <= size_);
  auto pages = std::make_shared<Pages>(*this, offset, size);
  lent_.push_back(pages);
  return pages;
}

void SimDisk::cut_power(bool torn) {
  alive_ = false;
  for (const auto& held : lent_) {
    if (const std::shared_ptr<Pages> pages = held.lock()) pages->detach();
  }
  if (size_ == 0) return;
  // One sector that is missing does more harm than many: what is beside it looks good.
  const unsigned arriving = random_.pick(std::vector<unsigned>{500, 900, 950});
  for (const Write& write : unsynced_) {
    const bool arrives = random_.chance(500);
    for (uint64_t at = 0; at < write.after.size(); at += kSector) {
      const uint64_t size = std::min<uint64_t>(kSector, write.after.size() - at);
      if (torn ? random_.chance(arriving) : arrives) {
        std::copy_n(write.after.begin() + static_cast<ptrdiff_t>(at), size,
                    platter_.begin() + static_cast<ptrdiff_t>(write.offset + at));
      }
    }
  }
  unsynced_.clear();
  if (torn) damage();
  std::copy(platter_.begin(), platter_.end(), bytes_);
}

}  // namespace perigee::sim

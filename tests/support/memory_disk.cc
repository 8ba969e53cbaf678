#include "tests/support/memory_disk.h"

#include <sys/mman.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/check.h"

namespace perigee::test {

using base::Done;
using base::Error;
using base::ErrorCode;
using base::Status;

MemoryDisk::MemoryDisk(uint64_t most_bytes)
    : most_bytes_((most_bytes + kPage - 1) / kPage * kPage), touched_(most_bytes_ / kPage) {
  void* bytes =
      mmap(nullptr, most_bytes_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  CHECK(bytes != MAP_FAILED);
  bytes_ = static_cast<std::byte*>(bytes);
}

MemoryDisk::~MemoryDisk() { munmap(bytes_, most_bytes_); }

MemoryDisk::Image MemoryDisk::after_kill() const {
  Image image;
  image.size = size_;
  for (uint64_t page = 0; page < touched_.size(); ++page) {
    if (touched_[page]) std::memcpy(image.pages[page].data(), bytes_ + page * kPage, kPage);
  }
  return image;
}

MemoryDisk::Image MemoryDisk::after_power_cut(Cut cut, std::mt19937_64& chance) const {
  Image image = after_kill();
  const uint64_t moment = cut == Cut::kNothing ? 0 : chance() % (writes_ + 1);
  for (const auto& [number, versions] : unsettled_) {
    size_t chosen = 0;
    if (cut == Cut::kSectors) chosen = chance() % versions.size();
    if (cut == Cut::kPages) {
      // One choice a page, the same for its sectors.
      std::mt19937_64 page_chance(moment * 7919 + number * kSector / kPage);
      const uint64_t until = page_chance() % (writes_ + 1);
      while (chosen + 1 < versions.size() && versions[chosen + 1].write < until) ++chosen;
    }
    if (cut == Cut::kPrefix) {
      while (chosen + 1 < versions.size() && versions[chosen + 1].write < moment) ++chosen;
    }
    Page& page = image.pages[number * kSector / kPage];
    std::memcpy(page.data() + number * kSector % kPage, versions[chosen].bytes.data(), kSector);
  }
  return image;
}

void MemoryDisk::load(const Image& image) {
  for (uint64_t page = 0; page < touched_.size(); ++page) {
    if (touched_[page]) std::memset(bytes_ + page * kPage, 0, kPage);
    touched_[page] = false;
  }
  size_ = image.size;
  for (const auto& [page, bytes] : image.pages) {
    touched_[page] = true;
    std::memcpy(bytes_ + page * kPage, bytes.data(), kPage);
  }
  settle_all();
}

void MemoryDisk::resize(uint64_t size) {
  CHECK(size <= most_bytes_);
  // What is cut off reads as zeros when the file grows again. A length is metadata: it is ordered.
  for (uint64_t page = size / kPage; page < touched_.size() && size < size_; ++page) {
    if (!touched_[page]) continue;
    const uint64_t from = std::max(page * kPage, size);
    std::memset(bytes_ + from, 0, (page + 1) * kPage - from);
    settle(from, (page + 1) * kPage - from);
  }
  size_ = size;
}

const MemoryDisk::Sector& MemoryDisk::sector(uint64_t number) const {
  return *reinterpret_cast<const Sector*>(bytes_ + number * kSector);
}

void MemoryDisk::write(uint64_t offset, std::span<const std::byte> bytes) {
  if (bytes.empty()) return;
  CHECK(offset + bytes.size() <= most_bytes_);
  const uint64_t first = offset / kSector;
  const uint64_t last = (offset + bytes.size() - 1) / kSector;
  for (uint64_t number = first; number <= last; ++number) {
    std::vector<Version>& versions = unsettled_[number];
    if (versions.empty()) versions.push_back({0, sector(number)});
  }
  std::memcpy(bytes_ + offset, bytes.data(), bytes.size());
  for (uint64_t number = first; number <= last; ++number) {
    unsettled_[number].push_back({writes_, sector(number)});
    touched_[number * kSector / kPage] = true;
  }
  ++writes_;
  size_ = std::max(size_, offset + bytes.size());
}

void MemoryDisk::settle(uint64_t offset, uint64_t length) {
  if (length == 0) return;
  // Whole pages are written back, so their other sectors come along.
  const uint64_t first = offset / kPage * (kPage / kSector);
  const uint64_t end = ((offset + length - 1) / kPage + 1) * (kPage / kSector);
  unsettled_.erase(unsettled_.lower_bound(first), unsettled_.lower_bound(end));
}

void MemoryDisk::settle_all() {
  unsettled_.clear();
  writes_ = 0;
}

std::optional<Error> MemoryIo::refused(Op op, uint64_t offset) {
  if (killed_ || fail(op, offset)) return Error{ErrorCode::kIo, EIO, "the disk fails, as asked"};
  return std::nullopt;
}

base::Result<cache_store::FileFacts> MemoryIo::open(const std::string&) {
  if (const auto error = refused(Op::kOpen)) return *error;
  return cache_store::FileFacts{disk_.size(), 42, 1};
}

Status MemoryIo::allocate(uint64_t size) {
  if (const auto error = refused(Op::kAllocate)) return *error;
  disk_.resize(size);
  watch();
  return Done{};
}

base::Result<const std::byte*> MemoryIo::map(uint64_t) {
  if (const auto error = refused(Op::kMap)) return *error;
  return disk_.bytes();
}

base::Result<uint64_t> MemoryIo::size() {
  if (killed_) return *refused(Op::kRead);
  return disk_.size();
}

Status MemoryIo::pread(uint64_t offset, std::span<std::byte> into) {
  if (const auto error = refused(Op::kRead, offset)) return *error;
  if (offset + into.size() > disk_.size()) return Error{ErrorCode::kIo, 0, "the end of the file"};
  if (!into.empty()) std::memcpy(into.data(), disk_.bytes() + offset, into.size());
  bring_in(offset, into.size());
  return Done{};
}

Status MemoryIo::pwrite(uint64_t offset, std::span<const std::byte> bytes) {
  return write(Op::kWrite, offset, bytes);
}

Status MemoryIo::pwrite_durable(uint64_t offset, std::span<const std::byte> bytes) {
  return write(Op::kWriteDurable, offset, bytes);
}

Status MemoryIo::write(Op op, uint64_t offset, std::span<const std::byte> bytes) {
  if (const auto error = refused(op, offset)) {
    if (!killed_)
      disk_.write(offset, bytes.first(failed_writes_land ? bytes.size() : bytes.size() / 2));
    return *error;
  }
  if (lose(offset)) return Done{};
  bring_in(offset, bytes.size());
  if (bytes.size() > MemoryDisk::kPage) {
    // A process may be killed between two pages.
    disk_.write(offset, bytes.first(MemoryDisk::kPage));
    watch();
  }
  disk_.write(offset, bytes);
  watch();
  if (op != Op::kWriteDurable) return Done{};
  disk_.settle(offset, bytes.size());
  watch();
  return Done{};
}

Status MemoryIo::sync() {
  if (const auto error = refused(Op::kSync)) return *error;
  disk_.settle_all();
  ++syncs_;
  watch();
  return Done{};
}

Status MemoryIo::detach(uint64_t offset, uint64_t length) {
  if (const auto error = refused(Op::kDetach, offset)) return *error;
  disk_.write(offset, std::vector<std::byte>(length));
  watch();
  return Done{};
}

namespace {

/// All pages of which a range has a byte.
uint64_t end_page(uint64_t offset, uint64_t length) {
  return (offset + length + MemoryDisk::kPage - 1) / MemoryDisk::kPage;
}

}  // namespace

void MemoryIo::bring_in(uint64_t offset, uint64_t length) {
  if (evicted_.empty() || length == 0) return;
  evicted_.erase(evicted_.lower_bound(offset / MemoryDisk::kPage),
                 evicted_.lower_bound(end_page(offset, length)));
}

void MemoryIo::evict(uint64_t offset, uint64_t length) {
  for (uint64_t page = offset / MemoryDisk::kPage; page < end_page(offset, length); ++page) {
    evicted_.insert(page);
  }
}

std::optional<uint64_t> MemoryIo::count_resident(uint64_t offset, uint64_t length) {
  ++residency_asked_;
  if (hides_residency) return std::nullopt;
  const uint64_t first = offset / MemoryDisk::kPage;
  const uint64_t end = end_page(offset, length);
  const auto gone = std::distance(evicted_.lower_bound(first), evicted_.lower_bound(end));
  return end - first - static_cast<uint64_t>(gone);
}

bool MemoryIo::find_resident(uint64_t offset, std::span<unsigned char> pages) {
  if (hides_residency) return false;
  const uint64_t first = offset / MemoryDisk::kPage;
  for (size_t i = 0; i < pages.size(); ++i) pages[i] = evicted_.count(first + i) == 0 ? 1 : 0;
  return true;
}

/// Whole pages only.
void MemoryIo::release(uint64_t offset, uint64_t length) {
  const uint64_t end = (offset + length) / MemoryDisk::kPage;
  for (uint64_t page = (offset + MemoryDisk::kPage - 1) / MemoryDisk::kPage; page < end; ++page) {
    evicted_.insert(page);
  }
}

Status MemoryIo::lock_memory() {
  if (const auto error = refused(Op::kLockMemory)) return *error;
  return Done{};
}

Status MemoryIo::map_again(uint64_t offset, uint64_t) {
  if (const auto error = refused(Op::kMapAgain, offset)) return *error;
  return Done{};
}

}  // namespace perigee::test

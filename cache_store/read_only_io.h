// The door to a store file for tools that look at it: nothing through it changes the file, waits
// for a lock or keeps a node from taking its own.
#pragma once

#include "cache_store/store_io.h"

namespace perigee::cache_store {

/// Blocking; one thread. All that would write is refused with kUnsupported.
class ReadOnlyIo final : public StoreIo {
 public:
  ~ReadOnlyIo() override;

  /// kNotFound: there is no such file. kInvalid: it is no regular file.
  base::Result<FileFacts> open(const std::string& path) override;
  base::Result<uint64_t> size() override;
  base::Status pread(uint64_t offset, std::span<std::byte> into) override;
  int fd() const override { return fd_; }
  /// Whether a process holds the writer's lock now. It asks the kernel's list of locks: to try the
  /// lock could make a node fail that starts at this moment. A node that this process cannot see,
  /// such as one in another container, is not found.
  bool is_writer_there() const;

  base::Status allocate(uint64_t size) override;
  base::Result<const std::byte*> map(uint64_t size) override;
  base::Status pwrite(uint64_t offset, std::span<const std::byte> bytes) override;
  base::Status pwrite_durable(uint64_t offset, std::span<const std::byte> bytes) override;
  base::Status sync() override;
  base::Status detach(uint64_t offset, uint64_t length) override;
  void populate(uint64_t offset, uint64_t length) override;
  std::optional<uint64_t> count_resident(uint64_t offset, uint64_t length) override;
  bool find_resident(uint64_t offset, std::span<unsigned char> pages) override;
  void release(uint64_t offset, uint64_t length) override;
  base::Status lock_memory() override;
  base::Status map_again(uint64_t offset, uint64_t length) override;

 private:
  int fd_ = -1;
};

}  // namespace perigee::cache_store

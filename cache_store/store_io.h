// The store's door to its file. Blocking; tests put failing and forgetting makers in its place.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "base/result.h"

namespace perigee::cache_store {

/// What is known of the file when it has been opened and locked.
struct FileFacts {
  uint64_t size = 0;
  uint64_t inode = 0;
  int64_t birth_ns = 0;
};

class StoreIo {
 public:
  virtual ~StoreIo() = default;
  /// Opens or creates (mode 0600, missing folders 0700) and takes the writer's lock. Errors name
  /// the path. kForbidden: another process holds it. kInvalid: it is no regular file; nothing was
  /// opened.
  virtual base::Result<FileFacts> open(const std::string& path) = 0;
  /// Makes the file `size` bytes long with all blocks allocated. kNoSpace when the disk cannot; the
  /// file is then as long as it was.
  virtual base::Status allocate(uint64_t size) = 0;
  /// Maps all of it, shared and read-only; valid until this object is destroyed.
  virtual base::Result<const std::byte*> map(uint64_t size) = 0;
  /// How long the file is now: less than was mapped when somebody cut it short.
  virtual base::Result<uint64_t> size() = 0;
  /// How many bytes the file could have on its disk, with those that it has. nullopt: not known.
  virtual std::optional<uint64_t> room() { return std::nullopt; }
  /// All of `into`, or an error.
  virtual base::Status pread(uint64_t offset, std::span<std::byte> into) = 0;
  /// All of `bytes`, or an error. A file that was cut short is not made longer again: what was cut
  /// off would read as zeros.
  virtual base::Status pwrite(uint64_t offset, std::span<const std::byte> bytes) = 0;
  /// The same, on stable storage when it returns.
  virtual base::Status pwrite_durable(uint64_t offset, std::span<const std::byte> bytes) = 0;
  virtual base::Status sync() = 0;
  /// Gives the range new pages, zeroed; those lent to sockets live on there. kUnsupported: the file
  /// system cannot. kNoSpace: the range was punched and could not be allocated again.
  virtual base::Status detach(uint64_t offset, uint64_t length) = 0;
  /// A hint: the range will be read through the map soon, so its pages may be brought in at once.
  virtual void populate(uint64_t offset, uint64_t length) = 0;
  /// How many pages of a range of the file are in memory now: cheap for any length. nullopt: nobody
  /// can tell.
  virtual std::optional<uint64_t> count_resident(uint64_t offset, uint64_t length) = 0;
  /// Which ones: bit 0 of each of `pages` says whether that page is in memory, from the one at
  /// `offset` on, which is the begin of a page. False: nobody can tell.
  virtual bool find_resident(uint64_t offset, std::span<unsigned char> pages) = 0;
  /// A hint: whole pages of the range that nobody has mapped or written may leave memory.
  virtual void release(uint64_t offset, uint64_t length) = 0;
  /// Keeps all that was mapped in memory until this object is destroyed. kForbidden, with what the
  /// limit allows, when the system does not let this process.
  virtual base::Status lock_memory() = 0;
  /// Maps a range again over what a signal handler put there. Nobody may be reading it.
  virtual base::Status map_again(uint64_t offset, uint64_t length) = 0;
  /// For sendfile; -1: there is none.
  virtual int fd() const = 0;
  /// Whether pages on loan survive detach(). nullopt: nobody knows until it is tried.
  virtual std::optional<bool> keeps_lent_pages() const { return std::nullopt; }
};

/// The operating system's file.
std::unique_ptr<StoreIo> make_file_io();

/// The largest piece of a file that shares one page folio: lending needs slabs that are multiples
/// of it.
uint64_t largest_folio_bytes();

}  // namespace perigee::cache_store

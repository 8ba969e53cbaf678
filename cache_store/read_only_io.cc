#include "cache_store/read_only_io.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fstream>

namespace perigee::cache_store {

using base::Done;
using base::Error;
using base::ErrorCode;
using base::Status;

namespace {

Error refused() { return {ErrorCode::kUnsupported, 0, "the store file is opened for reading"}; }

Error failure(const std::string& path) {
  const int error = errno;
  const ErrorCode code = error == ENOENT || error == ENOTDIR ? ErrorCode::kNotFound
                         : error == EACCES                   ? ErrorCode::kForbidden
                                                             : ErrorCode::kIo;
  return {code, error, path + " cannot be opened: " + std::strerror(error)};
}

}  // namespace

ReadOnlyIo::~ReadOnlyIo() {
  if (fd_ >= 0) ::close(fd_);
}

base::Result<FileFacts> ReadOnlyIo::open(const std::string& path) {
  // Nothing is opened that is no file: to open a device may do something.
  struct stat kind {};
  if (::stat(path.c_str(), &kind) != 0) return failure(path);
  if (!S_ISREG(kind.st_mode)) {
    return Error{ErrorCode::kInvalid, 0, path + " is no file, so it is no store"};
  }
  fd_ = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  struct statx facts {};
  if (fd_ < 0 || ::statx(fd_, "", AT_EMPTY_PATH, STATX_BASIC_STATS | STATX_BTIME, &facts) != 0) {
    return failure(path);
  }
  if (!S_ISREG(facts.stx_mode)) {
    return Error{ErrorCode::kInvalid, 0, path + " is no file, so it is no store"};
  }
  // What is read once must not push what a node serves out of memory. Kernels before 6.3 take the
  // hint and do nothing.
  (void)::posix_fadvise(fd_, 0, 0, POSIX_FADV_NOREUSE);
  return FileFacts{facts.stx_size, facts.stx_ino,
                   static_cast<int64_t>(facts.stx_btime.tv_sec) * 1'000'000'000 +
                       static_cast<int64_t>(facts.stx_btime.tv_nsec)};
}

base::Result<uint64_t> ReadOnlyIo::size() {
  struct stat facts {};
  if (::fstat(fd_, &facts) != 0) return failure("the store file");
  return static_cast<uint64_t>(facts.st_size);
}

Status ReadOnlyIo::pread(uint64_t offset, std::span<std::byte> into) {
  while (!into.empty()) {
    const ssize_t n = ::pread(fd_, into.data(), into.size(), static_cast<off_t>(offset));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return Error{ErrorCode::kIo, errno, std::strerror(errno)};
    if (n == 0) return Error{ErrorCode::kIo, 0, "the file ends before"};
    into = into.subspan(static_cast<size_t>(n));
    offset += static_cast<uint64_t>(n);
  }
  return Done{};
}

/// A line is "1: FLOCK  ADVISORY  WRITE 1234 08:01:5678 0 EOF".
bool ReadOnlyIo::is_writer_there() const {
  struct stat facts {};
  if (::fstat(fd_, &facts) != 0) return false;
  std::ifstream locks("/proc/locks");
  for (std::string line; std::getline(locks, line);) {
    unsigned device_major = 0;
    unsigned device_minor = 0;
    unsigned long inode = 0;
    const bool locked = std::sscanf(line.c_str(), "%*d: FLOCK %*s WRITE %*d %x:%x:%lu",
                                    &device_major, &device_minor, &inode) == 3 &&
                        inode == facts.st_ino;
    // Where stat() names a device that is none, the list names another one.
    const bool same_device = major(facts.st_dev) == 0 || (device_major == major(facts.st_dev) &&
                                                          device_minor == minor(facts.st_dev));
    if (locked && same_device) return true;
  }
  return false;
}

Status ReadOnlyIo::allocate(uint64_t) { return refused(); }
base::Result<const std::byte*> ReadOnlyIo::map(uint64_t) { return refused(); }
Status ReadOnlyIo::pwrite(uint64_t, std::span<const std::byte>) { return refused(); }
Status ReadOnlyIo::pwrite_durable(uint64_t, std::span<const std::byte>) { return refused(); }
Status ReadOnlyIo::sync() { return refused(); }
Status ReadOnlyIo::detach(uint64_t, uint64_t) { return refused(); }
void ReadOnlyIo::populate(uint64_t, uint64_t) {}
std::optional<uint64_t> ReadOnlyIo::count_resident(uint64_t, uint64_t) { return std::nullopt; }
bool ReadOnlyIo::find_resident(uint64_t, std::span<unsigned char>) { return false; }
void ReadOnlyIo::release(uint64_t, uint64_t) {}
Status ReadOnlyIo::lock_memory() { return refused(); }
Status ReadOnlyIo::map_again(uint64_t, uint64_t) { return refused(); }

}  // namespace perigee::cache_store

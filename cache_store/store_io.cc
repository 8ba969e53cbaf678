#include "cache_store/store_io.h"

#include <fcntl.h>
#include <linux/falloc.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <vector>

#include "cache_store/format.h"

namespace perigee::cache_store {
namespace {

using base::Done;
using base::Error;
using base::ErrorCode;
using base::Status;

Error os_failure(const char* what) {
  const int error = errno;
  const bool full = error == ENOSPC || error == EDQUOT || error == EFBIG;
  const bool lacking = error == EOPNOTSUPP || error == ENOSYS;
  const ErrorCode code = full      ? ErrorCode::kNoSpace
                         : lacking ? ErrorCode::kUnsupported
                                   : ErrorCode::kIo;
  return {code, error, std::string(what) + ": " + std::strerror(error)};
}

Error open_failure(const std::string& path, const char* what) {
  const Error error = os_failure(what);
  return {error.code, error.os_error,
          "the store file " + path + " cannot be " + what + ": " + std::strerror(error.os_error)};
}

/// Those that lead to `path` and are not there, for their owner alone, whatever the umask says.
/// What cannot be made shows when the file is opened.
void make_folders(const std::string& path) {
  for (size_t slash = path.find('/', 1); slash != std::string::npos;
       slash = path.find('/', slash + 1)) {
    const std::string folder = path.substr(0, slash);
    if (::mkdir(folder.c_str(), 0700) == 0) ::chmod(folder.c_str(), 0700);
  }
}

/// Nothing is opened that is no file: to open a device may do something, and a FIFO waits.
Status check_kind(const std::string& path, const struct stat& facts) {
  if (S_ISREG(facts.st_mode)) return Done{};
  const char* kind = S_ISDIR(facts.st_mode)    ? "a folder"
                     : S_ISFIFO(facts.st_mode) ? "a FIFO"
                     : S_ISSOCK(facts.st_mode) ? "a socket"
                                               : "a device";
  return Error{ErrorCode::kInvalid, 0,
               path + " is " + kind + " and no file: name a file for the store"};
}

// cachestat came with Linux 6.5, and the headers of older systems lack it. This is the kernel's
// ABI.
constexpr long kCachestatCall = 451;
struct CachestatRange {
  uint64_t offset;
  uint64_t length;
};
struct Cachestat {
  uint64_t cached;  ///< pages in memory
  uint64_t dirty;
  uint64_t writeback;
  uint64_t evicted;
  uint64_t recently_evicted;
};
static_assert(sizeof(CachestatRange) == 16 && sizeof(Cachestat) == 40);

uint64_t pages_of(uint64_t bytes) { return (bytes + format::kPage - 1) / format::kPage; }

class FileIo final : public StoreIo {
 public:
  ~FileIo() override {
    if (map_ != nullptr) ::munmap(map_, map_size_);
    if (fd_ >= 0) ::close(fd_);
  }

  base::Result<FileFacts> open(const std::string& path) override {
    make_folders(path);
    const Status taken = take(path);
    if (!taken.ok()) return taken.error();
    struct statx facts {};
    if (::statx(fd_, "", AT_EMPTY_PATH, STATX_BASIC_STATS | STATX_BTIME, &facts) != 0) {
      return open_failure(path, "examined");
    }
    FileFacts result;
    result.size = facts.stx_size;
    result.inode = facts.stx_ino;
    result.birth_ns = static_cast<int64_t>(facts.stx_btime.tv_sec) * 1'000'000'000 +
                      static_cast<int64_t>(facts.stx_btime.tv_nsec);
    return result;
  }
  Status allocate(uint64_t size) override {
    struct stat before {};
    if (::fstat(fd_, &before) != 0) return os_failure("the store file cannot be examined");
    const auto wanted = static_cast<off_t>(size);
    if (before.st_size > wanted && ::ftruncate(fd_, wanted) != 0) {
      return os_failure("the store file cannot be sized");
    }
    // Not posix_fallocate: its emulation writes every block in silence.
    if (size == 0 || ::fallocate(fd_, 0, 0, wanted) == 0) return Done{};
    const Error error = os_failure("the store file cannot be allocated");
    // The blocks that were had go back: the disk is full enough.
    [[maybe_unused]] const int given_back = ::ftruncate(fd_, std::min(before.st_size, wanted));
    return error;
  }
  base::Result<const std::byte*> map(uint64_t size) override {
    void* map = ::mmap(nullptr, size, PROT_READ, MAP_SHARED, fd_, 0);
    if (map == MAP_FAILED) return os_failure("the store file cannot be mapped");
    map_ = map;
    map_size_ = size;
    return static_cast<const std::byte*>(map_);
  }
  base::Result<uint64_t> size() override {
    struct stat facts {};
    if (::fstat(fd_, &facts) != 0) return os_failure("the store file cannot be examined");
    return static_cast<uint64_t>(facts.st_size);
  }
  std::optional<uint64_t> room() override {
    struct stat facts {};
    struct statvfs disk {};
    if (::fstat(fd_, &facts) != 0 || ::fstatvfs(fd_, &disk) != 0) return std::nullopt;
    constexpr uint64_t kBlockBytes = 512;  // of st_blocks, whatever the disk has
    return static_cast<uint64_t>(facts.st_blocks) * kBlockBytes +
           uint64_t{disk.f_bavail} * disk.f_frsize;
  }
  Status pread(uint64_t offset, std::span<std::byte> into) override {
    while (!into.empty()) {
      const ssize_t n = ::pread(fd_, into.data(), into.size(), static_cast<off_t>(offset));
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) return os_failure("the store file cannot be read");
      if (n == 0) return Error{ErrorCode::kIo, 0, "the store file is shorter than it was"};
      into = into.subspan(static_cast<size_t>(n));
      offset += static_cast<uint64_t>(n);
    }
    return Done{};
  }
  Status pwrite(uint64_t offset, std::span<const std::byte> bytes) override {
    return write(offset, bytes, 0);
  }
  Status pwrite_durable(uint64_t offset, std::span<const std::byte> bytes) override {
    return write(offset, bytes, RWF_DSYNC);
  }
  Status sync() override {
    if (::fdatasync(fd_) != 0) return os_failure("the store file cannot be synced");
    return Done{};
  }
  Status detach(uint64_t offset, uint64_t length) override {
    const Status whole = check_length();
    if (!whole.ok()) return whole;
    const auto at = static_cast<off_t>(offset);
    const auto size = static_cast<off_t>(length);
    if (::fallocate(fd_, FALLOC_FL_ZERO_RANGE, at, size) == 0) return Done{};
    if (errno != EOPNOTSUPP) return os_failure("a slab cannot be detached");
    if (::fallocate(fd_, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, at, size) != 0) {
      return os_failure("a slab cannot be detached");
    }
    if (::fallocate(fd_, 0, at, size) == 0) return Done{};
    Error error = os_failure("a detached slab cannot be allocated again");
    error.code = ErrorCode::kNoSpace;
    return error;
  }
  void populate(uint64_t offset, uint64_t length) override {
    void* at = static_cast<std::byte*>(map_) + offset;
    // Older kernels lack it; pages are then brought in one by one as they are touched.
    [[maybe_unused]] const int done = ::madvise(at, length, MADV_POPULATE_READ);
  }
  std::optional<uint64_t> count_resident(uint64_t offset, uint64_t length) override {
    // To the kernel a length of 0 is all that follows.
    if (length == 0) return 0;
    CachestatRange range{offset, length};
    Cachestat found{};
    if (::syscall(kCachestatCall, fd_, &range, &found, 0) == 0) return found.cached;
    const uint64_t first = offset / format::kPage;
    std::vector<unsigned char> pages(pages_of(offset + length) - first);
    if (!find_resident(first * format::kPage, pages)) return std::nullopt;
    return static_cast<uint64_t>(
        std::count_if(pages.begin(), pages.end(), [](auto page) { return (page & 1) != 0; }));
  }
  bool find_resident(uint64_t offset, std::span<unsigned char> pages) override {
    if (offset + pages.size() * format::kPage > pages_of(map_size_) * format::kPage) return false;
    void* at = static_cast<std::byte*>(map_) + offset;
    return ::mincore(at, pages.size() * format::kPage, pages.data()) == 0;
  }
  void release(uint64_t offset, uint64_t length) override {
    (void)::posix_fadvise(fd_, static_cast<off_t>(offset), static_cast<off_t>(length),
                          POSIX_FADV_DONTNEED);
  }
  Status lock_memory() override {
    // Not mlock(), which does nothing under sanitizers.
    if (::mlock2(map_, map_size_, 0) == 0) {
      locked_ = true;
      return Done{};
    }
    const int error = errno;
    rlimit limit{};
    (void)::getrlimit(RLIMIT_MEMLOCK, &limit);
    return Error{ErrorCode::kForbidden, error,
                 "the store cannot be locked in memory: it takes " + std::to_string(map_size_) +
                     " bytes, and RLIMIT_MEMLOCK allows " + std::to_string(limit.rlim_cur) + ": " +
                     std::strerror(error)};
  }
  Status map_again(uint64_t offset, uint64_t length) override {
    void* at = static_cast<std::byte*>(map_) + offset;
    const int flags = MAP_SHARED | MAP_FIXED;
    if (::mmap(at, length, PROT_READ, flags, fd_, static_cast<off_t>(offset)) == MAP_FAILED) {
      return os_failure("a slab cannot be mapped again");
    }
    if (locked_ && ::mlock2(at, length, 0) != 0) return os_failure("a slab cannot be locked again");
    return Done{};
  }
  int fd() const override { return fd_; }

 private:
  /// Opens the file, or makes it, and locks it.
  Status take(const std::string& path) {
    struct stat facts {};
    if (::stat(path.c_str(), &facts) == 0) {
      const Status kind = check_kind(path, facts);
      if (!kind.ok()) return kind;
    }
    constexpr int kFlags = O_RDWR | O_CREAT | O_CLOEXEC | O_NONBLOCK | O_NOCTTY;
    fd_ = ::open(path.c_str(), kFlags | O_EXCL, 0600);
    const bool made = fd_ >= 0;
    if (!made && errno == EEXIST) fd_ = ::open(path.c_str(), kFlags, 0600);
    if (fd_ < 0) return open_failure(path, "opened");
    // Whatever the umask says.
    if (made) ::fchmod(fd_, 0600);
    if (::fstat(fd_, &facts) != 0) return open_failure(path, "examined");
    const Status kind = check_kind(path, facts);
    if (!kind.ok()) return kind;
    if (::flock(fd_, LOCK_EX | LOCK_NB) == 0) return Done{};
    return Error{ErrorCode::kForbidden, errno,
                 "the store file " + path + " is in use by another perigee"};
  }
  Status check_length() {
    const base::Result<uint64_t> length = size();
    if (!length.ok()) return length.error();
    if (*length >= map_size_) return Done{};
    return Error{ErrorCode::kIo, 0, "the store file was cut short"};
  }
  Status write(uint64_t offset, std::span<const std::byte> bytes, int flags) {
    const Status whole = check_length();
    if (!whole.ok()) return whole;
    while (!bytes.empty()) {
      iovec piece{const_cast<std::byte*>(bytes.data()), bytes.size()};
      const ssize_t n = ::pwritev2(fd_, &piece, 1, static_cast<off_t>(offset), flags);
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) return os_failure("the store file cannot be written");
      if (n == 0) return Error{ErrorCode::kIo, 0, "the store file takes no bytes"};
      bytes = bytes.subspan(static_cast<size_t>(n));
      offset += static_cast<uint64_t>(n);
    }
    return Done{};
  }

  int fd_ = -1;
  void* map_ = nullptr;
  uint64_t map_size_ = 0;
  bool locked_ = false;  ///< in memory
};

}  // namespace

std::unique_ptr<StoreIo> make_file_io() { return std::make_unique<FileIo>(); }

uint64_t largest_folio_bytes() {
  std::ifstream file("/sys/kernel/mm/transparent_hugepage/hpage_pmd_size");
  uint64_t bytes = 0;
  return file >> bytes && bytes > 0 ? bytes : 2 * 1024 * 1024;
}

}  // namespace perigee::cache_store

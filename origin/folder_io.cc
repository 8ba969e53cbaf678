#include "origin/folder_io.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace perigee::origin {
namespace {

using base::Error;
using base::ErrorCode;

Error failure(int error) {
  const bool missing = error == ENOENT || error == ENOTDIR || error == ENAMETOOLONG;
  // ENXIO and ENODEV: a socket, or a device that nobody drives.
  const bool forbidden = error == EACCES || error == EPERM || error == EXDEV || error == ELOOP ||
                         error == ENXIO || error == ENODEV;
  const ErrorCode code = missing     ? ErrorCode::kNotFound
                         : forbidden ? ErrorCode::kForbidden
                                     : ErrorCode::kIo;
  return {code, error, std::strerror(error)};
}

FileInfo info_of(const struct stat& status) {
  FileInfo info;
  info.size = static_cast<uint64_t>(status.st_size);
  info.modified_ms = int64_t{status.st_mtim.tv_sec} * 1000 + status.st_mtim.tv_nsec / 1'000'000;
  info.modified_ns = status.st_mtim.tv_nsec % 1'000'000;
  info.inode = status.st_ino;
  info.directory = S_ISDIR(status.st_mode);
  return info;
}

class File final : public FolderFile {
 public:
  File(int fd, const struct stat& status) : fd_(fd), info_(info_of(status)) {}
  ~File() override { ::close(fd_); }
  const FileInfo& info() const override { return info_; }
  base::Result<size_t> read(uint64_t offset, std::span<std::byte> into) override {
    size_t done = 0;
    while (done < into.size()) {
      const ssize_t n =
          ::pread(fd_, into.data() + done, into.size() - done, static_cast<off_t>(offset + done));
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) return failure(errno);
      if (n == 0) break;
      done += static_cast<size_t>(n);
    }
    return done;
  }
  bool unchanged() override {
    struct stat status {};
    if (::fstat(fd_, &status) != 0) return false;
    const FileInfo now = info_of(status);
    const bool same_time =
        now.modified_ms == info_.modified_ms && now.modified_ns == info_.modified_ns;
    return now.size > info_.size || (same_time && now.size == info_.size);
  }

 private:
  const int fd_;
  const FileInfo info_;
};

class Folder final : public FolderIo {
 public:
  explicit Folder(int fd) : fd_(fd) {}
  ~Folder() override { ::close(fd_); }
  base::Result<std::unique_ptr<FolderFile>> open(std::string_view relative_path) override {
    const std::string path = relative_path.empty() ? "." : std::string(relative_path);
    open_how how{};
    // Neither a FIFO nor a device holds a thread of the pool, and no terminal becomes ours.
    how.flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY;
    // The kernel refuses whatever would lead out: `..`, absolute paths, symlinks to elsewhere.
    how.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS;
    const long opened = ::syscall(SYS_openat2, fd_, path.c_str(), &how, sizeof how);
    if (opened < 0) return failure(errno);
    const int fd = static_cast<int>(opened);
    struct stat status {};
    if (::fstat(fd, &status) != 0) {
      const int error = errno;
      ::close(fd);
      return failure(error);
    }
    if (!S_ISREG(status.st_mode) && !S_ISDIR(status.st_mode)) {
      ::close(fd);
      return Error{ErrorCode::kForbidden, 0, "neither a file nor a folder"};
    }
    return std::unique_ptr<FolderFile>(std::make_unique<File>(fd, status));
  }

 private:
  const int fd_;
};

}  // namespace

base::Result<std::unique_ptr<FolderIo>> open_folder(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) {
    Error error = failure(errno);
    error.message = "the folder " + path + " cannot be opened: " + error.message;
    return error;
  }
  return std::unique_ptr<FolderIo>(std::make_unique<Folder>(fd));
}

}  // namespace perigee::origin

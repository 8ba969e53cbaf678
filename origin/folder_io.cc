#include "origin/folder_io.h"

#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <optional>
#include <utility>

#include "base/limits.h"

namespace perigee::origin {
namespace {

using base::Error;
using base::ErrorCode;

// Neither a FIFO nor a device holds a thread of the pool, and no terminal becomes ours.
constexpr uint64_t kReadFlags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY;
// Only a name for what is there: nothing is opened.
constexpr uint64_t kNameFlags = O_PATH | O_CLOEXEC;

bool is_missing(int error) { return error == ENOENT || error == ENOTDIR || error == ENAMETOOLONG; }

Error failure(int error) {
  // ENXIO and ENODEV: a socket, or a device that nobody drives.
  const bool forbidden = error == EACCES || error == EPERM || error == EXDEV || error == ELOOP ||
                         error == ENXIO || error == ENODEV;
  const ErrorCode code = is_missing(error) ? ErrorCode::kNotFound
                         : forbidden       ? ErrorCode::kForbidden
                                           : ErrorCode::kIo;
  return {code, error, std::strerror(error)};
}

/// A descriptor that is closed with it.
class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  int get() const { return fd_; }
  bool is_open() const { return fd_ >= 0; }

 private:
  int fd_;
};

FileInfo info_of(const struct stat& status) {
  FileInfo info;
  info.size = static_cast<uint64_t>(status.st_size);
  info.modified_ms = int64_t{status.st_mtim.tv_sec} * 1000 + status.st_mtim.tv_nsec / 1'000'000;
  info.modified_ns = status.st_mtim.tv_nsec % 1'000'000;
  info.changed_ms = int64_t{status.st_ctim.tv_sec} * 1000 + status.st_ctim.tv_nsec / 1'000'000;
  info.changed_ns = status.st_ctim.tv_nsec % 1'000'000;
  info.device = status.st_dev;
  info.inode = status.st_ino;
  info.directory = S_ISDIR(status.st_mode);
  return info;
}

class File final : public FolderFile {
 public:
  File(Descriptor fd, const struct stat& status) : fd_(std::move(fd)), info_(info_of(status)) {}
  const FileInfo& info() const override { return info_; }
  base::Result<size_t> read(uint64_t offset, std::span<std::byte> into) override {
    size_t done = 0;
    while (done < into.size()) {
      const ssize_t n = ::pread(fd_.get(), into.data() + done, into.size() - done,
                                static_cast<off_t>(offset + done));
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) return failure(errno);
      if (n == 0) break;
      done += static_cast<size_t>(n);
    }
    return done;
  }
  bool unchanged() override {
    struct stat status {};
    if (::fstat(fd_.get(), &status) != 0) return false;
    const FileInfo now = info_of(status);
    const bool same_time =
        now.modified_ms == info_.modified_ms && now.modified_ns == info_.modified_ns;
    return now.size > info_.size || (same_time && now.size == info_.size);
  }

 private:
  const Descriptor fd_;
  const FileInfo info_;
};

/// Never leads out by its own text, whatever the kernel is asked to allow.
bool stays_below(std::string_view path) {
  if (path.starts_with('/')) return false;
  while (!path.empty()) {
    const size_t end = std::min(path.find('/'), path.size());
    if (path.substr(0, end) == "..") return false;
    path.remove_prefix(std::min(end + 1, path.size()));
  }
  return true;
}

Descriptor open_at(const Descriptor& folder, const std::string& path, uint64_t flags,
                   uint64_t resolve) {
  open_how how{};
  how.flags = flags;
  how.resolve = resolve | RESOLVE_NO_MAGICLINKS;
  // EAGAIN: something was renamed, anywhere, while a link with `..` was followed.
  long fd = -1;
  for (size_t tries = 0; tries < base::limits::kFolderRaces && fd < 0; ++tries) {
    fd = ::syscall(SYS_openat2, folder.get(), path.c_str(), &how, sizeof how);
    if (fd < 0 && errno != EAGAIN) break;
  }
  return Descriptor(static_cast<int>(fd));
}

/// Where the file system has it; empty when that cannot be said.
std::string real_path(const Descriptor& fd) {
  char text[PATH_MAX];
  const std::string link = "/proc/self/fd/" + std::to_string(fd.get());
  const ssize_t size = ::readlink(link.c_str(), text, sizeof text);
  return size > 0 && size < ssize_t{sizeof text} ? std::string(text, static_cast<size_t>(size))
                                                 : std::string();
}

class Folder final : public FolderIo {
 public:
  Folder(Descriptor fd, const FolderPlaceOptions& options) : fd_(std::move(fd)), options_(options) {
    known_ = ::fstat(fd_.get(), &status_) == 0;
  }
  base::Result<std::unique_ptr<FolderFile>> open(std::string_view relative_path) override {
    if (!stays_below(relative_path)) return failure(EXDEV);
    const std::string path = relative_path.empty() ? "." : std::string(relative_path);
    // The kernel refuses whatever would lead out, and every absolute link.
    Descriptor fd = open_at(fd_, path, kReadFlags, options_.follow_links ? 0 : RESOLVE_BENEATH);
    int error = fd.is_open() ? 0 : errno;
    if (error == EXDEV) fd = open_where_it_leads(path, error);
    if (!fd.is_open()) return failure(error);
    struct stat status {};
    if (::fstat(fd.get(), &status) != 0) return failure(errno);
    if (!S_ISREG(status.st_mode) && !S_ISDIR(status.st_mode)) {
      return Error{ErrorCode::kForbidden, 0, "neither a file nor a folder"};
    }
    return std::unique_ptr<FolderFile>(std::make_unique<File>(std::move(fd), status));
  }
  bool replaced() override {
    struct stat now {};
    return !known_ || ::stat(options_.path.c_str(), &now) != 0 || now.st_dev != status_.st_dev ||
           now.st_ino != status_.st_ino;
  }

 private:
  Descriptor open_where_it_leads(const std::string& path, int& error) const;
  std::optional<std::string> below(const Descriptor& place) const;
  bool misses_inside(const std::string& path) const;

  const Descriptor fd_;
  const FolderPlaceOptions& options_;
  struct stat status_ {};
  bool known_ = false;
};

/// For a path with an absolute link, or one that leaves the folder and comes back. What it names is
/// found first, and then opened by its place in the folder, beneath the folder and without a link.
/// So whatever is changed in between, nothing outside is opened.
Descriptor Folder::open_where_it_leads(const std::string& path, int& error) const {
  const Descriptor named = open_at(fd_, path, kNameFlags, 0);
  if (!named.is_open()) {
    error = is_missing(errno) && misses_inside(path) ? ENOENT : EXDEV;
    return Descriptor(-1);
  }
  const std::optional<std::string> place = below(named);
  if (!place) return Descriptor(-1);
  Descriptor fd = open_at(fd_, *place, kReadFlags, RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS);
  if (!fd.is_open()) error = errno;
  return fd;
}

/// The path of a place in this folder, relative to it; nullopt: it lies outside.
std::optional<std::string> Folder::below(const Descriptor& place) const {
  const std::string folder = real_path(fd_);
  const std::string path = real_path(place);
  if (!folder.starts_with('/') || !path.starts_with(folder)) return std::nullopt;
  if (path.size() == folder.size()) return ".";
  if (folder.size() == 1) return path.substr(1);
  if (path[folder.size()] != '/') return std::nullopt;
  return path.substr(folder.size() + 1);
}

/// Of a path that leads to nothing: as far as it leads somewhere, it leads into this folder. A link
/// to nothing leads nowhere: nobody is told what there is outside.
bool Folder::misses_inside(const std::string& path) const {
  std::optional<std::string> last = ".";
  for (size_t end = 0; end < path.size();) {
    end = std::min(path.find('/', end + 1), path.size());
    const std::string part = path.substr(0, end);
    const Descriptor named = open_at(fd_, part, kNameFlags, 0);
    if (!named.is_open()) {
      const bool is_link = open_at(fd_, part, kNameFlags | O_NOFOLLOW, 0).is_open();
      return last && !is_link;
    }
    last = below(named);
  }
  // Somebody made it meanwhile.
  return last.has_value();
}

class Place final : public FolderPlace {
 public:
  explicit Place(FolderPlaceOptions options) : options_(std::move(options)) {}
  base::Result<std::unique_ptr<FolderIo>> open() const override {
    Descriptor fd(::open(options_.path.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (!fd.is_open()) {
      Error error = failure(errno);
      error.message = "the folder " + options_.path + " cannot be opened: " + error.message;
      return error;
    }
    return std::unique_ptr<FolderIo>(std::make_unique<Folder>(std::move(fd), options_));
  }

 private:
  const FolderPlaceOptions options_;
};

}  // namespace

std::unique_ptr<FolderPlace> make_folder_place(FolderPlaceOptions options) {
  return std::make_unique<Place>(std::move(options));
}

}  // namespace perigee::origin

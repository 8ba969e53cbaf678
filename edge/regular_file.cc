#include "edge/regular_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

namespace perigee::edge {

using base::Error;
using base::ErrorCode;

namespace {

Error failure(const std::string& path) {
  const int error = errno;
  return {ErrorCode::kIo, error, path + ": cannot be read: " + std::strerror(error)};
}

base::Status check_kind(const std::string& path, mode_t mode) {
  if (S_ISREG(mode)) return base::Done{};
  const char* kind = S_ISDIR(mode)    ? "a folder"
                     : S_ISFIFO(mode) ? "a FIFO"
                     : S_ISSOCK(mode) ? "a socket"
                                      : "a device";
  return Error{ErrorCode::kInvalid, 0, path + ": is " + kind + ", not a file"};
}

/// Closes a descriptor at the end of its scope.
struct Descriptor {
  ~Descriptor() {
    if (fd >= 0) ::close(fd);
  }
  const int fd;
};

}  // namespace

base::Status check_regular_file(const std::string& path) {
  struct stat facts {};
  if (::stat(path.c_str(), &facts) != 0) return failure(path);
  return check_kind(path, facts.st_mode);
}

base::Result<std::string> read_regular_file(const std::string& path, size_t most) {
  // Before it is opened: to open a device may do something.
  base::Status kind = check_regular_file(path);
  if (!kind.ok()) return kind.error();
  const Descriptor file{::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)};
  struct stat facts {};
  if (file.fd < 0 || ::fstat(file.fd, &facts) != 0) return failure(path);
  kind = check_kind(path, facts.st_mode);
  if (!kind.ok()) return kind.error();
  std::string content(most + 1, '\0');
  size_t size = 0;
  while (size < content.size()) {
    const ssize_t n = ::read(file.fd, content.data() + size, content.size() - size);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return failure(path);
    if (n == 0) break;
    size += static_cast<size_t>(n);
  }
  if (size > most) {
    return Error{ErrorCode::kInvalid, 0,
                 path + ": is larger than " + std::to_string(most) + " bytes"};
  }
  content.resize(size);
  return content;
}

std::string folder_for(const std::string& path) {
  std::filesystem::path folder = std::filesystem::absolute(path).parent_path();
  struct stat facts {};
  while (::stat(folder.c_str(), &facts) != 0 && (errno == ENOENT || errno == ENOTDIR)) {
    folder = folder.parent_path();
  }
  return folder.string();
}

}  // namespace perigee::edge

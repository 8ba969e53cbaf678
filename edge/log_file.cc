#include "edge/log_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <system_error>
#include <utility>

#include "base/limits.h"

namespace perigee::edge {

namespace {

constexpr size_t kWriteBytes = 16 * base::limits::kKiB;  ///< so much is written at once

/// Never waits: not for the reader of a FIFO when it is opened, and not for it to read.
int open_file(const std::string& path) {
  constexpr int kFlags = O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NONBLOCK | O_NOCTTY;
  const int fd = ::open(path.c_str(), kFlags, 0666);
  if (fd >= 0 || errno != ENOENT) return fd;
  std::error_code ignored;
  std::filesystem::create_directories(std::filesystem::path(path).parent_path(), ignored);
  return ::open(path.c_str(), kFlags, 0666);
}

std::string reason(int error) {
  return error == ENXIO ? "nobody reads from it" : std::strerror(error);
}

}  // namespace

base::Result<std::unique_ptr<LogFile>> LogFile::open(const std::string& path, Tell tell) {
  const int fd = open_file(path);
  if (fd >= 0) return std::unique_ptr<LogFile>(new LogFile(path, fd, std::move(tell)));
  const int error = errno;
  return base::Error{base::ErrorCode::kIo, error,
                     "the access log " + path + " cannot be opened: " + reason(error)};
}

LogFile::LogFile(std::string path, int fd, Tell tell)
    : path_(std::move(path)), tell_(std::move(tell)), fd_(fd) {}

LogFile::~LogFile() {
  flush();
  ::close(fd_);
}

void LogFile::append(std::string_view line) {
  if (wants_reopen_.load(std::memory_order_relaxed)) reopen_now();
  const bool room = kept_.size() + line.size() <= base::limits::kAccessLogBytes;
  if (!room) {
    ++lost_;
    return;
  }
  kept_.append(line);
  // While the file takes nothing, it is asked at each flush() only.
  if (kept_.size() >= kWriteBytes && !told_) write_out();
}

void LogFile::flush() {
  if (wants_reopen_.load(std::memory_order_relaxed)) reopen_now();
  write_out();
}

void LogFile::reopen_now() {
  wants_reopen_.store(false, std::memory_order_relaxed);
  write_out();
  const int fd = open_file(path_);
  if (fd < 0) {
    return tell_("the access log " + path_ + " cannot be opened again: " + reason(errno) +
                 "; the file that is open is still written to");
  }
  ::close(std::exchange(fd_, fd));
  // A line that the old file has in part is written whole.
  written_ = 0;
}

/// True: nothing is kept any more.
bool LogFile::write_out() {
  while (!kept_.empty()) {
    const ssize_t n = ::write(fd_, kept_.data() + written_, kept_.size() - written_);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) {
      on_failure(n < 0 ? errno : ENOSPC);
      return false;
    }
    written_ += static_cast<size_t>(n);
    // What lies behind the last end of a line that was written has been begun.
    const size_t end = std::string_view(kept_).substr(0, written_).rfind('\n');
    if (end == std::string_view::npos) continue;
    kept_.erase(0, end + 1);
    written_ -= end + 1;
  }
  if (told_ || lost_ > 0) {
    tell_("the access log " + path_ + " is written again; " + std::to_string(lost_) +
          " lines were lost");
  }
  told_ = false;
  lost_ = 0;
  return true;
}

void LogFile::on_failure(int error) {
  // Whoever reads from a pipe may be slow: nothing is lost yet.
  const bool slow = error == EAGAIN && lost_ == 0;
  if (slow || std::exchange(told_, true)) return;
  tell_("the access log " + path_ + " cannot be written: " + reason(error) +
        "; lines are kept for as long as there is room for them");
}

}  // namespace perigee::edge

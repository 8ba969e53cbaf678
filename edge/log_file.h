// A file to which whole lines are appended. It can be opened again under its name while it is
// written to, and it does no harm when the disk takes nothing.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/fn.h"
#include "base/result.h"

namespace perigee::edge {

/// One thread writes to it, but reopen() is for any thread.
///
/// Lines that the file does not take are kept, limits::kAccessLogBytes at most; further ones are
/// lost and counted. What comes of it is told once when it begins and once when it is over.
class LogFile {
 public:
  /// Of what befell the file, in a sentence.
  using Tell = base::Fn<void(std::string_view)>;

  /// Opens the file, or makes it and its missing folders. Errors name the path and the reason; a
  /// FIFO that nobody reads is one.
  static base::Result<std::unique_ptr<LogFile>> open(const std::string& path, Tell tell);
  /// Writes what it still has.
  ~LogFile();
  LogFile(const LogFile&) = delete;
  LogFile& operator=(const LogFile&) = delete;

  /// A line with its end. It is written when there are many, or by flush().
  void append(std::string_view line);
  void flush();
  /// From now on, what stands under the name is written to: somebody has moved the file away. Lines
  /// that were appended before are still written to the old file, as far as it takes them. Done by
  /// the next append() or flush().
  void reopen() { wants_reopen_.store(true, std::memory_order_relaxed); }

 private:
  LogFile(std::string path, int fd, Tell tell);
  void reopen_now();
  bool write_out();
  void on_failure(int error);

  const std::string path_;
  Tell tell_;
  int fd_;
  std::string kept_;    ///< lines that are not all written
  size_t written_ = 0;  ///< bytes of the first of them that the file has
  bool told_ = false;   ///< that the file takes nothing
  uint64_t lost_ = 0;   ///< lines since it took something
  std::atomic<bool> wants_reopen_{false};
};

}  // namespace perigee::edge

// Programs that a test runs: started with what they may use, watched, and ended by their own id.
#pragma once

#include <sys/resource.h>
#include <sys/types.h>

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tests/support/temp_folder.h"

namespace perigee::e2e {

using test::TempFolder;

std::string read_file(const std::string& path);

/// Asks every few milliseconds whether `condition` holds. False: not within 20 s.
bool eventually(const std::function<bool()>& condition);

struct ProcessOptions {
  std::vector<std::string> arguments;          ///< the program first, found in PATH
  std::vector<std::pair<int, rlim_t>> limits;  ///< {RLIMIT_NOFILE, 256}
  std::vector<std::pair<std::string, std::string>> environment;  ///< on top of the test's own
  std::string folder;  ///< where it runs; empty: where the test does
  int in = -1;         ///< its stdin; -1: nothing
  int out = -1;        ///< its stdout; -1: a file
  int err = -1;        ///< its stderr; -1: a file
};

/// A running program, its stdout and stderr in files. Killed when this goes, should it still run;
/// and when the test's process dies.
class Process {
 public:
  explicit Process(ProcessOptions options);
  ~Process();
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  pid_t pid() const { return pid_; }
  bool running();
  void signal(int number) const;
  /// Its exit code, or minus the signal that ended it. Nullopt: it still runs after 20 s.
  std::optional<int> wait();
  std::string out() const { return read_file(folder_.file("out")); }
  std::string err() const { return read_file(folder_.file("err")); }

 private:
  TempFolder folder_;
  pid_t pid_ = -1;
  std::optional<int> exit_;
};

/// What a program that ran to its end left behind. `exit`: as Process::wait(), -SIGKILL after 60 s.
struct Finished {
  int exit = 0;
  std::string out;
  std::string err;
};
Finished run(ProcessOptions options);
/// curl, silent but for errors, and bounded in time.
Finished curl(std::vector<std::string> arguments);
/// aria2c, which downloads `url` into `folder` in pieces, on so many connections.
Finished aria2c(const std::string& url, const std::string& folder, int connections);

}  // namespace perigee::e2e

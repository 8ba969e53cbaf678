#include "tests/e2e/harness/process.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <thread>

namespace perigee::e2e {

namespace {

constexpr int kSteps = 4'000;
constexpr std::chrono::milliseconds kStep{5};

/// Between fork and exec: nothing here may allocate.
[[noreturn]] void become(const ProcessOptions& options, char* const* arguments,
                         char* const* environment, int out, int err) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  const int nothing = ::open("/dev/null", O_RDONLY);
  ::dup2(options.in >= 0 ? options.in : nothing, 0);
  ::dup2(out, 1);
  ::dup2(err, 2);
  for (const auto& [resource, most] : options.limits) {
    const rlimit limit{most, most};
    ::setrlimit(static_cast<__rlimit_resource>(resource), &limit);
  }
  if (!options.folder.empty() && ::chdir(options.folder.c_str()) != 0) ::_exit(126);
  ::execvpe(arguments[0], arguments, environment);
  ::_exit(127);
}

std::vector<char*> pointers(std::vector<std::string>& texts) {
  std::vector<char*> result;
  for (std::string& text : texts) result.push_back(text.data());
  result.push_back(nullptr);
  return result;
}

std::vector<std::string> environment_with(
    const std::vector<std::pair<std::string, std::string>>& added) {
  std::vector<std::string> result;
  // The first of two lines of one name counts.
  for (const auto& [name, value] : added) result.push_back(name + "=" + value);
  for (char** line = environ; *line != nullptr; ++line) result.emplace_back(*line);
  return result;
}

}  // namespace

std::string read_file(const std::string& path) {
  std::ostringstream content;
  content << std::ifstream(path, std::ios::binary).rdbuf();
  return content.str();
}

bool eventually(const std::function<bool()>& condition) {
  for (int i = 0; i < kSteps; ++i) {
    if (condition()) return true;
    std::this_thread::sleep_for(kStep);
  }
  return condition();
}

Process::Process(ProcessOptions options) {
  std::vector<char*> arguments = pointers(options.arguments);
  std::vector<std::string> lines = environment_with(options.environment);
  std::vector<char*> environment = pointers(lines);
  const int flags = O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC;
  const int out = ::open(folder_.file("out").c_str(), flags, 0600);
  const int err = ::open(folder_.file("err").c_str(), flags, 0600);
  pid_ = ::fork();
  if (pid_ == 0) {
    become(options, arguments.data(), environment.data(), options.out >= 0 ? options.out : out,
           options.err >= 0 ? options.err : err);
  }
  ::close(out);
  ::close(err);
}

Process::~Process() {
  if (!running()) return;
  signal(SIGKILL);
  wait();
}

bool Process::running() {
  if (exit_) return false;
  int status = 0;
  if (::waitpid(pid_, &status, WNOHANG) != pid_) return true;
  exit_ = WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
  return false;
}

void Process::signal(int number) const {
  if (!exit_) ::kill(pid_, number);
}

std::optional<int> Process::wait() {
  eventually([this] { return !running(); });
  return exit_;
}

Finished run(ProcessOptions options) {
  Process process(std::move(options));
  std::optional<int> exit;
  for (int round = 0; round < 3 && !exit; ++round) exit = process.wait();
  if (!exit) {
    process.signal(SIGKILL);
    exit = process.wait();
  }
  return {exit.value_or(-SIGKILL), process.out(), process.err()};
}

Finished curl(std::vector<std::string> arguments) {
  std::vector<std::string> command = {"curl", "-sS", "--noproxy", "*", "--max-time", "30"};
  command.insert(command.end(), arguments.begin(), arguments.end());
  return run({.arguments = std::move(command)});
}

Finished aria2c(const std::string& url, const std::string& folder, int connections) {
  return run(
      {.arguments = {"aria2c", "-q", "--no-conf", "--all-proxy=", "-x", std::to_string(connections),
                     "-k", "1M", "--min-split-size=1M", "-d", folder, url}});
}

}  // namespace perigee::e2e

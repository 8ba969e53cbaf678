// perigee: reads its arguments and its configuration, and serves.
#include <fcntl.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <string>
#include <utility>

#include "edge/arguments.h"
#include "edge/config.h"
#include "edge/config_check.h"
#include "edge/doors/server.h"
#include "edge/log.h"

namespace base = perigee::base;
namespace edge = perigee::edge;

namespace {

constexpr int kUsageError = 64;   // EX_USAGE
constexpr int kConfigError = 78;  // EX_CONFIG

/// No file of ours may get the number of a stdout or stderr that was closed: what is printed would
/// land in it.
void fill_standard_descriptors() {
  int fd = ::open("/dev/null", O_RDWR);
  while (fd >= 0 && fd <= STDERR_FILENO) fd = ::open("/dev/null", O_RDWR);
  if (fd >= 0) ::close(fd);
}

}  // namespace

int main(int argc, char** argv) {
  fill_standard_descriptors();
  const edge::Arguments arguments = edge::parse_arguments(argc, argv);
  if (arguments.exit_code) {
    std::fputs(arguments.message.c_str(), *arguments.exit_code == 0 ? stdout : stderr);
    return *arguments.exit_code;
  }
  edge::ReadConfig read = edge::read_config(arguments);
  if (arguments.check && read.ok()) edge::check_surroundings(read);
  if (std::string text = read.problems.text(); !text.empty()) {
    edge::print(STDERR_FILENO, std::move(text));
  }
  if (!read.ok()) return read.problems.is_usage() ? kUsageError : kConfigError;
  if (arguments.check) {
    std::puts("configuration OK");
    return 0;
  }
  const base::Status status = edge::run_server(read.config);
  int code = 0;
  if (!status.ok()) {
    edge::print(STDERR_FILENO, "perigee: " + status.error().message + "\n");
    code = status.error().code == base::ErrorCode::kInvalid ? kConfigError : 1;
  }
  if (!edge::stop_log()) std::_Exit(code);
  return code;
}

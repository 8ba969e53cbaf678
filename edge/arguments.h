// The command line of perigee.
#pragma once

#include <optional>
#include <string>

namespace perigee::edge {

struct Arguments {
  std::string config_path;
  std::string origin;
  std::string listen;
  std::string store_path;
  std::string store_size;
  unsigned workers = 0;
  bool check = false;
  /// Set when there is nothing to serve: --help and --version (0), a mistake (64). `message` is the
  /// text.
  std::optional<int> exit_code;
  std::string message;
};

Arguments parse_arguments(int argc, const char* const* argv);

}  // namespace perigee::edge

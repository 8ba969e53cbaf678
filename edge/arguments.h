// The command line of perigee.
#pragma once

#include <optional>
#include <string>
#include <vector>

namespace perigee::edge {

/// An option that stands for a key of the configuration.
struct Setting {
  std::string option;   ///< "--ttl"
  std::string section;  ///< as the file writes it: "[[site]]"
  std::string key;      ///< "ttl"
  bool is_list = false;
  std::vector<std::string> values;  ///< one, unless it is a list
};

struct Arguments {
  std::string config_path;
  std::string origin;
  std::vector<Setting> settings;  ///< beside `origin`; their values are not looked at yet
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

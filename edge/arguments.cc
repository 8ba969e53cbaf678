#include "edge/arguments.h"

#include <CLI/CLI.hpp>

#include "base/limits.h"

namespace perigee::edge {

namespace {
constexpr int kUsage = 64;
}  // namespace

Arguments parse_arguments(int argc, const char* const* argv) {
  Arguments arguments;
  CLI::App app{"Perigee: an edge cache for static sites.", "perigee"};
  app.footer(
      "Examples:\n"
      "  perigee --origin http://127.0.0.1:3000 --listen 127.0.0.1:8080\n"
      "  perigee --origin dir:public\n"
      "  perigee -c /etc/perigee/perigee.toml");
  app.set_version_flag("--version", "perigee " PERIGEE_VERSION);
  app.add_option("-c,--config", arguments.config_path, "configuration file (TOML)");
  app.add_option("--origin", arguments.origin,
                 "origin to cache, without -c: http://host:port, https://host, or dir:/folder");
  app.add_option("--listen", arguments.listen,
                 "address and port to listen on (default: 127.0.0.1:8080)");
  app.add_option("--store", arguments.store_path,
                 "store file (default: in $XDG_CACHE_HOME/perigee or ~/.cache/perigee)");
  app.add_option("--store-size", arguments.store_size,
                 "size of the store (default: 1GiB, or half of the memory if that is less)");
  app.add_option("--workers", arguments.workers,
                 "number of worker threads (default: number of cores)")
      ->check(CLI::Range(1u, static_cast<unsigned>(base::limits::kLoops)));
  app.add_flag("--check", arguments.check, "check the configuration and exit");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    std::ostringstream out;
    const int code = app.exit(error, out, out);
    arguments.exit_code = code == 0 ? 0 : kUsage;
    arguments.message = out.str();
    return arguments;
  }
  if (arguments.config_path.empty() && arguments.origin.empty()) {
    arguments.exit_code = kUsage;
    arguments.message =
        "perigee: nothing to serve: give --origin or -c\nRun with --help for more information.\n";
  }
  return arguments;
}

}  // namespace perigee::edge

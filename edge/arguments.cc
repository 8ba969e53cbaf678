#include "edge/arguments.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <deque>

#include "base/limits.h"
#include "edge/nearest.h"

namespace perigee::edge {

namespace {

constexpr int kUsage = 64;
constexpr const char* kMore = "\nRun with --help for more information.\n";

/// The keys of a configuration that are options, too. They need no check here: they are read as the
/// file's keys are.
struct KeyOption {
  const char* option;
  const char* section;
  const char* key;
  bool is_list;
  const char* help;
};
constexpr KeyOption kKeyOptions[] = {
    {"--host-header", "[[site]]", "host_header", false,
     "Host for the origin: a name, or \"client\" for that of the request (default: the origin's "
     "own host and port)"},
    {"--ttl", "[[site]]", "ttl", false,
     "lifetime that replaces what the origin states, such as 1h"},
    {"--default-ttl", "[[site]]", "default_ttl", false,
     "lifetime if the origin states none, such as 10m"},
    {"--stale-if-error", "[[site]]", "stale_if_error", false,
     "how long stale responses are served if the origin fails, such as 1h"},
    {"--purge-from", "[[site]]", "purge_from", true,
     "networks that may send PURGE, with commas between them (default: loopback)"},
    {"--trusted-proxies", "[server]", "trusted_proxies", true,
     "networks of proxies in front of this node, with commas between them"},
    {"--access-log", "[log]", "access", false, "access log: stdout, the path of a file, or off"},
    {"--log-level", "[log]", "level", false, "debug, info, warning or error (default: info)"}};

/// The values of the key options, as CLI11 finds them.
using Found = std::deque<std::vector<std::string>>;

void add_options(CLI::App& app, Arguments& arguments, Found& found) {
  app.add_option("-c,--config", arguments.config_path, "configuration file (TOML)");
  app.add_option("--origin", arguments.origin,
                 "origin to cache: http://host:port, https://host, or dir:/folder");
  app.add_option("--listen", arguments.listen,
                 "address and port to listen on (default: 127.0.0.1:8080)");
  app.add_option("--store", arguments.store_path,
                 "store file (default: in $XDG_CACHE_HOME/perigee or ~/.cache/perigee)");
  app.add_option("--store-size", arguments.store_size,
                 "size of the store (default: 1GiB, but at most half of the memory and a tenth of "
                 "the free disk; a store that is there keeps its size)");
  app.add_option("--workers", arguments.workers,
                 "number of worker threads (default: number of cores)")
      ->check(CLI::Range(1u, static_cast<unsigned>(base::limits::kLoops)));
  app.add_flag("--check", arguments.check, "check the configuration and exit");
  for (const KeyOption& option : kKeyOptions) {
    CLI::Option* added =
        app.add_option(option.option, found.emplace_back(), option.help)->group("With --origin");
    if (option.is_list) added->delimiter(',');
    if (!option.is_list) added->expected(1);
  }
}

void take_settings(const Found& found, Arguments& arguments) {
  for (size_t i = 0; i < found.size(); ++i) {
    const KeyOption& option = kKeyOptions[i];
    if (found[i].empty()) continue;
    arguments.settings.push_back(
        {option.option, option.section, option.key, option.is_list, found[i]});
  }
}

/// Of what nobody asked for; an option that is not known with the one that may be meant.
std::string unexpected(const CLI::App& app) {
  const std::vector<std::string> rest = app.remaining();
  const auto option = std::find_if(rest.begin(), rest.end(), [](const std::string& argument) {
    return argument.size() > 1 && argument.starts_with('-');
  });
  if (option == rest.end()) return "unexpected argument '" + rest.front() + "'";
  const std::string name = option->substr(0, option->find('='));
  std::vector<std::string> known;
  for (const CLI::Option* each : app.get_options()) {
    for (const std::string& word : each->get_lnames()) known.push_back("--" + word);
  }
  const std::vector<std::string_view> words(known.begin(), known.end());
  return "unknown option '" + name + "'" + hint(name, words);
}

/// An option took the next one for its value, since its own was forgotten; empty: none did. The
/// value of --origin and of a key may begin with a dash, but is no option of ours.
std::string forgotten_value(const CLI::App& app) {
  for (const CLI::Option* option : app.get_options()) {
    for (const std::string& value : option->results()) {
      const bool is_option = value.starts_with("--") &&
                             app.get_option_no_throw(value.substr(0, value.find('='))) != nullptr;
      if (is_option) return option->get_name() + " lacks its value before " + value;
    }
  }
  return "";
}

/// What options say that do not go together; empty: nothing.
std::string contradiction(const Arguments& arguments) {
  if (arguments.config_path.empty()) {
    return arguments.origin.empty() ? "nothing to serve: give --origin or -c" : "";
  }
  const std::string other = !arguments.origin.empty()    ? "--origin"
                            : arguments.settings.empty() ? ""
                                                         : arguments.settings.front().option;
  return other.empty()
             ? ""
             : "-c and " + other + " do not go together: write it in " + arguments.config_path;
}

}  // namespace

Arguments parse_arguments(int argc, const char* const* argv) {
  Arguments arguments;
  Found found;
  CLI::App app{"Perigee: an edge cache for static sites.", "perigee"};
  app.footer(
      "Examples:\n"
      "  perigee --origin http://127.0.0.1:3000 --listen 127.0.0.1:8080\n"
      "  perigee --origin https://www.example.org --default-ttl 10m --access-log stdout\n"
      "  perigee --origin dir:public\n"
      "  perigee -c /etc/perigee/perigee.toml");
  app.set_version_flag("--version", "perigee " PERIGEE_VERSION);
  add_options(app, arguments, found);
  const auto refuse = [&](const std::string& why) {
    arguments.exit_code = kUsage;
    arguments.message = "perigee: " + why + kMore;
  };
  try {
    app.parse(argc, argv);
  } catch (const CLI::ExtrasError&) {
    refuse(unexpected(app));
    return arguments;
  } catch (const CLI::ParseError& error) {
    std::ostringstream out;
    const int code = app.exit(error, out, out);
    arguments.exit_code = code == 0 ? 0 : kUsage;
    arguments.message = out.str();
    return arguments;
  }
  if (const std::string why = forgotten_value(app); !why.empty()) {
    refuse(why);
    return arguments;
  }
  take_settings(found, arguments);
  if (const std::string why = contradiction(arguments); !why.empty()) refuse(why);
  return arguments;
}

}  // namespace perigee::edge

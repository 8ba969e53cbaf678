// perigeectl: looks at store files of perigee, for those who run a node.
//
// Only reads. A node may be running on the file: it takes no notice.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <sstream>
#include <string>

#include "tools/store_commands.h"

namespace tools = perigee::tools;

namespace {

constexpr int kUsage = 64;

constexpr const char* kFooter =
    "Exit status: 0 all is whole; 1 something is damaged; 2 the file cannot be read: it is not\n"
    "there, no store, or of another format; 64 a mistake in the command line.\n"
    "\n"
    "A node may be running on the file. perigeectl only reads: it takes no lock, and the node "
    "takes\n"
    "no notice. What is written while it is read is read once more and is never called damaged.\n"
    "\n"
    "Keys and other bytes that strangers chose are printed so that no terminal obeys them: all "
    "but\n"
    "printable ASCII as \\u00HH, one for each byte.\n"
    "\n"
    "Examples:\n"
    "  perigeectl store verify /var/lib/perigee/store\n"
    "  perigeectl store dump /var/lib/perigee/store | grep '\"status\":404'\n"
    "  perigeectl store stat /var/lib/perigee/store";

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{"perigeectl: looks at the store file of a perigee.", "perigeectl"};
  app.footer(kFooter);
  app.set_version_flag("--version", "perigeectl " PERIGEE_VERSION);
  app.require_subcommand(1);
  CLI::App* store = app.add_subcommand("store", "Looks at a store file.");
  store->require_subcommand(1);
  store->footer(kFooter);
  std::string path;
  bool all = false;
  const auto add = [&](const char* name, const char* what) {
    CLI::App* command = store->add_subcommand(name, what);
    command->add_option("FILE", path, "the store file")->required();
    command->footer(kFooter);
    return command;
  };
  CLI::App* verify = add("verify",
                         "Reads all of the file and compares every checksum. Prints one line for\n"
                         "each thing that is wrong, then a summary.");
  CLI::App* dump = add("dump",
                       "Prints one JSON object a line for each record that a start would find.\n"
                       "url: what it answers; selected: a variant's values; number: a fragment's.\n"
                       "Times are milliseconds, wall times since 1970; null: absent.");
  dump->add_flag("--all", all,
                 "dead records too: superseded, purged, or fragments without their head");
  add("stat", "Prints what the file holds: slabs, records and their ages, the purge journal.");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    std::ostringstream out;
    const int code = app.exit(error, out, out);
    std::fputs(out.str().c_str(), code == 0 ? stdout : stderr);
    return code == 0 ? 0 : kUsage;
  }
  const tools::Command command = verify->parsed() ? tools::Command::kVerify
                                 : dump->parsed() ? tools::Command::kDump
                                                  : tools::Command::kStat;
  return tools::run_store_command(command, path, all);
}

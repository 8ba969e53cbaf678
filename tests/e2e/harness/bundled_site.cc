#include "tests/e2e/harness/bundled_site.h"

#include <gtest/gtest.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "tests/e2e/harness/process.h"
#include "tests/support/main/paths.h"

namespace perigee::e2e {
namespace {

namespace fs = std::filesystem;

const std::string kSources = "tests/e2e/bundled_site";

std::string replaced(std::string text, std::string_view word, std::string_view by) {
  for (size_t at = 0; (at = text.find(word, at)) != std::string::npos; at += by.size()) {
    text.replace(at, word.size(), by);
  }
  return text;
}

/// The one script that the page names: all others come from it.
std::string entry_of(const std::string& assets) {
  for (const auto& file : fs::directory_iterator(assets)) {
    const std::string name = file.path().filename();
    if (name.starts_with("app-") && name.ends_with(".js")) return "/assets/" + name;
  }
  ADD_FAILURE() << "no script was built in " << assets;
  return "";
}

void bundle(const std::string& release, const TempFolder& sources, const std::string& assets) {
  const Finished built =
      run({.arguments = {site_packages() + "/.bin/esbuild", sources.file("app.js"), "--bundle",
                         "--splitting", "--minify", "--format=esm", "--log-level=warning",
                         "--outdir=" + assets, "--public-path=/assets",
                         "--entry-names=[name]-[hash]", "--chunk-names=[name]-[hash]",
                         "--asset-names=[name]-[hash]", "--loader:.css=file", "--loader:.svg=file",
                         "--banner:js=/* " + release + " */"},
           .environment = {{"NODE_PATH", site_packages()}}});
  EXPECT_EQ(built.exit, 0) << built.out << built.err;
}

}  // namespace

std::string site_packages() {
  const char* cache = std::getenv("XDG_CACHE_HOME");
  const char* home = std::getenv("HOME");
  std::string folder =
      cache != nullptr && *cache != 0 ? cache : std::string(home ? home : "") + "/.cache";
  folder += "/perigee/bundled_site";
  // The lock file is copied when all is there.
  const std::string wanted = read_file(test::source_file(kSources + "/package-lock.json"));
  return read_file(folder + "/installed.json") == wanted ? folder + "/node_modules" : "";
}

Release build_release(const std::string& name, const std::string& folder, int days) {
  TempFolder sources;
  for (const auto& file : fs::directory_iterator(test::source_file(kSources))) {
    sources.write(file.path().filename().string(),
                  replaced(read_file(file.path()), "@RELEASE@", name));
  }
  const std::string assets = folder + "/assets";
  fs::create_directories(assets);
  bundle(name, sources, assets);
  std::ofstream(folder + "/index.html")
      << replaced(read_file(sources.file("index.html")), "@ENTRY@", entry_of(assets));
  Release release{.name = name, .files = {}};
  for (const auto& file : fs::recursive_directory_iterator(folder)) {
    if (!file.is_regular_file()) continue;
    fs::last_write_time(file, fs::file_time_type::clock::now() - std::chrono::hours(24) * days);
    const std::string path = file.path().string().substr(folder.size());
    release.files[path == "/index.html" ? "/" : path] = read_file(file.path());
  }
  return release;
}

}  // namespace perigee::e2e

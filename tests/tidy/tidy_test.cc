// Style as a test: the arrows between the folders, banned calls, sizes, and a head comment in every
// file.
#include <gtest/gtest.h>

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <fstream>
#include <map>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <vector>

namespace perigee {
namespace {

namespace fs = std::filesystem;

constexpr size_t kFileLines = 600;
constexpr size_t kFunctionLines = 70;
constexpr size_t kColumns = 120;  ///< clang-format wraps at 100 what it can

struct Source {
  std::string path;  ///< relative to the root: "http/policy.cc"
  std::vector<std::string> lines;

  std::string folder() const {
    return path.starts_with("edge/doors/") ? "edge/doors" : path.substr(0, path.find('/'));
  }
  bool is_test() const { return path.starts_with("tests/"); }
};

std::vector<Source> read_sources(const std::vector<std::string>& folders) {
  std::vector<Source> sources;
  const fs::path root = PERIGEE_SOURCE_DIR;
  for (const std::string& folder : folders) {
    for (const auto& entry : fs::recursive_directory_iterator(root / folder)) {
      const std::string extension = entry.path().extension();
      if (extension != ".cc" && extension != ".h") continue;
      Source source{fs::relative(entry.path(), root).string(), {}};
      std::ifstream file(entry.path());
      for (std::string line; std::getline(file, line);) source.lines.push_back(line);
      sources.push_back(std::move(source));
    }
  }
  return sources;
}

const std::vector<Source>& product() {
  static const std::vector<Source> kSources =
      read_sources({"base", "http", "cache_store", "origin", "edge"});
  return kSources;
}

const std::vector<Source>& everything() {
  static const std::vector<Source> kSources =
      read_sources({"base", "http", "cache_store", "origin", "edge", "tools", "tests"});
  return kSources;
}

/// Calls `look(source, number, line)` for each line without what stands behind `//`.
template <typename Look>
void for_each_code_line(const std::vector<Source>& sources, Look look) {
  for (const Source& source : sources) {
    for (size_t i = 0; i < source.lines.size(); ++i) {
      const std::string& line = source.lines[i];
      look(source, i + 1, line.substr(0, line.find("//")));
    }
  }
}

std::string at(const Source& source, size_t number) {
  return source.path + ":" + std::to_string(number);
}

TEST(Tidy, IncludesFollowTheArrows) {
  const std::map<std::string, std::set<std::string>> kMay = {
      {"base", {"base"}},
      {"http", {"base", "http"}},
      {"cache_store", {"base", "cache_store"}},
      {"origin", {"base", "http", "cache_store", "origin"}},
      {"edge", {"base", "http", "cache_store", "origin", "edge"}},
      {"edge/doors", {"base", "http", "cache_store", "origin", "edge", "edge/doors"}}};
  const std::regex ours("^#include \"([a-z_/]+)/[a-z0-9_]+\\.h\"");
  for_each_code_line(product(), [&](const Source& source, size_t number, const std::string& line) {
    std::smatch match;
    if (!std::regex_search(line, match, ours)) return;
    EXPECT_TRUE(kMay.at(source.folder()).contains(match[1])) << at(source, number) << ": " << line;
  });
}

TEST(Tidy, OnlyTheDoorsKnowLibuvAndOpenSsl) {
  for_each_code_line(product(), [&](const Source& source, size_t number, const std::string& line) {
    if (!line.starts_with("#include <")) return;
    const std::string file = fs::path(source.path).filename();
    const bool door = source.folder() == "edge/doors";
    if (line.find("<uv.h>") != std::string::npos) {
      EXPECT_TRUE(door && (file.starts_with("uv_") || file.starts_with("ares_")))
          << at(source, number);
    }
    if (line.find("<openssl/") != std::string::npos) {
      EXPECT_TRUE(door && (file.starts_with("tls_") || file == "random.cc")) << at(source, number);
    }
  });
}

TEST(Tidy, TheFlowKnowsNoConnection) {
  const std::regex below("\"(base/channel|http/codec|http/http1_codec|edge/connection)\\.h\"");
  for (const Source& source : product()) {
    const bool flow =
        source.path.starts_with("edge/flow") || source.path.starts_with("edge/request_flow");
    for (const std::string& line : source.lines) {
      EXPECT_FALSE(flow && std::regex_search(line, below)) << source.path << ": " << line;
    }
  }
}

TEST(Tidy, ThePureLayersHaveNoClockNoThreadAndNoLog) {
  const std::regex banned(
      "::now\\(|\\brand\\(|clock_gettime|gettimeofday|std::thread|spdlog|std::cout|printf\\("
      "stderr");
  for_each_code_line(product(), [&](const Source& source, size_t number, const std::string& line) {
    const bool pure = source.folder() == "http" || source.folder() == "base";
    const bool check = source.path == "base/check.h";
    EXPECT_FALSE(pure && !check && std::regex_search(line, banned)) << at(source, number);
  });
}

TEST(Tidy, NothingSleepsOrReadsUnseededChance) {
  const std::regex banned("\\b(sleep|usleep|nanosleep|sleep_for|sleep_until|rand)\\(");
  for_each_code_line(product(), [&](const Source& source, size_t number, const std::string& line) {
    EXPECT_FALSE(std::regex_search(line, banned)) << at(source, number) << ": " << line;
  });
}

TEST(Tidy, CallablesOnLoopsDoNotAllocate) {
  for_each_code_line(product(), [&](const Source& source, size_t number, const std::string& line) {
    const bool loop = source.folder() != "cache_store";
    EXPECT_FALSE(loop && line.find("std::function<") != std::string::npos) << at(source, number);
  });
}

TEST(Tidy, FilesAreShortAndSayWhyTheyExist) {
  for (const Source& source : everything()) {
    EXPECT_LE(source.lines.size(), kFileLines) << source.path;
    ASSERT_FALSE(source.lines.empty()) << source.path;
    // An implementation whose header says it begins with including that header.
    const std::string header =
        "#include \"" + fs::path(source.path).replace_extension(".h").string() + "\"";
    const std::string& first = source.lines.front();
    EXPECT_TRUE(first.starts_with("// ") || first == header) << source.path;
    if (source.path.ends_with(".h")) {
      const bool once =
          std::find(source.lines.begin(), source.lines.end(), "#pragma once") != source.lines.end();
      EXPECT_TRUE(once) << source.path;
    }
  }
}

TEST(Tidy, LinesFitAndHoldNoLeftovers) {
  const std::regex marks(std::string("\\b(TO") + "DO|FIX" + "ME|XX" + "X|HA" + "CK)\\b");
  for (const Source& source : everything()) {
    for (size_t i = 0; i < source.lines.size(); ++i) {
      const std::string& line = source.lines[i];
      EXPECT_LE(line.size(), kColumns) << at(source, i + 1);
      EXPECT_FALSE(std::regex_search(line, marks)) << at(source, i + 1);
      EXPECT_EQ(line.find('\t'), std::string::npos) << at(source, i + 1);
      EXPECT_FALSE(line.ends_with(' ')) << at(source, i + 1);
    }
  }
}

/// How many braces a line opens, less those it closes; text in quotes does not count.
int braces(const std::string& line) {
  int depth = 0;
  char quote = 0;
  for (size_t i = 0; i < line.size(); ++i) {
    const char c = line[i];
    if (quote != 0) {
      if (c == '\\') ++i;
      if (c == quote) quote = 0;
    } else if (c == '"' || (c == '\'' && (i == 0 || !std::isalnum(line[i - 1])))) {
      quote = c;
    } else if (c == '/' && line.compare(i, 2, "//") == 0) {
      break;
    }
    if (quote == 0) depth += (c == '{') - (c == '}');
  }
  return depth;
}

TEST(Tidy, FunctionsAreShort) {
  const std::regex begins("^ *[^ #}/].*\\)( const)?( noexcept)?( override)?( final)? \\{$");
  for (const Source& source : everything()) {
    for (size_t i = 0; i < source.lines.size(); ++i) {
      if (!std::regex_match(source.lines[i], begins)) continue;
      size_t last = i;
      for (int depth = 1; depth > 0 && last + 1 < source.lines.size();) {
        depth += braces(source.lines[++last]);
      }
      EXPECT_LE(last - i + 1, kFunctionLines) << at(source, i + 1) << ": " << source.lines[i];
    }
  }
}

TEST(Tidy, EveryBoundIsUsed) {
  std::string text;
  std::string limits;
  for (const Source& source : product()) {
    std::string& out = source.path == "base/limits.h" ? limits : text;
    for (const std::string& line : source.lines) out.append(line).append("\n");
  }
  const std::regex bound("inline constexpr [a-z0-9_]+ (k[A-Za-z0-9]+) =");
  size_t bounds = 0;
  for (std::sregex_iterator it(limits.begin(), limits.end(), bound), end; it != end; ++it) {
    const std::string name = (*it)[1];
    ++bounds;
    const bool used_elsewhere = text.find(name) != std::string::npos;
    const bool used_here = std::regex_search(limits, std::regex("[*=] " + name + "\\b"));
    EXPECT_TRUE(used_elsewhere || used_here) << name << " bounds nothing";
  }
  EXPECT_GT(bounds, 50u);
}

}  // namespace
}  // namespace perigee

// The shape of the code: who may include whom, what is never called, how large things may grow.
//
// It reads the sources as text, comments and literals taken out where code is meant.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <map>
#include <regex>
#include <set>
#include <string>
#include <vector>

#include "tests/support/main/paths.h"
#include "tests/tidy/source.h"

namespace perigee::test {
namespace {

constexpr size_t kFunctionLines = 70;
constexpr size_t kFileLines = 600;
constexpr size_t kColumns = 100;

/// The folders of the product and what each may include.
const std::map<std::string, std::set<std::string>> kArrows = {
    {"base", {"base"}},
    {"http", {"http", "base"}},
    {"http/exchange", {"http/exchange", "http", "base"}},
    {"http/h1", {"http/h1", "http/exchange", "http", "base"}},
    {"http/coding", {"http/coding", "http", "base"}},
    {"cache_store", {"cache_store", "base"}},
    {"origin",
     {"origin", "http", "http/exchange", "http/h1", "http/coding", "cache_store", "base"}},
    {"edge",
     {"edge", "origin", "http", "http/exchange", "http/h1", "http/coding", "cache_store", "base"}},
    {"edge/doors",
     {"edge/doors", "edge", "origin", "http", "http/exchange", "http/h1", "http/coding",
      "cache_store", "base"}},
};

/// A use of a name outside of where it belongs.
struct Ban {
  const char* what;
  const char* pattern;  ///< in code, without comments and literals
  const char* folders;  ///< where it is looked for
  const char* allowed;  ///< paths in which it may stand
};

const Ban kBans[] = {
    {"libuv", R"(\buv_\w+\(|<uv\.h>)", ".*", "edge/doors/(uv_|ares_resolver|server).*"},
    {"llhttp", R"(<llhttp\.h>|\bllhttp_\w+\()", ".*", "http/h1/message_parser\\.(h|cc)"},
    {"a lenient parser", R"(llhttp_set_lenient)", ".*", "none"},
    {"OpenSSL", R"(<openssl/)", ".*",
     "edge/doors/tls_.*|edge/doors/random\\.cc|origin/body_digest\\.cc"},
    {"a clock", R"(\b\w+_clock::now\(|\bclock_gettime\(|\btime\(nullptr\)|\bgettimeofday\()", ".*",
     "edge/doors/.*"},
    {"chance", R"(\b(s?rand|drand48)\(|std::random_device|std::mt19937)", ".*",
     "edge/doors/random\\.cc"},
    {"sleep", R"(\b(u?sleep|nanosleep|sleep_for|sleep_until)\()", ".*", "none"},
    {"std::function, which allocates", R"(\bstd::function\b)", ".*",
     "cache_store/purge_journal\\.h"},
    {"an exception", R"(\bthrow\b|\bdynamic_cast\b)", ".*", "none"},
    {"a stream to the terminal", R"(\bstd::(cout|cerr|clog)\b)", ".*", "edge/doors/main\\.cc"},
    {"the environment", R"(\bgetenv\()", ".*", "edge/config\\.cc"},
    {"assert, which release builds drop", R"(\bassert\()", ".*", "none"},
    {"threads, clocks or files in the pure core",
     R"(<(thread|mutex|chrono|fstream|iostream|filesystem|condition_variable|atomic)>)",
     "http(/.*)?", "none"},
    {"globals in the pure core",
     R"(\b(static|thread_local) (?!constexpr|const |inline)\w+ \w+ ?[=;{])", "http(/.*)?", "none"},
    {"sockets outside of the doors", R"(<sys/socket\.h>|<netinet/)",
     "base|http.*|cache_store|origin|edge",
     // Whether pages may be lent is found out by lending one.
     "cache_store/lending\\.cc"},
    {"locks that nobody checks: see base/mutex.h",
     R"(std::(mutex|shared_mutex|lock_guard|scoped_lock|unique_lock|condition_variable)\b)",
     "base|http.*|cache_store|origin|edge|edge/doors", "base/mutex\\.h"},
};

std::string listed(const std::vector<std::string>& lines) {
  std::string all;
  for (const std::string& line : lines) all += "\n  " + line;
  return all;
}

TEST(Tidy, TheArrowsOfTheLayersHold) {
  std::vector<std::string> wrong;
  const std::regex include(R"re(^#include "((?:\w+/)+)[\w.]+")re");
  for (const Source& source : product_sources()) {
    const auto allowed = kArrows.find(source.folder);
    ASSERT_NE(allowed, kArrows.end()) << source.path;
    for (size_t i = 0; i < source.lines.size(); ++i) {
      std::smatch match;
      if (!std::regex_search(source.lines[i], match, include)) continue;
      std::string folder = match[1];
      folder.pop_back();
      if (!allowed->second.contains(folder)) wrong.push_back(source.at(i) + source.lines[i]);
    }
  }
  EXPECT_TRUE(wrong.empty()) << listed(wrong);
}

TEST(Tidy, WhatIsBannedStandsOnlyWhereItBelongs) {
  std::vector<std::string> wrong;
  for (const Ban& ban : kBans) {
    const std::regex pattern(ban.pattern);
    const std::regex folders(ban.folders);
    const std::regex allowed(ban.allowed);
    for (const Source& source : product_sources()) {
      if (!std::regex_match(source.folder, folders)) continue;
      if (std::regex_match(source.path, allowed)) continue;
      for (size_t i = 0; i < source.code.size(); ++i) {
        if (std::regex_search(source.code[i], pattern)) {
          wrong.push_back(source.at(i) + ban.what + ": " + source.lines[i]);
        }
      }
    }
  }
  EXPECT_TRUE(wrong.empty()) << listed(wrong);
}

TEST(Tidy, TheFlowKnowsNeitherChannelsNorCodecsNorConnections) {
  // HTTP/3 will bring exchanges without a channel.
  const std::regex pattern(R"(\b(Channel|ServerCodec|Http1\w*|OutQueue|Connection\w*|Worker)\b|)"
                           R"((connection|codec|channel)\.h)");
  std::vector<std::string> wrong;
  for (const Source& source : product_sources()) {
    if (!source.path.starts_with("edge/request_flow.") && !source.path.starts_with("edge/flow"))
      continue;
    for (size_t i = 0; i < source.code.size(); ++i) {
      const std::string& line =
          source.lines[i].starts_with("#include") ? source.lines[i] : source.code[i];
      if (std::regex_search(line, pattern)) wrong.push_back(source.at(i) + source.lines[i]);
    }
  }
  EXPECT_TRUE(wrong.empty()) << listed(wrong);
}

TEST(Tidy, EveryFileSaysWhatItIsFor) {
  std::vector<std::string> wrong;
  for (const Source& source : all_sources()) {
    const std::string& first = source.lines.front();
    // An implementation is introduced by its own header, which it includes first.
    std::string own = source.path;
    if (own.ends_with(".cc")) own.replace(own.size() - 3, 3, ".h");
    const bool introduced = first == "#include \"" + own + "\"";
    if (!first.starts_with("// ") && !introduced) wrong.push_back(source.path);
  }
  EXPECT_TRUE(wrong.empty()) << listed(wrong);
}

TEST(Tidy, HeadersAreIncludedOnceAndLiveInTheirNamespace) {
  std::vector<std::string> wrong;
  for (const Source& source : product_sources()) {
    const bool header = source.path.ends_with(".h");
    if (header && !source.has_line("#pragma once"))
      wrong.push_back(source.path + ": no #pragma once");
    const std::string layer = source.folder.substr(0, source.folder.find('/'));
    if (source.path.ends_with("main.cc")) continue;
    const bool named =
        std::any_of(source.lines.begin(), source.lines.end(), [&](const std::string& line) {
          return line == "namespace perigee::" + layer + " {" ||
                 line.starts_with("namespace perigee::" + layer + "::");
        });
    if (!named) wrong.push_back(source.path + ": no namespace perigee::" + layer);
  }
  EXPECT_TRUE(wrong.empty()) << listed(wrong);
}

TEST(Tidy, FilesFunctionsAndLinesStaySmall) {
  std::vector<std::string> wrong;
  for (const Source& source : all_sources()) {
    if (source.lines.size() > kFileLines) {
      wrong.push_back(source.path + ": " + std::to_string(source.lines.size()) + " lines");
    }
    for (size_t i = 0; i < source.lines.size(); ++i) {
      const size_t columns = characters(source.lines[i]);
      if (columns > kColumns) wrong.push_back(source.at(i) + std::to_string(columns) + " columns");
    }
    for (const Function& function : functions_of(source)) {
      if (function.lines > kFunctionLines) {
        wrong.push_back(source.at(function.first_line) + std::to_string(function.lines) +
                        " lines: " + source.lines[function.first_line]);
      }
    }
  }
  EXPECT_TRUE(wrong.empty()) << listed(wrong);
}

TEST(Tidy, LinesOfOtherTextsStayShortToo) {
  std::vector<std::string> wrong;
  std::set<std::string> seen;
  for (const Source& text : other_texts()) {
    seen.insert(text.path);
    if (text.path == "docs/http.md") continue;  // written by tools/http_rules
    const bool prose = text.path.ends_with(".md");
    for (size_t i = 0; i < text.lines.size(); ++i) {
      if (prose && text.lines[i].starts_with("|")) continue;  // a row of a table cannot be broken
      const size_t columns = characters(text.lines[i]);
      if (columns > kColumns) wrong.push_back(text.at(i) + std::to_string(columns) + " columns");
    }
  }
  for (const std::string path :
       {"Makefile", "CMakeLists.txt", "README.md", "cmake/Llhttp.cmake", "conf/perigee.toml",
        "cache_store/FORMAT.md", "tools/run", "tools/edge_bench", "tests/e2e/browser/visit.py"}) {
    EXPECT_TRUE(seen.contains(path)) << path;
  }
  EXPECT_TRUE(wrong.empty()) << listed(wrong);
}

TEST(Tidy, ScriptsAreParsedAndStopAtTheirFirstError) {
  std::vector<std::string> wrong;
  size_t scripts = 0;
  for (const Source& text : other_texts()) {
    const std::string& first = text.lines.front();
    if (!first.starts_with("#!") || first.find("sh") == std::string::npos) continue;
    ++scripts;
    if (first != "#!/usr/bin/env bash") wrong.push_back(text.at(0) + first);
    const auto head = std::find_if(text.lines.begin(), text.lines.end(),
                                   [](const std::string& line) { return !line.starts_with("#"); });
    if (head == text.lines.end() || *head != "set -euo pipefail") {
      wrong.push_back(text.path + ": does not begin with set -euo pipefail");
    }
    const std::string check = "bash -n '" + source_file(text.path) + "'";
    if (std::system(check.c_str()) != 0) wrong.push_back(text.path + ": bash cannot parse it");
  }
  EXPECT_GE(scripts, 6u);
  EXPECT_TRUE(wrong.empty()) << listed(wrong);
}

TEST(Tidy, NothingIsLeftForLater) {
  const std::regex later(R"(\b(TODO|FIXME|XXX|HACK|WIP)\b)");
  const std::regex code_in_comment(
      R"(^\s*// ?(if|for|while|switch|return|auto|const|EXPECT_\w+|ASSERT_\w+)\b.*[;{)]$|)"
      R"(^\s*// ?[\w.>:-]+\(.*\);$|^\s*// ?\}$|^\s*// ?#include)");
  std::vector<std::string> wrong;
  for (const Source& source : all_sources()) {
    if (source.path == "tests/tidy/tidy_test.cc") continue;
    for (size_t i = 0; i < source.lines.size(); ++i) {
      const std::string& line = source.lines[i];
      if (std::regex_search(line, later)) wrong.push_back(source.at(i) + line);
      if (std::regex_search(line, code_in_comment)) wrong.push_back(source.at(i) + line);
      if (line.find("#if 0") != std::string::npos) wrong.push_back(source.at(i) + line);
    }
  }
  EXPECT_TRUE(wrong.empty()) << listed(wrong);
}

TEST(Tidy, PublicTypesSayWhatTheyAre) {
  const std::regex type(R"(^(class|struct|enum class) \w+( final)?( :|$| \{))");
  std::vector<std::string> wrong;
  for (const Source& source : product_sources()) {
    if (!source.path.ends_with(".h")) continue;
    size_t introduced = 0;
    for (size_t i = 1; i < source.lines.size(); ++i) {
      if (!std::regex_search(source.lines[i], type)) continue;
      const std::string& above = source.lines[i - 1];
      const bool documented = above.starts_with("//") || above.starts_with("template");
      // The one type that a header exists for is introduced by the head comment.
      if (!documented && ++introduced > 1) wrong.push_back(source.at(i) + source.lines[i]);
    }
  }
  EXPECT_TRUE(wrong.empty()) << listed(wrong);
}

TEST(Tidy, EveryBoundIsUsedAndShown) {
  const std::set<std::string> units = {"kKiB", "kMiB"};
  std::set<std::string> used;
  for (const Source& source : product_sources()) {
    if (source.path != "base/limits.h") used.merge(words_of(source));
  }
  std::set<std::string> shown;
  for (const Source& source : all_sources()) {
    if (source.folder == "tests/fault/limits") shown.merge(words_of(source, Source::kWithLiterals));
  }
  std::vector<std::string> wrong;
  size_t bounds = 0;
  for (const std::string& name : words_of(source_at("base/limits.h"))) {
    const bool is_bound = name.size() > 1 && name[0] == 'k' && name[1] >= 'A' && name[1] <= 'Z';
    if (!is_bound || units.contains(name)) continue;
    ++bounds;
    if (!used.contains(name)) wrong.push_back(name + " is not used");
    if (!shown.contains(name)) wrong.push_back(name + " has no overload test");
  }
  EXPECT_GT(bounds, 60u);
  EXPECT_TRUE(wrong.empty()) << listed(wrong);
}

TEST(Tidy, EveryOverloadTestThatIsNamedIsThere) {
  // The table of tests/fault/limits names tests of other folders as Suite.Name.
  std::set<std::string> tests;
  const std::regex test(R"(^(?:TEST|TEST_F|TEST_P|RULE|RULE_F)\((\w+), (\w+))");
  for (const Source& source : all_sources()) {
    for (const std::string& line : source.code) {
      std::smatch match;
      if (std::regex_search(line, match, test)) tests.insert(match[1].str() + "." + match[2].str());
    }
  }
  std::vector<std::string> wrong;
  size_t named = 0;
  const std::regex name(R"re("(\w+\.\w+)")re");
  for (const std::string& line : source_at("tests/fault/limits/table.h").lines) {
    std::smatch match;
    if (line.starts_with("#") || !std::regex_search(line, match, name)) continue;
    ++named;
    if (!tests.contains(match[1])) wrong.push_back(match[1]);
  }
  EXPECT_GT(named, 20u);
  EXPECT_TRUE(wrong.empty()) << listed(wrong);
}

}  // namespace
}  // namespace perigee::test

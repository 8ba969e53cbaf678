// The main() of every test binary: runs the tests, or prints the rules that they show.
//
// A run in which no test ran has failed. Where PERIGEE_NO_SKIP is set, so has each test that was
// skipped.
#include "tests/support/rule.h"

#include <gmock/gmock.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace perigee::test {
namespace {

struct Registered {
  Rule rule;
  std::string test;  ///< Suite.Name
  std::string file;  ///< below the top of the tree
};

/// A function, so that it is there before any static registration.
std::vector<Registered>& rules() {
  static std::vector<Registered> all;
  return all;
}

/// What the rules of a file guard.
struct Guards {
  std::string file;
  std::string functions;
};

std::vector<Guards>& guards() {
  static std::vector<Guards> all;
  return all;
}

/// How a compiler names a file depends on where it runs.
std::string below_the_top(const std::string& file) {
  const size_t at = file.rfind("tests/");
  return at == std::string::npos ? file : file.substr(at);
}

/// A test that did not run shows nothing.
class NoSkips final : public testing::EmptyTestEventListener {
  void OnTestEnd(const testing::TestInfo& info) override {
    if (info.result()->Skipped()) ADD_FAILURE() << "PERIGEE_NO_SKIP is set, and this was skipped";
  }
};

class RuleTest final : public testing::Test {
 public:
  explicit RuleTest(std::function<void()> body) : body_(std::move(body)) {}
  void TestBody() override { body_(); }

 private:
  std::function<void()> body_;
};

/// One line per rule, its columns separated by tabs: section, sentence, does, option, test, file.
void print_rules() {
  for (const auto& [rule, test, file] : rules()) {
    std::printf("%s\t%s\t%s\t%s\t%s\t%s\n", rule.section.c_str(), rule.sentence.c_str(),
                rule.does.c_str(), rule.option.c_str(), test.c_str(), file.c_str());
  }
}

/// One line per file: its name and the functions that its rules guard.
void print_guards() {
  for (const auto& [file, functions] : guards()) {
    std::printf("%s\t%s\n", file.c_str(), functions.c_str());
  }
}

}  // namespace

int register_rule(const char* suite, const std::string& name, const Rule& rule, const char* file,
                  int line, std::function<void()> body) {
  rules().push_back({rule, std::string(suite) + "." + name, below_the_top(file)});
  testing::RegisterTest(
      suite, name.c_str(), nullptr, nullptr, file, line,
      [body = std::move(body)]() -> testing::Test* { return new RuleTest(body); });
  return 0;
}

int register_guards(const char* file, const char* functions) {
  guards().push_back({below_the_top(file), functions});
  return 0;
}

}  // namespace perigee::test

int main(int argc, char** argv) {
  if (argc == 2 && std::strcmp(argv[1], "--rules") == 0) {
    perigee::test::print_rules();
    return 0;
  }
  if (argc == 2 && std::strcmp(argv[1], "--guards") == 0) {
    perigee::test::print_guards();
    return 0;
  }
  testing::InitGoogleMock(&argc, argv);
  testing::UnitTest& tests = *testing::UnitTest::GetInstance();
  if (std::getenv("PERIGEE_NO_SKIP") != nullptr) {
    tests.listeners().Append(new perigee::test::NoSkips);
  }
  const int status = RUN_ALL_TESTS();
  if (GTEST_FLAG_GET(list_tests) || tests.test_to_run_count() > 0) return status;
  std::fprintf(stderr, "no test has this name\n");
  return 1;
}

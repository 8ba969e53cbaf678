// The main() of every test binary: runs the tests, or prints the rules that they show.
#include "tests/support/rule.h"

#include <gmock/gmock.h>

#include <cstdio>
#include <cstring>

namespace perigee::test {
namespace {

struct Registered {
  Rule rule;
  std::string test;  ///< Suite.Name
};

/// A function, so that it is there before any static registration.
std::vector<Registered>& rules() {
  static std::vector<Registered> all;
  return all;
}

class RuleTest final : public testing::Test {
 public:
  explicit RuleTest(std::function<void()> body) : body_(std::move(body)) {}
  void TestBody() override { body_(); }

 private:
  std::function<void()> body_;
};

/// One line a rule, its columns separated by tabs: section, sentence, does, option, test.
void print_rules() {
  for (const auto& [rule, test] : rules()) {
    std::printf("%s\t%s\t%s\t%s\t%s\n", rule.section.c_str(), rule.sentence.c_str(),
                rule.does.c_str(), rule.option.c_str(), test.c_str());
  }
}

}  // namespace

int register_rule(const char* suite, const std::string& name, const Rule& rule, const char* file,
                  int line, std::function<void()> body) {
  rules().push_back({rule, std::string(suite) + "." + name});
  testing::RegisterTest(
      suite, name.c_str(), nullptr, nullptr, file, line,
      [body = std::move(body)]() -> testing::Test* { return new RuleTest(body); });
  return 0;
}

}  // namespace perigee::test

int main(int argc, char** argv) {
  if (argc == 2 && std::strcmp(argv[1], "--rules") == 0) {
    perigee::test::print_rules();
    return 0;
  }
  testing::InitGoogleMock(&argc, argv);
  return RUN_ALL_TESTS();
}

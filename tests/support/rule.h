// Tests that show one rule of HTTP each, and know which: docs/http.md is written from them.
//
//   RULE(FreshnessRules, SMaxageBeatsMaxAge, "RFC 9111 §5.2.2.10; http-rules 2.3",
//        "s-maxage overrides max-age and Expires in a shared cache", "the lifetime is s-maxage",
//        "") {
//     EXPECT_EQ(lifetime("s-maxage=10, max-age=5"), 10);
//   }
//
// A file with rules says once which functions of the product they guard:
//
//   GUARDS("http::freshness, http::age_seconds");
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <vector>

namespace perigee::test {

struct Rule {
  std::string section;   ///< "RFC 9111 §4.2.2"; several separated by "; "
  std::string sentence;  ///< what the section demands or leaves open, in our own words
  std::string does;      ///< what Perigee does
  std::string option;    ///< the configuration key that changes it; empty: none
};

/// Registers a test. `suite` and `name` are identifiers. For rows of a table; else use RULE.
int register_rule(const char* suite, const std::string& name, const Rule& rule, const char* file,
                  int line, std::function<void()> body);

/// Says what the rules of a file guard: names with the folder of their header in front.
int register_guards(const char* file, const char* functions);

}  // namespace perigee::test

#define GUARDS(functions) \
  [[maybe_unused]] static const int guarded = ::perigee::test::register_guards(__FILE__, functions)

/// Defines a test that shows a rule: RULE(Suite, Name, section, sentence, does, option) { ... }
#define RULE(suite, name, section, sentence, does, option)                                       \
  static void rule_##suite##_##name();                                                           \
  [[maybe_unused]] static const int registered_##suite##_##name =                                \
      ::perigee::test::register_rule(#suite, #name, {section, sentence, does, option}, __FILE__, \
                                     __LINE__, &rule_##suite##_##name);                          \
  static void rule_##suite##_##name()

/// The same with a fixture, as TEST_F: RULE_F(Fixture, Name, section, sentence, does, option) { ...
/// }
#define RULE_F(fixture, name, section, sentence, does, option)                                   \
  struct fixture##_##name : fixture {                                                            \
    void TestBody() override;                                                                    \
  };                                                                                             \
  [[maybe_unused]] static const int registered_##fixture##_##name =                              \
      ::perigee::test::register_rule(#fixture "Rules", #name, {section, sentence, does, option}, \
                                     __FILE__, __LINE__, [] { fixture##_##name().TestBody(); }); \
  void fixture##_##name::TestBody()

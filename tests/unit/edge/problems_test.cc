// How mistakes of a configuration are shown: place, sentence, line and caret.
#include "edge/problems.h"

#include <gtest/gtest.h>

#include "base/limits.h"
#include "edge/nearest.h"

namespace perigee::edge {
namespace {

TEST(Problems, ShowTheLineWithACaretUnderTheColumn) {
  Problems problems;
  problems.error({"a.toml", 3, 7, "ttl = 5"}, "that is no duration");
  problems.warning({"a.toml", 4, 1, "x"}, "odd");
  problems.error({.name = "--listen"}, "'y' is not ADDRESS:PORT");
  EXPECT_EQ(problems.text(),
            "perigee: a.toml:3:7: that is no duration\n"
            "    ttl = 5\n"
            "          ^\n"
            "perigee: a.toml:4:1: warning: odd\n"
            "    x\n"
            "    ^\n"
            "perigee: --listen: 'y' is not ADDRESS:PORT\n");
}

TEST(Problems, AColumnCountsCharacters) {
  const Problem problem{Problem::Kind::kError, {"f", 1, 5, "\xc3\xa4\xc3\xb6 = 1"}, "w"};
  EXPECT_EQ(problem.text(), "f:1:5: w\n    \xc3\xa4\xc3\xb6 = 1\n        ^\n");
  const Problem behind{Problem::Kind::kError, {"f", 1, 9, "[server"}, "w"};
  EXPECT_EQ(behind.text(), "f:1:9: w\n    [server\n            ^\n");
}

TEST(Problems, OfALongLineThePartAroundTheColumnIsShown) {
  const std::string line = std::string(5000, 'a') + "!" + std::string(5000, 'b');
  const Problem problem{Problem::Kind::kError, {"f", 1, 5001, line}, "w"};
  EXPECT_EQ(problem.text(), "f:1:5001: w\n    " + std::string(60, 'a') + "!" +
                                std::string(59, 'b') + "\n    " + std::string(60, ' ') + "^\n");
}

TEST(Problems, NothingInThemEndsALineOrColoursATerminal) {
  const Problem problem{Problem::Kind::kError, {"f", 1, 2, "\t\x1b[31m\r"}, "unknown key 'a\nb'"};
  EXPECT_EQ(problem.text(), "f:1:2: unknown key 'a b'\n      [31m \n     ^\n");
}

TEST(Problems, AreToldUpToABoundAndThenCounted) {
  Problems problems;
  for (size_t i = 0; i < base::limits::kProblemsTold; ++i) {
    EXPECT_FALSE(problems.are_many(Problem::Kind::kError));
    problems.error({.name = "f"}, "w");
  }
  EXPECT_TRUE(problems.are_many(Problem::Kind::kError));
  EXPECT_EQ(problems.text().find("more"), std::string::npos);
  problems.error({.name = "f"}, "w");
  problems.error({.name = "f"}, "w");
  EXPECT_TRUE(problems.text().ends_with("perigee: and 2 more\n")) << problems.text();
  EXPECT_EQ(problems.all().size(), base::limits::kProblemsTold);
  problems.warning({.name = "f"}, "warnings have a bound of their own");
  EXPECT_EQ(problems.all().size(), base::limits::kProblemsTold + 1);
}

TEST(Problems, OfAFileAreNoUsageErrors) {
  Problems problems;
  EXPECT_FALSE(problems.failed());
  EXPECT_FALSE(problems.is_usage());
  problems.warning({"f", 1, 1, ""}, "w");
  EXPECT_FALSE(problems.failed());
  problems.error({.name = "--listen"}, "w");
  EXPECT_TRUE(problems.failed());
  EXPECT_TRUE(problems.is_usage());
  problems.error({}, "f: cannot be read");
  EXPECT_FALSE(problems.is_usage());
}

TEST(Nearest, IsNamedOnlyWhereItIsNear) {
  const std::string_view known[] = {"listen", "workers", "ttl", "default_ttl"};
  EXPECT_EQ(nearest("lisen", known), "listen");
  EXPECT_EQ(nearest("deafult_ttl", known), "default_ttl");
  EXPECT_EQ(nearest("tll", known), "ttl");
  EXPECT_EQ(nearest("colour", known), "");
  EXPECT_EQ(nearest("", known), "");
  EXPECT_EQ(nearest(std::string(5000, 'l'), known), "");
  EXPECT_EQ(nearest("listen", {}), "");
  EXPECT_EQ(hint("lisen", known), ", did you mean 'listen'?");
  EXPECT_EQ(hint("colour", known), "");
}

}  // namespace
}  // namespace perigee::edge

// Chromium, as tests/e2e/browser drives it: what it asked for, and what went wrong.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "tests/e2e/harness/process.h"

namespace perigee::e2e {

/// What one visit showed; see visit.py.
struct Visit {
  struct Answer {
    std::string status;
    std::string cache;
    std::string path;
  };
  bool asked_for(std::string_view path) const;

  std::vector<Answer> answers;
  std::vector<std::string> trouble;  ///< lines of the console, and of what failed
  std::string value;
};

/// Takes steps with Chromium, its cache off, and evaluates an expression after each.
std::vector<Visit> browse(const std::string& url, const std::string& expression,
                          const std::vector<std::string>& steps);

/// Several tabs that stay open, their cache off; see tabs.py.
class Tabs {
 public:
  Tabs();
  ~Tabs();
  Tabs(const Tabs&) = delete;
  Tabs& operator=(const Tabs&) = delete;

  /// The number of a further tab, which has loaded the page.
  size_t open(const std::string& url);
  /// The value of an expression in a tab; a promise is waited for.
  std::string evaluate(size_t tab, const std::string& expression);
  /// Ends the browser: all that happened in all tabs, with paths below `url`.
  Visit close(const std::string& url);

 private:
  /// "" and a failure without an answer; then nothing is asked any more.
  std::string ask(const std::string& command);

  int ours_ = -1;
  int theirs_;  ///< the input of the process, until it runs
  bool silent_ = false;
  size_t asked_ = 0;
  size_t opened_ = 0;
  Process process_;
};

}  // namespace perigee::e2e

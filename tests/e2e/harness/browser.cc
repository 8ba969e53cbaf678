#include "tests/e2e/harness/browser.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <sstream>

#include "tests/support/main/paths.h"

namespace perigee::e2e {
namespace {

std::vector<std::string> columns_of(const std::string& line) {
  std::vector<std::string> columns;
  std::istringstream text(line);
  for (std::string column; std::getline(text, column, '\t');) columns.push_back(column);
  columns.resize(4);
  return columns;
}

void add(const std::string& line, const std::string& url, Visit& visit) {
  const std::vector<std::string> columns = columns_of(line);
  if (columns[0] == "response") {
    const bool ours = columns[3].starts_with(url);
    visit.answers.push_back(
        {columns[1], columns[2], ours ? columns[3].substr(url.size()) : columns[3]});
  } else if (columns[0] == "value") {
    visit.value = columns[1];
  } else if (columns[0] != "visit") {
    visit.trouble.push_back(line);
  }
}

std::vector<Visit> visits_in(const std::string& output, const std::string& url) {
  std::vector<Visit> visits;
  std::istringstream lines(output);
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("visit\t")) visits.emplace_back();
    if (!visits.empty()) add(line, url, visits.back());
  }
  return visits;
}

/// The whole lines of `output` that tell a value.
std::vector<std::string> values_in(const std::string& output) {
  std::vector<std::string> values;
  std::istringstream lines(output.substr(0, output.rfind('\n') + 1));
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("value\t")) values.push_back(line.substr(6));
  }
  return values;
}

}  // namespace

bool Visit::asked_for(std::string_view path) const {
  return std::any_of(answers.begin(), answers.end(),
                     [&](const Answer& answer) { return answer.path == path; });
}

std::vector<Visit> browse(const std::string& url, const std::string& expression,
                          const std::vector<std::string>& steps) {
  std::vector<std::string> arguments = {
      "/usr/bin/python3", test::source_file("tests/e2e/browser/visit.py"), url, expression};
  arguments.insert(arguments.end(), steps.begin(), steps.end());
  const Finished done = run({.arguments = arguments});
  EXPECT_EQ(done.exit, 0) << done.err;
  return visits_in(done.out, url);
}

namespace {

/// A socket for commands, since writing to one whose reader has gone raises no signal.
int input_for(int& ours) {
  int ends[2] = {-1, -1};
  EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
  ours = ends[0];
  return ends[1];
}

}  // namespace

Tabs::Tabs()
    : theirs_(input_for(ours_)),
      process_({.arguments = {"/usr/bin/python3", test::source_file("tests/e2e/browser/tabs.py")},
                .in = theirs_}) {
  ::close(theirs_);
}

Tabs::~Tabs() {
  if (ours_ >= 0) ::close(ours_);
}

std::string Tabs::ask(const std::string& command) {
  if (silent_) return "";
  const std::string line = command + "\n";
  ::send(ours_, line.data(), line.size(), MSG_NOSIGNAL);
  ++asked_;
  std::vector<std::string> values;
  const auto answered = [&] {
    const bool running = process_.running();
    values = values_in(process_.out());
    return values.size() >= asked_ || !running;
  };
  // A browser that starts on a busy machine takes its time.
  for (int round = 0; round < 3 && !eventually(answered);) ++round;
  silent_ = values.size() != asked_;
  EXPECT_FALSE(silent_) << command << "\n" << process_.out() << process_.err();
  return silent_ ? "" : values.back();
}

size_t Tabs::open(const std::string& url) {
  EXPECT_EQ(ask("open " + url), "complete " + url);
  return opened_++;
}

std::string Tabs::evaluate(size_t tab, const std::string& expression) {
  return ask("do " + std::to_string(tab) + " " + expression);
}

Visit Tabs::close(const std::string& url) {
  ::close(ours_);
  ours_ = -1;
  EXPECT_EQ(process_.wait(), 0) << process_.err();
  const std::vector<Visit> visits = visits_in(process_.out(), url);
  EXPECT_EQ(visits.size(), 1u);
  return visits.empty() ? Visit() : visits.front();
}

}  // namespace perigee::e2e

// A browser visits the demo site through the node, as whoever tries Perigee first will.
#include <signal.h>

#include <filesystem>
#include <sstream>

#include "tests/e2e/harness/site.h"

namespace perigee::e2e {
namespace {

/// What one visit showed; see visit.py.
struct Visit {
  struct Answer {
    std::string status;
    std::string cache;
    std::string path;
  };
  std::vector<Answer> answers;
  std::vector<std::string> trouble;  ///< lines of the console, and of what failed
  std::string value;
};

std::vector<std::string> columns_of(const std::string& line) {
  std::vector<std::string> columns;
  std::istringstream text(line);
  for (std::string column; std::getline(text, column, '\t');) columns.push_back(column);
  columns.resize(4);
  return columns;
}

std::vector<Visit> visits_in(const std::string& output, const std::string& url) {
  std::vector<Visit> visits;
  std::istringstream lines(output);
  for (std::string line; std::getline(lines, line);) {
    const std::vector<std::string> columns = columns_of(line);
    if (columns[0] == "visit") visits.emplace_back();
    if (visits.empty()) continue;
    Visit& visit = visits.back();
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
  return visits;
}

/// Visits a page with Chromium, its cache off, and evaluates an expression in it each time.
std::vector<Visit> browse(const std::string& url, int visits, const std::string& expression) {
  const Finished done =
      run({.arguments = {"/usr/bin/python3", PERIGEE_SOURCE_DIR "/tests/e2e/browser/visit.py",
                         url + "/", std::to_string(visits), expression}});
  EXPECT_EQ(done.exit, 0) << done.err;
  return visits_in(done.out, url);
}

/// The demo site as `make run` serves it.
class DemoSite : public testing::Test {
 protected:
  DemoSite() {
    const std::string source = PERIGEE_SOURCE_DIR "/conf/demo-site";
    std::filesystem::copy(source, folder.path(), std::filesystem::copy_options::recursive);
    const Finished made =
        run({.arguments = {PERIGEE_SOURCE_DIR "/tools/make_demo_assets", folder.file("public")}});
    EXPECT_EQ(made.exit, 0) << made.err;
    process = std::make_unique<Process>(ProcessOptions{
        .arguments = {binary(), "-c", folder.file("perigee.toml"), "--listen", "127.0.0.1:0",
                      "--store", folder.file("store"), "--store-size", "300MiB"}});
    EXPECT_TRUE(eventually([&] { return (port = port_in(process->out())) != 0; }))
        << process->err();
  }
  ~DemoSite() override {
    process->signal(SIGTERM);
    EXPECT_EQ(process->wait(), 0) << process->err();
  }
  std::string url() const { return "http://127.0.0.1:" + std::to_string(port); }

  TempFolder folder;
  std::unique_ptr<Process> process;
  uint16_t port = 0;
};

TEST_F(DemoSite, LoadsWholeInChromiumAndTheSecondTimeFromTheCache) {
  // Once its script has filled the table: is the font there, has every picture pixels?
  const std::string expression = R"(
    (async () => {
      while (document.querySelectorAll("#answers tr").length < 6) {
        await new Promise((resume) => setTimeout(resume, 20));
      }
      await document.fonts.ready;
      return [document.fonts.check("16px 'Perigee Demo'"),
              [...document.images].every((image) => image.naturalWidth > 0)].join(" ");
    })())";
  const std::vector<Visit> visits = browse(url(), 2, expression);
  ASSERT_EQ(visits.size(), 2u);
  for (const Visit& visit : visits) {
    EXPECT_EQ(visit.trouble, std::vector<std::string>());
    EXPECT_EQ(visit.value, "true true");
    for (const std::string path :
         {"/", "/style.css", "/cache.js", "/orbit.svg", "/moon.png", "/dejavu.ttf"}) {
      EXPECT_TRUE(std::any_of(visit.answers.begin(), visit.answers.end(),
                              [&](const Visit::Answer& answer) { return answer.path == path; }))
          << path << " was never asked for";
    }
    for (const Visit::Answer& answer : visit.answers)
      EXPECT_EQ(answer.status, "200") << answer.path;
  }
  for (const Visit::Answer& answer : visits[1].answers) {
    EXPECT_TRUE(answer.cache.starts_with("perigee; hit")) << answer.path << ": " << answer.cache;
  }
}

}  // namespace
}  // namespace perigee::e2e

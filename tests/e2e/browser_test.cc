// A browser visits the demo site through the node, as whoever tries Perigee first will.
#include "tests/e2e/harness/browser.h"

#include <signal.h>

#include <filesystem>

#include "tests/e2e/harness/site.h"
#include "tests/support/main/paths.h"

namespace perigee::e2e {
namespace {

/// The demo site as `make run` serves it.
class DemoSite : public testing::Test {
 protected:
  DemoSite() {
    const std::string source = test::source_file("conf/demo-site");
    std::filesystem::copy(source, folder.path(), std::filesystem::copy_options::recursive);
    const Finished made =
        run({.arguments = {test::source_file("tools/make_demo_assets"), folder.file("public")}});
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
  const std::vector<Visit> visits = browse(url(), expression, {"/", "/"});
  ASSERT_EQ(visits.size(), 2u);
  for (const Visit& visit : visits) {
    EXPECT_EQ(visit.trouble, std::vector<std::string>());
    EXPECT_EQ(visit.value, "true true");
    for (const std::string path :
         {"/", "/style.css", "/cache.js", "/orbit.svg", "/moon.png", "/dejavu.ttf"}) {
      EXPECT_TRUE(visit.asked_for(path)) << path << " was never asked for";
    }
    for (const Visit::Answer& answer : visit.answers)
      EXPECT_EQ(answer.status, "200") << answer.path;
  }
  for (const Visit::Answer& answer : visits[1].answers) {
    EXPECT_TRUE(answer.cache.starts_with("perigee; hit")) << answer.path << ": " << answer.cache;
  }
}

/// Two small pages whose origin counts its requests.
class Reloading : public SiteTest {
 protected:
  Reloading() {
    const auto add = [&](const std::string& path, const std::string& type,
                         const std::string& body) {
      origin.reply(path, {.fields = {max_age(600), "Content-Type: " + type},
                          .body = body,
                          .etag = "\"" + path + "\""});
    };
    const std::string head =
        "<!doctype html><link rel=icon href='data:,'>"
        "<link rel=stylesheet href=/style.css><script src=/script.js></script>";
    add("/one", "text/html", head + "<title>one</title><img src=/picture.svg>");
    add("/two", "text/html", head + "<title>two</title><img src=/picture.svg>");
    add("/style.css", "text/css", "html { color: rgb(1, 2, 3) }");
    add("/script.js", "text/javascript", "window.ran = true");
    add("/picture.svg", "image/svg+xml",
        "<svg xmlns='http://www.w3.org/2000/svg' width='9' height='9'/>");
    for (const std::string& path : paths) hit(path);
  }
  const std::vector<std::string> paths = {"/one", "/two", "/style.css", "/script.js",
                                          "/picture.svg"};
};

TEST_F(Reloading, ReloadHardReloadAndBackAreHitsAndNeverReachTheOrigin) {
  const std::string expression =
      "[document.title, window.ran, document.images[0].naturalWidth,"
      " getComputedStyle(document.documentElement).color].join(' ')";
  const std::vector<std::string> steps = {"/one", "reload", "hard-reload", "/two", "back"};
  const std::vector<Visit> visits = browse(node.url(""), expression, steps);
  ASSERT_EQ(visits.size(), steps.size());
  for (size_t i = 0; i < visits.size(); ++i) {
    SCOPED_TRACE(steps[i]);
    const std::string page = steps[i] == "/two" ? "two" : "one";
    EXPECT_EQ(visits[i].trouble, std::vector<std::string>());
    EXPECT_EQ(visits[i].value, page + " true 9 rgb(1, 2, 3)");
    for (const std::string& path : {"/" + page, paths[2], paths[3], paths[4]}) {
      EXPECT_TRUE(visits[i].asked_for(path)) << path << " was never asked for";
    }
    for (const Visit::Answer& answer : visits[i].answers) {
      if (answer.path.starts_with("data:")) continue;
      EXPECT_EQ(answer.status, "200") << answer.path;
      EXPECT_TRUE(answer.cache.starts_with("perigee; hit")) << answer.path << ": " << answer.cache;
    }
  }
  for (const std::string& path : paths) EXPECT_EQ(origin.count(path), 1u) << path;
}

}  // namespace
}  // namespace perigee::e2e

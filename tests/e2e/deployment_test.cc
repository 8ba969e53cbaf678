// A deployment cannot break the site: pages that are open go on in Chromium, and no client gets a
// wrong body, while releases come and go at the origin.
#include <algorithm>
#include <atomic>
#include <filesystem>
#include <mutex>
#include <thread>

#include "tests/e2e/harness/browser.h"
#include "tests/e2e/harness/bundled_site.h"
#include "tests/e2e/harness/nginx.h"
#include "tests/e2e/harness/site.h"

namespace perigee::e2e {
namespace {

namespace fs = std::filesystem;

/// What the origin does with a request for a file of a release that is gone.
enum class Host : uint8_t {
  kSaysMissing,   ///< nginx: 404
  kSendsThePage,  ///< nginx: the page, with the lifetime of the file
  kFolder,        ///< no server at all, and nothing says immutable
};

/// What Perigee says when it serves that file all the same.
std::string stand_in(Host host) {
  return host == Host::kSendsThePage ? "detail=shape" : "detail=retained";
}

/// The directives of nginx.
std::string directives(Host host) {
  const std::string for_ever = "add_header Cache-Control 'public, max-age=31536000, immutable';";
  const std::string otherwise = host == Host::kSendsThePage ? "@page" : "=404";
  return "location / { add_header Cache-Control max-age=600; }\n"
         "location /assets/ { try_files $uri " +
         otherwise + "; " + for_ever +
         " }\n"
         "location @page { rewrite ^ /index.html break; " +
         for_ever + " }\n";
}

/// Clients that ask for all that was deployed so far, and look at every byte.
class Load {
 public:
  Load(uint16_t port, const std::vector<Release>& releases, std::string stand_in)
      : port_(port), stand_in_(std::move(stand_in)) {
    for (const Release& release : releases) {
      for (const auto& [path, body] : release.files) {
        bodies_[path].insert(body);
        if (path != "/") paths_.push_back(path);
      }
      ends_.push_back(paths_.size());
    }
  }
  ~Load() { stop(); }
  Load(const Load&) = delete;
  Load& operator=(const Load&) = delete;

  /// From now on all files of so many releases are stored, and asked for.
  void set_stored(size_t releases) {
    stored_ = ends_[releases - 1];
    for (size_t i = clients_.size(); i < kClients; ++i) {
      clients_.emplace_back([this, i] { ask(i); });
    }
  }
  /// Waits until clients have been answered that had not asked yet.
  bool goes_on() {
    const size_t before = answers_;
    return eventually([&] { return answers_ > before + 2 * paths_.size(); });
  }
  void stop() {
    stop_ = true;
    for (std::thread& client : clients_) client.join();
    clients_.clear();
  }
  size_t stand_ins() const { return stand_ins_; }
  std::vector<std::string> wrong() const { return wrong_; }

 private:
  static constexpr size_t kClients = 3;

  void ask(size_t at) {
    Client client(port_);
    for (; !stop_; ++at) {
      const size_t stored = stored_;
      const size_t turn = at % (stored + 1);
      look_at(turn == stored ? "/" : paths_[turn], client);
    }
  }
  void look_at(const std::string& path, Client& client) {
    const Response answer = client.get(path);
    ++answers_;
    if (answer.cache().contains(stand_in_)) ++stand_ins_;
    const bool page = answer.field("Content-Type").starts_with("text/html");
    const bool good = answer.state == State::kWhole && answer.status == 200 &&
                      bodies_.at(path).contains(answer.body) && page == (path == "/");
    if (good) return;
    const std::lock_guard lock(mutex_);
    wrong_.push_back(path + ": " + std::to_string(answer.status) + " " +
                     answer.field("Cache-Status") + "\n" + answer.body.substr(0, 200));
    if (wrong_.size() > 5) stop_ = true;
  }

  const uint16_t port_;
  const std::string stand_in_;
  std::map<std::string, std::set<std::string>> bodies_;
  std::vector<std::string> paths_;
  std::vector<size_t> ends_;  ///< in paths_, of each release
  std::atomic<size_t> stored_{0};
  std::atomic<size_t> answers_{0};
  std::atomic<size_t> stand_ins_{0};
  std::atomic<bool> stop_{false};
  std::mutex mutex_;
  std::vector<std::string> wrong_;
  std::vector<std::thread> clients_;
};

/// The routes of the site, and what each shows.
struct Route {
  std::string name;
  std::string text;
};
const std::vector<Route> kRoutes = {{"guide", "The guide of @"},
                                    {"calendar", "1 April 1995"},
                                    {"search", "perigee"},
                                    {"picture", "an orbit"}};

/// A page that stays as it was loaded, and shows one route after the other.
struct OpenPage {
  bool over() const { return shown == kRoutes.size(); }
  void show_next(Tabs& tabs) {
    const Route& route = kRoutes[shown++];
    std::string expected = release + " " + release + " " + release + " " + route.text;
    if (expected.ends_with('@')) expected.replace(expected.size() - 1, 1, release);
    EXPECT_EQ(tabs.evaluate(tab, "show('" + route.name + "').catch(String)"), expected);
  }

  size_t tab = 0;
  std::string release;
  size_t shown = 0;
};

class Deployment : public testing::TestWithParam<Host> {
 protected:
  void SetUp() override {
    if (site_packages().empty()) {
      GTEST_SKIP() << "the bundler is not installed: tools/bootstrap --tests does it";
    }
    for (const std::string name : {"one", "two"}) {
      releases.push_back(build_release(name, all.file(name), name == "one" ? 40 : 20));
    }
    for (const auto& [path, body] : releases[0].files) {
      if (path != "/") {
        ASSERT_FALSE(releases[1].files.contains(path)) << path;
      }
    }
    std::string site = "[[site]]\ndefault = true\n";
    if (GetParam() == Host::kFolder) {
      // A new store is only made for a folder that is there.
      fs::create_directory_symlink(release_of(0).name, all.file("current"));
      site += "origin = \"dir:" + all.file("current") + "\"\nttl = \"1h\"\nretain_hashed = true\n";
    } else {
      nginx = std::make_unique<Nginx>(all.file("current"), directives(GetParam()));
      ASSERT_TRUE(nginx->running()) << nginx->trouble();
      site += "origin = \"" + nginx->url() + "\"\n";
    }
    node = std::make_unique<Node>(NodeOptions{.config = site});
  }
  const Release& release_of(size_t deployment) const { return releases[deployment % 2]; }

  /// As people deploy: a link is pointed at the release, what it replaces is purged softly, and all
  /// that is new is asked for once.
  void deploy(size_t deployment) {
    const Release& next = release_of(deployment);
    fs::create_directory_symlink(next.name, all.file("new"));
    fs::rename(all.file("new"), all.file("current"));
    Client client(node->port());
    for (const auto& [path, body] : release_of(deployment + 1).files) {
      client.request("PURGE", path, {"Soft-Purge: 1"}).expect(200);
    }
    for (const auto& [path, body] : next.files) {
      EXPECT_TRUE(eventually([&, &path = path, &body = body] {
        return client.get(path).expect(200).expect_body(body).is_hit();
      })) << path;
    }
  }

  TempFolder all;
  std::vector<Release> releases;
  std::unique_ptr<Nginx> nginx;
  std::unique_ptr<Node> node;
};

TEST_P(Deployment, ThatDeletesTheLastReleaseBreaksNoPageAndSendsNoWrongBody) {
  Load load(node->port(), releases, stand_in(GetParam()));
  Tabs tabs;
  std::vector<OpenPage> pages;
  size_t shown_late = 0;
  for (size_t deployment = 0; deployment < 6 && !HasFailure(); ++deployment) {
    deploy(deployment);
    load.set_stored(deployment == 0 ? 1 : 2);
    for (OpenPage& page : pages) {
      if (page.over()) continue;
      page.show_next(tabs);
      if (page.release != release_of(deployment).name) ++shown_late;
    }
    if (deployment < 3) {
      pages.push_back({.tab = tabs.open(node->url("/")), .release = release_of(deployment).name});
    }
    EXPECT_TRUE(load.goes_on());
  }
  load.stop();
  EXPECT_EQ(load.wrong(), std::vector<std::string>());
  EXPECT_GT(load.stand_ins(), 0u);

  const Visit seen = tabs.close(node->url(""));
  EXPECT_EQ(seen.trouble, std::vector<std::string>());
  size_t stand_ins = 0;
  for (const Visit::Answer& answer : seen.answers) {
    if (answer.path.starts_with("data:")) continue;
    EXPECT_EQ(answer.status, "200") << answer.path << " " << answer.cache;
    if (answer.cache.find(stand_in(GetParam())) != std::string::npos) ++stand_ins;
  }
  // A script and a stylesheet at least, for each route that was shown when its release was gone.
  EXPECT_EQ(shown_late, 6u);
  EXPECT_GE(stand_ins, 2 * shown_late);
}

INSTANTIATE_TEST_SUITE_P(Hosts, Deployment,
                         testing::Values(Host::kSaysMissing, Host::kSendsThePage, Host::kFolder),
                         [](const testing::TestParamInfo<Host>& host) -> std::string {
                           switch (host.param) {
                             case Host::kSaysMissing:
                               return "NginxSaysMissing";
                             case Host::kSendsThePage:
                               return "NginxSendsThePage";
                             case Host::kFolder:
                               return "Folder";
                           }
                           return "";
                         });

}  // namespace
}  // namespace perigee::e2e

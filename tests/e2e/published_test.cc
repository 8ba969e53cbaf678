// What is published is seen at once by pip and git, which ask for fresh indexes, though no origin
// says how long its indexes live; and what never changes comes from the cache.
#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <filesystem>

#include "tests/e2e/harness/nginx.h"
#include "tests/e2e/harness/site.h"
#include "tests/support/main/paths.h"

namespace perigee::e2e {
namespace {

namespace fs = std::filesystem;

/// Makes all files below a folder a month old. Then a cache guesses that they are good for long.
void age(const std::string& folder) {
  for (const auto& file : fs::recursive_directory_iterator(folder)) {
    if (!file.is_regular_file()) continue;
    fs::last_write_time(file, fs::file_time_type::clock::now() - std::chrono::hours(24 * 30));
  }
}

/// A folder behind nginx, which says nothing about lifetimes, behind a node.
class Published : public testing::Test {
 protected:
  void SetUp() override { ASSERT_TRUE(nginx.running()) << nginx.trouble(); }

  /// What is stored for whoever does not ask for fresh content. Never reaches the origin.
  std::string stored(const std::string& target) {
    Response answer;
    EXPECT_TRUE(eventually([&] {
      answer = Client(node.port()).get(target, {"Cache-Control: only-if-cached"});
      return answer.is_hit();
    })) << target
        << " never became a hit";
    return answer.body;
  }
  /// How often nginx was asked for a target.
  size_t asked(const std::string& target) const {
    const std::string log = nginx.access_log();
    const std::string line = "\"GET " + target + " HTTP/1.1\"";
    size_t count = 0;
    for (size_t at = 0; (at = log.find(line, at)) != std::string::npos; ++at) ++count;
    return count;
  }

  TempFolder site;
  Nginx nginx{site.path()};
  Node node{{.origin = nginx.url()}};
};

/// An index as PEP 503 has it, and the wheels that it leads to.
class PublishedForPip : public Published {
 protected:
  static std::string file_of(const std::string& version) {
    return "/files/perigee_example-" + version + "-py3-none-any.whl";
  }
  void publish(const std::string& version) {
    fs::create_directories(site.file("files"));
    const std::string program = R"(
import sys, zipfile
path, version = sys.argv[1:]
info = 'perigee_example-' + version + '.dist-info/'
files = {'perigee_example.py': 'version = ' + repr(version) + '\n',
         info + 'METADATA': 'Metadata-Version: 2.1\nName: perigee-example\nVersion: ' + version,
         info + 'WHEEL': 'Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n'}
files[info + 'RECORD'] = ''.join(name + ',,\n' for name in [*files, info + 'RECORD'])
with zipfile.ZipFile(path, 'w') as wheel:
    for name, text in files.items(): wheel.writestr(name, text)
)";
    const Finished made = run({.arguments = {"/usr/bin/python3", "-c", program,
                                             site.path() + file_of(version), version}});
    EXPECT_EQ(made.exit, 0) << made.err;
    links += "<a href='" + file_of(version) + "'>" +
             fs::path(file_of(version)).filename().string() + "</a>\n";
    site.write("simple/perigee-example/index.html", "<!doctype html>\n" + links);
  }
  /// The version of what pip installs. Nothing of this machine or its user has a say.
  std::string install(const std::string& what) {
    TempFolder into;
    const Finished done =
        run({.arguments = {"/usr/bin/python3", "-m", "pip", "--isolated", "--no-cache-dir",
                           "--disable-pip-version-check", "install", "--no-deps", "--target",
                           into.file("here"), "--index-url", node.url("/simple/"), what},
             .environment = {{"PIP_CONFIG_FILE", "/dev/null"},
                             {"HOME", into.path()},
                             {"no_proxy", "127.0.0.1"},
                             {"NO_PROXY", "127.0.0.1"}}});
    EXPECT_EQ(done.exit, 0) << done.out << done.err;
    return read_file(into.file("here/perigee_example.py"));
  }

  const std::string index = "/simple/perigee-example/";
  std::string links;
};

TEST_F(PublishedForPip, ANewVersionIsInstalledAtOnceAndFilesComeFromTheCache) {
  publish("1.0");
  age(site.path());
  EXPECT_EQ(install("perigee-example"), "version = '1.0'\n");
  const std::string before = stored(index);
  stored(file_of("1.0"));
  EXPECT_EQ(install("perigee-example"), "version = '1.0'\n");
  EXPECT_EQ(asked(file_of("1.0")), 1u);

  publish("1.1");
  EXPECT_EQ(stored(index), before) << "the guess still holds for others";
  EXPECT_EQ(install("perigee-example"), "version = '1.1'\n");
  Client(node.port())
      .get(index)
      .expect(200)
      .expect_body(read_file(site.path() + index + "index.html"));
  EXPECT_EQ(install("perigee-example==1.0"), "version = '1.0'\n");
  EXPECT_EQ(asked(file_of("1.0")), 1u);
}

/// Runs git in a folder; what it printed, without the last line's end. Nothing of this machine or
/// its user has a say.
std::string git(const std::string& folder, std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), {"git", "-c", "init.defaultBranch=main"});
  const Finished done = run({.arguments = arguments,
                             .environment = {{"GIT_CONFIG_GLOBAL", "/dev/null"},
                                             {"GIT_CONFIG_NOSYSTEM", "1"},
                                             {"GIT_TERMINAL_PROMPT", "0"},
                                             {"GIT_AUTHOR_NAME", "a"},
                                             {"GIT_AUTHOR_EMAIL", "a@b.test"},
                                             {"GIT_COMMITTER_NAME", "a"},
                                             {"GIT_COMMITTER_EMAIL", "a@b.test"},
                                             {"no_proxy", "127.0.0.1"},
                                             {"NO_PROXY", "127.0.0.1"}},
                             .folder = folder});
  EXPECT_EQ(done.exit, 0) << arguments[3] << ": " << done.out << done.err;
  return done.out.substr(0, done.out.find_last_not_of('\n') + 1);
}

/// A repository that the origin serves, and the folder of somebody who works on it there.
class Repository {
 public:
  explicit Repository(const std::string& served) : served_(served) {
    git(".", {"init", "-q", "--bare", served});
    git(".", {"init", "-q", work()});
    git(work(), {"remote", "add", "origin", served});
  }
  /// Pushes a commit that changes a file; its name.
  std::string commit(const std::string& content) {
    folder_.write("work/file", content);
    git(work(), {"add", "file"});
    git(work(), {"commit", "-q", "-m", "a change"});
    git(work(), {"push", "-q", "origin", "main"});
    return git(work(), {"rev-parse", "main"});
  }
  /// One pack instead of many files.
  void pack() { git(served_, {"repack", "-q", "-a", "-d"}); }
  /// Writes the indexes that clients of a plain host read.
  void index() { git(served_, {"update-server-info"}); }

 private:
  std::string work() const { return folder_.file("work"); }
  const std::string served_;
  TempFolder folder_;
};

using PublishedForGit = Published;

TEST_F(PublishedForGit, APushIsFetchedAtOnceFromAPlainHost) {
  Repository repository(site.file("repository.git"));
  const std::string first = repository.commit("one");
  repository.index();
  age(site.path());
  TempFolder folder;
  const std::string copy = folder.file("copy");
  git(".", {"clone", "-q", node.url("/repository.git"), copy});
  EXPECT_EQ(git(copy, {"rev-parse", "origin/main"}), first);
  EXPECT_EQ(read_file(copy + "/file"), "one");
  const std::string refs = "/repository.git/info/refs?service=git-upload-pack";

  std::string last;
  for (const bool packed : {false, true}) {
    const std::string before = stored(refs);
    last = repository.commit(packed ? "three" : "two");
    if (packed) repository.pack();
    repository.index();
    age(site.file("repository.git/objects"));
    EXPECT_EQ(stored(refs), before) << "the guess still holds for others";
    git(copy, {"fetch", "-q"});
    EXPECT_EQ(git(copy, {"rev-parse", "origin/main"}), last);
    age(site.path());
    git(copy, {"fetch", "-q"});
  }

  // A pack never changes: a second copy comes from the cache.
  std::string pack;
  for (const auto& file : fs::directory_iterator(site.file("repository.git/objects/pack"))) {
    if (file.path().extension() == ".pack") pack = file.path().string().substr(site.path().size());
  }
  stored(pack);
  git(".", {"clone", "-q", node.url("/repository.git"), folder.file("other")});
  EXPECT_EQ(git(folder.file("other"), {"rev-parse", "origin/main"}), last);
  EXPECT_EQ(asked(pack), 1u);
}

/// git's own server: it answers what a client asks, by POST.
class SmartGit : public testing::Test {
 protected:
  SmartGit() {
    EXPECT_TRUE(eventually([&] {
      const std::string out = backend.out();
      if (out.find('\n') != std::string::npos) port = std::atoi(out.c_str());
      return port != 0;
    })) << backend.err();
    node =
        std::make_unique<Node>(NodeOptions{.origin = "http://127.0.0.1:" + std::to_string(port)});
  }
  bool was_asked(const std::string& line) const {
    return backend.out().find("\n" + line + "\n") != std::string::npos;
  }

  TempFolder site;
  Process backend{
      {.arguments = {"/usr/bin/python3", test::source_file("tests/e2e/origins/git_http_backend.py"),
                     site.path()}}};
  int port = 0;
  std::unique_ptr<Node> node;
};

TEST_F(SmartGit, ClonesFetchesAndPushesThroughTheNode) {
  Repository repository(site.file("repository.git"));
  const std::string first = repository.commit("one");
  TempFolder folder;
  const std::string copy = folder.file("copy");
  git(".", {"clone", "-q", node->url("/repository.git"), copy});
  EXPECT_EQ(git(copy, {"rev-parse", "origin/main"}), first);
  EXPECT_TRUE(was_asked("POST /repository.git/git-upload-pack length")) << backend.out();

  const std::string second = repository.commit("two");
  git(copy, {"pull", "-q", "--ff-only"});
  EXPECT_EQ(git(copy, {"rev-parse", "main"}), second);

  // More than git sends with a length.
  const std::string large = tools::pattern_body(3 << 20);
  folder.write("copy/large", large);
  git(copy, {"add", "large"});
  git(copy, {"commit", "-q", "-m", "a large file"});
  git(copy, {"-c", "core.compression=0", "push", "-q", "origin", "main"});
  EXPECT_TRUE(was_asked("POST /repository.git/git-receive-pack chunked")) << backend.out();
  const std::string other = folder.file("other");
  git(".", {"clone", "-q", node->url("/repository.git"), other});
  EXPECT_TRUE(read_file(other + "/large") == large);
}

}  // namespace
}  // namespace perigee::e2e

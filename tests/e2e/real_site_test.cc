// Origins that nobody wrote for a test: nginx with a documentation package, and Python's own
// server.
#include <signal.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>

#include "tests/e2e/harness/nginx.h"
#include "tests/e2e/harness/site.h"

namespace perigee::e2e {
namespace {

const std::string kDocumentation = "/usr/share/doc/libxml2/html";

/// The paths of all files below a folder, with a slash in front.
std::vector<std::string> files_below(const std::string& root) {
  std::vector<std::string> files;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(root)) {
    if (entry.is_regular_file()) files.push_back(entry.path().string().substr(root.size()));
  }
  std::sort(files.begin(), files.end());
  return files;
}

/// Fetches all of them over one connection and compares every byte. The number of hits.
size_t mirror(Node& node, const std::string& root, const std::vector<std::string>& files) {
  Client client(node.port());
  size_t hits = 0;
  for (const std::string& file : files) {
    const Response answer = client.get(file);
    EXPECT_EQ(answer.status, 200) << file;
    EXPECT_TRUE(answer.body == read_file(root + file)) << file;
    hits += answer.is_hit() ? 1 : 0;
  }
  return hits;
}

/// The status that came: curl itself calls a 200 that is not newer than -z a 304.
int status_of(std::vector<std::string> arguments, const std::string& url) {
  TempFolder folder;
  arguments.insert(arguments.end(), {"-D", folder.file("head"), url});
  const Finished done = curl(std::move(arguments));
  EXPECT_EQ(done.exit, 0) << done.err;
  const std::string head = read_file(folder.file("head"));
  EXPECT_TRUE(head.starts_with("HTTP/1.1 ")) << head;
  return std::atoi(head.substr(std::min<size_t>(head.size(), 9)).c_str());
}

TEST(RealSite, ADocumentationPackageIsMirroredFromNginxAndThenFromTheCache) {
  const std::vector<std::string> files = files_below(kDocumentation);
  ASSERT_GT(files.size(), 150u) << "is libxml2-doc installed? tools/bootstrap --tests does it";
  Nginx nginx(kDocumentation);
  ASSERT_TRUE(nginx.running()) << nginx.trouble();
  Node node({.origin = nginx.url(), .store_size = "300MiB"});
  EXPECT_EQ(mirror(node, kDocumentation, files), 0u);
  // The last records may still be on their way into the store.
  EXPECT_TRUE(eventually([&] { return Client(node.port()).get(files.back()).is_hit(); }));
  EXPECT_EQ(mirror(node, kDocumentation, files), files.size());
  const std::string log = nginx.access_log();
  EXPECT_EQ(static_cast<size_t>(std::count(log.begin(), log.end(), '\n')), files.size());

  // Without its origin, and started again, it serves all that it stored.
  nginx.stop();
  node.kill();
  node.start();
  EXPECT_EQ(mirror(node, kDocumentation, files), files.size());
}

TEST(RealSite, WgetMirrorsASiteThroughTheCache) {
  Nginx nginx(kDocumentation);
  ASSERT_TRUE(nginx.running()) << nginx.trouble();
  Node node({.origin = nginx.url()});
  for (int round = 0; round < 2; ++round) {
    TempFolder copy;
    const Finished done =
        run({.arguments = {"wget", "--no-proxy", "-q", "-r", "-l", "inf", "-nH", "-np", "-P",
                           copy.path(), "-e", "robots=off", node.url("/index.html")}});
    // 8: some links of the package lead to files that are not in it.
    EXPECT_TRUE(done.exit == 0 || done.exit == 8) << done.err;
    const std::vector<std::string> files = files_below(copy.path());
    EXPECT_GT(files.size(), 100u);
    for (const std::string& file : files) {
      EXPECT_TRUE(read_file(copy.path() + file) == read_file(kDocumentation + file)) << file;
    }
    if (round == 0) nginx.stop();
  }
}

TEST(RealSite, CurlsConditionsAreAnsweredFromWhatNginxSentOnce) {
  Nginx nginx(kDocumentation);
  ASSERT_TRUE(nginx.running()) << nginx.trouble();
  Node node({.origin = nginx.url()});
  TempFolder folder;
  const std::string copy = folder.file("copy.html");
  const std::string etag = folder.file("etag");
  const std::string url = node.url("/index.html");
  const auto transfer = [&](std::vector<std::string> arguments) {
    return status_of(std::move(arguments), url);
  };
  const std::string content = read_file(kDocumentation + "/index.html");
  constexpr int kWhole = 200;
  constexpr int kSame = 304;
  const std::string other = folder.file("other.html");
  EXPECT_EQ(transfer({"-R", "--etag-save", etag, "-o", copy}), kWhole);
  EXPECT_TRUE(read_file(copy) == content);
  const std::string tag = read_file(etag).substr(0, read_file(etag).find('\n'));
  EXPECT_TRUE(eventually([&] { return Client(node.port()).get("/index.html").is_hit(); }));
  for (const bool with_origin : {true, false}) {
    if (!with_origin) nginx.stop();
    // -z with a file sends its time, which -R made that of Last-Modified.
    EXPECT_EQ(transfer({"-z", copy, "-o", other}), kSame);
    EXPECT_EQ(transfer({"-z", "Tue, 15 Nov 1994 08:12:31 GMT", "-o", other}), kWhole);
    EXPECT_EQ(transfer({"--etag-compare", etag, "-o", other}), kSame);
    EXPECT_EQ(transfer({"-H", "If-None-Match: \"other\", W/" + tag, "-o", other}), kSame);
    EXPECT_EQ(transfer({"-H", "If-None-Match: \"other\"", "-z", copy, "-o", other}), kWhole)
        << "If-None-Match alone decides";
  }
  const std::string log = nginx.access_log();
  EXPECT_EQ(std::count(log.begin(), log.end(), '\n'), 1) << log;
}

TEST(RealSite, AConditionOfAColdUrlFetchesTheWholeAndIsAnswered) {
  Nginx nginx(kDocumentation);
  ASSERT_TRUE(nginx.running()) << nginx.trouble();
  Node node({.origin = nginx.url()});
  EXPECT_EQ(
      status_of({"-z", kDocumentation + "/index.html", "-o", "/dev/null"}, node.url("/index.html")),
      304);
  EXPECT_TRUE(eventually([&] { return Client(node.port()).get("/index.html").is_hit(); }));
  Client(node.port()).get("/index.html").expect_body(read_file(kDocumentation + "/index.html"));
  const std::string log = nginx.access_log();
  EXPECT_EQ(std::count(log.begin(), log.end(), '\n'), 1) << log;
}

TEST(RealSite, APurgeThroughNginxIsRefusedThoughItComesFromLoopback) {
  tools::FakeOrigin origin;
  origin.reply("/a", {.fields = {max_age(600)}, .body = "one"});
  Node node({.origin = origin.url()});
  const std::string passes = "proxy_pass " + node.url("") + ";";
  const std::string tells = "proxy_http_version 1.1; proxy_set_header X-Real-IP $remote_addr;";
  for (const std::string& directives : {passes, passes + tells}) {
    Nginx front(kDocumentation, "location / { " + directives + " }");
    ASSERT_TRUE(front.running()) << front.trouble();
    EXPECT_EQ(status_of({"-o", "/dev/null"}, front.url() + "/a"), 200);
    EXPECT_EQ(status_of({"-X", "PURGE", "-o", "/dev/null"}, front.url() + "/a"), 403);
    EXPECT_EQ(
        status_of({"-X", "PURGE", "-H", "Host: localhost", "-o", "/dev/null"}, front.url() + "/a"),
        403);
    EXPECT_TRUE(eventually([&] { return Client(node.port()).get("/a").is_hit(); }));
    front.stop();
  }
  EXPECT_EQ(origin.count("/a"), 1u);
  EXPECT_EQ(status_of({"-X", "PURGE", "-o", "/dev/null"}, node.url("/a")), 200);
  Client(node.port()).get("/a").expect_cache("fwd=uri-miss");
}

TEST(RealSite, PythonsServerIsAnOrigin) {
  Process python({.arguments = {"/usr/bin/python3", "-u", "-m", "http.server", "0", "--bind",
                                "127.0.0.1", "--directory", kDocumentation}});
  uint16_t port = 0;
  ASSERT_TRUE(eventually([&] {
    const std::string out = python.out();
    const size_t at = out.find(" port ");
    if (at != std::string::npos) port = static_cast<uint16_t>(std::stoul(out.substr(at + 6)));
    return port != 0;
  })) << python.err();
  Node node({.origin = "http://127.0.0.1:" + std::to_string(port)});
  std::vector<std::string> files = files_below(kDocumentation);
  files.resize(40);
  EXPECT_EQ(mirror(node, kDocumentation, files), 0u);
  EXPECT_TRUE(eventually([&] { return Client(node.port()).get(files.back()).is_hit(); }));
  EXPECT_EQ(mirror(node, kDocumentation, files), files.size());
  Client(node.port()).get("/no-such-file").expect(404);
}

}  // namespace
}  // namespace perigee::e2e

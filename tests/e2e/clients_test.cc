// Clients that nobody wrote for a test, in the situations that other caches got wrong for them.
#include <filesystem>

#include "tests/e2e/harness/site.h"

namespace perigee::e2e {
namespace {

/// Runs a program of Python 3 with the node's port as its argument.
Finished python(const std::string& program, const Node& node) {
  return run({.arguments = {"python3", "-c", program, std::to_string(node.port())}});
}

TEST(RealClients, AptReadsAFlatRepository) {
  TempFolder repository;
  repository.write("Packages",
                   "Package: perigee-example\nVersion: 1\nArchitecture: all\nFilename: ./x.deb\n"
                   "Size: 1\nMD5sum: 9dd4e461268c8034f5c8564e155c67a6\nMaintainer: a <a@b.test>\n"
                   "Description: x\n");
  Node node({.origin = "dir:" + repository.path()});
  TempFolder apt;
  const std::string list =
      apt.write("sources.list", "deb [trusted=yes] " + node.url("/") + " ./\n");
  for (const char* folder : {"lists/partial", "cache/archives/partial", "state"}) {
    std::filesystem::create_directories(apt.file(folder));
  }
  apt.write("state/status", "");
  const auto option = [](const std::string& text) { return "-o" + text; };
  const Finished done =
      run({.arguments = {"apt-get", option("Dir::Etc::sourcelist=" + list),
                         option("Dir::Etc::sourceparts=-"), option("Dir::Etc::trustedparts=-"),
                         option("Dir::State=" + apt.file("state")),
                         option("Dir::State::status=" + apt.file("state/status")),
                         option("Dir::State::lists=" + apt.file("lists")),
                         option("Dir::Cache=" + apt.file("cache")),
                         option("APT::Sandbox::User=root"), option("Acquire::http::Proxy=false"),
                         option("Acquire::AllowInsecureRepositories=true"), "update"}});
  EXPECT_EQ(done.exit, 0) << done.out << done.err;
  EXPECT_NE(done.out.find("./ Packages"), std::string::npos) << done.out << done.err;
}

TEST(RealClients, ZsyncFetchesWhatChanged) {
  TempFolder site;
  std::string content = tools::pattern_body(2 << 20);
  site.write("image", content);
  const Finished made =
      run({.arguments = {"zsyncmake", "-b", "2048", "-o", site.file("image.zsync"), "-u", "image",
                         site.file("image")}});
  ASSERT_EQ(made.exit, 0) << made.err;
  // A copy from before, with a change in each of many places.
  std::string old = content;
  for (size_t at = 10'000; at < old.size(); at += 40'000) old.replace(at, 8, "changed!");
  TempFolder copy;
  copy.write("old", old);
  Node node({.origin = "dir:" + site.path()});
  const Finished done = run({.arguments = {"zsync", "-q", "-i", copy.file("old"), "-o",
                                           copy.file("new"), node.url("/image.zsync")},
                             .environment = {{"no_proxy", "127.0.0.1"}},
                             .folder = copy.path()});
  EXPECT_EQ(done.exit, 0) << done.out << done.err;
  EXPECT_TRUE(read_file(copy.file("new")) == content);
}

TEST(RealClients, Aria2DownloadsInPieces) {
  TempFolder site;
  const std::string content = tools::pattern_body(3 << 20);
  site.write("file", content);
  Node node({.origin = "dir:" + site.path()});
  for (int round = 0; round < 2; ++round) {
    TempFolder copy;
    const Finished done = aria2c(node.url("/file"), copy.path(), 4);
    EXPECT_EQ(done.exit, 0) << done.out << done.err;
    EXPECT_TRUE(read_file(copy.file("file")) == content);
  }
}

class PythonClient : public SiteTest {};

TEST_F(PythonClient, ReadsAnAnswerThatComesBeforeItsUpload) {
  origin.set("/upload", [](tools::FakeRequest&, tools::Wire& wire) {
    wire.send(
        "HTTP/1.1 413 Content Too Large\r\nContent-Length: 3\r\nConnection: close\r\n\r\nbig");
    wire.finish();
  });
  const std::string program = R"(
import http.client, sys
for round in range(5):
    connection = http.client.HTTPConnection('127.0.0.1', int(sys.argv[1]))
    connection.request('POST', '/upload', body=b'x' * (16 << 20))
    answer = connection.getresponse()
    print(answer.status, answer.read().decode())
)";
  const Finished done = python(program, node);
  EXPECT_EQ(done.exit, 0) << done.err;
  EXPECT_EQ(done.out, "413 big\n413 big\n413 big\n413 big\n413 big\n");
}

TEST_F(PythonClient, AsksWithUtf8InItsTarget) {
  origin.reply("/%C3%BCber.css", {.fields = {max_age(60)}, .body = "p {}"});
  const std::string program = R"(
import socket, sys
connection = socket.create_connection(('127.0.0.1', int(sys.argv[1])))
host = '127.0.0.1:' + sys.argv[1]
head = 'GET /über.css HTTP/1.1\r\nHost: ' + host + '\r\nConnection: close\r\n\r\n'
connection.sendall(head.encode())
answer = b''
while piece := connection.recv(65536): answer += piece
print(answer.decode().splitlines()[0][:12], answer.decode().splitlines()[-1])
)";
  const Finished done = python(program, node);
  EXPECT_EQ(done.exit, 0) << done.err;
  EXPECT_EQ(done.out, "HTTP/1.1 200 p {}\n");
  hit("/%c3%bcber.css");
  EXPECT_EQ(get("/x/../%c3%bcber.css").body, "p {}");
  EXPECT_EQ(origin.count("/%C3%BCber.css"), 1u);
}

TEST(PythonsHttpClient, TakesThe200WhereInterimsAreDropped) {
  tools::FakeOrigin origin;
  origin.reply("/a", {.fields = {max_age(60)}, .body = "x", .early_hints = true});
  const std::string program = R"(
import http.client, sys
connection = http.client.HTTPConnection('127.0.0.1', int(sys.argv[1]))
connection.request('GET', '/a')
print(connection.getresponse().status)
)";
  Node node({.config = "[[site]]\ndefault = true\ninterim = \"drop\"\norigin = \"" + origin.url() +
                       "\"\n"});
  const Finished done = python(program, node);
  EXPECT_EQ(done.out, "200\n") << done.err;
}

TEST_F(PythonClient, EventsArriveAsTheyAreSent) {
  origin.set("/events", [](tools::FakeRequest&, tools::Wire& wire) {
    wire.send(
        "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-cache\r\n"
        "Transfer-Encoding: chunked\r\n\r\n9\r\ndata: 1\n\n\r\n");
    // The second one waits until the first has arrived.
    wire.wait_while_held("/events-go-on");
    wire.send("9\r\ndata: 2\n\n\r\n0\r\n\r\n");
  });
  origin.hold("/events-go-on");
  const std::string program = R"(
import http.client, sys
connection = http.client.HTTPConnection('127.0.0.1', int(sys.argv[1]))
connection.request('GET', '/events')
answer = connection.getresponse()
print(answer.read1().decode().strip(), flush=True)
print(answer.read().decode().strip(), flush=True)
)";
  Process reader({.arguments = {"python3", "-c", program, std::to_string(node.port())}});
  EXPECT_TRUE(eventually([&] { return reader.out() == "data: 1\n"; })) << reader.err();
  origin.release("/events-go-on");
  EXPECT_EQ(reader.wait(), 0);
  EXPECT_EQ(reader.out(), "data: 1\ndata: 2\n");
}

}  // namespace
}  // namespace perigee::e2e

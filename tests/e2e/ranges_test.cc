// Parts of responses: single ranges, conditions on them, and downloads resumed across a restart.
#include <algorithm>

#include "tests/e2e/harness/site.h"

namespace perigee::e2e {
namespace {

class Ranges : public SiteTest {
 protected:
  static constexpr size_t kSize = 300'000;
  Ranges() {
    origin.reply("/film", {.fields = {max_age(600), "Last-Modified: Tue, 15 Nov 1994 08:12:31 GMT"},
                           .body = film,
                           .etag = "\"film\""});
  }
  const std::string film = tools::pattern_body(kSize);
  TempFolder folder;
};

TEST_F(Ranges, AHitGivesThePartThatIsAskedFor) {
  hit("/film");
  get("/film", {"Range: bytes=100-199"})
      .expect(206)
      .expect_body(film.substr(100, 100))
      .expect_field("Content-Range", "bytes 100-199/300000")
      .expect_field("Content-Length", "100")
      .expect_cache("hit");
  get("/film", {"Range: bytes=299990-"}).expect(206).expect_body(film.substr(kSize - 10));
  get("/film", {"Range: bytes=-5"}).expect(206).expect_body(film.substr(kSize - 5));
  get("/film", {"Range: bytes=0-0"}).expect(206).expect_body(film.substr(0, 1));
  get("/film", {"Range: bytes=300000-"})
      .expect(416)
      .expect_field("Content-Range", "bytes */300000");
  get("/film", {"Range: pages=1-2"}).expect(200).expect_body(film);
  EXPECT_EQ(origin.count("/film"), 1u);
}

TEST_F(Ranges, IfRangeGivesAPartOfThatResponseOrTheWhole) {
  hit("/film");
  get("/film", {"Range: bytes=1-2", "If-Range: \"film\""}).expect(206);
  get("/film", {"Range: bytes=1-2", "If-Range: \"other\""}).expect(200).expect_body(film);
  get("/film", {"Range: bytes=1-2", "If-Range: W/\"film\""}).expect(200).expect_body(film);
}

TEST_F(Ranges, AColdRangeFetchesTheWholeOnce) {
  get("/film", {"Range: bytes=100000-100009"}).expect(206).expect_body(film.substr(100'000, 10));
  EXPECT_EQ(origin.last("/film")->field("Range"), "bytes=0-520191") << "and it ignored that";
  hit("/film").expect_body(film);
  EXPECT_EQ(origin.count("/film"), 1u);
}

TEST_F(Ranges, ARangeAtTheEndOfABodyThatIsNotStoredComesThrough) {
  const std::string large = tools::pattern_body(3 << 20);
  origin.reply("/large", {.fields = {max_age(600)}, .body = large, .etag = "\"large\""});
  get("/large", {"Range: bytes=-1000"}).expect(206).expect_body(large.substr(large.size() - 1000));
  get("/large", {"Range: bytes=2000000-2000009"})
      .expect(206)
      .expect_body(large.substr(2'000'000, 10));
}

TEST_F(Ranges, ConnectionsGoOnAfterAPart) {
  hit("/film");
  Client client(node.port());
  client.send(client.bytes("GET", "/film", {"Range: bytes=0-99999"}) +
              client.bytes("GET", "/film", {"Range: bytes=100000-299999"}));
  const std::string first = client.read().expect(206).body;
  const std::string second = client.read().expect(206).body;
  EXPECT_EQ(first + second, film);
}

TEST_F(Ranges, SeveralPartsComeInOneAnswerHotAndCold) {
  const std::vector<std::string> asked = {"Range: bytes=0-9,200000-200099,-5"};
  for (const std::string_view cache : {"fwd=uri-miss", "hit"}) {
    if (cache == "hit") hit("/film");
    const Response answer = get("/film", asked).expect(206).expect_no_field("Content-Range");
    const std::string type = answer.field("Content-Type");
    const std::string boundary = "--" + type.substr(type.find('=') + 1);
    const auto part = [&](size_t begin, size_t size) {
      return boundary + "\r\nContent-Range: bytes " + std::to_string(begin) + "-" +
             std::to_string(begin + size - 1) + "/300000\r\n\r\n" + film.substr(begin, size) +
             "\r\n";
    };
    EXPECT_TRUE(type.starts_with("multipart/byteranges; boundary=")) << type;
    EXPECT_EQ(answer.body,
              "\r\n" + part(0, 10) + part(200'000, 100) + part(kSize - 5, 5) + boundary + "--\r\n");
    EXPECT_NE(answer.field("Cache-Status").find(cache), std::string::npos);
  }
  EXPECT_EQ(origin.count("/film"), 1u);
}

/// A download that a tool began, cut short, and goes on with when the node has been killed and
/// started again: from the store alone.
class ResumedDownload : public Ranges, public testing::WithParamInterface<std::string> {};

TEST_P(ResumedDownload, GoesOnAcrossARestartFromTheStore) {
  hit("/film");
  const std::string file = folder.write("film", film.substr(0, 123'456));
  node.kill();
  origin.refuse();
  node.start();
  const std::string url = node.url("/film");
  const Finished done =
      GetParam() == "curl"
          ? curl({"-C", "-", "-o", file, url})
          : run({.arguments = {"wget", "--no-proxy", "-q", "-c", "-O", file, url}});
  EXPECT_EQ(done.exit, 0) << done.err;
  EXPECT_TRUE(read_file(file) == film) << read_file(file).size() << " bytes";
  EXPECT_EQ(origin.count("/film"), 1u);
}
INSTANTIATE_TEST_SUITE_P(Tools, ResumedDownload, testing::Values("curl", "wget"),
                         [](const auto& tool) { return tool.param; });

// wget skips as many bytes of a whole response as it has, whatever the response is of: nothing that
// a server says keeps it from mixing the two. curl sees that it is the whole.
TEST_F(Ranges, ADownloadOfAFileThatHasChangedIsNotResumed) {
  hit("/film");
  const std::string begun = film.substr(0, 123'456);
  const std::string file = folder.write("film", begun);
  std::string changed = film;
  std::reverse(changed.begin(), changed.end());
  origin.reply("/film", {.fields = {max_age(600)}, .body = changed, .etag = "\"changed\""});
  request("PURGE", "/film").expect(200);
  hit("/film").expect_body(changed);
  node.kill();
  node.start();
  const std::string field = "If-Range: \"film\"";
  get("/film", {"Range: bytes=123456-", field})
      .expect(200)
      .expect_body(changed)
      .expect_no_field("Content-Range")
      .expect_field("ETag", "\"changed\"");
  const std::string url = node.url("/film");
  EXPECT_EQ(curl({"-C", "-", "-H", field, "-o", file, url}).exit, 33) << "cannot resume";
  EXPECT_TRUE(read_file(file) == begun) << read_file(file).size() << " bytes";
  EXPECT_EQ(curl({"-o", file, url}).exit, 0);
  EXPECT_TRUE(read_file(file) == changed);
  EXPECT_EQ(origin.count("/film"), 2u);
}

}  // namespace
}  // namespace perigee::e2e

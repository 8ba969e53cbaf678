// Parts of large files behind nginx, as players, download managers and those who go on with a
// download ask for them: no byte is fetched twice, and none that nobody wants.
#include <filesystem>
#include <fstream>
#include <regex>
#include <thread>

#include "tests/e2e/harness/nginx.h"
#include "tests/e2e/harness/site.h"

namespace perigee::e2e {
namespace {

constexpr size_t kSize = 16'000'000;

class PartsOfAFile : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(nginx.running()) << nginx.trouble();
    write(body);
  }
  void write(const std::string& content) const {
    std::ofstream(site.file("film"), std::ios::binary) << content;
  }
  static std::string range(size_t begin, size_t end) {
    return "Range: bytes=" + std::to_string(begin) + "-" + std::to_string(end - 1);
  }
  /// Bytes of /film that nginx sent, and in how many answers.
  struct Sent {
    size_t bytes = 0;
    size_t answers = 0;
  };
  Sent sent() const {
    Sent sum;
    const std::string log = nginx.access_log();
    const std::regex line(R"("GET /film HTTP/1.1" \d+ (\d+) )");
    for (auto it = std::sregex_iterator(log.begin(), log.end(), line); it != std::sregex_iterator();
         ++it) {
      sum.bytes += std::stoul((*it)[1]);
      ++sum.answers;
    }
    return sum;
  }

  const std::string body = tools::pattern_body(kSize);
  TempFolder site;
  Nginx nginx{site.path(), "add_header Cache-Control max-age=600;"};
  Node node{{.origin = nginx.url()}};
};

TEST_F(PartsOfAFile, APlayerThatSeeksHasOnlyWhatItWatchesFetched) {
  for (const size_t at : {15'000'000u, 3'000'000u, 15'100'000u, 9'999'999u}) {
    Client(node.port())
        .get("/film", {range(at, at + 200'000)})
        .expect(206)
        .expect_body(body.substr(at, 200'000));
  }
  Client(node.port())
      .get("/film", {"Range: bytes=-1000"})
      .expect(206)
      .expect_body(body.substr(kSize - 1000));
  EXPECT_TRUE(eventually([this] { return sent().answers >= 4; }));
  EXPECT_LT(sent().bytes, 8u << 20);
  Client(node.port()).get("/film", {range(15'000'000, 15'200'000)}).expect_cache("hit");
}

TEST_F(PartsOfAFile, TheRestIsFetchedOnceAndNothingTwice) {
  Client(node.port()).get("/film", {range(7'000'000, 7'000'010)}).expect(206);
  Client(node.port()).get("/film", {range(kSize - 10, kSize)}).expect(206);
  Client(node.port()).get("/film").expect(200).expect_body(body);
  EXPECT_TRUE(eventually([this] { return sent().bytes >= kSize; }));
  EXPECT_EQ(sent().bytes, kSize);
  EXPECT_TRUE(eventually([this] { return Client(node.port()).get("/film").is_hit(); }));
}

TEST_F(PartsOfAFile, ADownloadGoesOnWhereItWasLeft) {
  TempFolder folder;
  std::ofstream(folder.file("film"), std::ios::binary) << body.substr(0, 12'345'678);
  const Finished done = curl({"-C", "-", "-o", folder.file("film"), node.url("/film")});
  EXPECT_EQ(done.exit, 0) << done.err;
  EXPECT_TRUE(read_file(folder.file("film")) == body);
  EXPECT_TRUE(eventually([this] { return sent().bytes >= kSize - 12'345'678; }));
  EXPECT_LT(sent().bytes, kSize - 12'345'678 + (1u << 20));
}

TEST_F(PartsOfAFile, ADownloadManagerWithManyConnectionsGetsTheFile) {
  for (int round = 0; round < 2; ++round) {
    TempFolder copy;
    const Finished done = aria2c(node.url("/film"), copy.path(), 8);
    EXPECT_EQ(done.exit, 0) << done.out << done.err;
    EXPECT_TRUE(read_file(copy.file("film")) == body);
  }
}

TEST_F(PartsOfAFile, ManyWhoSeekAtOnceShareEachPart) {
  std::vector<std::thread> players;
  std::atomic<size_t> right{0};
  for (size_t i = 0; i < 16; ++i) {
    players.emplace_back([this, i, &right] {
      Client client(node.port());
      for (size_t step = 0; step < 8; ++step) {
        // Forwards and backwards, overlapping.
        const size_t at = (i % 2 == 0 ? step : 7 - step) * 1'900'000 + i * 1'000;
        const Response part = client.get("/film", {range(at, at + 300'000)});
        if (part.status == 206 && part.body == body.substr(at, 300'000)) ++right;
      }
    });
  }
  for (std::thread& player : players) player.join();
  EXPECT_EQ(right, 16u * 8);
  EXPECT_LE(sent().bytes, kSize);
}

TEST_F(PartsOfAFile, ANewVersionIsNeverMixedIn) {
  Client(node.port()).get("/film", {range(1'000'000, 1'000'010)}).expect(206);
  const std::string second = tools::pattern_body(kSize + 1).substr(1);
  write(second);
  // Another time, and so another ETag.
  const auto later = std::filesystem::file_time_type::clock::now() - std::chrono::hours(1);
  std::filesystem::last_write_time(site.file("film"), later);
  Client(node.port()).get("/film").expect(200).expect_body(second);
  Client(node.port())
      .get("/film", {range(1'000'000, 1'000'010)})
      .expect_body(second.substr(1'000'000, 10));
}

}  // namespace
}  // namespace perigee::e2e

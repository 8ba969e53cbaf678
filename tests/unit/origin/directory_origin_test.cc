// A folder as an origin: what it serves, what it refuses, and what happens when files change under
// it.
#include "origin/directory_origin.h"

#include <sys/socket.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <unistd.h>

#include "http/date.h"
#include "tests/support/rule.h"
#include "tests/unit/origin/folder_fixture.h"

namespace perigee::origin {
namespace {

GUARDS("origin::make_directory_origin");

TEST_F(DirectoryTest, OnlyTheLastBytesAreTheEnd) {
  write("a.txt", "0123456789");
  auto log = begin("/a.txt");
  log->budget = 0;
  env_.run();
  ASSERT_EQ(log->status, 200);
  EXPECT_EQ(log->fetch->peek(4).state, http::Chunk::kMore);
  log->fetch->advance(4);
  EXPECT_EQ(log->fetch->peek(5).state, http::Chunk::kMore);
  const http::Chunk rest = log->fetch->peek(6);
  EXPECT_EQ(rest.state, http::Chunk::kEnd);
  EXPECT_EQ(rest.piece.size, 6u);
}

TEST_F(DirectoryTest, ServesAFileWithAllThatDescribesIt) {
  write("style.css", "body{}");
  set_modified("style.css", 1'577'934'245'000);
  const auto log = get("/style.css?v=3");
  EXPECT_EQ(log->status, 200);
  EXPECT_EQ(log->body(), "body{}");
  EXPECT_EQ(log->length, 6u);
  EXPECT_EQ(log->fields["Content-Type"], "text/css; charset=utf-8");
  EXPECT_EQ(log->fields["Last-Modified"], "Thu, 02 Jan 2020 03:04:05 GMT");
  EXPECT_EQ(log->fields["Cache-Control"], "max-age=10");
  EXPECT_TRUE(log->fields["ETag"].starts_with('"')) << "a strong tag";
  EXPECT_EQ(log->fields.count("Access-Control-Allow-Origin"), 0u);
}

TEST_F(DirectoryTest, ServesIndexesAndRedirectsFoldersWithTheirQuery) {
  write("index.html", "root");
  write("a b/index.html", "sub");
  EXPECT_EQ(get("/")->body(), "root");
  EXPECT_EQ(get("/a%20b/")->body(), "sub");
  const auto redirect = get("/a%20b?x=1");
  EXPECT_EQ(redirect->status, 301);
  EXPECT_EQ(redirect->fields["Location"], "/a%20b/?x=1");
}

struct PathCase {
  const char* name;
  const char* target;
  uint16_t status;
};
class FolderPath : public DirectoryTest, public ::testing::WithParamInterface<PathCase> {};

TEST_P(FolderPath, LeadsToAFileOrNowhere) {
  write("a.txt", "a");
  write("with space.txt", "b");
  write("\xc3\xa9t\xc3\xa9.txt", "c");
  write("empty/x.txt", "d");
  write(".git/config", "secret");
  write("sub/.env", "secret");
  write(".well-known/security.txt", "e");
  write("..a/x.txt", "secret");
  outside_.write("secret.txt", "secret");
  link(outside_.path(), "out");
  link("/etc", "etc");
  link("a.txt", "link.txt");
  link("../" + std::filesystem::path(outside_.path()).filename().string() + "/secret.txt",
       "up.txt");
  link("loop", "loop");
  ASSERT_EQ(::mkfifo(root_.file("pipe").c_str(), 0600), 0);
  const auto log = get(GetParam().target);
  EXPECT_EQ(log->status, GetParam().status);
  EXPECT_EQ(log->body().find("secret"), std::string::npos);
}
INSTANTIATE_TEST_SUITE_P(
    , FolderPath,
    ::testing::Values(
        PathCase{"Plain", "/a.txt", 200}, PathCase{"Encoded", "/with%20space.txt", 200},
        PathCase{"Utf8", "/%C3%A9t%C3%A9.txt", 200}, PathCase{"LowerCaseHex", "/%61.txt", 200},
        PathCase{"Missing", "/b.txt", 404}, PathCase{"FileAsFolder", "/a.txt/", 404},
        PathCase{"BelowAFile", "/a.txt/b", 404}, PathCase{"FolderWithoutIndex", "/empty/", 404},
        PathCase{"RootWithoutIndex", "/", 404}, PathCase{"Up", "/../outside", 404},
        PathCase{"UpInside", "/sub/../../etc/passwd", 404},
        PathCase{"EncodedUp", "/%2e%2e/%2e%2e/etc/passwd", 404},
        PathCase{"EncodedSlash", "/..%2f..%2fetc/passwd", 404},
        PathCase{"Nul", "/a.txt%00.html", 404}, PathCase{"BadHex", "/%zz", 404},
        PathCase{"CutHex", "/a%2", 404}, PathCase{"LinkInside", "/link.txt", 200},
        PathCase{"LinkOut", "/out/secret.txt", 403}, PathCase{"LinkToRoot", "/etc/passwd", 403},
        PathCase{"LinkUp", "/up.txt", 403}, PathCase{"LinkLoop", "/loop", 403},
        PathCase{"Fifo", "/pipe", 403}, PathCase{"Git", "/.git/config", 404},
        PathCase{"Env", "/sub/.env", 404}, PathCase{"EncodedDot", "/%2egit/config", 404},
        PathCase{"DoubleDotName", "/..a/x.txt", 404},
        PathCase{"WellKnown", "/.well-known/security.txt", 200},
        PathCase{"DoubleSlash", "//etc/passwd", 403}, PathCase{"NoPath", "*", 404}),
    [](const auto& row) { return std::string(row.param.name); });

TEST_F(DirectoryTest, WhatIsNoFileIsForbiddenAtOnce) {
  ASSERT_EQ(::mkfifo(root_.file("fifo").c_str(), 0600), 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  root_.file("socket").copy(address.sun_path, sizeof address.sun_path - 1);
  const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  ASSERT_EQ(::bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  for (const char* target : {"/fifo", "/socket"}) EXPECT_EQ(status(target), 403) << target;
  ::close(fd);
  // Zeros without end, a terminal, and a device that nobody drives.
  int number = 0;
  for (const dev_t device : {makedev(1, 5), makedev(5, 0), makedev(250, 250)}) {
    const std::string name = "/device" + std::to_string(number++);
    if (::mknod((root_.path() + name).c_str(), S_IFCHR | 0600, device) != 0) {
      GTEST_SKIP() << "this user makes no devices";
    }
    EXPECT_EQ(status(name), 403) << name;
  }
}

TEST_F(DirectoryTest, ANameTooLongIsNotThere) {
  EXPECT_EQ(status("/" + std::string(5000, 'a')), 404);
  EXPECT_EQ(status("/" + std::string(300, 'a')), 404);
}

TEST_F(DirectoryTest, AnswersHeadWithoutContent) {
  write("a.txt", "hello");
  const auto log = begin("/a.txt", "", http::Method::kHead);
  env_.run();
  EXPECT_EQ(log->status, 200);
  EXPECT_EQ(log->length, 5u);
  EXPECT_EQ(log->reader, nullptr);
}

TEST_F(DirectoryTest, RefusesOtherMethodsAndSaysWhichItKnows) {
  const auto post = begin("/a.txt", "", http::Method::kPost);
  EXPECT_EQ(post->status, 0) << "never inside fetch()";
  env_.advance(10);
  EXPECT_EQ(post->status, 405);
  EXPECT_EQ(post->fields["Allow"], "GET, HEAD, OPTIONS");
  const auto options = begin("/a.txt", "", http::Method::kOptions);
  env_.advance(10);
  EXPECT_EQ(options->status, 204);
  EXPECT_EQ(options->fields["Allow"], "GET, HEAD, OPTIONS");
}

RULE_F(DirectoryTest, FontsMayBeUsedByOtherOrigins, "http-rules 4.5",
       "a font loaded with crossorigin needs Access-Control-Allow-Origin",
       "fonts of a folder carry Access-Control-Allow-Origin: *", "") {
  for (const std::string name : {"a.woff2", "a.woff", "a.ttf", "a.otf"}) {
    write(name, "f");
    EXPECT_EQ(get("/" + name)->fields["Access-Control-Allow-Origin"], "*") << name;
  }
}

RULE_F(DirectoryTest, LivesTenSecondsAndIsNeverEstimated, "http-rules 3.10",
       "a file edited last year must not be stale for hours",
       "a folder says Cache-Control: max-age=10; its errors say nothing", "") {
  write("a.txt", "a");
  EXPECT_EQ(get("/a.txt")->fields["Cache-Control"], "max-age=10");
  EXPECT_EQ(get("/b.txt")->fields.count("Cache-Control"), 0u);
}

TEST_F(DirectoryTest, JudgesConditions) {
  write("a.txt", "a");
  set_modified("a.txt", 1'577'934'245'000);
  const std::string tag = get("/a.txt")->fields["ETag"];
  const std::string then = "Thu, 02 Jan 2020 03:04:05 GMT";
  const std::string before = "Thu, 02 Jan 2020 03:04:04 GMT";
  const std::vector<std::pair<std::string, uint16_t>> rows = {
      {"If-None-Match: " + tag, 304},
      {"If-None-Match: W/" + tag, 304},
      {"If-None-Match: \"x\", " + tag, 304},
      {"If-None-Match: \"x\"", 200},
      {"If-Modified-Since: " + then, 304},
      {"If-Modified-Since: " + before, 200},
      {"If-None-Match: \"x\"\nIf-Modified-Since: " + then, 200},
      {"If-Match: " + tag, 200},
      {"If-Match: \"x\"", 412},
      {"If-Unmodified-Since: " + before, 412}};
  for (const auto& [lines, expected] : rows)
    EXPECT_EQ(get("/a.txt", lines)->status, expected) << lines;
  const auto unchanged = get("/a.txt", "If-None-Match: " + tag);
  EXPECT_EQ(unchanged->fields["ETag"], tag);
  EXPECT_EQ(unchanged->fields["Cache-Control"], "max-age=10");
}

TEST_F(DirectoryTest, GivesTheRangeThatIsAskedFor) {
  write("a.txt", "0123456789");
  const std::string tag = get("/a.txt")->fields["ETag"];
  const auto part = get("/a.txt", "Range: bytes=2-4\n");
  EXPECT_EQ(part->status, 206);
  EXPECT_EQ(part->body(), "234");
  EXPECT_EQ(part->fields["Content-Range"], "bytes 2-4/10");
  EXPECT_EQ(part->fields["ETag"], tag);
  EXPECT_EQ(part->fields["Cache-Control"], "max-age=10");
  EXPECT_EQ(get("/a.txt", "Range: bytes=-3\nIf-Range: " + tag + "\n")->body(), "789");
  const auto beyond = get("/a.txt", "Range: bytes=10-\n");
  EXPECT_EQ(beyond->status, 416);
  EXPECT_EQ(beyond->fields["Content-Range"], "bytes */10");
  for (const char* lines :
       {"Range: bytes=0-1,4-5\n", "Range: lines=1-2\n", "Range: bytes=2-4\nIf-Range: \"another\"\n",
        "Range: bytes=2-4\nIf-None-Match: \"another\"\nIf-Range: W/\"x\"\n"}) {
    const auto whole = get("/a.txt", lines);
    EXPECT_EQ(whole->status, 200) << lines;
    EXPECT_EQ(whole->body(), "0123456789") << lines;
  }
}

TEST_F(DirectoryTest, OfALongFileOnlyTheRangeIsRead) {
  std::string content;
  for (size_t i = 0; content.size() < 1'000'000; ++i) content += std::to_string(i) + ";";
  write("large.bin", content);
  const auto part = get("/large.bin", "Range: bytes=300000-699999\n");
  EXPECT_EQ(part->status, 206);
  EXPECT_TRUE(part->body() == content.substr(300'000, 400'000));
  EXPECT_TRUE(part->reader->ended());
}

TEST_F(DirectoryTest, AFileThatWasJustWrittenGivesNoParts) {
  write("a.txt", "0123456789");
  set_modified("a.txt", env_.wall().ms);
  EXPECT_EQ(get("/a.txt", "Range: bytes=2-4\n")->status, 200);
}

TEST_F(DirectoryTest, TheTagChangesWithTheFile) {
  write("a.txt", "a");
  const std::string first = get("/a.txt")->fields["ETag"];
  EXPECT_EQ(get("/a.txt")->fields["ETag"], first);
  write("b.txt", "b");
  std::filesystem::rename(root_.file("b.txt"), root_.file("a.txt"));
  EXPECT_NE(get("/a.txt")->fields["ETag"], first);
}

TEST_F(DirectoryTest, AFileFromTheFutureIsAsOldAsTheAnswer) {
  write("a.txt", "a");
  set_modified("a.txt", env_.wall().ms + 3'600'000);
  const auto log = get("/a.txt");
  EXPECT_EQ(log->fields["Last-Modified"], log->fields["Date"]);
}

TEST_F(DirectoryTest, LargeFilesAreReadPieceByPieceOffTheLoop) {
  const std::string content(1'000'000, 'x');
  write("large.bin", content);
  env_.hold_jobs = true;
  auto log = begin("/large.bin");
  log->budget = 100'000;
  for (int round = 0; round < 4; ++round) {
    env_.run();
    env_.run_jobs();
  }
  env_.run();
  EXPECT_EQ(log->body().size(), 100'000u);
  EXPECT_EQ(env_.run_jobs(), 0u) << "nothing is read that nobody pulls";
  env_.hold_jobs = false;
  log->reader->budget = SIZE_MAX;
  log->reader->pull();
  env_.run();
  EXPECT_TRUE(log->reader->ended());
  EXPECT_EQ(log->body(), content);
}

TEST_F(DirectoryTest, AFetchThatIsDroppedWhileItReadsLeavesNothing) {
  write("large.bin", std::string(1'000'000, 'x'));
  for (int turns = 0; turns < 6; ++turns) {
    env_.hold_jobs = true;
    auto log = begin("/large.bin");
    for (int i = 0; i < turns; ++i) {
      env_.turn();
      env_.run_jobs();
    }
    log->reader.reset();
    log.reset();
    env_.hold_jobs = false;
    env_.run();
  }
}

TEST_F(DirectoryTest, AFullPoolIsA503AtTheStartAndAPauseLater) {
  write("large.bin", std::string(300'000, 'x'));
  auto log = begin("/large.bin");
  env_.turn();
  env_.lane_capacity[0] = 0;
  env_.run();
  EXPECT_EQ(log->status, 200);
  EXPECT_FALSE(log->reader->done());
  auto refused = begin("/large.bin");
  env_.advance(20);
  EXPECT_EQ(refused->status, 503);
  env_.lane_capacity[0] = 10;
  env_.advance(50);
  EXPECT_TRUE(log->reader->ended());
}

// --- files that change, in a folder that is played ---

TEST_F(PlayedFolderTest, AFileThatShrinksIsCut) {
  auto log = half();
  played_->content.resize(200'000);
  rest(*log);
  EXPECT_TRUE(log->reader->failed());
}

TEST_F(PlayedFolderTest, AFileThatIsRewrittenInPlaceIsCutNotMixed) {
  auto log = half();
  played_->content = std::string(300'000, 'b');
  played_->modified_ms += 1000;
  rest(*log);
  EXPECT_TRUE(log->reader->failed());
}

/// A range may be answered of each piece before the last one is read.
TEST_F(PlayedFolderTest, NoPieceOfAFileThatIsRewrittenIsServed) {
  const auto rewrite = [this] {
    played_->content = std::string(300'000, 'b');
    played_->modified_ms += 1000;
  };
  played_->at_read = [&](uint64_t) { rewrite(); };
  EXPECT_EQ(status("/a.txt"), 503);

  played_->content = std::string(300'000, 'a');
  bool once = false;
  played_->at_read = [&](uint64_t offset) {
    if (offset > 0 && !std::exchange(once, true)) rewrite();
  };
  const auto log = get("/a.txt");
  EXPECT_TRUE(log->reader->failed());
  EXPECT_EQ(log->body().find('b'), std::string::npos);
}

TEST_F(PlayedFolderTest, AFileThatGrowsIsServedAsItWas) {
  auto log = half();
  played_->content += "more";
  played_->modified_ms += 1000;
  rest(*log);
  EXPECT_TRUE(log->reader->ended());
  EXPECT_EQ(log->body(), std::string(300'000, 'a'));
}

TEST_F(PlayedFolderTest, AReadErrorIsACutAfterTheHeadAndA503BeforeIt) {
  auto log = half();
  played_->breaks = true;
  rest(*log);
  EXPECT_TRUE(log->reader->failed());
  EXPECT_EQ(status("/a.txt"), 503);
}

TEST_F(PlayedFolderTest, AnErrorIsItsStatus) {
  const std::vector<std::pair<base::ErrorCode, uint16_t>> rows = {
      {base::ErrorCode::kNotFound, 404},
      {base::ErrorCode::kForbidden, 403},
      {base::ErrorCode::kIo, 500}};
  for (const auto& [code, expected] : rows) {
    played_->error = base::Error{code, 0, "no"};
    const auto log = get("/a.txt");
    EXPECT_EQ(log->status, expected);
    EXPECT_EQ(log->body().substr(0, 4), std::to_string(expected) + " ");
  }
}

TEST_F(PlayedFolderTest, AnEmptyFileIsWhole) {
  played_->content.clear();
  const auto log = get("/a.txt");
  EXPECT_EQ(log->length, 0u);
  EXPECT_TRUE(log->reader->ended());
}

}  // namespace
}  // namespace perigee::origin

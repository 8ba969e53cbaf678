// The access log's file: moved away while it is written to, on a disk that is full, and read by
// nobody.
#include "edge/log_file.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <vector>

#include "base/limits.h"
#include "tests/support/temp_folder.h"

namespace perigee::edge {
namespace {

/// No file of this process may become longer, while this lives.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(rlim_t bytes) {
    ::signal(SIGXFSZ, SIG_IGN);
    ::getrlimit(RLIMIT_FSIZE, &before_);
    rlimit limit = before_;
    limit.rlim_cur = bytes;
    EXPECT_EQ(::setrlimit(RLIMIT_FSIZE, &limit), 0);
  }
  ~FileSizeLimit() { ::setrlimit(RLIMIT_FSIZE, &before_); }

 private:
  rlimit before_{};
};

class LogFileTest : public testing::Test {
 protected:
  std::unique_ptr<LogFile> open(const std::string& path) {
    return LogFile::open(path, [this](std::string_view what) { told_.emplace_back(what); }).value();
  }
  std::string path(const std::string& name = "access") const { return folder_.file(name); }
  std::string content(const std::string& name = "access") const {
    std::ifstream file(path(name), std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  /// 30 bytes.
  static std::string line(int number) {
    return "line " + std::to_string(100 + number) + std::string(21, '.') + "\n";
  }
  static std::string lines(int first, int last) {
    std::string all;
    for (int i = first; i <= last; ++i) all += line(i);
    return all;
  }
  static void append(LogFile& file, int first, int last) {
    for (int i = first; i <= last; ++i) file.append(line(i));
  }
  /// What was told, each sentence with `what` in it.
  void expect_told(const std::vector<std::string>& what) const {
    ASSERT_EQ(told_.size(), what.size()) << testing::PrintToString(told_);
    for (size_t i = 0; i < what.size(); ++i) {
      EXPECT_NE(told_[i].find(what[i]), std::string::npos) << told_[i];
      EXPECT_NE(told_[i].find(folder_.path()), std::string::npos) << told_[i];
    }
  }

  test::TempFolder folder_;
  std::vector<std::string> told_;
};

TEST_F(LogFileTest, IsWrittenAtAFlushAndAtItsEnd) {
  {
    const auto file = open(path("new/folders/access"));
    append(*file, 1, 2);
    file->flush();
    EXPECT_EQ(content("new/folders/access"), lines(1, 2));
    append(*file, 3, 3);
  }
  EXPECT_EQ(content("new/folders/access"), lines(1, 3));
  open(path("new/folders/access"))->append(line(4));
  EXPECT_EQ(content("new/folders/access"), lines(1, 4)) << "what is there stays";
  expect_told({});
}

TEST_F(LogFileTest, ManyLinesAreWrittenWithoutAFlush) {
  const auto file = open(path());
  append(*file, 1, 800);
  EXPECT_FALSE(content().empty());
  EXPECT_TRUE(lines(1, 800).starts_with(content()));
}

TEST_F(LogFileTest, WhenItWasMovedAwayANewOneGoesOn) {
  const auto file = open(path());
  append(*file, 1, 2);
  std::filesystem::rename(path(), path("access.1"));
  append(*file, 3, 3);
  file->reopen();
  append(*file, 4, 4);
  file->flush();
  EXPECT_EQ(content("access.1"), lines(1, 3));
  EXPECT_EQ(content(), line(4));
  std::filesystem::rename(path(), path("access.2"));
  file->reopen();
  file->flush();
  EXPECT_TRUE(std::filesystem::exists(path())) << "without a line, too";
  expect_told({});
}

TEST_F(LogFileTest, WhatCannotBeOpenedAgainIsToldAndTheOldFileGoesOn) {
  const auto file = open(path());
  std::filesystem::rename(path(), path("access.1"));
  std::filesystem::create_directory(path());
  file->reopen();
  append(*file, 1, 1);
  file->flush();
  EXPECT_EQ(content("access.1"), line(1));
  expect_told({"cannot be opened again: Is a directory"});
}

TEST_F(LogFileTest, WhatAFullDiskCutsIsWholeWhenThereIsRoom) {
  const auto file = open(path());
  append(*file, 1, 10);
  {
    const FileSizeLimit limit(100);
    file->flush();
    append(*file, 11, 12);
    file->flush();
    EXPECT_EQ(content(), lines(1, 12).substr(0, 100));
    expect_told({"cannot be written: File too large"});
  }
  file->flush();
  EXPECT_EQ(content(), lines(1, 12));
  expect_told({"cannot be written", "is written again; 0 lines were lost"});
}

TEST_F(LogFileTest, ALineThatTheOldFileHasInPartIsWholeInTheNewOne) {
  const auto file = open(path());
  append(*file, 1, 6);
  {
    const FileSizeLimit limit(100);
    file->flush();
    std::filesystem::rename(path(), path("access.1"));
    file->reopen();
    file->flush();
  }
  file->flush();
  EXPECT_EQ(content("access.1"), lines(1, 6).substr(0, 100));
  EXPECT_EQ(content(), lines(4, 6));
}

TEST(LogFile, KeepsLinesUpToABoundAndCountsTheRest) {
  const test::TempFolder folder;
  std::vector<std::string> told;
  const auto file = LogFile::open(folder.file("access"), [&](std::string_view what) {
                      told.emplace_back(what);
                    }).value();
  const std::string line = std::string(1023, 'x') + "\n";
  {
    const FileSizeLimit limit(0);
    for (size_t i = 0; i < base::limits::kAccessLogBytes / line.size() + 7; ++i) {
      file->append(line);
    }
    file->flush();
  }
  file->flush();
  EXPECT_EQ(std::filesystem::file_size(folder.file("access")), base::limits::kAccessLogBytes);
  ASSERT_EQ(told.size(), 2u);
  EXPECT_NE(told[1].find("7 lines were lost"), std::string::npos) << told[1];
}

TEST_F(LogFileTest, APipeThatNobodyReadsNeverMakesItWait) {
  ASSERT_EQ(::mkfifo(path().c_str(), 0600), 0);
  const auto nobody = LogFile::open(path(), [](std::string_view) {});
  ASSERT_FALSE(nobody.ok());
  EXPECT_EQ(nobody.error().message,
            "the access log " + path() + " cannot be opened: nobody reads from it");

  const int reader = ::open(path().c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  ASSERT_GE(reader, 0);
  const auto file = open(path());
  std::string sent;
  for (int i = 0; i < 10'000; ++i) {
    sent += line(i % 800);
    file->append(line(i % 800));
  }
  file->flush();
  expect_told({});
  std::string got;
  while (got.size() < sent.size()) {
    char bytes[65'536];
    const ssize_t n = ::read(reader, bytes, sizeof bytes);
    if (n > 0) got.append(bytes, static_cast<size_t>(n));
    file->flush();
  }
  EXPECT_EQ(got, sent);
  ::close(reader);
}

}  // namespace
}  // namespace perigee::edge

// Work that may never end: who waits for it waits for a bounded time.
#include "edge/background.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <future>

#include "base/limits.h"
#include "edge/log.h"

namespace perigee::edge {
namespace {

TEST(BackgroundTest, ATaskThatEndsIsWaitedFor) {
  auto done = std::make_shared<bool>(false);
  Background task([done] { *done = true; });
  EXPECT_TRUE(task.wait(10'000));
  EXPECT_TRUE(*done);
  EXPECT_TRUE(task.wait(0)) << "it has ended";
}

TEST(BackgroundTest, ATaskThatHangsIsLeft) {
  std::promise<void> release;
  Background task([hang = release.get_future().share()] { hang.wait(); });
  EXPECT_FALSE(task.wait(0));
  EXPECT_FALSE(task.wait(20));
  release.set_value();
  EXPECT_TRUE(task.wait(10'000));
}

TEST(PrintTest, WritesAllWhereSomebodyReads) {
  int pipe[2];
  ASSERT_EQ(::pipe2(pipe, O_CLOEXEC), 0);
  print(pipe[1], "some words\n");
  char text[32];
  EXPECT_EQ(::read(pipe[0], text, sizeof text), 11);
  ::close(pipe[0]);
  ::close(pipe[1]);
}

TEST(PrintTest, APipeThatNobodyReadsDoesNotHoldIt) {
  int pipe[2];
  ASSERT_EQ(::pipe2(pipe, O_CLOEXEC | O_NONBLOCK), 0);
  while (::write(pipe[1], "x", 1) == 1) {
  }
  ::fcntl(pipe[1], F_SETFL, 0);
  const auto begun = std::chrono::steady_clock::now();
  print(pipe[1], "some words\n");
  const auto waited = std::chrono::steady_clock::now() - begun;
  EXPECT_GE(waited, std::chrono::milliseconds(base::limits::kLogFlushMs));
  // The words come when somebody reads after all.
  ::fcntl(pipe[0], F_SETFL, 0);
  std::string got;
  while (!got.ends_with("some words\n")) {
    char bytes[4096];
    const ssize_t n = ::read(pipe[0], bytes, sizeof bytes);
    ASSERT_GT(n, 0);
    got.append(bytes, static_cast<size_t>(n));
  }
  ::close(pipe[0]);
  ::close(pipe[1]);
}

}  // namespace
}  // namespace perigee::edge

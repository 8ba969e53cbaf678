// A loop that a test turns by hand, and the far ends of its sockets.
#pragma once

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <functional>
#include <string>
#include <string_view>
#include <utility>

#include "base/channel.h"
#include "edge/doors/thread_pool.h"
#include "edge/doors/uv_env.h"

namespace perigee::edge {

/// A loop on the test's own thread.
class TurnedLoop {
 public:
  TurnedLoop() : pool(1), env(0, pool) {}
  ~TurnedLoop() {
    pool.stop();
    env.close();
  }

  /// Runs turns until `condition` holds, which is asked at the end of each. False: not within 10 s.
  bool run_until(std::function<bool()> condition) {
    bool held = false;
    bool late = false;
    base::Timer guard([&] { late = true; });
    env.set_turn([&] {
      held = condition();
      if (held || late) env.quit();
      return false;
    });
    env.post([&] { env.arm(guard, env.now() + 10'000); });
    env.run();
    env.set_turn([] { return false; });
    return held;
  }
  /// A few turns in which nothing is waited for: what is ready is told.
  void turn() {
    int turns = 0;
    env.set_turn([&] {
      if (++turns == 3) env.quit();
      return turns < 3;
    });
    env.post([] {});
    env.run();
    env.set_turn([] { return false; });
  }

  /// How many handles libuv has here; what was closed in this turn is gone in the next.
  size_t handles() {
    size_t count = 0;
    uv_walk(
        env.uv(), [](uv_handle_t*, void* sum) { ++*static_cast<size_t*>(sum); }, &count);
    return count;
  }

  ThreadPool pool;
  UvEnv env;
};

/// What a channel told its user.
class Recorder final : public base::ChannelUser {
 public:
  void on_ready(bool readable, bool writable) noexcept override {
    ++calls;
    was_readable = was_readable || readable;
    was_writable = was_writable || writable;
    if (on_call) on_call();
  }
  void forget() {
    calls = 0;
    was_readable = was_writable = false;
  }
  int calls = 0;
  bool was_readable = false;
  bool was_writable = false;
  std::function<void()> on_call;
};

/// The far end of a connection: a blocking socket, bounded by 10 s a read.
class FarEnd {
 public:
  explicit FarEnd(int fd = -1) : fd_(fd) {
    if (fd_ < 0) return;
    const timeval patience{10, 0};
    ::setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  }
  FarEnd(FarEnd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  FarEnd& operator=(FarEnd&&) = delete;
  ~FarEnd() { close(); }

  void send(std::string_view bytes) {
    EXPECT_EQ(::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(bytes.size()));
  }
  /// At most that many bytes; fewer when the stream ends.
  std::string read(size_t size) {
    std::string out(size, '\0');
    size_t got = 0;
    while (got < size) {
      const ssize_t n = ::recv(fd_, out.data() + got, size - got, 0);
      error = n < 0 ? errno : 0;
      if (n <= 0) break;
      got += static_cast<size_t>(n);
    }
    out.resize(got);
    return out;
  }
  /// Its own.
  uint16_t port() const {
    sockaddr_in address{};
    socklen_t size = sizeof address;
    ::getsockname(fd_, reinterpret_cast<sockaddr*>(&address), &size);
    return ntohs(address.sin_port);
  }
  void half_close() { ::shutdown(fd_, SHUT_WR); }
  void reset() {
    const linger hard{1, 0};
    ::setsockopt(fd_, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
    close();
  }
  void close() {
    if (fd_ >= 0) ::close(std::exchange(fd_, -1));
  }
  int error = 0;  ///< errno of the last read

 private:
  int fd_;
};

/// Connects to a port of 127.0.0.1.
inline FarEnd connect_to(uint16_t port) {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  EXPECT_EQ(::connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  return FarEnd(fd);
}

}  // namespace perigee::edge

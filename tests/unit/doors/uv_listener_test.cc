// Listening sockets: one per worker on one port, bounded accepting, and a pause when slots or
// descriptors run short.
#include "edge/doors/uv_listener.h"

#include <fcntl.h>
#include <netinet/tcp.h>
#include <sys/resource.h>

#include <chrono>
#include <filesystem>
#include <map>

#include "base/limits.h"
#include "tests/unit/doors/loopback.h"

namespace perigee::edge {
namespace {

base::Address loopback(uint16_t port) {
  return *base::Address::parse("127.0.0.1:" + std::to_string(port));
}

class Listener : public testing::Test {
 protected:
  /// Listens with one socket; what is accepted is kept with the turn it came in.
  void listen() {
    base::Result<ListeningSockets> sockets = open_listeners(loopback(0), 1);
    ASSERT_TRUE(sockets.ok());
    port = sockets->bound.port;
    listener = std::make_unique<UvListener>(loop.env, sockets->fds[0], slots,
                                            [this](std::unique_ptr<base::Channel> channel) {
                                              accepted.push_back(std::move(channel));
                                              ++accepted_in[turn];
                                            });
  }
  bool run_until_accepted(size_t count) {
    return loop.run_until([&] {
      ++turn;
      return accepted.size() >= count;
    });
  }

  ClientSlots slots;
  TurnedLoop loop;
  uint16_t port = 0;
  int turn = 0;
  std::map<int, size_t> accepted_in;
  std::vector<std::unique_ptr<base::Channel>> accepted;
  std::unique_ptr<UvListener> listener;
};

size_t open_descriptors() {
  const std::filesystem::directory_iterator all("/proc/self/fd");
  return static_cast<size_t>(std::distance(begin(all), end(all)));
}

TEST(OpenListeners, AllWorkersShareAPortThatTheSystemChose) {
  const base::Result<ListeningSockets> sockets = open_listeners(loopback(0), 3);
  ASSERT_TRUE(sockets.ok());
  EXPECT_EQ(sockets->fds.size(), 3u);
  EXPECT_GT(sockets->bound.port, 0);
  for (const int fd : sockets->fds) ::close(fd);
}

TEST(OpenListeners, APortInUseIsAnErrorThatNamesIt) {
  const base::Result<ListeningSockets> first = open_listeners(loopback(0), 1);
  ASSERT_TRUE(first.ok());
  const size_t before = open_descriptors();
  const base::Result<ListeningSockets> second = open_listeners(first->bound, 1);
  EXPECT_EQ(open_descriptors(), before);
  ASSERT_FALSE(second.ok());
  EXPECT_EQ(second.error().os_error, EADDRINUSE);
  EXPECT_NE(second.error().message.find(first->bound.text()), std::string::npos);
  for (const int fd : first->fds) ::close(fd);
}

TEST(OpenListeners, LeaveNoDescriptorBehindWhenOneOfThemFails) {
  rlimit before{};
  ::getrlimit(RLIMIT_NOFILE, &before);
  const size_t open = open_descriptors();
  // The descriptors in use have no gaps here, so that this is room for two more.
  const int next = ::dup(0);
  ::close(next);
  const rlimit narrow{static_cast<rlim_t>(next) + 2, before.rlim_max};
  ::setrlimit(RLIMIT_NOFILE, &narrow);
  const base::Result<ListeningSockets> sockets = open_listeners(loopback(0), 5);
  ::setrlimit(RLIMIT_NOFILE, &before);
  ASSERT_FALSE(sockets.ok());
  EXPECT_EQ(sockets.error().os_error, EMFILE);
  EXPECT_EQ(open_descriptors(), open);
}

TEST(OpenListeners, OfBothFamiliesHaveOnePort) {
  const base::Result<ListeningSockets> v6 = open_listeners(*base::Address::parse_host("::", 0), 1);
  if (!v6.ok()) {
    // Without IPv6 there is nothing to share.
    EXPECT_EQ(v6.error().os_error, EAFNOSUPPORT) << v6.error().message;
    return;
  }
  const base::Result<ListeningSockets> v4 =
      open_listeners(*base::Address::parse_host("0.0.0.0", v6->bound.port), 1);
  ASSERT_TRUE(v4.ok()) << v4.error().message;
  for (const int fd : v6->fds) ::close(fd);
  for (const int fd : v4->fds) ::close(fd);
}

TEST(OpenListeners, SocketsSendAtOnceAndWaitForTheFirstBytes) {
  const base::Result<ListeningSockets> sockets = open_listeners(loopback(0), 2);
  ASSERT_TRUE(sockets.ok());
  for (const int fd : sockets->fds) {
    for (const int option : {TCP_NODELAY, TCP_DEFER_ACCEPT}) {
      int value = 0;
      socklen_t size = sizeof value;
      EXPECT_EQ(::getsockopt(fd, IPPROTO_TCP, option, &value, &size), 0);
      EXPECT_GT(value, 0) << option;
    }
    EXPECT_NE(::fcntl(fd, F_GETFL) & O_NONBLOCK, 0);
    EXPECT_NE(::fcntl(fd, F_GETFD) & FD_CLOEXEC, 0);
    ::close(fd);
  }
}

TEST_F(Listener, HandsOverWhatItAcceptsWithItsAddresses) {
  listen();
  FarEnd client = connect_to(port);
  client.send("x");
  ASSERT_TRUE(run_until_accepted(1));
  EXPECT_EQ(accepted[0]->peer().local.port, port);
  EXPECT_EQ(accepted[0]->peer().local.host_text(), "127.0.0.1");
  EXPECT_EQ(accepted[0]->peer().remote.host_text(), "127.0.0.1");
  EXPECT_EQ(accepted[0]->peer().remote.port, client.port());
  EXPECT_FALSE(accepted[0]->peer().secure);
}

TEST_F(Listener, AcceptsABoundedNumberATurn) {
  listen();
  std::vector<FarEnd> clients;
  for (size_t i = 0; i < 3 * base::limits::kAcceptTurn; ++i) {
    clients.push_back(connect_to(port));
    clients.back().send("x");
  }
  ASSERT_TRUE(run_until_accepted(clients.size()));
  for (const auto& [in_turn, count] : accepted_in) EXPECT_LE(count, base::limits::kAcceptTurn);
}

TEST_F(Listener, AcceptsAsManyAsThereAreSlotsAndGoesOnWhenOneIsGivenBack) {
  slots.set_bound(3);
  listen();
  std::vector<FarEnd> clients;
  for (int i = 0; i < 5; ++i) {
    clients.push_back(connect_to(port));
    clients.back().send("x");
  }
  ASSERT_TRUE(run_until_accepted(3));
  ASSERT_TRUE(loop.run_until([&] { return slots.wanted() == 1; }));
  loop.turn();
  EXPECT_EQ(accepted.size(), 3u);
  for (size_t served = 4; served <= clients.size(); ++served) {
    accepted.erase(accepted.begin());
    ASSERT_TRUE(loop.run_until([&] { return slots.taken() == 3; }));
  }
  EXPECT_EQ(accepted.size(), 3u);
  accepted.clear();
  EXPECT_EQ(slots.taken(), 0u);
}

TEST_F(Listener, AtTheBoundNobodyIsAskedForASlotThatNobodyNeeds) {
  slots.set_bound(2);
  listen();
  std::vector<FarEnd> clients;
  for (int i = 0; i < 2; ++i) {
    clients.push_back(connect_to(port));
    clients.back().send("x");
  }
  ASSERT_TRUE(run_until_accepted(2));
  loop.turn();
  EXPECT_EQ(slots.wanted(), 0u);
  clients.push_back(connect_to(port));
  clients.back().send("x");
  ASSERT_TRUE(loop.run_until([&] { return slots.wanted() == 1; }));
  // It goes, and with it what it waited for.
  listener.reset();
  EXPECT_EQ(slots.wanted(), 0u);
}

TEST_F(Listener, APauseForASlotDoesNotSpin) {
  slots.set_bound(1);
  listen();
  std::vector<FarEnd> clients;
  for (int i = 0; i < 2; ++i) {
    clients.push_back(connect_to(port));
    clients.back().send("x");
  }
  ASSERT_TRUE(loop.run_until([&] { return slots.wanted() == 1; }));
  int turns = 0;
  bool over = false;
  base::Timer end([&] { over = true; });
  loop.env.post([&] { loop.env.arm(end, loop.env.now() + 300); });
  ASSERT_TRUE(loop.run_until([&] {
    ++turns;
    return over;
  }));
  EXPECT_LT(turns, 50) << "the wheel's own steps, not those of a loop that never blocks";
}

TEST_F(Listener, WhenTheSystemHasNoDescriptorItPausesAndTriesAgain) {
  listen();
  FarEnd client = connect_to(port);
  client.send("x");
  rlimit before{};
  ::getrlimit(RLIMIT_NOFILE, &before);
  const rlimit none{0, before.rlim_max};
  ::setrlimit(RLIMIT_NOFILE, &none);
  bool late = false;
  base::Timer wait([&] { late = true; });
  loop.env.post([&] { loop.env.arm(wait, loop.env.now() + 3 * base::limits::kAcceptRetryMs); });
  int turns = 0;
  const bool waited = loop.run_until([&] {
    ++turns;
    return late;
  });
  ::setrlimit(RLIMIT_NOFILE, &before);
  ASSERT_TRUE(waited);
  EXPECT_TRUE(accepted.empty());
  EXPECT_LT(turns, 50) << "it does not spin on what it cannot accept";
  EXPECT_TRUE(run_until_accepted(1));
}

TEST_F(Listener, TakesAllThatWaitBeforeItGoes) {
  listen();
  std::vector<FarEnd> clients;
  for (size_t i = 0; i < 2 * base::limits::kAcceptTurn; ++i) {
    clients.push_back(connect_to(port));
    clients.back().send("x");
  }
  // Without a turn of the loop; the kernel may still be busy with the last ones.
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  do {
    listener->accept_waiting();
  } while (accepted.size() < clients.size() && std::chrono::steady_clock::now() < deadline);
  EXPECT_EQ(accepted.size(), clients.size());
}

TEST_F(Listener, StopsAcceptingWhenItGoes) {
  const size_t handles = loop.handles();
  listen();
  EXPECT_EQ(loop.handles(), handles + 1);
  listener.reset();
  loop.turn();
  EXPECT_EQ(loop.handles(), handles);
  const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  EXPECT_NE(::connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  EXPECT_EQ(errno, ECONNREFUSED);
  ::close(fd);
}

}  // namespace
}  // namespace perigee::edge

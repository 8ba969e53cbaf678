// Listening sockets: one a worker on one port, bounded accepting, and a pause when descriptors run
// short.
#include "edge/doors/uv_listener.h"

#include <sys/resource.h>

#include <chrono>
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
    listener = std::make_unique<UvListener>(loop.env, sockets->fds[0],
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

  TurnedLoop loop;
  uint16_t port = 0;
  int turn = 0;
  std::map<int, size_t> accepted_in;
  std::vector<std::unique_ptr<base::Channel>> accepted;
  std::unique_ptr<UvListener> listener;
};

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
  const base::Result<ListeningSockets> second = open_listeners(first->bound, 1);
  ASSERT_FALSE(second.ok());
  EXPECT_EQ(second.error().os_error, EADDRINUSE);
  EXPECT_NE(second.error().message.find(first->bound.text()), std::string::npos);
  for (const int fd : first->fds) ::close(fd);
}

TEST_F(Listener, HandsOverWhatItAcceptsWithItsAddresses) {
  listen();
  FarEnd client = connect_to(port);
  client.send("x");
  ASSERT_TRUE(run_until_accepted(1));
  EXPECT_EQ(accepted[0]->peer().local.port, port);
  EXPECT_EQ(accepted[0]->peer().remote.host_text(), "127.0.0.1");
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

TEST_F(Listener, PausesWhenDescriptorsRunShortAndGoesOnByItself) {
  rlimit before{};
  ::getrlimit(RLIMIT_NOFILE, &before);
  const rlimit narrow{256, before.rlim_max};
  ::setrlimit(RLIMIT_NOFILE, &narrow);
  listen();
  // Nearly all that there may be: the far ends count, too.
  std::vector<FarEnd> clients;
  for (int i = 0; i < 120; ++i) {
    clients.push_back(connect_to(port));
    clients.back().send("x");
  }
  // It goes on one by one, each time it looks; what is closed makes room for more at once.
  ASSERT_TRUE(run_until_accepted(60));
  EXPECT_LT(accepted.size(), clients.size());
  size_t served = 0;
  ASSERT_TRUE(loop.run_until([&] {
    served += accepted.size();
    accepted.clear();
    return served == clients.size();
  }));
  ::setrlimit(RLIMIT_NOFILE, &before);
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
  listen();
  listener.reset();
  loop.turn();
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

// Connections with TLS over real sockets: handshaken and verified on arrival, or an error that says
// why.
#include <signal.h>

#include <array>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <future>
#include <thread>

#include "base/limits.h"
#include "edge/doors/uv_connect.h"
#include "edge/doors/uv_listener.h"
#include "tests/unit/doors/loopback.h"
#include "tests/unit/doors/tls_peer.h"

namespace perigee::edge {
namespace {

/// Accepts one connection, shakes hands, sends a text and closes in order.
class OneTlsServer {
 public:
  /// `begin`: nothing is accepted before it is ready.
  OneTlsServer(const Identity& identity, std::string text, std::future<void> begin = {})
      : context_(SSL_CTX_new(TLS_server_method())),
        text_(std::move(text)),
        begin_(std::move(begin)) {
    SSL_CTX_use_certificate(context_.get(), identity.certificate.get());
    SSL_CTX_use_PrivateKey(context_.get(), identity.key.get());
    base::Result<ListeningSockets> sockets =
        open_listeners(*base::Address::parse("127.0.0.1:0"), 1);
    address = sockets->bound;
    listener_ = sockets->fds[0];
    thread_ = std::thread([this] { serve(); });
  }
  ~OneTlsServer() {
    thread_.join();
    ::close(listener_);
  }
  base::Address address;

 private:
  void serve() {
    // The client may have gone before the last write.
    sigset_t broken_pipe;
    sigemptyset(&broken_pipe);
    sigaddset(&broken_pipe, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &broken_pipe, nullptr);
    if (begin_.valid()) begin_.wait_for(std::chrono::seconds(10));
    pollfd ready{listener_, POLLIN, 0};
    if (::poll(&ready, 1, 10'000) != 1) return;
    const int fd = ::accept(listener_, nullptr, nullptr);
    const timeval patience{10, 0};
    ::setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    std::unique_ptr<SSL, FreeOpenSsl> ssl(SSL_new(context_.get()));
    SSL_set_fd(ssl.get(), fd);
    if (SSL_accept(ssl.get()) == 1) {
      SSL_write(ssl.get(), text_.data(), static_cast<int>(text_.size()));
      SSL_shutdown(ssl.get());
      // Until the client has gone: a close before would be a reset.
      char byte = 0;
      while (SSL_read(ssl.get(), &byte, 1) > 0) continue;
    }
    ::close(fd);
  }

  std::unique_ptr<SSL_CTX, FreeOpenSsl> context_;
  const std::string text_;
  std::future<void> begin_;
  int listener_ = -1;
  std::thread thread_;
};

class TlsConnect : public testing::Test {
 protected:
  TlsConnect()
      : authority(make_identity({.authority = true}, nullptr)), file(write_pem(authority)) {
    options = {.server_name = "origin.test", .ca_file = file};
  }
  ~TlsConnect() override { std::remove(file.c_str()); }

  void connect(const OneTlsServer& server) {
    base::Pending pending = loop.env.connect(
        {.address = server.address, .tls = &options, .deadline = loop.env.now() + 5'000},
        [&](auto result) {
          answered = true;
          if (result.ok()) {
            channel = std::move(*result);
          } else {
            error = result.error();
          }
        });
    ASSERT_TRUE(loop.run_until([&] { return answered; }));
  }

  TurnedLoop loop;
  Identity authority;
  std::string file;
  base::TlsClient options;
  bool answered = false;
  std::unique_ptr<base::Channel> channel;
  base::Error error;
};

TEST_F(TlsConnect, ArrivesHandshakenAndReadsToTheEndInOrder) {
  const std::string text(1'000'000, 't');
  const OneTlsServer server(make_identity({.names = "DNS:origin.test"}, &authority), text);
  connect(server);
  ASSERT_NE(channel, nullptr) << error.message;
  EXPECT_TRUE(channel->peer().secure);
  std::string received;
  base::Io last;
  Recorder recorder;
  recorder.on_call = [&] {
    std::array<std::byte, 20'000> buffer;
    last = channel->recv(buffer);
    received.append(reinterpret_cast<const char*>(buffer.data()), last.n);
    if (last.state == base::Io::kEof) channel->want(false, false);
  };
  channel->bind(&recorder);
  channel->want(true, false);
  EXPECT_TRUE(loop.run_until([&] { return last.state == base::Io::kEof; }));
  EXPECT_TRUE(received == text);
  channel.reset();
}

// Connected in time is in time: the handshake has its own bound.
TEST_F(TlsConnect, AHandshakeMayEndAfterTheDeadlineOfTheConnection) {
  std::promise<void> begin;
  const OneTlsServer server(make_identity({.names = "DNS:origin.test"}, &authority), "x",
                            begin.get_future());
  const base::Tick deadline = loop.env.now() + 100;
  base::Timer past([&] { begin.set_value(); });
  loop.env.arm(past, deadline + 100);
  base::Pending pending = loop.env.connect(
      {.address = server.address, .tls = &options, .deadline = deadline}, [&](auto result) {
        answered = true;
        if (result.ok()) channel = std::move(*result);
      });
  ASSERT_TRUE(loop.run_until([&] { return answered; }));
  EXPECT_GT(loop.env.now(), deadline);
  EXPECT_NE(channel, nullptr);
  channel.reset();
}

/// A peer that listens, and never says a word.
class SilentPeer : public TlsConnect {
 protected:
  SilentPeer() {
    base::Result<ListeningSockets> sockets =
        open_listeners(*base::Address::parse("127.0.0.1:0"), 1);
    address = sockets->bound;
    listener = sockets->fds[0];
  }
  ~SilentPeer() override { ::close(listener); }
  base::Pending connect_in_tls() {
    return loop.env.connect({.address = address, .tls = &options, .deadline = loop.env.now() + 500},
                            [this](auto result) {
                              answered = true;
                              if (!result.ok()) error = result.error();
                            });
  }
  /// The connection, once its first bytes are there.
  FarEnd accept() {
    int fd = -1;
    EXPECT_TRUE(loop.run_until([&] {
      if (fd < 0) fd = ::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
      char byte = 0;
      return fd >= 0 && ::recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 1;
    }));
    return FarEnd(fd);
  }
  static size_t open_descriptors() {
    const std::filesystem::directory_iterator all("/proc/self/fd");
    return static_cast<size_t>(std::distance(begin(all), end(all)));
  }

  base::Address address;
  int listener = -1;
};

TEST_F(SilentPeer, EndsInATimeoutAndHoldsNobodyUp) {
  loop.turn();
  const size_t before = open_descriptors();
  const size_t handles = loop.handles();
  const base::Tick begin = loop.env.now();
  base::Pending pending = connect_in_tls();
  {
    FarEnd silent = accept();
    // Others go on meanwhile, on the same loop.
    std::unique_ptr<base::Channel> other;
    const OneTlsServer server(make_identity({.names = "DNS:origin.test"}, &authority), "x");
    base::Pending quick = loop.env.connect(
        {.address = server.address, .tls = &options, .deadline = loop.env.now() + 5'000},
        [&](auto result) { other = result.ok() ? std::move(*result) : nullptr; });
    ASSERT_TRUE(loop.run_until([&] { return other != nullptr; }));
    EXPECT_FALSE(answered);
    other.reset();
    ASSERT_TRUE(loop.run_until([&] { return answered; }));
    EXPECT_EQ(error.code, base::ErrorCode::kTimeout);
    EXPECT_NE(error.message.find(address.text()), std::string::npos) << error.message;
    EXPECT_GE(loop.env.now() - begin, base::limits::kOriginTlsMs);
    EXPECT_FALSE(pending.waiting());
    // Our hello, then the end.
    EXPECT_GT(silent.read(100'000).size(), 0u);
  }
  loop.turn();
  EXPECT_EQ(open_descriptors(), before);
  EXPECT_EQ(loop.handles(), handles);
}

TEST_F(SilentPeer, IsLeftAtOnceWhenNobodyWaitsAnyMore) {
  base::Pending pending = connect_in_tls();
  FarEnd silent = accept();
  pending.abandon();
  EXPECT_GT(silent.read(100'000).size(), 0u) << "it ends: nobody waits for the handshake's time";
  EXPECT_EQ(silent.error, 0);
  loop.turn();
  EXPECT_FALSE(answered);
}

TEST_F(TlsConnect, AServerThatIsNotBelievedIsATlsError) {
  const OneTlsServer server(make_identity({.names = "DNS:other.test"}, &authority), "x");
  connect(server);
  EXPECT_EQ(channel, nullptr);
  EXPECT_EQ(error.code, base::ErrorCode::kTls);
  EXPECT_NE(error.message.find("mismatch"), std::string::npos) << error.message;
}

TEST_F(TlsConnect, AnAuthorityFileThatIsNotThereIsATlsError) {
  options.ca_file = "/no/such/file.pem";
  const OneTlsServer server(make_identity({.names = "DNS:origin.test"}, &authority), "x");
  connect(server);
  EXPECT_EQ(error.code, base::ErrorCode::kTls);
}

}  // namespace
}  // namespace perigee::edge

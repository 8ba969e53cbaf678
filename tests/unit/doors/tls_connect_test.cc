// Connections with TLS over real sockets: handshaken and verified on arrival, or an error that says
// why.
#include <array>
#include <cstdio>
#include <thread>

#include "edge/doors/uv_connect.h"
#include "edge/doors/uv_listener.h"
#include "tests/unit/doors/loopback.h"
#include "tests/unit/doors/tls_peer.h"

namespace perigee::edge {
namespace {

/// Accepts one connection, shakes hands, sends a text and closes in order.
class OneTlsServer {
 public:
  OneTlsServer(const Identity& identity, std::string text)
      : context_(SSL_CTX_new(TLS_server_method())), text_(std::move(text)) {
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

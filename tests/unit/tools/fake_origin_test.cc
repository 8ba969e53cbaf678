// The fake origin does what it is told: tests against Perigee blame Perigee, so this must hold
// first.
#include "tools/fake_origin.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <string>

namespace perigee::tools {
namespace {

/// A blocking client that gives up after 10 s.
class Client {
 public:
  explicit Client(const FakeOrigin& origin)
      : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    const timeval patience{10, 0};
    ::setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(origin.port());
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    connected_ = ::connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
  }
  ~Client() { ::close(fd_); }
  bool connected() const { return connected_; }
  void send(const std::string& text) { (void)::send(fd_, text.data(), text.size(), MSG_NOSIGNAL); }
  void get(const std::string& target, const std::string& fields = "") {
    send("GET " + target + " HTTP/1.1\r\nHost: a\r\n" + fields + "\r\n");
  }
  /// Until `text` ends with `end`, or the connection ends.
  std::string read_until(const std::string& end) {
    std::string text;
    while (!text.ends_with(end)) {
      char byte = 0;
      const ssize_t n = ::recv(fd_, &byte, 1, 0);
      if (n <= 0) {
        reset_ = n < 0 && errno == ECONNRESET;
        break;
      }
      text += byte;
    }
    return text;
  }
  std::string read_all() { return read_until("\x01 never"); }
  bool was_reset() const { return reset_; }

 private:
  int fd_;
  bool connected_ = false;
  bool reset_ = false;
};

TEST(FakeOrigin, ShapesAResponseByItsQueryAndKeepsTheConnection) {
  FakeOrigin origin;
  Client client(origin);
  client.get("/x?status=404&h=X-A:+b&body=hello");
  EXPECT_EQ(client.read_until("hello"),
            "HTTP/1.1 404 Told\r\nX-A: b\r\nContent-Length: 5\r\n\r\nhello");
  client.get("/x?chunked=1&body=hello");
  EXPECT_EQ(client.read_until("0\r\n\r\n"),
            "HTTP/1.1 200 Told\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n");
  EXPECT_EQ(origin.count("/x"), 2u);
  EXPECT_EQ(origin.connections(), 1u);
  client.get("/__count?path=/x");
  EXPECT_TRUE(client.read_until("2\n").ends_with("\r\n\r\n2\n"));
}

TEST(FakeOrigin, AnswersAMatchingConditionWith304) {
  FakeOrigin origin;
  Client client(origin);
  client.get("/x?etag=%22v1%22", "If-None-Match: \"v1\"\r\n");
  EXPECT_EQ(client.read_until("\r\n\r\n"), "HTTP/1.1 304 Told\r\nETag: \"v1\"\r\n\r\n");
}

TEST(FakeOrigin, GivesRepliesOneAfterTheOther) {
  FakeOrigin origin;
  origin.replies("/x", {{.status = 500}, {.status = 200}});
  Client client(origin);
  std::string statuses;
  for (int i = 0; i < 3; ++i) {
    client.get("/x");
    statuses += client.read_until("\r\n\r\n").substr(9, 4);
  }
  EXPECT_EQ(statuses, "500 200 200 ");
}

TEST(FakeOrigin, HoldsAPathUntilItIsReleased) {
  FakeOrigin origin;
  origin.hold("/x");
  Client client(origin);
  client.get("/x?body=late");
  ASSERT_TRUE(origin.wait_for("/x", 1));
  Client other(origin);
  other.get("/y?body=now");
  EXPECT_TRUE(other.read_until("now").ends_with("now"));
  origin.release("/x");
  EXPECT_TRUE(client.read_until("late").ends_with("late"));
}

TEST(FakeOrigin, ReadsContentOfBothFramings) {
  FakeOrigin origin;
  Client client(origin);
  client.send("POST /a HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc");
  client.send(
      "POST /b HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nde\r\n1\r\nf\r\n0\r\n\r\n");
  client.get("/c?body=end");
  client.read_until("end");
  EXPECT_EQ(origin.last("/a")->body, "abc");
  EXPECT_EQ(origin.last("/b")->body, "def");
  EXPECT_EQ(origin.last("/c")->on_connection, 3u);
}

TEST(FakeOrigin, RefusesAndListensAgain) {
  FakeOrigin origin;
  origin.refuse();
  EXPECT_FALSE(Client(origin).connected());
  origin.listen_again();
  Client client(origin);
  client.get("/x?body=back");
  EXPECT_TRUE(client.read_until("back").ends_with("back"));
}

TEST(FakeOrigin, EndsAResponseByFinOrReset) {
  FakeOrigin origin;
  Client fin(origin);
  fin.get("/fault/fin?after=20");
  EXPECT_EQ(fin.read_all().size(), 20u);
  EXPECT_FALSE(fin.was_reset());
  Client reset(origin);
  reset.get("/fault/reset?after=20");
  EXPECT_EQ(reset.read_all().size(), 20u);
  EXPECT_TRUE(reset.was_reset());
}

TEST(FakeOrigin, AMuteOriginAcceptsAndIsSilent) {
  FakeOrigin origin;
  origin.set_mute(true);
  Client client(origin);
  ASSERT_TRUE(client.connected());
  client.get("/x");
  ASSERT_TRUE(origin.wait_for_connections(1));
  origin.set_mute(false);
  Client other(origin);
  other.get("/y?body=end");
  other.read_until("end");
  EXPECT_EQ(origin.count("/x"), 0u);
}

TEST(FakeOrigin, EveryFaultEndsWithItsOrigin) {
  FakeOrigin origin;
  std::vector<std::unique_ptr<Client>> clients;
  for (const FaultMode& mode : fault_modes()) {
    clients.push_back(std::make_unique<Client>(origin));
    clients.back()->get("/fault/" + std::string(mode.name));
    EXPECT_TRUE(origin.wait_for("/fault/" + std::string(mode.name), 1));
  }
  // Destroying the origin returns although some of them never end by themselves.
}

}  // namespace
}  // namespace perigee::tools

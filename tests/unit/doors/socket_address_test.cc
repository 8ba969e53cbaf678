// Addresses on their way to the system and back.
#include "edge/doors/socket_address.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>

namespace perigee::edge {
namespace {

using base::Address;

TEST(SocketAddress, AV4OneStandsInNetworkOrder) {
  sockaddr_storage storage;
  std::memset(&storage, 0xff, sizeof storage);
  EXPECT_EQ(to_sockaddr(*Address::parse("192.0.2.1:8080"), storage), sizeof(sockaddr_in));
  const auto& v4 = reinterpret_cast<const sockaddr_in&>(storage);
  EXPECT_EQ(v4.sin_family, AF_INET);
  EXPECT_EQ(v4.sin_port, htons(8080));
  EXPECT_EQ(v4.sin_addr.s_addr, ::inet_addr("192.0.2.1"));
}

TEST(SocketAddress, AV6OneStandsInNetworkOrderAndHasNoScope) {
  sockaddr_storage storage;
  std::memset(&storage, 0xff, sizeof storage);
  EXPECT_EQ(to_sockaddr(*Address::parse("[2001:db8::7]:443"), storage), sizeof(sockaddr_in6));
  const auto& v6 = reinterpret_cast<const sockaddr_in6&>(storage);
  EXPECT_EQ(v6.sin6_family, AF_INET6);
  EXPECT_EQ(v6.sin6_port, htons(443));
  EXPECT_EQ(v6.sin6_scope_id, 0u);
  EXPECT_EQ(v6.sin6_flowinfo, 0u);
  in6_addr wanted{};
  ::inet_pton(AF_INET6, "2001:db8::7", &wanted);
  EXPECT_EQ(std::memcmp(&v6.sin6_addr, &wanted, sizeof wanted), 0);
}

TEST(SocketAddress, ComesBackAsItWent) {
  for (const char* text : {"192.0.2.1:8080", "0.0.0.0:0", "255.255.255.255:65535",
                           "[2001:db8::7]:443", "[::]:1", "[::ffff:192.0.2.1]:80"}) {
    sockaddr_storage storage;
    to_sockaddr(*Address::parse(text), storage);
    EXPECT_EQ(from_sockaddr(reinterpret_cast<const sockaddr*>(&storage)), *Address::parse(text))
        << text;
  }
}

TEST(SocketAddress, OfAnotherFamilyIsNone) {
  sockaddr_storage storage{};
  storage.ss_family = AF_UNIX;
  EXPECT_EQ(from_sockaddr(reinterpret_cast<const sockaddr*>(&storage)), Address());
}

TEST(SocketAddress, OfASocketIsWhereItIsBound) {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_storage storage;
  const socklen_t size = to_sockaddr(*Address::parse("127.0.0.1:0"), storage);
  ASSERT_EQ(::bind(fd, reinterpret_cast<const sockaddr*>(&storage), size), 0);
  const Address bound = local_address(fd);
  EXPECT_EQ(bound.host_text(), "127.0.0.1");
  EXPECT_NE(bound.port, 0);
  ::close(fd);
  EXPECT_EQ(local_address(fd), Address()) << "there is no such socket";
}

}  // namespace
}  // namespace perigee::edge

#include "edge/doors/socket_address.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <cstring>

namespace perigee::edge {

using base::Address;

socklen_t to_sockaddr(const Address& address, sockaddr_storage& out) {
  std::memset(&out, 0, sizeof out);
  if (address.family == Address::Family::kV6) {
    auto& v6 = reinterpret_cast<sockaddr_in6&>(out);
    v6.sin6_family = AF_INET6;
    v6.sin6_port = htons(address.port);
    std::memcpy(&v6.sin6_addr, address.bytes.data(), 16);
    return sizeof v6;
  }
  auto& v4 = reinterpret_cast<sockaddr_in&>(out);
  v4.sin_family = AF_INET;
  v4.sin_port = htons(address.port);
  std::memcpy(&v4.sin_addr, address.bytes.data(), 4);
  return sizeof v4;
}

Address from_sockaddr(const sockaddr* address) {
  Address result;
  if (address->sa_family == AF_INET) {
    const auto* v4 = reinterpret_cast<const sockaddr_in*>(address);
    result.family = Address::Family::kV4;
    result.port = ntohs(v4->sin_port);
    std::memcpy(result.bytes.data(), &v4->sin_addr, 4);
  } else if (address->sa_family == AF_INET6) {
    const auto* v6 = reinterpret_cast<const sockaddr_in6*>(address);
    result.family = Address::Family::kV6;
    result.port = ntohs(v6->sin6_port);
    std::memcpy(result.bytes.data(), &v6->sin6_addr, 16);
  }
  return result;
}

Address local_address(int fd) {
  sockaddr_storage storage{};
  socklen_t size = sizeof storage;
  if (::getsockname(fd, reinterpret_cast<sockaddr*>(&storage), &size) != 0) return {};
  return from_sockaddr(reinterpret_cast<sockaddr*>(&storage));
}

}  // namespace perigee::edge

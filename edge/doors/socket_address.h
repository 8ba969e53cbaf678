// Between base::Address and the system's sockaddr.
#pragma once

#include <sys/socket.h>

#include "base/address.h"

namespace perigee::edge {

/// The length of what was written into `out`.
socklen_t to_sockaddr(const base::Address& address, sockaddr_storage& out);
base::Address from_sockaddr(const sockaddr* address);
base::Address local_address(int fd);

}  // namespace perigee::edge

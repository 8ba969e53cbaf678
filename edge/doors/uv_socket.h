// A TCP socket as a Channel: our own descriptor under a uv_poll_t, our own recv, sendmsg and
// sendfile.
#pragma once

#include <memory>

#include "base/channel.h"
#include "edge/client_slots.h"
#include "edge/doors/uv_env.h"

namespace perigee::edge {

/// What a channel takes over.
struct Socket {
  int fd = -1;               ///< connected and non-blocking
  bool may_sendfile = true;  ///< false under bbr, which paces lent pages badly
  ClientSlot slot = {};      ///< of a client: given back when the descriptor is closed
};

std::unique_ptr<base::Channel> make_socket_channel(UvEnv& env, Socket socket,
                                                   const base::Peer& peer);

/// Whether the congestion control of this socket goes well with sendfile.
bool sendfile_pays(int fd);

}  // namespace perigee::edge

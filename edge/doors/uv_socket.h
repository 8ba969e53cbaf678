// A TCP socket as a Channel: our own descriptor under a uv_poll_t, our own recv, sendmsg and
// sendfile.
#pragma once

#include <memory>

#include "base/channel.h"
#include "edge/doors/uv_env.h"

namespace perigee::edge {

/// Takes over a connected, non-blocking descriptor. `may_sendfile`: false under bbr, which paces
/// lent pages badly.
std::unique_ptr<base::Channel> make_socket_channel(UvEnv& env, int fd, const base::Peer& peer,
                                                   bool may_sendfile);

/// Whether the congestion control of this socket goes well with sendfile.
bool sendfile_pays(int fd);

}  // namespace perigee::edge

// Listening sockets: made once for the process, one a worker and address, polled by the workers'
// loops.
#pragma once

#include <uv.h>

#include <memory>
#include <vector>

#include "base/address.h"
#include "base/fn.h"
#include "base/result.h"
#include "edge/doors/uv_env.h"

namespace perigee::edge {

/// The listening descriptors of one address, one a worker, and where they ended up (port 0 is
/// chosen).
struct ListeningSockets {
  std::vector<int> fds;
  base::Address bound;
};
/// Binds once without SO_REUSEPORT first, so that a second perigee is told and not served half of
/// the connections. Errors name the address.
base::Result<ListeningSockets> open_listeners(const base::Address& address, unsigned count);

using OnAccept = base::Fn<void(std::unique_ptr<base::Channel>)>;

/// Accepts for one worker, at most kAcceptTurn a turn; pauses when descriptors run short and goes
/// on by itself. Loop thread only.
class UvListener {
 public:
  /// Takes over the descriptor.
  UvListener(UvEnv& env, int fd, OnAccept on_accept);
  /// Stops accepting and closes the descriptor.
  ~UvListener();
  /// Takes all that wait in the kernel's queue: closing would reset them.
  void accept_waiting();

 private:
  struct Handle;
  void accept(size_t at_most);
  void pause();

  UvEnv& env_;
  const int fd_;
  OnAccept on_accept_;
  base::Address local_;
  bool may_sendfile_;
  const int descriptor_bound_;
  Handle* handle_;
  base::Timer resume_timer_;
};

}  // namespace perigee::edge

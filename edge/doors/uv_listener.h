// Listening sockets: made once for the process, one per worker and address, polled by the workers'
// loops.
#pragma once

#include <uv.h>

#include <memory>
#include <vector>

#include "base/address.h"
#include "base/fn.h"
#include "base/result.h"
#include "edge/client_slots.h"
#include "edge/doors/uv_env.h"

namespace perigee::edge {

/// The listening descriptors of one address, one per worker, and where they ended up (port 0
/// is chosen).
struct ListeningSockets {
  std::vector<int> fds;
  base::Address bound;
};
/// Binds once without SO_REUSEPORT first, so that a second perigee is told and not served half of
/// the connections. Errors name the address.
base::Result<ListeningSockets> open_listeners(const base::Address& address, unsigned count);

using OnAccept = base::Fn<void(std::unique_ptr<base::Channel>)>;

/// Accepts for one worker, at most kAcceptTurn per turn. Without a free slot it pauses until one is
/// given back; its clients wait in the kernel's queue. Loop thread only.
class UvListener {
 public:
  /// Takes over the descriptor. Each channel that it accepts holds one of the slots.
  UvListener(UvEnv& env, int fd, ClientSlots& slots, OnAccept on_accept);
  /// Stops accepting and closes the descriptor.
  ~UvListener();
  /// Takes all that wait in the kernel's queue, while there are slots: closing would reset them.
  void accept_waiting();

 private:
  struct Handle;
  void accept(size_t at_most);
  bool client_waits() const;
  void pause();
  void go_on();

  UvEnv& env_;
  const int fd_;
  ClientSlots& slots_;
  OnAccept on_accept_;
  base::Address local_;
  bool may_sendfile_;
  Handle* handle_;
  base::Pending slot_;
  base::Timer retry_timer_;
};

}  // namespace perigee::edge

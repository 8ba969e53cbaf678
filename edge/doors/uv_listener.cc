#include "edge/doors/uv_listener.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/limits.h"
#include "edge/doors/socket_address.h"
#include "edge/doors/uv_socket.h"

namespace perigee::edge {

namespace limits = base::limits;

namespace {

constexpr int kBacklog = 4096;
constexpr int kDeferAcceptSeconds = 1;

base::Error failure(const base::Address& address, const char* what) {
  const int error = errno;
  std::string message =
      "cannot " + std::string(what) + " " + address.text() + ": " + std::strerror(error);
  if (error == EADDRINUSE) message += " (is another server, or another perigee, running?)";
  return {base::ErrorCode::kIo, error, message};
}

void set(int fd, int level, int option, int value) {
  ::setsockopt(fd, level, option, &value, sizeof value);
}

/// A bound socket, or -1 with errno.
int bind_socket(const base::Address& address, bool reuse_port) {
  sockaddr_storage storage;
  const socklen_t size = to_sockaddr(address, storage);
  const int fd = ::socket(storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return -1;
  set(fd, SOL_SOCKET, SO_REUSEADDR, 1);
  if (reuse_port) set(fd, SOL_SOCKET, SO_REUSEPORT, 1);
  if (address.family == base::Address::Family::kV6) set(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1);
  if (::bind(fd, reinterpret_cast<sockaddr*>(&storage), size) == 0) return fd;
  const int error = errno;
  ::close(fd);
  errno = error;
  return -1;
}

}  // namespace

base::Result<ListeningSockets> open_listeners(const base::Address& address, unsigned count) {
  const int probe = bind_socket(address, false);
  if (probe < 0) return failure(address, "listen on");
  ListeningSockets sockets;
  sockets.bound = local_address(probe);
  ::close(probe);
  for (unsigned i = 0; i < count; ++i) {
    const int fd = bind_socket(sockets.bound, true);
    if (fd < 0) {
      const base::Error error = failure(address, "listen on");
      for (const int open : sockets.fds) ::close(open);
      return error;
    }
    sockets.fds.push_back(fd);
    // Inherited by what is accepted: no call per connection.
    set(fd, IPPROTO_TCP, TCP_NODELAY, 1);
    set(fd, IPPROTO_TCP, TCP_DEFER_ACCEPT, kDeferAcceptSeconds);
  }
  for (const int fd : sockets.fds) {
    if (::listen(fd, kBacklog) == 0) continue;
    const base::Error error = failure(address, "listen on");
    for (const int open : sockets.fds) ::close(open);
    return error;
  }
  return sockets;
}

struct UvListener::Handle {
  uv_poll_t poll;
  UvListener* listener = nullptr;
  static void on_poll(uv_poll_t* poll, int, int) {
    auto* handle = static_cast<Handle*>(poll->data);
    if (handle->listener != nullptr) handle->listener->accept(limits::kAcceptTurn);
  }
};

UvListener::UvListener(UvEnv& env, int fd, ClientSlots& slots, OnAccept on_accept)
    : env_(env),
      fd_(fd),
      slots_(slots),
      on_accept_(std::move(on_accept)),
      local_(local_address(fd)),
      may_sendfile_(sendfile_pays(fd)),
      handle_(new Handle),
      retry_timer_([this] { go_on(); }) {
  handle_->listener = this;
  handle_->poll.data = handle_;
  uv_poll_init_socket(env_.uv(), &handle_->poll, fd_);
  uv_poll_start(&handle_->poll, UV_READABLE, Handle::on_poll);
}

UvListener::~UvListener() {
  handle_->listener = nullptr;
  uv_poll_stop(&handle_->poll);
  uv_close(reinterpret_cast<uv_handle_t*>(&handle_->poll),
           [](uv_handle_t* handle) { delete static_cast<Handle*>(handle->data); });
  ::close(fd_);
}

void UvListener::accept_waiting() { accept(kBacklog); }

void UvListener::accept(size_t at_most) {
  for (size_t i = 0; i < at_most; ++i) {
    ClientSlot slot = slots_.take();
    if (!slot) {
      // Nobody makes room before somebody needs it.
      if (client_waits()) pause();
      return;
    }
    sockaddr_storage storage;
    socklen_t size = sizeof storage;
    const int fd =
        ::accept4(fd_, reinterpret_cast<sockaddr*>(&storage), &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) {
      if (errno == ECONNABORTED || errno == EINTR) continue;
      if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
        uv_poll_stop(&handle_->poll);
        env_.arm(retry_timer_, env_.now() + limits::kAcceptRetryMs);
      }
      return;
    }
    base::Peer peer;
    peer.remote = from_sockaddr(reinterpret_cast<sockaddr*>(&storage));
    peer.local = local_;
    on_accept_(make_socket_channel(env_, {fd, may_sendfile_, std::move(slot)}, peer));
  }
}

bool UvListener::client_waits() const {
  pollfd waits{fd_, POLLIN, 0};
  return ::poll(&waits, 1, 0) > 0;
}

/// Interest off, so that clients which cannot be accepted do not spin the loop.
void UvListener::pause() {
  uv_poll_stop(&handle_->poll);
  slot_ = slots_.wait(env_, [this] { go_on(); });
}

void UvListener::go_on() { uv_poll_start(&handle_->poll, UV_READABLE, Handle::on_poll); }

}  // namespace perigee::edge

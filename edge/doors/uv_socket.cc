#include "edge/doors/uv_socket.h"

#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/ioctl.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "base/limits.h"

namespace perigee::edge {

namespace limits = base::limits;
using base::Io;
using base::Piece;

namespace {

constexpr size_t kPiecesMost = 16;

/// Outlives its channel until libuv has let go of the handle.
struct PollHandle {
  uv_poll_t poll;
  base::ChannelUser* user = nullptr;
  int events = 0;  ///< what libuv was last told
};

Io os_result(ssize_t n) {
  if (n >= 0) return {Io::kOk, static_cast<size_t>(n), 0};
  if (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR) return {Io::kAgain, 0, 0};
  return {Io::kFail, 0, errno};
}

class SocketChannel final : public base::Channel {
 public:
  SocketChannel(UvEnv& env, Socket socket, const base::Peer& peer)
      : env_(env),
        fd_(socket.fd),
        may_sendfile_(socket.may_sendfile),
        slot_(std::move(socket.slot)),
        peer_(peer) {}
  ~SocketChannel() override {
    if (handle_ != nullptr) {
      handle_->user = nullptr;
      uv_poll_stop(&handle_->poll);
      uv_close(reinterpret_cast<uv_handle_t*>(&handle_->poll),
               [](uv_handle_t* handle) { delete static_cast<PollHandle*>(handle->data); });
    }
    ::close(fd_);
  }

  void bind(base::ChannelUser* user) override {
    user_ = user;
    if (handle_ != nullptr) handle_->user = user;
  }
  void want(bool readable, bool writable) override {
    const int events = (readable ? UV_READABLE : 0) | (writable ? UV_WRITABLE : 0);
    if (handle_ == nullptr) {
      if (events == 0) return;
      handle_ = new PollHandle;
      handle_->user = user_;
      handle_->poll.data = handle_;
      uv_poll_init_socket(env_.uv(), &handle_->poll, fd_);
    }
    if (handle_->events == events) return;
    handle_->events = events;
    if (events == 0) {
      uv_poll_stop(&handle_->poll);
    } else {
      uv_poll_start(&handle_->poll, events, on_poll);
    }
  }
  Io recv(std::span<std::byte> into) override {
    const ssize_t n = ::recv(fd_, into.data(), into.size(), 0);
    if (n == 0 && !into.empty()) return {Io::kEof, 0, 0};
    return os_result(n);
  }
  Io send(std::span<const Piece> pieces) override;
  size_t unacked() const override {
    int bytes = 0;
    return ::ioctl(fd_, SIOCOUTQ, &bytes) == 0 && bytes > 0 ? static_cast<size_t>(bytes) : 0;
  }
  bool finish() override {
    ::shutdown(fd_, SHUT_WR);
    return true;
  }
  void abort() override {
    const linger reset{1, 0};
    ::setsockopt(fd_, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
  }
  const base::Peer& peer() const override { return peer_; }

 private:
  static void on_poll(uv_poll_t* poll, int status, int events) {
    auto* handle = static_cast<PollHandle*>(poll->data);
    // After an error libuv has stopped: the next want() starts it again.
    if (status < 0) handle->events = 0;
    if (handle->user == nullptr) return;
    // An error is readable: recv says what it is.
    const bool readable = status < 0 || (events & UV_READABLE) != 0;
    handle->user->on_ready(readable, (events & UV_WRITABLE) != 0);
  }
  Io send_memory(std::span<const Piece> pieces, bool more);

  UvEnv& env_;
  const int fd_;
  const bool may_sendfile_;
  const ClientSlot slot_;
  PollHandle* handle_ = nullptr;
  base::ChannelUser* user_ = nullptr;
  const base::Peer peer_;
};

Io SocketChannel::send_memory(std::span<const Piece> pieces, bool more) {
  std::array<iovec, kPiecesMost> vectors;
  size_t count = 0;
  for (const Piece& piece : pieces.first(std::min(pieces.size(), kPiecesMost))) {
    vectors[count++] = {const_cast<std::byte*>(piece.data), piece.size};
  }
  msghdr message{};
  message.msg_iov = vectors.data();
  message.msg_iovlen = count;
  return os_result(::sendmsg(fd_, &message, MSG_NOSIGNAL | (more ? MSG_MORE : 0)));
}

Io SocketChannel::send(std::span<const Piece> pieces) {
  const Piece& last = pieces.back();
  const bool lend = may_sendfile_ && last.fd >= 0 && last.size >= limits::kSendfileBytes;
  if (!lend) return send_memory(pieces, false);
  size_t taken = 0;
  if (pieces.size() > 1) {
    const std::span<const Piece> before = pieces.first(pieces.size() - 1);
    size_t size = 0;
    for (const Piece& piece : before) size += piece.size;
    const Io io = send_memory(before, true);
    if (io.state != Io::kOk || io.n < size) return io;
    taken = io.n;
  }
  auto offset = static_cast<off_t>(last.offset);
  const ssize_t n = ::sendfile(fd_, last.fd, &offset, std::min(last.size, limits::kSendBytes));
  // The file is shorter than it was thought to be: a loop would spin on it.
  if (n == 0) return {Io::kFail, 0, EIO};
  Io io = os_result(n);
  if (io.state == Io::kFail) return io;
  io.n += taken;
  if (io.n > 0) io.state = Io::kOk;
  return io;
}

}  // namespace

std::unique_ptr<base::Channel> make_socket_channel(UvEnv& env, Socket socket,
                                                   const base::Peer& peer) {
  return std::make_unique<SocketChannel>(env, std::move(socket), peer);
}

bool sendfile_pays(int fd) {
  char name[16] = "";
  socklen_t size = sizeof name;
  if (::getsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, name, &size) != 0) return true;
  return std::strncmp(name, "bbr", 3) != 0;
}

}  // namespace perigee::edge

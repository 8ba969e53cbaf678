#include "edge/doors/uv_connect.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/limits.h"
#include "edge/doors/socket_address.h"
#include "edge/doors/tls_channel.h"
#include "edge/doors/uv_env.h"
#include "edge/doors/uv_socket.h"

namespace perigee::edge {
namespace {

using base::Error;
using base::ErrorCode;
using base::Tick;

/// One attempt: waits for the socket to become writable, then for the handshake. Deletes itself in
/// a later turn, once it has answered or was abandoned.
class Connecting final : public base::InFlight, private base::ChannelUser {
 public:
  Connecting(UvEnv& env, const base::Endpoint& endpoint, base::OnConnect on_connect)
      : env_(env), endpoint_(endpoint), on_connect_(std::move(on_connect)), deadline_timer_([this] {
          fail({ErrorCode::kTimeout, 0,
                "no connection to " + endpoint_.address.text() + " in time"});
        }) {}

  void start() {
    sockaddr_storage storage;
    const socklen_t size = to_sockaddr(endpoint_.address, storage);
    const int fd = ::socket(storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) return fail_later(errno);
    const int on = 1;
    ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    fd_ = fd;
    base::Peer peer;
    peer.remote = endpoint_.address;
    channel_ = make_socket_channel(env_, {.fd = fd, .may_sendfile = sendfile_pays(fd)}, peer);
    channel_->bind(this);
    if (::connect(fd, reinterpret_cast<sockaddr*>(&storage), size) != 0 && errno != EINPROGRESS) {
      return fail_later(errno);
    }
    channel_->want(false, true);
    env_.arm(deadline_timer_, endpoint_.deadline);
  }

 private:
  void on_abandoned() override { finish(); }

  void on_ready(bool readable, bool writable) noexcept override {
    if (finished_) return;
    if (tls_ != nullptr) return handshake();
    int error = 0;
    socklen_t size = sizeof error;
    ::getsockopt(fd_, SOL_SOCKET, SO_ERROR, &error, &size);
    if (error != 0) return fail_os(error);
    if (!writable && !readable) return;
    if (endpoint_.tls == nullptr) return succeed();
    base::Result<std::unique_ptr<TlsChannel>> tls =
        make_tls_client(env_, env_.tls(), *endpoint_.tls, std::move(channel_));
    if (!tls.ok()) return fail(tls.error());
    tls_ = std::move(*tls);
    tls_->bind(this);
    const Tick tls_deadline = env_.now() + base::limits::kOriginTlsMs;
    env_.arm(deadline_timer_, std::max(endpoint_.deadline, tls_deadline));
    handshake();
  }

  void handshake() {
    const base::Result<bool> done = tls_->handshake();
    if (!done.ok()) return fail(done.error());
    if (!*done) return;
    channel_ = std::move(tls_);
    succeed();
  }

  void succeed() {
    channel_->bind(nullptr);
    answer(std::move(channel_));
  }
  void fail_os(int error) {
    fail({ErrorCode::kConnect, error,
          "no connection to " + endpoint_.address.text() + ": " + std::strerror(error)});
  }
  void fail_later(int error) {
    failed_errno_ = error;
    deadline_timer_.disarm();
    env_.later([this] { fail_os(failed_errno_); });
    later_pending_ = true;
  }
  void fail(const Error& error) { answer(error); }

  void answer(base::Result<std::unique_ptr<base::Channel>> result) {
    later_pending_ = false;
    if (finished_) return delete this;
    const bool call = wanted();
    settle();
    base::OnConnect on_connect = std::move(on_connect_);
    finish();
    if (call) on_connect(std::move(result));
  }
  /// Nothing is called back any more; this object goes when no task refers to it.
  void finish() {
    finished_ = true;
    deadline_timer_.disarm();
    channel_.reset();
    tls_.reset();
    if (!later_pending_) env_.later([this] { delete this; });
  }

  UvEnv& env_;
  const base::Endpoint endpoint_;
  base::OnConnect on_connect_;
  base::Timer deadline_timer_;
  std::unique_ptr<base::Channel> channel_;
  std::unique_ptr<TlsChannel> tls_;
  int fd_ = -1;
  int failed_errno_ = 0;
  bool later_pending_ = false;
  bool finished_ = false;
};

}  // namespace

base::Pending start_connect(UvEnv& env, const base::Endpoint& endpoint,
                            base::OnConnect on_connect) {
  auto* connecting = new Connecting(env, endpoint, std::move(on_connect));
  base::Pending pending(connecting);
  connecting->start();
  return pending;
}

}  // namespace perigee::edge

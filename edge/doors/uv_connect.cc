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

using base::Error;
using base::ErrorCode;
using base::Tick;

/// Waits for the socket to become writable, then for the handshake. Ends once it has answered or
/// was abandoned.
class UvConnector::Attempt final : public base::InFlight, private base::ChannelUser {
 public:
  Attempt(UvConnector& connector, const base::Endpoint& endpoint, base::OnConnect on_connect)
      : connector_(connector),
        env_(connector.env_),
        endpoint_(endpoint),
        on_connect_(std::move(on_connect)),
        fail_([this] { fail_os(failed_errno_); }),
        deadline_timer_([this] {
          fail({ErrorCode::kTimeout, 0,
                "no connection to " + endpoint_.address.text() + " in time"});
        }) {}
  ~Attempt() override { settle(); }

  void start() {
    sockaddr_storage storage;
    const socklen_t size = to_sockaddr(endpoint_.address, storage);
    const int fd = ::socket(storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) return fail_soon(errno);
    const int on = 1;
    ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    fd_ = fd;
    base::Peer peer;
    peer.remote = endpoint_.address;
    channel_ = make_socket_channel(env_, {.fd = fd, .may_sendfile = sendfile_pays(fd)}, peer);
    channel_->bind(this);
    if (::connect(fd, reinterpret_cast<sockaddr*>(&storage), size) != 0 && errno != EINPROGRESS) {
      return fail_soon(errno);
    }
    channel_->want(false, true);
    env_.arm(deadline_timer_, endpoint_.deadline);
  }

  Attempts::iterator place;  ///< in its connector's list

 private:
  void on_abandoned() override { end(); }

  void on_ready(bool readable, bool writable) noexcept override {
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
  void fail_soon(int error) {
    failed_errno_ = error;
    env_.soon(fail_);
  }
  void fail(const Error& error) { answer(error); }

  void answer(base::Result<std::unique_ptr<base::Channel>> result) {
    settle();
    base::OnConnect on_connect = std::move(on_connect_);
    end();
    on_connect(std::move(result));
  }
  /// Nothing calls it any more.
  void end() {
    fail_.disarm();
    deadline_timer_.disarm();
    channel_.reset();
    tls_.reset();
    connector_.end(*this);
  }

  UvConnector& connector_;
  UvEnv& env_;
  const base::Endpoint endpoint_;
  base::OnConnect on_connect_;
  base::Soon fail_;
  base::Timer deadline_timer_;
  std::unique_ptr<base::Channel> channel_;
  std::unique_ptr<TlsChannel> tls_;
  int fd_ = -1;
  int failed_errno_ = 0;
};

UvConnector::UvConnector(UvEnv& env) : env_(env), bury_([this] { ended_.clear(); }) {}

UvConnector::~UvConnector() = default;

base::Pending UvConnector::connect(const base::Endpoint& endpoint, base::OnConnect on_connect) {
  attempts_.push_back(std::make_unique<Attempt>(*this, endpoint, std::move(on_connect)));
  Attempt& attempt = *attempts_.back();
  attempt.place = std::prev(attempts_.end());
  base::Pending pending(&attempt);
  attempt.start();
  return pending;
}

void UvConnector::end(Attempt& attempt) {
  ended_.splice(ended_.end(), attempts_, attempt.place);
  env_.soon(bury_);
}

}  // namespace perigee::edge

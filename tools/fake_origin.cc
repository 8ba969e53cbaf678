// Sockets and threads of the fake origin; what it answers stands in fake_origin_replies.cc.
#include "tools/fake_origin.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <utility>

namespace perigee::tools {

namespace {

constexpr size_t kHeadMost = 64 * 1024;
constexpr std::chrono::seconds kPatience{10};

void require(bool ok, const char* what) {
  if (ok) return;
  std::perror(what);
  std::abort();
}

std::string lower(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  return out;
}

/// The head of a request; only as strict as its one client, which is under test elsewhere, allows.
FakeRequest parse_head(std::string_view head) {
  FakeRequest request;
  const size_t line_end = head.find("\r\n");
  const std::string_view line = head.substr(0, line_end);
  const size_t first = line.find(' ');
  const size_t second = line.find(' ', first + 1);
  request.method = line.substr(0, first);
  if (first != std::string_view::npos && second != std::string_view::npos) {
    request.target = line.substr(first + 1, second - first - 1);
  }
  request.path = request.target.substr(0, request.target.find('?'));
  head.remove_prefix(std::min(head.size(), line_end + 2));
  while (!head.empty()) {
    const size_t end = std::min(head.find("\r\n"), head.size());
    const std::string_view field = head.substr(0, end);
    head.remove_prefix(std::min(head.size(), end + 2));
    const size_t colon = field.find(':');
    if (colon == std::string_view::npos) continue;
    const size_t value = std::min(field.find_first_not_of(" \t", colon + 1), field.size());
    request.fields.emplace_back(field.substr(0, colon), field.substr(value));
  }
  return request;
}

int listen_on(uint16_t port) {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  require(fd >= 0, "socket");
  const int on = 1;
  ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  require(::bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0, "bind");
  require(::listen(fd, 1024) == 0, "listen");
  return fd;
}

}  // namespace

std::optional<std::string> FakeRequest::field(std::string_view name) const {
  for (const auto& [known, value] : fields) {
    if (lower(known) == lower(name)) return value;
  }
  return std::nullopt;
}

class FakeOrigin::Connection final : public Wire {
 public:
  Connection(FakeOrigin& origin, int fd, unsigned number)
      : origin_(origin), fd_(fd), number_(number), mute_(origin.mute_), thread_([this] {
          run();
        }) {}
  ~Connection() override { thread_.join(); }

  // --- Wire, on its thread ---
  bool send(std::string_view bytes) override {
    while (!bytes.empty() && open_) {
      const ssize_t n = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (n < 0 && errno == EINTR) continue;
      if (n <= 0) return false;
      bytes.remove_prefix(static_cast<size_t>(n));
    }
    return open_ && !origin_.stopping_;
  }
  bool read_body(FakeRequest& request) override {
    if (std::exchange(body_read_, true)) return true;
    bool whole = true;
    if (const auto length = request.field("Content-Length")) {
      whole = take(std::strtoull(length->c_str(), nullptr, 10), request.body);
    } else if (request.field("Transfer-Encoding")) {
      whole = read_chunks(request.body);
    }
    // Known to last() before anything that is sent after it can be seen.
    const std::lock_guard lock(origin_.mutex_);
    origin_.last_[request.path] = request;
    return whole;
  }
  void forget_body() override { body_read_ = true; }
  void finish() override {
    ::shutdown(fd_, SHUT_WR);
    open_ = false;
  }
  void reset() override {
    const linger hard{1, 0};
    ::setsockopt(fd_, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
    open_ = false;
    reset_ = true;
  }
  bool sleep(int64_t ms) override {
    pollfd waited{fd_, POLLRDHUP, 0};
    return ::poll(&waited, 1, static_cast<int>(ms)) == 0 && !origin_.stopping_;
  }
  bool wait_while_held(const std::string& path) override {
    std::unique_lock lock(origin_.mutex_);
    origin_.changed_.wait(lock, [&] { return origin_.stopping_ || !origin_.held_[path]; });
    return !origin_.stopping_;
  }

  // --- from other threads, under the origin's mutex ---
  /// Ends it soon: FIN, or RST once its thread notices.
  void drop(bool hard) {
    if (closed_) return;
    const linger reset{1, 0};
    if (hard) ::setsockopt(fd_, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    ::shutdown(fd_, hard ? SHUT_RD : SHUT_RDWR);
  }
  bool closed() const { return closed_; }

 private:
  void run() {
    if (mute_) {
      while (sleep(60'000)) continue;
    } else {
      while (open_ && serve_one()) continue;
    }
    // Whoever only finished goes on reading: a close with bytes unread would be a reset.
    char rest[4096];
    while (!reset_ && !origin_.stopping_ && ::recv(fd_, rest, sizeof rest, 0) > 0) continue;
    const std::lock_guard lock(origin_.mutex_);
    ::close(fd_);
    closed_ = true;
  }
  bool serve_one() {
    size_t end = std::string::npos;
    while ((end = input_.find("\r\n\r\n")) == std::string::npos) {
      if (input_.size() > kHeadMost || !receive()) return false;
    }
    FakeRequest request = parse_head(std::string_view(input_).substr(0, end));
    input_.erase(0, end + 4);
    request.connection = number_;
    request.on_connection = ++requests_;
    body_read_ = false;
    origin_.answer(request, *this);
    return open_ && !origin_.stopping_ && read_body(request);
  }
  bool receive() {
    char buffer[64 * 1024];
    const ssize_t n = ::recv(fd_, buffer, sizeof buffer, 0);
    if (n > 0) input_.append(buffer, static_cast<size_t>(n));
    return n > 0;
  }
  bool take(size_t size, std::string& out) {
    while (input_.size() < size) {
      if (!receive()) return false;
    }
    out.append(input_, 0, size);
    input_.erase(0, size);
    return true;
  }
  bool read_chunks(std::string& out) {
    while (true) {
      size_t end = 0;
      while ((end = input_.find("\r\n")) == std::string::npos) {
        if (!receive()) return false;
      }
      const size_t size = std::strtoull(input_.c_str(), nullptr, 16);
      input_.erase(0, end + 2);
      std::string line_end;
      if (!take(size, out) || !take(2, line_end)) return false;
      if (size == 0) return true;
    }
  }

  FakeOrigin& origin_;
  const int fd_;
  const unsigned number_;
  const bool mute_;
  unsigned requests_ = 0;
  std::string input_;
  bool open_ = true;
  bool reset_ = false;
  bool body_read_ = false;
  bool closed_ = false;  ///< under the origin's mutex
  std::thread thread_;   ///< last: it uses all of the above
};

FakeOrigin::FakeOrigin(uint16_t port) : listener_(listen_on(port)) {
  sockaddr_in address{};
  socklen_t size = sizeof address;
  require(::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size) == 0,
          "getsockname");
  port_ = ntohs(address.sin_port);
  acceptor_ = std::thread([this] { accept_all(); });
}

FakeOrigin::~FakeOrigin() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    for (const auto& connection : connections_) connection->drop(false);
  }
  changed_.notify_all();
  ::shutdown(listener_, SHUT_RD);
  acceptor_.join();
  connections_.clear();
  ::close(listener_);
}

std::string FakeOrigin::url() const { return "http://127.0.0.1:" + std::to_string(port_); }

void FakeOrigin::accept_all() {
  while (true) {
    const int fd = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    std::list<std::unique_ptr<Connection>> gone;
    std::unique_lock lock(mutex_);
    if (fd < 0) {
      // Refusing: the port stays ours, and nobody listens on it.
      changed_.wait(lock, [this] { return stopping_ || !refusing_; });
    } else if (!stopping_ && !refusing_) {
      const int on = 1;
      ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
      for (auto it = connections_.begin(); it != connections_.end();) {
        const auto next = std::next(it);
        if ((*it)->closed()) gone.splice(gone.end(), connections_, it);
        it = next;
      }
      connections_.push_back(
          std::make_unique<Connection>(*this, fd, static_cast<unsigned>(++accepted_)));
      changed_.notify_all();
    } else {
      ::close(fd);
    }
    if (stopping_) return;
  }
}

void FakeOrigin::answer(FakeRequest& request, Wire& wire) {
  FakeScript script;
  {
    const std::lock_guard lock(mutex_);
    if (request.path == "/__count") {
      FakeReply reply;
      reply.fields = {"Cache-Control: no-store"};
      reply.body = std::to_string(counts_[request.query("path").value_or("")]) + "\n";
      script = [reply](FakeRequest& asked, Wire& w) { send_reply(reply, asked, w); };
    } else {
      ++counts_[request.path];
      last_[request.path] = request;
      const auto known = scripts_.find(request.path);
      script = known != scripts_.end() ? known->second : default_script();
    }
  }
  changed_.notify_all();
  if (wire.wait_while_held(request.path)) script(request, wire);
}

void FakeOrigin::set(const std::string& path, FakeScript script) {
  const std::lock_guard lock(mutex_);
  scripts_[path] = std::move(script);
}

void FakeOrigin::reply(const std::string& path, FakeReply reply) {
  set(path, [reply = std::move(reply)](FakeRequest& request, Wire& wire) {
    send_reply(reply, request, wire);
  });
}

void FakeOrigin::replies(const std::string& path, std::vector<FakeReply> replies) {
  require(!replies.empty(), "replies");
  auto next = std::make_shared<std::atomic<size_t>>(0);
  set(path, [replies = std::move(replies), next](FakeRequest& request, Wire& wire) {
    const size_t index = std::min(next->fetch_add(1), replies.size() - 1);
    send_reply(replies[index], request, wire);
  });
}

void FakeOrigin::hold(const std::string& path) {
  const std::lock_guard lock(mutex_);
  held_[path] = true;
}

void FakeOrigin::release(const std::string& path) {
  const std::lock_guard lock(mutex_);
  held_[path] = false;
  changed_.notify_all();
}

void FakeOrigin::refuse() {
  const std::lock_guard lock(mutex_);
  refusing_ = true;
  ::shutdown(listener_, SHUT_RD);
}

void FakeOrigin::listen_again() {
  const std::lock_guard lock(mutex_);
  // The old socket kept the port; a socket that was shut down does not listen any more.
  const int fd = listen_on(port_);
  require(::dup3(fd, listener_, O_CLOEXEC) == listener_, "dup3");
  ::close(fd);
  refusing_ = false;
  changed_.notify_all();
}

void FakeOrigin::drop_connections(bool reset) {
  const std::lock_guard lock(mutex_);
  for (const auto& connection : connections_) connection->drop(reset);
}

size_t FakeOrigin::count(const std::string& path) const {
  const std::lock_guard lock(mutex_);
  const auto it = counts_.find(path);
  return it == counts_.end() ? 0 : it->second;
}

size_t FakeOrigin::connections() const {
  const std::lock_guard lock(mutex_);
  return accepted_;
}

size_t FakeOrigin::open_connections() const {
  const std::lock_guard lock(mutex_);
  return static_cast<size_t>(
      std::count_if(connections_.begin(), connections_.end(),
                    [](const auto& connection) { return !connection->closed(); }));
}

bool FakeOrigin::wait_for_connections(size_t connections) const {
  std::unique_lock lock(mutex_);
  return changed_.wait_for(lock, kPatience, [&] { return accepted_ >= connections; });
}

std::optional<FakeRequest> FakeOrigin::last(const std::string& path) const {
  const std::lock_guard lock(mutex_);
  const auto it = last_.find(path);
  return it == last_.end() ? std::nullopt : std::optional(it->second);
}

bool FakeOrigin::wait_for(const std::string& path, size_t requests) const {
  std::unique_lock lock(mutex_);
  return changed_.wait_for(lock, kPatience, [&] {
    const auto it = counts_.find(path);
    return it != counts_.end() && it->second >= requests;
  });
}

}  // namespace perigee::tools

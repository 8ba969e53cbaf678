#include "tests/e2e/harness/crowd.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstring>

namespace perigee::e2e {

namespace {

constexpr int kPatienceMs = 120'000;
constexpr size_t kTargetMost = 256;

struct Order {
  uint16_t port = 0;
  std::array<char, kTargetMost> target{};
};

/// One connection of a member: its head first, then its place in the body.
struct Visitor {
  int fd = -1;
  std::string head;
  bool in_body = false;
  bool wrong = false;
  size_t at = 0;
};

/// What a member's process does; it never returns.
class Visit {
 public:
  Visit(size_t clients, const std::string& body, size_t half)
      : visitors_(clients), body_(body), half_(half) {}

  [[noreturn]] void run(int orders, int reports) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    ::signal(SIGPIPE, SIG_IGN);
    rlimit limit{};
    ::getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    ::setrlimit(RLIMIT_NOFILE, &limit);
    Order order;
    if (::read(orders, &order, sizeof order) != sizeof order) ::_exit(1);
    epoll_ = ::epoll_create1(EPOLL_CLOEXEC);
    for (Visitor& visitor : visitors_) ask(visitor, order);
    report(reports, read_until(half_));
    report(reports, read_until(body_.size()));
    ::_exit(0);
  }

 private:
  void ask(Visitor& visitor, const Order& order) {
    visitor.fd = ::socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(order.port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const std::string request =
        "GET " + std::string(order.target.data()) + " HTTP/1.1\r\nHost: crowd\r\n\r\n";
    visitor.wrong =
        ::connect(visitor.fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 ||
        ::send(visitor.fd, request.data(), request.size(), 0) < 0;
    epoll_event event{.events = EPOLLIN, .data = {.ptr = &visitor}};
    ::epoll_ctl(epoll_, EPOLL_CTL_ADD, visitor.fd, &event);
  }
  /// How many visitors have that much of the body, and nothing wrong before it.
  size_t read_until(size_t size) {
    const auto have = [&] {
      size_t count = 0;
      for (const Visitor& visitor : visitors_)
        count += !visitor.wrong && visitor.at >= size ? 1 : 0;
      return count;
    };
    std::array<epoll_event, 256> events;
    size_t count = 0;
    size_t wrong = 0;
    while ((count = have()) + wrong < visitors_.size()) {
      const int ready = ::epoll_wait(epoll_, events.data(), events.size(), kPatienceMs);
      if (ready <= 0) return count;
      for (int i = 0; i < ready; ++i)
        take(*static_cast<Visitor*>(events[static_cast<size_t>(i)].data.ptr));
      wrong = 0;
      for (const Visitor& visitor : visitors_) wrong += visitor.wrong ? 1 : 0;
    }
    return count;
  }
  void take(Visitor& visitor) {
    const ssize_t n = ::recv(visitor.fd, buffer_.data(), buffer_.size(), MSG_DONTWAIT);
    std::string_view bytes(buffer_.data(), n > 0 ? static_cast<size_t>(n) : 0);
    if (bytes.empty()) {
      visitor.wrong = true;
      ::epoll_ctl(epoll_, EPOLL_CTL_DEL, visitor.fd, nullptr);
      return;
    }
    if (!visitor.in_body) {
      visitor.head += bytes;
      const size_t end = visitor.head.find("\r\n\r\n");
      if (end == std::string::npos) return;
      visitor.in_body = true;
      visitor.wrong = !visitor.head.starts_with("HTTP/1.1 200 ");
      const size_t over = visitor.head.size() - (end + 4);
      bytes.remove_prefix(bytes.size() - over);
    }
    visitor.wrong = visitor.wrong || body_.compare(visitor.at, bytes.size(), bytes) != 0;
    visitor.at += bytes.size();
  }
  static void report(int reports, size_t count) {
    if (::write(reports, &count, sizeof count) != sizeof count) ::_exit(1);
  }

  std::vector<Visitor> visitors_;
  const std::string& body_;
  const size_t half_;
  int epoll_ = -1;
  std::array<char, 64 * 1024> buffer_;
};

}  // namespace

Crowd::Crowd(size_t processes, size_t clients_each, const std::string& body, size_t half) {
  for (size_t i = 0; i < processes; ++i) {
    int orders[2];
    int reports[2];
    if (::pipe(orders) != 0 || ::pipe(reports) != 0) return;
    const pid_t pid = ::fork();
    if (pid == 0) {
      ::close(orders[1]);
      ::close(reports[0]);
      Visit(clients_each, body, half).run(orders[0], reports[1]);
    }
    ::close(orders[0]);
    ::close(reports[1]);
    members_.push_back({pid, orders[1], reports[0]});
  }
}

Crowd::~Crowd() {
  for (const Member& member : members_) {
    ::kill(member.pid, SIGKILL);
    ::waitpid(member.pid, nullptr, 0);
    ::close(member.orders);
    ::close(member.reports);
  }
}

void Crowd::ask(uint16_t port, const std::string& target) {
  Order order{.port = port};
  target.copy(order.target.data(), order.target.size() - 1);
  for (const Member& member : members_) {
    if (::write(member.orders, &order, sizeof order) != sizeof order) return;
  }
}

size_t Crowd::sum_reports() {
  size_t sum = 0;
  for (const Member& member : members_) {
    pollfd waited{member.reports, POLLIN, 0};
    size_t count = 0;
    if (::poll(&waited, 1, kPatienceMs) != 1) continue;
    if (::read(member.reports, &count, sizeof count) == sizeof count) sum += count;
  }
  return sum;
}

size_t Crowd::together_at_half() { return sum_reports(); }

size_t Crowd::finish() { return sum_reports(); }

}  // namespace perigee::e2e

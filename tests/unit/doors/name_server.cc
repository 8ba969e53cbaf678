#include "tests/unit/doors/name_server.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>

namespace perigee::edge {
namespace {

constexpr size_t kHeaderBytes = 12;

std::string number16(unsigned value) {
  return {static_cast<char>(value >> 8 & 0xff), static_cast<char>(value & 0xff)};
}
std::string number32(uint32_t value) { return number16(value >> 16) + number16(value & 0xffff); }
uint16_t read16(std::string_view bytes, size_t at) {
  return static_cast<uint16_t>(static_cast<unsigned char>(bytes[at]) << 8 |
                               static_cast<unsigned char>(bytes[at + 1]));
}

/// Labels, each behind its length.
std::string encoded(std::string_view name) {
  std::string bytes;
  while (!name.empty()) {
    const std::string_view label = name.substr(0, name.find('.'));
    bytes += static_cast<char>(label.size());
    bytes += label;
    name.remove_prefix(std::min(name.size(), label.size() + 1));
  }
  return bytes + '\0';
}

/// Of the one question that c-ares puts into a message.
DnsQuestion parse(std::string_view message, bool tcp) {
  DnsQuestion question;
  question.tcp = tcp;
  if (message.size() < kHeaderBytes) return question;
  question.id = read16(message, 0);
  size_t at = kHeaderBytes;
  while (at < message.size() && message[at] != 0) {
    const auto size = static_cast<unsigned char>(message[at]);
    if (!question.name.empty()) question.name += '.';
    for (const char c : message.substr(at + 1, size)) {
      question.name += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    }
    at += size + 1;
  }
  if (at + 3 <= message.size()) question.type = read16(message, at + 1);
  return question;
}

}  // namespace

DnsMessage& DnsMessage::id(uint16_t other) {
  question_.id = other;
  return *this;
}
DnsMessage& DnsMessage::question(std::string_view name, uint16_t type) {
  question_.name = name;
  question_.type = type;
  return *this;
}
DnsMessage& DnsMessage::code(unsigned rcode) {
  flags_ |= rcode;
  return *this;
}
DnsMessage& DnsMessage::truncated() {
  flags_ |= 0x0200;
  return *this;
}
DnsMessage& DnsMessage::address(std::string_view name, uint32_t ttl, std::string_view literal) {
  char bytes[16];
  const bool v6 = literal.find(':') != std::string_view::npos;
  EXPECT_EQ(::inet_pton(v6 ? AF_INET6 : AF_INET, std::string(literal).c_str(), bytes), 1);
  return record(name, v6 ? kTypeAaaa : kTypeA, ttl, {bytes, v6 ? size_t{16} : size_t{4}});
}
DnsMessage& DnsMessage::cname(std::string_view name, uint32_t ttl, std::string_view target) {
  return record(name, 5, ttl, encoded(target));
}
DnsMessage& DnsMessage::record(std::string_view name, uint16_t type, uint32_t ttl,
                               std::string_view data) {
  ++answers_;
  records_ += encoded(name) + number16(type) + number16(1) + number32(ttl) +
              number16(static_cast<unsigned>(data.size()));
  records_ += data;
  return *this;
}
std::string DnsMessage::bytes() const {
  return number16(question_.id) + number16(flags_) + number16(1) + number16(answers_) +
         number16(0) + number16(0) + encoded(question_.name) + number16(question_.type) +
         number16(1) + records_;
}

NameServer::NameServer(Script script) : script_(std::move(script)) {
  open();
  thread_ = std::thread([this] { run(); });
}

NameServer::~NameServer() {
  EXPECT_EQ(::write(stop_[1], "x", 1), 1);
  thread_.join();
  for (const Connection& connection : connections_) ::close(connection.fd);
  for (const int fd : {udp_, listener_, stop_[0], stop_[1]}) ::close(fd);
}

std::vector<DnsQuestion> NameServer::asked() const {
  const std::lock_guard lock(mutex_);
  return asked_;
}

size_t NameServer::connections() const {
  const std::lock_guard lock(mutex_);
  return connections_.size();
}

/// The same port for both: the system chooses one, and it may be taken for the other.
void NameServer::open() {
  EXPECT_EQ(::pipe(stop_), 0);
  for (int round = 0; round < 100; ++round) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    auto* const generic = reinterpret_cast<sockaddr*>(&address);
    listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    udp_ = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    EXPECT_EQ(::bind(listener_, generic, size), 0);
    EXPECT_EQ(::listen(listener_, 16), 0);
    ::getsockname(listener_, generic, &size);
    port_ = ntohs(address.sin_port);
    if (::bind(udp_, generic, size) == 0) return;
    ::close(listener_);
    ::close(udp_);
  }
  ADD_FAILURE() << "no port for a name server";
}

void NameServer::run() {
  while (true) {
    std::vector<pollfd> wanted = {{stop_[0], POLLIN, 0}, {udp_, POLLIN, 0}, {listener_, POLLIN, 0}};
    for (const Connection& connection : connections_) wanted.push_back({connection.fd, POLLIN, 0});
    ::poll(wanted.data(), wanted.size(), -1);
    if (wanted[0].revents != 0) return;
    if (wanted[1].revents != 0) serve_datagram();
    const std::vector<pollfd> streams(wanted.begin() + 3, wanted.end());
    for (size_t i = streams.size(); i-- > 0;) {
      if (streams[i].revents == 0 || serve_stream(connections_[i])) continue;
      ::close(streams[i].fd);
      const std::lock_guard lock(mutex_);
      connections_.erase(connections_.begin() + static_cast<ptrdiff_t>(i));
    }
    if (wanted[2].revents != 0) {
      const std::lock_guard lock(mutex_);
      connections_.push_back({::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC), ""});
    }
  }
}

void NameServer::serve_datagram() {
  char buffer[4096];
  sockaddr_storage from{};
  socklen_t size = sizeof from;
  auto* const generic = reinterpret_cast<sockaddr*>(&from);
  const ssize_t n = ::recvfrom(udp_, buffer, sizeof buffer, 0, generic, &size);
  if (n <= 0) return;
  for (const std::string& one : answers({buffer, static_cast<size_t>(n)}, false)) {
    ::sendto(udp_, one.data(), one.size(), 0, generic, size);
  }
}

/// False: the client has gone.
bool NameServer::serve_stream(Connection& connection) {
  char buffer[4096];
  const ssize_t n = ::recv(connection.fd, buffer, sizeof buffer, 0);
  if (n <= 0) return false;
  std::string& input = connection.input;
  input.append(buffer, static_cast<size_t>(n));
  while (input.size() >= 2 && input.size() >= 2u + read16(input, 0)) {
    const size_t length = read16(input, 0);
    for (const std::string& one : answers(std::string_view(input).substr(2, length), true)) {
      const std::string framed = number16(static_cast<unsigned>(one.size())) + one;
      ::send(connection.fd, framed.data(), framed.size(), MSG_NOSIGNAL);
    }
    input.erase(0, 2 + length);
  }
  return true;
}

std::vector<std::string> NameServer::answers(std::string_view message, bool tcp) {
  const DnsQuestion question = parse(message, tcp);
  {
    const std::lock_guard lock(mutex_);
    asked_.push_back(question);
  }
  return script_(question);
}

}  // namespace perigee::edge

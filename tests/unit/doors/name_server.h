// A name server of a test, on loopback: it answers by UDP and TCP what the test says, lies
// included.
#pragma once

#include <cstdint>
#include <functional>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

namespace perigee::edge {

inline constexpr uint16_t kTypeA = 1;
inline constexpr uint16_t kTypeAaaa = 28;

/// What somebody asked.
struct DnsQuestion {
  uint16_t id = 0;
  std::string name;  ///< in lower case, without the last dot
  uint16_t type = 0;
  bool tcp = false;
};

/// A message of RFC 1035 in answer to a question: as it should be, until the test changes it.
class DnsMessage {
 public:
  explicit DnsMessage(const DnsQuestion& question) : question_(question) {}

  DnsMessage& id(uint16_t other);
  /// The question that it repeats.
  DnsMessage& question(std::string_view name, uint16_t type);
  DnsMessage& code(unsigned rcode);
  /// TC: there is more, ask by TCP.
  DnsMessage& truncated();
  DnsMessage& address(std::string_view name, uint32_t ttl, std::string_view literal);
  DnsMessage& cname(std::string_view name, uint32_t ttl, std::string_view target);
  std::string bytes() const;

 private:
  DnsMessage& record(std::string_view name, uint16_t type, uint32_t ttl, std::string_view data);

  DnsQuestion question_;
  unsigned flags_ = 0x8180;  ///< a response, recursion desired and available
  uint16_t answers_ = 0;
  std::string records_;
};

/// Runs from construction to destruction, on a thread of its own.
class NameServer {
 public:
  /// The messages that go back, on that thread; none: it stays silent.
  using Script = std::function<std::vector<std::string>(const DnsQuestion&)>;
  explicit NameServer(Script script);
  ~NameServer();

  /// "127.0.0.1:PORT"
  std::string address() const { return "127.0.0.1:" + std::to_string(port_); }
  /// All that it was asked so far.
  std::vector<DnsQuestion> asked() const;
  /// Connections by TCP that are open now.
  size_t connections() const;

 private:
  struct Connection {
    int fd;
    std::string input;
  };
  void open();
  void run();
  void serve_datagram();
  bool serve_stream(Connection& connection);
  std::vector<std::string> answers(std::string_view message, bool tcp);

  const Script script_;
  int udp_ = -1;
  int listener_ = -1;
  int stop_[2] = {-1, -1};
  uint16_t port_ = 0;
  mutable std::mutex mutex_;
  std::vector<DnsQuestion> asked_;
  std::vector<Connection> connections_;
  std::thread thread_;
};

}  // namespace perigee::edge

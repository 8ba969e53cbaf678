#include "tests/e2e/harness/node.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <thread>

#include "tests/support/main/paths.h"

namespace perigee::e2e {

std::string binary() { return test::perigee_binary(); }

uint16_t port_in(const std::string& output) {
  constexpr std::string_view kBefore = "listening on http://";
  const size_t at = output.find(kBefore);
  if (at == std::string::npos) return 0;
  const size_t end = output.find('\n', at);
  if (end == std::string::npos) return 0;
  const size_t colon = output.rfind(':', end);
  return static_cast<uint16_t>(std::strtoul(output.c_str() + colon + 1, nullptr, 10));
}

uint16_t free_port() {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  EXPECT_EQ(::bind(fd, reinterpret_cast<sockaddr*>(&address), size), 0);
  ::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size);
  ::close(fd);
  return ntohs(address.sin_port);
}

Node::Node(NodeOptions options) : options_(std::move(options)) {
  if (options_.store.empty()) options_.store = folder_.file("store");
  start();
}

Node::~Node() {
  if (!process_->running()) return;
  EXPECT_EQ(stop(), 0) << output();
}

std::string Node::url(const std::string& target) const {
  return "http://127.0.0.1:" + std::to_string(port_) + target;
}

void Node::start() {
  std::vector<std::string> arguments = {binary()};
  if (options_.config.empty()) {
    arguments.insert(arguments.end(), {"--origin", options_.origin});
  } else {
    arguments.insert(arguments.end(), {"-c", folder_.write("perigee.toml", options_.config)});
  }
  arguments.insert(arguments.end(),
                   {"--listen", options_.listen, "--store", options_.store, "--store-size",
                    options_.store_size, "--workers", std::to_string(options_.workers)});
  process_ =
      std::make_unique<Process>(ProcessOptions{.arguments = arguments, .limits = options_.limits});
  const bool ready = eventually([this] {
    port_ = port_in(process_->out());
    return port_ != 0 || !process_->running();
  });
  ASSERT_TRUE(ready && port_ != 0) << "the node did not start:\n" << output();
  // The same place when it is started again.
  const size_t colon = options_.listen.rfind(':');
  options_.listen = options_.listen.substr(0, colon + 1) + std::to_string(port_);
}

std::optional<int> Node::stop() {
  for (int round = 0; round < 400 && process_->running(); ++round) {
    // The second one and those after it end what is in flight.
    process_->signal(SIGTERM);
    for (int i = 0; i < 20 && process_->running(); ++i) {
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
  }
  return process_->running() ? std::nullopt : process_->wait();
}

void Node::kill() {
  process_->signal(SIGKILL);
  EXPECT_EQ(process_->wait(), -SIGKILL);
}

size_t Node::memory_bytes() const {
  const std::string status = read_file("/proc/" + std::to_string(process_->pid()) + "/status");
  const size_t at = status.find("RssAnon:");
  if (at == std::string::npos) return 0;
  return std::strtoul(status.c_str() + at + 8, nullptr, 10) * 1024;
}

}  // namespace perigee::e2e

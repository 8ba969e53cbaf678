// The binary under test as its users run it: a process, its store and its port.
#pragma once

#include <netinet/in.h>

#include <memory>
#include <string>
#include <vector>

#include "tests/e2e/harness/process.h"

namespace perigee::e2e {

/// The path of the binary under test.
std::string binary();

struct NodeOptions {
  std::string origin;  ///< for --origin, or
  std::string config;  ///< the text of a configuration file
  std::string listen = "127.0.0.1:0";
  std::string store;  ///< empty: a file in a temporary folder, which goes with the node
  std::string store_size = "144MiB";  ///< records of half a MiB fit into it
  unsigned workers = 2;
  std::vector<std::pair<int, rlim_t>> limits;
};

/// Runs from construction to destruction; then it must stop in order, or the test fails.
class Node {
 public:
  explicit Node(NodeOptions options);
  ~Node();

  uint16_t port() const { return port_; }
  /// "http://127.0.0.1:PORT/target"
  std::string url(const std::string& target) const;
  const std::string& store() const { return options_.store; }
  Process& process() { return *process_; }
  /// All it has printed.
  std::string output() const { return process_->out() + process_->err(); }
  /// Anonymous memory in bytes: what it allocated, without the mapped store.
  size_t memory_bytes() const;

  /// SIGTERM, again until it has ended; its exit code, as Process::wait().
  std::optional<int> stop();
  void kill();
  /// Starts again on the same port and store, after stop() or kill().
  void start();

 private:
  NodeOptions options_;
  TempFolder folder_;
  std::unique_ptr<Process> process_;
  uint16_t port_ = 0;
};

/// A port of 127.0.0.1 that is free now.
uint16_t free_port();
/// The port behind "listening on http://ADDRESS:" in what a node printed; 0: not there.
uint16_t port_in(const std::string& output);

}  // namespace perigee::e2e

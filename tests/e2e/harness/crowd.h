// Thousands of clients at once, in processes of their own: their descriptors do not count with the
// test's.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace perigee::e2e {

/// Each client sends one GET on its own connection and compares the body as it comes. Make it
/// before any thread begins: its processes are forks of the test.
class Crowd {
 public:
  /// `body`: what everybody must get; `half`: the part that together_at_half() waits for.
  Crowd(size_t processes, size_t clients_each, const std::string& body, size_t half);
  ~Crowd();
  Crowd(const Crowd&) = delete;
  Crowd& operator=(const Crowd&) = delete;

  /// Everybody asks that port of 127.0.0.1 for `target`.
  void ask(uint16_t port, const std::string& target);
  /// Waits until everybody has the first part of the body. The number of those who have it.
  size_t together_at_half();
  /// Waits until everybody has the whole body, unchanged. The number of those who have.
  size_t finish();

 private:
  struct Member {
    pid_t pid = -1;
    int orders = -1;   ///< written by the test
    int reports = -1;  ///< read by the test: one size_t for each stage
  };
  size_t sum_reports();

  std::vector<Member> members_;
};

}  // namespace perigee::e2e

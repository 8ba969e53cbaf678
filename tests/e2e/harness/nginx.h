// nginx as an origin or a proxy: one process that serves a folder, with nothing outside its own.
#pragma once

#include <memory>
#include <string>

#include "tests/e2e/harness/process.h"

namespace perigee::e2e {

/// Runs on an address of its own from construction to destruction.
class Nginx {
 public:
  /// `inside` are directives of its server.
  explicit Nginx(const std::string& root, const std::string& inside = "");
  std::string url() const;
  bool running();
  /// Stops it; the test fails if that is not in order.
  void stop();
  std::string access_log() const { return read_file(folder_.file("access.log")); }
  std::string trouble() const { return process_->err(); }

 private:
  TempFolder folder_;
  std::unique_ptr<Process> process_;
  const std::string host_;
};

}  // namespace perigee::e2e

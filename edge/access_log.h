// One line per request, if the access log is on. Another thread writes the lines; no loop waits for
// it, so lines are dropped when it falls behind.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>

#include "base/address.h"
#include "base/result.h"
#include "edge/config.h"
#include "edge/log_file.h"
#include "http/response.h"

namespace spdlog {
class logger;
}

namespace perigee::edge {

struct AccessRecord {
  int64_t wall_ms = 0;
  base::Address client;  ///< behind trusted proxies too
  std::string_view method;
  std::string_view host;
  std::string_view target;
  uint16_t status = 0;
  uint64_t body_bytes = 0;
  int64_t duration_ms = 0;
  http::CacheStatus cache;
};

/// Any loop. Off by default, and then costs one branch.
class AccessLog {
 public:
  explicit AccessLog(const LogConfig& config);
  /// Whether what it should write to could be opened; an error names it.
  const base::Status& status() const { return status_; }
  bool enabled() const { return logger_ != nullptr; }
  /// Queues a line; at the bound of the queue the oldest is dropped.
  void write(const AccessRecord& record);
  /// Has what is queued written now. The writer does it, so this does not wait.
  void flush();
  /// Has the file opened again under its name, once what was queued before is written: somebody has
  /// moved it away.
  void reopen();

 private:
  base::Status status_ = base::Done{};
  LogFile* file_ = nullptr;  ///< of the logger; null: stdout
  std::shared_ptr<spdlog::logger> logger_;
};

}  // namespace perigee::edge

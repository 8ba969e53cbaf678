#include "edge/access_log.h"

#include <fcntl.h>
#include <spdlog/async.h>
#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "edge/escape.h"
#include "http/date.h"
#include "http/policy.h"

namespace perigee::edge {

namespace {
constexpr size_t kQuotedMost = 1024;  ///< of a method, a host or a target

/// Without waiting for the reader of a FIFO. One whose folder is not there yet is made later.
base::Status check_writable(const std::string& path) {
  const int flags = O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NONBLOCK | O_NOCTTY;
  const int fd = ::open(path.c_str(), flags, 0666);
  if (fd >= 0) ::close(fd);
  if (fd >= 0 || errno == ENOENT) return base::Done{};
  const int error = errno;
  return base::Error{base::ErrorCode::kIo, error,
                     "the access log " + path + " cannot be opened: " +
                         (error == ENXIO ? "nobody reads from it" : std::strerror(error))};
}

/// `METHOD hosttarget`, as it stands between the quotes.
std::string quoted_part(const AccessRecord& record) {
  std::string text;
  append_escaped(text, record.method, kQuotedMost);
  text.push_back(' ');
  append_escaped(text, record.host, kQuotedMost);
  append_escaped(text, record.target, kQuotedMost);
  return text;
}

}  // namespace

AccessLog::AccessLog(const LogConfig& config) {
  if (config.access == "off" || config.access.empty()) return;
  if (config.access == "stdout") {
    logger_ = spdlog::create_async_nb<spdlog::sinks::stdout_sink_mt>("access");
  } else {
    status_ = check_writable(config.access);
    if (!status_.ok()) return;
    try {
      logger_ = spdlog::create_async_nb<spdlog::sinks::basic_file_sink_mt>("access", config.access);
    } catch (const spdlog::spdlog_ex& error) {
      status_ = base::Error{base::ErrorCode::kIo, 0, error.what()};
      return;
    }
  }
  logger_->set_pattern("%v");
}

void AccessLog::write(const AccessRecord& record) {
  char date[http::kDateSize];
  const http::CacheStatus& cache = record.cache;
  const bool forwarded = !cache.hit && cache.forward != http::Forward::kNone;
  // Of a client that left before anything was decided there is no outcome.
  const std::string_view outcome = cache.hit   ? std::string_view("hit")
                                   : forwarded ? http::forward_text(cache.forward)
                                               : std::string_view("-");
  logger_->info("{} [{}] \"{}\" {} {} {}ms {}{}{}{}", record.client.host_text(),
                http::format_date(record.wall_ms, date), quoted_part(record), record.status,
                record.body_bytes, record.duration_ms, forwarded ? "fwd=" : "", outcome,
                cache.collapsed ? " collapsed" : "", cache.stored ? " stored" : "");
}

}  // namespace perigee::edge

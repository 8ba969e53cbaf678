#include "edge/access_log.h"

#include <spdlog/async.h>
#include <spdlog/details/null_mutex.h>
#include <spdlog/sinks/base_sink.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <utility>

#include "edge/escape.h"
#include "http/date.h"
#include "http/policy.h"

namespace perigee::edge {

namespace {
constexpr size_t kQuotedMost = 1024;  ///< of a method, a host or a target

/// Hands lines to a file. One thread calls it: that which writes all logs.
class FileSink final : public spdlog::sinks::base_sink<spdlog::details::null_mutex> {
 public:
  explicit FileSink(std::unique_ptr<LogFile> file) : file_(std::move(file)) {}

 protected:
  void sink_it_(const spdlog::details::log_msg& message) override {
    spdlog::memory_buf_t line;
    formatter_->format(message, line);
    file_->append({line.data(), line.size()});
  }
  void flush_() override { file_->flush(); }

 private:
  const std::unique_ptr<LogFile> file_;
};

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
    // Not by its name: at the end the last lines are written when no logger has one any more.
    const auto told = [log = spdlog::default_logger()](std::string_view what) { log->warn(what); };
    base::Result<std::unique_ptr<LogFile>> file = LogFile::open(config.access, told);
    if (!file.ok()) {
      status_ = file.error();
      return;
    }
    file_ = file->get();
    logger_ = spdlog::create_async_nb<FileSink>("access", std::move(*file));
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

void AccessLog::flush() {
  if (logger_ != nullptr) logger_->flush();
}

void AccessLog::reopen() {
  if (file_ == nullptr) return;
  file_->reopen();
  logger_->flush();
}

}  // namespace perigee::edge

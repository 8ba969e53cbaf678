#include "edge/log.h"

#include <spdlog/async.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <cerrno>
#include <memory>
#include <utility>

#include "base/limits.h"
#include "edge/background.h"

namespace perigee::edge {

namespace {
constexpr size_t kQueuedLines = 8192;  ///< at it the oldest line is dropped
}  // namespace

void start_log(std::string_view level) {
  spdlog::init_thread_pool(kQueuedLines, 1);
  auto logger = spdlog::create_async_nb<spdlog::sinks::stderr_sink_mt>("perigee");
  logger->set_pattern("%Y-%m-%dT%H:%M:%S.%eZ %l %v", spdlog::pattern_time_type::utc);
  logger->set_level(spdlog::level::from_str(std::string(level)));
  logger->flush_on(spdlog::level::info);
  spdlog::set_default_logger(logger);
}

bool stop_log() {
  return Background([] {
           // Outlives the thread that writes: that one may hold the last line, and the logger with
           // it.
           const std::shared_ptr<spdlog::logger> held = spdlog::default_logger();
           spdlog::shutdown();
         })
      .wait(base::limits::kLogFlushMs);
}

void print(int fd, std::string text) {
  Background writing([fd, held = std::move(text)] {
    std::string_view rest = held;
    while (!rest.empty()) {
      const ssize_t n = ::write(fd, rest.data(), rest.size());
      if (n < 0 && errno == EINTR) continue;
      if (n <= 0) return;
      rest.remove_prefix(static_cast<size_t>(n));
    }
  });
  // In vain: nobody reads. The thread keeps the text.
  (void)writing.wait(base::limits::kLogFlushMs);
}

void log_info(std::string_view sentence) { spdlog::info("{}", sentence); }
void log_warning(std::string_view sentence) { spdlog::warn("{}", sentence); }

}  // namespace perigee::edge

#include "edge/log.h"

#include <spdlog/async.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

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

void log_info(std::string_view sentence) { spdlog::info("{}", sentence); }
void log_warning(std::string_view sentence) { spdlog::warn("{}", sentence); }

}  // namespace perigee::edge

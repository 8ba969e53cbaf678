#include "edge/origin_watch.h"

#include <string>

#include "edge/route.h"
#include "http/mistakes.h"

namespace perigee::edge {

namespace {
constexpr size_t kQuotedMost = 100;  ///< of an origin's words, in a line of the log
}  // namespace

void OriginWatch::on_head(size_t site, const http::ReceivedResponse& head,
                          const http::ResponseTimes& times, const http::PolicyOptions& policy) {
  const std::optional<int64_t> late_ms =
      policy.trust_origin_clock ? http::late_date_ms(head, times) : std::nullopt;
  if (late_ms) {
    metrics_.on_late_date();
    if (!told_[site].late_date.exchange(true)) {
      tell(site, "Date is " + std::to_string(*late_ms / 1000) +
                     " s behind this clock, so that responses are old when they come; set the "
                     "origin's clock, or trust_origin_clock = false");
    }
  }
  const std::string_view directive = http::directive_with_semicolon(head.fields);
  if (directive.empty()) return;
  metrics_.on_semicolon();
  if (told_[site].semicolon.exchange(true)) return;
  tell(site, "Cache-Control holds '" + std::string(directive.substr(0, kQuotedMost)) +
                 "', one unknown directive: a comma stands between two, not a semicolon");
}

void OriginWatch::tell(size_t site, std::string_view what) {
  const SiteConfig& config = config_.sites[site];
  const std::string_view name =
      config.hosts.empty() ? origin_authority(config) : std::string_view(config.hosts.front());
  warn_("the origin of " + std::string(name) + ": " + std::string(what));
}

}  // namespace perigee::edge

#include "edge/origin_watch.h"

#include "base/limits.h"
#include "edge/escape.h"
#include "http/origin_lints.h"

namespace perigee::edge {

namespace {
constexpr size_t kQuotedMost = 100;    ///< of an origin's words, in a line of the log
constexpr size_t kSentenceMost = 500;  ///< of a line, which may hold words of an origin

std::string_view path_of(std::string_view target) { return target.substr(0, target.find('?')); }
}  // namespace

void OriginWatch::on_head(const http::ReceivedResponse& head, const http::ResponseTimes& times,
                          const http::PolicyOptions& policy) {
  const std::optional<int64_t> late_ms =
      policy.trust_origin_clock ? http::late_date_ms(head, times) : std::nullopt;
  if (late_ms) {
    metrics_.on_late_date();
    if (!late_date_told_.exchange(true)) {
      tell("Date is " + std::to_string(*late_ms / 1000) +
           " s behind this clock, so that responses are old when they come; set the "
           "origin's clock, or trust_origin_clock = false");
    }
  }
  const std::string_view directive = http::directive_with_semicolon(head.fields);
  if (!directive.empty()) {
    metrics_.on_semicolon();
    if (!semicolon_told_.exchange(true)) {
      tell("Cache-Control holds '" + std::string(directive.substr(0, kQuotedMost)) +
           "', one unknown directive: a comma stands between two, not a semicolon");
    }
  }
  if (http::is_cors_without_vary(head.fields, policy.key_fields) && !cors_told_.exchange(true)) {
    tell(
        "Access-Control-Allow-Origin names one origin, and Vary does not name Origin, so that "
        "others get it too; set key_fields = ['Origin']");
  }
}

void OriginWatch::on_stand_in(http::StandIn why, std::string_view target) {
  if (why == http::StandIn::kRetained) return metrics_.on_retained();
  metrics_.on_misshapen();
  const std::string_view path = path_of(target);
  if (!pages_told_.is_new(path)) return;
  tell("a page (text/html) came for " + std::string(path.substr(0, kQuotedMost)) +
       ", which is none by its name; it is not stored");
}

void OriginWatch::on_wrong_digest(std::string_view target) {
  metrics_.on_wrong_digest();
  const std::string_view path = path_of(target);
  if (!digests_told_.is_new(path)) return;
  tell("what came for " + std::string(path.substr(0, kQuotedMost)) +
       " is not what its Repr-Digest or Content-Digest says; it is not stored");
}

void OriginWatch::on_failure(const origin::FetchError& error, base::Tick now) {
  metrics_.on_origin_failure();
  Failures& failures = failures_[error.kind];
  int64_t until_ms = failures.quiet_until_ms.load(std::memory_order_relaxed);
  // Of several loops one tells.
  if (now.ms < until_ms || !failures.quiet_until_ms.compare_exchange_strong(
                               until_ms, now.ms + base::limits::kFailureLogMs)) {
    failures.unsaid.fetch_add(1, std::memory_order_relaxed);
    return;
  }
  std::string what = error.message;
  const uint64_t unsaid = failures.unsaid.exchange(0, std::memory_order_relaxed);
  if (unsaid > 0) what += " (and " + std::to_string(unsaid) + " times more since the last line)";
  tell(what);
}

void OriginWatch::tell(std::string_view what) {
  std::string sentence = "the origin of " + site_ + ": ";
  append_escaped(sentence, what, kSentenceMost);
  warn_(sentence);
}

}  // namespace perigee::edge

// How a request is answered: its head and body go to the exchange, and what the log and the metrics
// tell of it is kept until the exchange ends.
#pragma once

#include <string_view>

#include "edge/flow_context.h"
#include "edge/served.h"
#include "http/exchange/exchange.h"
#include "http/response.h"

namespace perigee::edge {

/// One loop. After respond(), fail() and answer() nothing of the exchange or of what waits in it is
/// touched: it may have ended inside.
class Answers {
 public:
  explicit Answers(const FlowContext& context) : context_(context) {}

  /// What is attached to the exchange owns `body` (null: none). The answer ends with on_sent().
  void respond(http::Exchange& exchange, const http::ResponseHead& head, http::BodySource* body,
               const http::CacheStatus& cache);
  /// An error page; `why` is its one sentence.
  void fail(http::Exchange& exchange, uint16_t status, std::string_view why,
            const http::CacheStatus& cache);
  /// An answer of our own that is no error: Date and Cache-Status are added. `text` lies in the
  /// exchange's arena, or for ever.
  void answer(http::Exchange& exchange, http::ResponseHead head, std::string_view text);
  /// Counts and logs an exchange that was answered or left, and destroys what is attached to it.
  void end(http::Exchange& exchange, uint64_t body_bytes, bool whole);

 private:
  void send_text(http::Exchange& exchange, const http::ResponseHead& head, std::string_view text,
                 const http::CacheStatus& cache);

  const FlowContext& context_;
};

}  // namespace perigee::edge

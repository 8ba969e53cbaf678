#include "edge/purged.h"

#include <memory>

#include "base/check.h"
#include "edge/purge.h"
#include "edge/request_flow.h"
#include "edge/waiting.h"

namespace perigee::edge {

using Stage = Waiting::Stage;

void Purged::begin() {
  const FlowContext& context = waiting_.flow.context();
  const bool soft = is_soft_purge(waiting_.exchange.request());
  result_ = context.store.purge({waiting_.route.digest, soft, context.env.wall().ms});
  waiting_.enter(Stage::kPurging);
  waiting_.ending.cache.forward = http::Forward::kBypass;
  std::unique_ptr<base::Job> job = make_commit_job(
      context.store, result_.seq, [this](const base::Status& status) { on_committed(status); });
  if (!context.env.offload(base::Lane::kLatency, job, pending_)) {
    waiting_.flow.answers().fail(waiting_.exchange, 503,
                                 "purged, but not durable: the journal is busy",
                                 {.forward = http::Forward::kBypass});
  }
}

void Purged::on_committed(const base::Status& status) {
  CHECK(waiting_.stage() == Stage::kPurging);
  http::Exchange& exchange = waiting_.exchange;
  if (!status.ok()) {
    // The store's observer is told the reason.
    return waiting_.flow.answers().fail(exchange, 503,
                                        "purged, but not durable: the journal cannot be written",
                                        {.forward = http::Forward::kBypass});
  }
  http::ResponseHead head;
  const std::string_view json = purge_answer(result_, exchange.arena(), head);
  waiting_.flow.answers().answer(exchange, head, json);
}

}  // namespace perigee::edge

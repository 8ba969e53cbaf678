#include "edge/completed.h"

#include "base/check.h"
#include "edge/request_flow.h"
#include "edge/waiting.h"

namespace perigee::edge {

void Completed::begin(origin::MissingFragments& missing, uint64_t number) {
  waiting_.enter(Waiting::Stage::kFilling);
  asked_rid_ = missing.object().rid;
  const bool waits = missing.refetchable() != nullptr &&
                     missing.fills().join_fragment(missing.refetchable(), number, *this);
  if (waits) return;
  const origin::FetchError error{origin::FetchError::kBusy, "too many fills in flight"};
  waiting_.route.loop_site->on_failure(error, waiting_.flow.context().env.now());
  on_fill_failed(error);
}

const http::RequestHead& Completed::fill_head() const { return waiting_.exchange.request(); }

void Completed::on_fill_head(std::shared_ptr<origin::Fill> fill, bool own) {
  confirmed_rid_ = asked_rid_;
  // Where nothing was stored at first, somebody's fetch has put the object there.
  const bool joined = waiting_.filled && !waiting_.filled->has_brought_part();
  if (!waiting_.fetched) {
    waiting_.fetched = {.forward = waiting_.decision.forward,
                        .forward_status = fill->origin_status(),
                        .stored = true,
                        .collapsed = !own || joined};
  }
  waiting_.go_on();
}

/// The fragment is there by now, or the object is gone.
void Completed::on_fill_stored() {
  ++waiting_.attempts;
  waiting_.go_on();
}

void Completed::on_fill_released() { on_fill_stored(); }

void Completed::on_fill_failed(const origin::FetchError& error) {
  waiting_.on_origin_failed(error, {.forward = waiting_.decision.forward});
}

}  // namespace perigee::edge

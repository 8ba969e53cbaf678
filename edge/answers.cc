#include "edge/answers.h"

#include <new>

#include "edge/origin_request.h"
#include "edge/waiting.h"

namespace perigee::edge {

using http::CacheStatus;

namespace {

/// Nothing else is ever attached.
Served* served_of(http::Exchange& exchange) { return static_cast<Served*>(exchange.attached); }

}  // namespace

void Answers::fail(http::Exchange& exchange, uint16_t status, std::string_view why,
                   const CacheStatus& cache) {
  // The text may wait for room behind other answers; the turn's memory would not wait with it.
  (void)exchange.promote();
  std::string_view body;
  http::ResponseHead head = http::make_error(status, why, exchange.arena(), body);
  http::add_own_fields(context_.env.wall().ms, cache, kCacheName, exchange.arena(), head);
  send_text(exchange, head, body, cache);
}

void Answers::answer(http::Exchange& exchange, http::ResponseHead head, std::string_view text) {
  const CacheStatus ours{.forward = http::Forward::kBypass};
  http::add_own_fields(context_.env.wall().ms, ours, kCacheName, exchange.arena(), head);
  send_text(exchange, head, text, ours);
}

void Answers::send_text(http::Exchange& exchange, const http::ResponseHead& head,
                        std::string_view text, const CacheStatus& cache) {
  http::BodySource* source = nullptr;
  const bool has_body = !text.empty() && exchange.promote() &&
                        !http::never_has_body(exchange.request().method, head.status);
  if (exchange.attached != nullptr) {
    auto& waiting = static_cast<Waiting&>(*exchange.attached);
    waiting.enter(Waiting::Stage::kAnswered);
    source = &waiting.keep_text(text);
  } else {
    auto* answered = new (exchange.slot().data()) ServedText(text);
    exchange.attached = answered;
    source = &answered->body;
  }
  respond(exchange, head, has_body ? source : nullptr, cache);
}

void Answers::respond(http::Exchange& exchange, const http::ResponseHead& head,
                      http::BodySource* body, const CacheStatus& cache) {
  Ending& ending = served_of(exchange)->ending;
  ending.status = head.status;
  ending.cache = cache;
  if (ending.begun_ms == 0) ending.begun_ms = context_.env.now().ms;
  exchange.respond(head, body);
}

void Answers::end(http::Exchange& exchange, uint64_t body_bytes, bool whole) {
  Served* served = served_of(exchange);
  if (served == nullptr) return;
  const Ending& ending = served->ending;
  context_.metrics.on_response(ending.status, ending.cache, body_bytes, whole);
  if (context_.access_log.enabled()) {
    const http::RequestHead& request = exchange.request();
    context_.access_log.write({.wall_ms = context_.env.wall().ms,
                               .client = client_of(exchange, *context_.sites),
                               .method = request.method_text,
                               .host = request.authority,
                               .target = request.target,
                               .status = ending.status,
                               .body_bytes = body_bytes,
                               .duration_ms = context_.env.now().ms - ending.begun_ms,
                               .cache = ending.cache});
  }
  exchange.attached = nullptr;
  served->~Served();
}

}  // namespace perigee::edge

#include "edge/relayed.h"

#include <string>
#include <utility>

#include "base/check.h"
#include "edge/origin_request.h"
#include "edge/purge.h"
#include "edge/request_flow.h"
#include "edge/waiting.h"
#include "http/cache_key.h"
#include "http/head_image.h"
#include "http/location.h"
#include "http/preconditions.h"
#include "http/response.h"
#include "origin/own_connection.h"

namespace perigee::edge {

using http::CacheStatus;
using Stage = Waiting::Stage;

namespace {

/// Where the client's connection keeps one to an origin for itself.
origin::OwnConnection& own_connection(http::Exchange& exchange) {
  std::unique_ptr<http::Attachment>& kept = exchange.of_connection();
  if (kept == nullptr) kept = std::make_unique<origin::OwnConnection>();
  return static_cast<origin::OwnConnection&>(*kept);
}

}  // namespace

void Relayed::begin(const Route& route) {
  const FlowContext& context = waiting_.flow.context();
  http::Exchange& exchange = waiting_.exchange;
  // What answers a HEAD may freshen what is stored, so it must not depend on this one client.
  shared_ = waiting_.decision.action != http::Action::kPass &&
            !http::is_conditional_on_origin(exchange.request());
  if (shared_) awaited_ = context.store.await(route.digest);
  ticket_ = shared_ ? awaited_.ticket() : context.store.ticket();
  std::optional<Lookup> stored;
  if (shared_) stored = look_up(exchange.request(), route, context.store);
  origin::FetchRequest request;
  if (!make_relay_request(exchange, waiting_.route, stored ? &*stored : nullptr, request)) {
    return waiting_.flow.answers().fail(exchange, 503, "no memory for this request",
                                        {.forward = waiting_.decision.forward});
  }
  if (http::authenticates_connection(exchange.request().fields)) {
    request.own = &own_connection(exchange);
  }
  upgrade_ = http::allowed_upgrade(exchange.request(), **waiting_.route.policy);
  request.upgrade = upgrade_;
  waiting_.enter(Stage::kRelaying);
  fetch_ = route.loop_site->origin().fetch(request, *this);
}

void Relayed::on_fetch_interim(const http::ReceivedResponse& interim) {
  if ((*waiting_.route.policy)->drop_interim) return;
  http::Arena arena;
  const auto head = http::make_interim(interim, false, arena);
  if (head) waiting_.exchange.inform(*head);
}

void Relayed::on_fetch_head(const http::ReceivedResponse& received,
                            const http::ResponseTimes& times) {
  CHECK(waiting_.stage() == Stage::kRelaying);
  if (received.status == 101) return switch_protocols(received);
  const CacheStatus cache{.forward = waiting_.decision.forward, .forward_status = received.status};
  // As for a fill: once what may cover this is verified, the origin is asked again.
  if (shared_ && http::is_server_failure(received.status) &&
      waiting_.verify_first([&waiting = waiting_] { waiting.go_on(); })) {
    return;
  }
  if (http::is_server_failure(received.status) &&
      waiting_.serve_stale(http::OriginFailure::kServerError, cache) == Waiting::Stale::kServed) {
    return;
  }
  const http::RequestHead& request = waiting_.exchange.request();
  const http::PolicyOptions& options = **waiting_.route.policy;
  waiting_.route.loop_site->on_head(received, times, options);
  if (shared_ && waiting_.serve_instead({received, times.response_ms}, cache)) return;
  policy_ = http::admit(request, received, times, options).policy;
  image_ = http::make_head_image(
      received, times,
      {.content_length = received.content_length, .codable = may_be_coded(received, times)});
  content_length_ = received.content_length;
  has_body_ = received.has_body;
  if (shared_) note_head_response(received, times);
  const bool succeeded = received.status >= 200 && received.status < 400;
  if (succeeded && !http::is_safe(request.method) && invalidate()) return;
  answer();
}

/// What a GET brings from there; this may be a HEAD, or a GET whose answer nobody else gets.
bool Relayed::may_be_coded(const http::ReceivedResponse& received,
                           const http::ResponseTimes& times) const {
  http::RequestHead get = waiting_.exchange.request();
  const auto& options = **waiting_.route.policy;
  if (get.method != http::Method::kGet && get.method != http::Method::kHead) return false;
  get.method = http::Method::kGet;
  return (http::admit(get, received, times, options).policy.flags & http::ReuseFlag::kCodable) != 0;
}

void Relayed::answer() {
  Answers& answers = waiting_.flow.answers();
  http::Exchange& exchange = waiting_.exchange;
  const CacheStatus cache{.forward = waiting_.decision.forward, .forward_status = policy_.status};
  const std::optional<http::StoredResponse> response = http::view_head_image(image_, policy_);
  if (!response) return answers.fail(exchange, 502, "the origin's head is too large", cache);
  http::Selection part{
      .status = policy_.status, .body = has_body_, .begin = 0, .end = content_length_.value_or(0)};
  // Its conditions were not sent: they are judged here, as for a fill.
  if (shared_) part = http::select(*response, exchange.request(), std::nullopt);
  const std::optional<http::ResponseHead> head =
      http::make_response(*response, part, content_length_, std::nullopt, cache,
                          waiting_.presentation, exchange.arena());
  if (!head) return answers.fail(exchange, 503, "no memory for this request", cache);
  waiting_.enter(Stage::kAnswered);
  answers.respond(exchange, *head, has_body_ ? fetch_.get() : nullptr, cache);
}

void Relayed::switch_protocols(const http::ReceivedResponse& received) {
  Answers& answers = waiting_.flow.answers();
  http::Exchange& exchange = waiting_.exchange;
  CHECK(!upgrade_.empty());
  const CacheStatus cache{.forward = waiting_.decision.forward, .forward_status = received.status};
  std::optional<http::ResponseHead> head =
      http::make_interim(received, /*shared=*/false, exchange.arena());
  if (!head) return answers.fail(exchange, 502, "the origin's head is too large", cache);
  head->upgrade = upgrade_;
  fetch_->tunnel(exchange.tunnel());
  waiting_.enter(Stage::kAnswered);
  answers.respond(exchange, *head, fetch_.get(), cache);
}

void Relayed::on_fetch_cut(const origin::FetchError& error) {
  waiting_.route.loop_site->on_failure(error, waiting_.flow.context().env.now());
}

void Relayed::on_fetch_failed(const origin::FetchError& error) {
  waiting_.route.loop_site->on_failure(error, waiting_.flow.context().env.now());
  waiting_.on_origin_failed(error, {.forward = waiting_.decision.forward});
}

bool Relayed::invalidate() {
  // In force before the first byte of this answer leaves (RFC 9111 §4.4).
  const FlowContext& context = waiting_.flow.context();
  const KeptRoute& route = waiting_.route;
  const http::RequestHead& request = waiting_.exchange.request();
  int erased = context.store.erase(route.digest);
  const std::optional<http::StoredResponse> response = http::view_head_image(image_, policy_);
  for (const auto name : {http::FieldName::kLocation, http::FieldName::kContentLocation}) {
    const std::optional<std::string_view> value =
        response ? response->block.find(name) : std::nullopt;
    if (!value) continue;
    const std::optional<std::string> target =
        http::same_origin_target(*value, request.scheme, route.authority, route.target);
    if (!target) continue;
    // Keyed as a request for it would be.
    http::QueryScratch query;
    std::string key;
    erased += context.store.erase(context.store.digest(
        http::make_cache_key(request.scheme, route.site_name,
                             http::normalize_query(*target, route.site().query, query), key)));
  }
  if (erased == 0) return false;
  waiting_.enter(Stage::kInvalidating);
  std::unique_ptr<base::Job> job =
      make_commit_job(context.store, context.store.ticket().purge_seq,
                      [this](const base::Status& status) { on_invalidated(status); });
  if (context.env.offload(base::Lane::kLatency, job, pending_)) return true;
  context.metrics.on_unwritten_invalidation();
  return false;
}

/// The origin has done what was asked, so its answer goes out whatever the journal says. What could
/// not be written is in force here, and the store's upkeep writes it as soon as it can.
void Relayed::on_invalidated(const base::Status& status) {
  CHECK(waiting_.stage() == Stage::kInvalidating);
  if (!status.ok()) waiting_.flow.context().metrics.on_unwritten_invalidation();
  answer();
}

void Relayed::note_head_response(const http::ReceivedResponse& head,
                                 const http::ResponseTimes& times) {
  const http::RequestHead& request = waiting_.exchange.request();
  if (head.status != 200 || http::is_misshapen(request, head, **waiting_.route.policy)) return;
  const FlowContext& context = waiting_.flow.context();
  const Route route(waiting_.route, waiting_.flow.scratch());
  Lookup lookup = look_up(request, route, context.store);
  if (!lookup.stored) return;
  if (!http::head_agrees(*lookup.stored, head)) {
    context.store.purge({route.digest, true, context.env.wall().ms});
    return;
  }
  origin::FillRequest fill;
  if (!make_fill_request(request, route, context.store, lookup, fill)) return;
  context.fills.freshen(std::move(fill), ticket_, head, times);
}

}  // namespace perigee::edge

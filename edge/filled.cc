#include "edge/filled.h"

#include <utility>

#include "base/check.h"
#include "edge/client_address.h"
#include "edge/origin_request.h"
#include "edge/request_flow.h"
#include "edge/waiting.h"
#include "http/freshness.h"
#include "origin/coded_record.h"

namespace perigee::edge {

using http::CacheStatus;
using Stage = Waiting::Stage;

/// Of an object that is not stored a part is wanted, and no more than that.
std::optional<http::FirstWanted> Filled::wanted_part(const origin::FillRequest& request) const {
  const http::RequestHead& head = waiting_.exchange.request();
  if (head.method != http::Method::kGet || !request.policy->fetch_ranges ||
      request.stored.state != cache_store::Found::kMiss) {
    return std::nullopt;
  }
  const auto wanted = http::first_wanted(head.fields.value(http::FieldName::kRange));
  const uint64_t each = waiting_.flow.context().store.fragment_bytes();
  const bool all = wanted && !wanted->from_end && wanted->to_end && wanted->at < each;
  return all ? std::nullopt : wanted;
}

void Filled::begin(const Route& route, Lookup& lookup) {
  const FlowContext& context = waiting_.flow.context();
  const http::Exchange& exchange = waiting_.exchange;
  origin::FillRequest request;
  if (!make_fill_request(exchange.request(), route, context.store, lookup, request)) {
    return waiting_.flow.answers().fail(waiting_.exchange, 503, "no memory for this request",
                                        forwarded());
  }
  request.client = client_network(client_of(exchange, *route.sites));
  const bool shared = waiting_.mode == origin::JoinMode::kShared;
  hit_for_miss_ = shared && context.fills.is_hit_for_miss(request.join);
  request.part = wanted_part(request);
  // What nobody else gets is not fetched whole for a part of it.
  if (request.part && (!shared || hit_for_miss_)) {
    waiting_.decision.action = http::Action::kPass;
    waiting_.relayed.emplace(waiting_).begin(route);
    return;
  }
  waiting_.enter(Stage::kFilling);
  const origin::JoinMode mode = hit_for_miss_ ? origin::JoinMode::kAlone : waiting_.mode;
  if (!context.fills.join(std::move(request), *this, mode)) {
    const origin::FetchError error{origin::FetchError::kBusy, "too many fills in flight"};
    route.loop_site->on_failure(error, context.env.now());
    return on_fill_failed(error);
  }
  const std::optional<int64_t> slow_ms = (*route.policy)->stale_if_slow_ms;
  if (slow_ms && lookup.stored) context.env.arm(slow_timer_, context.env.now() + *slow_ms);
}

CacheStatus Filled::forwarded() const {
  return {.forward = waiting_.decision.forward, .detail = hit_for_miss_ ? "hit-for-miss" : ""};
}

const http::RequestHead& Filled::fill_head() const { return waiting_.exchange.request(); }

void Filled::on_fill_interim(const http::ResponseHead& interim) {
  if ((*waiting_.route.policy)->drop_interim) return;
  waiting_.exchange.inform(interim);
}

/// The fill goes on and is stored; this request waits for it no longer.
void Filled::on_slow() {
  if (waiting_.verify_first([this] { on_slow(); })) return;
  (void)waiting_.serve_stale(http::OriginFailure::kSlow, forwarded());
}

void Filled::on_fill_stored() {
  slow_timer_.disarm();
  // What it began has brought a part, and looking again finds that.
  if (has_brought_part()) {
    waiting_.fetched = forwarded();
    waiting_.fetched_seq = 0;
    waiting_.fetched->forward_status = 206;
    waiting_.fetched->stored = true;
  }
  if (++waiting_.attempts >= Waiting::kAttempts) waiting_.mode = origin::JoinMode::kAlone;
  waiting_.go_on();
}

void Filled::on_fill_released() {
  slow_timer_.disarm();
  waiting_.mode = origin::JoinMode::kAlone;
  waiting_.go_on();
}

void Filled::on_fill_head(std::shared_ptr<origin::Fill> fill, bool own) {
  CHECK(waiting_.stage() == Stage::kFilling);
  slow_timer_.disarm();
  // Once that is known, the origin is asked again: this answer's body is not held until then.
  if (http::is_server_failure(fill->origin_status()) &&
      waiting_.verify_first([this] { waiting_.go_on(); })) {
    return;
  }
  fill_ = std::move(fill);
  if (own) began_ = fill_;
  const FlowContext& context = waiting_.flow.context();
  const http::StoredResponse& response = fill_->response();
  CacheStatus cache = forwarded();
  cache.forward_status = fill_->origin_status();
  cache.collapsed = !own && began_.lock() != fill_;
  if (http::is_server_failure(fill_->origin_status()) &&
      waiting_.serve_stale(http::OriginFailure::kServerError, cache) == Waiting::Stale::kServed) {
    return;
  }
  cache.stored = fill_->storing();
  if (fill_->revalidated()) cache.detail = "revalidated";
  if (fill_->stand_in() != http::StandIn::kNone) cache.detail = stand_in_text(fill_->stand_in());
  if (fill_->misshapen()) cache.detail = stand_in_text(http::StandIn::kShape);
  const Route now(waiting_.route, waiting_.flow.scratch());
  Lookup lookup = look_again(now);
  find_coding(lookup);
  // Its codings have gone meanwhile, or another response has come.
  if (fill_->is_shell() && !coded_) {
    fill_.reset();
    return on_fill_stored();
  }
  // A body that is not kept whole can be read only as it comes.
  const bool kept = fill_->storing() || fill_->revalidated();
  http::Selection part =
      http::select(response, waiting_.exchange.request(), body_size(),
                   kept ? http::BodyAccess::kAnywhere : http::BodyAccess::kForward);
  if (coded_ && !decodes_) origin::set_made(*coded_, part);
  if (part.conditions_failed) {
    fill_.reset();
    return waiting_.flow.answers().fail(waiting_.exchange, 412,
                                        "what was fetched is not what the request asks for", cache);
  }
  Pass pass{waiting_.exchange, now, &waiting_};
  const auto missing =
      lookup.stored && !coded_ ? waiting_.flow.first_to_ask(pass, lookup, part) : std::nullopt;
  if (missing) {
    waiting_.fetched = cache;
    waiting_.fetched_seq = fill_->ticket.fetch_seq;
    fill_.reset();
    return waiting_.flow.complete(pass, lookup, *missing);
  }
  part.boundary = context.env.random();
  const bool reused = !own || fill_->revalidated();
  std::optional<int64_t> age_s;
  if (reused) {
    age_s = http::age_seconds(http::freshness(response, context.env.wall().ms));
  }
  answer(response, part, age_s, cache);
}

/// What was revalidated, as it is stored now; nothing where another response has come since.
Lookup Filled::look_again(const Route& now) const {
  if (fill_->stored_rid() == 0) return {};
  Lookup lookup = look_up(waiting_.exchange.request(), now, waiting_.flow.context().store);
  const bool same = lookup.stored && lookup.found.head->rid == fill_->stored_rid();
  return same ? std::move(lookup) : Lookup{};
}

/// What was revalidated may lie there in a coding that this client likes better, or in codings
/// alone.
void Filled::find_coding(Lookup& stored) {
  const bool codable = (fill_->response().policy.flags & http::ReuseFlag::kCodable) != 0;
  if (!codable && !fill_->is_shell()) stored.found.coded.reset();
  if (!stored.found.coded) return;
  coded_ = std::move(stored.found.coded);
  decodes_ = stored.decodes || !codable;
}

std::optional<uint64_t> Filled::body_size() const {
  return coded_ && !decodes_ ? origin::body_size_of(*coded_) : fill_->body_size();
}

void Filled::answer(const http::StoredResponse& response, const http::Selection& part,
                    std::optional<int64_t> age_s, const CacheStatus& cache) {
  http::Exchange& exchange = waiting_.exchange;
  const std::optional<uint64_t> size = body_size();
  http::Presentation presentation = waiting_.presentation;
  presentation.no_store = fill_->misshapen();
  const std::optional<http::ResponseHead> head =
      http::make_response(response, part, size, age_s, cache, presentation, exchange.arena());
  if (!head) {
    return waiting_.flow.answers().fail(exchange, 503, "no memory for this request", cache);
  }
  waiting_.enter(Stage::kAnswered);
  http::BodySource* body = nullptr;
  const bool ranged = part.status == 206;
  if (part.body && coded_) {
    const http::ByteSpan span =
        ranged ? http::ByteSpan{part.begin, part.end} : http::ByteSpan{0, *size};
    http::SpanSource& source =
        decodes_ ? waiting_.decode(*coded_, *size, span) : waiting_.read(*coded_, response, span);
    body = waiting_.selected(source, response, part, *size);
  } else if (part.body) {
    const uint64_t begin = ranged ? part.begin : 0;
    const std::optional<uint64_t> end = ranged ? std::optional(part.end) : std::nullopt;
    body = waiting_.selected(
        reader_.emplace(fill_, waiting_.flow.context().fills, begin, end, &waiting_), response,
        part, size.value_or(0));
  }
  waiting_.flow.answers().respond(exchange, *head, body, cache);
}

void Filled::on_fill_failed(const origin::FetchError& error) {
  slow_timer_.disarm();
  waiting_.on_origin_failed(error, forwarded());
}

}  // namespace perigee::edge

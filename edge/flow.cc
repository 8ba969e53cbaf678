#include "edge/flow.h"

#include "base/check.h"
#include "edge/origin_request.h"
#include "edge/purge.h"
#include "http/cache_key.h"
#include "http/forward.h"
#include "http/freshness.h"
#include "http/head_image.h"
#include "http/location.h"
#include "http/response.h"

namespace perigee::edge {

using http::CacheStatus;

namespace {

/// What stale-if-error is for (RFC 5861 §4).
bool is_failure(uint16_t status) { return status == 500 || (status >= 502 && status <= 504); }

}  // namespace

CacheStatus Flow::forwarded() const {
  return {.forward = decision.forward, .detail = hit_for_miss ? "hit-for-miss" : ""};
}

void Flow::cover_when_slow(int64_t budget_ms) {
  base::Env& env = context_.env;
  env.arm(slow_timer_, env.now() + budget_ms);
}

/// The fill goes on and is stored; this request waits for it no longer.
void Flow::on_slow() { (void)serve_stale(http::OriginFailure::kSlow, forwarded()); }

void Flow::on_warmed() {
  enter(Stage::kNew);
  parent_.proceed(exchange_, this);
}

void Flow::on_fill_stored() {
  slow_timer_.disarm();
  enter(Stage::kNew);
  if (++attempts >= kAttempts) mode = origin::JoinMode::kAlone;
  parent_.proceed(exchange_, this);
}

void Flow::on_fill_released() {
  slow_timer_.disarm();
  enter(Stage::kNew);
  mode = origin::JoinMode::kAlone;
  parent_.proceed(exchange_, this);
}

void Flow::on_fill_head(std::shared_ptr<origin::Fill> fill, bool own) {
  CHECK(stage() == Stage::kFilling);
  slow_timer_.disarm();
  fill_ = std::move(fill);
  const http::StoredResponse& response = fill_->response();
  const uint16_t status = fill_->origin_status();
  CacheStatus cache = forwarded();
  cache.forward_status = status;
  cache.collapsed = !own;
  if (is_failure(status) && serve_stale(http::OriginFailure::kServerError, cache)) return;
  cache.stored = fill_->storing();
  if (fill_->revalidated()) cache.detail = "revalidated";
  const std::optional<uint64_t> size = fill_->body_size();
  // A body that is not kept whole can be read only as it comes.
  const bool kept = fill_->storing() || fill_->revalidated();
  http::Selection part =
      http::select(response, exchange_.request(), size,
                   kept ? http::BodyAccess::kAnywhere : http::BodyAccess::kForward);
  if (part.conditions_failed) {
    fill_.reset();
    return answers_.fail(exchange_, 412, "what was fetched is not what the request asks for",
                         cache);
  }
  part.boundary = context_.env.random();
  const bool reused = !own || fill_->revalidated();
  std::optional<int64_t> age_s;
  if (reused) {
    age_s = http::age_seconds(http::freshness(response, context_.env.wall().ms));
  }
  const std::optional<http::ResponseHead> head =
      http::make_response(response, part, size, age_s, cache, presentation, exchange_.arena());
  if (!head) return answers_.fail(exchange_, 503, "no memory for this request", cache);
  enter(Stage::kAnswered);
  const bool ranged = part.status == 206;
  http::BodySource* body = nullptr;
  if (part.body) {
    const uint64_t begin = ranged ? part.begin : 0;
    const std::optional<uint64_t> end = ranged ? std::optional(part.end) : std::nullopt;
    body = selected(reader.emplace(fill_, context_.fills, begin, end), response, part,
                    size.value_or(0));
  }
  answers_.respond(exchange_, *head, body, cache);
}

http::BodySource* Flow::selected(http::SpanSource& source, const http::StoredResponse& response,
                                 const http::Selection& part, uint64_t body_size) {
  if (part.parts.empty()) return &source;
  return &multipart.emplace(source, http::multipart_plan(response, part, body_size));
}

void Flow::on_fill_failed(const origin::FetchError& error) {
  CHECK(stage() == Stage::kFilling || stage() == Stage::kRelaying);
  slow_timer_.disarm();
  const CacheStatus gone = forwarded();
  if (error.kind == origin::FetchError::kRefused) {
    return answers_.fail(exchange_, error.status(), error.sentence(), gone);
  }
  // What came and is no response is an error of the server's, as the 502 that it would become.
  const bool came = !error.unreachable() && error.kind != origin::FetchError::kBusy;
  const auto failure = came ? http::OriginFailure::kServerError : http::OriginFailure::kUnreachable;
  if (serve_stale(failure, gone)) return;
  const uint16_t status = forbidden_ && error.unreachable() ? 504 : error.status();
  answers_.fail(exchange_, status, error.sentence(), gone);
}

bool Flow::serve_stale(http::OriginFailure failure, const CacheStatus& cache) {
  // What goes alone asked for the origin's own answer.
  if (decision.action == http::Action::kPass) return false;
  return parent_.serve_stale(exchange_, *this, failure, cache, forbidden_);
}

void Flow::on_fetch_interim(const http::ReceivedResponse& interim) {
  http::Arena arena;
  if (const auto head = http::make_interim(interim, false, arena)) exchange_.inform(*head);
}

void Flow::on_fetch_head(const http::ReceivedResponse& received, const http::ResponseTimes& times) {
  CHECK(stage() == Stage::kRelaying);
  const CacheStatus cache{.forward = decision.forward, .forward_status = received.status};
  if (is_failure(received.status) && serve_stale(http::OriginFailure::kServerError, cache)) return;
  const http::RequestHead& request = exchange_.request();
  const Route route(request, sites, context_.store, parent_.scratch());
  site.on_head(received, times, **route.policy);
  const http::Admission admission = http::admit(request, received, times, **route.policy);
  image = http::make_head_image(received, times, {.content_length = received.content_length});
  relayed_ = {admission.policy, received.content_length, received.has_body};
  if (shared) note_head_response(received, times, route);
  const bool succeeded = received.status >= 200 && received.status < 400;
  if (succeeded && !http::is_safe(request.method) && invalidate(route)) return;
  answer_relayed();
}

void Flow::answer_relayed() {
  const uint16_t status = relayed_.policy.status;
  const CacheStatus cache{.forward = decision.forward, .forward_status = status};
  const std::optional<http::StoredResponse> response =
      http::view_head_image(image, relayed_.policy);
  if (!response) {
    return answers_.fail(exchange_, 502, "the origin's head is too large", cache);
  }
  http::Selection part{.status = status,
                       .body = relayed_.has_body,
                       .begin = 0,
                       .end = relayed_.content_length.value_or(0)};
  // Its conditions were not sent: they are judged here, as for a fill.
  if (shared) part = http::select(*response, exchange_.request(), std::nullopt);
  const std::optional<http::ResponseHead> head =
      http::make_response(*response, part, relayed_.content_length, std::nullopt, cache,
                          presentation, exchange_.arena());
  if (!head) return answers_.fail(exchange_, 503, "no memory for this request", cache);
  enter(Stage::kAnswered);
  answers_.respond(exchange_, *head, relayed_.has_body ? fetch.get() : nullptr, cache);
}

void Flow::on_fetch_failed(const origin::FetchError& error) {
  site.on_failure(error, context_.env.now());
  on_fill_failed(error);
}

bool Flow::invalidate(const Route& route) {
  // In force before the first byte of this answer leaves (RFC 9111 §4.4).
  const http::RequestHead& request = exchange_.request();
  int erased = context_.store.erase(route.digest);
  const std::optional<http::StoredResponse> response =
      http::view_head_image(image, relayed_.policy);
  for (const auto name : {http::FieldName::kLocation, http::FieldName::kContentLocation}) {
    const std::optional<std::string_view> value =
        response ? response->block.find(name) : std::nullopt;
    if (!value) continue;
    const std::optional<std::string> target =
        http::same_origin_target(*value, request.scheme, route.authority.now(), route.target.now());
    if (!target) continue;
    // Keyed as a request for it would be.
    http::QueryScratch query;
    std::string key;
    erased += context_.store.erase(context_.store.digest(
        http::make_cache_key(request.scheme, route.site_name.now(),
                             http::normalize_query(*target, route.site->query, query), key)));
  }
  if (erased == 0) return false;
  enter(Stage::kInvalidating);
  std::unique_ptr<base::Job> job =
      make_commit_job(context_.store, context_.store.ticket().purge_seq,
                      [this](const base::Status& status) { on_invalidated(status); });
  if (context_.env.offload(base::Lane::kLatency, job, pending)) return true;
  context_.metrics.on_unwritten_invalidation();
  return false;
}

/// The origin has done what was asked, so its answer goes out whatever the journal says. What could
/// not be written is in force here, and the store's upkeep writes it as soon as it can.
void Flow::on_invalidated(const base::Status& status) {
  CHECK(stage() == Stage::kInvalidating);
  if (!status.ok()) context_.metrics.on_unwritten_invalidation();
  answer_relayed();
}

/// A HEAD tells whether the stored answer to GET still stands (RFC 9111 §4.3.5, http-rules 2.10).
void Flow::note_head_response(const http::ReceivedResponse& head, const http::ResponseTimes& times,
                              const Route& route) {
  if (head.status != 200) return;
  const http::RequestHead& request = exchange_.request();
  Lookup lookup = look_up(request, route, context_.store);
  if (!lookup.stored) return;
  if (!http::head_agrees(*lookup.stored, head)) {
    context_.store.purge({route.digest, true, context_.env.wall().ms});
    return;
  }
  origin::FillRequest fill;
  if (!make_fill_request(request, route, context_.store, lookup, fill)) return;
  context_.fills.freshen(std::move(fill), ticket, head, times);
}

void Flow::on_purged(const base::Status& status) {
  CHECK(stage() == Stage::kPurging);
  if (!status.ok()) {
    // The store's observer is told the reason.
    return answers_.fail(exchange_, 503, "purged, but not durable: the journal cannot be written",
                         {.forward = http::Forward::kBypass});
  }
  http::ResponseHead head;
  const std::string_view json = purge_answer(purge, exchange_.arena(), head);
  answers_.answer(exchange_, head, json);
}

}  // namespace perigee::edge

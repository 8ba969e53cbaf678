#include "edge/request_flow.h"

#include <algorithm>
#include <new>

#include "edge/client.h"
#include "edge/flow.h"
#include "edge/origin_request.h"
#include "edge/purge.h"
#include "http/cache_control.h"
#include "http/freshness.h"
#include "http/preconditions.h"

namespace perigee::edge {

namespace limits = base::limits;
using cache_store::Found;
using http::Action;
using http::CacheStatus;
using http::Decision;
using http::Exchange;
using http::Method;
using http::RequestHead;

namespace {

/// Verifies a cold record on the pool.
class WarmJob final : public base::Job {
 public:
  WarmJob(cache_store::Store& store, const cache_store::Digest& digest, std::string_view key,
          Flow& flow)
      : store_(store), digest_(digest), key_(key), flow_(flow) {}
  void work(const std::atomic<bool>&) noexcept override { store_.warm(digest_, key_, 0); }
  void done() noexcept override { flow_.on_warmed(); }

 private:
  cache_store::Store& store_;
  const cache_store::Digest digest_;
  const std::string key_;
  Flow& flow_;
};

constexpr std::string_view kConditionFailed = "what is stored is not what the request asks for";

}  // namespace

void RequestFlow::on_request(Exchange& exchange) {
  if (contains(context_.sites->snapshot().trusted_proxies(), exchange.peer().remote)) {
    exchange.set_from_proxy();
    const std::string_view scheme = forwarded_scheme(exchange.request());
    if (!scheme.empty()) exchange.set_scheme(scheme);
  }
  if (context_.access_log.enabled()) exchange.promote();
  proceed(exchange, nullptr);
}

void RequestFlow::proceed(Exchange& exchange, Flow* flow) {
  const RequestHead& request = exchange.request();
  const Route route(request, sites_of(flow), context_.store, scratch_);
  if (flow == nullptr && answer_ourselves(exchange, route)) return;
  Lookup lookup = look_up(request, route, context_.store);
  if (lookup.found.state == Found::kCold) return warm(exchange, flow, route, lookup);
  act(exchange, flow, route, lookup);
}

void RequestFlow::act(Exchange& exchange, Flow* flow, const Route& route, Lookup& lookup) {
  const RequestHead& request = exchange.request();
  const http::PolicyOptions& policy = **route.policy;
  const http::StoredResponse* stored = lookup.stored ? &*lookup.stored : nullptr;
  const Decision decision =
      http::decide(stored, lookup.vary_miss, request, context_.env.wall().ms, policy);
  switch (decision.action) {
    case Action::kServe:
      return serve(exchange, flow, route, lookup, decision.age_s,
                   {.hit = true, .ttl_s = decision.ttl_s});
    case Action::kServeStale:
      // Who asks for what is stored alone does not have the origin asked behind it either.
      if (!http::asks_only_if_cached(request.fields)) refresh_behind(exchange, route);
      return serve(exchange, flow, route, lookup, decision.age_s,
                   {.hit = true, .ttl_s = decision.ttl_s, .detail = "stale-while-revalidate"});
    case Action::kFetch:
    case Action::kRevalidate:
      // A body-less fetch cannot fill anything: HEAD goes alone (http-rules 2.10).
      if (request.method == Method::kHead) return relay(exchange, flow, route, decision);
      return fill(exchange, flow, route, lookup, decision);
    case Action::kPass:
      return relay(exchange, flow, route, decision);
    case Action::kGatewayTimeout:
      return answers_.fail(exchange, 504, "not in cache, and only-if-cached was asked",
                           {.forward = decision.forward});
  }
  CHECK(false);
}

bool RequestFlow::answer_ourselves(Exchange& exchange, const Route& route) {
  const RequestHead& request = exchange.request();
  const CacheStatus ours{.forward = http::Forward::kBypass};
  if (route.site == nullptr) {
    answers_.fail(exchange, 421, "no site of this name is served here", ours);
    return true;
  }
  if (request.method == Method::kPurge) {
    purge(exchange, route);
    return true;
  }
  if (request.method == Method::kOptions) {
    if (request.target == "*" || http::max_forwards(request) == 0u) {
      http::ResponseHead head;
      head.status = 204;
      head.add_fresh(http::FieldName::kAllow, http::kAllowedMethods);
      answers_.answer(exchange, head, {});
      return true;
    }
    const http::PreflightOptions& preflight = (*route.policy)->preflight;
    if (!preflight.origins.empty() && http::is_preflight(request)) {
      const auto head = http::answer_preflight(request, preflight, exchange.arena());
      if (head) {
        answers_.answer(exchange, *head, {});
      } else {
        answers_.fail(exchange, 503, "no memory for this request", ours);
      }
      return true;
    }
  }
  if (http::loops(request, route.site->cdn_id)) {
    answers_.fail(exchange, 508, "this request was here before", ours);
    return true;
  }
  return false;
}

void RequestFlow::serve(Exchange& exchange, Flow* flow, const Route& route, Lookup& lookup,
                        int64_t age_s, const CacheStatus& cache) {
  cache_store::RecordView& record = *lookup.found.head;
  http::Selection part = http::select(*lookup.stored, exchange.request(), record.body.size());
  if (part.conditions_failed) return answers_.fail(exchange, 412, kConditionFailed, cache);
  if (!part.parts.empty()) {
    part.boundary = context_.env.random();
    flow = block(exchange, flow, route);
    if (flow == nullptr) return answers_.fail(exchange, 503, "no memory for this request", cache);
  }
  const std::optional<http::ResponseHead> head =
      http::make_response(*lookup.stored, part, record.body.size(), age_s, cache,
                          presentation(*route.site), exchange.arena());
  if (!head) return answers_.fail(exchange, 503, "no memory for this request", cache);
  const cache_store::SlabWord* slab = record.pin.word();
  PinnedBody body(context_.store, std::move(record.pin), record.body, record.body_offset,
                  {part.begin, part.end});
  http::BodySource* source = nullptr;
  if (flow != nullptr) {
    flow->enter(Flow::Stage::kAnswered);
    source = flow->selected(flow->pinned.emplace(std::move(body)), *lookup.stored, part,
                            record.body.size());
  } else {
    auto* hit = new (exchange.slot().data()) ServedHit(std::move(body));
    exchange.attached = hit;
    source = &hit->body;
  }
  answers_.respond(exchange, *head, part.body ? source : nullptr, cache);
  // A page may have gone bad while the head or a small body was copied out of the map.
  if (slab->is_poisoned()) exchange.cut();
}

void RequestFlow::warm(Exchange& exchange, Flow* flow, const Route& route, const Lookup& lookup) {
  flow = block(exchange, flow, route);
  if (flow == nullptr) return answers_.fail(exchange, 503, "no memory for this request", {});
  std::unique_ptr<base::Job> job =
      std::make_unique<WarmJob>(context_.store, lookup.found.digest, lookup.key.now(), *flow);
  flow->enter(Flow::Stage::kWarming);
  const bool again = ++flow->attempts < Flow::kAttempts;
  if (again && context_.env.offload(base::Lane::kLatency, job, flow->pending)) return;
  // As if nothing were stored; alone, since others may wait for the record to be verified.
  Lookup nothing;
  nothing.key = lookup.key;
  flow->enter(Flow::Stage::kNew);
  flow->mode = origin::JoinMode::kAlone;
  act(exchange, flow, route, nothing);
}

void RequestFlow::fill(Exchange& exchange, Flow* flow, const Route& route, Lookup& lookup,
                       const Decision& decision) {
  flow = block(exchange, flow, route);
  origin::FillRequest request;
  const CacheStatus cache{.forward = decision.forward};
  if (flow == nullptr ||
      !make_fill_request(exchange.request(), route, context_.store, lookup, request)) {
    return answers_.fail(exchange, 503, "no memory for this request", cache);
  }
  request.client = client_network(client_of(exchange, *route.sites));
  flow->enter(Flow::Stage::kFilling);
  flow->decide(decision);
  flow->hit_for_miss =
      flow->mode == origin::JoinMode::kShared && context_.fills.is_hit_for_miss(request.join);
  const origin::JoinMode mode = flow->hit_for_miss ? origin::JoinMode::kAlone : flow->mode;
  if (!context_.fills.join(std::move(request), *flow, mode)) {
    const origin::FetchError error{origin::FetchError::kBusy, "too many fills in flight"};
    route.loop_site->on_failure(error, context_.env.now());
    return flow->on_fill_failed(error);
  }
  const std::optional<int64_t> slow_ms = (*route.policy)->stale_if_slow_ms;
  if (slow_ms && lookup.stored) flow->cover_when_slow(*slow_ms);
}

void RequestFlow::refresh_behind(Exchange& exchange, const Route& route) {
  Lookup lookup = look_up(exchange.request(), route, context_.store);
  origin::FillRequest request;
  if (!make_fill_request(exchange.request(), route, context_.store, lookup, request)) return;
  context_.fills.refresh_behind(std::move(request));
}

void RequestFlow::relay(Exchange& exchange, Flow* flow, const Route& route,
                        const Decision& decision) {
  flow = block(exchange, flow, route);
  const CacheStatus cache{.forward = decision.forward};
  if (flow == nullptr) return answers_.fail(exchange, 503, "no memory for this request", cache);
  // What answers a HEAD may freshen what is stored, so it must not depend on this one client.
  flow->shared =
      decision.action != Action::kPass && !http::is_conditional_on_origin(exchange.request());
  if (flow->shared) flow->awaited = context_.store.await(route.digest);
  flow->ticket = context_.store.ticket();
  origin::FetchRequest request;
  if (!make_relay_request(exchange, route, context_.store, flow->shared, request)) {
    return answers_.fail(exchange, 503, "no memory for this request", cache);
  }
  flow->enter(Flow::Stage::kRelaying);
  flow->decide(decision);
  flow->fetch = route.loop_site->origin().fetch(request, *flow);
}

void RequestFlow::purge(Exchange& exchange, const Route& route) {
  const CacheStatus ours{.forward = http::Forward::kBypass};
  const base::Address client = client_of(exchange, *route.sites);
  if (!may_purge(exchange.request(), client, *route.site)) {
    return answers_.fail(exchange, 403,
                         "purging is not allowed from this address, or through a proxy", ours);
  }
  Flow* flow = block(exchange, nullptr, route);
  if (flow == nullptr) return answers_.fail(exchange, 503, "no memory for this request", ours);
  const bool soft = is_soft_purge(exchange.request());
  flow->purge = context_.store.purge({route.digest, soft, context_.env.wall().ms});
  flow->enter(Flow::Stage::kPurging);
  flow->ending.cache = ours;
  std::unique_ptr<base::Job> job =
      make_commit_job(context_.store, flow->purge.seq,
                      [flow](const base::Status& status) { flow->on_purged(status); });
  if (!context_.env.offload(base::Lane::kLatency, job, flow->pending)) {
    answers_.fail(exchange, 503, "purged, but not durable: the journal is busy", ours);
  }
}

bool RequestFlow::serve_stale(Exchange& exchange, Flow& flow, http::OriginFailure failure,
                              CacheStatus cache, bool& forbidden) {
  const Route route(exchange.request(), flow.sites, context_.store, scratch_);
  Lookup lookup = look_up(exchange.request(), route, context_.store);
  forbidden = false;
  if (!lookup.stored) return false;
  const int64_t now_ms = context_.env.wall().ms;
  if (!http::may_serve_stale(*lookup.stored, exchange.request(), failure, now_ms, **route.policy)) {
    forbidden = true;
    return false;
  }
  const http::Freshness age = http::freshness(*lookup.stored, now_ms);
  if (age.fresh()) {
    // Another request's fill has stored it meanwhile: a hit.
    cache = {.hit = true};
  } else {
    cache.detail = failure == http::OriginFailure::kSlow ? "stale-if-slow" : "stale-if-error";
  }
  cache.ttl_s = http::remaining_seconds(age);
  flow.leave_fill();
  serve(exchange, &flow, route, lookup, http::age_seconds(age), cache);
  return true;
}

const LoopSitesPtr& RequestFlow::sites_of(const Flow* flow) const {
  return flow != nullptr ? flow->sites : context_.sites;
}

Flow* RequestFlow::block(Exchange& exchange, Flow* flow, const Route& route) {
  if (flow != nullptr) return flow;
  if (!exchange.promote()) return nullptr;
  void* memory = exchange.arena().alloc(sizeof(Flow), alignof(Flow));
  if (memory == nullptr) return nullptr;
  flow = new (memory) Flow(*this, exchange, route.sites, *route.loop_site);
  flow->ending.begun_ms = context_.env.now().ms;
  exchange.attached = flow;
  return flow;
}

void RequestFlow::on_sent(Exchange& exchange, uint64_t body_bytes, bool whole) {
  answers_.end(exchange, body_bytes, whole);
}

void RequestFlow::on_cancel(Exchange& exchange) { answers_.end(exchange, 0, false); }

void RequestFlow::on_refused(const base::Peer&, std::string_view, http::Arena& arena,
                             http::ResponseHead& answer) {
  context_.metrics.on_refused(answer.status);
  http::add_own_fields(context_.env.wall().ms, {.forward = http::Forward::kBypass}, kCacheName,
                       arena, answer);
}

}  // namespace perigee::edge

#include "edge/request_flow.h"

#include <algorithm>
#include <new>

#include "edge/client.h"
#include "edge/flow.h"
#include "edge/purge.h"
#include "http/cache_control.h"
#include "http/cache_key.h"
#include "http/forward.h"
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

/// The names of an encoded spec (empty: none), copied. False: the arena is full.
bool copy_vary_names(std::string_view spec, http::VarySpec& scratch, http::Arena& arena,
                     http::VaryNames& out) {
  if (spec.empty() || !http::decode_vary_spec(spec, scratch)) return true;
  const auto names = arena.alloc_span<std::string_view>(scratch.names.size());
  if (names.size() < scratch.names.size()) return false;
  for (size_t i = 0; i < names.size(); ++i) {
    names[i] = arena.copy(scratch.names[i]);
    if (names[i].data() == nullptr) return false;
  }
  out = names;
  return true;
}

/// Nothing else is ever attached.
Served* served_of(Exchange& exchange) { return static_cast<Served*>(exchange.attached); }

/// For all that may be forwarded. Empty: the arena is full.
std::span<http::Field> room_for_fields(const RequestHead& request, http::Arena& arena) {
  return arena.alloc_span<http::Field>(request.fields.size() + http::kForwardedFields);
}

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
  Lookup lookup = look_up(request, route);
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
      return fail(exchange, flow, 504, "not in cache, and only-if-cached was asked",
                  {.forward = decision.forward});
  }
  CHECK(false);
}

bool RequestFlow::answer_ourselves(Exchange& exchange, const Route& route) {
  const RequestHead& request = exchange.request();
  const CacheStatus ours{.forward = http::Forward::kBypass};
  if (route.site == nullptr) {
    fail(exchange, nullptr, 421, "no site of this name is served here", ours);
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
      answer(exchange, nullptr, head, {});
      return true;
    }
    const http::PreflightOptions& preflight = (*route.policy)->preflight;
    if (!preflight.origins.empty() && http::is_preflight(request)) {
      const auto head = http::answer_preflight(request, preflight, exchange.arena());
      if (head) {
        answer(exchange, nullptr, *head, {});
      } else {
        fail(exchange, nullptr, 503, "no memory for this request", ours);
      }
      return true;
    }
  }
  if (http::loops(request, route.site->cdn_id)) {
    fail(exchange, nullptr, 508, "this request was here before", ours);
    return true;
  }
  return false;
}

RequestFlow::Lookup RequestFlow::look_up(const RequestHead& request, const Route& route) {
  Lookup result;
  result.key = route.key;
  const bool cached_method = request.method == Method::kGet || request.method == Method::kHead;
  if ((*route.policy)->bypass || !cached_method) return result;
  result.found = context_.store.lookup(route.digest, route.key.now(), 0);
  int64_t spec_stale_ms = 0;
  uint64_t spec_stale_seq = 0;
  if (result.found.state == Found::kVary) {
    cache_store::RecordView& spec = *result.found.vary;
    result.vary_spec = {reinterpret_cast<const char*>(spec.body.data()), spec.body.size()};
    result.vary_pin = std::move(spec.pin);
    const uint64_t spec_rid = spec.rid;
    spec_stale_ms = spec.stale_since_ms;
    spec_stale_seq = spec.stale_seq;
    result.found = {};
    if (!http::decode_vary_spec(result.vary_spec, vary_scratch_)) {
      result.vary_spec = {};
      return result;
    }
    scratch_.selected.clear();
    const http::HeaderList selecting =
        scratch_.selecting.of(request.fields, **route.policy, vary_scratch_.names);
    http::append_selected(vary_scratch_, selecting, scratch_.selected);
    result.key = TurnText(
        http::make_variant_key(route.key.now(), spec_rid, scratch_.selected, scratch_.variant_key));
    const std::string_view variant = result.key.now();
    result.found = context_.store.lookup(context_.store.digest(variant), variant, 0);
    result.vary_miss = result.found.state == Found::kMiss;
  }
  if (result.found.state == Found::kHit) {
    result.stored = origin::view_of(result.found);
    if (!result.stored) result.found = {};
  }
  // A soft purge of the URL holds for the variants that were asked for before it.
  if (result.stored && result.found.head->ticket.purge_seq < spec_stale_seq) {
    int64_t& since_ms = result.stored->stale_since_ms;
    since_ms = since_ms == 0 ? spec_stale_ms : std::min(since_ms, spec_stale_ms);
  }
  return result;
}

void RequestFlow::serve(Exchange& exchange, Flow* flow, const Route& route, Lookup& lookup,
                        int64_t age_s, const CacheStatus& cache) {
  cache_store::RecordView& record = *lookup.found.head;
  http::Selection part = http::select(*lookup.stored, exchange.request(), record.body.size());
  if (part.conditions_failed) return fail(exchange, flow, 412, kConditionFailed, cache);
  if (!part.parts.empty()) {
    part.boundary = context_.env.random();
    flow = block(exchange, flow, route);
    if (flow == nullptr) return fail(exchange, nullptr, 503, "no memory for this request", cache);
  }
  const std::optional<http::ResponseHead> head =
      http::make_response(*lookup.stored, part, record.body.size(), age_s, cache,
                          presentation(*route.site), exchange.arena());
  if (!head) return fail(exchange, flow, 503, "no memory for this request", cache);
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
  respond(exchange, *head, part.body ? source : nullptr, cache);
  // A page may have gone bad while the head or a small body was copied out of the map.
  if (slab->is_poisoned()) exchange.cut();
}

void RequestFlow::warm(Exchange& exchange, Flow* flow, const Route& route, const Lookup& lookup) {
  flow = block(exchange, flow, route);
  if (flow == nullptr) return fail(exchange, nullptr, 503, "no memory for this request", {});
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
  if (flow == nullptr || !make_fill_request(exchange.request(), route, lookup, request)) {
    return fail(exchange, flow, 503, "no memory for this request", cache);
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
  Lookup lookup = look_up(exchange.request(), route);
  origin::FillRequest request;
  if (!make_fill_request(exchange.request(), route, lookup, request)) return;
  context_.fills.refresh_behind(std::move(request));
}

bool RequestFlow::make_fill_request(const RequestHead& request, const Route& route, Lookup& lookup,
                                    origin::FillRequest& out) {
  out.key = route.key.copy();
  out.base = route.digest;
  out.varies = !lookup.vary_spec.empty();
  out.join = out.varies ? context_.store.digest(lookup.key.now()) : route.digest;
  out.join_key = out.varies ? lookup.key.copy() : out.key;
  out.target = route.target.copy();
  out.host = route.host.copy();
  out.policy = *route.policy;
  out.site = std::shared_ptr<origin::FillSite>(route.sites, route.loop_site);
  out.stored = std::move(lookup.found);
  out.arena = std::make_unique<http::Arena>();
  if (!http::copy_head(request, out.head, *out.arena)) return false;
  // What is fetched and stored is the GET's answer, also when a HEAD met a copy to refresh.
  out.head.method = Method::kGet;
  out.head.method_text = "GET";
  out.fields = http::HeaderList(room_for_fields(request, *out.arena));
  if (!copy_vary_names(lookup.vary_spec, vary_scratch_, *out.arena, out.sent_for)) return false;
  const http::ForwardOptions options{.site_name = route.site_name.copy_to(*out.arena),
                                     .scheme = request.scheme,
                                     .cdn_id = route.site->cdn_id,
                                     .accept_encoding = route.site->accept_encoding,
                                     .client_address = {},
                                     .vary_names = out.sent_for,
                                     .shared = true};
  return http::forwarded_fields(out.head, options, *out.policy, *out.arena, out.fields);
}

void RequestFlow::relay(Exchange& exchange, Flow* flow, const Route& route,
                        const Decision& decision) {
  flow = block(exchange, flow, route);
  const CacheStatus cache{.forward = decision.forward};
  if (flow == nullptr) return fail(exchange, flow, 503, "no memory for this request", cache);
  // What answers a HEAD may freshen what is stored, so it must not depend on this one client.
  flow->shared =
      decision.action != Action::kPass && !http::is_conditional_on_origin(exchange.request());
  if (flow->shared) flow->awaited = context_.store.await(route.digest);
  flow->ticket = context_.store.ticket();
  http::Arena& arena = exchange.arena();
  origin::FetchRequest request;
  const RequestHead& head = exchange.request();
  request.method = head.method;
  request.method_text = head.method_text;
  request.target = route.target.copy_to(arena);
  request.host = route.host.copy_to(arena);
  request.fields = http::HeaderList(room_for_fields(head, arena));
  request.body = exchange.request_body();
  request.relayed = true;
  request.client = client_network(client_of(exchange, *route.sites));
  // By the same rule as the variant that the answer is compared with.
  http::VaryNames vary_names;
  if (flow->shared) {
    const Lookup lookup = look_up(head, route);
    if (!copy_vary_names(lookup.vary_spec, vary_scratch_, arena, vary_names)) {
      return fail(exchange, flow, 503, "no memory for this request", cache);
    }
  }
  const base::Address& peer = exchange.peer().remote;
  const http::ForwardOptions options{
      .site_name = route.site_name.copy_to(arena),
      .scheme = head.scheme,
      .cdn_id = route.site->cdn_id,
      .accept_encoding = flow->shared ? std::string_view(route.site->accept_encoding) : "",
      .client_address = arena.copy(peer.host_text()),
      .extends_chain = contains(route.sites->snapshot().trusted_proxies(), peer),
      .vary_names = vary_names,
      .shared = flow->shared};
  const bool room = request.target.data() != nullptr && request.host.data() != nullptr &&
                    http::forwarded_fields(head, options, **route.policy, arena, request.fields);
  if (!room) {
    return fail(exchange, flow, 503, "no memory for this request", cache);
  }
  flow->enter(Flow::Stage::kRelaying);
  flow->decide(decision);
  flow->fetch = route.loop_site->origin().fetch(request, *flow);
}

base::Address RequestFlow::client_of(const Exchange& exchange, const LoopSites& sites) const {
  return client_address(exchange.request(), exchange.peer().remote,
                        sites.snapshot().trusted_proxies());
}

void RequestFlow::purge(Exchange& exchange, const Route& route) {
  const CacheStatus ours{.forward = http::Forward::kBypass};
  const base::Address client = client_of(exchange, *route.sites);
  if (!may_purge(exchange.request(), client, *route.site)) {
    return fail(exchange, nullptr, 403,
                "purging is not allowed from this address, or through a proxy", ours);
  }
  Flow* flow = block(exchange, nullptr, route);
  if (flow == nullptr) return fail(exchange, nullptr, 503, "no memory for this request", ours);
  const bool soft = is_soft_purge(exchange.request());
  flow->purge = context_.store.purge({route.digest, soft, context_.env.wall().ms});
  flow->enter(Flow::Stage::kPurging);
  flow->ending.cache = ours;
  std::unique_ptr<base::Job> job =
      make_commit_job(context_.store, flow->purge.seq,
                      [flow](const base::Status& status) { flow->on_purged(status); });
  if (!context_.env.offload(base::Lane::kLatency, job, flow->pending)) {
    fail(exchange, flow, 503, "purged, but not durable: the journal is busy", ours);
  }
}

bool RequestFlow::serve_stale(Exchange& exchange, Flow& flow, http::OriginFailure failure,
                              CacheStatus cache, bool& forbidden) {
  const Route route(exchange.request(), flow.sites, context_.store, scratch_);
  Lookup lookup = look_up(exchange.request(), route);
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

void RequestFlow::fail(Exchange& exchange, Flow* flow, uint16_t status, std::string_view why,
                       const CacheStatus& cache) {
  // The text may wait for room behind other answers; the turn's memory would not wait with it.
  (void)exchange.promote();
  std::string_view body;
  http::ResponseHead head = http::make_error(status, why, exchange.arena(), body);
  http::add_own_fields(context_.env.wall().ms, cache, kCacheName, exchange.arena(), head);
  send_text(exchange, flow, head, body, cache);
}

void RequestFlow::answer(Exchange& exchange, Flow* flow, http::ResponseHead head,
                         std::string_view text) {
  const CacheStatus ours{.forward = http::Forward::kBypass};
  http::add_own_fields(context_.env.wall().ms, ours, kCacheName, exchange.arena(), head);
  send_text(exchange, flow, head, text, ours);
}

void RequestFlow::send_text(Exchange& exchange, Flow* flow, const http::ResponseHead& head,
                            std::string_view text, const CacheStatus& cache) {
  http::BodySource* source = nullptr;
  const bool has_body = !text.empty() && exchange.promote() &&
                        !http::never_has_body(exchange.request().method, head.status);
  if (flow != nullptr) {
    flow->enter(Flow::Stage::kAnswered);
    source = &flow->text.emplace(text);
  } else {
    auto* answered = new (exchange.slot().data()) ServedText(text);
    exchange.attached = answered;
    source = &answered->body;
  }
  respond(exchange, head, has_body ? source : nullptr, cache);
}

void RequestFlow::respond(Exchange& exchange, const http::ResponseHead& head,
                          http::BodySource* body, const CacheStatus& cache) {
  Ending& ending = served_of(exchange)->ending;
  ending.status = head.status;
  ending.cache = cache;
  if (ending.begun_ms == 0) ending.begun_ms = context_.env.now().ms;
  exchange.respond(head, body);
}

void RequestFlow::on_sent(Exchange& exchange, uint64_t body_bytes, bool whole) {
  end(exchange, body_bytes, whole);
}

void RequestFlow::on_cancel(Exchange& exchange) { end(exchange, 0, false); }

void RequestFlow::on_refused(const base::Peer&, std::string_view, http::Arena& arena,
                             http::ResponseHead& answer) {
  context_.metrics.on_refused(answer.status);
  http::add_own_fields(context_.env.wall().ms, {.forward = http::Forward::kBypass}, kCacheName,
                       arena, answer);
}

void RequestFlow::end(Exchange& exchange, uint64_t body_bytes, bool whole) {
  Served* served = served_of(exchange);
  if (served == nullptr) return;
  const Ending& ending = served->ending;
  context_.metrics.on_response(ending.status, ending.cache, body_bytes, whole);
  if (context_.access_log.enabled()) {
    const RequestHead& request = exchange.request();
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

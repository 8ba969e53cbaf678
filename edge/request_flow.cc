#include "edge/request_flow.h"

#include <algorithm>
#include <new>

#include "edge/client_address.h"
#include "edge/origin_request.h"
#include "edge/purge.h"
#include "edge/waiting.h"
#include "http/cache_control.h"
#include "http/freshness.h"
#include "http/preconditions.h"
#include "origin/coded_record.h"

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

constexpr std::string_view kNoMemory = "no memory for this request";

/// What is told of an answer from the store: `cache`, or what was fetched for it.
CacheStatus told_of(const Pass& pass, const Lookup& lookup, const CacheStatus& cache) {
  const Waiting* waiting = pass.waiting;
  if (waiting == nullptr || !waiting->fetched) return cache;
  CacheStatus told = *waiting->fetched;
  const uint64_t seq = lookup.found.head->ticket.fetch_seq;
  if (waiting->fetched_seq != 0 && waiting->fetched_seq != seq) {
    // Another one has come meanwhile, for somebody else.
    told.collapsed = true;
    told.detail = {};
  }
  // A stale response stays one when a part of it was fetched.
  if (told.detail.empty()) told.detail = cache.detail;
  return told;
}

}  // namespace

void RequestFlow::on_request(Exchange& exchange) {
  if (contains(context_.sites->snapshot().trusted_proxies(), exchange.peer().remote)) {
    exchange.set_from_proxy();
    const std::string_view scheme = forwarded_scheme(exchange.request());
    if (!scheme.empty()) exchange.set_scheme(scheme);
  }
  if (context_.access_log.enabled()) exchange.promote();
  const Route route(exchange.request(), context_.sites, context_.store, scratch_);
  Pass pass{exchange, route};
  if (!answer_ourselves(pass)) proceed(pass);
}

void RequestFlow::proceed(Waiting& waiting) {
  const Route route(waiting.route, scratch_);
  Pass pass{waiting.exchange, route, &waiting};
  proceed(pass);
}

void RequestFlow::proceed(Pass& pass) {
  Lookup lookup = look_up(pass.exchange.request(), pass.route, context_.store);
  if (lookup.found.state == Found::kCold) return warm(pass, lookup);
  act(pass, lookup);
}

void RequestFlow::act(Pass& pass, Lookup& lookup) {
  const RequestHead& request = pass.exchange.request();
  const http::PolicyOptions& policy = **pass.route.policy;
  const http::StoredResponse* stored = lookup.stored ? &*lookup.stored : nullptr;
  const Decision decision =
      http::decide(stored, lookup.vary_miss, request, context_.env.wall().ms, policy);
  switch (decision.action) {
    case Action::kServe:
      return serve(pass, lookup, decision.age_s, {.hit = true, .ttl_s = decision.ttl_s});
    case Action::kServeStale:
      // Who asks for what is stored alone does not have the origin asked behind it either.
      if (!http::asks_only_if_cached(request.fields)) refresh_behind(pass);
      return serve(pass, lookup, decision.age_s,
                   {.hit = true, .ttl_s = decision.ttl_s, .detail = "stale-while-revalidate"});
    case Action::kFetch:
    case Action::kRevalidate:
      // A body-less fetch cannot fill anything: HEAD goes alone (http-rules 2.10).
      if (request.method == Method::kHead) return relay(pass, decision);
      return fill(pass, lookup, decision);
    case Action::kPass:
      return relay(pass, decision);
    case Action::kGatewayTimeout:
      return answers_.fail(pass.exchange, 504, "not in cache, and only-if-cached was asked",
                           {.forward = decision.forward});
  }
  CHECK(false);
}

bool RequestFlow::answer_ourselves(Pass& pass) {
  Exchange& exchange = pass.exchange;
  const Route& route = pass.route;
  const RequestHead& request = exchange.request();
  const CacheStatus ours{.forward = http::Forward::kBypass};
  if (route.site == nullptr) {
    answers_.fail(exchange, 421, "no site of this name is served here", ours);
    return true;
  }
  if (request.method == Method::kPurge) {
    purge(pass);
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
  // Which request a cached answer answers would depend on what no key holds (RFC 9110 §9.3.1).
  const bool reads = request.method == Method::kGet || request.method == Method::kHead;
  if (reads && exchange.request_body() != nullptr && !(*route.policy)->bypass) {
    answers_.fail(exchange, 400, "GET and HEAD have no content, but where a rule says bypass",
                  ours);
    return true;
  }
  if (http::loops(request, route.site->cdn_id)) {
    answers_.fail(exchange, 508, "this request was here before", ours);
    return true;
  }
  return false;
}

void RequestFlow::serve(Pass& pass, Lookup& lookup, int64_t age_s, const CacheStatus& cache) {
  Exchange& exchange = pass.exchange;
  const bool coded = lookup.found.coded.has_value();
  cache_store::RecordView& record = coded ? *lookup.found.coded : *lookup.found.head;
  const uint64_t size = origin::body_size_of(lookup.decodes ? *lookup.found.head : record);
  http::Selection part = http::select(*lookup.stored, exchange.request(), size);
  if (coded && !lookup.decodes) origin::set_made(record, part);
  if (part.body && part.status == 200) {
    context_.coders.on_hit({lookup.key.now(), pass.route.digest, pass.route.loop_site->precoded(),
                            pass.route.target.now()},
                           lookup.found, lookup.accepted);
  }
  const CacheStatus status = told_of(pass, lookup, cache);
  if (part.conditions_failed) {
    return answers_.fail(exchange, 412, "what is stored is not what the request asks for", status);
  }
  if (const auto number = first_to_ask(pass, lookup, part)) return complete(pass, lookup, *number);
  if (!part.parts.empty()) part.boundary = context_.env.random();
  const bool waits = origin::lies_in_fragments(record) || lookup.decodes || !part.parts.empty();
  if (waits && !block(pass)) return answers_.fail(exchange, 503, kNoMemory, cache);
  const std::optional<http::ResponseHead> head = http::make_response(
      *lookup.stored, part, size, age_s, status,
      presentation(*pass.route.site, **pass.route.policy, exchange.request()), exchange.arena());
  if (!head) return answers_.fail(exchange, 503, kNoMemory, cache);
  const cache_store::SlabWord* slab = record.pin.word();
  const http::ByteSpan span{part.begin, part.end};
  http::BodySource* source = nullptr;
  if (Waiting* waiting = pass.waiting) {
    waiting->enter(Waiting::Stage::kAnswered);
    http::SpanSource& body = lookup.decodes ? waiting->decode(record, size, span)
                                            : waiting->read(record, *lookup.stored, span);
    source = waiting->selected(body, *lookup.stored, part, size);
  } else {
    auto* hit = new (exchange.slot().data())
        ServedHit({context_.store, std::move(record.pin), record, span});
    exchange.attached = hit;
    source = &hit->body;
  }
  answers_.respond(exchange, *head, part.body ? source : nullptr, status);
  // A page may have gone bad while the head or a small body was copied out of the map.
  const bool head_bad = coded && lookup.found.head->pin.is_poisoned();
  if (slab->is_poisoned() || head_bad) exchange.cut();
}

std::optional<uint64_t> RequestFlow::first_to_ask(const Pass& pass, const Lookup& lookup,
                                                  const http::Selection& part) const {
  const cache_store::RecordView& record = *lookup.found.head;
  const bool long_body = record.kind == cache_store::RecordKind::kHead && !lookup.found.coded;
  if (!long_body || !part.body) return std::nullopt;
  const bool asked = pass.waiting != nullptr && pass.waiting->completed;
  if (asked && pass.waiting->completed->confirmed(record.rid)) return std::nullopt;
  const origin::FragmentedObject object = origin::fragmented_object(record);
  if (part.parts.empty()) {
    return origin::first_missing(context_.store, object, {part.begin, part.end});
  }
  for (const http::ByteSpan& span : part.parts) {
    if (const auto number = origin::first_missing(context_.store, object, span)) return number;
  }
  return std::nullopt;
}

void RequestFlow::complete(Pass& pass, Lookup& lookup, uint64_t number) {
  Decision partial;
  partial.forward = http::Forward::kPartial;
  if (http::asks_only_if_cached(pass.exchange.request().fields)) {
    return answers_.fail(pass.exchange, 504, "a part is not in cache, and only-if-cached was asked",
                         {.forward = partial.forward});
  }
  if (!block(pass)) return answers_.fail(pass.exchange, 503, kNoMemory, {});
  Waiting& waiting = *pass.waiting;
  origin::MissingFragments* missing = waiting.missing_of(*lookup.found.head, *lookup.stored);
  if (missing == nullptr || waiting.attempts >= Waiting::kAttempts) return act_alone(pass, lookup);
  // Where nothing was stored at first, its own request has put the object there.
  if (!waiting.filled) waiting.decide(partial);
  if (!waiting.completed) waiting.completed.emplace(waiting);
  // The slab of the head is not held while this waits.
  lookup.found = {};
  waiting.completed->begin(*missing, number);
}

void RequestFlow::act_alone(Pass& pass, const Lookup& lookup) {
  Lookup nothing;
  nothing.key = lookup.key;
  pass.waiting->mode = origin::JoinMode::kAlone;
  act(pass, nothing);
}

void RequestFlow::warm(Pass& pass, const Lookup& lookup) {
  if (!block(pass)) return answers_.fail(pass.exchange, 503, kNoMemory, {});
  Waiting& waiting = *pass.waiting;
  waiting.enter(Waiting::Stage::kWarming);
  if (waiting.verify(lookup, [&waiting] { waiting.go_on(); })) return;
  // Others may wait for the record to be verified.
  waiting.enter(Waiting::Stage::kNew);
  act_alone(pass, lookup);
}

void RequestFlow::fill(Pass& pass, Lookup& lookup, const Decision& decision) {
  if (!block(pass)) {
    return answers_.fail(pass.exchange, 503, kNoMemory, {.forward = decision.forward});
  }
  pass.waiting->decide(decision);
  std::optional<Filled>& filled = pass.waiting->filled;
  if (!filled) filled.emplace(*pass.waiting);
  filled->begin(pass.route, lookup);
}

void RequestFlow::refresh_behind(const Pass& pass) {
  const RequestHead& request = pass.exchange.request();
  Lookup lookup = look_up(request, pass.route, context_.store);
  origin::FillRequest refresh;
  if (!make_fill_request(request, pass.route, context_.store, lookup, refresh)) return;
  context_.fills.refresh_behind(std::move(refresh));
}

void RequestFlow::relay(Pass& pass, const Decision& decision) {
  if (!block(pass)) {
    return answers_.fail(pass.exchange, 503, kNoMemory, {.forward = decision.forward});
  }
  pass.waiting->decide(decision);
  pass.waiting->relayed.emplace(*pass.waiting).begin(pass.route);
}

void RequestFlow::purge(Pass& pass) {
  const CacheStatus ours{.forward = http::Forward::kBypass};
  const base::Address client = client_of(pass.exchange, *pass.route.sites);
  if (!may_purge(pass.exchange.request(), client, *pass.route.site)) {
    return answers_.fail(pass.exchange, 403,
                         "purging is not allowed from this address, or through a proxy", ours);
  }
  if (!block(pass)) return answers_.fail(pass.exchange, 503, kNoMemory, ours);
  pass.waiting->purged.emplace(*pass.waiting).begin();
}

bool RequestFlow::block(Pass& pass) {
  if (pass.waiting != nullptr) return true;
  Exchange& exchange = pass.exchange;
  if (!exchange.promote()) return false;
  void* memory = exchange.arena().alloc(sizeof(Waiting), alignof(Waiting));
  std::optional<KeptRoute> route = pass.route.keep(exchange.arena());
  if (memory == nullptr || !route) return false;
  pass.waiting = new (memory) Waiting(*this, exchange, std::move(*route));
  pass.waiting->ending.begun_ms = context_.env.now().ms;
  exchange.attached = pass.waiting;
  return true;
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

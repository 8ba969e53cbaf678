#include "edge/waiting.h"

#include <array>
#include <initializer_list>

#include "base/check.h"
#include "edge/client_address.h"
#include "edge/lookup.h"
#include "edge/origin_request.h"
#include "edge/request_flow.h"
#include "http/cache_control.h"
#include "http/freshness.h"
#include "origin/coded_record.h"

namespace perigee::edge {
namespace {

/// All that would be sent is there, though the origin cannot be asked.
bool is_whole(const Lookup& lookup, cache_store::Store& store) {
  const cache_store::RecordView& record = *lookup.found.head;
  return record.kind != cache_store::RecordKind::kHead || lookup.found.coded ||
         origin::is_complete(store, origin::fragmented_object(record));
}

/// One bit per stage.
constexpr uint8_t set_of(std::initializer_list<Waiting::Stage> stages) {
  uint8_t set = 0;
  for (const Waiting::Stage stage : stages)
    set |= static_cast<uint8_t>(1u << static_cast<int>(stage));
  return set;
}

}  // namespace

void Waiting::enter(Stage next) {
  // Where each stage may lead to.
  static constexpr std::array<uint8_t, kStages> kNext = {
      set_of(
          {Stage::kWarming, Stage::kFilling, Stage::kRelaying, Stage::kPurging, Stage::kAnswered}),
      set_of({Stage::kNew}),
      // After a 304: for a part of what it confirmed.
      set_of({Stage::kNew, Stage::kFilling, Stage::kAnswered}),
      set_of({Stage::kNew, Stage::kInvalidating, Stage::kAnswered}),
      set_of({Stage::kAnswered}),
      set_of({Stage::kAnswered}),
      set_of({}),
  };
  CHECK((kNext[static_cast<size_t>(stage_)] & set_of({next})) != 0);
  stage_ = next;
  verifying_.abandon();
  then_ = {};
}

void Waiting::decide(const http::Decision& made) {
  decision = made;
  ending.cache.forward = made.forward;
}

/// Verifies a cold record on the pool.
class Waiting::VerifyJob final : public base::Job {
 public:
  VerifyJob(Waiting& waiting, const Lookup& lookup)
      : waiting_(waiting),
        store_(waiting.flow.context().store),
        digest_(lookup.found.digest),
        key_(lookup.key.copy()) {}
  void work(const std::atomic<bool>&) noexcept override {
    // A shell needs a coding, whatever its client takes.
    store_.warm(digest_, key_, cache_store::kCodedSlots);
  }
  void done() noexcept override { std::exchange(waiting_.then_, {})(); }

 private:
  Waiting& waiting_;
  cache_store::Store& store_;
  const cache_store::Digest digest_;
  const std::string key_;
};

bool Waiting::verify(const Lookup& lookup, base::Fn<void()> then) {
  CHECK(lookup.found.state == cache_store::Found::kCold);
  std::unique_ptr<base::Job> job = std::make_unique<VerifyJob>(*this, lookup);
  const bool again = ++attempts < kAttempts;
  if (!again || !flow.context().env.offload(base::Lane::kLatency, job, verifying_)) return false;
  then_ = std::move(then);
  return true;
}

bool Waiting::verify_first(base::Fn<void()> then) {
  const Route now(route, flow.scratch());
  const Lookup lookup = look_up(exchange.request(), now, flow.context().store);
  return lookup.found.state == cache_store::Found::kCold && verify(lookup, std::move(then));
}

void Waiting::go_on() {
  enter(Stage::kNew);
  flow.proceed(*this);
}

bool Waiting::make_request(origin::FillRequest& out) {
  const FlowContext& context = flow.context();
  const Route now(route, flow.scratch());
  Lookup lookup = look_up(exchange.request(), now, context.store);
  out.client = client_network(client_of(exchange, *route.sites));
  return make_fill_request(exchange.request(), now, context.store, lookup, out);
}

origin::MissingFragments* Waiting::missing_of(const cache_store::RecordView& record,
                                              const http::StoredResponse& response) {
  // Who asks for what is stored alone has the origin asked for no part of it either.
  const bool may_ask = !http::asks_only_if_cached(exchange.request().fields);
  if (!may_ask || !origin::is_refetchable(response)) return nullptr;
  if (!missing || missing->object().rid != record.rid) {
    missing.emplace(flow.context().fills, *this, origin::fragmented_object(record), response.etag);
  }
  return &*missing;
}

Waiting::Stale Waiting::serve_stale(http::OriginFailure failure, const http::CacheStatus& cache) {
  // What goes alone asked for the origin's own answer.
  if (decision.action == http::Action::kPass) return Stale::kNone;
  const FlowContext& context = flow.context();
  const Route now(route, flow.scratch());
  Lookup lookup = look_up(exchange.request(), now, context.store);
  if (!lookup.stored || !is_whole(lookup, context.store)) return Stale::kNone;
  const int64_t now_ms = context.env.wall().ms;
  if (!http::may_serve_stale(*lookup.stored, exchange.request(), failure, now_ms, **route.policy)) {
    return Stale::kForbidden;
  }
  const http::Freshness age = http::freshness(*lookup.stored, now_ms);
  http::CacheStatus served = cache;
  if (age.fresh()) {
    // Another request's fill has stored it meanwhile: a hit.
    served = {.hit = true};
  } else {
    served.detail = failure == http::OriginFailure::kSlow ? "stale-if-slow" : "stale-if-error";
  }
  served.ttl_s = http::remaining_seconds(age);
  if (filled) filled->leave_fill();
  Pass pass{exchange, now, this};
  flow.serve(pass, lookup, http::age_seconds(age), served);
  return Stale::kServed;
}

bool Waiting::serve_instead(const http::OriginAnswer& answer, const http::CacheStatus& cache) {
  const FlowContext& context = flow.context();
  const Route now(route, flow.scratch());
  Lookup lookup = look_up(exchange.request(), now, context.store);
  if (!lookup.stored || !is_whole(lookup, context.store)) return false;
  const http::StandIn why =
      http::stands_in(*lookup.stored, exchange.request(), answer, **route.policy);
  if (why == http::StandIn::kNone) return false;
  route.loop_site->on_stand_in(why, route.target);
  const http::Freshness age = http::freshness(*lookup.stored, answer.now_ms);
  http::CacheStatus served = cache;
  served.detail = http::stand_in_text(why);
  served.ttl_s = http::remaining_seconds(age);
  Pass pass{exchange, now, this};
  flow.serve(pass, lookup, http::age_seconds(age), served);
  return true;
}

void Waiting::on_origin_failed(const origin::FetchError& error, const http::CacheStatus& cache) {
  CHECK(stage_ == Stage::kFilling || stage_ == Stage::kRelaying);
  Failure failure{error, cache};
  // What goes alone asked for the origin's own answer.
  if (decision.action != http::Action::kPass &&
      verify_first([this] { answer_failure(*failure_); })) {
    failure_ = std::move(failure);
    return;
  }
  answer_failure(failure);
}

void Waiting::answer_failure(const Failure& failure) {
  const origin::FetchError& error = failure.error;
  const http::CacheStatus& cache = failure.cache;
  if (error.kind == origin::FetchError::kRefused) {
    return flow.answers().fail(exchange, error.status(), error.sentence(), cache);
  }
  // What came and is no response is an error of the server's, as the 502 that it would become.
  const bool came = !error.unreachable() && error.kind != origin::FetchError::kBusy;
  const auto failed = came ? http::OriginFailure::kServerError : http::OriginFailure::kUnreachable;
  const Stale stale = serve_stale(failed, cache);
  if (stale == Stale::kServed) return;
  const bool gone = stale == Stale::kForbidden && error.unreachable();
  flow.answers().fail(exchange, gone ? 504 : error.status(), error.sentence(), cache);
}

http::SpanSource& Waiting::read(cache_store::RecordView& record,
                                const http::StoredResponse& response, const http::ByteSpan& span) {
  const FlowContext& context = flow.context();
  if (!origin::lies_in_fragments(record)) {
    return body.emplace(context.store, std::move(record.pin), record, span);
  }
  const bool coded = record.kind == cache_store::RecordKind::kCoded;
  // The origin has no part of what was coded here.
  origin::MissingFragments* const asked = coded ? nullptr : missing_of(record, response);
  const origin::FragmentedObject object = origin::fragments_of(record);
  // A head is still read.
  if (coded) record.pin.reset();
  return fragments.emplace(context.store, context.env, object, span, asked);
}

http::SpanSource& Waiting::decode(cache_store::RecordView& coded, uint64_t size,
                                  const http::ByteSpan& span) {
  const http::ByteSpan all{0, coded.body.size()};
  origin::StoredBody source(flow.context().store, std::move(coded.pin), coded, all);
  return decoded.emplace(std::move(source), origin::coding_of(coded.slot), size, span);
}

http::BodySource* Waiting::selected(http::SpanSource& source, const http::StoredResponse& response,
                                    const http::Selection& part, uint64_t body_size) {
  if (part.parts.empty()) return &source;
  return &multipart_.emplace(source, http::multipart_plan(response, part, body_size));
}

}  // namespace perigee::edge

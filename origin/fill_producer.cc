#include "origin/fill_producer.h"

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace perigee::origin {

namespace limits = base::limits;
using Phase = Fill::Phase;

FillProducer::FillProducer(Fills& fills, std::shared_ptr<const FillRequest> request,
                           std::shared_ptr<Fill> fill, bool keep)
    : fills_(fills),
      request_(std::move(request)),
      fill_(std::move(fill)),
      keep_(keep),
      permit_claim_([this](base::Share permit) { ask(std::move(permit)); }),
      permit_timer_([this] {
        fail({FetchError::kBusy, "too many fills ask this site's origin"});
      }),
      claim_([this](base::Share memory) { take_memory(std::move(memory)); }),
      reserve_timer_([this] {
        fail({FetchError::kBusy, "no memory for the origin's response was free in time"});
      }),
      pump_([this] {
        if (fetch_ != nullptr) pump();
      }),
      reconsider_([this] { reconsider(); }) {}

FillProducer::~FillProducer() = default;

void FillProducer::start() {
  base::Budget& permits = request_->site->fills();
  if (base::Share permit = permits.try_take(1)) return ask(std::move(permit));
  permit_claim_.wait(permits, fills_.env(), 1);
  fills_.env().arm(permit_timer_, fills_.env().now() + limits::kPermitMs);
}

void FillProducer::ask(base::Share permit) {
  CHECK(permit && !permit_ && !ended_);
  permit_timer_.disarm();
  permit_ = std::move(permit);
  fill_->begin_asking();
  fetch();
}

void FillProducer::ask_origin(const http::HeaderList& fields) {
  FetchRequest request;
  request.target = request_->target;
  request.host = request_->host;
  request.fields = fields;
  request.times = request_->policy->times;
  fetch_ = request_->site->origin().fetch(request, *this);
}

void FillProducer::reserve(size_t bytes) {
  base::Budget& budget = table().shared().budget;
  bytes = std::min(bytes, budget.limit());
  if (base::Share memory = budget.try_take(bytes)) return take_memory(std::move(memory));
  claim_.wait(budget, fills_.env(), bytes);
  fills_.env().arm(reserve_timer_, fills_.env().now() + limits::kReserveMs);
}

void FillProducer::take_memory(base::Share memory) {
  CHECK(memory && fetch_ != nullptr);
  reserve_timer_.disarm();
  fill_->memory = std::move(memory);
  fetch_->set_waker(this);
  begin_body();
  reconsider();
}

void FillProducer::publish_head() { tell(fill_->publish(Phase::kHead)); }

/// Those of this loop at once: nobody is inside a call of ours.
void FillProducer::tell(const LoopSet& loops) {
  for_each_loop(loops, [&](unsigned loop) {
    if (loop == fills_.env().loop()) return fills_.deliver(fill_);
    table().post(loop, [fill = fill_](Fills& fills) { fills.deliver(fill); });
  });
}

void FillProducer::wake_readers() {
  for_each_loop(fill_->body.take_waiting(), [&](unsigned loop) {
    if (loop == fills_.env().loop()) return fills_.wake_readers(fill_);
    table().post(loop, [fill = fill_](Fills& fills) { fills.wake_readers(fill); });
  });
}

void FillProducer::cut_body() {
  fill_->body.finish(false);
  wake_readers();
}

void FillProducer::reconsider() {
  if (permit_claim_.waiting() && !wanted()) {
    return fail({FetchError::kBusy, "nobody waits for it any more"});
  }
  if (ended_ || fetch_ == nullptr || fill_->phase() != Phase::kHead) return;
  if (!wanted() && !worth_finishing()) {
    cut_body();
    // No failure of the origin.
    return end(false, nullptr);
  }
  if (paused_) pump_soon();
}

bool FillProducer::wanted() const {
  return (keep_ && storing()) || fill_->waiters() > 0 || fill_->body.readers() > 0;
}

/// Without anybody who waits it goes on when little is missing (http-rules 3.11).
bool FillProducer::worth_finishing() const {
  if (!storing()) return false;
  const uint64_t got = fill_->body.size();
  if (!fill_->head.declared_size) return got <= most_record_bytes();
  const uint64_t whole = *fill_->head.declared_size;
  const uint64_t missing = whole > got ? whole - got : 0;
  return missing <= static_cast<uint64_t>(limits::kFillOutlivesBytes) || missing * 4 <= whole;
}

/// Before a head, or when the rest of a body was asked for and does not come.
void FillProducer::on_fetch_failed(const FetchError& error) {
  if (fill_->phase() == Phase::kPending) return fail(error);
  fill_->error = error;
  cut_body();
  end(false, &error);
}

void FillProducer::fail(const FetchError& error) {
  CHECK(!ended_);
  fill_->error = error;
  const LoopSet loops = fill_->publish(Phase::kFailed);
  cut_body();
  end(false, &error);
  tell(loops);
}

void FillProducer::send_away(Fills::Relief relief) {
  CHECK(!ended_ && fill_->phase() == Phase::kPending);
  cut_body();
  const std::shared_ptr<Fill> fill = fill_;
  // Nobody joins it from here on.
  end(relief == Fills::Relief::kStored, nullptr);
  for_each_loop(fill->loops(), [&](unsigned loop) {
    if (loop == fills_.env().loop()) return fills_.relieve(fill, relief);
    table().post(loop, [fill, relief](Fills& fills) { fills.relieve(fill, relief); });
  });
}

void FillProducer::cancel() {
  const FetchError error{FetchError::kBusy, "the node is stopping"};
  if (fill_->phase() == Phase::kPending) {
    fill_->error = error;
    for_each_loop(fill_->publish(Phase::kFailed), [&](unsigned loop) {
      table().post(loop, [fill = fill_](Fills& fills) { fills.deliver(fill); });
    });
    cut_body();
  } else if (fetch_ != nullptr) {
    cut_body();
  }
  end(false, &error);
}

void FillProducer::end(bool stored, const FetchError* error) {
  if (ended_) return;
  ended_ = true;
  abandon_put();
  permit_claim_.abandon();
  permit_timer_.disarm();
  claim_.abandon();
  reserve_timer_.disarm();
  pump_.disarm();
  reconsider_.disarm();
  fetch_.reset();
  if (!fill_->alone) table().remove(*fill_);
  if (fill_->relieves != nullptr) fill_->relieves->end_further();
  permit_ = {};
  // It pins a slab, and slow readers keep the fill.
  fill_->stored = {};
  if (error != nullptr) request_->site->on_failure(*error, fills_.env().now());
  table().shared().observer.on_fill_ended(stored, error != nullptr);
  fills_.end_owner(this);
}

}  // namespace perigee::origin

// From the origin's head to the end of the body and the put: one fill, step by step.
#include "origin/fill_production.h"

#include <algorithm>
#include <utility>

#include "http/forward.h"
#include "http/response.h"
#include "origin/put_job.h"
#include "origin/stored_record.h"

namespace perigee::origin {

namespace limits = base::limits;
using cache_store::Found;
using http::Chunk;
using http::ReceivedResponse;
using http::ResponseTimes;
using Phase = FillProgress::Phase;

namespace {

/// Runs `task(loop)` for each loop of a set.
template <typename F>
void for_each_loop(const LoopSet& loops, F task) {
  size_t left = loops.count();
  for (unsigned loop = 0; left > 0; ++loop) {
    if (!loops.test(loop)) continue;
    --left;
    task(loop);
  }
}

}  // namespace

FillProduction::FillProduction(LoopFills& fills, FillRequest&& request,
                               std::shared_ptr<FillProgress> progress, bool keep)
    : fills_(fills),
      request_(std::move(request)),
      progress_(std::move(progress)),
      keep_(keep),
      permit_claim_([this](base::Share permit) { ask(std::move(permit)); }),
      permit_timer_([this] {
        fail({FetchError::kBusy, "too many fills ask this site's origin"});
      }),
      claim_([this](base::Share memory) { begin_body(std::move(memory)); }),
      reserve_timer_([this] {
        fail({FetchError::kBusy, "no memory for the origin's response was free in time"});
      }),
      laggard_timer_([this] {
        progress_->body.drop_laggards();
        reconsider();
      }) {}

FillProduction::~FillProduction() = default;

void FillProduction::start() {
  base::Budget& permits = fills_.table().permits(request_.site);
  if (base::Share permit = permits.try_take(1)) return ask(std::move(permit));
  permit_claim_.wait(permits, fills_.env(), 1);
  fills_.env().arm(permit_timer_, fills_.env().now() + limits::kPermitMs);
}

void FillProduction::ask(base::Share permit) {
  permit_timer_.disarm();
  permit_ = std::move(permit);
  progress_->begin_asking();
  fetch();
}

void FillProduction::fetch() {
  fields_ = request_.fields;
  if (progress_->stored.state == Found::kHit && !refetched_) {
    const std::optional<http::StoredResponse> stored = view_of(progress_->stored);
    conditional_ =
        stored && http::add_validators(*stored, fields_) && fields_.size() > request_.fields.size();
  }
  FetchRequest request;
  request.target = request_.target;
  request.host = request_.host;
  request.fields = fields_;
  fetch_ = request_.origin->fetch(request, *this);
}

void FillProduction::on_fetch_interim(const ReceivedResponse& interim) {
  auto held = std::make_shared<InterimHead>();
  const std::optional<http::ResponseHead> head = http::make_interim(interim, true, held->arena);
  if (!head) return;
  held->head = *head;
  held->head.reason = {};
  for_each_loop(progress_->loops(), [&](unsigned loop) {
    if (loop == fills_.env().loop()) return fills_.deliver_interim(progress_, *held);
    fills_.run_on(loop, [progress = progress_, held](LoopFills& fills) {
      fills.deliver_interim(progress, *held);
    });
  });
}

void FillProduction::on_fetch_head(const ReceivedResponse& head, const ResponseTimes& times) {
  fills_.table().shared().observer.on_fill_response(request_, head, times);
  progress_->origin_status_ = head.status;
  if (head.status == 304 && conditional_) {
    if (take_not_modified(head, times)) return;
    // Another response than the one that is stored: its validators are no good (RFC 9111 §4.3.4).
    refetched_ = true;
    conditional_ = false;
    return fetch();
  }
  if (head.status == 304) {
    return fail({FetchError::kMalformed, "the origin answered a condition that was not sent"});
  }
  take_response(head, times);
}

void FillProduction::freshen(const ReceivedResponse& head, const ResponseTimes& times) {
  progress_->origin_status_ = head.status;
  const std::optional<http::StoredResponse> stored = view_of(progress_->stored);
  if (!stored || !merge(*stored, head, times)) end(false, nullptr);
}

bool FillProduction::take_not_modified(const ReceivedResponse& head, const ResponseTimes& times) {
  const std::optional<http::StoredResponse> stored = view_of(progress_->stored);
  return stored && http::may_freshen(*stored, head) && merge(*stored, head, times);
}

bool FillProduction::merge(const http::StoredResponse& stored, const ReceivedResponse& head,
                           const ResponseTimes& times) {
  std::vector<std::byte> image = http::freshen_head_image(stored, head, times);
  const std::optional<http::StoredResponse> merged = http::view_head_image(image, stored.policy);
  if (!merged) return false;
  std::vector<http::Field> storage(merged->block.size() + 1);
  ReceivedResponse updated;
  updated.status = stored.policy.status;
  updated.fields = http::HeaderList(storage);
  for (size_t i = 0; i < merged->block.size(); ++i) updated.fields.add(merged->block.at(i));
  if (const http::Field* age = head.fields.find(http::FieldName::kAge); age != nullptr) {
    updated.fields.add(*age);
  }
  const http::Admission admission =
      http::admit(request_.head, updated, times, *request_.policy, request_.sent_for);
  policy_ = admission.policy;
  const bool storable = admission.storable == http::Storable::kStorable;
  if (storable && !admission.drop_names.empty()) {
    stored_image_ = http::without_fields(image, admission.drop_names);
  }
  progress_->image_ = std::move(image);
  progress_->revalidated_ = true;
  store_it_ = storable;
  progress_->shareable_ = storable && admission.drop_names.empty();
  bool keyed = storable;
  judge_vary(updated.fields, keyed);
  if (!keyed) store_it_ = progress_->shareable_ = false;
  note_for_others(storable, admission.remember);
  publish_head();
  complete();
  return true;
}

void FillProduction::take_response(const ReceivedResponse& head, const ResponseTimes& times) {
  const http::Admission admission =
      http::admit(request_.head, head, times, *request_.policy, request_.sent_for);
  policy_ = admission.policy;
  bool storable = admission.storable == http::Storable::kStorable;
  judge_vary(head.fields, storable);
  const std::optional<uint64_t> length =
      head.has_body ? head.content_length : std::optional<uint64_t>();
  http::ImageOptions image;
  image.content_length = length;
  image.drop_set_cookie = admission.drop_set_cookie;
  progress_->image_ = http::make_head_image(head, times, image);
  if (progress_->image_.empty()) {
    return fail({FetchError::kTooLarge, "the origin's head is too large"});
  }
  const bool kept = storable && !leaves_record(head);
  if (kept && !admission.drop_names.empty()) {
    image.drop_names = admission.drop_names;
    stored_image_ = http::make_head_image(head, times, image);
  }
  progress_->declared_size_ = head.has_body ? length : std::optional<uint64_t>(0);
  progress_->shareable_ = storable && admission.drop_names.empty();
  store_it_ = kept && length.value_or(0) <= fills_.table().shared().store.max_object_bytes();
  note_for_others(storable, admission.remember);
  if (!head.has_body || length == 0u) {
    progress_->body.finish(true);
    publish_head();
    return complete();
  }
  if (!store_it_) fetch_->become_relay(request_.client);
  reserve(length);
}

/// An error that does not say how long it holds is no reason to forget what was good
/// (http-rules 2.8).
bool FillProduction::leaves_record(const ReceivedResponse& head) const {
  const bool stated = policy_.lifetime_ms != base::ReuseFacts::kAbsent &&
                      (policy_.flags & http::ReuseFlag::kHeuristic) == 0;
  return progress_->stored.state == Found::kHit && head.status >= 400 && !stated;
}

/// What this head means for requests to come, and for those that this fetch was to relieve.
void FillProduction::note_for_others(bool storable, bool remember) {
  FillTable& table = fills_.table();
  if (storable) return table.unmark(progress_->join_digest);
  if (!remember) return;
  table.mark(progress_->join_digest, fills_.env().now());
  relieve(LoopFills::Relief::kReleased);
}

void FillProduction::relieve(LoopFills::Relief relief) {
  const std::shared_ptr<FillProgress>& others = progress_->relieves;
  if (others == nullptr) return;
  for_each_loop(others->loops(), [&](unsigned loop) {
    fills_.run_on(loop, [others, relief](LoopFills& fills) { fills.relieve(others, relief); });
  });
}

void FillProduction::judge_vary(const http::HeaderList& fields, bool& storable) {
  const auto names = http::vary_names(fields, request_.accept_encoding_constant);
  if (!names) {
    storable = false;
    return;
  }
  if (!http::keys_what_was_sent(request_.fields, request_.sent_for, *names)) storable = false;
  progress_->vary_names_ = *names;
  if (names->empty()) return;
  progress_->vary_selected_ =
      selected_values(*names, request_.head.fields, *request_.policy, request_.sent_for);
}

/// Memory before the first byte of content: what holds nothing cannot deadlock.
void FillProduction::reserve(const std::optional<uint64_t>& length) {
  const FillShared& shared = fills_.table().shared();
  size_t bytes = window_bytes();
  if (store_it_ && length) {
    bytes = static_cast<size_t>(std::max<uint64_t>(*length, limits::kFillChunkBytes));
  }
  if (!store_it_) progress_->body.set_window(bytes);
  if (length) progress_->body.expect(*length);
  bytes = std::min(bytes, shared.budget.limit());
  if (base::Share memory = shared.budget.try_take(bytes)) return begin_body(std::move(memory));
  claim_.wait(shared.budget, fills_.env(), bytes);
  fills_.env().arm(reserve_timer_, fills_.env().now() + limits::kReserveMs);
}

/// What is kept of a body that is not, or will turn out not to be, stored.
size_t FillProduction::window_bytes() const {
  if (!store_it_) return limits::kUnstoredWindowBytes;
  const uint64_t most = fills_.table().shared().store.max_object_bytes();
  return std::max(limits::kUnstoredWindowBytes, static_cast<size_t>(most));
}

void FillProduction::begin_body(base::Share memory) {
  reserve_timer_.disarm();
  progress_->memory_ = std::move(memory);
  fetch_->set_waker(this);
  // What has come already goes with the head.
  const Moved moved = move_body();
  publish_head();
  settle(moved);
  reconsider();
}

void FillProduction::publish_head() {
  progress_->storing_ = store_it_;
  progress_->response_ = *http::view_head_image(progress_->image_, policy_);
  tell(progress_->publish(Phase::kHead));
}

/// Those of this loop at once: nobody is inside a call of ours.
void FillProduction::tell(const LoopSet& loops) {
  const std::shared_ptr<FillProduction> self = shared_from_this();
  for_each_loop(loops, [&](unsigned loop) {
    if (loop == fills_.env().loop()) return fills_.deliver(progress_);
    fills_.run_on(loop, [progress = progress_](LoopFills& fills) { fills.deliver(progress); });
  });
}

void FillProduction::wake() { pump_later(); }

void FillProduction::pump_later() {
  if (pump_due_ || ended_) return;
  pump_due_ = true;
  fills_.env().later([self = shared_from_this()] { self->pump(); });
}

void FillProduction::pump() {
  pump_due_ = false;
  if (!ended_ && fetch_ != nullptr) settle(move_body());
}

FillProduction::Moved FillProduction::move_body() {
  FillBody& body = progress_->body;
  const uint64_t most = fills_.table().shared().store.max_object_bytes();
  paused_ = false;
  for (size_t moved = 0; moved < limits::kSendBytes;) {
    if (body.full()) {
      paused_ = true;
      return Moved::kMore;
    }
    const Chunk chunk = fetch_->peek(limits::kFillChunkBytes);
    if (chunk.state == Chunk::kLater) return Moved::kMore;
    if (chunk.state != Chunk::kFail && chunk.piece.size > 0) {
      body.append({chunk.piece.data, chunk.piece.size});
      fetch_->advance(chunk.piece.size);
      moved += chunk.piece.size;
    }
    if (chunk.state != Chunk::kMore) {
      const bool whole = chunk.state == Chunk::kEnd;
      body.finish(whole);
      return whole ? Moved::kWhole : Moved::kCut;
    }
    if (store_it_ && body.size() > most) {
      // Longer than a record may be: it goes on unstored, paced by its readers.
      body.set_window(window_bytes());
      store_it_ = false;
      fetch_->become_relay(request_.client);
    }
  }
  pump_later();
  return Moved::kMore;
}

/// Tells the readers, and goes on or ends.
void FillProduction::settle(Moved moved) {
  wake_readers();
  if (moved == Moved::kWhole) return complete();
  if (moved == Moved::kCut) return end_cut("the origin's content ended early");
  if (!paused_) return laggard_timer_.disarm();
  if (!laggard_timer_.armed()) {
    fills_.env().arm(laggard_timer_, fills_.env().now() + limits::kLaggardMs);
  }
}

void FillProduction::complete() {
  fetch_.reset();
  // What waits for its put is bounded by the pool's lane and the byte budget, and asks no origin.
  permit_ = {};
  if (store_it_) return store();
  end(false, nullptr);
}

void FillProduction::store() {
  auto put = std::make_unique<PutJob>(fills_.table().shared().store, progress_, *this);
  put->key = request_.key;
  put->policy = policy_;
  put->image = std::move(stored_image_);
  if (!progress_->revalidated_) {
    put->chunks = progress_->body.chunks();
    const bool has_length = !http::never_has_body(http::Method::kGet, policy_.status);
    if (has_length && !progress_->response_.content_length) {
      put->image = http::with_content_length(put->image.empty() ? progress_->image_ : put->image,
                                             progress_->body.size());
    }
  }
  std::unique_ptr<base::Job> job = std::move(put);
  if (!fills_.env().offload(base::Lane::kStore, job, put_)) end(false, nullptr);
}

void FillProduction::on_put(std::shared_ptr<const Found> record) {
  const bool stored = record != nullptr;
  if (stored) {
    if (!progress_->revalidated_) {
      progress_->body.hand_over(std::move(record));
      progress_->memory_.shrink_to(0);
    }
    relieve(LoopFills::Relief::kStored);
  }
  end(stored, nullptr);
}

void FillProduction::on_fetch_failed(const FetchError& error) { fail(error); }

void FillProduction::fail(const FetchError& error) {
  progress_->error_ = error;
  const LoopSet loops = progress_->publish(Phase::kFailed);
  end(false, &error);
  tell(loops);
}

/// The rest of the content will not come: nothing is stored, readers have seen the cut.
void FillProduction::end_cut(const char* why) {
  const FetchError error{FetchError::kClosed, why};
  end(false, &error);
}

void FillProduction::reconsider() {
  if (permit_claim_.waiting() && !wanted()) {
    return fail({FetchError::kBusy, "nobody waits for it any more"});
  }
  if (ended_ || fetch_ == nullptr || progress_->phase() != Phase::kHead) return;
  if (!wanted() && !worth_finishing()) {
    progress_->body.finish(false);
    wake_readers();
    return end_cut("nobody waits for the rest");
  }
  if (paused_) pump_later();
}

bool FillProduction::wanted() const {
  return (keep_ && store_it_) || progress_->waiters() > 0 || progress_->body.readers() > 0;
}

/// Without anybody who waits it goes on when little is missing (http-rules 3.11).
bool FillProduction::worth_finishing() const {
  if (!store_it_) return false;
  const uint64_t got = progress_->body.size();
  const uint64_t whole =
      progress_->declared_size_.value_or(fills_.table().shared().store.max_object_bytes());
  const uint64_t missing = whole > got ? whole - got : 0;
  return missing <= static_cast<uint64_t>(limits::kFillOutlivesBytes) || missing * 4 <= whole;
}

void FillProduction::cancel() {
  const FetchError error{FetchError::kBusy, "the node is stopping"};
  put_.abandon();
  if (progress_->phase() == Phase::kPending) {
    progress_->error_ = error;
    for_each_loop(progress_->publish(Phase::kFailed), [&](unsigned loop) {
      fills_.run_on(loop, [progress = progress_](LoopFills& fills) { fills.deliver(progress); });
    });
  } else if (fetch_ != nullptr) {
    progress_->body.finish(false);
    wake_readers();
  }
  end(false, &error);
}

void FillProduction::wake_readers() {
  for_each_loop(progress_->body.take_waiting(), [&](unsigned loop) {
    if (loop == fills_.env().loop()) return fills_.wake_readers(progress_);
    fills_.run_on(loop, [progress = progress_](LoopFills& fills) { fills.wake_readers(progress); });
  });
}

void FillProduction::end(bool stored, const FetchError* error) {
  if (ended_) return;
  ended_ = true;
  permit_claim_.abandon();
  permit_timer_.disarm();
  claim_.abandon();
  reserve_timer_.disarm();
  laggard_timer_.disarm();
  fetch_.reset();
  FillTable& table = fills_.table();
  if (!progress_->alone) table.remove(*progress_);
  if (progress_->relieves != nullptr) progress_->relieves->end_further();
  permit_ = {};
  table.shared().observer.on_fill_ended(request_, {stored, error, fills_.env().now()});
  fills_.end_production(this);
}

}  // namespace perigee::origin

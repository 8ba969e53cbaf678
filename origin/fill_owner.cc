// From the origin's head to the end of the body and the put: one fill, step by step.
#include "origin/fill_owner.h"

#include <algorithm>
#include <utility>

#include "base/text.h"
#include "http/forward.h"
#include "http/head_image.h"
#include "http/response.h"
#include "origin/stored_record.h"

namespace perigee::origin {

namespace limits = base::limits;
using cache_store::Found;
using http::Chunk;
using http::ReceivedResponse;
using http::ResponseTimes;
using Phase = Fill::Phase;

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

/// The lines of a stored response, with room for one more.
http::HeaderList lines_of(const http::StoredResponse& response, std::vector<http::Field>& storage) {
  storage.resize(response.block.size() + 1);
  http::HeaderList lines(storage);
  for (size_t i = 0; i < response.block.size(); ++i) lines.add(response.block.at(i));
  return lines;
}

/// The response with the fields that the site keys by in its Vary, for caches behind us too.
ReceivedResponse keyed_response(const ReceivedResponse& received, const http::PolicyOptions& policy,
                                std::vector<http::Field>& storage) {
  const auto named = http::vary_names(received.fields);
  if (policy.key_fields.empty() || !named) return received;
  storage.resize(received.fields.size() + policy.key_fields.size());
  ReceivedResponse keyed = received;
  keyed.fields = http::HeaderList(storage);
  for (const http::Field& field : received.fields) keyed.fields.add(field);
  for (const std::string& name : policy.key_fields) {
    const bool there = std::any_of(named->begin(), named->end(), [&](const std::string& other) {
      return base::iequals(other, name);
    });
    if (!there) keyed.fields.add({http::FieldName::kVary, "Vary", name});
  }
  return keyed;
}

}  // namespace

FillOwner::FillOwner(Fills& fills, FillRequest&& request, std::shared_ptr<Fill> fill, bool keep)
    : fills_(fills),
      request_(std::move(request)),
      fill_(std::move(fill)),
      sink_(fills.table().shared().store, fill_, request_.key),
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
        fill_->body.drop_laggards();
        reconsider();
      }),
      pump_([this] { pump(); }),
      reconsider_([this] { reconsider(); }) {}

FillOwner::~FillOwner() = default;

void FillOwner::start() {
  base::Budget& permits = request_.site->fills();
  if (base::Share permit = permits.try_take(1)) return ask(std::move(permit));
  permit_claim_.wait(permits, fills_.env(), 1);
  fills_.env().arm(permit_timer_, fills_.env().now() + limits::kPermitMs);
}

void FillOwner::ask(base::Share permit) {
  CHECK(permit && !permit_ && !ended_);
  permit_timer_.disarm();
  permit_ = std::move(permit);
  fill_->begin_asking();
  fetch();
}

void FillOwner::fetch() {
  CHECK(!ended_ && fill_->phase() == Phase::kPending);
  fields_ = request_.fields;
  if (fill_->stored.state == Found::kHit && !refetched_) {
    const std::optional<http::StoredResponse> stored = stored_response();
    conditional_ =
        stored && http::add_validators(*stored, fields_) && fields_.size() > request_.fields.size();
  }
  FetchRequest request;
  request.target = request_.target;
  request.host = request_.host;
  request.fields = fields_;
  request.times = request_.policy->times;
  fetch_ = request_.site->origin().fetch(request, *this);
}

void FillOwner::on_fetch_interim(const ReceivedResponse& interim) {
  auto held = std::make_shared<InterimHead>();
  const std::optional<http::ResponseHead> head = http::make_interim(interim, true, held->arena);
  if (!head) return;
  held->head = *head;
  held->head.reason = {};
  for_each_loop(fill_->loops(), [&](unsigned loop) {
    if (loop == fills_.env().loop()) return fills_.deliver_interim(fill_, *held);
    fills_.table().post(loop,
                        [fill = fill_, held](Fills& fills) { fills.deliver_interim(fill, *held); });
  });
}

void FillOwner::on_fetch_head(const ReceivedResponse& head, const ResponseTimes& times) {
  CHECK(!ended_ && fill_->phase() == Phase::kPending);
  request_.site->on_head(head, times, *request_.policy);
  fill_->head.origin_status = head.status;
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
  if (!take_stored(head, times)) take_response(head, times);
}

std::optional<http::StoredResponse> FillOwner::stored_response() const {
  return view_of(fill_->stored, fills_.table().shared().store);
}

void FillOwner::freshen(const ReceivedResponse& head, const ResponseTimes& times) {
  fill_->head.origin_status = head.status;
  const std::optional<http::StoredResponse> stored = stored_response();
  if (!stored || !merge(*stored, head, times)) end(false, nullptr);
}

bool FillOwner::take_not_modified(const ReceivedResponse& head, const ResponseTimes& times) {
  const std::optional<http::StoredResponse> stored = stored_response();
  return stored && http::may_freshen(*stored, head) && merge(*stored, head, times);
}

bool FillOwner::merge(const http::StoredResponse& stored, const ReceivedResponse& head,
                      const ResponseTimes& times) {
  std::vector<std::byte> image = http::freshen_head_image(stored, head, times);
  const std::optional<http::StoredResponse> merged = http::view_head_image(image, stored.policy);
  if (!merged) return false;
  std::vector<http::Field> storage;
  ReceivedResponse updated;
  updated.status = stored.policy.status;
  updated.fields = lines_of(*merged, storage);
  if (const http::Field* age = head.fields.find(http::FieldName::kAge); age != nullptr) {
    updated.fields.add(*age);
  }
  const http::Admission admission =
      http::admit(request_.head, updated, times, *request_.policy, request_.sent_for);
  policy_ = admission.policy;
  const bool storable = admission.storable == http::Storable::kStorable;
  if (storable && !admission.drop_names.empty()) {
    sink_.keep_head(http::without_fields(image, admission.drop_names));
  }
  fill_->head.image = std::move(image);
  fill_->head.revalidated = true;
  if (storable) sink_.open();
  fill_->head.shareable = storable && admission.drop_names.empty();
  bool keyed = storable;
  judge_vary(updated.fields, keyed);
  if (!keyed) {
    sink_.close();
    fill_->head.shareable = false;
  }
  note_for_others(storable, admission.remember);
  publish_head();
  complete();
  return true;
}

bool FillOwner::take_stored(const ReceivedResponse& head, const ResponseTimes& times) {
  const std::optional<http::StoredResponse> stored = stored_response();
  if (!stored) return false;
  const http::StandIn why = http::stands_in(
      *stored, request_.head, {.head = head, .now_ms = times.response_ms}, *request_.policy);
  if (why == http::StandIn::kNone) return false;
  request_.site->on_stand_in(why, request_.target);
  const std::span<const std::byte> image = fill_->stored.head->head;
  fill_->head.image.assign(image.begin(), image.end());
  fill_->head.revalidated = true;
  fill_->head.stand_in = why;
  policy_ = stored->policy;
  std::vector<http::Field> storage;
  bool keyed = true;
  judge_vary(lines_of(*stored, storage), keyed);
  fill_->head.shareable = keyed;
  publish_head();
  complete();
  return true;
}

void FillOwner::take_response(const ReceivedResponse& received, const ResponseTimes& times) {
  std::vector<http::Field> storage;
  const ReceivedResponse head = keyed_response(received, *request_.policy, storage);
  fill_->head.misshapen = http::is_misshapen(request_.head, head, *request_.policy);
  if (fill_->head.misshapen) request_.site->on_stand_in(http::StandIn::kShape, request_.target);
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
  const bool kept = storable && !leaves_record(head, times.response_ms);
  image.accepts_ranges = kept && head.status == 200;
  fill_->head.image = http::make_head_image(head, times, image);
  if (fill_->head.image.empty()) {
    return fail({FetchError::kTooLarge, "the origin's head is too large"});
  }
  if (kept && !admission.drop_names.empty()) {
    image.drop_names = admission.drop_names;
    sink_.keep_head(http::make_head_image(head, times, image));
  }
  fill_->head.declared_size = head.has_body ? length : std::optional<uint64_t>(0);
  const bool shared = storable || admission.storable == http::Storable::kMissingAsset;
  fill_->head.shareable = shared && admission.drop_names.empty();
  if (kept && length.value_or(0) <= sink_.most_bytes()) sink_.open();
  note_for_others(storable, admission.remember);
  if (!head.has_body || length == 0u) {
    fill_->body.finish(true);
    publish_head();
    return complete();
  }
  if (!sink_.is_open()) fetch_->become_relay(request_.client);
  reserve(length);
}

/// An error that does not say how long it holds is no reason to forget what was good
/// (http-rules 2.8). Nor is one that the good response covers.
bool FillOwner::leaves_record(const ReceivedResponse& head, int64_t now_ms) const {
  if (fill_->stored.state != Found::kHit || head.status < 400) return false;
  const bool stated = policy_.lifetime_ms != base::ReuseFacts::kAbsent &&
                      (policy_.flags & http::ReuseFlag::kHeuristic) == 0;
  if (!stated) return true;
  const std::optional<http::StoredResponse> stored = stored_response();
  return stored && http::is_server_failure(head.status) &&
         http::may_serve_stale(*stored, request_.head, http::OriginFailure::kServerError, now_ms,
                               *request_.policy);
}

/// What this head means for requests to come, and for those that this fetch was to relieve.
void FillOwner::note_for_others(bool storable, bool remember) {
  FillTable& table = fills_.table();
  if (storable) return table.unmark(fill_->join_digest);
  if (!remember) return;
  table.mark(fill_->join_digest, fills_.env().now());
  relieve(Fills::Relief::kReleased);
}

void FillOwner::relieve(Fills::Relief relief) {
  const std::shared_ptr<Fill>& others = fill_->relieves;
  if (others == nullptr) return;
  for_each_loop(others->loops(), [&](unsigned loop) {
    fills_.table().post(loop, [others, relief](Fills& fills) { fills.relieve(others, relief); });
  });
}

void FillOwner::judge_vary(const http::HeaderList& fields, bool& storable) {
  const auto names = http::vary_names(fields);
  if (!names) {
    storable = false;
    return;
  }
  if (!http::keys_what_was_sent(request_.fields, request_.sent_for, *names)) storable = false;
  fill_->head.vary_names = *names;
  if (names->empty()) return;
  fill_->head.vary_selected =
      selected_values(*names, request_.head.fields, *request_.policy, request_.sent_for);
}

/// Memory before the first byte of content: what holds nothing cannot deadlock.
void FillOwner::reserve(const std::optional<uint64_t>& length) {
  const FillShared& shared = fills_.table().shared();
  size_t bytes = window_bytes();
  if (sink_.is_open() && length) {
    // One fragment is received while the one before is put.
    const uint64_t most = std::max<uint64_t>(2 * sink_.fragment_bytes(), window_bytes());
    const bool fragmented = *length > sink_.most_record_bytes();
    bytes = static_cast<size_t>(
        std::max<uint64_t>(fragmented ? most : *length, limits::kFillChunkBytes));
    if (fragmented) begin_fragments(bytes);
  }
  if (!sink_.is_open()) fill_->body.set_window(bytes);
  if (length) fill_->body.expect(*length);
  bytes = std::min(bytes, shared.budget.limit());
  if (base::Share memory = shared.budget.try_take(bytes)) return begin_body(std::move(memory));
  claim_.wait(shared.budget, fills_.env(), bytes);
  fills_.env().arm(reserve_timer_, fills_.env().now() + limits::kReserveMs);
}

/// What is kept of a body that is not, or will turn out not to be, stored.
size_t FillOwner::window_bytes() const {
  if (!sink_.is_open()) return limits::kUnstoredWindowBytes;
  uint64_t most = sink_.most_record_bytes();
  if (sink_.most_bytes() > most) {
    // Room for a fragment, for the end of the chunk before it and for the next chunk.
    most = std::max(most, sink_.fragment_bytes() + 2 * limits::kFillChunkBytes);
  }
  return std::max(limits::kUnstoredWindowBytes, static_cast<size_t>(most));
}

void FillOwner::begin_body(base::Share memory) {
  CHECK(memory && fetch_ != nullptr);
  reserve_timer_.disarm();
  fill_->memory = std::move(memory);
  fetch_->set_waker(this);
  // What has come already goes with the head.
  const Moved moved = move_body();
  publish_head();
  settle(moved);
  reconsider();
}

void FillOwner::publish_head() {
  fill_->head.storing = sink_.is_open();
  const auto view = http::view_head_image(fill_->head.image, policy_);
  CHECK(view.has_value());
  fill_->head.response = *view;
  tell(fill_->publish(Phase::kHead));
}

/// Those of this loop at once: nobody is inside a call of ours.
void FillOwner::tell(const LoopSet& loops) {
  for_each_loop(loops, [&](unsigned loop) {
    if (loop == fills_.env().loop()) return fills_.deliver(fill_);
    fills_.table().post(loop, [fill = fill_](Fills& fills) { fills.deliver(fill); });
  });
}

void FillOwner::pump() {
  if (fetch_ != nullptr) settle(move_body());
}

FillOwner::Moved FillOwner::move_body() {
  CHECK(fetch_ != nullptr);
  FillBody& body = fill_->body;
  const uint64_t most_record = sink_.most_record_bytes();
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
    if (!sink_.is_open() || body.size() <= most_record) continue;
    // Longer than a record may be, as it turns out.
    if (body.size() > sink_.most_bytes()) {
      give_up_storing();
    } else if (!sink_.fragmented()) {
      begin_fragments(window_bytes());
    }
  }
  pump_soon();
  return Moved::kMore;
}

/// Tells the readers, and goes on or ends.
void FillOwner::settle(Moved moved) {
  wake_readers();
  if (moved != Moved::kCut) store_fragments();
  if (moved == Moved::kWhole) return complete();
  if (moved == Moved::kCut) {
    if (fill_->error.message.empty()) fill_->error = {FetchError::kCut, "a response was cut"};
    return end(false, &fill_->error);
  }
  if (!paused_ || sink_.putting()) return laggard_timer_.disarm();
  if (!laggard_timer_.armed()) {
    fills_.env().arm(laggard_timer_, fills_.env().now() + limits::kLaggardMs);
  }
}

void FillOwner::complete() {
  CHECK(!ended_ && fill_->phase() == Phase::kHead);
  fetch_.reset();
  // What waits for its put is bounded by the pool's lane and the byte budget, and asks no origin.
  permit_ = {};
  if (!sink_.is_open()) return end(false, nullptr);
  if (!sink_.putting()) store();
}

void FillOwner::begin_fragments(size_t window_bytes) {
  sink_.begin_fragments();
  fill_->body.keep_until_stored(window_bytes);
}

/// The next fragment, if all of it is there and none is being put; at the end the head.
void FillOwner::store_fragments() {
  if (!sink_.is_open() || !sink_.fragmented() || sink_.putting()) return;
  const FillBody& body = fill_->body;
  const uint64_t begin = body.object().size;
  const uint64_t end = std::min(begin + sink_.fragment_bytes(), body.size());
  const bool whole = end - begin == sink_.fragment_bytes() || (body.complete() && end > begin);
  if (!whole) return;
  const bool taken =
      sink_.put_fragment(fills_.env(), end, [this, end](uint64_t rid) { on_fragment(end, rid); });
  if (!taken) give_up_storing();
}

void FillOwner::on_fragment(uint64_t end, uint64_t rid) {
  CHECK(!ended_);
  if (rid == 0) {
    give_up_storing();
  } else {
    fill_->body.stored_up_to(end, rid);
    store_fragments();
  }
  if (fetch_ != nullptr) return pump_soon();
  if (!sink_.putting()) complete();
}

/// It goes on unstored, paced by its readers.
void FillOwner::give_up_storing() {
  fill_->body.set_window(window_bytes());
  sink_.close();
  fill_->outgrow();
  if (fetch_ != nullptr) fetch_->become_relay(request_.client);
}

void FillOwner::store() {
  CHECK(fill_->revalidated() || fill_->body.complete());
  const bool taken = sink_.put(fills_.env(), policy_, [this](std::shared_ptr<const Found> record) {
    on_stored(std::move(record));
  });
  if (!taken) end(false, nullptr);
}

/// The put came home; null: nothing was stored.
void FillOwner::on_stored(std::shared_ptr<const Found> record) {
  const bool stored = record != nullptr;
  if (stored) {
    if (!fill_->head.revalidated) {
      fill_->body.hand_over(std::move(record));
      fill_->memory.shrink_to(0);
    }
    relieve(Fills::Relief::kStored);
  }
  end(stored, nullptr);
}

void FillOwner::on_fetch_failed(const FetchError& error) { fail(error); }

void FillOwner::fail(const FetchError& error) {
  CHECK(!ended_);
  fill_->error = error;
  const LoopSet loops = fill_->publish(Phase::kFailed);
  end(false, &error);
  tell(loops);
}

void FillOwner::reconsider() {
  if (permit_claim_.waiting() && !wanted()) {
    return fail({FetchError::kBusy, "nobody waits for it any more"});
  }
  if (ended_ || fetch_ == nullptr || fill_->phase() != Phase::kHead) return;
  if (!wanted() && !worth_finishing()) {
    fill_->body.finish(false);
    wake_readers();
    // No failure of the origin.
    return end(false, nullptr);
  }
  if (paused_) pump_soon();
}

bool FillOwner::wanted() const {
  return (keep_ && sink_.is_open()) || fill_->waiters() > 0 || fill_->body.readers() > 0;
}

/// Without anybody who waits it goes on when little is missing (http-rules 3.11).
bool FillOwner::worth_finishing() const {
  if (!sink_.is_open()) return false;
  const uint64_t got = fill_->body.size();
  const uint64_t whole = fill_->head.declared_size.value_or(sink_.most_record_bytes());
  const uint64_t missing = whole > got ? whole - got : 0;
  return missing <= static_cast<uint64_t>(limits::kFillOutlivesBytes) || missing * 4 <= whole;
}

void FillOwner::cancel() {
  const FetchError error{FetchError::kBusy, "the node is stopping"};
  if (fill_->phase() == Phase::kPending) {
    fill_->error = error;
    for_each_loop(fill_->publish(Phase::kFailed), [&](unsigned loop) {
      fills_.table().post(loop, [fill = fill_](Fills& fills) { fills.deliver(fill); });
    });
  } else if (fetch_ != nullptr) {
    fill_->body.finish(false);
    wake_readers();
  }
  end(false, &error);
}

void FillOwner::wake_readers() {
  for_each_loop(fill_->body.take_waiting(), [&](unsigned loop) {
    if (loop == fills_.env().loop()) return fills_.wake_readers(fill_);
    fills_.table().post(loop, [fill = fill_](Fills& fills) { fills.wake_readers(fill); });
  });
}

void FillOwner::end(bool stored, const FetchError* error) {
  if (ended_) return;
  ended_ = true;
  sink_.abandon();
  permit_claim_.abandon();
  permit_timer_.disarm();
  claim_.abandon();
  reserve_timer_.disarm();
  laggard_timer_.disarm();
  pump_.disarm();
  reconsider_.disarm();
  fetch_.reset();
  FillTable& table = fills_.table();
  if (!fill_->alone) table.remove(*fill_);
  if (fill_->relieves != nullptr) fill_->relieves->end_further();
  permit_ = {};
  if (error != nullptr) request_.site->on_failure(*error, fills_.env().now());
  table.shared().observer.on_fill_ended(stored, error != nullptr);
  fills_.end_owner(this);
}

}  // namespace perigee::origin

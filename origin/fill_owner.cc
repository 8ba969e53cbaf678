// From the origin's head to the end of the body and the put: one fill, step by step.
#include "origin/fill_owner.h"

#include <algorithm>
#include <utility>

#include "base/text.h"
#include "http/forward.h"
#include "http/head_image.h"
#include "http/response.h"
#include "origin/coders.h"
#include "origin/fragment_fetch.h"
#include "origin/stored_record.h"

namespace perigee::origin {

namespace limits = base::limits;
using cache_store::Found;
using http::Chunk;
using http::FieldName;
using http::ReceivedResponse;
using http::ResponseTimes;
using http::ReuseFlag;
using Phase = Fill::Phase;

namespace {

/// The lines of a stored response, with room for one more.
http::HeaderList lines_of(const http::StoredResponse& response, std::vector<http::Field>& storage) {
  storage.resize(response.block.size() + 1);
  http::HeaderList lines(storage);
  for (size_t i = 0; i < response.block.size(); ++i) lines.add(response.block.at(i));
  return lines;
}

}  // namespace

FillOwner::FillOwner(Fills& fills, std::shared_ptr<const FillRequest> request,
                     std::shared_ptr<Fill> fill, bool keep)
    : FillProducer(fills, std::move(request), std::move(fill), keep),
      sink_(store_of(), fill_, request_->key),
      laggard_timer_([this] {
        fill_->body.drop_laggards();
        reconsider_soon();
      }),
      room_timer_([this] { go_on_storing(); }) {}

void FillOwner::fetch() {
  CHECK(!ended() && fill_->phase() == Phase::kPending);
  fields_ = request_->fields;
  if (fill_->stored.state == Found::kHit && !refetched_) {
    const std::optional<http::StoredResponse> stored = stored_response();
    conditional_ = stored && http::add_validators(*stored, fields_) &&
                   fields_.size() > request_->fields.size();
  }
  const bool nothing_stored = fill_->stored.state == Found::kMiss;
  part_asked_ = request_->part && nothing_stored && !refetched_ && add_range();
  ask_origin(fields_);
}

void FillOwner::on_fetch_interim(const ReceivedResponse& interim) {
  auto held = std::make_shared<InterimHead>();
  const std::optional<http::ResponseHead> head = http::make_interim(interim, true, held->arena);
  if (!head) return;
  held->head = *head;
  held->head.reason = {};
  for_each_loop(fill_->loops(), [&](unsigned loop) {
    if (loop == fills_.env().loop()) return fills_.deliver_interim(fill_, *held);
    table().post(loop, [fill = fill_, held](Fills& fills) { fills.deliver_interim(fill, *held); });
  });
}

void FillOwner::on_fetch_head(const ReceivedResponse& head, const ResponseTimes& times) {
  CHECK(!ended());
  request_->site->on_head(head, times, *request_->policy);
  if (resumed_ > 0) return take_rest(head);
  CHECK(fill_->phase() == Phase::kPending);
  fill_->head.origin_status = head.status;
  if (head.status == 304 && conditional_) {
    if (take_not_modified(head, times)) return;
    // Another response than the one that is stored: its validators are no good (RFC 9111 §4.3.4).
    return fetch_again();
  }
  if (part_asked_ && head.status == 206) return take_part(head, times);
  // What the whole is, a 416 does not say, and a 304 to no condition even less.
  if (part_asked_ && (head.status == 416 || head.status == 304)) return fetch_again();
  if (head.status == 304) {
    return fail({FetchError::kMalformed, "the origin answered a condition that was not sent"});
  }
  if (!take_stored(head, times)) take_response(head, times);
}

std::optional<http::StoredResponse> FillOwner::stored_response() const {
  return view_of(fill_->stored, store_of());
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

/// The body is that of what is stored.
void FillOwner::borrow_stored() {
  const cache_store::RecordView& stored = *fill_->stored.head;
  fill_->head.stored_rid = stored.rid;
  fill_->head.shell = stored.kind == cache_store::RecordKind::kShell;
  fill_->body.borrow(stored);
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
      http::admit(request_->head, updated, times, *request_->policy, request_->sent_for);
  policy_ = admission.policy;
  // A 304 may forbid coding. To permit it, it would have to give Vary a name as well.
  if ((stored.policy.flags & ReuseFlag::kCodable) == 0) policy_.flags &= ~ReuseFlag::kCodable;
  const bool storable = admission.storable == http::Storable::kStorable;
  if (storable && !admission.drop_names.empty()) {
    sink_.keep_head(http::without_fields(image, admission.drop_names));
  }
  fill_->head.image = std::move(image);
  fill_->head.revalidated = true;
  borrow_stored();
  if (storable) sink_.open();
  fill_->head.shareable = storable && admission.drop_names.empty();
  bool keyed = storable;
  judge_vary(updated.fields, keyed);
  if (!keyed) {
    sink_.close();
    fill_->head.shareable = false;
  }
  note_for_others(storable, admission.remember);
  announce_head();
  complete();
  return true;
}

bool FillOwner::take_stored(const ReceivedResponse& head, const ResponseTimes& times) {
  const std::optional<http::StoredResponse> stored = stored_response();
  if (!stored) return false;
  const http::StandIn why = http::stands_in(
      *stored, request_->head, {.head = head, .now_ms = times.response_ms}, *request_->policy);
  if (why == http::StandIn::kNone) return false;
  request_->site->on_stand_in(why, request_->target);
  const std::span<const std::byte> image = fill_->stored.head->head;
  fill_->head.image.assign(image.begin(), image.end());
  fill_->head.revalidated = true;
  borrow_stored();
  fill_->head.stand_in = why;
  policy_ = stored->policy;
  std::vector<http::Field> storage;
  bool keyed = true;
  judge_vary(lines_of(*stored, storage), keyed);
  fill_->head.shareable = keyed;
  announce_head();
  complete();
  return true;
}

/// Without conditions, and whole.
void FillOwner::fetch_again() {
  refetched_ = true;
  conditional_ = false;
  fetch();
}

bool FillOwner::add_range() {
  const std::string_view range =
      http::aligned_range(*request_->part, sink_.fragment_bytes(), *request_->arena);
  return range.data() != nullptr && fields_.add({FieldName::kRange, "Range", range});
}

void FillOwner::take_part(const ReceivedResponse& received, const ResponseTimes& times) {
  const std::optional<http::ContentRange> range = http::usable_part(received);
  const uint64_t size = range ? range->size.value_or(0) : 0;
  const uint64_t each = sink_.fragment_bytes();
  if (!range) return fetch_again();
  std::vector<http::Field> fields;
  const ReceivedResponse whole = http::whole_of(received, size, fields);
  if (range->span.size() == size) return take_response(whole, times);
  if (range->span != http::aligned_span(*request_->part, each, size)) return fetch_again();
  std::vector<http::Field> storage;
  const ReceivedResponse head = http::keyed_response(whole, request_->policy->key_fields, storage);
  const http::Admission admission =
      http::admit(request_->head, head, times, *request_->policy, request_->sent_for);
  policy_ = admission.policy;
  bool storable = admission.storable == http::Storable::kStorable && size <= sink_.most_bytes() &&
                  !http::is_misshapen(request_->head, head, *request_->policy);
  judge_vary(head.fields, storable);
  http::ImageOptions image;
  image.content_length = size;
  image.drop_set_cookie = admission.drop_set_cookie;
  image.codable = (policy_.flags & ReuseFlag::kCodable) != 0;
  image.accepts_ranges = true;
  image.drop_names = admission.drop_names;
  fill_->head.image = http::make_head_image(head, times, image);
  if (!storable || fill_->head.image.empty()) {
    table().mark(fill_->join_digest, fills_.env().now());
    return pass_on_alone();
  }
  note_for_others(true, false);
  sink_.open();
  part_digest_ = http::announced_part_digest(received.fields);
  const bool taken = sink_.put_head(
      fills_.env(), policy_, size, [this, span = range->span](std::shared_ptr<const Found> record) {
        on_head_stored(span, std::move(record));
      });
  if (!taken) pass_on_alone();
}

void FillOwner::on_head_stored(const http::ByteSpan& span, std::shared_ptr<const Found> record) {
  if (record == nullptr) return pass_on_alone();
  const FragmentedObject stored = fragmented_object(*record->head);
  const auto view = http::view_head_image(fill_->head.image, policy_);
  CHECK(view.has_value());
  const uint64_t each = sink_.fragment_bytes();
  const uint64_t number = (span.end - 1) / each;
  auto object = std::make_shared<const RefetchableObject>(
      RefetchableObject{stored, std::string(view->etag), request_});
  fills_.continue_fragment(object, fill_->ticket,
                           {number, number * each - span.begin, std::move(fetch_), take_permit(),
                            std::move(part_digest_)});
  fill_->note_part();
  relieve(Fills::Relief::kStored);
  send_away(Fills::Relief::kStored);
}

/// It is not stored: each asks for what it wants itself.
void FillOwner::pass_on_alone() {
  relieve(Fills::Relief::kReleased);
  send_away(Fills::Relief::kReleased);
}

void FillOwner::take_response(const ReceivedResponse& received, const ResponseTimes& times) {
  std::vector<http::Field> storage;
  const ReceivedResponse head =
      http::keyed_response(received, request_->policy->key_fields, storage);
  fill_->head.misshapen = http::is_misshapen(request_->head, head, *request_->policy);
  if (fill_->head.misshapen) request_->site->on_stand_in(http::StandIn::kShape, request_->target);
  const http::Admission admission =
      http::admit(request_->head, head, times, *request_->policy, request_->sent_for);
  policy_ = admission.policy;
  bool storable = admission.storable == http::Storable::kStorable;
  judge_vary(head.fields, storable);
  const std::optional<uint64_t> length =
      head.has_body ? head.content_length : std::optional<uint64_t>();
  http::ImageOptions image;
  image.content_length = length;
  image.drop_set_cookie = admission.drop_set_cookie;
  image.codable = (policy_.flags & ReuseFlag::kCodable) != 0;
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
  if (kept && length.value_or(0) <= sink_.most_bytes()) {
    sink_.open();
    if (head.has_body) sink_.watch(head.fields, request_->policy->repr_digest);
  }
  note_for_others(storable, admission.remember);
  if (!head.has_body || length == 0u) {
    finish_body();
    announce_head();
    return complete();
  }
  if (!sink_.is_open()) fetch_->become_relay(request_->client);
  reserve_for(length);
}

/// An error that does not say how long it holds is no reason to forget what was good
/// (http-rules 2.8). Nor is one that the good response covers.
bool FillOwner::leaves_record(const ReceivedResponse& head, int64_t now_ms) const {
  if (fill_->stored.state != Found::kHit || head.status < 400) return false;
  const bool stated = policy_.lifetime_ms != base::ReuseFacts::kAbsent &&
                      (policy_.flags & ReuseFlag::kHeuristic) == 0;
  if (!stated) return true;
  const std::optional<http::StoredResponse> stored = stored_response();
  return stored && http::is_server_failure(head.status) &&
         http::may_serve_stale(*stored, request_->head, http::OriginFailure::kServerError, now_ms,
                               *request_->policy);
}

/// What this head means for requests to come, and for those that this fetch was to relieve.
void FillOwner::note_for_others(bool storable, bool remember) {
  if (storable) return table().unmark(fill_->join_digest);
  if (!remember) return;
  table().mark(fill_->join_digest, fills_.env().now());
  relieve(Fills::Relief::kReleased);
}

void FillOwner::relieve(Fills::Relief relief) {
  const std::shared_ptr<Fill>& others = fill_->relieves;
  if (others == nullptr) return;
  for_each_loop(others->loops(), [&](unsigned loop) {
    table().post(loop, [others, relief](Fills& fills) { fills.relieve(others, relief); });
  });
}

void FillOwner::judge_vary(const http::HeaderList& fields, bool& storable) {
  const auto names = http::vary_names(fields);
  if (!names) {
    storable = false;
    return;
  }
  if (!http::keys_what_was_sent(request_->fields, request_->sent_for, *names)) storable = false;
  fill_->head.vary_names = *names;
  if (names->empty()) return;
  fill_->head.vary_selected =
      selected_values(*names, request_->head.fields, *request_->policy, request_->sent_for);
}

void FillOwner::reserve_for(const std::optional<uint64_t>& length) {
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
  reserve(bytes);
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

void FillOwner::begin_body() {
  // What has come already goes with the head.
  const Moved moved = move_body();
  announce_head();
  settle(moved);
}

void FillOwner::announce_head() {
  fill_->head.storing = sink_.is_open();
  const auto view = http::view_head_image(fill_->head.image, policy_);
  CHECK(view.has_value());
  fill_->head.response = *view;
  publish_head();
}

void FillOwner::pump() { settle(move_body()); }

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
    if (chunk.piece.size > allowed_) return Moved::kCut;
    if (chunk.state != Chunk::kFail && chunk.piece.size > 0) {
      body.append({chunk.piece.data, chunk.piece.size});
      sink_.add({chunk.piece.data, chunk.piece.size});
      fetch_->advance(chunk.piece.size);
      moved += chunk.piece.size;
      if (allowed_ != UINT64_MAX) allowed_ -= chunk.piece.size;
    }
    if (chunk.state != Chunk::kMore) {
      const bool whole =
          chunk.state == Chunk::kEnd && (resumed_ == 0 || body.size() == fill_->head.declared_size);
      if (whole) finish_body();
      return whole ? Moved::kWhole : Moved::kCut;
    }
    if (!sink_.is_open() || body.size() <= most_record) continue;
    // Longer than a record may be, as it turns out.
    if (body.size() > sink_.most_bytes()) {
      give_up_storing();
    } else if (!sink_.fragmented()) {
      begin_fragments(window_bytes());
      reconsider_soon();
    }
  }
  pump_soon();
  return Moved::kMore;
}

/// What is not what its origin says of it is passed on, and not kept.
void FillOwner::finish_body() {
  fill_->body.finish(true);
  if (!sink_.is_open() || sink_.finish()) return;
  request_->site->on_wrong_digest(request_->target);
  give_up_storing();
}

/// Tells the readers, and goes on or ends.
void FillOwner::settle(Moved moved) {
  wake_readers();
  give_memory_back();
  if (moved != Moved::kCut) store_fragments();
  if (moved == Moved::kWhole) return complete();
  if (moved == Moved::kCut) {
    if (resume()) return;
    cut_body();
    if (fill_->error.message.empty()) fill_->error = {FetchError::kCut, "a response was cut"};
    return end(false, &fill_->error);
  }
  if (!paused_ || sink_.putting() || waits_for_room()) return laggard_timer_.disarm();
  if (!laggard_timer_.armed()) {
    fills_.env().arm(laggard_timer_, fills_.env().now() + limits::kLaggardMs);
  }
}

http::Part FillOwner::rest() const {
  const uint64_t size = fill_->head.declared_size.value_or(0);
  return {{fill_->body.size(), size}, size, fill_->response().etag};
}

/// What is kept is worth another request; to those who read it nothing has happened (RFC 9111
/// §3.3).
bool FillOwner::resume() {
  if (!sink_.is_open() || !is_refetchable(fill_->response()) || rest().span.size() == 0 ||
      rest().span.begin > rest().span.end || resumed_ >= limits::kPartRequests) {
    return false;
  }
  fields_ = request_->fields;
  if (!http::add_part_fields(rest(), *request_->arena, fields_)) return false;
  ++resumed_;
  ask_origin(fields_);
  return true;
}

void FillOwner::take_rest(const ReceivedResponse& head) {
  CHECK(fill_->phase() == Phase::kHead);
  allowed_ = http::bytes_brought(head, rest());
  if (allowed_ == 0) {
    cut_body();
    return end(false, &fill_->error);
  }
  fetch_->set_waker(this);
  pump_soon();
}

void FillOwner::complete() {
  CHECK(!ended() && fill_->phase() == Phase::kHead);
  fetch_.reset();
  // What waits for its put is bounded by the pool's lane and the byte budget, and asks no origin.
  give_permit_back();
  if (!sink_.is_open()) return end(false, nullptr);
  if (!sink_.putting() && !waits_for_room()) store();
}

void FillOwner::begin_fragments(size_t window_bytes) {
  sink_.begin_fragments();
  fill_->body.keep_until_stored(window_bytes);
}

/// The next fragment, if all of it is there and none is being put; at the end the head.
void FillOwner::store_fragments() {
  if (!sink_.is_open() || !sink_.fragmented() || sink_.putting() || waits_for_room()) return;
  const FillBody& body = fill_->body;
  const uint64_t begin = body.object().size;
  const uint64_t end = std::min(begin + sink_.fragment_bytes(), body.size());
  const bool whole = end - begin == sink_.fragment_bytes() || (body.complete() && end > begin);
  if (!whole) return;
  const bool taken = sink_.put_fragment(
      fills_.env(), end,
      [this, end](const base::Result<Found>& record) { on_fragment(end, record); });
  if (!taken) give_up_storing();
}

void FillOwner::on_fragment(uint64_t end, const base::Result<Found>& record) {
  CHECK(!ended());
  if (record.ok()) {
    room_until_.reset();
    fill_->body.stored_up_to(end, record->head->rid);
  } else if (record.error().code != base::ErrorCode::kNoSpace || !wait_for_room()) {
    give_up_storing();
  }
  go_on_storing();
}

/// Blocked readers may hold the slabs for a while yet. False: that was waited for.
bool FillOwner::wait_for_room() {
  const base::Tick now = fills_.env().now();
  if (!room_until_) room_until_ = now + limits::kRoomMs;
  if (now >= *room_until_) return false;
  fills_.env().arm(room_timer_, now + limits::kMaintainMs);
  return true;
}

void FillOwner::go_on_storing() {
  store_fragments();
  if (fetch_ != nullptr) return pump_soon();
  if (!sink_.putting() && !waits_for_room()) complete();
}

/// Of a body that is not stored, what its readers have passed needs none.
void FillOwner::give_memory_back() {
  if (sink_.is_open()) return;
  const size_t kept = fill_->body.kept_bytes();
  fill_->memory.shrink_to(std::max(kept, limits::kUnstoredWindowBytes));
}

/// It goes on unstored, paced by its readers.
void FillOwner::give_up_storing() {
  sink_.close();
  fill_->body.set_window(window_bytes());
  fill_->outgrow();
  if (fetch_ != nullptr) fetch_->become_relay(request_->client);
}

void FillOwner::store() {
  CHECK(fill_->body.complete());
  const bool taken =
      sink_.put(fills_.env(), policy_, coding_to_keep(),
                [this](std::shared_ptr<const Found> record) { on_stored(std::move(record)); });
  if (!taken) end(false, nullptr);
}

http::AcceptedCodings FillOwner::accepted() const {
  return http::accepted_codings(request_->head.fields, request_->policy->coding.codings);
}

/// Where the store is short, a body need not be written that its coding can stand for.
std::optional<http::Coding> FillOwner::coding_to_keep() const {
  if (fills_.coders() == nullptr || fill_->head.revalidated || sink_.fragmented()) {
    return std::nullopt;
  }
  return fills_.coders()->coding_to_keep(policy_.flags, fill_->body.size(), accepted());
}

/// In the codings that whoever had it fetched takes.
void FillOwner::have_coded(const cache_store::RecordView& object) {
  if (fills_.coders() == nullptr) return;
  const CodedObject coded{object.key, fill_->base, request_->site->precoded(), request_->target};
  fills_.coders()->on_stored(coded, object, request_->policy->coding.codings, accepted());
}

/// The put came home; null: nothing was stored.
void FillOwner::on_stored(std::shared_ptr<const Found> record) {
  const bool stored = record != nullptr;
  if (stored) {
    const bool shell = record->head->kind == cache_store::RecordKind::kShell;
    // Readers of what is kept in a coding alone go on in memory.
    if (!fill_->head.revalidated && !shell) {
      fill_->body.hand_over(*record->head);
      fill_->memory.shrink_to(0);
      have_coded(*record->head);
    }
    relieve(Fills::Relief::kStored);
  }
  end(stored, nullptr);
}

}  // namespace perigee::origin

#include "origin/fill_production.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "http/cache_key.h"
#include "http/forward.h"
#include "origin/stored_record.h"

namespace perigee::origin {

namespace limits = base::limits;
using cache_store::Found;
using http::Chunk;
using http::ReceivedResponse;
using http::ResponseTimes;
using Phase = FillProgress::Phase;

namespace {

constexpr int64_t kReserveRetryMs = 20;

/// Puts a record, its Vary spec first when there is a new one. Owns all it touches.
class PutJob final : public base::Job {
 public:
  PutJob(cache_store::Store& store, std::shared_ptr<FillProgress> progress,
         FillProduction& production)
      : store_(store), progress_(std::move(progress)), production_(production) {}

  void work(const std::atomic<bool>&) noexcept override {
    cache_store::Draft draft;
    draft.base = progress_->base;
    draft.ticket = progress_->ticket;
    draft.policy = policy;
    if (!spec.empty()) {
      const std::span<const std::byte> bytes = std::as_bytes(std::span(spec));
      draft.kind = cache_store::RecordKind::kVarySpec;
      draft.slot = cache_store::kVarySlot;
      draft.key = url_key;
      draft.body = {&bytes, 1};
      if (!store_.put(draft).ok()) return;
    }
    std::vector<std::span<const std::byte>> pieces;
    if (progress_->revalidated()) pieces.push_back(progress_->stored.record.body);
    for (const ChunkRef& chunk : chunks) pieces.emplace_back(chunk->bytes, chunk->size);
    draft.kind = cache_store::RecordKind::kObject;
    draft.slot = cache_store::kHeadSlot;
    draft.rid = progress_->revalidated() ? progress_->stored.record.rid : 0;
    if (progress_->revalidated()) draft.source = &progress_->stored.pin;
    draft.key = key;
    draft.head = image;
    draft.body = pieces;
    stored_ = store_.put(draft).ok();
  }
  void done() noexcept override { production_.on_put(stored_); }

  std::string url_key;
  std::string key;
  std::string spec;
  std::vector<std::byte> image;
  std::vector<ChunkRef> chunks;
  cache_store::RecordPolicy policy;

 private:
  cache_store::Store& store_;
  std::shared_ptr<FillProgress> progress_;
  FillProduction& production_;
  bool stored_ = false;
};

}  // namespace

FillProduction::FillProduction(LoopFills& fills, FillRequest&& request,
                               std::shared_ptr<FillProgress> progress, bool keep)
    : fills_(fills),
      request_(std::move(request)),
      progress_(std::move(progress)),
      keep_(keep),
      reserve_timer_([this] { reserve_or_wait(); }),
      laggard_timer_([this] {
        if (progress_->body.drop_laggards()) wake();
        reconsider();
      }) {}

FillProduction::~FillProduction() = default;

void FillProduction::start() {
  fields_ = request_.fields;
  if (progress_->stored.state == Found::kHit && !refetched_) {
    const std::optional<http::StoredResponse> stored = view_of(progress_->stored.record);
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
  http::FieldBlockBuilder builder(held->arena, limits::kRequestHeadBytes, interim.fields.size());
  for (const http::Field& field : interim.fields) {
    if (!http::is_hop_by_hop(field, interim.fields)) builder.add(field);
  }
  if (!builder.ok()) return;
  held->head.status = interim.status;
  held->head.block = builder.block();
  for (const unsigned loop : progress_->loops()) {
    fills_.table().post(loop, [progress = progress_.get(), held](LoopFills& fills) {
      fills.deliver_interim(progress, *held);
    });
  }
}

void FillProduction::on_fetch_head(const ReceivedResponse& head, const ResponseTimes& times) {
  progress_->origin_status_ = head.status;
  if (head.status == 304 && conditional_) {
    if (take_not_modified(head, times)) return;
    // Another response than the one that is stored: its validators are no good (RFC 9111 §4.3.4).
    refetched_ = true;
    conditional_ = false;
    return start();
  }
  take_response(head, times);
}

void FillProduction::freshen(const ReceivedResponse& head, const ResponseTimes& times) {
  progress_->origin_status_ = head.status;
  const std::optional<http::StoredResponse> stored = view_of(progress_->stored.record);
  if (!stored || !merge(*stored, head, times)) end(false, nullptr);
}

bool FillProduction::take_not_modified(const ReceivedResponse& head, const ResponseTimes& times) {
  const std::optional<http::StoredResponse> stored = view_of(progress_->stored.record);
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
  const http::Admission admission = http::admit(request_.head, updated, times, *request_.policy);
  policy_ = admission.policy;
  const bool storable = admission.storable == http::Storable::kStorable;
  if (storable && !admission.drop_names.empty()) {
    stored_image_ = http::without_fields(image, admission.drop_names);
  }
  progress_->image_ = std::move(image);
  progress_->revalidated_ = true;
  store_it_ = storable;
  progress_->shareable_ = storable && admission.drop_names.empty();
  bool same_vary = true;
  judge_vary(updated.fields, same_vary);
  publish_head();
  fetch_.reset();
  return_permit();
  if (store_it_) {
    store();
  } else {
    end(false, nullptr);
  }
  return true;
}

void FillProduction::take_response(const ReceivedResponse& head, const ResponseTimes& times) {
  const http::PolicyOptions& options = *request_.policy;
  const http::Admission admission = http::admit(request_.head, head, times, options);
  policy_ = admission.policy;
  bool storable = admission.storable == http::Storable::kStorable;
  judge_vary(head.fields, storable);
  const std::optional<uint64_t> length =
      head.has_body ? head.content_length : std::optional<uint64_t>();
  const bool fits = !length || *length <= fills_.table().shared().store.max_object_bytes();
  http::ImageOptions image;
  image.content_length = length;
  image.drop_set_cookie = admission.drop_set_cookie;
  progress_->image_ = http::make_head_image(head, times, image);
  if (storable && !admission.drop_names.empty()) {
    image.drop_names = admission.drop_names;
    stored_image_ = http::make_head_image(head, times, image);
  }
  if (progress_->image_.empty()) {
    return on_fetch_failed({FetchError::kTooLarge, "the origin's head is too large"});
  }
  store_it_ = storable && fits;
  progress_->declared_size_ = head.has_body ? length : std::optional<uint64_t>(0);
  progress_->shareable_ = storable && admission.drop_names.empty();
  if (storable) {
    fills_.table().unmark(progress_->join);
  } else if (admission.remember) {
    fills_.table().mark(progress_->join, fills_.env().now());
  }
  reserve_bytes_ =
      store_it_ ? static_cast<size_t>(std::clamp<uint64_t>(
                      length.value_or(fills_.table().shared().store.max_object_bytes()),
                      limits::kFillChunkBytes, fills_.table().shared().store.max_object_bytes()))
                : limits::kUnstoredWindowBytes;
  if (!store_it_) progress_->body.set_window(limits::kUnstoredWindowBytes);
  publish_head();
  if (!head.has_body) return complete();
  reserve_until_ = fills_.env().now() + limits::kReserveMs;
  reserve_or_wait();
}

void FillProduction::judge_vary(const http::HeaderList& fields, bool& storable) {
  const auto names = http::vary_names(fields, request_.accept_encoding_constant);
  if (!names) {
    storable = false;
    return;
  }
  progress_->vary_names_ = *names;
  if (names->empty()) return;
  progress_->vary_selected_ = selected_values(*names, request_.head.fields, *request_.policy);
  http::VarySpec known;
  const bool same =
      http::decode_vary_spec(request_.vary_spec, known) &&
      std::equal(known.names.begin(), known.names.end(), names->begin(), names->end());
  new_vary_spec_ = !same;
  vary_id_ = same ? known.id : fills_.env().random();
}

void FillProduction::publish_head() {
  progress_->storing_ = store_it_;
  progress_->response_ = *http::view_head_image(progress_->image_, policy_);
  tell_loops(progress_->publish(Phase::kHead));
}

/// Memory before the first byte of content: what holds nothing cannot deadlock.
void FillProduction::reserve_or_wait() {
  base::Budget& budget = fills_.table().shared().budget;
  if ((memory_ = budget.try_take(std::min(reserve_bytes_, budget.limit())))) {
    reserved_ = true;
    fetch_->set_waker(this);
    return wake();
  }
  if (fills_.env().now() >= reserve_until_) return abandon_body();
  fills_.env().arm(reserve_timer_, fills_.env().now() + kReserveRetryMs);
}

void FillProduction::wake() {
  if (pump_due_ || ended_) return;
  pump_due_ = true;
  fills_.env().later([self = shared_from_this()] { self->pump(); });
}

void FillProduction::pump() {
  pump_due_ = false;
  if (!ended_ && fetch_ != nullptr && reserved_) move_body();
}

void FillProduction::move_body() {
  FillBody& body = progress_->body;
  const uint64_t most = fills_.table().shared().store.max_object_bytes();
  for (size_t moved = 0; moved < limits::kSendBytes;) {
    if (body.full()) {
      fills_.env().arm(laggard_timer_, fills_.env().now() + limits::kLaggardMs);
      return;
    }
    const Chunk chunk = fetch_->peek(limits::kFillChunkBytes);
    if (chunk.state == Chunk::kLater) return;
    if (chunk.state == Chunk::kFail) return abandon_body();
    if (chunk.piece.size > 0) {
      wake_loops(body.append({chunk.piece.data, chunk.piece.size}));
      fetch_->advance(chunk.piece.size);
      moved += chunk.piece.size;
    }
    if (chunk.state == Chunk::kEnd) return complete();
    if (store_it_ && body.size() > most) {
      // Longer than a record may be: it goes on unstored, paced by its readers.
      store_it_ = false;
      body.set_window(static_cast<size_t>(most));
    }
  }
  wake();
}

void FillProduction::complete() {
  wake_loops(progress_->body.finish(true));
  fetch_.reset();
  // What waits for its put is bounded by the pool's lane and the byte budget, and asks no origin.
  return_permit();
  if (store_it_) return store();
  end(false, nullptr);
}

void FillProduction::store() {
  const FillShared& shared = fills_.table().shared();
  auto put = std::make_unique<PutJob>(shared.store, progress_, *this);
  put->url_key = request_.key;
  put->key = request_.key;
  put->policy = record_policy(policy_);
  put->image = stored_image_.empty() ? progress_->image_ : stored_image_;
  const bool has_length = !http::never_has_body(http::Method::kGet, policy_.status);
  if (has_length && !progress_->response_.content_length && !progress_->revalidated_) {
    put->image = http::with_content_length(put->image, progress_->body.size());
  }
  if (!progress_->revalidated_) put->chunks = progress_->body.chunks();
  if (!progress_->vary_names_.empty()) {
    if (new_vary_spec_) put->spec = http::encode_vary_spec(vary_id_, progress_->vary_names_);
    http::make_variant_key(request_.key, vary_id_, progress_->vary_selected_, put->key);
  }
  std::unique_ptr<base::Job> job = std::move(put);
  if (!fills_.env().offload(base::Lane::kStore, job, put_)) end(false, nullptr);
}

void FillProduction::on_put(bool stored) { end(stored, nullptr); }

void FillProduction::on_fetch_failed(const FetchError& error) {
  progress_->error_ = error;
  tell_loops(progress_->publish(Phase::kFailed));
  end(false, &error);
}

/// The rest of the content will not come: readers see the cut, nothing is stored.
void FillProduction::abandon_body() {
  wake_loops(progress_->body.finish(false));
  const FetchError error{FetchError::kClosed, "the origin's content ended early"};
  end(false, &error);
}

void FillProduction::reconsider() {
  if (ended_ || progress_->phase() != Phase::kHead || fetch_ == nullptr) return;
  if (reserved_) wake();
  if (wanted()) return;
  // Without anybody who waits it goes on only when little is missing (http-rules 3.11).
  const uint64_t got = progress_->body.size();
  const uint64_t whole = progress_->declared_size_.value_or(got);
  const uint64_t missing = whole > got ? whole - got : 0;
  const bool little =
      missing <= static_cast<uint64_t>(limits::kFillOutlivesBytes) || missing * 4 <= whole;
  if (!store_it_ || !little) abandon_body();
}

bool FillProduction::wanted() const {
  return keep_ || progress_->waiters() > 0 || progress_->body.readers() > 0;
}

void FillProduction::cancel() {
  if (progress_->phase() == Phase::kPending) {
    return on_fetch_failed({FetchError::kBusy, "the node is stopping"});
  }
  if (!progress_->body.complete()) wake_loops(progress_->body.finish(false));
  put_.abandon();
  end(false, nullptr);
}

void FillProduction::tell_loops(const std::set<unsigned>& loops) {
  for (const unsigned loop : loops) {
    fills_.table().post(loop,
                        [progress = progress_](LoopFills& fills) { fills.deliver(progress); });
  }
}

void FillProduction::wake_loops(const std::set<unsigned>& loops) {
  for (const unsigned loop : loops) {
    fills_.table().post(
        loop, [progress = progress_](LoopFills& fills) { fills.wake_readers(progress.get()); });
  }
}

void FillProduction::return_permit() {
  if (std::exchange(permit_, false)) fills_.table().return_permit();
}

void FillProduction::end(bool stored, const FetchError* error) {
  if (ended_) return;
  ended_ = true;
  reserve_timer_.disarm();
  laggard_timer_.disarm();
  fetch_.reset();
  FillTable& table = fills_.table();
  if (!progress_->alone) table.remove(*progress_);
  return_permit();
  table.shared().observer.on_fill_ended(stored, error);
  fills_.end_production(this);
}

}  // namespace perigee::origin

#include "origin/fragment_fetch.h"

#include <algorithm>
#include <span>
#include <utility>

#include "base/check.h"
#include "origin/fragment_job.h"

namespace perigee::origin {

namespace limits = base::limits;
using http::Chunk;
using http::ReceivedResponse;
using http::ResponseTimes;
using Phase = Fill::Phase;

FragmentFetch::FragmentFetch(Fills& fills, RefetchablePtr object, uint64_t number,
                             std::shared_ptr<Fill> fill, bool keep)
    : FillProducer(fills, object->request, std::move(fill), keep),
      object_(std::move(object)),
      id_{object_->object.rid, number},
      span_(fragment_span(object_->object, number, store_of().fragment_bytes())) {
  fill_->head.declared_size = span_.size();
  fill_->body.expect(span_.size());
}

http::Part FragmentFetch::rest() const {
  return {{span_.begin + fill_->body.size(), span_.end}, object_->object.size, object_->etag};
}

void FragmentFetch::go_on_with(BegunFragment&& begun) {
  CHECK(!ended() && fetch_ == nullptr && begun.fetch != nullptr);
  keep_permit(std::move(begun.permit));
  fetch_ = std::move(begun.fetch);
  fetch_->hand_to(*this);
  ++asked_;
  skipped_ = begun.skipped;
  watch(std::move(begun.digest));
  brought_ = span_.size();
  fill_->head.origin_status = 206;
  reserve(static_cast<size_t>(span_.size()));
}

void FragmentFetch::fetch() {
  CHECK(!ended() && fetch_ == nullptr);
  ++asked_;
  skipped_ = 0;
  arena_.reset();
  storage_.assign(request_->fields.size() + 2, {});
  http::HeaderList fields{std::span<http::Field>(storage_)};
  for (const http::Field& field : request_->fields) fields.add(field);
  const bool added = http::add_part_fields(rest(), arena_, fields);
  CHECK(added);
  ask_origin(fields);
}

void FragmentFetch::on_fetch_head(const ReceivedResponse& head, const ResponseTimes& times) {
  CHECK(!ended());
  request_->site->on_head(head, times, *request_->policy);
  fill_->head.origin_status = head.status;
  brought_ = http::bytes_brought(head, rest());
  watch(http::announced_part_digest(head.fields));
  if (brought_ == 0) return refuse(head);
  if (fill_->phase() == Phase::kPending) return reserve(static_cast<size_t>(span_.size()));
  fetch_->set_waker(this);
  pump_soon();
}

/// What the origin has now is another representation, or it takes no ranges: what is stored is of
/// no use any more, and those who wait begin anew. A failing server says nothing of the kind.
void FragmentFetch::refuse(const ReceivedResponse& head) {
  const bool failing = http::is_server_failure(head.status);
  if (!failing) store_of().erase(fill_->base);
  if (fill_->phase() != Phase::kPending) return give_up();
  if (!failing) return send_away(Fills::Relief::kStored);
  fail({FetchError::kMalformed,
        "the origin answered a range request with " + std::to_string(head.status)});
}

void FragmentFetch::begin_body() {
  publish_head();
  pump_soon();
}

void FragmentFetch::pump() {
  FillBody& body = fill_->body;
  for (size_t moved = 0; moved < limits::kSendBytes;) {
    const Chunk chunk = fetch_->peek(limits::kFillChunkBytes);
    if (chunk.state == Chunk::kLater) return wake_readers();
    if (skipped_ > 0 && chunk.state == Chunk::kMore) {
      const size_t n = static_cast<size_t>(std::min<uint64_t>(skipped_, chunk.piece.size));
      take({chunk.piece.data, n});
      skipped_ -= n;
      moved += n;
      continue;
    }
    if (skipped_ == 0 && chunk.state != Chunk::kFail && chunk.piece.size > 0) {
      // More than was announced is none of this object.
      if (chunk.piece.size > brought_) return give_up();
      body.append({chunk.piece.data, chunk.piece.size});
      take(chunk.piece);
      brought_ -= chunk.piece.size;
      moved += chunk.piece.size;
    }
    if (chunk.state != Chunk::kMore) return go_on(chunk.state == Chunk::kEnd);
  }
  wake_readers();
  pump_soon();
}

void FragmentFetch::watch(std::optional<http::AnnouncedDigest> digest) {
  digest_.reset();
  if (digest) digest_.emplace(std::vector{std::move(*digest)}, false);
}

void FragmentFetch::take(const base::Piece& piece) {
  if (digest_) digest_->add({piece.data, piece.size});
  fetch_->advance(piece.size);
}

/// The answer is over. What is not what it says is passed on, and not kept.
void FragmentFetch::go_on(bool whole) {
  fetch_.reset();
  if (whole && digest_ && !digest_->finish()) {
    request_->site->on_wrong_digest(request_->target);
    sound_ = false;
  }
  if (fill_->body.size() == span_.size()) {
    fill_->body.finish(true);
    wake_readers();
    give_permit_back();
    return sound_ ? store() : end(false, nullptr);
  }
  if (asked_ >= limits::kPartRequests) return give_up();
  wake_readers();
  fetch();
}

void FragmentFetch::give_up() {
  if (fill_->error.message.empty()) fill_->error = {FetchError::kCut, "a part was cut"};
  cut_body();
  end(false, &fill_->error);
}

void FragmentFetch::store() {
  std::unique_ptr<base::Job> job = std::make_unique<FragmentJob>(
      store_of(), fill_, id_, fill_->body.cut(0, span_.size()),
      [this](const base::Result<cache_store::Found>& record) { on_stored(record); });
  if (!fills_.env().offload(base::Lane::kStore, job, pending_)) end(false, nullptr);
}

/// What was not stored goes with its readers.
void FragmentFetch::on_stored(const base::Result<cache_store::Found>& record) {
  const bool stored = record.ok();
  if (stored) {
    fill_->body.hand_over(*record->head);
    fill_->memory.shrink_to(0);
  }
  end(stored, nullptr);
}

}  // namespace perigee::origin

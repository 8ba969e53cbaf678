#include "origin/fragment_body.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "base/check.h"
#include "origin/fill_reader.h"
#include "origin/fills.h"
#include "origin/missing_fragments.h"

namespace perigee::origin {

using cache_store::Found;
using cache_store::FragmentId;
using http::Chunk;

namespace {

/// Cold again after so many rounds: memory is too short for it.
constexpr int kRounds = 3;

}  // namespace

/// Verifies a fragment on the pool.
class FragmentBody::WarmJob final : public base::Job {
 public:
  WarmJob(FragmentBody& body, const FragmentId& id) : body_(body), store_(body.store_), id_(id) {}
  void work(const std::atomic<bool>&) noexcept override { store_.warm_fragment(id_); }
  void done() noexcept override { body_.on_warmed(); }

 private:
  FragmentBody& body_;
  cache_store::Store& store_;
  const FragmentId id_;
};

FragmentBody::FragmentBody(cache_store::Store& store, base::Env& env,
                           const FragmentedObject& object, const http::ByteSpan& span,
                           MissingFragments* missing)
    : store_(store), env_(env), object_(object), span_(span), at_(span.begin), missing_(missing) {
  CHECK(span.begin <= span.end && span.end <= object.size);
  CHECK(missing == nullptr || (missing->object().rid == object.rid && object.coding == 0));
}

FragmentBody::~FragmentBody() = default;

void FragmentBody::seek(const http::ByteSpan& span) {
  CHECK(span.begin <= span.end && span.end <= object_.size);
  arriving_.reset();
  span_ = span;
  at_ = span.begin;
}

Chunk FragmentBody::peek(size_t max) {
  if (at_ == span_.end) return {{}, Chunk::kEnd};
  if (arriving_ != nullptr) return peek_arriving(max);
  switch (hold_fragment()) {
    case Held::kArriving:
      return peek_arriving(max);
    case Held::kLater:
      return {{}, Chunk::kLater};
    case Held::kGone:
      return {{}, Chunk::kFail};
    case Held::kYes:
      break;
  }
  if (store_.poisoned(fragment_->pin)) return {{}, Chunk::kBad};
  const uint64_t offset = at_ - number_ * store_.fragment_bytes();
  const uint64_t left = span_.end - at_;
  const auto n = static_cast<size_t>(
      std::min({uint64_t{max}, left, uint64_t{fragment_->body.size()} - offset}));
  const int fd = store_.can_lend_pages() ? store_.fd() : -1;
  return {{fragment_->body.data() + offset, n, fd, fragment_->body_offset + offset},
          n == left ? Chunk::kEnd : Chunk::kMore};
}

void FragmentBody::advance(size_t n) {
  at_ += n;
  CHECK(at_ <= span_.end);
  if (arriving_ == nullptr) return;
  arriving_->advance(n);
  if (at_ % store_.fragment_bytes() != 0) return;
  arriving_.reset();
  rounds_ = 0;
}

void FragmentBody::rest() {
  fragment_.reset();
  if (arriving_ != nullptr) arriving_->rest();
}

Chunk FragmentBody::peek_arriving(size_t max) {
  Chunk chunk = arriving_->peek(max);
  if (chunk.state == Chunk::kFail) {
    // Another fetch of it may have ended better; a third one would end as this one.
    arriving_.reset();
    if (!std::exchange(failed_, true)) return peek(max);
  }
  if (chunk.state == Chunk::kEnd && at_ + chunk.piece.size != span_.end) chunk.state = Chunk::kMore;
  return chunk;
}

/// Sees to it that the fragment with the byte at the cursor is held.
FragmentBody::Held FragmentBody::hold_fragment() {
  const uint64_t number = at_ / store_.fragment_bytes();
  if (fragment_ && number_ == number) return Held::kYes;
  if (warming_.waiting()) return Held::kLater;
  fragment_.reset();
  const FragmentId id = object_.fragment(number);
  Found found = store_.lookup_fragment(id);
  if (found.state == Found::kCold) return warm(id);
  if (found.state == Found::kHit) return take_stored(std::move(*found.head), number);
  return fetch(number);
}

FragmentBody::Held FragmentBody::take_stored(cache_store::RecordView&& fragment, uint64_t number) {
  const http::ByteSpan right = fragment_span(object_, number, store_.fragment_bytes());
  // Of another length it is none of this object, whatever wrote it.
  if (fragment.body.size() != right.size()) return Held::kGone;
  fragment_ = std::move(fragment);
  number_ = number;
  rounds_ = 0;
  fetch_ahead(number + 1);
  return Held::kYes;
}

FragmentBody::Held FragmentBody::fetch(uint64_t number) {
  const bool may_ask = missing_ != nullptr && !failed_ && missing_->refetchable() != nullptr;
  if (!may_ask) return Held::kGone;
  Fills& fills = missing_->fills();
  const auto fill =
      fills.fetch_fragment(missing_->refetchable(), number, Fills::Fetched::kForReader);
  if (fill == nullptr) return ++rounds_ <= kRounds ? hold_fragment() : Held::kGone;
  const http::ByteSpan all = fragment_span(object_, number, store_.fragment_bytes());
  arriving_ = std::make_unique<FillReader>(fill, fills, at_ - all.begin,
                                           std::min(all.end, span_.end) - all.begin);
  arriving_->set_waker(&pass_on_);
  fetch_ahead(number + 1);
  return Held::kArriving;
}

/// What will be read next is on its way while this is read.
void FragmentBody::fetch_ahead(uint64_t number) {
  if (missing_ == nullptr || number * store_.fragment_bytes() >= span_.end) return;
  if (!store_.has_fragment(object_.fragment(number))) missing_->fetch_ahead(number);
}

FragmentBody::Held FragmentBody::warm(const FragmentId& id) {
  std::unique_ptr<base::Job> job = std::make_unique<WarmJob>(*this, id);
  const bool again = ++rounds_ <= kRounds;
  return again && env_.offload(base::Lane::kLatency, job, warming_) ? Held::kLater : Held::kGone;
}

void FragmentBody::on_warmed() { wake(); }

}  // namespace perigee::origin

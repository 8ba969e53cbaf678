#include "origin/fragment_body.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "base/check.h"

namespace perigee::origin {

using cache_store::Found;
using cache_store::FragmentId;
using http::Chunk;

namespace {

/// Cold again after so many rounds: memory is too short for it.
constexpr int kRounds = 3;

}  // namespace

bool has_fragments(cache_store::Store& store, const FragmentedObject& object,
                   const http::ByteSpan& span) {
  const uint64_t each = store.fragment_bytes();
  CHECK(each > 0 && span.begin <= span.end);
  for (uint64_t at = span.begin / each * each; at < span.end; at += each) {
    if (store.lookup_fragment({object.rid, at / each}).state == Found::kMiss) return false;
  }
  return true;
}

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
                           const FragmentedObject& object, const http::ByteSpan& span)
    : store_(store), env_(env), object_(object), span_(span), at_(span.begin) {
  CHECK(span.begin <= span.end && span.end <= object.size);
}

void FragmentBody::seek(const http::ByteSpan& span) {
  CHECK(span.begin <= span.end && span.end <= object_.size);
  span_ = span;
  at_ = span.begin;
}

Chunk FragmentBody::peek(size_t max) {
  if (at_ == span_.end) return {{}, Chunk::kEnd};
  switch (hold_fragment()) {
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
}

/// Sees to it that the fragment with the byte at the cursor is held.
FragmentBody::Held FragmentBody::hold_fragment() {
  const uint64_t each = store_.fragment_bytes();
  const uint64_t number = at_ / each;
  if (fragment_ && number_ == number) return Held::kYes;
  if (warming_.waiting()) return Held::kLater;
  fragment_.reset();
  const FragmentId id{object_.rid, number};
  Found found = store_.lookup_fragment(id);
  if (found.state == Found::kCold) return warm(id);
  const uint64_t right = std::min(each, object_.size - number * each);
  // Of another length it is none of this object, whatever wrote it.
  if (found.state != Found::kHit || found.head->body.size() != right) return Held::kGone;
  fragment_ = std::move(found.head);
  number_ = number;
  rounds_ = 0;
  return Held::kYes;
}

FragmentBody::Held FragmentBody::warm(const FragmentId& id) {
  std::unique_ptr<base::Job> job = std::make_unique<WarmJob>(*this, id);
  const bool again = ++rounds_ <= kRounds;
  return again && env_.offload(base::Lane::kLatency, job, warming_) ? Held::kLater : Held::kGone;
}

void FragmentBody::on_warmed() { wake(); }

}  // namespace perigee::origin

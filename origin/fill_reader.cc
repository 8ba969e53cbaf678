#include "origin/fill_reader.h"

#include <algorithm>

#include "origin/loop_fills.h"

namespace perigee::origin {

using http::Chunk;

FillReader::FillReader(std::shared_ptr<FillSession> session, Fills& fills, uint64_t begin,
                       std::optional<uint64_t> end)
    : progress_(std::static_pointer_cast<FillProgress>(std::move(session))),
      fills_(*fills.loop_),
      begin_(begin),
      end_(end),
      at_(begin) {
  id_ = progress_->body.attach(at_);
}

FillReader::~FillReader() {
  fills_.forget(*this);
  const bool moved = progress_->body.detach(id_);
  if (moved || !progress_->body.complete()) fills_.notify_owner(progress_);
}

void FillReader::seek(const http::ByteSpan& span) {
  begin_ = at_ = span.begin;
  end_ = span.end;
  if (progress_->body.move(id_, at_)) fills_.notify_owner(progress_);
}

Chunk FillReader::peek(size_t max) {
  if (progress_->revalidated()) return peek_record(max);
  if (end_ && at_ >= *end_) return {{}, Chunk::kEnd};
  FillBody::View view = progress_->body.take(at_, fills_.env().loop());
  switch (view.got) {
    case FillBody::Got::kHave: {
      size_t n = std::min(max, view.bytes.size());
      bool last = view.last && n == view.bytes.size();
      if (end_ && *end_ - at_ <= n) {
        n = static_cast<size_t>(*end_ - at_);
        last = true;
      }
      chunk_ = std::move(view.chunk);
      return {{view.bytes.data(), n}, last ? Chunk::kEnd : Chunk::kMore};
    }
    case FillBody::Got::kWait:
      if (!waiting_) fills_.wait_for_bytes(*this);
      waiting_ = true;
      return {{}, Chunk::kLater};
    case FillBody::Got::kEnd:
      return {{}, end_ ? Chunk::kFail : Chunk::kEnd};
    case FillBody::Got::kBehind:
    case FillBody::Got::kFail:
      return {{}, Chunk::kFail};
  }
  return {{}, Chunk::kFail};
}

/// After a 304 the body is the stored one.
Chunk FillReader::peek_record(size_t max) {
  const cache_store::Store& store = fills_.table().shared().store;
  if (store.poisoned(progress_->stored.pin)) return {{}, Chunk::kFail};
  const cache_store::RecordView& record = progress_->stored.record;
  const uint64_t end = end_.value_or(record.body.size());
  const size_t left = static_cast<size_t>(end - at_);
  const size_t n = std::min(max, left);
  const int fd = store.can_lend_pages() ? store.fd() : -1;
  return {{record.body.data() + at_, n, fd, record.body_offset + at_},
          n == left ? Chunk::kEnd : Chunk::kMore};
}

void FillReader::advance(size_t n) {
  at_ += n;
  if (progress_->body.move(id_, at_)) fills_.notify_owner(progress_);
}

std::optional<uint64_t> FillReader::size() const {
  if (end_) return *end_ - begin_;
  const std::optional<uint64_t> whole = progress_->body_size();
  return whole ? std::optional(*whole - begin_) : std::nullopt;
}

}  // namespace perigee::origin

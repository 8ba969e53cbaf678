// Chunks first, the record afterwards: the client sees one body.
#include "origin/fill_reader.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "origin/fills.h"

namespace perigee::origin {

using http::Chunk;

FillReader::FillReader(std::shared_ptr<Fill> fill, Fills& fills, uint64_t begin,
                       std::optional<uint64_t> end)
    : fill_(std::move(fill)), fills_(fills), begin_(begin), end_(end), at_(begin) {
  // After a 304 the body is the stored one, which the fill holds.
  if (fill_->revalidated()) record_ = {fill_, &fill_->stored};
  fill_->body.attach(at_);
}

FillReader::~FillReader() {
  fills_.forget(*this);
  const bool room = fill_->body.detach(at_);
  if (room || !fill_->body.complete()) fills_.notify_owner(fill_);
}

void FillReader::move_to(uint64_t at) {
  CHECK(!end_ || at <= *end_);
  if (fill_->body.move(std::exchange(at_, at), at)) fills_.notify_owner(fill_);
}

void FillReader::seek(const http::ByteSpan& span) {
  CHECK(span.begin <= span.end && !waiting_);
  begin_ = span.begin;
  end_ = span.end;
  move_to(begin_);
}

Chunk FillReader::peek(size_t max) {
  if (end_ && at_ >= *end_) return {{}, Chunk::kEnd};
  if (record_ != nullptr) return peek_record(max);
  FillBody::View view = fill_->body.take(at_, fills_.env().loop());
  if (view.got != FillBody::Got::kWait) fills_.forget(*this);
  switch (view.got) {
    case FillBody::Got::kHave: {
      const size_t most = end_ ? static_cast<size_t>(std::min<uint64_t>(max, *end_ - at_)) : max;
      const size_t n = std::min(most, view.bytes.size());
      const bool last =
          (end_ && at_ + n == *end_) || (!end_ && view.last && n == view.bytes.size());
      chunk_ = std::move(view.chunk);
      return {{view.bytes.data(), n}, last ? Chunk::kEnd : Chunk::kMore};
    }
    case FillBody::Got::kWait:
      fills_.wait_for_bytes(*this);
      return {{}, Chunk::kLater};
    case FillBody::Got::kRecord:
      record_ = std::move(view.record);
      chunk_.reset();
      return peek_record(max);
    case FillBody::Got::kEnd:
      return {{}, end_ ? Chunk::kFail : Chunk::kEnd};
    case FillBody::Got::kBehind:
    case FillBody::Got::kFail:
      return {{}, Chunk::kFail};
  }
  return {{}, Chunk::kFail};
}

Chunk FillReader::peek_record(size_t max) {
  const cache_store::Store& store = fills_.table().shared().store;
  const cache_store::RecordView& record = *record_->head;
  const uint64_t end = end_.value_or(record.body.size());
  if (store.poisoned(record.pin)) return {{}, Chunk::kBad};
  if (end > record.body.size() || at_ > end) return {{}, Chunk::kFail};
  const size_t left = static_cast<size_t>(end - at_);
  const size_t n = std::min(max, left);
  const int fd = store.can_lend_pages() ? store.fd() : -1;
  return {{record.body.data() + at_, n, fd, record.body_offset + at_},
          n == left ? Chunk::kEnd : Chunk::kMore};
}

void FillReader::advance(size_t n) { move_to(at_ + n); }

std::optional<uint64_t> FillReader::size() const {
  if (end_) return *end_ - begin_;
  const std::optional<uint64_t> whole = fill_->body_size();
  return whole ? std::optional(*whole - begin_) : std::nullopt;
}

}  // namespace perigee::origin

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
  if (fill_->revalidated()) CHECK(read_record(*fill_->stored.head));
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
  if (stored_) return stored_->seek(span);
  move_to(begin_);
}

Chunk FillReader::peek(size_t max) {
  if (stored_) return stored_->peek(max);
  if (end_ && at_ >= *end_) return {{}, Chunk::kEnd};
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
      chunk_.reset();
      if (!read_record(*view.record->head)) return {{}, Chunk::kFail};
      return stored_->peek(max);
    case FillBody::Got::kEnd:
      return {{}, end_ ? Chunk::kFail : Chunk::kEnd};
    case FillBody::Got::kBehind:
    case FillBody::Got::kFail:
      return {{}, Chunk::kFail};
  }
  return {{}, Chunk::kFail};
}

bool FillReader::read_record(const cache_store::RecordView& record) {
  const http::ByteSpan rest{at_, end_.value_or(record.body.size())};
  if (rest.begin > rest.end || rest.end > record.body.size()) return false;
  stored_.emplace(fills_.table().shared().store, record.pin.another(), record, rest);
  return true;
}

void FillReader::advance(size_t n) {
  if (stored_) return stored_->advance(n);
  move_to(at_ + n);
}

std::optional<uint64_t> FillReader::size() const {
  if (end_) return *end_ - begin_;
  const std::optional<uint64_t> whole = fill_->body_size();
  return whole ? std::optional(*whole - begin_) : std::nullopt;
}

}  // namespace perigee::origin

// Chunks first, the record afterwards: the client sees one body.
#include "origin/fill_reader.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "origin/fills.h"

namespace perigee::origin {

using http::Chunk;

FillReader::FillReader(std::shared_ptr<Fill> fill, Fills& fills, uint64_t begin,
                       std::optional<uint64_t> end, RequestMaker* maker)
    : fill_(std::move(fill)), fills_(fills), begin_(begin), end_(end), at_(begin), maker_(maker) {
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
  fragments_.reset();
  move_to(begin_);
}

Chunk FillReader::peek(size_t max) {
  if (stored_) return stored_->peek(max);
  if (end_ && at_ >= *end_) return {{}, Chunk::kEnd};
  return fragments_ ? peek_fragments(max) : peek_chunks(max);
}

/// What lies in fragments so far; the chunks go on behind it.
Chunk FillReader::peek_fragments(size_t max) {
  Chunk chunk = fragments_->peek(max);
  const uint64_t next = at_ + chunk.piece.size;
  if (chunk.state == Chunk::kEnd && next != end_ && next != fill_->body_size()) {
    chunk.state = Chunk::kMore;
  }
  return chunk;
}

Chunk FillReader::peek_chunks(size_t max) {
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
      if (!read_record(*view.place, std::move(view.pin))) return {{}, Chunk::kFail};
      return peek(max);
    case FillBody::Got::kStored:
      chunk_.reset();
      read_fragments(view.object, std::min(end_.value_or(view.object.size), view.object.size));
      return peek_fragments(max);
    case FillBody::Got::kEnd:
      return {{}, end_ ? Chunk::kFail : Chunk::kEnd};
    case FillBody::Got::kBehind:
    case FillBody::Got::kFail:
      return {{}, Chunk::kFail};
  }
  return {{}, Chunk::kFail};
}

/// Null: the origin cannot be asked for what is gone.
MissingFragments* FillReader::missing_of(const FragmentedObject& object) {
  if (missing_) return &*missing_;
  const std::optional<uint64_t> size = fill_->body_size();
  if (maker_ == nullptr || !size || !is_refetchable(fill_->response())) return nullptr;
  return &missing_.emplace(fills_, *maker_, FragmentedObject{object.rid, *size},
                           fill_->response().etag);
}

void FillReader::read_fragments(const FragmentedObject& object, uint64_t end) {
  fragments_end_ = end;
  fragments_.emplace(fills_.table().shared().store, fills_.env(), object, http::ByteSpan{at_, end},
                     missing_of(object));
  fragments_->set_waker(&pass_on_);
}

/// False: it is shorter than what is read.
bool FillReader::read_record(const cache_store::ParkedRecord& place, cache_store::Pin pin) {
  const uint64_t size = fill_->body.size();
  const http::ByteSpan rest{at_, end_.value_or(size)};
  if (rest.begin > rest.end || rest.end > size) return false;
  stored_.emplace(fills_.table().shared().store, place, std::move(pin), rest);
  return true;
}

void FillReader::rest() {
  chunk_.reset();
  fill_->body.rest();
  if (stored_) stored_->rest();
  if (fragments_) fragments_->rest();
}

void FillReader::advance(size_t n) {
  if (stored_) return stored_->advance(n);
  move_to(at_ + n);
  if (!fragments_) return;
  fragments_->advance(n);
  if (at_ == fragments_end_) fragments_.reset();
}

std::optional<uint64_t> FillReader::size() const {
  if (end_) return *end_ - begin_;
  const std::optional<uint64_t> whole = fill_->body_size();
  return whole ? std::optional(*whole - begin_) : std::nullopt;
}

}  // namespace perigee::origin

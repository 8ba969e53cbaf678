#include "origin/decoded_body.h"

#include <algorithm>
#include <span>
#include <utility>

#include "base/check.h"
#include "base/limits.h"

namespace perigee::origin {

using http::Chunk;
using http::Decoder;

DecodedBody::DecodedBody(StoredBody coded, http::Coding coding, uint64_t whole_length,
                         const http::ByteSpan& span)
    : coded_(std::move(coded)),
      coding_(coding),
      whole_length_(whole_length),
      span_(span),
      at_(span.begin),
      coded_size_(*coded_.size()) {
  CHECK(span.begin <= span.end && span.end <= whole_length);
}

void DecodedBody::seek(const http::ByteSpan& span) {
  CHECK(span.begin <= span.end && span.end <= whole_length_);
  span_ = span;
  at_ = span.begin;
  if (at_ < buffer_begin_) begin_anew();
}

void DecodedBody::begin_anew() {
  coded_.seek({0, coded_size_});
  decoder_ = nullptr;
  buffer_begin_ = 0;
  buffered_ = 0;
}

Chunk DecodedBody::peek(size_t max) {
  if (at_ == span_.end) return {{}, Chunk::kEnd};
  if (const Chunk::State state = read(); state != Chunk::kMore) return {{}, state};
  const uint64_t there = std::min(buffer_begin_ + buffered_, span_.end) - at_;
  const auto n = static_cast<size_t>(std::min<uint64_t>(max, there));
  return {{buffer_.data() + (at_ - buffer_begin_), n},
          at_ + n == span_.end ? Chunk::kEnd : Chunk::kMore};
}

void DecodedBody::advance(size_t n) {
  at_ += n;
  CHECK(at_ <= span_.end && at_ <= buffer_begin_ + buffered_);
}

Chunk::State DecodedBody::read() {
  while (at_ >= buffer_begin_ + buffered_) {
    if (const Chunk::State state = decode(); state != Chunk::kMore) return state;
  }
  return Chunk::kMore;
}

Chunk::State DecodedBody::decode() {
  if (decoder_ == nullptr && buffer_begin_ + buffered_ == 0) {
    decoder_ = Decoder::make(coding_);
    buffer_.resize(base::limits::kCodingStepBytes);
  }
  // It has ended too early, or there is no memory for it.
  if (decoder_ == nullptr) return Chunk::kFail;
  const Chunk coded = coded_.peek(base::limits::kCodingStepBytes);
  if (coded.state == Chunk::kFail || coded.state == Chunk::kBad) return coded.state;
  const Decoder::Step step = decoder_->decode({coded.piece.data, coded.piece.size}, buffer_);
  coded_.advance(step.taken);
  buffer_begin_ += buffered_;
  buffered_ = step.made;
  if (step.state == Decoder::State::kBad) return Chunk::kFail;
  // Else another member follows.
  const bool last = coded.state == Chunk::kEnd;
  if (step.state == Decoder::State::kEnd && last) decoder_ = nullptr;
  const bool stuck = step.taken == 0 && step.made == 0;
  return stuck || buffer_begin_ + buffered_ > whole_length_ ? Chunk::kFail : Chunk::kMore;
}

}  // namespace perigee::origin

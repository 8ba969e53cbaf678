#include "http/exchange/multipart_body.h"

#include <algorithm>

namespace perigee::http {

MultipartBody::MultipartBody(SpanSource& source, const MultipartPlan& plan)
    : source_(source), content_type_(plan.content_type), plan_(plan), size_(plan.bytes()) {
  plan_.content_type = content_type_;
  source_.set_waker(&pass_on_);
  begin_text();
}

void MultipartBody::begin_text() {
  plan_.write_text(part_, text_);
  text_at_ = 0;
  span_left_ = 0;
}

Chunk MultipartBody::peek(size_t max) {
  if (span_left_ == 0) {
    const size_t n = std::min(max, text_.size() - text_at_);
    const bool last = part_ == plan_.parts.size() && text_at_ + n == text_.size();
    const auto* data = reinterpret_cast<const std::byte*>(text_.data() + text_at_);
    return {{data, n}, last ? Chunk::kEnd : Chunk::kMore};
  }
  Chunk chunk = source_.peek(static_cast<size_t>(std::min<uint64_t>(max, span_left_)));
  if (chunk.state != Chunk::kEnd) return chunk;
  // The end of a span is not the end of the body; one that is too short never gets there.
  chunk.state = chunk.piece.size == span_left_ ? Chunk::kMore : Chunk::kFail;
  return chunk;
}

void MultipartBody::advance(size_t n) {
  if (span_left_ == 0) {
    text_at_ += n;
    if (text_at_ < text_.size() || part_ == plan_.parts.size()) return;
    source_.seek(plan_.parts[part_]);
    span_left_ = plan_.parts[part_].size();
    return;
  }
  source_.advance(n);
  span_left_ -= n;
  if (span_left_ > 0) return;
  ++part_;
  begin_text();
}

}  // namespace perigee::http

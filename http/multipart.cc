#include "http/multipart.h"

#include <algorithm>
#include <charconv>
#include <cstdio>

namespace perigee::http {
namespace {

constexpr std::string_view kBoundaryPrefix = "perigee-byteranges-";

void append_boundary(uint64_t boundary, std::string& out) {
  char digits[17];
  std::snprintf(digits, sizeof digits, "%016llx", static_cast<unsigned long long>(boundary));
  out.append(kBoundaryPrefix).append(digits);
}

void append_number(uint64_t number, std::string& out) {
  char digits[20];
  const auto end = std::to_chars(digits, digits + sizeof digits, number).ptr;
  out.append(digits, end);
}

}  // namespace

std::string_view MultipartPlan::message_type(Arena& arena) const {
  std::string text = "multipart/byteranges; boundary=";
  append_boundary(boundary, text);
  return arena.copy(text);
}

void MultipartPlan::write_text(size_t i, std::string& out) const {
  out.clear();
  if (i > 0) out.append("\r\n");
  out.append("--");
  append_boundary(boundary, out);
  if (i == parts.size()) {
    out.append("--\r\n");
    return;
  }
  if (!content_type.empty()) out.append("\r\nContent-Type: ").append(content_type);
  out.append("\r\nContent-Range: bytes ");
  append_number(parts[i].begin, out);
  out.append("-");
  append_number(parts[i].end - 1, out);
  out.append("/");
  append_number(whole_bytes, out);
  out.append("\r\n\r\n");
}

uint64_t MultipartPlan::bytes() const {
  uint64_t total = 0;
  std::string text;
  for (size_t i = 0; i <= parts.size(); ++i) {
    write_text(i, text);
    total += text.size();
    if (i < parts.size()) total += parts[i].size();
  }
  return total;
}

MultipartBody::MultipartBody(SpanSource& source, const MultipartPlan& plan)
    : source_(source), content_type_(plan.content_type), plan_(plan), size_(plan.bytes()) {
  plan_.content_type = content_type_;
  source_.set_waker(&relay_);
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

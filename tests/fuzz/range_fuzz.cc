// Range fields: the first line is the body's size, the second the field, the third a Content-Type.
#include <algorithm>
#include <charconv>
#include <string>

#include "base/check.h"
#include "http/exchange/multipart_body.h"
#include "http/headers.h"
#include "http/range.h"
#include "tests/fuzz/fuzz_text.h"

using namespace perigee;
using http::ByteSpan;
using http::Chunk;
using http::RangeRequest;

namespace {

/// Bodies that are read through are no larger.
constexpr uint64_t kSmall = 4096;

/// A body whose byte at each place is known.
class KnownBody final : public http::SpanSource {
 public:
  static char byte_at(uint64_t at) { return static_cast<char>('a' + at % 23); }
  explicit KnownBody(uint64_t size) {
    for (uint64_t i = 0; i < size; ++i) bytes_ += byte_at(i);
  }
  void seek(const ByteSpan& span) override {
    CHECK(span.begin < span.end && span.end <= bytes_.size());
    at_ = span;
  }
  Chunk peek(size_t max) override {
    // Never more than a few bytes at once, so that every place where a piece can end is met.
    const size_t n = std::min<size_t>({max, static_cast<size_t>(at_.size()), 7});
    const auto* data = reinterpret_cast<const std::byte*>(bytes_.data() + at_.begin);
    return {{data, n}, n == at_.size() ? Chunk::kEnd : Chunk::kMore};
  }
  void advance(size_t n) override { at_.begin += n; }
  std::optional<uint64_t> size() const override { return at_.size(); }

 private:
  std::string bytes_;
  ByteSpan at_;
};

void check_spans(const RangeRequest& request, uint64_t size) {
  CHECK((request.kind == RangeRequest::kSatisfiable) == !request.spans.empty());
  CHECK(request.spans.size() <= base::limits::kRangeSpecs);
  for (size_t i = 0; i < request.spans.size(); ++i) {
    const ByteSpan& span = request.spans[i];
    CHECK(span.begin < span.end && span.end <= size);
    for (size_t j = 0; j < i; ++j) {
      const ByteSpan& other = request.spans[j];
      CHECK(span.end < other.begin || other.end < span.begin);
    }
    // A span that is there already changes nothing.
    http::ByteSpans again = request.spans;
    again.add(span);
    CHECK(again.size() == request.spans.size() && again[i] == span);
  }
}

/// The ranges together cover what each of them covers alone.
void check_cover(std::string_view field, const RangeRequest& request, uint64_t size) {
  std::string covered(static_cast<size_t>(size), '.');
  http::ListCursor cursor(field.substr(field.find('=') + 1));
  while (const auto spec = cursor.next()) {
    const RangeRequest one = http::parse_range("bytes=" + std::string(*spec), size);
    CHECK(one.kind != RangeRequest::kNone && one.spans.size() <= 1);
    for (const ByteSpan& span : one.spans) {
      for (uint64_t at = span.begin; at < span.end; ++at) covered[static_cast<size_t>(at)] = 'x';
    }
  }
  for (const ByteSpan& span : request.spans) {
    for (uint64_t at = span.begin; at < span.end; ++at) {
      CHECK(covered[static_cast<size_t>(at)] == 'x');
      covered[static_cast<size_t>(at)] = '.';
    }
  }
  CHECK(covered.find('x') == std::string::npos);
}

void check_multipart(const RangeRequest& request, uint64_t size, std::string_view content_type) {
  const http::MultipartPlan plan{request.spans, content_type, size, size * 7};
  KnownBody source(size);
  http::MultipartBody body(source, plan);
  std::string sent;
  for (Chunk chunk = body.peek(11);; chunk = body.peek(11)) {
    CHECK(chunk.state == Chunk::kMore || chunk.state == Chunk::kEnd);
    sent.append(reinterpret_cast<const char*>(chunk.piece.data), chunk.piece.size);
    body.advance(chunk.piece.size);
    if (chunk.state == Chunk::kEnd) break;
  }
  CHECK(sent.size() == plan.bytes() && body.size() == plan.bytes());
  std::string text;
  std::string_view rest = sent;
  for (size_t i = 0; i <= request.spans.size(); ++i) {
    plan.write_text(i, text);
    CHECK(rest.starts_with(text));
    rest.remove_prefix(text.size());
    if (i == request.spans.size()) break;
    const ByteSpan& span = request.spans[i];
    for (uint64_t at = span.begin; at < span.end; ++at) {
      CHECK(rest[static_cast<size_t>(at - span.begin)] == KnownBody::byte_at(at));
    }
    rest.remove_prefix(static_cast<size_t>(span.size()));
  }
  CHECK(rest.empty());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t data_size) {
  std::string_view rest = fuzz::text_of(data, data_size);
  const std::string_view digits = fuzz::take_line(rest);
  uint64_t size = 0;
  std::from_chars(digits.data(), digits.data() + digits.size(), size);
  const std::string_view field = fuzz::take_line(rest);
  const RangeRequest request = http::parse_range(field, size);
  check_spans(request, size);
  if (size > kSmall || request.kind == RangeRequest::kNone) return 0;
  check_cover(field, request, size);
  if (request.spans.size() > 1) check_multipart(request, size, fuzz::take_line(rest));
  return 0;
}

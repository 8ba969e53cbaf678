// Several ranges of one body as one body that is pulled: multipart/byteranges.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "http/exchange/exchange.h"
#include "http/multipart.h"

namespace perigee::http {

/// A body of which any span can be read, one after another.
class SpanSource : public BodySource {
 public:
  /// From now on this span is what is read; it lies within the body.
  virtual void seek(const ByteSpan& span) = 0;
};

/// Sends the texts of a plan and the spans of `source` between them. `source` outlives it; what
/// `plan.content_type` points to need not.
class MultipartBody final : public BodySource {
 public:
  MultipartBody(SpanSource& source, const MultipartPlan& plan);
  MultipartBody(const MultipartBody&) = delete;
  MultipartBody& operator=(const MultipartBody&) = delete;

  Chunk peek(size_t max) override;
  void advance(size_t n) override;
  std::optional<uint64_t> size() const override { return size_; }
  void rest() override { source_.rest(); }

 private:
  void begin_text();

  SpanSource& source_;
  PassOn pass_on_{*this};
  std::string content_type_;
  MultipartPlan plan_;
  const uint64_t size_;
  size_t part_ = 0;   ///< whose text, or whose span, is being sent
  std::string text_;  ///< the text before the part; stands until it was taken
  size_t text_at_ = 0;
  uint64_t span_left_ = 0;  ///< 0: in a text
};

}  // namespace perigee::http

// Several ranges of one body as one body: multipart/byteranges (RFC 9110 §14.6, §15.3.7.2).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "http/arena.h"
#include "http/exchange.h"
#include "http/range.h"

namespace perigee::http {

/// A body of which any span can be read, one after another.
class SpanSource : public BodySource {
 public:
  /// From now on this span is what is read; it lies within the body.
  virtual void seek(const ByteSpan& span) = 0;
};

/// What a multipart body is made of. Its texts follow from it, so that its length is known
/// beforehand.
struct MultipartPlan {
  ByteSpans parts;
  std::string_view content_type;  ///< of the whole representation; empty: it has none
  uint64_t whole_bytes = 0;       ///< length of the whole representation
  uint64_t boundary = 0;          ///< chance, so that no content can know the boundary beforehand

  /// The Content-Type of the message, in memory of the arena.
  std::string_view message_type(Arena& arena) const;
  /// The text before part `i`; behind the last part for parts.size().
  void write_text(size_t i, std::string& out) const;
  /// Length of the body.
  uint64_t bytes() const;
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
  void park() override { source_.park(); }
  std::optional<uint64_t> size() const override { return size_; }

 private:
  /// Wakes whoever waits for this body when the source has more.
  class Relay final : public base::Waker {
   public:
    explicit Relay(MultipartBody& body) : body_(body) {}
    void wake() override { body_.wake(); }

   private:
    MultipartBody& body_;
  };
  void begin_text();

  SpanSource& source_;
  Relay relay_{*this};
  std::string content_type_;
  MultipartPlan plan_;
  const uint64_t size_;
  size_t part_ = 0;   ///< whose text, or whose span, is being sent
  std::string text_;  ///< the text before the part; stands until it was taken
  size_t text_at_ = 0;
  uint64_t span_left_ = 0;  ///< 0: in a text
};

}  // namespace perigee::http

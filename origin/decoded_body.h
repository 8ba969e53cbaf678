// The body of an object whose bytes lie in a coding alone: decoded as it is read, in a buffer of
// one step.
//
// On the loop, so for objects of one record only. Going back begins anew.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "http/coding/decoder.h"
#include "http/content_coding.h"
#include "http/exchange/multipart_body.h"
#include "origin/stored_body.h"

namespace perigee::origin {

/// Loop-local, never waits. While it rests it holds no slab; it fails when the coding is gone then,
/// or does not decode to `whole_length` bytes.
class DecodedBody final : public http::SpanSource {
 public:
  /// Over `span` of the object, of which `coded` is all of a coding.
  DecodedBody(StoredBody coded, http::Coding coding, uint64_t whole_length,
              const http::ByteSpan& span);

  void seek(const http::ByteSpan& span) override;
  http::Chunk peek(size_t max) override;
  void advance(size_t n) override;
  std::optional<uint64_t> size() const override { return span_.size(); }
  void rest() override { coded_.rest(); }

 private:
  void begin_anew();
  /// Decodes up to the next bytes of the span. What hinders it, or kMore.
  http::Chunk::State read();
  /// One step of the decoder, into the buffer.
  http::Chunk::State decode();

  StoredBody coded_;
  const http::Coding coding_;
  const uint64_t whole_length_;
  http::ByteSpan span_;
  uint64_t at_;                             ///< of the object: what is given next
  std::unique_ptr<http::Decoder> decoder_;  ///< null: not begun, or at the end
  std::vector<std::byte> buffer_;
  uint64_t buffer_begin_ = 0;  ///< of the object
  size_t buffered_ = 0;
  uint64_t coded_size_;
};

}  // namespace perigee::origin

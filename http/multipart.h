// Several ranges of one body as one message: what multipart/byteranges holds besides the ranges
// (RFC 9110 §14.6, §15.3.7.2).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "http/arena.h"
#include "http/range.h"

namespace perigee::http {

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
  /// Length of that text.
  size_t text_bytes(size_t i) const;
  /// Length of the body.
  uint64_t bytes() const;
};

}  // namespace perigee::http

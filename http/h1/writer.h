// What Perigee writes on an HTTP/1 connection, in both directions: heads and chunks, its own
// serialisation of validated parts, never a peer's bytes.
//
// Just before a head leaves, the bytes in it that end lines are counted once more
// (http/line_breaks.h).
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "http/exchange/out_queue.h"
#include "http/h1/framing.h"
#include "http/headers.h"
#include "http/message.h"

namespace perigee::http {

/// A request's head on its way to an origin, in HTTP/1.1. `fields` holds neither hop-by-hop nor
/// framing lines nor Host (forwarded_fields()).
struct RequestToSend {
  std::string_view method;
  std::string_view target;
  std::string_view host;
  const HeaderList& fields;
  Framing framing = Framing::kNone;  ///< kNone, kLength or kChunked
  uint64_t content_length = 0;       ///< of kLength
  std::string_view upgrade;          ///< the protocol that is asked for; empty: none
};
/// Appends it, with its empty line. False: a CR, LF or NUL stands in a part, or a space in the
/// method or the target, and nothing was appended.
[[nodiscard]] bool append_request_head(std::string& out, const RequestToSend& request);

/// What a response's head says of the connection and of its own end.
struct ResponseFrame {
  Framing framing = Framing::kNone;
  bool keep_alive = true;
  uint8_t client_minor = 1;  ///< the version of the request
};
/// Writes the head of a final response, whose framing and Connection lines follow from `frame`, or
/// of a 101. A length that the head does not say itself is written: 0. False: a CR, LF or NUL
/// stands where none may, and nothing was written.
[[nodiscard]] bool write_response_head(OutQueue& out, const ResponseHead& head,
                                       const ResponseFrame& frame);
/// Writes the head of a 1xx. False: the same.
[[nodiscard]] bool write_interim_head(OutQueue& out, const ResponseHead& head);

/// The line before a chunk of `n` bytes, which kChunkEnd follows; a view into `memory`.
std::string_view chunk_line(uint64_t n, std::array<char, 20>& memory);
inline constexpr std::string_view kChunkEnd = "\r\n";
/// The last chunk, without trailers.
inline constexpr std::string_view kLastChunk = "0\r\n\r\n";
/// Appends one whole chunk (never an empty one).
void append_chunk(std::string& out, std::string_view bytes);

}  // namespace perigee::http

// What Perigee sends to an origin: its own serialisation of validated tokens, never the client's
// bytes.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "http/headers.h"

namespace perigee::http {

enum class RequestFraming : uint8_t { kNone, kContentLength, kChunked };

/// Appends a request head in HTTP/1.1 with Host, the fields and our own framing, and its empty
/// line. Hop-by-hop and framing fields in `fields` are the caller's to have left out
/// (forwarded_fields()). False: a CR, LF or NUL stands in a part, or a space in the method or the
/// target, and nothing was appended.
[[nodiscard]] bool append_request_head(std::string& out, std::string_view method,
                                       std::string_view target, std::string_view host,
                                       const HeaderList& fields, RequestFraming framing,
                                       uint64_t content_length);

/// Appends one chunk (never an empty one).
void append_chunk(std::string& out, std::string_view bytes);
/// Appends the last chunk, without trailers.
void append_last_chunk(std::string& out);

}  // namespace perigee::http

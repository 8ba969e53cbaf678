// HTTP/1.0 and 1.1 towards clients.
//
// Framing that can be read in two ways is refused with 400 and the connection closed (RFC 9112
// §6.3, §11.2). One exchange is active at a time; hits are answered in a row in the same turn, and
// no byte of a request body is ever taken for a request.
#pragma once

#include <memory>

#include "http/exchange/codec.h"
#include "http/request_scratch.h"

namespace perigee::http {

/// What the configuration decides for connections of HTTP/1. Outlives them.
struct Http1Options {
  size_t request_line_bytes = base::limits::kRequestLineBytes;
  int64_t head_ms = base::limits::kRequestHeadMs;
  int64_t idle_ms = base::limits::kIdleMs;
  int64_t body_grace_ms = base::limits::kBodyGraceMs;
  int64_t body_bytes_per_second = base::limits::kBodyBytesPerSecond;
};

/// Allocates once, at accept; nothing for a steady hit.
std::unique_ptr<ServerCodec> make_http1_codec(const CodecContext& context,
                                              const Http1Options& options, RequestScratch& scratch);

}  // namespace perigee::http

// How the content of a received HTTP/1 message ends, in both directions: the one place that decides
// it (RFC 9112 §6.3). What could be read in two ways is refused.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "http/message.h"
#include "http/request_rules.h"

namespace perigee::http {

enum class Framing : uint8_t {
  kNone,     ///< there is no content
  kLength,   ///< after a declared number of bytes
  kChunked,  ///< with the last chunk
  kClose,    ///< with the connection; responses and switched protocols alone
};

/// The field lines that framing follows from. Views into the lines that were added.
struct FramingLines {
  size_t codings = 0;       ///< Transfer-Encoding lines
  size_t lengths = 0;       ///< Content-Length lines
  std::string_view coding;  ///< of the first such line
  std::string_view length;  ///< of the first such line

  FramingLines() = default;
  explicit FramingLines(const HeaderList& fields) {
    for (const Field& field : fields) add(field);
  }
  void add(const Field& field) {
    if (field.token == FieldName::kTransferEncoding && codings++ == 0) coding = field.value;
    if (field.token == FieldName::kContentLength && lengths++ == 0) length = field.value;
  }
};

/// How a request's content ends.
struct RequestFraming {
  Framing framing = Framing::kNone;
  std::optional<uint64_t> content_length;  ///< as declared, 0 included
  Refusal refusal;
};
RequestFraming request_framing(const FramingLines& lines, uint8_t version_minor);

/// How a response's content ends.
struct ResponseFraming {
  Framing framing = Framing::kNone;
  std::optional<uint64_t> content_length;  ///< as declared
  /// It has no content (never_has_body()), though its fields say that some follows: the connection
  /// must not be used again.
  bool promises_content = false;
  std::string_view error;  ///< empty: none
};
ResponseFraming response_framing(const FramingLines& lines, Method method, uint16_t status,
                                 uint8_t version_minor);

/// A Content-Length (RFC 9110 §8.6): digits and nothing else, below 2^63.
std::optional<uint64_t> parse_content_length(std::string_view value);

}  // namespace perigee::http

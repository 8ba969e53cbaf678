#include "http/h1/framing.h"

#include <charconv>

#include "base/text.h"

namespace perigee::http {
namespace {

/// Codings that a sender means to be decoded; any other single one is read to the close.
bool is_known_coding(std::string_view coding) {
  for (const std::string_view known :
       {"chunked", "gzip", "x-gzip", "deflate", "compress", "x-compress", "identity"}) {
    if (base::iequals(coding, known)) return true;
  }
  return false;
}

ResponseFraming ambiguous(std::string_view why) {
  ResponseFraming result;
  result.error = why;
  return result;
}

/// The framing of a response that has content and a Transfer-Encoding.
ResponseFraming coded_framing(const FramingLines& lines, uint8_t version_minor) {
  if (version_minor == 0) return ambiguous("Transfer-Encoding in a response of HTTP/1.0");
  ResponseFraming result;
  result.framing = Framing::kClose;
  if (lines.codings == 1 && base::iequals(lines.coding, "chunked")) {
    result.framing = Framing::kChunked;
  } else if (lines.codings > 1 || is_known_coding(lines.coding) || !is_token(lines.coding)) {
    return ambiguous("the origin's Transfer-Encoding is not chunked");
  }
  return result;
}

}  // namespace

RequestFraming request_framing(const FramingLines& lines, uint8_t version_minor) {
  const auto refuse = [](uint16_t status, std::string_view why) {
    return RequestFraming{Framing::kNone, std::nullopt, {status, why}};
  };
  RequestFraming result;
  if (lines.codings > 0) {
    if (lines.lengths > 0) return refuse(400, "Transfer-Encoding and Content-Length");
    if (lines.codings > 1 || version_minor == 0) return refuse(400, "Transfer-Encoding");
    if (!base::iequals(lines.coding, "chunked")) {
      return base::iequals(lines.coding, "identity") || !is_token(lines.coding)
                 ? refuse(400, "Transfer-Encoding is not chunked")
                 : refuse(501, "this transfer coding is not implemented");
    }
    result.framing = Framing::kChunked;
  }
  if (lines.lengths > 1) return refuse(400, "more than one Content-Length");
  if (lines.lengths == 1) {
    result.content_length = parse_content_length(lines.length);
    if (!result.content_length) return refuse(400, "Content-Length is not a number");
    if (*result.content_length > 0) result.framing = Framing::kLength;
  }
  return result;
}

ResponseFraming response_framing(const FramingLines& lines, Method method, uint16_t status,
                                 uint8_t version_minor) {
  std::optional<uint64_t> length;
  if (lines.lengths > 0) {
    length = parse_content_length(lines.length);
    if (lines.lengths > 1 || !length || lines.codings > 0) {
      return ambiguous("the origin's Content-Length can be read in two ways");
    }
  }
  ResponseFraming result;
  if (never_has_body(method, status)) {
    const bool promises = lines.codings > 0 || length.value_or(0) > 0;
    // An answer to HEAD and a 304 tell of the content that a GET would get.
    result.promises_content = promises && method != Method::kHead && status != 304;
  } else if (lines.codings > 0) {
    result = coded_framing(lines, version_minor);
  } else {
    result.framing = length ? Framing::kLength : Framing::kClose;
  }
  result.content_length = length;
  return result;
}

std::optional<uint64_t> parse_content_length(std::string_view value) {
  const char* const end = value.data() + value.size();
  uint64_t length = 0;
  const auto [at, error] = std::from_chars(value.data(), end, length);
  if (value.empty() || error != std::errc() || at != end || length > INT64_MAX) return std::nullopt;
  return length;
}

}  // namespace perigee::http

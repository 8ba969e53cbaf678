#include "tests/support/reference_parser.h"

#include "http/headers.h"

namespace perigee::test {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }

bool read_version(std::string_view text, uint8_t& minor) {
  if (text != "HTTP/1.0" && text != "HTTP/1.1") return false;
  minor = static_cast<uint8_t>(text[7] - '0');
  return true;
}

/// No space before the colon, no fold, no control byte (RFC 9112 §5).
bool read_field(std::string_view line, ReferenceHead& head) {
  const size_t colon = http::token_length(line);
  if (colon == 0 || colon == line.size() || line[colon] != ':') return false;
  const std::string_view value = http::trim_ows(line.substr(colon + 1));
  head.fields.emplace_back(line.substr(0, colon), value);
  return http::is_field_value(value);
}

/// The lines behind the first one, whose end is at `at`.
bool read_fields(std::string_view text, size_t at, ReferenceHead& head) {
  for (at += 2; at < text.size();) {
    const size_t end = text.find("\r\n", at);
    if (end == std::string_view::npos) return false;
    if (end == at) return end + 2 == text.size();
    if (!read_field(text.substr(at, end - at), head)) return false;
    at = end + 2;
  }
  return false;
}

}  // namespace

std::optional<ReferenceHead> read_request_head(std::string_view text) {
  const size_t end = text.find("\r\n");
  if (end == std::string_view::npos) return std::nullopt;
  const std::string_view line = text.substr(0, end);
  const size_t first = line.find(' ');
  const size_t last = line.rfind(' ');
  if (first == std::string_view::npos || last <= first + 1) return std::nullopt;
  ReferenceHead head;
  head.method = line.substr(0, first);
  head.target = line.substr(first + 1, last - first - 1);
  const bool shaped = http::is_token(head.method) && head.target.find(' ') == std::string::npos &&
                      read_version(line.substr(last + 1), head.version_minor);
  if (!shaped || !read_fields(text, end, head)) return std::nullopt;
  return head;
}

std::optional<ReferenceHead> read_response_head(std::string_view text) {
  const size_t end = text.find("\r\n");
  if (end == std::string_view::npos) return std::nullopt;
  const std::string_view line = text.substr(0, end);
  ReferenceHead head;
  const bool shaped = line.size() >= 12 && read_version(line.substr(0, 8), head.version_minor) &&
                      line[8] == ' ' && line[9] != '0' && is_digit(line[9]) && is_digit(line[10]) &&
                      is_digit(line[11]) && (line.size() == 12 || line[12] == ' ') &&
                      http::is_field_value(line);
  if (!shaped) return std::nullopt;
  head.status =
      static_cast<uint16_t>((line[9] - '0') * 100 + (line[10] - '0') * 10 + line[11] - '0');
  if (line.size() > 13) head.reason = line.substr(13);
  if (!read_fields(text, end, head)) return std::nullopt;
  return head;
}

}  // namespace perigee::test

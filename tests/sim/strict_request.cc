#include "tests/sim/strict_request.h"

#include <algorithm>

namespace perigee::sim {

namespace {

bool is_token(std::string_view text) {
  static constexpr std::string_view kOthers = "!#$%&'*+-.^_`|~";
  return !text.empty() && std::ranges::all_of(text, [](char c) {
    const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    return letter || (c >= '0' && c <= '9') || kOthers.find(c) != std::string_view::npos;
  });
}

bool is_value(std::string_view text) {
  const auto blank = [](char c) { return c == ' ' || c == '\t'; };
  if (!text.empty() && (blank(text.front()) || blank(text.back()))) return false;
  return std::ranges::all_of(text, [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte == '\t' || (byte >= 0x20 && byte != 0x7f);
  });
}

/// Cuts off a line and its CRLF. nullopt: it has not ended.
std::optional<std::string_view> take_line(std::string_view& rest) {
  const size_t end = rest.find("\r\n");
  if (end == std::string_view::npos) return std::nullopt;
  const std::string_view line = rest.substr(0, end);
  rest.remove_prefix(end + 2);
  return line;
}

bool read_request_line(std::string_view line, StrictRequest& out) {
  const size_t space = line.find(' ');
  const size_t second = line.find(' ', space + 1);
  if (space == std::string_view::npos || second == std::string_view::npos) return false;
  out.method = line.substr(0, space);
  out.target = line.substr(space + 1, second - space - 1);
  const bool visible =
      std::ranges::all_of(out.target, [](char c) { return c > 0x20 && c < 0x7f && c != '#'; });
  return is_token(out.method) && out.target.starts_with('/') && visible &&
         line.substr(second + 1) == "HTTP/1.1";
}

bool read_field_line(std::string_view line, StrictRequest& out) {
  const size_t colon = line.find(": ");
  if (colon == std::string_view::npos) return false;
  const std::string_view name = line.substr(0, colon);
  const std::string_view value = line.substr(colon + 2);
  out.fields.emplace_back(name, value);
  return is_token(name) && is_value(value);
}

/// Empty: right so far.
std::string read_chunks(std::string_view rest, StrictRequest& out) {
  while (true) {
    const std::optional<std::string_view> line = take_line(rest);
    if (!line) return rest.size() > 18 ? "a chunk size without end" : "";
    const bool hex = !line->empty() && line->size() <= 16 &&
                     line->find_first_not_of("0123456789abcdef") == std::string_view::npos;
    if (!hex || (line->size() > 1 && line->front() == '0')) return "a chunk size that is none";
    const size_t size = std::stoull(std::string(*line), nullptr, 16);
    if (size == 0) {
      if (!rest.empty() && !std::string_view("\r\n").starts_with(rest) &&
          !rest.starts_with("\r\n")) {
        return "a trailer";
      }
      out.whole = rest == "\r\n";
      return rest.size() > 2 ? "bytes behind the content" : "";
    }
    out.content += rest.substr(0, size);
    if (rest.size() < size + 2) return "";
    if (rest.substr(size, 2) != "\r\n") return "no line end behind a chunk";
    rest.remove_prefix(size + 2);
  }
}

std::string read_content(std::string_view rest, StrictRequest& out) {
  const auto count = [&](std::string_view name) {
    return std::ranges::count_if(out.fields,
                                 [&](const auto& field) { return same_name(field.first, name); });
  };
  if (count("Host") != 1) return "not one Host";
  if (count("Content-Length") + count("Transfer-Encoding") > 1) return "ambiguous framing";
  if (const auto coding = first_of(out.fields, "Transfer-Encoding")) {
    if (*coding != "chunked") return "an unknown coding";
    return read_chunks(rest, out);
  }
  const auto text = first_of(out.fields, "Content-Length");
  const auto length = text ? number(*text) : std::optional<int64_t>(0);
  if (!length || (text && *text != std::to_string(*length))) return "a length that is none";
  const auto size = static_cast<size_t>(*length);
  out.content = rest.substr(0, size);
  out.whole = rest.size() == size;
  return rest.size() > size ? "bytes behind the request" : "";
}

}  // namespace

StrictRequest read_strictly(std::string_view raw) {
  StrictRequest out;
  const size_t head_end = raw.find("\r\n\r\n");
  // What has come of a head must not hold what no head may hold, even if it never ends.
  if (head_end == std::string_view::npos) {
    if (raw.find('\0') != std::string_view::npos) out.error = "NUL in a head";
    return out;
  }
  std::string_view rest = raw;
  if (!read_request_line(*take_line(rest), out)) {
    out.error = "not a request line";
    return out;
  }
  while (true) {
    const std::optional<std::string_view> line = take_line(rest);
    if (line->empty()) break;
    if (!read_field_line(*line, out)) {
      out.error = "not a field line: " + std::string(*line);
      return out;
    }
  }
  out.head_whole = true;
  out.error = read_content(rest, out);
  return out;
}

}  // namespace perigee::sim

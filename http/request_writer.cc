#include "http/request_writer.h"

#include <charconv>

#include "base/check.h"
#include "http/line_breaks.h"

namespace perigee::http {
namespace {

/// Room for the rest of a head: the fixed words of its first two lines, a framing line, the end.
constexpr size_t kHeadRestBytes = 64;

void append_number(std::string& out, uint64_t number, int base) {
  char digits[24];
  const auto end = std::to_chars(digits, digits + sizeof digits, number, base).ptr;
  out.append(digits, end);
}

}  // namespace

bool append_request_head(std::string& out, std::string_view method, std::string_view target,
                         std::string_view host, const HeaderList& fields, RequestFraming framing,
                         uint64_t content_length) {
  const size_t begin = out.size();
  size_t bytes = method.size() + target.size() + host.size() + kHeadRestBytes;
  for (const Field& field : fields) bytes += field.name.size() + field.value.size() + 4;
  out.reserve(begin + bytes);
  out.append(method).append(" ").append(target).append(" HTTP/1.1\r\nHost: ").append(host);
  out.append("\r\n");
  for (const Field& field : fields) {
    out.append(field.name).append(": ").append(field.value).append("\r\n");
  }
  // Request line, Host and the empty line.
  size_t lines = 3 + fields.size();
  if (framing == RequestFraming::kContentLength) {
    out.append("Content-Length: ");
    append_number(out, content_length, 10);
    out.append("\r\n");
    ++lines;
  } else if (framing == RequestFraming::kChunked) {
    out.append("Transfer-Encoding: chunked\r\n");
    ++lines;
  }
  out.append("\r\n");
  const bool two_spaces =
      method.find(' ') == std::string_view::npos && target.find(' ') == std::string_view::npos;
  const bool sound =
      two_spaces && line_break_bytes(std::string_view(out).substr(begin)) == 2 * lines;
  if (!sound) out.resize(begin);
  return sound;
}

void append_chunk(std::string& out, std::string_view bytes) {
  CHECK(!bytes.empty());
  append_number(out, bytes.size(), 16);
  out.append("\r\n").append(bytes).append("\r\n");
}

void append_last_chunk(std::string& out) { out.append("0\r\n\r\n"); }

}  // namespace perigee::http

#include "http/h1/writer.h"

#include <charconv>
#include <span>

#include "base/check.h"
#include "http/line_breaks.h"

namespace perigee::http {
namespace {

/// Room for the rest of a head: the fixed words of its first two lines, framing lines, the end.
constexpr size_t kHeadRestBytes = 128;

size_t line_bytes(const Field& field) { return field.name.size() + field.value.size() + 4; }

/// Writes the lines of one head into memory that has room for them, and counts them.
class HeadWriter {
 public:
  explicit HeadWriter(std::span<char> room) : room_(room), at_(room.data()) {}
  void text(std::string_view bytes) { at_ += bytes.copy(at_, bytes.size()); }
  void number(uint64_t value) { at_ = std::to_chars(at_, room_.data() + room_.size(), value).ptr; }
  void end_line() { ready_lines("\r\n", 1); }
  void line(std::string_view name, std::string_view value) {
    text(name);
    text(": ");
    text(value);
    end_line();
  }
  /// Lines that end in CRLF already.
  void ready_lines(std::string_view bytes, size_t lines) {
    text(bytes);
    lines_ += lines;
  }
  /// Writes the empty line. Returns the bytes of the head; 0 when a byte ends a line that nobody
  /// meant to end.
  size_t finish() {
    end_line();
    const auto written = static_cast<size_t>(at_ - room_.data());
    CHECK(written <= room_.size());
    return line_break_bytes({room_.data(), written}) == 2 * lines_ ? written : 0;
  }

 private:
  std::span<char> room_;
  char* at_;
  size_t lines_ = 0;
};

/// Both lines that a switch to another protocol needs (RFC 9110 §7.8).
void write_upgrade(HeadWriter& writer, std::string_view protocol) {
  writer.line("Connection", "upgrade");
  writer.line("Upgrade", protocol);
}

/// Begins a response's head in the queue: all but our own framing lines.
HeadWriter begin_response(OutQueue& out, const ResponseHead& head) {
  const std::string_view reason = head.reason.empty() ? reason_phrase(head.status) : head.reason;
  size_t size = kHeadRestBytes + reason.size() + head.upgrade.size() + head.block.text.size();
  for (size_t i = 0; i < head.fresh_count; ++i) size += line_bytes(head.fresh[i]);
  HeadWriter writer(out.reserve(size));
  writer.text("HTTP/1.1 ");
  writer.number(head.status);
  writer.text(" ");
  writer.text(reason);
  writer.end_line();
  writer.ready_lines(head.block.text, head.block.size());
  for (size_t i = 0; i < head.fresh_count; ++i) {
    writer.line(head.fresh[i].name, head.fresh[i].value);
  }
  return writer;
}

bool finish_response(OutQueue& out, HeadWriter& writer) {
  const size_t written = writer.finish();
  out.commit(written);
  return written > 0;
}

}  // namespace

bool append_request_head(std::string& out, const RequestToSend& request) {
  // A space would make four words of the first line.
  if (request.method.find(' ') != std::string_view::npos) return false;
  if (request.target.find(' ') != std::string_view::npos) return false;
  const size_t begin = out.size();
  size_t size = kHeadRestBytes + request.method.size() + request.target.size() +
                request.host.size() + request.upgrade.size();
  for (const Field& field : request.fields) size += line_bytes(field);
  out.resize(begin + size);
  HeadWriter writer({out.data() + begin, size});
  writer.text(request.method);
  writer.text(" ");
  writer.text(request.target);
  writer.text(" HTTP/1.1");
  writer.end_line();
  writer.line("Host", request.host);
  for (const Field& field : request.fields) writer.line(field.name, field.value);
  if (request.framing == Framing::kLength) {
    writer.text("Content-Length: ");
    writer.number(request.content_length);
    writer.end_line();
  } else if (request.framing == Framing::kChunked) {
    writer.line("Transfer-Encoding", "chunked");
  }
  if (!request.upgrade.empty()) write_upgrade(writer, request.upgrade);
  const size_t written = writer.finish();
  out.resize(begin + written);
  return written > 0;
}

bool write_response_head(OutQueue& out, const ResponseHead& head, const ResponseFrame& frame) {
  if (!head.block.is_whole_lines()) return false;
  HeadWriter writer = begin_response(out, head);
  if (!head.upgrade.empty()) {
    write_upgrade(writer, head.upgrade);
    return finish_response(out, writer);
  }
  if (!frame.keep_alive) {
    writer.line("Connection", "close");
  } else if (frame.client_minor == 0) {
    writer.line("Connection", "keep-alive");
  }
  if (frame.framing == Framing::kChunked) writer.line("Transfer-Encoding", "chunked");
  if (frame.framing == Framing::kLength && !head.content_length) {
    writer.line("Content-Length", "0");
  }
  return finish_response(out, writer);
}

bool write_interim_head(OutQueue& out, const ResponseHead& head) {
  if (!head.block.is_whole_lines()) return false;
  HeadWriter writer = begin_response(out, head);
  return finish_response(out, writer);
}

std::string_view chunk_line(uint64_t n, std::array<char, 20>& memory) {
  char* end = std::to_chars(memory.data(), memory.data() + memory.size(), n, 16).ptr;
  *end++ = '\r';
  *end++ = '\n';
  return {memory.data(), static_cast<size_t>(end - memory.data())};
}

void append_chunk(std::string& out, std::string_view bytes) {
  CHECK(!bytes.empty());
  std::array<char, 20> memory;
  out.append(chunk_line(bytes.size(), memory)).append(bytes).append(kChunkEnd);
}

}  // namespace perigee::http

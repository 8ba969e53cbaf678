// HTTP/1 messages to the parser and to one written by hand: what the product takes, the other takes
// too and reads alike. The first byte says what the rest is: 'q' a request's head, 's' a
// response's, another one chunked content. The product may refuse more.
#include <array>
#include <cstdio>
#include <cstdlib>

#include "http/h1/head_scanner.h"
#include "http/h1/message_parser.h"
#include "tests/support/chunked_decoder.h"
#include "tests/support/codec_rig.h"
#include "tests/support/reference_parser.h"

namespace perigee::test {
namespace {

using Side = http::MessageParser::Side;

[[noreturn]] void fail(const char* what, std::string_view bytes) {
  std::fprintf(stderr, "%s\n  bytes \"%s\"\n", what, escaped(bytes).c_str());
  std::abort();
}

void check_head(Side side, std::string_view bytes) {
  http::HeadScanner scanner({.first_line_bytes = 8192, .line_bytes = 8192, .head_bytes = 16384});
  scanner.take(bytes);
  if (scanner.state() != http::HeadScanner::State::kWhole) return;
  const std::string_view head = bytes.substr(0, scanner.bytes());
  std::array<http::Field, 200> storage;
  http::HeaderList fields(storage);
  http::StartLine start;
  http::MessageParser parser;
  if (parser.read_head(side, head, start, fields) != http::Fault::kNone) return;
  const auto other = side == Side::kRequest ? read_request_head(head) : read_response_head(head);
  if (!other) fail("the reference parser refuses it", head);
  ReferenceHead read{.method = std::string(start.method),
                     .target = std::string(start.target),
                     .status = start.status,
                     .reason = std::string(start.reason),
                     .version_minor = start.version_minor};
  for (const http::Field& field : fields) read.fields.emplace_back(field.name, field.value);
  if (!(read == *other)) fail("the reference parser reads it otherwise", head);
}

/// Both get `n` bytes at a time.
void check_content(std::string_view bytes, size_t n) {
  const std::string head = "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n";
  std::array<http::Field, 1> storage;
  http::HeaderList fields(storage);
  http::StartLine start;
  http::MessageParser parser;
  if (parser.read_head(Side::kRequest, head, start, fields) != http::Fault::kNone) {
    fail("no head of its own", head);
  }
  std::string content;
  size_t used = 0;
  while (used < bytes.size() && !parser.done() && parser.fault() == http::Fault::kNone) {
    const auto step = parser.read_chunked(std::as_bytes(std::span(bytes.substr(used, n))));
    content.append(reinterpret_cast<const char*>(step.content.data()), step.content.size());
    used += step.consumed;
  }
  ChunkedDecoder other;
  std::string expected;
  size_t taken = 0;
  while (taken < bytes.size() && !other.done() && other.error() == ChunkedDecoder::Error::kNone) {
    const auto step = other.next(std::as_bytes(std::span(bytes.substr(taken, n))));
    expected.append(reinterpret_cast<const char*>(step.content.data()), step.content.size());
    taken += step.consumed;
  }
  if (parser.fault() != http::Fault::kNone) {
    // What it let through before is right.
    if (!expected.starts_with(content)) fail("other content before the fault", bytes);
    return;
  }
  // What is refused there already may be refused here at the end of its line.
  if (!parser.done() && other.error() != ChunkedDecoder::Error::kNone) return;
  const bool same = other.error() == ChunkedDecoder::Error::kNone && content == expected &&
                    parser.done() == other.done() && used == taken;
  if (!same) fail("the reference decoder reads it otherwise", bytes);
}

}  // namespace
}  // namespace perigee::test

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace perigee::test;
  if (size == 0) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  switch (data[0]) {
    case 'q':
      check_head(Side::kRequest, bytes);
      break;
    case 's':
      check_head(Side::kResponse, bytes);
      break;
    default:
      for (const size_t n : {bytes.size() + 1, size_t{1}, size_t{3}}) check_content(bytes, n);
  }
  return 0;
}

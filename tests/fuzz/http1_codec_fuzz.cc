// Bytes of a client to the HTTP/1 codec. However they are split, the codec tells the same; what it
// sends is well-formed; what it takes for a request is one request when it is sent on; and a parser
// written by hand reads the first head alike.
#include <array>
#include <cstdio>
#include <cstdlib>

#include "http/h1/response_reader.h"
#include "http/h1/writer.h"
#include "tests/support/codec_rig.h"
#include "tests/support/reference_parser.h"

namespace perigee::test {
namespace {

constexpr size_t kByteByByte = 2048;  ///< longer inputs are only split at random

[[noreturn]] void fail(const char* what, std::string_view bytes, const std::string& more) {
  std::fprintf(stderr, "%s\n  bytes \"%s\"%s\n", what, escaped(bytes).c_str(), more.c_str());
  std::abort();
}

std::vector<std::string_view> split_by_hash(std::string_view bytes) {
  std::vector<std::string_view> pieces;
  uint64_t state = 0x9e3779b97f4a7c15u + bytes.size();
  for (const char c : bytes) state = (state ^ static_cast<unsigned char>(c)) * 0x100000001b3u;
  while (!bytes.empty()) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    const size_t n = std::min<size_t>(bytes.size(), 1 + (state >> 33) % 64);
    pieces.push_back(bytes.substr(0, n));
    bytes.remove_prefix(n);
  }
  return pieces;
}

/// Every way to split gives the outcome of the whole.
WireOutcome run_all(std::string_view bytes, FlowKind kind) {
  const WireOutcome whole = run_wire({bytes}, kind);
  std::vector<std::vector<std::string_view>> ways{split_by_hash(bytes)};
  if (bytes.size() <= kByteByByte) {
    ways.emplace_back();
    for (size_t i = 0; i < bytes.size(); ++i) ways.back().push_back(bytes.substr(i, 1));
  }
  for (const auto& pieces : ways) {
    const WireOutcome split = run_wire(pieces, kind);
    if (!(split == whole)) fail("splits differ", bytes, told(whole) + "\n split:" + told(split));
  }
  return whole;
}

/// What was sent is as many whole responses as there were requests and refusals.
void check_output(std::string_view bytes, const WireOutcome& outcome) {
  std::span<const std::byte> sent{reinterpret_cast<const std::byte*>(outcome.received.data()),
                                  outcome.received.size()};
  size_t finals = 0;
  size_t expected = outcome.refusals.size();
  for (const SeenRequest& seen : outcome.requests) expected += seen.sent_whole;
  http::ResponseReader parser;
  for (const SeenRequest& seen : outcome.requests) {
    if (!seen.sent_whole) continue;
    parser.begin(http::method_of(seen.method));
    for (bool over = false; !over;) {
      const http::ResponseReader::Step step = parser.next(sent);
      sent = sent.subspan(step.consumed);
      over = step.event == http::ResponseReader::Event::kEnd;
      const bool starved = step.event == http::ResponseReader::Event::kNeedMore && sent.empty();
      if (starved || step.event == http::ResponseReader::Event::kError) {
        fail("malformed output", bytes, told(outcome));
      }
    }
    ++finals;
  }
  if (!outcome.refusals.empty()) {
    // The last one is the refusal; it closes, so its content may be left out for HEAD.
    const std::string_view rest(reinterpret_cast<const char*>(sent.data()), sent.size());
    const size_t at = rest.find("HTTP/1.1 " + std::to_string(outcome.refusals[0]) + " ");
    if (at == std::string_view::npos || rest.find("\r\n\r\n") == std::string_view::npos) {
      fail("no refusal was sent", bytes, told(outcome));
    }
    ++finals;
  } else if (!sent.empty()) {
    const std::string_view rest(reinterpret_cast<const char*>(sent.data()), sent.size());
    if (rest != "HTTP/1.1 100 Continue\r\n\r\n") fail("surplus output", bytes, told(outcome));
  }
  if (finals != expected) fail("not as many answers as requests", bytes, told(outcome));
}

bool is_connections_own(std::string_view name) {
  switch (http::field_name(name)) {
    case http::FieldName::kHost:
    case http::FieldName::kConnection:
    case http::FieldName::kContentLength:
    case http::FieldName::kTransferEncoding:
    case http::FieldName::kExpect:
    case http::FieldName::kUpgrade:
    case http::FieldName::kHttp2Settings:
      return true;
    default:
      return false;
  }
}

/// Sent on, it is one request, and the same one.
void check_forwarding(std::string_view bytes, const SeenRequest& seen) {
  std::vector<http::Field> storage(seen.fields.size());
  http::HeaderList fields(storage);
  std::vector<std::pair<std::string, std::string>> kept;
  for (const auto& [name, value] : seen.fields) {
    if (is_connections_own(name)) continue;
    fields.add(name, value);
    kept.emplace_back(name, value);
  }
  const std::string host = seen.authority.empty() ? "site" : seen.authority;
  const auto framing = seen.body ? http::Framing::kChunked : http::Framing::kNone;
  std::string text;
  CHECK(http::append_request_head(text, {seen.method, seen.target, host, fields, framing}));
  if (seen.body) {
    if (!seen.body->empty()) http::append_chunk(text, *seen.body);
    text += http::kLastChunk;
  }
  WireOutcome again = run_wire({text}, FlowKind::kReadThenAnswer);
  // Host is longer than nothing: a head at its bound may be refused for its size, and for that
  // alone.
  if (again.refusals == std::vector<uint16_t>{431}) return;
  const bool one = again.requests.size() == 1 && again.refusals.empty();
  if (!one)
    fail("not one request when sent on", bytes, "\n as \"" + escaped(text) + '"' + told(again));
  SeenRequest& other = again.requests[0];
  std::erase_if(other.fields, [](const auto& field) { return is_connections_own(field.first); });
  const bool same = other.method == seen.method && other.target == seen.target &&
                    other.authority == host && other.fields == kept && other.body == seen.body;
  if (!same)
    fail("another request when sent on", bytes, "\n as \"" + escaped(text) + '"' + told(again));
}

/// A parser written by hand reads the first head alike.
void check_second_opinion(std::string_view bytes, const SeenRequest& seen) {
  if (bytes.starts_with("\r\n")) bytes.remove_prefix(2);
  const size_t end = bytes.find("\r\n\r\n");
  const auto opinion = read_request_head(bytes.substr(0, end + 4));
  const bool absolute = opinion && opinion->target.find("://") != std::string::npos;
  const bool same = opinion && opinion->method == seen.method && opinion->fields == seen.fields &&
                    (opinion->target == seen.target || absolute);
  if (!same) fail("the reference parser reads it otherwise", bytes, "");
}

}  // namespace
}  // namespace perigee::test

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace perigee::test;
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  for (const FlowKind kind : {FlowKind::kReadThenAnswer, FlowKind::kAnswerAtOnce}) {
    const WireOutcome outcome = run_all(bytes, kind);
    check_output(bytes, outcome);
    if (kind == FlowKind::kAnswerAtOnce) continue;
    for (const SeenRequest& seen : outcome.requests) {
      if (seen.sent_whole) check_forwarding(bytes, seen);
    }
    if (!outcome.requests.empty()) check_second_opinion(bytes, outcome.requests[0]);
  }
  return 0;
}

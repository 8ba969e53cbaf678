#include "http/response_parser.h"

#include <algorithm>
#include <string>
#include <vector>

#include "base/check.h"
#include "base/limits.h"
#include "http/chunked_decoder.h"
#include "http/connection_options.h"
#include "http/http1_fields.h"

namespace perigee::http {

namespace limits = base::limits;

namespace {

constexpr size_t kUsualHeadBytes = 1 * limits::kKiB;  ///< room that most heads need

std::string_view as_text(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

/// Codings that a sender means to be decoded; any other single one is read to the close.
bool is_known_coding(std::string_view coding) {
  for (const std::string_view known :
       {"chunked", "gzip", "x-gzip", "deflate", "compress", "x-compress", "identity"}) {
    if (iequals(coding, known)) return true;
  }
  return false;
}

enum class Framing : uint8_t { kNone, kLength, kChunked, kClose };

/// A head that never has content says that some follows.
bool says_content(const HeaderList& fields) {
  const size_t lengths = fields.count(FieldName::kContentLength);
  return fields.find(FieldName::kTransferEncoding) != nullptr || lengths > 1 ||
         (lengths == 1 && parse_content_length(fields.value(FieldName::kContentLength)) != 0u);
}

}  // namespace

struct ResponseParser::State {
  enum class Phase : uint8_t { kHead, kBody, kDone, kError };

  Method method = Method::kGet;
  Phase phase = Phase::kHead;
  std::string raw;  ///< the head, until it is whole and while its views are in use
  size_t line_begin = 0;
  size_t lines = 0;
  bool raw_done = false;  ///< the head in `raw` was reported
  size_t interims = 0;
  std::vector<Field> storage;  ///< as many as the head has lines
  ReceivedResponse head;
  Framing framing = Framing::kNone;
  uint64_t left = 0;
  ChunkedDecoder chunks;
  bool tainted = false;  ///< something before said that the connection must not go on
  std::string_view error;
  bool started = false;

  Event fail(std::string_view why) {
    phase = Phase::kError;
    error = why;
    return Event::kError;
  }
  void begin_head();
  Step read_head(std::span<const std::byte> input);
  Event scan();
  Event parse_head();
  bool parse_status_line(std::string_view line);
  bool parse_fields(std::string_view lines_text);
  bool choose_framing(const ConnectionOptions& connection);
  bool choose_length(const HeaderList& fields);
  bool choose_coding(const HeaderList& fields);
  Step read_body(std::span<const std::byte> input);
  Step read_chunked(std::span<const std::byte> input);
  Event end() {
    phase = Phase::kDone;
    return Event::kEnd;
  }
  /// The content has come to the end that its framing says.
  bool whole() const {
    if (phase != Phase::kBody) return false;
    return framing == Framing::kNone || (framing == Framing::kLength && left == 0) ||
           (framing == Framing::kChunked && chunks.done());
  }
};

ResponseParser::ResponseParser() : state_(std::make_unique<State>()) {}
ResponseParser::~ResponseParser() = default;

void ResponseParser::begin(Method method) {
  state_->method = method;
  state_->phase = State::Phase::kHead;
  state_->interims = 0;
  state_->tainted = false;
  state_->error = {};
  state_->started = false;
  state_->begin_head();
}

const ReceivedResponse& ResponseParser::head() const { return state_->head; }
std::string_view ResponseParser::error() const { return state_->error; }
bool ResponseParser::started() const { return state_->started; }

ResponseParser::Step ResponseParser::next(std::span<const std::byte> input) {
  State& state = *state_;
  switch (state.phase) {
    case State::Phase::kHead:
      return state.read_head(input);
    case State::Phase::kBody:
      return state.read_body(input);
    case State::Phase::kDone:
      return {Event::kEnd, 0, {}};
    case State::Phase::kError:
      return {Event::kError, 0, {}};
  }
  return {};
}

ResponseParser::Event ResponseParser::next_eof(bool clean) {
  State& state = *state_;
  if (state.phase == State::Phase::kError) return Event::kError;
  if (state.phase == State::Phase::kDone || state.whole()) return state.end();
  if (state.phase == State::Phase::kBody && state.framing == Framing::kClose && clean) {
    return state.end();
  }
  return state.fail("the connection ended before the response did");
}

void ResponseParser::State::begin_head() {
  raw.clear();
  line_begin = lines = 0;
  raw_done = false;
  head = ReceivedResponse{};
}

ResponseParser::Step ResponseParser::State::read_head(std::span<const std::byte> input) {
  if (raw_done) begin_head();
  if (input.empty()) return {};
  started = true;
  // Taken line by line, so that what follows the head stays with the caller.
  const std::string_view text = as_text(input);
  if (raw.empty()) raw.reserve(std::min(text.size(), kUsualHeadBytes));
  size_t used = 0;
  while (used < text.size()) {
    const size_t newline = text.find('\n', used);
    const size_t end = newline == std::string_view::npos ? text.size() : newline + 1;
    raw.append(text.substr(used, end - used));
    used = end;
    if (raw.size() > limits::kOriginHeadBytes) {
      return {fail("the origin's head is too large"), used, {}};
    }
    if (newline == std::string_view::npos) break;
    const Event event = scan();
    if (event != Event::kNeedMore) return {event, used, {}};
  }
  return {Event::kNeedMore, used, {}};
}

/// Judges the line that has just been completed; at the empty one, the head.
ResponseParser::Event ResponseParser::State::scan() {
  const std::string_view bytes = raw;
  const size_t newline = bytes.size() - 1;
  if (newline == line_begin || bytes[newline - 1] != '\r') {
    return fail("a line of the origin's head ends in LF without CR");
  }
  const bool empty = newline == line_begin + 1;
  line_begin = newline + 1;
  if (empty) return lines > 0 ? parse_head() : fail("the origin's head is empty");
  ++lines;
  return Event::kNeedMore;
}

ResponseParser::Event ResponseParser::State::parse_head() {
  raw_done = true;
  if (lines > limits::kOriginFields + 1) return fail("too many fields in the origin's head");
  storage.resize(lines);
  head.fields = HeaderList(storage);
  const std::string_view text = raw;
  const size_t end = text.find('\n');
  if (!parse_status_line(text.substr(0, end - 1))) return Event::kError;
  if (!parse_fields(text.substr(end + 1))) return Event::kError;
  const ConnectionOptions connection(head.fields);
  if (connection.too_many()) return fail("the origin's Connection names too many fields");
  if (head.status >= 100 && head.status < 200) {
    if (head.status == 101) return fail("the origin switched protocols unasked");
    if (++interims > limits::kInterimResponses) return fail("too many interim responses");
    // No content follows, whatever it says: who says so may go on with it.
    if (says_content(head.fields)) tainted = true;
    return Event::kInterim;
  }
  if (!choose_framing(connection)) return Event::kError;
  phase = Phase::kBody;
  return Event::kHead;
}

bool ResponseParser::State::parse_status_line(std::string_view line) {
  const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
  const bool shaped = line.size() >= 12 && line.starts_with("HTTP/1.") &&
                      (line[7] == '0' || line[7] == '1') && line[8] == ' ' && is_digit(line[9]) &&
                      is_digit(line[10]) && is_digit(line[11]) &&
                      (line.size() == 12 || line[12] == ' ') && is_field_value(line);
  if (!shaped) {
    fail("the origin's status line is malformed");
    return false;
  }
  head.version_minor = static_cast<uint8_t>(line[7] - '0');
  head.status =
      static_cast<uint16_t>((line[9] - '0') * 100 + (line[10] - '0') * 10 + line[11] - '0');
  head.reason = line.size() > 13 ? line.substr(13) : std::string_view();
  if (head.status < 100) {
    fail("the origin's status is below 100");
    return false;
  }
  return true;
}

bool ResponseParser::State::parse_fields(std::string_view text) {
  while (!text.starts_with("\r\n")) {
    const size_t end = text.find('\n');
    Field field;
    if (!parse_field_line(text.substr(0, end - 1), field)) {
      fail("a field line of the origin is malformed");
      return false;
    }
    CHECK(head.fields.add(field));
    text.remove_prefix(end + 1);
  }
  return true;
}

/// RFC 9112 §6.3, refusing what can be read in two ways.
bool ResponseParser::State::choose_framing(const ConnectionOptions& connection) {
  const HeaderList& fields = head.fields;
  head.keep_alive = connection.persists(head.version_minor) && !tainted;
  head.has_body = !never_has_body(method, head.status);
  if (!head.has_body) {
    framing = Framing::kNone;
    if (fields.find(FieldName::kTransferEncoding) == nullptr &&
        fields.count(FieldName::kContentLength) == 1) {
      head.content_length = parse_content_length(fields.value(FieldName::kContentLength));
    }
    const bool expects_none = method == Method::kHead || head.status == 304;
    if (!expects_none && says_content(fields)) head.keep_alive = false;
    return true;
  }
  framing = Framing::kClose;
  if (!choose_length(fields) || !choose_coding(fields)) return false;
  if (framing == Framing::kClose) head.keep_alive = false;
  return true;
}

bool ResponseParser::State::choose_length(const HeaderList& fields) {
  const size_t lengths = fields.count(FieldName::kContentLength);
  if (lengths == 0) return true;
  const auto length = parse_content_length(fields.value(FieldName::kContentLength));
  if (lengths > 1 || !length || fields.find(FieldName::kTransferEncoding) != nullptr) {
    fail("the origin's Content-Length can be read in two ways");
    return false;
  }
  head.content_length = length;
  framing = Framing::kLength;
  left = *length;
  return true;
}

bool ResponseParser::State::choose_coding(const HeaderList& fields) {
  const size_t codings = fields.count(FieldName::kTransferEncoding);
  if (codings == 0) return true;
  const std::string_view coding = fields.value(FieldName::kTransferEncoding);
  if (head.version_minor == 0) {
    fail("Transfer-Encoding in a response of HTTP/1.0");
    return false;
  }
  if (codings == 1 && iequals(coding, "chunked")) {
    framing = Framing::kChunked;
    chunks.begin();
    return true;
  }
  if (codings > 1 || is_known_coding(coding) || !is_token(coding)) {
    fail("the origin's Transfer-Encoding is not chunked");
    return false;
  }
  return true;
}

ResponseParser::Step ResponseParser::State::read_body(std::span<const std::byte> input) {
  if (whole()) return {end(), 0, {}};
  if (input.empty()) return {};
  switch (framing) {
    case Framing::kNone:
      break;
    case Framing::kLength: {
      const auto n = static_cast<size_t>(std::min<uint64_t>(left, input.size()));
      left -= n;
      return {Event::kBody, n, input.first(n)};
    }
    case Framing::kChunked:
      return read_chunked(input);
    case Framing::kClose:
      return {Event::kBody, input.size(), input};
  }
  return {};
}

ResponseParser::Step ResponseParser::State::read_chunked(std::span<const std::byte> input) {
  const ChunkedDecoder::Step step = chunks.next(input);
  if (chunks.error() != ChunkedDecoder::Error::kNone) {
    return {fail("the origin's chunked content is malformed"), step.consumed, {}};
  }
  if (!step.content.empty()) return {Event::kBody, step.consumed, step.content};
  return {chunks.done() ? end() : Event::kNeedMore, step.consumed, {}};
}

}  // namespace perigee::http

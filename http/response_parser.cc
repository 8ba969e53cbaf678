#include "http/response_parser.h"

#include <llhttp.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "base/check.h"
#include "base/limits.h"

namespace perigee::http {

namespace limits = base::limits;

namespace {

std::string_view as_text(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

void extend(std::string_view& span, const char* at, size_t length) {
  span = span.empty() ? std::string_view(at, length)
                      : std::string_view(span.data(), span.size() + length);
}

bool any_member(const HeaderList& fields, FieldName token, std::string_view wanted) {
  for (const Field& field : fields) {
    if (field.token != token) continue;
    ListCursor cursor(field.value);
    while (const auto member = cursor.next()) {
      if (iequals(*member, wanted)) return true;
    }
  }
  return false;
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

}  // namespace

struct ResponseParser::State {
  enum class Phase : uint8_t { kHead, kBody, kDone, kError };

  Method method = Method::kGet;
  Phase phase = Phase::kHead;
  std::string raw;            ///< the head, until it is whole and while its views are in use
  size_t scanned = 0;
  size_t line_begin = 0;
  size_t lines = 0;
  bool raw_done = false;      ///< the head in `raw` was reported
  size_t interims = 0;
  std::array<Field, limits::kOriginFields> storage;
  ReceivedResponse head;
  Framing framing = Framing::kNone;
  uint64_t left = 0;
  llhttp_t chunks;            ///< decodes chunked content only
  bool chunks_done = false;
  std::string_view content;   ///< of the piece being decoded
  size_t extension_bytes = 0;
  size_t extensions_bytes = 0;
  size_t trailer_bytes = 0;
  std::string_view error;
  bool started = false;

  struct Callbacks;
  Event fail(std::string_view why) {
    phase = Phase::kError;
    error = why;
    return Event::kError;
  }
  void begin_head();
  Step read_head(std::span<const std::byte> input);
  Event scan();
  bool check_line(std::string_view line);
  Event parse_head();
  bool parse_status_line(std::string_view line);
  bool parse_fields(std::string_view lines_text);
  bool choose_framing();
  Step read_body(std::span<const std::byte> input);
  Step read_chunked(std::span<const std::byte> input);
  Event end() {
    phase = Phase::kDone;
    return Event::kEnd;
  }
};

/// llhttp decodes chunked content: it is given a head of our own, then the content.
struct ResponseParser::State::Callbacks {
  static State& self(llhttp_t* parser) { return *static_cast<State*>(parser->data); }
  static int on_body(llhttp_t* parser, const char* at, size_t length) {
    extend(self(parser).content, at, length);
    return HPE_PAUSED;
  }
  static int on_extension(llhttp_t* parser, const char*, size_t length) {
    State& state = self(parser);
    state.extension_bytes += length + 1;
    state.extensions_bytes += length + 1;
    const bool fits = state.extension_bytes <= limits::kChunkExtensionBytes &&
                      state.extensions_bytes <= limits::kChunkExtensionsBytes;
    return fits ? 0 : -1;
  }
  static int on_trailer(llhttp_t* parser, const char*, size_t length) {
    State& state = self(parser);
    state.trailer_bytes += length;
    return state.trailer_bytes <= limits::kTrailerBytes ? 0 : -1;
  }
  static int on_chunk_complete(llhttp_t* parser) {
    self(parser).extension_bytes = 0;
    return 0;
  }
  static int on_message_complete(llhttp_t* parser) {
    self(parser).chunks_done = true;
    return HPE_PAUSED;
  }
  static const llhttp_settings_t& settings() {
    static const llhttp_settings_t kSettings = [] {
      llhttp_settings_t settings;
      llhttp_settings_init(&settings);
      settings.on_body = on_body;
      settings.on_chunk_extension_name = on_extension;
      settings.on_chunk_extension_value = on_extension;
      settings.on_header_field = on_trailer;
      settings.on_header_value = on_trailer;
      settings.on_chunk_complete = on_chunk_complete;
      settings.on_message_complete = on_message_complete;
      return settings;
    }();
    return kSettings;
  }
};

ResponseParser::ResponseParser() : state_(std::make_unique<State>()) {}
ResponseParser::~ResponseParser() = default;

void ResponseParser::begin(Method method) {
  state_->method = method;
  state_->phase = State::Phase::kHead;
  state_->interims = 0;
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
  if (state.phase == State::Phase::kDone) return Event::kEnd;
  if (state.phase == State::Phase::kBody && state.framing == Framing::kClose && clean) {
    return state.end();
  }
  return state.fail("the connection ended before the response did");
}

void ResponseParser::State::begin_head() {
  raw.clear();
  scanned = line_begin = lines = 0;
  raw_done = false;
  head = ReceivedResponse{};
  head.fields = HeaderList(storage);
}

ResponseParser::Step ResponseParser::State::read_head(std::span<const std::byte> input) {
  if (raw_done) begin_head();
  if (input.empty()) return {};
  started = true;
  // Taken line by line, so that what follows the head stays with the caller.
  const std::string_view text = as_text(input);
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
  const std::string_view line = bytes.substr(line_begin, newline - 1 - line_begin);
  line_begin = newline + 1;
  if (line.empty()) {
    if (lines == 0) return fail("the origin's head is empty");
    return parse_head();
  }
  if (!check_line(line)) return Event::kError;
  ++lines;
  return Event::kNeedMore;
}

bool ResponseParser::State::check_line(std::string_view line) {
  if (line.find('\r') != std::string_view::npos || line.find('\0') != std::string_view::npos) {
    fail("a CR or NUL inside a line of the origin's head");
    return false;
  }
  if (lines > 0 && (line.front() == ' ' || line.front() == '\t')) {
    fail("a folded field line in the origin's head");
    return false;
  }
  return true;
}

ResponseParser::Event ResponseParser::State::parse_head() {
  raw_done = true;
  const std::string_view text = raw;
  const size_t first = text.find('\r');
  if (!parse_status_line(text.substr(0, first))) return Event::kError;
  if (!parse_fields(text.substr(first + 2))) return Event::kError;
  if (head.status >= 100 && head.status < 200) {
    if (head.status == 101) return fail("the origin switched protocols unasked");
    if (++interims > limits::kInterimResponses) return fail("too many interim responses");
    return Event::kInterim;
  }
  if (!choose_framing()) return Event::kError;
  phase = Phase::kBody;
  return Event::kHead;
}

bool ResponseParser::State::parse_status_line(std::string_view line) {
  const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
  const bool shaped = line.size() >= 12 && line.starts_with("HTTP/1.") &&
                      (line[7] == '0' || line[7] == '1') && line[8] == ' ' && is_digit(line[9]) &&
                      is_digit(line[10]) && is_digit(line[11]) &&
                      (line.size() == 12 || line[12] == ' ');
  if (!shaped) {
    fail("the origin's status line is malformed");
    return false;
  }
  head.version_minor = static_cast<uint8_t>(line[7] - '0');
  head.status = static_cast<uint16_t>((line[9] - '0') * 100 + (line[10] - '0') * 10 + line[11] - '0');
  head.reason = line.size() > 13 ? line.substr(13) : std::string_view();
  if (!is_field_value(head.reason)) head.reason = {};
  if (head.status < 100) {
    fail("the origin's status is below 100");
    return false;
  }
  return true;
}

bool ResponseParser::State::parse_fields(std::string_view text) {
  while (!text.starts_with("\r\n")) {
    const size_t end = text.find('\r');
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(end + 2);
    const size_t colon = line.find(':');
    const std::string_view name = line.substr(0, colon);
    if (colon == std::string_view::npos || !is_token(name)) {
      fail("a field name of the origin is malformed");
      return false;
    }
    const std::string_view value = trim_ows(line.substr(colon + 1));
    if (!is_field_value(value)) {
      fail("a field value of the origin is malformed");
      return false;
    }
    if (!head.fields.add(name, value)) {
      fail("too many fields in the origin's head");
      return false;
    }
  }
  return true;
}

/// RFC 9112 §6.3, refusing what can be read in two ways.
bool ResponseParser::State::choose_framing() {
  const HeaderList& fields = head.fields;
  const size_t codings = fields.count(FieldName::kTransferEncoding);
  const size_t lengths = fields.count(FieldName::kContentLength);
  const bool bodiless = never_has_body(method, head.status);
  const bool asks_close = any_member(fields, FieldName::kConnection, "close");
  const bool asks_keep = any_member(fields, FieldName::kConnection, "keep-alive");
  head.keep_alive = !asks_close && (head.version_minor == 1 || asks_keep);
  framing = Framing::kClose;
  if (lengths > 0) {
    const std::string_view digits = fields.value(FieldName::kContentLength);
    uint64_t length = 0;
    const auto parsed = std::from_chars(digits.data(), digits.data() + digits.size(), length);
    const bool number = !digits.empty() && parsed.ec == std::errc() &&
                        parsed.ptr == digits.data() + digits.size();
    if (!bodiless && (lengths > 1 || !number || codings > 0)) {
      fail("the origin's Content-Length can be read in two ways");
      return false;
    }
    if (number && lengths == 1) head.content_length = length;
    framing = Framing::kLength;
    left = length;
    // A length on what cannot have content: whatever follows is not the next response.
    if ((head.status == 204) && length > 0) head.keep_alive = false;
  }
  if (codings > 0) {
    const std::string_view coding = fields.value(FieldName::kTransferEncoding);
    if (!bodiless && head.version_minor == 0) {
      fail("Transfer-Encoding in a response of HTTP/1.0");
      return false;
    }
    if (codings == 1 && iequals(coding, "chunked")) {
      framing = Framing::kChunked;
    } else if (!bodiless && (codings > 1 || is_known_coding(coding) || !is_token(coding))) {
      fail("the origin's Transfer-Encoding is not chunked");
      return false;
    } else {
      framing = Framing::kClose;
      head.keep_alive = false;
    }
  }
  if (bodiless) {
    framing = Framing::kNone;
    if (codings > 0 && method != Method::kHead) head.keep_alive = false;
  }
  if (framing == Framing::kClose) head.keep_alive = false;
  head.has_body = !bodiless;
  if (framing == Framing::kChunked) {
    llhttp_init(&chunks, HTTP_RESPONSE, &Callbacks::settings());
    chunks.data = this;
    chunks_done = false;
    extension_bytes = extensions_bytes = trailer_bytes = 0;
    static constexpr std::string_view kHead = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    const llhttp_errno_t outcome = llhttp_execute(&chunks, kHead.data(), kHead.size());
    CHECK(outcome == HPE_OK);
    trailer_bytes = 0;
  }
  return true;
}

ResponseParser::Step ResponseParser::State::read_body(std::span<const std::byte> input) {
  switch (framing) {
    case Framing::kNone:
      return {end(), 0, {}};
    case Framing::kLength: {
      if (left == 0) return {end(), 0, {}};
      const size_t n = static_cast<size_t>(std::min<uint64_t>(left, input.size()));
      if (n == 0) return {};
      left -= n;
      return {Event::kBody, n, input.first(n)};
    }
    case Framing::kClose:
      if (input.empty()) return {};
      return {Event::kBody, input.size(), input};
    case Framing::kChunked:
      return read_chunked(input);
  }
  return {};
}

ResponseParser::Step ResponseParser::State::read_chunked(std::span<const std::byte> input) {
  if (chunks_done) return {end(), 0, {}};
  if (input.empty()) return {};
  content = {};
  const std::string_view text = as_text(input);
  const llhttp_errno_t outcome = llhttp_execute(&chunks, text.data(), text.size());
  size_t used = text.size();
  if (outcome == HPE_PAUSED) {
    used = static_cast<size_t>(llhttp_get_error_pos(&chunks) - text.data());
    llhttp_resume(&chunks);
  } else if (outcome != HPE_OK) {
    return {fail("the origin's chunked content is malformed"), 0, {}};
  }
  if (!content.empty()) {
    const size_t at = static_cast<size_t>(content.data() - text.data());
    return {Event::kBody, used, input.subspan(at, content.size())};
  }
  if (chunks_done) return {end(), used, {}};
  return {Event::kNeedMore, used, {}};
}

}  // namespace perigee::http

#include "http/h1/message_parser.h"

#include <algorithm>
#include <array>

#include "base/check.h"
#include "base/limits.h"
#include "base/text.h"

namespace perigee::http {

namespace limits = base::limits;

#if LLHTTP_VERSION_MAJOR < 9
static_assert(LLHTTP_STRICT_MODE == 1, "a loose llhttp accepts requests that smuggle others");
#endif

namespace {

constexpr std::string_view kVersionPrefix = "HTTP/";
constexpr size_t kVersionSize = 8;
constexpr std::string_view kCrLf = "\r\n";

bool is_digit(char c) { return c >= '0' && c <= '9'; }

bool is_version(std::string_view text) {
  return text.size() == kVersionSize && text.starts_with(kVersionPrefix) && is_digit(text[5]) &&
         text[6] == '.' && is_digit(text[7]);
}

/// Of a well-formed version.
bool is_spoken_here(std::string_view version) { return version[5] == '1' && version[7] <= '1'; }

/// RFC 9112 §3: method, target and version with one space between them. For a line that llhttp
/// refused: says whether it is one all the same, and takes its method.
Fault judge_refused_request_line(std::string_view line, bool method_known, StartLine& start) {
  start = {};
  const size_t first = line.find(' ');
  const size_t last = line.rfind(' ');
  if (first == std::string_view::npos || last <= first + 1) return Fault::kStartLine;
  const std::string_view method = line.substr(0, first);
  const std::string_view target = line.substr(first + 1, last - first - 1);
  const std::string_view version = line.substr(last + 1);
  if (!is_token(method) || target.find(' ') != std::string_view::npos || !is_version(version)) {
    return Fault::kStartLine;
  }
  start.method = method;
  start.target = target;
  if (!method_known) return Fault::kMethod;
  return is_spoken_here(version) ? Fault::kSyntax : Fault::kVersion;
}

}  // namespace

/// A head while llhttp goes through it.
struct MessageParser::HeadReading {
  const llhttp_t& llhttp;
  std::string_view head;
  StartLine& start;
  HeaderList& fields;
  /// Behind the lines that were held against what llhttp told; null: the first line was not yet.
  const char* checked = nullptr;
  Field field{};
  Fault fault = Fault::kNone;
  bool complete = false;

  std::string_view first_line() const { return head.substr(0, head.find(kCrLf)); }

  /// The first line is what llhttp told, byte by byte.
  bool check_start_line() {
    const std::string_view line = first_line();
    fault = llhttp.type == HTTP_REQUEST ? guard_request_line(line) : guard_status_line(line);
    checked = line.data() + line.size() + 2;
    return fault == Fault::kNone;
  }
  Fault guard_request_line(std::string_view line) {
    const size_t target_at = start.method.size() + 1;
    const size_t version_at = target_at + start.target.size() + 1;
    const bool shaped = is_token(start.method) && !start.target.empty() &&
                        start.method.data() == line.data() &&
                        start.target.data() == line.data() + target_at &&
                        line.size() == version_at + kVersionSize && line[target_at - 1] == ' ' &&
                        line[version_at - 1] == ' ' && is_version(line.substr(version_at));
    if (!shaped) return Fault::kStartLine;
    const std::string_view version = line.substr(version_at);
    if (!is_spoken_here(version)) return Fault::kVersion;
    start.version_minor = static_cast<uint8_t>(version[7] - '0');
    return llhttp.http_major == 1 && llhttp.http_minor == start.version_minor ? Fault::kNone
                                                                              : Fault::kStartLine;
  }
  /// RFC 9112 §4: version, three digits, and perhaps a space and a reason.
  Fault guard_status_line(std::string_view line) {
    constexpr size_t kStatusAt = kVersionSize + 1;
    constexpr size_t kReasonAt = kStatusAt + 4;
    const bool shaped = line.size() >= kReasonAt - 1 && is_version(line.substr(0, kVersionSize)) &&
                        line[kVersionSize] == ' ' && line[kStatusAt] >= '1' &&
                        is_digit(line[kStatusAt]) && is_digit(line[kStatusAt + 1]) &&
                        is_digit(line[kStatusAt + 2]) &&
                        (line.size() < kReasonAt || line[kReasonAt - 1] == ' ');
    if (!shaped || !is_field_value(line)) return Fault::kStartLine;
    if (!is_spoken_here(line)) return Fault::kVersion;
    start.version_minor = static_cast<uint8_t>(line[7] - '0');
    start.status =
        static_cast<uint16_t>((line[kStatusAt] - '0') * 100 + (line[kStatusAt + 1] - '0') * 10 +
                              line[kStatusAt + 2] - '0');
    const std::string_view reason = line.size() > kReasonAt ? line.substr(kReasonAt) : "";
    const bool same = llhttp.http_major == 1 && llhttp.http_minor == start.version_minor &&
                      llhttp.status_code == start.status && start.reason == reason;
    return same ? Fault::kNone : Fault::kStartLine;
  }

  /// The line behind those that were checked is `token: value` of the field that llhttp told.
  Fault guard_field_line() {
    const char* const end = head.data() + head.size();
    const std::string_view name = field.name;
    if (name.data() != checked || !is_token(name)) return Fault::kFieldLine;
    const char* at = name.data() + name.size();
    // The head ends in CRLF twice, so that none of these loops leaves it.
    if (*at++ != ':') return Fault::kFieldLine;
    while (*at == ' ' || *at == '\t') ++at;
    if (!field.value.empty() && field.value.data() != at) return Fault::kFieldLine;
    at += field.value.size();
    if (end - at < 4 || at[0] != '\r' || at[1] != '\n') return Fault::kFieldLine;
    if (!is_field_value(field.value)) return Fault::kFieldLine;
    checked = at + 2;
    field.value = trim_ows(field.value);
    field.token = field_name(name);
    return fields.add(field) ? Fault::kNone : Fault::kTooManyFields;
  }
};

/// What llhttp calls. Each returns 0 to go on, -1 for an error, HPE_PAUSED to stop there.
struct MessageParser::Callbacks {
  static HeadReading* reading(llhttp_t* llhttp) { return static_cast<HeadReading*>(llhttp->data); }
  static int on_method(llhttp_t* llhttp, const char* at, size_t n) {
    reading(llhttp)->start.method = {at, n};
    return 0;
  }
  static int on_url(llhttp_t* llhttp, const char* at, size_t n) {
    reading(llhttp)->start.target = {at, n};
    return 0;
  }
  static int on_status(llhttp_t* llhttp, const char* at, size_t n) {
    reading(llhttp)->start.reason = {at, n};
    return 0;
  }
  static int on_field(llhttp_t* llhttp, const char* at, size_t n) {
    HeadReading& head = *reading(llhttp);
    head.field = {FieldName::kOther, {at, n}, {}};
    return head.checked != nullptr || head.check_start_line() ? 0 : -1;
  }
  static int on_value(llhttp_t* llhttp, const char* at, size_t n) {
    reading(llhttp)->field.value = {at, n};
    return 0;
  }
  static int on_value_complete(llhttp_t* llhttp) {
    HeadReading& head = *reading(llhttp);
    head.fault = head.guard_field_line();
    return head.fault == Fault::kNone ? 0 : -1;
  }
  static int on_headers_complete(llhttp_t* llhttp) {
    HeadReading& head = *reading(llhttp);
    head.complete = true;
    // Upgrade is answered as if it had not been asked for.
    llhttp->upgrade = 0;
    return HPE_PAUSED;
  }

  static MessageParser& parser(llhttp_t* llhttp) {
    return *static_cast<MessageParser*>(llhttp->data);
  }
  static int on_body(llhttp_t* llhttp, const char*, size_t n) {
    parser(llhttp).body_bytes_ += n;
    return 0;
  }
  static int on_chunk_header(llhttp_t* llhttp) {
    parser(llhttp).header_told_ = true;
    return 0;
  }
  static int on_chunk_complete(llhttp_t* llhttp) {
    parser(llhttp).chunk_told_ = true;
    return 0;
  }
  static int on_message_complete(llhttp_t* llhttp) {
    parser(llhttp).message_told_ = true;
    return HPE_PAUSED;
  }

  static constexpr llhttp_settings_t for_heads() {
    llhttp_settings_t settings{};
    settings.on_method = on_method;
    settings.on_url = on_url;
    settings.on_status = on_status;
    settings.on_header_field = on_field;
    settings.on_header_value = on_value;
    settings.on_header_value_complete = on_value_complete;
    settings.on_headers_complete = on_headers_complete;
    return settings;
  }
  static constexpr llhttp_settings_t for_content() {
    llhttp_settings_t settings{};
    settings.on_body = on_body;
    settings.on_chunk_header = on_chunk_header;
    settings.on_chunk_complete = on_chunk_complete;
    settings.on_message_complete = on_message_complete;
    return settings;
  }
};

Fault MessageParser::read_head(Side side, std::string_view head, StartLine& start,
                               HeaderList& fields) {
  static constexpr llhttp_settings_t settings = Callbacks::for_heads();
  CHECK(head.ends_with("\r\n\r\n"));
  llhttp_init(&llhttp_, side == Side::kRequest ? HTTP_REQUEST : HTTP_RESPONSE, &settings);
  HeadReading reading{llhttp_, head, start, fields};
  llhttp_.data = &reading;
  const llhttp_errno_t result = llhttp_execute(&llhttp_, head.data(), head.size());
  llhttp_.data = nullptr;
  // There is no field line, or llhttp got to none.
  if (reading.checked == nullptr) reading.check_start_line();
  if (reading.fault == Fault::kStartLine && side == Side::kRequest) {
    const bool method_known = result != HPE_INVALID_METHOD;
    return judge_refused_request_line(reading.first_line(), method_known, start);
  }
  if (reading.fault != Fault::kNone) return reading.fault;
  // Each line was told, and nothing but the empty one is left.
  const bool whole = reading.complete && result == HPE_PAUSED &&
                     reading.checked == head.data() + head.size() - 2 &&
                     llhttp_get_error_pos(&llhttp_) == head.data() + head.size();
  if (!whole) return result == HPE_PAUSED ? Fault::kFieldLine : Fault::kSyntax;
  begin_content();
  return Fault::kNone;
}

bool MessageParser::agrees(Framing framing, uint64_t length) const {
  const bool chunked = (llhttp_.flags & F_CHUNKED) != 0;
  const bool has_length = (llhttp_.flags & F_CONTENT_LENGTH) != 0;
  switch (framing) {
    case Framing::kNone:
      return !chunked && (!has_length || llhttp_.content_length == 0);
    case Framing::kLength:
      return !chunked && has_length && llhttp_.content_length == length;
    case Framing::kChunked:
      return chunked && !has_length;
    case Framing::kClose:
      return !chunked && !has_length;
  }
  return false;
}

void MessageParser::begin_content() {
  static constexpr llhttp_settings_t settings = Callbacks::for_content();
  llhttp_resume(&llhttp_);
  llhttp_.settings = const_cast<llhttp_settings_t*>(&settings);
  left_ = 0;
  trailer_bytes_ = 0;
  extension_bytes_ = extensions_bytes_ = 0;
  digits_ = end_bytes_ = 0;
  part_ = Part::kChunkLine;
  chunk_line_ = ChunkLine::kSize;
  trailer_line_ = TrailerLine::kBegin;
  header_told_ = chunk_told_ = message_told_ = false;
  fault_ = Fault::kNone;
}

/// Gives llhttp what the guards have let through. False: it refuses.
bool MessageParser::execute(std::string_view bytes) {
  llhttp_.data = this;
  body_bytes_ = 0;
  const llhttp_errno_t result = llhttp_execute(&llhttp_, bytes.data(), bytes.size());
  llhttp_.data = nullptr;
  return result == (message_told_ ? HPE_PAUSED : HPE_OK);
}

size_t MessageParser::fail(Fault fault) {
  fault_ = fault;
  return 0;
}

MessageParser::Step MessageParser::read_chunked(std::span<const std::byte> input) {
  const std::string_view bytes(reinterpret_cast<const char*>(input.data()), input.size());
  size_t used = 0;
  while (used < bytes.size() && fault_ == Fault::kNone) {
    const std::string_view rest = bytes.substr(used);
    switch (part_) {
      case Part::kChunkLine:
        used += read_chunk_line(rest);
        break;
      case Part::kContent: {
        const Step step = read_content(rest);
        return {used + step.consumed, step.content};
      }
      case Part::kChunkEnd:
        used += read_chunk_end(rest);
        break;
      case Part::kTrailers:
        used += read_trailers(rest);
        break;
      case Part::kDone:
        return {used, {}};
    }
  }
  return {used, {}};
}

size_t MessageParser::read_chunk_line(std::string_view input) {
  size_t used = 0;
  bool whole = false;
  while (used < input.size() && !whole) {
    const char c = input[used++];
    whole = chunk_line_ == ChunkLine::kLf;
    if (whole ? c != '\n' : !guard_chunk_byte(c)) return fail(Fault::kChunkLine);
  }
  if (!execute(input.substr(0, used)) || header_told_ != whole) return fail(Fault::kChunkLine);
  if (!whole) return used;
  if (llhttp_.content_length > INT64_MAX) return fail(Fault::kChunkLine);
  left_ = llhttp_.content_length;
  part_ = left_ > 0 ? Part::kContent : Part::kTrailers;
  chunk_line_ = ChunkLine::kSize;
  digits_ = 0;
  extension_bytes_ = 0;
  header_told_ = chunk_told_ = false;
  return used;
}

/// A size, then perhaps extensions, then CR.
bool MessageParser::guard_chunk_byte(char c) {
  if (chunk_line_ == ChunkLine::kSize && base::hex_value(c) >= 0) {
    return ++digits_ <= limits::kChunkSizeDigits;
  }
  if (digits_ == 0) return false;
  const bool in_quotes = chunk_line_ == ChunkLine::kQuoted || chunk_line_ == ChunkLine::kQuotedPair;
  if (c == '\r' && !in_quotes) {
    const bool named = chunk_line_ == ChunkLine::kSize || (before_ != ';' && before_ != '=');
    chunk_line_ = ChunkLine::kLf;
    return named;
  }
  return ++extension_bytes_ <= limits::kChunkExtensionBytes &&
         ++extensions_bytes_ <= limits::kChunkExtensionsBytes && guard_extension_byte(c);
}

/// Extensions mean nothing here, but whoever takes a quote that is not closed, or a name that is
/// none, for something else would see another chunk.
bool MessageParser::guard_extension_byte(char c) {
  const char before = before_;
  switch (chunk_line_) {
    case ChunkLine::kSize:
      before_ = c;
      chunk_line_ = ChunkLine::kExtension;
      return c == ';';
    case ChunkLine::kQuoted:
      if (c == '"') chunk_line_ = ChunkLine::kExtension;
      if (c == '\\') chunk_line_ = ChunkLine::kQuotedPair;
      return is_field_value({&c, 1});
    case ChunkLine::kQuotedPair:
      chunk_line_ = ChunkLine::kQuoted;
      return is_field_value({&c, 1});
    case ChunkLine::kExtension:
      break;
    case ChunkLine::kLf:
      return false;
  }
  if (c == ' ' || c == '\t') return true;
  before_ = c;
  const bool named = before != ';' && before != '=';
  if (c == ';' || c == '=') return named;
  if (c != '"') return is_token({&c, 1}) && before != '"';
  chunk_line_ = ChunkLine::kQuoted;
  return before == '=';
}

MessageParser::Step MessageParser::read_content(std::string_view input) {
  const auto n = static_cast<size_t>(std::min<uint64_t>(left_, input.size()));
  // Where the line end behind the content is there too, llhttp gets all of it in one call.
  const bool ended = n == left_ && input.substr(n).starts_with(kCrLf);
  const size_t fed = ended ? n + kCrLf.size() : n;
  if (!execute(input.substr(0, fed)) || body_bytes_ != n || chunk_told_ != ended) {
    return {fail(Fault::kChunkEnd), {}};
  }
  left_ -= n;
  end_bytes_ = 0;
  if (left_ == 0) part_ = ended ? Part::kChunkLine : Part::kChunkEnd;
  return {fed, std::as_bytes(std::span(input.data(), n))};
}

size_t MessageParser::read_chunk_end(std::string_view input) {
  size_t used = 0;
  while (used < input.size() && end_bytes_ < kCrLf.size()) {
    if (input[used++] != kCrLf[end_bytes_++]) return fail(Fault::kChunkEnd);
  }
  const bool ended = end_bytes_ == kCrLf.size();
  if (!execute(input.substr(0, used)) || chunk_told_ != ended) return fail(Fault::kChunkEnd);
  if (ended) part_ = Part::kChunkLine;
  return used;
}

size_t MessageParser::read_trailers(std::string_view input) {
  size_t used = 0;
  bool ended = false;
  while (used < input.size() && !ended) {
    const char c = input[used++];
    ended = trailer_line_ == TrailerLine::kLastLf && c == '\n';
    const Fault fault = ended ? Fault::kNone : guard_trailer_byte(c);
    if (fault != Fault::kNone) return fail(fault);
  }
  if (!execute(input.substr(0, used)) || message_told_ != ended) return fail(Fault::kTrailerLine);
  if (ended) part_ = Part::kDone;
  return used;
}

/// `token: value` and CRLF, or CRLF alone. All but the last line's bytes count, their LF apart.
Fault MessageParser::guard_trailer_byte(char c) {
  const auto counted = [this](bool sound, TrailerLine next) {
    if (++trailer_bytes_ > limits::kTrailerBytes) return Fault::kTrailersTooLarge;
    trailer_line_ = next;
    return sound ? Fault::kNone : Fault::kTrailerLine;
  };
  switch (trailer_line_) {
    case TrailerLine::kBegin:
      if (c != '\r') return counted(is_token({&c, 1}), TrailerLine::kName);
      trailer_line_ = TrailerLine::kLastLf;
      return Fault::kNone;
    case TrailerLine::kName:
      return c == ':' ? counted(true, TrailerLine::kValue)
                      : counted(is_token({&c, 1}), TrailerLine::kName);
    case TrailerLine::kValue:
      return c == '\r' ? counted(true, TrailerLine::kLf)
                       : counted(is_field_value({&c, 1}), TrailerLine::kValue);
    case TrailerLine::kLf:
      trailer_line_ = TrailerLine::kBegin;
      return c == '\n' ? Fault::kNone : Fault::kTrailerLine;
    case TrailerLine::kLastLf:
      break;
  }
  return Fault::kTrailerLine;
}

}  // namespace perigee::http

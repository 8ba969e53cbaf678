#include "http/http1_request_reader.h"

#include <algorithm>
#include <charconv>

#include "base/check.h"
#include "http/cache_key.h"
#include "http/forward.h"

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#endif

#if !LLHTTP_STRICT_MODE
#error "llhttp must be built in strict mode: the loose one accepts requests that smuggle others"
#endif

namespace perigee::http {

namespace limits = base::limits;

namespace {

/// Names that llhttp knows and a cache must not relay: tunnels, and other protocols.
constexpr std::string_view kRefusedMethods[] = {
    "CONNECT", "PRI",      "SOURCE",        "DESCRIBE",      "ANNOUNCE", "SETUP", "PLAY",
    "PAUSE",   "TEARDOWN", "GET_PARAMETER", "SET_PARAMETER", "REDIRECT", "RECORD", "FLUSH"};

std::string_view as_text(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

/// Adds `at, length` to a span that the parser may give in adjacent parts.
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

}  // namespace

void Http1Scratch::poison() {
#if defined(__SANITIZE_ADDRESS__)
  ASAN_POISON_MEMORY_REGION(storage_.data(), sizeof storage_);
  ASAN_POISON_MEMORY_REGION(memory_.data(), memory_.size());
#endif
}

void Http1Scratch::unpoison() {
#if defined(__SANITIZE_ADDRESS__)
  ASAN_UNPOISON_MEMORY_REGION(storage_.data(), sizeof storage_);
  ASAN_UNPOISON_MEMORY_REGION(memory_.data(), memory_.size());
#endif
  arena_.reset();
}

bool Http1Scratch::valid_authority(std::string_view authority, std::string_view scheme) {
  return canonical_authority(authority, scheme, authority_);
}

std::string_view Http1Scratch::with_slash(std::string_view query) {
  target_.assign("/").append(query);
  return target_;
}

/// What llhttp calls back; errors are returned as -1 and explained by refusal_.
struct Http1RequestReader::Callbacks {
  static Http1RequestReader& self(llhttp_t* parser) {
    return *static_cast<Http1RequestReader*>(parser->data);
  }
  static int on_field(llhttp_t* parser, const char* at, size_t length) {
    Http1RequestReader& reader = self(parser);
    if (reader.in_body_) return reader.count_trailer(length);
    extend(reader.name_, at, length);
    return 0;
  }
  static int on_value(llhttp_t* parser, const char* at, size_t length) {
    Http1RequestReader& reader = self(parser);
    if (reader.in_body_) return reader.count_trailer(length);
    extend(reader.value_, at, length);
    return 0;
  }
  static int on_value_complete(llhttp_t* parser) {
    Http1RequestReader& reader = self(parser);
    if (reader.in_body_) return 0;
    if (!reader.fields_->add(reader.name_, trim_ows(reader.value_))) {
      reader.too_many_fields_ = true;
      return -1;
    }
    reader.name_ = reader.value_ = {};
    return 0;
  }
  static int on_headers_complete(llhttp_t* parser) {
    // An upgrade would make the parser stop; it is answered as a plain request instead.
    parser->upgrade = 0;
    self(parser).in_body_ = true;
    return 0;
  }
  static int on_body(llhttp_t* parser, const char* at, size_t length) {
    Http1RequestReader& reader = self(parser);
    if (reader.content_ == nullptr) return -1;
    reader.content_->append(at, length);
    return 0;
  }
  static int on_extension(llhttp_t* parser, const char*, size_t length) {
    return self(parser).count_extension(length);
  }
  static int on_chunk_complete(llhttp_t* parser) {
    self(parser).extension_bytes_ = 0;
    return 0;
  }
  static int on_message_complete(llhttp_t* parser) {
    self(parser).body_done_ = true;
    return HPE_PAUSED;
  }
  static const llhttp_settings_t& settings() {
    static const llhttp_settings_t kSettings = [] {
      llhttp_settings_t settings;
      llhttp_settings_init(&settings);
      settings.on_header_field = on_field;
      settings.on_header_value = on_value;
      settings.on_header_value_complete = on_value_complete;
      settings.on_headers_complete = on_headers_complete;
      settings.on_body = on_body;
      settings.on_chunk_extension_name = on_extension;
      settings.on_chunk_extension_value = on_extension;
      settings.on_chunk_complete = on_chunk_complete;
      settings.on_message_complete = on_message_complete;
      return settings;
    }();
    return kSettings;
  }
};

Http1RequestReader::Http1RequestReader(const Http1Options& options) : options_(options) {
  reset();
}

void Http1RequestReader::reset() {
  scanned_ = line_begin_ = head_begin_ = lines_ = head_bytes_ = 0;
  name_ = value_ = {};
  too_many_fields_ = in_body_ = body_done_ = false;
  trailer_bytes_ = extension_bytes_ = extensions_bytes_ = 0;
  keep_alive_ = true;
  framing_ = BodyFraming::kNone;
  refusal_ = {};
}

bool Http1RequestReader::refuse(uint16_t status, std::string_view why) {
  refusal_ = {status, why};
  return false;
}

int Http1RequestReader::count_trailer(size_t length) {
  trailer_bytes_ += length;
  return trailer_bytes_ > limits::kTrailerBytes ? -1 : 0;
}

int Http1RequestReader::count_extension(size_t length) {
  // One byte for the `;` or `=` before it, so that empty ones count too.
  extension_bytes_ += length + 1;
  extensions_bytes_ += length + 1;
  const bool fits = extension_bytes_ <= limits::kChunkExtensionBytes &&
                    extensions_bytes_ <= limits::kChunkExtensionsBytes;
  return fits ? 0 : -1;
}

Http1RequestReader::Progress Http1RequestReader::read_head(std::span<const std::byte> bytes,
                                                           Http1Scratch& scratch,
                                                           RequestHead& head) {
  const std::string_view text = as_text(bytes);
  if (!scan(text)) return refusal_ ? Progress::kRefused : Progress::kNeedMore;
  scratch.unpoison();
  head = RequestHead{};
  head.fields = scratch.fields();
  const bool good = parse(text.substr(head_begin_, head_bytes_ - head_begin_), head) &&
                    check_framing(head) && check_fields(head) && check_host(scratch, head) &&
                    check_target(scratch, head);
  return good ? Progress::kHead : Progress::kRefused;
}

/// True when a whole head is there: head_begin_ and head_bytes_ say where.
bool Http1RequestReader::scan(std::string_view bytes) {
  while (true) {
    const size_t newline = bytes.find('\n', scanned_);
    const size_t seen = std::min(newline, bytes.size());
    const size_t line_size = seen - line_begin_;
    const size_t line_most = lines_ == 0 ? options_.request_line_bytes : limits::kFieldBytes;
    if (line_size > line_most + 2) {
      return lines_ == 0 ? refuse(414, "the request line is too long")
                         : refuse(431, "a field is too long");
    }
    if (seen > limits::kRequestHeadBytes) return refuse(431, "the head is too large");
    if (newline == std::string_view::npos) {
      scanned_ = bytes.size();
      return false;
    }
    if (newline == line_begin_ || bytes[newline - 1] != '\r') {
      return refuse(400, "a line ends in LF without CR");
    }
    const std::string_view line = bytes.substr(line_begin_, newline - 1 - line_begin_);
    line_begin_ = scanned_ = newline + 1;
    if (line.empty()) {
      if (lines_ > 0) {
        head_bytes_ = scanned_;
        return true;
      }
      // One empty line before a request is tolerated (RFC 9112 §2.2).
      if (head_begin_ > 0) return refuse(400, "empty lines before the request");
      head_begin_ = scanned_;
      continue;
    }
    if (!check_line(line, lines_ == 0)) return false;
    ++lines_;
  }
}

bool Http1RequestReader::check_line(std::string_view line, bool first) {
  if (line.find('\r') != std::string_view::npos) return refuse(400, "a CR inside a line");
  if (first) return true;
  if (line.front() == ' ' || line.front() == '\t') return refuse(400, "a folded field line");
  if (line.front() == ':') return refuse(400, "an empty field name");
  return true;
}

bool Http1RequestReader::parse(std::string_view bytes, RequestHead& head) {
  if (!check_request_line(bytes.substr(0, bytes.find('\r')), head)) return false;
  llhttp_init(&parser_, HTTP_REQUEST, &Callbacks::settings());
  parser_.data = this;
  fields_ = &head.fields;
  content_ = nullptr;
  const llhttp_errno_t error = llhttp_execute(&parser_, bytes.data(), bytes.size());
  fields_ = nullptr;
  if (too_many_fields_) return refuse(431, "too many fields");
  const bool complete = in_body_ && (error == HPE_OK || (error == HPE_PAUSED && body_done_));
  if (!complete) {
    if (error == HPE_INVALID_METHOD) return refuse(501, "this method is not implemented");
    return refuse(400, "the head is malformed");
  }
  return true;
}

bool Http1RequestReader::check_request_line(std::string_view line, RequestHead& head) {
  const size_t first = line.find(' ');
  const size_t last = line.rfind(' ');
  if (first == std::string_view::npos || first == last) {
    return refuse(400, "the request line is malformed");
  }
  const std::string_view version = line.substr(last + 1);
  head.method_text = line.substr(0, first);
  head.target = line.substr(first + 1, last - first - 1);
  if (!is_token(head.method_text) || head.target.empty() ||
      head.target.find(' ') != std::string_view::npos) {
    return refuse(400, "the request line is malformed");
  }
  const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
  if (version.size() != 8 || !version.starts_with("HTTP/") || version[6] != '.' ||
      !is_digit(version[5]) || !is_digit(version[7])) {
    return refuse(400, "the request line is malformed");
  }
  if (!check_method(head.method_text)) return false;
  if (version != "HTTP/1.1" && version != "HTTP/1.0") {
    return refuse(505, "only HTTP/1.0 and HTTP/1.1 are spoken here");
  }
  head.version_minor = static_cast<uint8_t>(version[7] - '0');
  head.method = method_of(head.method_text);
  return true;
}

bool Http1RequestReader::check_method(std::string_view method) {
  const auto end = std::end(kRefusedMethods);
  if (std::find(std::begin(kRefusedMethods), end, method) != end) {
    return refuse(501, "this method is not implemented");
  }
  if (method == "TRACE") return refuse(405, "TRACE is not allowed");
  return true;
}

bool Http1RequestReader::check_framing(RequestHead& head) {
  const HeaderList& fields = head.fields;
  const size_t codings = fields.count(FieldName::kTransferEncoding);
  const size_t lengths = fields.count(FieldName::kContentLength);
  if (codings > 0) {
    const std::string_view coding = fields.value(FieldName::kTransferEncoding);
    if (lengths > 0) return refuse(400, "Transfer-Encoding and Content-Length");
    if (codings > 1 || head.version_minor == 0) return refuse(400, "Transfer-Encoding");
    if (!iequals(coding, "chunked")) {
      const bool known = iequals(coding, "identity") || !is_token(coding);
      return known ? refuse(400, "Transfer-Encoding is not chunked")
                   : refuse(501, "this transfer coding is not implemented");
    }
    framing_ = BodyFraming::kChunked;
  }
  if (lengths > 1) return refuse(400, "more than one Content-Length");
  if (lengths == 1) {
    const std::string_view digits = fields.value(FieldName::kContentLength);
    uint64_t length = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), length);
    if (digits.empty() || error != std::errc() || end != digits.data() + digits.size()) {
      return refuse(400, "Content-Length is not a number");
    }
    head.content_length = length;
    if (length > 0) framing_ = BodyFraming::kLength;
  }
  const bool bodiless = head.method == Method::kGet || head.method == Method::kHead;
  if (bodiless && framing_ != BodyFraming::kNone) return refuse(400, "GET and HEAD have no content");
  return true;
}

bool Http1RequestReader::check_fields(RequestHead& head) {
  const HeaderList& fields = head.fields;
  for (const Field& field : fields) {
    if (field.name.size() + field.value.size() + limits::kFieldCharge > limits::kFieldBytes) {
      return refuse(431, "a field is too long");
    }
    if (!is_token(field.name) || !is_field_value(field.value)) {
      return refuse(400, "a field is malformed");
    }
  }
  if (connection_names_critical(fields, false)) {
    return refuse(400, "Connection names a field that is not the connection's");
  }
  const bool asks_close = any_member(fields, FieldName::kConnection, "close");
  const bool asks_keep = any_member(fields, FieldName::kConnection, "keep-alive");
  keep_alive_ = !asks_close && (head.version_minor == 1 || asks_keep);
  if (fields.find(FieldName::kUpgrade) != nullptr ||
      fields.find(FieldName::kHttp2Settings) != nullptr) {
    head.upgrade_dropped = true;
    keep_alive_ = false;
  }
  const Field* expect = fields.find(FieldName::kExpect);
  if (expect != nullptr && head.version_minor == 1) {
    if (!iequals(expect->value, "100-continue") || fields.count(FieldName::kExpect) > 1) {
      return refuse(417, "this expectation cannot be met");
    }
    head.expect_continue = framing_ != BodyFraming::kNone;
  }
  return true;
}

bool Http1RequestReader::check_host(Http1Scratch& scratch, RequestHead& head) {
  const size_t hosts = head.fields.count(FieldName::kHost);
  if (hosts > 1) return refuse(400, "more than one Host");
  if (hosts == 0 && head.version_minor == 1) return refuse(400, "no Host");
  head.scheme = options_.scheme;
  if (hosts == 0) return true;
  head.authority = head.fields.value(FieldName::kHost);
  if (!scratch.valid_authority(head.authority, head.scheme)) return refuse(400, "Host is malformed");
  return true;
}

bool Http1RequestReader::check_target(Http1Scratch& scratch, RequestHead& head) {
  std::string_view target = head.target;
  if (target == "*") {
    if (head.method != Method::kOptions) return refuse(400, "the target * is for OPTIONS");
    return true;
  }
  if (target.front() != '/') {
    const size_t colon = target.find("://");
    if (colon == std::string_view::npos) return refuse(400, "the target is malformed");
    if (!iequals(target.substr(0, colon), options_.scheme)) {
      return refuse(400, "the target's scheme is not this listener's");
    }
    target.remove_prefix(colon + 3);
    const size_t end = std::min(target.find_first_of("/?"), target.size());
    const std::string_view authority = target.substr(0, end);
    if (!scratch.valid_authority(authority, head.scheme)) {
      return refuse(400, "the target's authority is malformed");
    }
    head.authority = authority;
    target.remove_prefix(end);
    if (target.empty()) target = "/";
    if (target.front() == '?') target = scratch.with_slash(target);
    head.target = target;
  }
  if (!valid_target(target)) return refuse(400, "the target is malformed");
  return true;
}

size_t Http1RequestReader::read_body(std::span<const std::byte> bytes, std::string& content) {
  CHECK(!body_done_);
  const std::string_view text = as_text(bytes);
  content_ = &content;
  const llhttp_errno_t error = llhttp_execute(&parser_, text.data(), text.size());
  content_ = nullptr;
  if (error == HPE_OK) return text.size();
  if (body_done_) {
    return static_cast<size_t>(llhttp_get_error_pos(&parser_) - text.data());
  }
  refuse(400, "the request's content is malformed");
  return 0;
}

}  // namespace perigee::http

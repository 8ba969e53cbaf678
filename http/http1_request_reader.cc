#include "http/http1_request_reader.h"

#include <algorithm>

#include "base/check.h"
#include "base/poison.h"
#include "http/cache_key.h"
#include "http/connection_options.h"

namespace perigee::http {

namespace limits = base::limits;

namespace {

std::string_view as_text(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

/// Methods that are relayed by their name alone, beside those of Method (RFC 9110 §16.1.1). Absent
/// on purpose: CONNECT and SOURCE, which make tunnels, and what is not HTTP's.
constexpr std::string_view kRelayedMethods[] = {
    "ACL",    "BIND",       "CHECKOUT",   "COPY",   "LINK",   "LOCK",        "M-SEARCH",
    "MERGE",  "MKACTIVITY", "MKCALENDAR", "MKCOL",  "MOVE",   "NOTIFY",      "PROPPATCH",
    "REBIND", "SUBSCRIBE",  "UNBIND",     "UNLINK", "UNLOCK", "UNSUBSCRIBE",
};

bool is_relayed(Method method, std::string_view text) {
  const auto end = std::end(kRelayedMethods);
  return method != Method::kOther || std::find(std::begin(kRelayedMethods), end, text) != end;
}

bool is_digit(char c) { return c >= '0' && c <= '9'; }

}  // namespace

void Http1Scratch::poison() {
  base::poison(storage_.data(), sizeof storage_);
  base::poison(memory_.data(), memory_.size());
  base::poison(target_);
}

void Http1Scratch::unpoison() {
  base::unpoison(storage_.data(), sizeof storage_);
  base::unpoison(memory_.data(), memory_.size());
  base::unpoison(target_);
  arena_.reset();
}

bool Http1Scratch::valid_authority(std::string_view authority, std::string_view scheme) {
  return canonical_authority(authority, scheme, authority_);
}

std::string_view Http1Scratch::with_slash(std::string_view query) {
  target_.assign("/").append(query);
  return target_;
}

/// The field lines that decide how a request is read, found while they are cut.
struct Http1RequestReader::Marks {
  std::string_view host, coding, length, expectation;  ///< the first line's value
  uint8_t hosts = 0, codings = 0, lengths = 0, expectations = 0;
  bool upgrade = false;
  ConnectionOptions connection;

  void add(const Field& field) {
    switch (field.token) {
      case FieldName::kHost:
        return count(hosts, host, field.value);
      case FieldName::kTransferEncoding:
        return count(codings, coding, field.value);
      case FieldName::kContentLength:
        return count(lengths, length, field.value);
      case FieldName::kExpect:
        return count(expectations, expectation, field.value);
      case FieldName::kConnection:
        return connection.add(field.value);
      case FieldName::kUpgrade:
      case FieldName::kHttp2Settings:
        upgrade = true;
        return;
      default:
        return;
    }
  }
  static void count(uint8_t& lines, std::string_view& first, std::string_view value) {
    if (lines++ == 0) first = value;
  }
};
static_assert(limits::kRequestFields <= UINT8_MAX, "Marks counts lines in a byte");

Http1RequestReader::Http1RequestReader(const Http1Options& options) : options_(options) {}

void Http1RequestReader::reset() {
  scanned_ = line_begin_ = head_begin_ = head_bytes_ = 0;
  left_ = 0;
  body_done_ = is_head_request_ = false;
  keep_alive_ = true;
  framing_ = BodyFraming::kNone;
  refusal_ = {};
}

bool Http1RequestReader::refuse(uint16_t status, std::string_view why) {
  refusal_ = {status, why};
  return false;
}

Http1RequestReader::Progress Http1RequestReader::read_head(std::span<const std::byte> bytes,
                                                           Http1Scratch& scratch,
                                                           RequestHead& head) {
  const std::string_view text = as_text(bytes);
  if (!find_end(text)) return refusal_ ? Progress::kRefused : Progress::kNeedMore;
  scratch.unpoison();
  head = RequestHead{};
  head.fields = scratch.fields();
  const std::string_view lines = text.substr(head_begin_, head_bytes_ - head_begin_);
  return parse(lines, scratch, head) ? Progress::kHead : Progress::kRefused;
}

/// True when a whole head is there: head_begin_ and head_bytes_ say where. Every bound is judged at
/// the byte that exceeds it, however the bytes came.
bool Http1RequestReader::find_end(std::string_view bytes) {
  while (true) {
    const bool first = line_begin_ == head_begin_;
    // The lengths a line may have, its CRLF included: by its own bound, and by the whole head's.
    const size_t by_line = (first ? options_.request_line_bytes : limits::kFieldBytes) + 2;
    const size_t by_head = limits::kRequestHeadBytes - line_begin_;
    const size_t newline = bytes.find('\n', scanned_);
    const size_t held = std::min(newline, bytes.size()) - line_begin_;
    if (held >= std::min(by_line, by_head)) {
      return first && by_line <= by_head ? refuse(414, "the request line is too long")
                                         : refuse(431, "the head is too large");
    }
    if (newline == std::string_view::npos) {
      scanned_ = bytes.size();
      return false;
    }
    if (held == 0 || bytes[newline - 1] != '\r') {
      return refuse(400, "a line ends in LF without CR");
    }
    line_begin_ = scanned_ = newline + 1;
    if (held > 1) continue;
    if (!first) {
      head_bytes_ = line_begin_;
      return true;
    }
    // One empty line before a request is tolerated (RFC 9112 §2.2).
    if (head_begin_ > 0) return refuse(400, "empty lines before the request");
    head_begin_ = line_begin_;
  }
}

/// `text` is a whole head: lines that end in CRLF, the last one empty.
bool Http1RequestReader::parse(std::string_view text, Http1Scratch& scratch, RequestHead& head) {
  const size_t end = text.find('\n');
  Marks marks;
  return parse_request_line(text.substr(0, end - 1), head) &&
         parse_fields(text.substr(end + 1), head, marks) && take_framing(marks, head) &&
         take_options(marks, head) && take_host(marks, scratch, head) && take_target(scratch, head);
}

bool Http1RequestReader::parse_request_line(std::string_view line, RequestHead& head) {
  const size_t first = line.find(' ');
  const size_t last = line.rfind(' ');
  if (first == std::string_view::npos || first == last) {
    return refuse(400, "the request line is malformed");
  }
  head.method_text = line.substr(0, first);
  head.target = line.substr(first + 1, last - first - 1);
  const std::string_view version = line.substr(last + 1);
  const bool is_version = version.size() == 8 && version.starts_with("HTTP/") &&
                          is_digit(version[5]) && version[6] == '.' && is_digit(version[7]);
  if (!is_version || head.target.empty() || head.target.find(' ') != std::string_view::npos ||
      !is_token(head.method_text)) {
    return refuse(400, "the request line is malformed");
  }
  head.method = method_of(head.method_text);
  is_head_request_ = head.method == Method::kHead;
  if (head.method == Method::kTrace) return refuse(405, "TRACE is not allowed");
  if (!is_relayed(head.method, head.method_text)) {
    return refuse(501, "this method is not implemented");
  }
  if (version[5] != '1' || version[7] > '1') {
    return refuse(505, "only HTTP/1.0 and HTTP/1.1 are spoken here");
  }
  head.version_minor = static_cast<uint8_t>(version[7] - '0');
  return true;
}

bool Http1RequestReader::parse_fields(std::string_view lines, RequestHead& head, Marks& marks) {
  while (true) {
    const size_t end = lines.find('\n');
    const std::string_view line = lines.substr(0, end - 1);
    if (line.empty()) return true;
    Field field;
    if (!parse_field_line(line, field)) return refuse(400, "a field line is malformed");
    if (field.name.size() + field.value.size() + limits::kFieldCharge > limits::kFieldBytes) {
      return refuse(431, "a field is too large");
    }
    if (!head.fields.add(field)) return refuse(431, "too many fields");
    marks.add(field);
    lines.remove_prefix(end + 1);
  }
}

/// RFC 9112 §6.3, refusing what can be read in two ways.
bool Http1RequestReader::take_framing(const Marks& marks, RequestHead& head) {
  if (marks.codings > 0) {
    if (marks.lengths > 0) return refuse(400, "Transfer-Encoding and Content-Length");
    if (marks.codings > 1 || head.version_minor == 0) return refuse(400, "Transfer-Encoding");
    if (!iequals(marks.coding, "chunked")) {
      return iequals(marks.coding, "identity") || !is_token(marks.coding)
                 ? refuse(400, "Transfer-Encoding is not chunked")
                 : refuse(501, "this transfer coding is not implemented");
    }
    framing_ = BodyFraming::kChunked;
    chunks_.begin();
  }
  if (marks.lengths > 1) return refuse(400, "more than one Content-Length");
  if (marks.lengths == 1) {
    head.content_length = parse_content_length(marks.length);
    if (!head.content_length) return refuse(400, "Content-Length is not a number");
    left_ = *head.content_length;
    if (left_ > 0) framing_ = BodyFraming::kLength;
  }
  body_done_ = framing_ == BodyFraming::kNone;
  const bool bodiless = head.method == Method::kGet || head.method == Method::kHead;
  if (bodiless && !body_done_) return refuse(400, "GET and HEAD have no content");
  return true;
}

bool Http1RequestReader::take_options(const Marks& marks, RequestHead& head) {
  if (marks.connection.too_many()) return refuse(400, "Connection names too many fields");
  if (marks.connection.names_critical(/*response=*/false)) {
    return refuse(400, "Connection names a field that is not the connection's");
  }
  head.upgrade_dropped = marks.upgrade;
  keep_alive_ = marks.connection.persists(head.version_minor) && !marks.upgrade;
  if (marks.expectations > 0 && head.version_minor > 0) {
    if (marks.expectations > 1 || !iequals(marks.expectation, "100-continue")) {
      return refuse(417, "this expectation cannot be met");
    }
    head.expect_continue = !body_done_;
  }
  return true;
}

bool Http1RequestReader::take_host(const Marks& marks, Http1Scratch& scratch, RequestHead& head) {
  if (marks.hosts > 1) return refuse(400, "more than one Host");
  if (marks.hosts == 0 && head.version_minor > 0) return refuse(400, "no Host");
  head.scheme = options_.scheme;
  head.authority = marks.host;
  if (marks.hosts == 1 && !scratch.valid_authority(head.authority, head.scheme)) {
    return refuse(400, "Host is malformed");
  }
  return true;
}

bool Http1RequestReader::take_target(Http1Scratch& scratch, RequestHead& head) {
  std::string_view target = head.target;
  if (target == "*") {
    return head.method == Method::kOptions || refuse(400, "the target * is for OPTIONS");
  }
  if (target.front() != '/') {
    const size_t colon = target.find("://");
    if (colon == std::string_view::npos) return refuse(400, "the target is malformed");
    if (!iequals(target.substr(0, colon), options_.scheme)) {
      return refuse(400, "the target's scheme is not this listener's");
    }
    target.remove_prefix(colon + 3);
    const size_t end = std::min(target.find_first_of("/?"), target.size());
    head.authority = target.substr(0, end);
    if (!scratch.valid_authority(head.authority, head.scheme)) {
      return refuse(400, "the target's authority is malformed");
    }
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
  if (framing_ == BodyFraming::kChunked) return read_chunked(bytes, content);
  const auto n = static_cast<size_t>(std::min<uint64_t>(left_, bytes.size()));
  content.append(as_text(bytes.first(n)));
  left_ -= n;
  body_done_ = left_ == 0;
  return n;
}

size_t Http1RequestReader::read_chunked(std::span<const std::byte> bytes, std::string& content) {
  size_t used = 0;
  while (used < bytes.size() && !chunks_.done()) {
    const ChunkedDecoder::Step step = chunks_.next(bytes.subspan(used));
    if (chunks_.error() != ChunkedDecoder::Error::kNone) {
      chunks_.error() == ChunkedDecoder::Error::kTrailersTooLarge
          ? refuse(431, "the trailers are too large")
          : refuse(400, "the chunked content is malformed");
      return used;
    }
    content.append(as_text(step.content));
    used += step.consumed;
  }
  body_done_ = chunks_.done();
  return used;
}

}  // namespace perigee::http

#include "http/h1/request_reader.h"

#include <algorithm>

#include "base/check.h"
#include "base/text.h"
#include "http/target.h"

namespace perigee::http {

namespace limits = base::limits;

namespace {

/// How a head that is not whole, or not a head, is answered; status 0: it may go on.
Refusal refusal_of(HeadScanner::State state) {
  switch (state) {
    case HeadScanner::State::kMore:
    case HeadScanner::State::kWhole:
      return {};
    case HeadScanner::State::kBareLf:
      return {400, "a line ends in LF without CR"};
    case HeadScanner::State::kEmpty:
      return {400, "empty lines before the request"};
    case HeadScanner::State::kFirstLineTooLong:
      return {414, "the request line is too long"};
    case HeadScanner::State::kTooLarge:
      return {431, "the head is too large"};
  }
  return {};
}

Refusal refusal_of(Fault fault) {
  switch (fault) {
    case Fault::kNone:
      return {};
    case Fault::kSyntax:
      return {400, "the head is malformed"};
    case Fault::kStartLine:
      return {400, "the request line is malformed"};
    case Fault::kMethod:
      return {501, "this method is not implemented"};
    case Fault::kVersion:
      return {505, "only HTTP/1.0 and HTTP/1.1 are spoken here"};
    case Fault::kFieldLine:
      return {400, "a field line is malformed"};
    case Fault::kTooManyFields:
      return {431, "too many fields"};
    case Fault::kChunkLine:
    case Fault::kChunkEnd:
      return {400, "the chunked content is malformed"};
    case Fault::kTrailerLine:
      return {400, "a trailer is malformed"};
    case Fault::kTrailersTooLarge:
      return {431, "the trailers are too large"};
  }
  return {};
}

}  // namespace

Http1RequestReader::Http1RequestReader(const Http1Options& options, std::string_view scheme)
    : scheme_(scheme),
      request_line_bytes_(options.request_line_bytes),
      scanner_({.first_line_bytes = options.request_line_bytes,
                .line_bytes = limits::kFieldBytes,
                .head_bytes = limits::kRequestHeadBytes,
                .empty_line_first = true}) {}

void Http1RequestReader::reset() {
  scanner_.reset();
  left_ = 0;
  body_done_ = is_head_request_ = false;
  keep_alive_ = true;
  framing_ = Framing::kNone;
  refusal_ = {};
}

Http1RequestReader::Progress Http1RequestReader::read_head(std::span<const std::byte> bytes,
                                                           RequestScratch& scratch,
                                                           RequestHead& head) {
  const std::string_view text = base::as_text(bytes);
  scanner_.take(text.substr(scanner_.bytes()));
  refusal_ = refusal_of(scanner_.state());
  if (refusal_) return Progress::kRefused;
  if (scanner_.state() == HeadScanner::State::kMore) return Progress::kNeedMore;
  scratch.unpoison();
  head = RequestHead{};
  head.scheme = scheme_;
  head.fields = scratch.fields();
  const size_t begin = scanner_.skipped();
  std::string_view whole = text.substr(begin, scanner_.bytes() - begin);
  refusal_ = encode_target(whole, scratch);
  if (!refusal_) refusal_ = parse(whole, scratch, head);
  return refusal_ ? Progress::kRefused : Progress::kHead;
}

/// Raw UTF-8 in the target is percent-encoded before the parser sees it: llhttp takes ASCII alone.
Refusal Http1RequestReader::encode_target(std::string_view& text, RequestScratch& scratch) const {
  const std::string_view line = text.substr(0, text.find('\r'));
  if (!has_raw_bytes(line)) return {};
  const size_t first = line.find(' ');
  const size_t last = line.rfind(' ');
  // Without a target, the parser says what is wrong.
  if (first == std::string_view::npos || last == first) return {};
  std::string& out = scratch.rewritten_head();
  out.assign(line.substr(0, first + 1));
  if (!append_encoded(line.substr(first + 1, last - first - 1), out)) {
    return {400, "the target is neither ASCII nor UTF-8"};
  }
  if (out.size() + line.size() - last > request_line_bytes_) {
    return {414, "the request line is too long"};
  }
  text = out.append(text.substr(last));
  return {};
}

Refusal Http1RequestReader::parse(std::string_view text, RequestScratch& scratch,
                                  RequestHead& head) {
  StartLine start;
  const Fault fault = parser_.read_head(MessageParser::Side::kRequest, text, start, head.fields);
  if (fault != Fault::kNone && start.method.empty()) return refusal_of(fault);
  head.method_text = start.method;
  head.target = start.target;
  head.version_minor = start.version_minor;
  head.method = method_of(head.method_text);
  is_head_request_ = head.method == Method::kHead;
  if (const Refusal refusal = judge_method(head.method, head.method_text)) return refusal;
  if (fault != Fault::kNone) return refusal_of(fault);
  FramingLines framing;
  RequestLines lines;
  for (const Field& field : head.fields) {
    if (field.name.size() + field.value.size() + limits::kFieldCharge > limits::kFieldBytes) {
      return {431, "a field is too large"};
    }
    framing.add(field);
    lines.add(field);
  }
  if (const Refusal refusal = take_framing(framing, head)) return refusal;
  if (const Refusal refusal = take_options(lines, !body_done_, head)) return refusal;
  keep_alive_ = lines.connection.persists(head.version_minor) && !lines.upgrade;
  if (const Refusal refusal = take_host(lines, scratch, head)) return refusal;
  return take_target(scratch, head);
}

Refusal Http1RequestReader::take_framing(const FramingLines& lines, RequestHead& head) {
  const RequestFraming framing = request_framing(lines, head.version_minor);
  if (framing.refusal) return framing.refusal;
  framing_ = framing.framing;
  head.content_length = framing.content_length;
  left_ = head.content_length.value_or(0);
  body_done_ = framing_ == Framing::kNone;
  if (!parser_.agrees(framing_, left_)) return {400, "the framing can be read in two ways"};
  return {};
}

void Http1RequestReader::begin_tunnel() {
  CHECK(framing_ == Framing::kNone && body_done_);
  framing_ = Framing::kClose;
  body_done_ = false;
}

size_t Http1RequestReader::read_body(std::span<const std::byte> bytes, std::string& content) {
  CHECK(!body_done_);
  if (framing_ == Framing::kClose) {
    content.append(base::as_text(bytes));
    return bytes.size();
  }
  if (framing_ == Framing::kChunked) return read_chunked(bytes, content);
  const auto n = static_cast<size_t>(std::min<uint64_t>(left_, bytes.size()));
  content.append(base::as_text(bytes.first(n)));
  left_ -= n;
  body_done_ = left_ == 0;
  return n;
}

size_t Http1RequestReader::read_chunked(std::span<const std::byte> bytes, std::string& content) {
  size_t used = 0;
  while (used < bytes.size() && !parser_.done()) {
    const MessageParser::Step step = parser_.read_chunked(bytes.subspan(used));
    refusal_ = refusal_of(parser_.fault());
    if (refusal_) return used;
    content.append(base::as_text(step.content));
    used += step.consumed;
  }
  body_done_ = parser_.done();
  return used;
}

}  // namespace perigee::http

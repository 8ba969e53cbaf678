#include "http/h1/response_reader.h"

#include <algorithm>
#include <string>
#include <vector>

#include "base/check.h"
#include "base/limits.h"
#include "base/text.h"
#include "http/connection_options.h"
#include "http/h1/framing.h"
#include "http/h1/head_scanner.h"
#include "http/h1/message_parser.h"

namespace perigee::http {

namespace limits = base::limits;

namespace {

constexpr size_t kUsualHeadBytes = 1 * limits::kKiB;  ///< room that most heads need

constexpr HeadScanner::Bounds kBounds = {.first_line_bytes = limits::kOriginHeadBytes,
                                         .line_bytes = limits::kOriginHeadBytes,
                                         .head_bytes = limits::kOriginHeadBytes};

/// What is wrong with a head that has not been parsed yet; empty: nothing.
std::string_view error_of(HeadScanner::State state) {
  switch (state) {
    case HeadScanner::State::kMore:
    case HeadScanner::State::kWhole:
      return {};
    case HeadScanner::State::kBareLf:
      return "a line of the origin's head ends in LF without CR";
    case HeadScanner::State::kEmpty:
      return "the origin's head is empty";
    case HeadScanner::State::kFirstLineTooLong:
    case HeadScanner::State::kTooLarge:
      return "the origin's head is too large";
  }
  return {};
}

/// Empty: nothing is wrong.
std::string_view error_of(Fault fault) {
  switch (fault) {
    case Fault::kNone:
      return {};
    case Fault::kSyntax:
      return "the origin's head is malformed";
    case Fault::kStartLine:
    case Fault::kMethod:
      return "the origin's status line is malformed";
    case Fault::kVersion:
      return "the origin speaks neither HTTP/1.0 nor HTTP/1.1";
    case Fault::kFieldLine:
      return "a field line of the origin is malformed";
    case Fault::kTooManyFields:
      return "too many fields in the origin's head";
    case Fault::kChunkLine:
    case Fault::kChunkEnd:
    case Fault::kTrailerLine:
    case Fault::kTrailersTooLarge:
      return "the origin's chunked content is malformed";
  }
  return {};
}

}  // namespace

struct ResponseReader::State {
  enum class Phase : uint8_t { kHead, kBody, kDone, kError };

  Method method = Method::kGet;
  std::string upgrade;  ///< that the request asked for
  Phase phase = Phase::kHead;
  HeadScanner scanner{kBounds};
  MessageParser parser;
  std::string raw;        ///< the head, until it is whole and while its views are in use
  bool raw_done = false;  ///< the head in `raw` was reported
  size_t interims = 0;
  std::vector<Field> storage;  ///< as many as the head has lines
  ReceivedResponse head;
  Framing framing = Framing::kNone;
  uint64_t left = 0;     ///< of a declared length
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
  Event parse_head();
  Event take_interim();
  Event take_switch(const ConnectionOptions& connection);
  Event take_framing(const ConnectionOptions& connection);
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
           (framing == Framing::kChunked && parser.done());
  }
};

ResponseReader::ResponseReader() : state_(std::make_unique<State>()) {}
ResponseReader::~ResponseReader() = default;

void ResponseReader::begin(Method method, std::string_view upgrade) {
  state_->method = method;
  state_->upgrade = upgrade;
  state_->phase = State::Phase::kHead;
  state_->interims = 0;
  state_->tainted = false;
  state_->error = {};
  state_->started = false;
  state_->begin_head();
}

const ReceivedResponse& ResponseReader::head() const { return state_->head; }
std::string_view ResponseReader::error() const { return state_->error; }
bool ResponseReader::started() const { return state_->started; }

ResponseReader::Step ResponseReader::next(std::span<const std::byte> input) {
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

ResponseReader::Event ResponseReader::next_eof(bool clean) {
  State& state = *state_;
  if (state.phase == State::Phase::kError) return Event::kError;
  if (state.phase == State::Phase::kDone || state.whole()) return state.end();
  if (state.phase == State::Phase::kBody && state.framing == Framing::kClose && clean) {
    return state.end();
  }
  return state.fail("the connection ended before the response did");
}

void ResponseReader::State::begin_head() {
  raw.clear();
  scanner.reset();
  raw_done = false;
  head = ReceivedResponse{};
}

ResponseReader::Step ResponseReader::State::read_head(std::span<const std::byte> input) {
  if (raw_done) begin_head();
  if (input.empty()) return {};
  started = true;
  const std::string_view text = base::as_text(input);
  const size_t used = scanner.take(text);
  if (raw.empty()) raw.reserve(std::min(used, kUsualHeadBytes));
  raw.append(text.substr(0, used));
  const std::string_view why = error_of(scanner.state());
  if (!why.empty()) return {fail(why), used, {}};
  if (scanner.state() == HeadScanner::State::kMore) return {Event::kNeedMore, used, {}};
  return {parse_head(), used, {}};
}

ResponseReader::Event ResponseReader::State::parse_head() {
  raw_done = true;
  if (scanner.lines() > limits::kOriginFields + 1) return fail(error_of(Fault::kTooManyFields));
  storage.resize(scanner.lines());
  head.fields = HeaderList(storage);
  StartLine start;
  const Fault fault = parser.read_head(MessageParser::Side::kResponse, raw, start, head.fields);
  if (fault != Fault::kNone) return fail(error_of(fault));
  head.status = start.status;
  head.reason = start.reason;
  head.version_minor = start.version_minor;
  const ConnectionOptions connection(head.fields);
  if (connection.too_many()) return fail("the origin's Connection names too many fields");
  if (head.status == 101) return take_switch(connection);
  const bool interim = head.status < 200;
  return interim ? take_interim() : take_framing(connection);
}

ResponseReader::Event ResponseReader::State::take_interim() {
  if (++interims > limits::kInterimResponses) return fail("too many interim responses");
  const ResponseFraming found =
      response_framing(FramingLines(head.fields), method, head.status, head.version_minor);
  if (!found.error.empty()) return fail(found.error);
  // No content follows, whatever it says: who says so may go on with it.
  if (found.promises_content) tainted = true;
  return Event::kInterim;
}

/// From here on both sides speak what the request asked for (RFC 9110 §7.8).
ResponseReader::Event ResponseReader::State::take_switch(const ConnectionOptions& connection) {
  const Field* protocol = head.fields.find(FieldName::kUpgrade);
  const bool asked = !upgrade.empty() && head.version_minor > 0 && connection.upgrades() &&
                     protocol != nullptr && base::iequals(protocol->value, upgrade);
  if (!asked) return fail("the origin switched protocols unasked");
  const FramingLines lines(head.fields);
  if (lines.codings + lines.lengths > 0) return fail("the origin's 101 promises content");
  framing = Framing::kClose;
  head.has_body = true;
  phase = Phase::kBody;
  return Event::kHead;
}

/// How the final response ends.
ResponseReader::Event ResponseReader::State::take_framing(const ConnectionOptions& connection) {
  const ResponseFraming found =
      response_framing(FramingLines(head.fields), method, head.status, head.version_minor);
  if (!found.error.empty()) return fail(found.error);
  framing = found.framing;
  left = found.content_length.value_or(0);
  head.content_length = found.content_length;
  head.has_body = !never_has_body(method, head.status);
  if (head.has_body && !parser.agrees(framing, left)) {
    return fail("the origin's framing can be read in two ways");
  }
  head.keep_alive = connection.persists(head.version_minor) && !tainted &&
                    !found.promises_content && framing != Framing::kClose;
  phase = Phase::kBody;
  return Event::kHead;
}

ResponseReader::Step ResponseReader::State::read_body(std::span<const std::byte> input) {
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

ResponseReader::Step ResponseReader::State::read_chunked(std::span<const std::byte> input) {
  const MessageParser::Step step = parser.read_chunked(input);
  if (parser.fault() != Fault::kNone) return {fail(error_of(parser.fault())), step.consumed, {}};
  if (!step.content.empty()) return {Event::kBody, step.consumed, step.content};
  return {parser.done() ? end() : Event::kNeedMore, step.consumed, {}};
}

}  // namespace perigee::http

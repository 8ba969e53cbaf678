#include "origin/origin_stream.h"

#include <algorithm>

#include "base/check.h"
#include "base/limits.h"
#include "http/cache_control.h"
#include "http/request_writer.h"

namespace perigee::origin {

namespace limits = base::limits;
using base::Io;
using http::Chunk;
using http::Method;
using Event = http::ResponseParser::Event;

namespace {

constexpr int64_t kPermitRetryMs = 20;

/// How long the origin keeps an idle connection: its word less a second, else 4 s.
int64_t idle_ms_of(const http::HeaderList& fields) {
  const http::Field* field = fields.find(http::FieldName::kKeepAlive);
  if (field == nullptr) return limits::kOriginIdleMs;
  http::ListCursor cursor(field->value);
  while (const auto member = cursor.next()) {
    if (!member->starts_with("timeout=")) continue;
    const std::optional<int64_t> seconds = http::parse_delta_seconds(member->substr(8));
    if (seconds) return std::clamp<int64_t>((*seconds - 1) * 1000, 0, limits::kIdleMs);
  }
  return limits::kOriginIdleMs;
}

bool is_repeatable(Method method) {
  return method == Method::kGet || method == Method::kHead || method == Method::kOptions;
}

}  // namespace

OriginStream::OriginStream(StreamShared& shared, const FetchRequest& request, FetchUser& user)
    : shared_(shared),
      request_(request),
      user_(user),
      handle_(std::make_shared<Handle>(Handle{this})),
      timer_([this] { on_timer(); }),
      begun_(shared.env.now()) {
  // Nothing is called back inside fetch().
  run_later();
}

OriginStream::~OriginStream() {
  handle_->stream = nullptr;
  if (request_.body != nullptr) request_.body->set_waker(nullptr);
  if (permit_) shared_.pool.return_permit();
}

void OriginStream::run_later() {
  shared_.env.later([handle = handle_] {
    if (handle->stream != nullptr) handle->stream->run();
  });
}

void OriginStream::wake() { run_later(); }

void OriginStream::begin() {
  if (!retried_) {
    if (auto idle = shared_.pool.take_idle(!is_repeatable(request_.method))) {
      return use(std::move(idle), true);
    }
  }
  if (!shared_.pool.take_permit()) {
    if (shared_.env.now() - begun_ >= shared_.options.first_byte_ms) {
      return fail(FetchError::kBusy, "no connection to the origin was free in time");
    }
    shared_.env.arm(timer_, shared_.env.now() + kPermitRetryMs);
    return;
  }
  permit_ = true;
  phase_ = Phase::kConnecting;
  connect();
}

void OriginStream::connect() {
  const HttpOriginOptions& options = shared_.options;
  if (const auto literal = base::Address::parse_host(options.host, options.port)) {
    addresses_ = {*literal};
    return connect_to(0);
  }
  pending_ = shared_.names.resolve(
      options.host, options.port, [this](base::Result<base::Addresses> result) {
        if (!result.ok()) {
          const bool late = result.error().code == base::ErrorCode::kTimeout;
          return fail(late ? FetchError::kTimeout : FetchError::kResolve, result.error().message);
        }
        addresses_ = std::move(*result);
        if (addresses_.size() > limits::kAddressesTried) addresses_.resize(limits::kAddressesTried);
        connect_to(0);
      });
}

void OriginStream::connect_to(size_t index) {
  if (addresses_.empty()) return fail(FetchError::kResolve, "the origin's name has no address");
  const HttpOriginOptions& options = shared_.options;
  base::Endpoint endpoint;
  endpoint.address = addresses_[index];
  endpoint.tls = options.secure ? &options.tls : nullptr;
  endpoint.deadline = shared_.env.now() + options.connect_ms;
  pending_ = shared_.env.connect(
      endpoint, [this, index](base::Result<std::unique_ptr<base::Channel>> result) {
        if (result.ok()) {
          permit_ = false;
          return use(shared_.pool.wrap(std::move(*result)), false);
        }
        if (index + 1 < addresses_.size()) return connect_to(index + 1);
        const base::ErrorCode code = result.error().code;
        fail(code == base::ErrorCode::kTls       ? FetchError::kTls
             : code == base::ErrorCode::kTimeout ? FetchError::kTimeout
                                                 : FetchError::kConnect,
             result.error().message);
      });
}

void OriginStream::use(std::unique_ptr<OriginConnection> connection, bool reused) {
  connection_ = std::move(connection);
  reused_ = reused;
  phase_ = Phase::kExchanging;
  parser_.begin(request_.method);
  connection_->channel().bind(this);
  output_.clear();
  input_begin_ = input_end_ = 0;
  http::RequestFraming framing = http::RequestFraming::kNone;
  uint64_t length = 0;
  if (request_.body != nullptr) {
    const std::optional<uint64_t> size = request_.body->size();
    chunked_up_ = !size.has_value();
    framing = size ? http::RequestFraming::kContentLength : http::RequestFraming::kChunked;
    length = size.value_or(0);
    request_.body->set_waker(this);
  }
  http::append_request_head(output_, request_.method_text, request_.target, request_.host,
                            request_.fields, framing, length);
  request_sent_ = request_.body == nullptr;
  request_ms_ = shared_.env.wall().ms;
  shared_.env.arm(timer_, shared_.env.now() + shared_.options.first_byte_ms);
  run();
}

void OriginStream::on_ready(bool readable, bool) noexcept {
  readable_ = readable_ || readable;
  run();
}

void OriginStream::run() {
  if (phase_ == Phase::kStarting) return begin();
  if (phase_ != Phase::kExchanging || connection_ == nullptr) return;
  if (!send_some()) return fail(FetchError::kClosed, "the request's content ended early");
  if (!head_done_) return receive_head();
  if (waiting_ && readable_) {
    waiting_ = false;
    BodySource::wake();
  }
}

/// False: the request's content was cut, and with it the request.
bool OriginStream::send_some() {
  base::Channel& channel = connection_->channel();
  bool blocked = false;
  while (!ended_ && fill_output()) {
    const base::Piece piece{reinterpret_cast<const std::byte*>(output_.data()), output_.size()};
    const Io io = channel.send({&piece, 1});
    if (io.state == Io::kOk) output_.erase(0, io.n);
    if (io.state == Io::kFail) {
      // The answer may have come before the end of the request: it is looked at first.
      output_.clear();
      request_sent_ = false;
      readable_ = true;
      break;
    }
    if (io.state == Io::kAgain) {
      blocked = true;
      break;
    }
  }
  if (upload_cut_) return false;
  channel.want(!peer_ended_, blocked);
  return true;
}

/// Pulls the request's content while there is room. True: there is something to send.
bool OriginStream::fill_output() {
  while (!request_sent_ && request_.body != nullptr && output_.size() < limits::kOutLowBytes) {
    const Chunk chunk = request_.body->peek(limits::kFillChunkBytes);
    if (chunk.state == Chunk::kLater) break;
    if (chunk.state == Chunk::kFail) {
      upload_cut_ = true;
      return false;
    }
    const std::string_view bytes(reinterpret_cast<const char*>(chunk.piece.data), chunk.piece.size);
    if (chunked_up_ && !bytes.empty()) http::append_chunk(output_, bytes);
    if (!chunked_up_) output_.append(bytes);
    request_.body->advance(bytes.size());
    if (chunk.state != Chunk::kEnd) continue;
    if (chunked_up_) http::append_last_chunk(output_);
    request_sent_ = true;
  }
  return !output_.empty();
}

/// One recv into the buffer, which is empty.
Io OriginStream::receive() {
  if (input_.empty()) input_.resize(limits::kFillChunkBytes);
  input_begin_ = input_end_ = 0;
  readable_ = false;
  const Io io = connection_->channel().recv(input_);
  if (io.state == Io::kOk) {
    input_end_ = io.n;
    rate_bytes_ += io.n;
  } else if (io.state != Io::kAgain) {
    peer_ended_ = true;
    peer_clean_ = io.state == Io::kEof;
  }
  return io;
}

void OriginStream::receive_head() {
  if (!readable_) return;
  while (true) {
    if (input_begin_ == input_end_) {
      const Io io = receive();
      if (io.state == Io::kAgain) return;
      if (io.state != Io::kOk) {
        if (may_retry()) {
          retried_ = true;
          peer_ended_ = false;
          connection_.reset();
          phase_ = Phase::kStarting;
          return begin();
        }
        return fail(FetchError::kClosed, "the origin closed the connection before its response");
      }
    }
    const std::span<const std::byte> input(input_.data() + input_begin_, input_end_ - input_begin_);
    const http::ResponseParser::Step step = parser_.next(input);
    input_begin_ += step.consumed;
    if (!handle_head_step(step)) return;
  }
}

/// True: go on with the next bytes.
bool OriginStream::handle_head_step(const http::ResponseParser::Step& step) {
  const base::Tick head_end = begun_ + shared_.options.head_ms;
  const std::shared_ptr<Handle> handle = handle_;
  switch (step.event) {
    case Event::kNeedMore:
      shared_.env.arm(timer_, std::min(head_end, shared_.env.now() + shared_.options.between_bytes_ms));
      return true;
    case Event::kInterim:
      shared_.env.arm(timer_, std::min(head_end, shared_.env.now() + shared_.options.first_byte_ms));
      if (parser_.head().status != 100) user_.on_fetch_interim(parser_.head());
      return handle->stream != nullptr;
    case Event::kHead: {
      const http::ReceivedResponse& head = parser_.head();
      head_done_ = true;
      keep_alive_ = head.keep_alive;
      idle_ms_ = idle_ms_of(head.fields);
      declared_ = head.content_length;
      rate_since_ = shared_.env.now();
      rate_bytes_ = 0;
      timer_.disarm();
      const http::ResponseTimes times{request_ms_, shared_.env.wall().ms};
      const bool has_body = head.has_body;
      user_.on_fetch_head(head, times);
      if (handle->stream != nullptr && !has_body) end_response();
      return false;
    }
    default:
      fail(FetchError::kMalformed, std::string(parser_.error()));
      return false;
  }
}

Chunk OriginStream::peek(size_t max) {
  while (content_.empty()) {
    if (failed_) return {{}, Chunk::kFail};
    if (ended_) return {{}, Chunk::kEnd};
    if (input_begin_ == input_end_) {
      const http::ResponseParser::Step over = parser_.next({});
      if (over.event == Event::kEnd) {
        end_response();
        continue;
      }
      const Io io = receive();
      if (io.state == Io::kAgain) {
        waiting_ = true;
        connection_->channel().want(true, !output_.empty());
        shared_.env.arm(timer_, shared_.env.now() + shared_.options.between_bytes_ms);
        return {{}, Chunk::kLater};
      }
      if (io.state != Io::kOk) {
        if (parser_.next_eof(peer_clean_) != Event::kEnd) return lose();
        end_response();
        continue;
      }
      const base::Tick now = shared_.env.now();
      if (now - rate_since_ >= limits::kRateWindowMs) {
        const auto least = static_cast<uint64_t>(limits::kBodyBytesPerSecond) *
                           static_cast<uint64_t>(limits::kRateWindowMs / 1000);
        if (rate_bytes_ < least) return lose();
        rate_since_ = now;
        rate_bytes_ = 0;
      }
    }
    const std::span<const std::byte> input(input_.data() + input_begin_, input_end_ - input_begin_);
    const http::ResponseParser::Step step = parser_.next(input);
    input_begin_ += step.consumed;
    if (step.event == Event::kBody) content_ = step.body;
    if (step.event == Event::kEnd) end_response();
    if (step.event == Event::kError) return lose();
  }
  return {{content_.data(), std::min(max, content_.size())}, Chunk::kMore};
}

void OriginStream::advance(size_t n) { content_ = content_.subspan(n); }

/// The response is whole: the connection is kept when nothing else was said on it.
void OriginStream::end_response() {
  ended_ = true;
  phase_ = Phase::kDone;
  timer_.disarm();
  pending_.abandon();
  if (connection_ == nullptr) return;
  const bool surplus = input_begin_ != input_end_;
  const bool reusable = keep_alive_ && request_sent_ && output_.empty() && !surplus && !peer_ended_;
  if (reusable) {
    shared_.pool.put_idle(std::move(connection_), idle_ms_);
  }
  connection_.reset();
}

/// The rest of the content will not come.
Chunk OriginStream::lose() {
  failed_ = true;
  phase_ = Phase::kDone;
  timer_.disarm();
  connection_.reset();
  return {{}, Chunk::kFail};
}

bool OriginStream::may_retry() const {
  return reused_ && !retried_ && !parser_.started() && is_repeatable(request_.method) &&
         request_.body == nullptr;
}

void OriginStream::fail(FetchError::Kind kind, std::string message) {
  if (failed_ || ended_) return;
  lose();
  if (permit_) shared_.pool.return_permit();
  permit_ = false;
  if (head_done_) return BodySource::wake();
  user_.on_fetch_failed({kind, std::move(message)});
}

void OriginStream::on_timer() {
  if (phase_ == Phase::kStarting) return begin();
  if (head_done_) {
    lose();
    if (waiting_) BodySource::wake();
    return;
  }
  // An upload that still moves is not late: the response is waited for from its end.
  if (!request_sent_ && shared_.env.now() - begun_ < shared_.options.head_ms) {
    shared_.env.arm(timer_, shared_.env.now() + shared_.options.first_byte_ms);
    return;
  }
  fail(FetchError::kTimeout, "the origin did not answer in time");
}

}  // namespace perigee::origin

// The exchange as a little machine: run() moves it on whenever the connection or the content says
// so.
#include "origin/origin_stream.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/limits.h"
#include "base/text.h"
#include "http/cache_control.h"
#include "origin/own_connection.h"

namespace perigee::origin {

namespace limits = base::limits;
using base::Io;
using http::Chunk;
using http::Method;
using Event = http::ResponseReader::Event;

namespace {

constexpr size_t kBuffersKept = 16;

/// How long the origin keeps an idle connection: its word less a second, else 4 s (http-rules 4.3).
int64_t idle_ms_of(const http::HeaderList& fields) {
  constexpr std::string_view kName = "timeout=";
  const http::Field* field = fields.find(http::FieldName::kKeepAlive);
  if (field == nullptr) return limits::kOriginIdleMs;
  http::ListCursor cursor(field->value);
  while (const auto member = cursor.next()) {
    if (!base::iequals(member->substr(0, kName.size()), kName)) continue;
    const std::optional<int64_t> seconds = http::parse_delta_seconds(member->substr(kName.size()));
    if (seconds) return std::clamp<int64_t>((*seconds - 1) * 1000, 0, limits::kIdleMs);
  }
  return limits::kOriginIdleMs;
}

bool is_repeatable(const FetchRequest& request) {
  return request.body == nullptr &&
         (request.method == Method::kGet || request.method == Method::kHead ||
          request.method == Method::kOptions);
}

}  // namespace

OriginStream::OriginStream(OriginShared& shared, const FetchRequest& request, FetchUser& user)
    : shared_(shared),
      request_(request),
      user_(&user),
      for_one_client_(request.relayed),
      connector_(shared, *this, request_),
      run_([this] { run(); }),
      timer_([this] { on_timer(); }),
      pace_timer_([this] { on_pace(); }) {
  // Nothing is called back inside fetch().
  run_soon();
}

OriginStream::~OriginStream() {
  if (gone_ != nullptr) *gone_ = true;
  close(Phase::kFailed);
  if (buffer_ != nullptr && shared_.buffers.size() < kBuffersKept) {
    shared_.buffers.push_back(std::move(buffer_));
  }
}

void OriginStream::connect() {
  CHECK(connection_ == nullptr && phase_ != Phase::kEnded && phase_ != Phase::kFailed);
  phase_ = Phase::kConnecting;
  if (request_.own != nullptr) {
    auto own = retried_ ? nullptr : request_.own->take(shared_.pool);
    const bool usable =
        own != nullptr &&
        (request_.upgrade.empty() || own->become_tunnel(shared_.pool.gate(), request_.client));
    if (usable) return on_connection(std::move(own), true);
    return connector_.start(Connector::Reuse::kNone);
  }
  connector_.start(retried_                  ? Connector::Reuse::kNone
                   : is_repeatable(request_) ? Connector::Reuse::kAny
                                             : Connector::Reuse::kSurelyOpen);
}

/// Sends at once, but calls nobody back: it may be inside a call of another stream.
void OriginStream::on_connection(std::unique_ptr<OriginConnection> connection, bool reused) {
  CHECK(phase_ == Phase::kConnecting && connection_ == nullptr && input_.empty());
  connection_ = std::move(connection);
  reused_ = reused;
  phase_ = Phase::kHead;
  parser_.begin(request_.method, request_.upgrade);
  connection_->channel().bind(this);
  upload_.begin(request_, *this);
  request_ms_ = shared_.env.wall().ms;
  if (request_.body != nullptr) watch_pace();
  const Upload::State state = upload_.send(connection_->channel());
  await_response(state);
  const bool quiet = state == Upload::State::kWhole || state == Upload::State::kBlocked ||
                     state == Upload::State::kWaiting;
  if (!quiet || readable_) run_soon();
}

void OriginStream::on_no_connection(FetchError::Kind kind, const std::string& why) {
  fail(kind, why);
}

void OriginStream::on_ready(bool readable, bool) noexcept {
  readable_ = readable_ || readable;
  // Content that nobody asks for stays in the socket, which must not spin meanwhile.
  if (phase_ == Phase::kContent && !waiting_ && !tunnel_) {
    return connection_->channel().want(false, false);
  }
  run();
}

void OriginStream::run() {
  switch (phase_) {
    case Phase::kStarting:
      return connect();
    case Phase::kHead:
      if (send_request()) receive_head();
      return;
    case Phase::kContent:
      if (tunnel_) send_tunnelled();
      if (waiting_ && readable_) resume_content();
      return;
    case Phase::kConnecting:
    case Phase::kEnded:
    case Phase::kFailed:
      return;
  }
}

/// False: the request was cut, and the stream with it.
bool OriginStream::send_request() {
  if (upload_.state() == Upload::State::kRefused) {
    fail(FetchError::kRefused, "the request's head holds a byte that none may hold");
    return false;
  }
  if (upload_.over()) return true;
  const Upload::State state = upload_.send(connection_->channel());
  if (state == Upload::State::kCut) {
    fail(FetchError::kClosed, "the request's content ended early");
    return false;
  }
  if (state == Upload::State::kMore) run_soon();
  await_response(state);
  return true;
}

/// The clock of the response begins when the request is whole; until then each step has its time.
void OriginStream::await_response(Upload::State state) {
  connection_->channel().want(true, state == Upload::State::kBlocked);
  // The answer may stand before the error that ended the sending.
  if (state == Upload::State::kBroken) readable_ = true;
  if (state == Upload::State::kWhole) {
    if (request_.body != nullptr) look_for_early_answer();
    head_due_ = shared_.env.now() + std::max(request_.times.head_ms, request_.times.first_byte_ms);
    return await(request_.times.first_byte_ms);
  }
  await(request_.times.between_bytes_ms);
}

/// The last byte of content has just left. What is there by now was said without it.
void OriginStream::look_for_early_answer() {
  if (!readable_) readable_ = receive().state != Io::kAgain;
  early_ = early_ || readable_;
}

void OriginStream::await(int64_t ms) {
  shared_.env.arm(timer_, std::min(head_due_, shared_.env.now() + ms));
}

/// One recv into the buffer, which is empty.
Io OriginStream::receive() {
  if (buffer_ == nullptr) {
    if (shared_.buffers.empty()) {
      buffer_.reset(new std::byte[limits::kFillChunkBytes]);
    } else {
      buffer_ = std::move(shared_.buffers.back());
      shared_.buffers.pop_back();
    }
  }
  CHECK(input_.empty() && content_.empty());
  readable_ = false;
  const std::span<std::byte> room(buffer_.get(), limits::kFillChunkBytes);
  const Io io = connection_->channel().recv(room);
  if (io.state == Io::kOk) input_ = room.first(io.n);
  return io;
}

http::ResponseReader::Step OriginStream::parse() {
  const http::ResponseReader::Step step = parser_.next(input_);
  CHECK(step.consumed <= input_.size());
  input_ = input_.subspan(step.consumed);
  return step;
}

void OriginStream::receive_head() {
  if (!readable_) return;
  do {
    if (!input_.empty()) continue;
    const Io io = receive();
    if (io.state == Io::kAgain) return;
    if (io.state != Io::kOk) return on_closed_before_head();
    early_ = early_ || !upload_.over();
  } while (take_step(parse()));
}

void OriginStream::on_closed_before_head() {
  const bool repeat = reused_ && !retried_ && !parser_.started() && is_repeatable(request_);
  if (!repeat) {
    return fail(FetchError::kClosed, "the origin closed the connection before its response");
  }
  retried_ = true;
  timer_.disarm();
  connection_.reset();
  connect();
}

/// True: the head is not there yet. Else nothing may be touched: the user may have destroyed the
/// stream.
bool OriginStream::take_step(const http::ResponseReader::Step& step) {
  switch (step.event) {
    case Event::kNeedMore:
      await(request_.times.between_bytes_ms);
      return true;
    case Event::kInterim: {
      await(request_.times.first_byte_ms);
      if (parser_.head().status == 100) return true;
      bool gone = false;
      gone_ = &gone;
      user_->on_fetch_interim(parser_.head());
      if (!gone) gone_ = nullptr;
      return !gone;
    }
    case Event::kHead:
      hand_over_head();
      return false;
    default:
      fail(FetchError::kMalformed, std::string(parser_.error()));
      return false;
  }
}

void OriginStream::hand_over_head() {
  CHECK(phase_ == Phase::kHead);
  const http::ReceivedResponse& head = parser_.head();
  // Bytes of the client would go on where our head broke off.
  if (head.status == 101 && upload_.state() != Upload::State::kWhole) {
    return fail(FetchError::kMalformed, "the origin switched protocols before it was asked");
  }
  phase_ = Phase::kContent;
  timer_.disarm();
  // The place of a tunnel is none among the connections of the pool.
  keep_alive_ = head.keep_alive && upload_.state() == Upload::State::kWhole && has_read_content() &&
                request_.upgrade.empty();
  upload_.stop();
  idle_ms_ = idle_ms_of(head.fields);
  if (head.has_body) declared_ = head.content_length;
  const http::ResponseTimes times{request_ms_, shared_.env.wall().ms};
  // Before the user is told: it may begin the next request, or destroy this one.
  if (!head.has_body || declared_ == 0u) {
    end_response();
  } else if (request_.relayed && request_.upgrade.empty()) {
    watch_pace();
  }
  user_->on_fetch_head(head, times);
}

/// The origin may be taken to have read the request's content. One that answered too early, or with
/// an error, may take what it left unread for the next request, whose answer would be another
/// client's.
bool OriginStream::has_read_content() const {
  if (request_.body == nullptr) return true;
  return !early_ && parser_.head().status < 400 && connection_->channel().unacked() == 0;
}

Chunk OriginStream::peek(size_t max) {
  while (content_.empty() && phase_ == Phase::kContent) {
    if (!next_content()) return {{}, Chunk::kLater};
  }
  const size_t n = std::min(max, content_.size());
  const bool all = n == content_.size();
  if (phase_ == Phase::kEnded && all) return {{content_.data(), n}, Chunk::kEnd};
  if (n > 0) return {{content_.data(), n}, Chunk::kMore};
  return {{}, Chunk::kFail};
}

void OriginStream::advance(size_t n) {
  CHECK(n <= content_.size());
  content_ = content_.subspan(n);
}

/// One step towards content or the end. False: nothing is there now.
bool OriginStream::next_content() {
  if (input_.empty()) {
    const Io io = receive();
    if (io.state == Io::kAgain) {
      wait_for_content();
      return false;
    }
    if (waiting_) stop_waiting();
    if (io.state != Io::kOk) {
      const bool clean = io.state == Io::kEof && !upload_.has_broken();
      const bool whole = parser_.next_eof(clean) == Event::kEnd;
      keep_alive_ = false;
      whole ? end_response() : cut("the connection ended before the content");
      return true;
    }
    rate_bytes_ += io.n;
    received_bytes_ += io.n;
  }
  const http::ResponseReader::Step step = parse();
  switch (step.event) {
    case Event::kBody:
      content_ = step.body;
      // The connection is free as soon as the last byte is here, not when it has been taken.
      if (input_.empty() && parser_.next({}).event == Event::kEnd) end_response();
      return true;
    case Event::kEnd:
      end_response();
      return true;
    case Event::kNeedMore:
      return true;
    default:
      cut("the content is malformed");
      return true;
  }
}

/// What has no declared end and one reader alone, such as an event stream, may be slow or quiet for
/// long.
bool OriginStream::is_open_ended() const { return for_one_client_ && !declared_; }

void OriginStream::wait_for_content() {
  connection_->channel().want(true, tunnel_ && upload_.state() == Upload::State::kBlocked);
  if (waiting_) return;
  waiting_ = true;
  waiting_since_ = shared_.env.now();
  await_content();
}

/// Who has been told that nothing more comes has no reason to be quiet for long.
void OriginStream::await_content() {
  const bool patient = is_open_ended() && !finished_;
  const int64_t ms = patient ? limits::kStreamQuietMs : request_.times.between_bytes_ms;
  shared_.env.arm(timer_, shared_.env.now() + ms);
}

void OriginStream::tunnel(http::BodySource& client) {
  CHECK(phase_ == Phase::kContent && !tunnel_ && !request_.upgrade.empty());
  tunnel_ = true;
  upload_.begin_tunnel(client, *this);
  run_soon();
}

/// What the client has sent goes on, as fast as the origin takes it.
void OriginStream::send_tunnelled() {
  base::Channel& channel = connection_->channel();
  const uint64_t before = upload_.taken_bytes();
  const Upload::State state = upload_.send(channel);
  if (state == Upload::State::kMore) run_soon();
  if (state == Upload::State::kWhole && !finished_) finished_ = channel.finish();
  const bool unfinished = state == Upload::State::kWhole && !finished_;
  channel.want(waiting_, state == Upload::State::kBlocked || unfinished);
  if (waiting_ && (finished_ || upload_.taken_bytes() != before)) await_content();
}

/// Only time spent waiting for the origin counts: a slow reader is no slow origin.
void OriginStream::stop_waiting() {
  waiting_ = false;
  timer_.disarm();
  waited_ms_ += shared_.env.now() - waiting_since_;
}

void OriginStream::resume_content() {
  CHECK(waiting_);
  stop_waiting();
  if (waited_ms_ >= limits::kRateWindowMs) {
    const auto least = static_cast<uint64_t>(request_.times.bytes_per_second * waited_ms_ / 1000);
    if (rate_bytes_ < least && !is_open_ended()) cut("the content came too slowly");
    waited_ms_ = 0;
    rate_bytes_ = 0;
  }
  BodySource::wake();
}

/// The response is whole: the connection is kept when nothing else was said on it.
void OriginStream::end_response() {
  CHECK(phase_ == Phase::kContent && connection_ != nullptr);
  const bool reusable = keep_alive_ && input_.empty();
  if (reusable && request_.own != nullptr) {
    // While others wait for a connection nobody keeps one to himself.
    if (!shared_.pool.gate().contended()) request_.own->keep(std::move(connection_), shared_.pool);
  } else if (reusable) {
    shared_.pool.put_idle(std::move(connection_), idle_ms_);
  }
  close(Phase::kEnded);
}

/// Whoever reads the content finds the cut behind what was received.
void OriginStream::cut(const char* why) {
  CHECK(phase_ == Phase::kContent);
  close(Phase::kFailed);
  user_->on_fetch_cut({FetchError::kCut, std::string("a response was cut: ") + why});
}

void OriginStream::close(Phase phase) {
  phase_ = phase;
  timer_.disarm();
  pace_timer_.disarm();
  upload_.stop();
  connection_.reset();
  connector_.leave_relays();
}

void OriginStream::become_relay(base::Holder client) {
  if (phase_ != Phase::kContent) return;
  for_one_client_ = true;
  beyond_share_ = !connector_.become_relay(client);
  watch_pace();
}

void OriginStream::watch_pace() {
  paced_bytes_ = moved_bytes();
  shared_.env.arm(pace_timer_, shared_.env.now() + limits::kLaggardMs);
}

/// A client that is slow to read or to send is served at its pace only while nobody waits for the
/// connection that it holds.
void OriginStream::on_pace() {
  const bool by_client =
      phase_ == Phase::kContent ? !waiting_ : upload_.state() == Upload::State::kWaiting;
  const auto least =
      static_cast<uint64_t>(limits::kLaggardBytesPerSecond * limits::kLaggardMs / 1000);
  const bool slow = moved_bytes() - paced_bytes_ < least;
  if (!by_client || !slow || !(beyond_share_ || shared_.pool.gate().contended())) {
    return watch_pace();
  }
  if (phase_ == Phase::kHead) {
    return fail(FetchError::kBusy, "the client sends too slowly while others wait for the origin");
  }
  cut("its client reads too slowly while others wait for the origin");
}

void OriginStream::fail(FetchError::Kind kind, const std::string& why) {
  close(Phase::kFailed);
  user_->on_fetch_failed({kind, why});
}

void OriginStream::on_timer() {
  if (phase_ == Phase::kContent) {
    cut("the origin fell silent");
    if (std::exchange(waiting_, false)) BodySource::wake();
    return;
  }
  // A client that is slow to send is no slow origin: its codec cuts it, and the content with it.
  if (upload_.state() == Upload::State::kWaiting) return await(request_.times.between_bytes_ms);
  fail(FetchError::kTimeout, "the origin did not answer in time");
}

}  // namespace perigee::origin

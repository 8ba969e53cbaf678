#include "http/h1/server_codec.h"

#include <array>
#include <utility>

#include "base/check.h"
#include "http/h1/request_content.h"
#include "http/h1/request_reader.h"
#include "http/h1/response_sender.h"
#include "http/h1/writer.h"
#include "http/response.h"

namespace perigee::http {

namespace limits = base::limits;
using base::Tick;

namespace {

constexpr Tick kNever{INT64_MAX};

/// One connection. It is its own only exchange: requests of a connection are answered one after
/// another.
class Http1Codec final : public ServerCodec, public Exchange, private ResponseSender::Listener {
 public:
  Http1Codec(const CodecContext& context, const Http1Options& options, RequestScratch& scratch)
      : context_(context),
        options_(options),
        scratch_(scratch),
        reader_(options, context.peer.secure ? "https" : "http") {}

  // ServerCodec
  size_t feed(std::span<const std::byte> bytes, Tick now) override;
  void feed_end() override;
  bool pump(Tick now) override;
  bool wants_read() const override;
  Tick deadline() const override { return deadline_; }
  void on_deadline(Tick now) override;
  void rest() override { sender_.rest(); }
  void drain() override { draining_ = true; }
  bool cancel() override;
  State state() const override { return state_; }
  Phase phase() const override {
    if (active_ || state_ != State::kOpen) return Phase::kExchange;
    return reader_.started() ? Phase::kHead : Phase::kBetween;
  }

  // Exchange
  const RequestHead& request() const override { return head_; }
  void set_scheme(std::string_view scheme) override { head_.scheme = scheme; }
  void set_from_proxy() override { head_.from_proxy = true; }
  bool promote() override;
  BodySource* request_body() override {
    return reader_.framing() == Framing::kNone ? nullptr : &content_;
  }
  void inform(const ResponseHead& interim) override;
  void respond(const ResponseHead& head, BodySource* body) override;
  BodySource& tunnel() override;
  void cut() override;
  std::span<std::byte, Exchange::kSlotBytes> slot() override { return slot_; }
  Arena& arena() override { return promoted_ ? own_arena_ : scratch_.arena(); }
  const base::Peer& peer() const override { return context_.peer; }
  std::unique_ptr<Attachment>& of_connection() override { return of_connection_; }

 private:
  size_t feed_head(std::span<const std::byte> bytes, Tick now);
  size_t feed_body(std::span<const std::byte> bytes);
  void refuse(const Refusal& refusal);
  void end_of_input();
  bool ends_after_this() const;
  void send_error(const Refusal& refusal);
  void on_response_end(ResponseSender::Ending ending) override;
  /// Requests have ended on this connection: both sides speak another protocol.
  bool tunnelling() const { return active_ && reader_.framing() == Framing::kClose; }

  std::unique_ptr<Attachment> of_connection_;  ///< ends last
  const CodecContext context_;
  const Http1Options& options_;
  RequestScratch& scratch_;
  Http1RequestReader reader_;
  State state_ = State::kOpen;
  Tick deadline_ = kNever;

  // The request that is being answered, and its response.
  RequestHead head_;
  Arena own_arena_;
  RequestContent content_{reader_, context_};
  ResponseSender sender_{context_, *this};
  bool active_ = false;
  bool promoted_ = false;
  bool responded_ = false;
  bool keep_alive_ = true;

  bool draining_ = false;
  bool peer_ended_ = false;
  bool held_back_ = false;  ///< bytes were fed that cannot be looked at yet
  alignas(std::max_align_t) std::array<std::byte, Exchange::kSlotBytes> slot_;
};

size_t Http1Codec::feed(std::span<const std::byte> bytes, Tick now) {
  size_t used = 0;
  while (state_ == State::kOpen && used < bytes.size() && wants_read()) {
    const std::span<const std::byte> rest = bytes.subspan(used);
    const size_t n = active_ ? feed_body(rest) : feed_head(rest, now);
    if (n == 0) break;
    used += n;
  }
  held_back_ = used < bytes.size() && !wants_read();
  if (peer_ended_) end_of_input();
  if (state_ == State::kOpen) return used;
  // Nothing of what follows the end of this connection's requests is ever parsed. It is drained,
  // since a close with bytes unread would reset the connection and lose the answer.
  if (state_ == State::kClose && used < bytes.size()) state_ = State::kLinger;
  return bytes.size();
}

size_t Http1Codec::feed_head(std::span<const std::byte> bytes, Tick now) {
  const bool fresh = !reader_.started();
  switch (reader_.read_head(bytes, scratch_, head_)) {
    case Http1RequestReader::Progress::kNeedMore:
      if (fresh && reader_.started()) deadline_ = now + options_.head_ms;
      return 0;
    case Http1RequestReader::Progress::kRefused:
      refuse(reader_.refusal());
      return bytes.size();
    case Http1RequestReader::Progress::kHead:
      break;
  }
  const size_t used = reader_.head_bytes();
  active_ = true;
  responded_ = promoted_ = false;
  held_back_ = used < bytes.size();
  keep_alive_ = reader_.keep_alive();
  content_.begin(head_);
  deadline_ = reader_.body_done() ? kNever : now + options_.body_grace_ms;
  context_.sink.on_request(*this);
  scratch_.poison();
  return used;
}

size_t Http1Codec::feed_body(std::span<const std::byte> bytes) {
  const size_t used = content_.feed(bytes);
  if (reader_.refusal()) {
    const Refusal refusal = reader_.refusal();
    cancel();
    refuse(refusal);
    return bytes.size();
  }
  if (reader_.body_done()) deadline_ = kNever;
  content_.notify();
  return used;
}

/// An error of the codec's own, behind which the connection ends.
void Http1Codec::send_error(const Refusal& refusal) {
  Arena arena;
  std::string_view body;
  ResponseHead head = make_error(refusal.status, refusal.why, arena, body);
  context_.sink.on_refused(context_.peer, refusal.why, arena, head);
  keep_alive_ = false;
  CHECK(write_response_head(context_.out, head, {Framing::kLength, /*keep_alive=*/false, 1}));
  if (!reader_.is_head_request()) context_.out.copy(body);
}

void Http1Codec::refuse(const Refusal& refusal) {
  send_error(refusal);
  state_ = State::kLinger;
  deadline_ = kNever;
}

void Http1Codec::feed_end() {
  peer_ended_ = true;
  end_of_input();
}

/// The peer has ended its side. What is held back is still read, and what waits for its answer gets
/// it.
void Http1Codec::end_of_input() {
  if (held_back_ || state_ != State::kOpen) return;
  if (!active_) {
    state_ = State::kClose;
  } else if (tunnelling()) {
    reader_.end_tunnel();
    content_.notify();
  } else if (!reader_.body_done() && !responded_) {
    cancel();
    state_ = State::kAbort;
  }
}

bool Http1Codec::wants_read() const {
  if (state_ != State::kOpen) return false;
  if (!active_) return context_.out.copied_bytes() < limits::kOutHighBytes;
  return !reader_.body_done() && (!responded_ || tunnelling()) && content_.has_room();
}

void Http1Codec::on_deadline(Tick now) {
  if (active_) {
    const int64_t least = options_.body_bytes_per_second * options_.body_grace_ms / 1000;
    const bool slow = content_.is_slow(least);
    deadline_ = reader_.body_done() || responded_ ? kNever : now + options_.body_grace_ms;
    if (!slow || deadline_ == kNever) return;
    cancel();
    refuse({408, "the request's content came too slowly"});
    return;
  }
  // Browsers show or replay a 408 on a connection that asked nothing: close that one silently.
  if (!reader_.started()) {
    state_ = State::kClose;
  } else {
    refuse({408, "the head came too slowly"});
  }
}

bool Http1Codec::cancel() {
  if (!active_) return false;
  active_ = false;
  sender_.cancel();
  context_.sink.on_cancel(*this);
  return true;
}

BodySource& Http1Codec::tunnel() {
  CHECK(active_ && !responded_ && head_.asks_upgrade);
  reader_.begin_tunnel();
  return content_;
}

void Http1Codec::cut() {
  state_ = State::kAbort;
  context_.waker.wake();
}

bool Http1Codec::promote() {
  if (promoted_) return true;
  if (!copy_head(head_, head_, own_arena_)) return false;
  promoted_ = true;
  return true;
}

void Http1Codec::inform(const ResponseHead& interim) {
  if (head_.version_minor == 0 || responded_) return;
  if (write_interim_head(context_.out, interim)) context_.waker.wake();
}

/// Nothing more is read behind the request that is being answered, whatever its answer.
bool Http1Codec::ends_after_this() const {
  // What is left of the request's content is never taken for a request: the connection ends
  // instead.
  return draining_ || !reader_.body_done() || (peer_ended_ && !held_back_);
}

void Http1Codec::respond(const ResponseHead& head, BodySource* body) {
  CHECK(active_ && !responded_ && tunnelling() == !head.upgrade.empty());
  const bool framed = sender_.choose_framing(head_, head, body != nullptr);
  if (head.close || !framed || ends_after_this()) keep_alive_ = false;
  responded_ = true;
  content_.set_answered();
  if (!sender_.write_head(head_, head, keep_alive_)) {
    // Nothing of it may leave, its content neither.
    send_error({502, "the response holds a byte that no head may hold"});
    sender_.choose_framing(head_, {}, false);
    body = nullptr;
  }
  context_.waker.wake();
  sender_.begin_body(body);
}

bool Http1Codec::pump(Tick now) {
  if (content_.take_grace()) deadline_ = now + options_.body_grace_ms;
  if (!active_ && state_ == State::kOpen) {
    if (draining_) state_ = State::kClose;
    if (deadline_ == kNever) deadline_ = now + options_.idle_ms;
  }
  if (!active_ || !sender_.sending() || state_ != State::kOpen) return false;
  return sender_.pull();
}

void Http1Codec::on_response_end(ResponseSender::Ending ending) {
  const bool whole = ending == ResponseSender::Ending::kWhole;
  // Who asked for the end knows that nothing follows; who did not may have sent more, and a close
  // with bytes unread would reset the connection before the answer is read.
  const bool linger =
      reader_.keep_alive() || held_back_ || head_.asks_upgrade || !reader_.body_done();
  active_ = false;
  context_.sink.on_sent(*this, sender_.sent(), whole);
  own_arena_.reset();
  promoted_ = false;
  content_.end();
  reader_.reset();
  // The next pump sets it: an answer comes long after the request was read, at a time that is not
  // known here.
  deadline_ = kNever;
  if (!whole) {
    state_ = ending == ResponseSender::Ending::kBad ? State::kAbort : State::kCut;
  } else if (!keep_alive_ || draining_ || (peer_ended_ && !held_back_)) {
    state_ = linger && !peer_ended_ ? State::kLinger : State::kClose;
  }
}

}  // namespace

std::unique_ptr<ServerCodec> make_http1_codec(const CodecContext& context,
                                              const Http1Options& options,
                                              RequestScratch& scratch) {
  return std::make_unique<Http1Codec>(context, options, scratch);
}

}  // namespace perigee::http

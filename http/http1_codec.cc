#include "http/http1_codec.h"

#include <algorithm>
#include <charconv>
#include <optional>
#include <utility>

#include "base/check.h"
#include "http/http1_request_reader.h"
#include "http/line_breaks.h"
#include "http/response.h"

namespace perigee::http {

namespace limits = base::limits;
using base::Tick;

namespace {

constexpr Tick kNever{INT64_MAX};

/// How a response's body ends. kEmpty is a length of 0 that the codec says itself.
enum class Framing : uint8_t { kNone, kEmpty, kLength, kChunked, kClose };

/// An idle connection holds no larger window than this.
constexpr size_t kWindowKept = 64;

/// One connection. It is its own only exchange: requests of a connection are answered one after
/// another.
class Http1Codec final : public ServerCodec, public Exchange {
 public:
  Http1Codec(const CodecContext& context, const Http1Options& options, Http1Scratch& scratch)
      : context_(context), options_(options), scratch_(scratch), reader_(options) {}

  // ServerCodec
  size_t feed(std::span<const std::byte> bytes, Tick now) override;
  void feed_end() override;
  bool pump(Tick now) override;
  bool wants_read() const override;
  Tick deadline() const override { return deadline_; }
  void on_deadline(Tick now) override;
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
    return reader_.framing() == BodyFraming::kNone ? nullptr : &request_body_;
  }
  void inform(const ResponseHead& interim) override;
  void respond(const ResponseHead& head, BodySource* body) override;
  void cut() override;
  std::span<std::byte, 192> slot() override { return slot_; }
  Arena& arena() override { return promoted_ ? own_arena_ : scratch_.arena(); }
  const base::Peer& peer() const override { return context_.peer; }

 private:
  /// The request's content, decoded into a window that the flow empties.
  class RequestBody final : public BodySource {
   public:
    explicit RequestBody(Http1Codec& codec) : codec_(codec) {}
    Chunk peek(size_t max) override { return codec_.peek_request_body(max); }
    void advance(size_t n) override { codec_.advance_request_body(n); }
    std::optional<uint64_t> size() const override { return codec_.head_.content_length; }
    /// A kLater was given and has not been kept.
    bool awaited = false;
    void notify() {
      if (std::exchange(awaited, false)) wake();
    }

   private:
    Http1Codec& codec_;
  };
  /// Stands before the flow's body source so that the codec knows what the channel took.
  class Lender final : public BodySource {
   public:
    explicit Lender(Http1Codec& codec) : codec_(codec) {}
    Chunk peek(size_t) override { return {}; }
    void advance(size_t n) override { codec_.on_body_taken(n); }
    std::optional<uint64_t> size() const override { return std::nullopt; }

   private:
    Http1Codec& codec_;
  };

  size_t feed_head(std::span<const std::byte> bytes, Tick now);
  size_t feed_body(std::span<const std::byte> bytes);
  void refuse(const Refusal& refusal);
  void end_of_input();
  size_t window_bytes() const { return window_.size() - window_begin_; }
  bool ends_after_this() const;
  Chunk peek_request_body(size_t max);
  void advance_request_body(size_t n);
  void choose_framing(const ResponseHead& head, bool has_body);
  bool write_head(const ResponseHead& head, bool final_response);
  void send_error(const Refusal& refusal);
  bool pull();
  void copy_piece(const base::Piece& piece);
  void on_body_taken(size_t n);
  void end_body();
  void end_exchange(bool whole);

  CodecContext context_;
  const Http1Options& options_;
  Http1Scratch& scratch_;
  Http1RequestReader reader_;
  State state_ = State::kOpen;
  Tick deadline_ = kNever;

  // The request that is being answered.
  RequestHead head_;
  Arena own_arena_;
  RequestBody request_body_{*this};
  std::string window_;  ///< decoded content not yet pulled, behind window_begin_
  size_t window_begin_ = 0;
  uint64_t rate_bytes_ = 0;  ///< content received since the rate was last judged
  bool active_ = false;
  bool promoted_ = false;
  bool continue_due_ = false;
  bool grace_due_ = false;  ///< its rate is asked for from the next pump on

  // Its response.
  BodySource* body_ = nullptr;
  Lender lender_{*this};
  Framing framing_ = Framing::kNone;
  uint64_t left_ = 0;  ///< of a declared length
  uint64_t sent_ = 0;
  bool responded_ = false;
  bool last_lent_ = false;  ///< the piece being sent is the last
  size_t lent_ = 0;         ///< its bytes not taken yet
  bool keep_alive_ = true;
  bool draining_ = false;
  bool peer_ended_ = false;
  bool held_back_ = false;  ///< bytes were fed that cannot be looked at yet
  alignas(std::max_align_t) std::array<std::byte, 192> slot_;
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
  continue_due_ = head_.expect_continue;
  rate_bytes_ = 0;
  deadline_ = reader_.body_done() ? kNever : now + options_.body_grace_ms;
  context_.sink.on_request(*this);
  scratch_.poison();
  return used;
}

size_t Http1Codec::feed_body(std::span<const std::byte> bytes) {
  const size_t before = window_.size();
  const size_t room = limits::kSpillBytes - window_bytes();
  const size_t used = reader_.read_body(bytes.first(std::min(bytes.size(), room)), window_);
  rate_bytes_ += window_.size() - before;
  if (reader_.refusal()) {
    const Refusal refusal = reader_.refusal();
    cancel();
    refuse(refusal);
    return bytes.size();
  }
  if (reader_.body_done()) {
    deadline_ = kNever;
    grace_due_ = false;
  }
  request_body_.notify();
  return used;
}

/// An error of the codec's own, behind which the connection ends.
void Http1Codec::send_error(const Refusal& refusal) {
  Arena arena;
  std::string_view body;
  ResponseHead head = make_error(refusal.status, refusal.why, arena, body);
  context_.sink.on_refused(context_.peer, refusal.why, arena, head);
  head_.version_minor = 1;
  framing_ = Framing::kLength;
  keep_alive_ = false;
  CHECK(write_head(head, true));
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
  } else if (!reader_.body_done() && !responded_) {
    cancel();
    state_ = State::kAbort;
  }
}

bool Http1Codec::wants_read() const {
  if (state_ != State::kOpen) return false;
  if (!active_) return context_.out.copied_bytes() < limits::kOutHighBytes;
  return !reader_.body_done() && !responded_ && window_bytes() < limits::kSpillBytes;
}

void Http1Codec::on_deadline(Tick now) {
  if (active_) {
    // The peer is not to blame while it waits for a 100, or while its reader lets the window stand
    // full.
    const bool ours = continue_due_ || grace_due_ || window_bytes() >= limits::kSpillBytes;
    const int64_t least = options_.body_bytes_per_second * options_.body_grace_ms / 1000;
    const bool slow = static_cast<int64_t>(rate_bytes_) < least && !ours;
    rate_bytes_ = 0;
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
  context_.out.withdraw();
  body_ = nullptr;
  context_.sink.on_cancel(*this);
  return true;
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

Chunk Http1Codec::peek_request_body(size_t max) {
  if (std::exchange(continue_due_, false) && !reader_.body_done() && !responded_) {
    // The rate is asked for from here on: the next pump knows what time that is.
    grace_due_ = true;
    if (window_.empty()) context_.out.copy("HTTP/1.1 100 Continue\r\n\r\n");
    context_.waker.wake();
  }
  const size_t held = window_bytes();
  const size_t n = std::min(max, held);
  const auto* data = reinterpret_cast<const std::byte*>(window_.data() + window_begin_);
  if (n == held && reader_.body_done()) return {{data, n}, Chunk::kEnd};
  request_body_.awaited = n == 0;
  return {{data, n}, n == 0 ? Chunk::kLater : Chunk::kMore};
}

void Http1Codec::advance_request_body(size_t n) {
  window_begin_ += n;
  if (window_begin_ == window_.size()) {
    window_begin_ = 0;
    window_.clear();
  } else if (window_begin_ >= limits::kSpillBytes / 2) {
    window_.erase(0, window_begin_);
    window_begin_ = 0;
  }
  context_.waker.wake();
}

void Http1Codec::inform(const ResponseHead& interim) {
  if (head_.version_minor == 0 || responded_) return;
  if (write_head(interim, false)) context_.waker.wake();
}

/// Nothing more is read behind the request that is being answered, whatever its answer.
bool Http1Codec::ends_after_this() const {
  // What is left of the request's content is never taken for a request: the connection ends
  // instead.
  return draining_ || !reader_.body_done() || (peer_ended_ && !held_back_);
}

void Http1Codec::choose_framing(const ResponseHead& head, bool has_body) {
  left_ = head.content_length.value_or(0);
  if (never_has_body(head_.method, head.status)) {
    framing_ = Framing::kNone;
    left_ = 0;
  } else if (head.content_length) {
    framing_ = Framing::kLength;
  } else if (!has_body) {
    framing_ = Framing::kEmpty;
  } else {
    framing_ = head_.version_minor > 0 ? Framing::kChunked : Framing::kClose;
  }
  if (head.close || framing_ == Framing::kClose || ends_after_this()) keep_alive_ = false;
}

/// False: a CR, LF or NUL stands where none may, and nothing was written.
bool Http1Codec::write_head(const ResponseHead& head, bool final_response) {
  if (!head.block.is_whole_lines()) return false;
  const std::string_view reason = head.reason.empty() ? reason_phrase(head.status) : head.reason;
  size_t size = 64 + reason.size() + head.block.text.size();
  for (size_t i = 0; i < head.fresh_count; ++i) {
    size += head.fresh[i].name.size() + head.fresh[i].value.size() + 4;
  }
  const std::span<char> room = context_.out.reserve(size + 64);
  char* at = room.data();
  const auto put = [&](std::string_view text) { at += text.copy(at, text.size()); };
  put("HTTP/1.1 ");
  at = std::to_chars(at, room.data() + room.size(), head.status).ptr;
  put(" ");
  put(reason);
  put("\r\n");
  put(head.block.text);
  for (size_t i = 0; i < head.fresh_count; ++i) {
    put(head.fresh[i].name);
    put(": ");
    put(head.fresh[i].value);
    put("\r\n");
  }
  // The status line, and the empty one.
  size_t lines = 2 + head.block.size() + head.fresh_count;
  const auto put_line = [&](std::string_view line) {
    put(line);
    ++lines;
  };
  if (final_response) {
    if (!keep_alive_) {
      put_line("Connection: close\r\n");
    } else if (head_.version_minor == 0) {
      put_line("Connection: keep-alive\r\n");
    }
    if (framing_ == Framing::kChunked) put_line("Transfer-Encoding: chunked\r\n");
    if (framing_ == Framing::kEmpty) put_line("Content-Length: 0\r\n");
  }
  put("\r\n");
  const auto written = static_cast<size_t>(at - room.data());
  const bool sound = line_break_bytes({room.data(), written}) == 2 * lines;
  context_.out.commit(sound ? written : 0);
  return sound;
}

void Http1Codec::respond(const ResponseHead& head, BodySource* body) {
  CHECK(active_ && !responded_);
  choose_framing(head, body != nullptr);
  responded_ = true;
  if (!write_head(head, true)) {
    // Nothing of it may leave, its content neither.
    send_error({502, "the response holds a byte that no head may hold"});
    left_ = 0;
    body = nullptr;
  }
  body_ = framing_ == Framing::kNone ? nullptr : body;
  sent_ = 0;
  last_lent_ = false;
  context_.waker.wake();
  if (body_ == nullptr || (framing_ == Framing::kLength && left_ == 0)) return end_body();
  body_->set_waker(&context_.waker);
  pull();
}

bool Http1Codec::pump(Tick now) {
  if (std::exchange(grace_due_, false)) deadline_ = now + options_.body_grace_ms;
  if (!active_ && state_ == State::kOpen) {
    if (draining_) state_ = State::kClose;
    if (deadline_ == kNever) deadline_ = now + options_.idle_ms;
  }
  if (!active_ || !responded_ || body_ == nullptr || state_ != State::kOpen) return false;
  return pull();
}

/// Moves the body on as far as the queue lets it. True: something was moved.
bool Http1Codec::pull() {
  bool moved = false;
  while (!context_.out.lending() && context_.out.has_room()) {
    const Chunk chunk =
        body_->peek(framing_ == Framing::kChunked ? limits::kFillChunkBytes : limits::kSendBytes);
    if (chunk.state == Chunk::kLater) return moved;
    if (chunk.state == Chunk::kFail || chunk.state == Chunk::kBad) {
      end_exchange(false);
      if (chunk.state == Chunk::kBad) state_ = State::kAbort;
      return false;
    }
    base::Piece piece = chunk.piece;
    if (framing_ == Framing::kLength) piece.size = std::min<uint64_t>(piece.size, left_);
    const bool last =
        chunk.state == Chunk::kEnd || (framing_ == Framing::kLength && piece.size == left_);
    if (framing_ != Framing::kChunked && piece.size > limits::kCopyBodyBytes) {
      last_lent_ = last;
      lent_ = piece.size;
      context_.out.lend(piece, lender_);
      return true;
    }
    copy_piece(piece);
    if (last) {
      end_body();
      return true;
    }
    if (piece.size == 0) return moved;
    moved = true;
  }
  return moved;
}

void Http1Codec::copy_piece(const base::Piece& piece) {
  if (piece.size == 0) return;
  OutQueue& out = context_.out;
  const size_t n = piece.size;
  if (framing_ == Framing::kChunked) {
    char line[20];
    const auto end = std::to_chars(line, line + sizeof line, n, 16).ptr;
    out.copy({line, static_cast<size_t>(end - line)});
    out.copy("\r\n");
  }
  out.copy({reinterpret_cast<const char*>(piece.data), n});
  if (framing_ == Framing::kChunked) out.copy("\r\n");
  body_->advance(n);
  sent_ += n;
  if (framing_ == Framing::kLength) left_ -= n;
}

void Http1Codec::on_body_taken(size_t n) {
  body_->advance(n);
  sent_ += n;
  lent_ -= n;
  if (framing_ == Framing::kLength) left_ -= n;
  if (lent_ == 0 && last_lent_) end_body();
}

void Http1Codec::end_body() {
  if (framing_ == Framing::kChunked) context_.out.copy("0\r\n\r\n");
  // A body shorter than declared: the client must see the cut.
  end_exchange(framing_ != Framing::kLength || left_ == 0);
}

void Http1Codec::end_exchange(bool whole) {
  // Who asked for the end knows that nothing follows; who did not may have sent more, and a close
  // with bytes unread would reset the connection before the answer is read.
  const bool linger =
      reader_.keep_alive() || held_back_ || head_.upgrade_dropped || !reader_.body_done();
  body_ = nullptr;
  active_ = false;
  context_.sink.on_sent(*this, sent_, whole);
  own_arena_.reset();
  promoted_ = false;
  window_begin_ = 0;
  if (window_.capacity() > kWindowKept) std::string().swap(window_);
  window_.clear();
  reader_.reset();
  // The next pump sets it: an answer comes long after the request was read, at a time that is not
  // known here.
  deadline_ = kNever;
  if (!whole) {
    state_ = State::kCut;
  } else if (!keep_alive_ || draining_ || (peer_ended_ && !held_back_)) {
    state_ = linger && !peer_ended_ ? State::kLinger : State::kClose;
  }
}

}  // namespace

void Http1ScratchDelete::operator()(Http1Scratch* scratch) const { delete scratch; }

Http1ScratchPtr make_http1_scratch() { return Http1ScratchPtr(new Http1Scratch); }

std::unique_ptr<ServerCodec> make_http1_codec(const CodecContext& context,
                                              const Http1Options& options, Http1Scratch& scratch) {
  return std::make_unique<Http1Codec>(context, options, scratch);
}

}  // namespace perigee::http

#include "http/http1_codec.h"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <optional>

#include "base/check.h"
#include "http/http1_request_reader.h"

namespace perigee::http {

namespace limits = base::limits;
using base::Tick;

namespace {

constexpr Tick kNever{INT64_MAX};

/// How a response's body ends.
enum class Framing : uint8_t { kNone, kLength, kChunked, kClose };

/// One connection. It is its own only exchange: requests of a connection are answered one after another.
class Http1Codec final : public ServerCodec, public Exchange {
 public:
  Http1Codec(const CodecContext& context, const Http1Options& options, Http1Scratch& scratch)
      : context_(context), options_(options), scratch_(scratch), reader_(options) {}

  // ServerCodec
  size_t feed(std::span<const std::byte> bytes, Tick now) override;
  void feed_end(Tick now) override;
  bool pump(Tick now) override;
  bool wants_read() const override;
  Tick deadline() const override { return deadline_; }
  void on_deadline(Tick now) override;
  void drain() override;
  void cancel() override;
  State state() const override { return state_; }

  // Exchange
  const RequestHead& request() const override { return head_; }
  bool promote() override;
  BodySource* request_body() override {
    return reader_.framing() == BodyFraming::kNone ? nullptr : &request_body_;
  }
  void inform(const ResponseHead& interim) override;
  void respond(const ResponseHead& head, BodySource* body) override;
  void cut() override { state_ = State::kAbort; }
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
    void notify() { wake(); }

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
  Chunk peek_request_body(size_t max);
  void advance_request_body(size_t n);
  void choose_framing(const ResponseHead& head, bool has_body);
  void write_head(const ResponseHead& head, bool final_response);
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
  Tick now_{0};

  // The request that is being answered.
  RequestHead head_;
  Arena own_arena_;
  RequestBody request_body_{*this};
  std::string window_;            ///< decoded content not yet pulled, behind window_begin_
  size_t window_begin_ = 0;
  uint64_t rate_bytes_ = 0;       ///< content received since the rate was last judged
  bool active_ = false;
  bool promoted_ = false;
  bool continue_due_ = false;
  bool request_cut_ = false;      ///< the peer ended in the middle of the content

  // Its response.
  BodySource* body_ = nullptr;
  Lender lender_{*this};
  Framing framing_ = Framing::kNone;
  uint64_t left_ = 0;             ///< of a declared length
  uint64_t sent_ = 0;
  bool responded_ = false;
  bool last_lent_ = false;        ///< the piece being sent is the last
  size_t lent_ = 0;               ///< its bytes not taken yet
  bool keep_alive_ = true;
  bool draining_ = false;
  bool peer_ended_ = false;
  alignas(std::max_align_t) std::array<std::byte, 192> slot_;
};

size_t Http1Codec::feed(std::span<const std::byte> bytes, Tick now) {
  now_ = now;
  size_t used = 0;
  while (state_ == State::kOpen && used < bytes.size()) {
    const std::span<const std::byte> rest = bytes.subspan(used);
    if (active_ && reader_.body_done()) break;
    const size_t n = active_ ? feed_body(rest) : feed_head(rest, now);
    if (n == 0) break;
    used += n;
  }
  // Nothing of what follows the end of this connection's requests is ever parsed.
  return state_ == State::kOpen ? used : bytes.size();
}

size_t Http1Codec::feed_head(std::span<const std::byte> bytes, Tick now) {
  if (context_.out.copied_bytes() >= limits::kOutHighBytes) return 0;
  const bool fresh = !reader_.started();
  switch (reader_.read_head(bytes, scratch_, head_)) {
    case Http1RequestReader::Progress::kNeedMore:
      if (fresh) deadline_ = now + options_.head_ms;
      return 0;
    case Http1RequestReader::Progress::kRefused:
      refuse(reader_.refusal());
      return bytes.size();
    case Http1RequestReader::Progress::kHead:
      break;
  }
  const size_t used = reader_.head_bytes();
  active_ = true;
  responded_ = promoted_ = request_cut_ = false;
  keep_alive_ = reader_.keep_alive();
  continue_due_ = head_.expect_continue;
  rate_bytes_ = 0;
  deadline_ = reader_.framing() == BodyFraming::kNone ? kNever : now + options_.body_grace_ms;
  context_.sink.on_request(*this);
  if (!promoted_) scratch_.poison();
  return used;
}

size_t Http1Codec::feed_body(std::span<const std::byte> bytes) {
  const size_t held = window_.size() - window_begin_;
  if (held >= limits::kSpillBytes || responded_) return 0;
  const size_t before = window_.size();
  const size_t room = limits::kSpillBytes - held;
  const size_t used = reader_.read_body(bytes.first(std::min(bytes.size(), room)), window_);
  rate_bytes_ += window_.size() - before;
  if (reader_.refusal()) {
    // The flow learns of it as a failed body; the client gets the refusal when nothing was said yet.
    request_cut_ = true;
    const Refusal refusal = reader_.refusal();
    active_ = false;
    context_.sink.on_cancel(*this);
    refuse(refusal);
    return bytes.size();
  }
  if (reader_.body_done()) deadline_ = kNever;
  request_body_.notify();
  return used;
}

void Http1Codec::refuse(const Refusal& refusal) {
  char body[256];
  const std::string_view phrase = reason_phrase(refusal.status);
  const int size = std::snprintf(body, sizeof body, "%u %.*s: %.*s\n", unsigned{refusal.status},
                                 static_cast<int>(phrase.size()), phrase.data(),
                                 static_cast<int>(refusal.why.size()), refusal.why.data());
  char length[24];
  const auto end = std::to_chars(length, length + sizeof length, size).ptr;
  ResponseHead head;
  head.status = refusal.status;
  head.add_fresh(FieldName::kCacheControl, "no-store");
  head.add_fresh(FieldName::kContentType, "text/plain; charset=utf-8");
  head.add_fresh(FieldName::kContentLength, {length, static_cast<size_t>(end - length)});
  if (refusal.status == 405) head.add_fresh(FieldName::kAllow, "GET, HEAD, POST, PUT, DELETE, OPTIONS");
  head_.version_minor = 1;
  framing_ = Framing::kLength;
  keep_alive_ = false;
  write_head(head, true);
  context_.out.copy({body, static_cast<size_t>(size)});
  state_ = State::kLinger;
  context_.sink.on_refused(context_.peer, refusal.status, refusal.why);
}

void Http1Codec::feed_end(Tick now) {
  now_ = now;
  peer_ended_ = true;
  if (!active_) {
    if (state_ == State::kOpen) state_ = State::kClose;
    return;
  }
  keep_alive_ = false;
  if (reader_.framing() != BodyFraming::kNone && !reader_.body_done()) {
    request_cut_ = true;
    cancel();
    state_ = State::kAbort;
  }
}

bool Http1Codec::wants_read() const {
  if (state_ != State::kOpen || peer_ended_) return false;
  if (!active_) return context_.out.copied_bytes() < limits::kOutHighBytes;
  return !reader_.body_done() && !responded_ && window_.size() - window_begin_ < limits::kSpillBytes;
}

void Http1Codec::on_deadline(Tick now) {
  now_ = now;
  if (active_) {
    // Content too slow; while its reader lets the window stand full the peer is not to blame.
    const bool full = window_.size() - window_begin_ >= limits::kSpillBytes;
    const int64_t least = options_.body_bytes_per_second * options_.body_grace_ms / 1000;
    const bool slow = static_cast<int64_t>(rate_bytes_) < least && !full && !responded_;
    rate_bytes_ = 0;
    deadline_ = reader_.body_done() || responded_ ? kNever : now + options_.body_grace_ms;
    if (!slow) return;
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

void Http1Codec::drain() {
  draining_ = true;
  if (!active_ && state_ == State::kOpen) state_ = State::kClose;
}

void Http1Codec::cancel() {
  if (!active_) return;
  active_ = false;
  context_.sink.on_cancel(*this);
  body_ = nullptr;
}

bool Http1Codec::promote() {
  if (promoted_) return true;
  if (!copy_head(head_, head_, own_arena_)) return false;
  promoted_ = true;
  return true;
}

Chunk Http1Codec::peek_request_body(size_t max) {
  if (continue_due_) {
    continue_due_ = false;
    if (!responded_ && window_.empty()) {
      context_.out.copy("HTTP/1.1 100 Continue\r\n\r\n");
      context_.waker.wake();
    }
  }
  const size_t held = window_.size() - window_begin_;
  const size_t n = std::min(max, held);
  const auto* data = reinterpret_cast<const std::byte*>(window_.data() + window_begin_);
  if (request_cut_) return {{}, Chunk::kFail};
  if (n == held && reader_.body_done()) return {{data, n}, Chunk::kEnd};
  if (n == 0) return {{}, Chunk::kLater};
  return {{data, n}, Chunk::kMore};
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
  write_head(interim, false);
  context_.waker.wake();
}

void Http1Codec::choose_framing(const ResponseHead& head, bool has_body) {
  framing_ = Framing::kNone;
  left_ = 0;
  if (has_body) {
    if (head.content_length) {
      framing_ = Framing::kLength;
      left_ = *head.content_length;
    } else if (head_.version_minor == 1) {
      framing_ = Framing::kChunked;
    } else {
      framing_ = Framing::kClose;
      keep_alive_ = false;
    }
  }
  if (head.close || draining_ || peer_ended_) keep_alive_ = false;
  // What is left of the request's content is never taken for a request: the connection ends instead.
  if (reader_.framing() != BodyFraming::kNone && !reader_.body_done()) keep_alive_ = false;
}

void Http1Codec::write_head(const ResponseHead& head, bool final_response) {
  const std::string_view reason =
      head.reason.empty() ? reason_phrase(head.status) : head.reason;
  size_t size = 64 + reason.size() + head.block.text.size();
  for (size_t i = 0; i < head.fresh_count; ++i) {
    size += head.fresh[i].name.size() + head.fresh[i].value.size() + 4;
  }
  const std::span<char> room = context_.out.reserve(size + 64);
  char* at = room.data();
  const auto put = [&](std::string_view text) {
    std::memcpy(at, text.data(), text.size());
    at += text.size();
  };
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
  if (final_response) {
    if (!keep_alive_) {
      put("Connection: close\r\n");
    } else if (head_.version_minor == 0) {
      put("Connection: keep-alive\r\n");
    }
    if (framing_ == Framing::kChunked) put("Transfer-Encoding: chunked\r\n");
  }
  put("\r\n");
  context_.out.commit(static_cast<size_t>(at - room.data()));
}

void Http1Codec::respond(const ResponseHead& head, BodySource* body) {
  CHECK(active_ && !responded_);
  const bool bodiless = never_has_body(head_.method, head.status);
  choose_framing(head, !bodiless && (body != nullptr || !head.content_length));
  responded_ = true;
  write_head(head, true);
  body_ = bodiless ? nullptr : body;
  sent_ = 0;
  lent_ = 0;
  last_lent_ = false;
  if (body_ != nullptr) body_->set_waker(&context_.waker);
  context_.waker.wake();
  if (body_ == nullptr) {
    if (framing_ == Framing::kChunked) context_.out.copy("0\r\n\r\n");
    return end_exchange(framing_ != Framing::kLength || left_ == 0);
  }
  pull();
}

bool Http1Codec::pump(Tick now) {
  now_ = now;
  if (!active_ && deadline_ == kNever && state_ == State::kOpen) deadline_ = now + options_.idle_ms;
  if (!active_ || !responded_ || body_ == nullptr || state_ != State::kOpen) return false;
  return pull();
}

/// Moves the body on as far as the queue lets it. True: something was moved.
bool Http1Codec::pull() {
  bool moved = false;
  while (!context_.out.lending() && context_.out.copied_bytes() < limits::kOutHighBytes) {
    const Chunk chunk = body_->peek(limits::kSendBytes);
    if (chunk.state == Chunk::kLater) return moved;
    if (chunk.state == Chunk::kFail) {
      state_ = State::kAbort;
      return false;
    }
    base::Piece piece = chunk.piece;
    if (framing_ == Framing::kLength) piece.size = std::min<uint64_t>(piece.size, left_);
    bool last = chunk.state == Chunk::kEnd;
    if (framing_ == Framing::kChunked && piece.size > limits::kFillChunkBytes) {
      // A chunk is bounded so that one slow reader does not make the queue large.
      piece.size = limits::kFillChunkBytes;
      last = false;
    }
    moved = true;
    if (framing_ == Framing::kChunked || piece.size <= limits::kCopyBodyBytes) {
      copy_piece(piece);
      if (last || (framing_ == Framing::kLength && left_ == 0)) {
        end_body();
        return true;
      }
      if (piece.size == 0) return moved;
      continue;
    }
    lent_ = piece.size;
    last_lent_ = last;
    context_.out.lend(piece, lender_);
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
  if (lent_ > 0) return;
  if (last_lent_ || (framing_ == Framing::kLength && left_ == 0)) end_body();
}

void Http1Codec::end_body() {
  if (framing_ == Framing::kLength && left_ > 0) {
    // Shorter than declared: the client must see the cut.
    state_ = State::kAbort;
    return;
  }
  if (framing_ == Framing::kChunked) context_.out.copy("0\r\n\r\n");
  end_exchange(true);
}

void Http1Codec::end_exchange(bool whole) {
  body_ = nullptr;
  const bool unread = reader_.framing() != BodyFraming::kNone && !reader_.body_done();
  active_ = false;
  context_.sink.on_sent(*this, sent_, whole);
  if (promoted_) own_arena_.reset();
  promoted_ = false;
  window_ = {};
  window_begin_ = 0;
  reader_.reset();
  if (!whole) {
    state_ = State::kAbort;
  } else if (!keep_alive_) {
    state_ = unread || head_.upgrade_dropped ? State::kLinger : State::kClose;
  }
  deadline_ = now_ + options_.idle_ms;
}

}  // namespace

void Http1ScratchDelete::operator()(Http1Scratch* scratch) const { delete scratch; }

Http1ScratchPtr make_http1_scratch() { return Http1ScratchPtr(new Http1Scratch); }

std::unique_ptr<ServerCodec> make_http1_codec(const CodecContext& context,
                                              const Http1Options& options, Http1Scratch& scratch) {
  return std::make_unique<Http1Codec>(context, options, scratch);
}

}  // namespace perigee::http

#include "edge/connection.h"

#include <algorithm>

#include "base/limits.h"
#include "base/poison.h"

namespace perigee::edge {

namespace limits = base::limits;
using base::Io;
using base::Tick;
using State = http::ServerCodec::State;

namespace {
constexpr Tick kNone{-1};
constexpr size_t kReadStep = 16 * limits::kKiB;  ///< room made in the spill for one read

/// The loop's read buffer, while one connection uses it: what lay there is gone afterwards.
class ReadBuffer {
 public:
  explicit ReadBuffer(std::span<std::byte> bytes) : bytes_(bytes) {
    base::unpoison(bytes_.data(), bytes_.size());
  }
  ~ReadBuffer() { base::poison(bytes_.data(), bytes_.size()); }
  ReadBuffer(const ReadBuffer&) = delete;
  ReadBuffer& operator=(const ReadBuffer&) = delete;
  std::span<std::byte> bytes() const { return bytes_; }

 private:
  const std::span<std::byte> bytes_;
};

}  // namespace

Connection::Connection(const ConnectionShared& shared, Service& service,
                       std::unique_ptr<base::Channel> channel)
    : Runnable(shared.run_list),
      QuietMember(shared.quiet_list),
      shared_(shared),
      channel_(std::move(channel)),
      out_(shared.out_buffers),
      codec_(service.make_codec(out_, *this, channel_->peer())),
      timer_([this] { on_deadline(); }) {
  channel_->bind(this);
}

Connection::~Connection() {
  if (ended_) return;
  const bool in_flight = codec_->cancel() || !out_.empty();
  // Destroyed without that the channel ends in order, and what was cut could look whole.
  if (in_flight && !finished_) channel_->abort();
}

void Connection::on_ready(bool readable, bool writable) noexcept {
  readable_ = readable_ || readable;
  writable_ = writable_ || writable;
  wake();
}

void Connection::drain() {
  if (ended_) return;
  codec_->drain();
  readable_ = true;
  wake();
}

void Connection::run() {
  if (ended_) return;
  const Tick now = shared_.env.now();
  if (linger_until_ != kNone) return linger(now);
  if (readable_ && !peer_ended_) receive(now);
  if (ended_) return;
  settle(now);
  // A lent piece is valid in this turn only. The next turn peeks it again.
  out_.withdraw();
  if (ended_ || close_if_over(now)) return;
  update_interest();
  update_deadline(now);
  update_quiet();
}

void Connection::receive(Tick now) {
  const size_t held = spilled().size();
  if (held >= limits::kSpillBytes) return;
  const ReadBuffer buffer(shared_.read_buffer);
  std::span<std::byte> into = buffer.bytes();
  if (held > 0) {
    spill_.erase(spill_.begin(), spill_.begin() + static_cast<ptrdiff_t>(spill_begin_));
    spill_begin_ = 0;
    spill_.resize(held + std::min(kReadStep, limits::kSpillBytes - held));
    into = std::span(spill_).subspan(held);
  }
  const Io io = channel_->recv(into);
  const size_t received = io.state == Io::kOk ? io.n : 0;
  if (held > 0) spill_.resize(held + received);
  readable_ = false;
  switch (io.state) {
    case Io::kOk:
      if (held > 0) return feed_spill(now);
      if (const size_t used = codec_->feed(into.first(received), now); used < received) {
        spill_.assign(into.begin() + static_cast<ptrdiff_t>(used),
                      into.begin() + static_cast<ptrdiff_t>(received));
      }
      return;
    case Io::kAgain:
      return;
    case Io::kEof:
      peer_ended_ = true;
      codec_->feed_end();
      return;
    case Io::kFail:
      return end();
  }
}

void Connection::feed_spill(Tick now) {
  const std::span<const std::byte> bytes = spilled();
  if (bytes.empty()) return;
  spill_begin_ += codec_->feed(bytes, now);
  if (spill_begin_ < spill_.size()) return;
  spill_begin_ = 0;
  spill_.clear();
  if (spill_.capacity() > 0) spill_.shrink_to_fit();
}

void Connection::settle(Tick now) {
  resting_ = false;
  // Bounded: each round either takes bytes towards kSendBytes or consumes what was received.
  const uint64_t start = out_.total_taken();
  while (true) {
    bool again = codec_->pump(now);
    if (codec_->state() == State::kAbort) return;
    if (!out_.empty()) {
      if (!writable_) break;
      const http::OutQueue::Flushed flushed = out_.flush(*channel_);
      if (flushed.state == Io::kFail) return end();
      if (flushed.state == Io::kAgain) writable_ = false;
      again = codec_->pump(now) || again || flushed.more;
    }
    if (codec_->state() == State::kOpen && codec_->wants_read() && !spilled().empty()) {
      const size_t before = spilled().size();
      feed_spill(now);
      again = again || spilled().size() < before;
    }
    if (!writable_ || !again) break;
    if (out_.total_taken() - start >= limits::kSendBytes) {
      wake();
      break;
    }
  }
}

bool Connection::close_if_over(Tick now) {
  const State state = codec_->state();
  if (state == State::kOpen) return false;
  if (state == State::kAbort || state == State::kCut) {
    channel_->abort();
    end();
    return true;
  }
  if (!out_.empty()) return false;
  if (!finished_) finished_ = channel_->finish();
  if (!finished_) {
    writable_ = false;
    return false;
  }
  if (state == State::kClose || peer_ended_) {
    end();
    return true;
  }
  linger_until_ = now + limits::kLingerMs;
  linger_most_ = now + limits::kLingerMostMs;
  update_quiet();
  channel_->want(true, false);
  shared_.env.arm(timer_, linger_until_);
  return true;
}

void Connection::linger(Tick now) {
  const ReadBuffer buffer(shared_.read_buffer);
  const Io io = channel_->recv(buffer.bytes());
  const bool over = io.state == Io::kEof || io.state == Io::kFail;
  if (io.state == Io::kOk) {
    // Who still sends has not read the answer yet: a reset now would lose it.
    lingered_bytes_ += io.n;
    linger_until_ = std::min(linger_most_, now + limits::kLingerMs);
    shared_.env.arm(timer_, linger_until_);
  }
  if (over || lingered_bytes_ >= limits::kLingerBytes || now >= linger_until_) end();
}

void Connection::update_interest() {
  const bool room = spilled().size() < limits::kSpillBytes;
  channel_->want(room && !peer_ended_, !writable_);
}

void Connection::update_deadline(Tick now) {
  Tick due = codec_->deadline();
  const bool sending = !out_.empty() || !writable_;
  if (writable_ || resting_) {
    park_at_ = kNone;
  } else if (park_at_ == kNone) {
    park_at_ = now + shared_.owner.park_ms();
  }
  if (park_at_ != kNone) due = std::min(due, park_at_);
  if (!sending) {
    stall_check_ = kNone;
  } else {
    if (stall_check_ == kNone) {
      stall_check_ = now + limits::kStallCheckMs;
      stall_since_ = rate_since_ = now;
      stall_progress_ = rate_progress_ = acknowledged();
    }
    due = std::min(due, stall_check_);
  }
  if (due.ms == INT64_MAX) return timer_.disarm();
  if (!timer_.armed() || timer_.due() != due) shared_.env.arm(timer_, due);
}

void Connection::update_quiet() {
  using Phase = http::ServerCodec::Phase;
  const Phase phase = out_.empty() ? codec_->phase() : Phase::kExchange;
  // The deadline counts from where the quiet began, so another one is another quiet.
  note(phase == Phase::kBetween ? Quiet::kBetweenRequests
       : phase == Phase::kHead  ? Quiet::kInHead
                                : Quiet::kNot,
       codec_->deadline());
}

void Connection::make_room() {
  channel_->finish();
  end();
}

void Connection::on_deadline() {
  if (ended_) return;
  const Tick now = shared_.env.now();
  if (linger_until_ != kNone) return end();
  if (stall_check_ != kNone && now >= stall_check_ && stalled(now)) {
    channel_->abort();
    return end();
  }
  const bool late = now >= codec_->deadline();
  if (park_at_ != kNone && now >= park_at_) {
    codec_->rest();
    resting_ = true;
    // A turn would pull, and hold again what was let go of.
    if (!late) return update_deadline(now);
  }
  if (late) codec_->on_deadline(now);
  wake();
}

uint64_t Connection::acknowledged() const {
  const uint64_t taken = out_.total_taken();
  const uint64_t unacked = channel_->unacked();
  return taken > unacked ? taken - unacked : 0;
}

bool Connection::stalled(Tick now) {
  // What the peer acknowledged is progress; write readiness comes far too late on a slow line.
  const uint64_t progress = acknowledged();
  if (progress > stall_progress_) {
    stall_progress_ = progress;
    stall_since_ = now;
  }
  stall_check_ = now + limits::kStallCheckMs;
  if (now - stall_since_ >= limits::kStallMs) return true;
  if (now - rate_since_ < limits::kRateWindowMs) return false;
  const uint64_t least =
      static_cast<uint64_t>(limits::kBodyBytesPerSecond * limits::kRateWindowMs / 1000);
  const uint64_t moved = progress > rate_progress_ ? progress - rate_progress_ : 0;
  rate_since_ = now;
  rate_progress_ = progress;
  return moved < least;
}

void Connection::end() {
  if (ended_) return;
  ended_ = true;
  note(Quiet::kNot, {});
  codec_->cancel();
  timer_.disarm();
  channel_.reset();
  shared_.owner.on_connection_ended(*this);
}

}  // namespace perigee::edge

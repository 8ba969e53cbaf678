#include "http/h1/request_content.h"

#include <algorithm>
#include <utility>

namespace perigee::http {

namespace limits = base::limits;

namespace {

/// An idle connection holds no larger window than this.
constexpr size_t kWindowKept = 64;

}  // namespace

void RequestContent::begin(const RequestHead& head) {
  content_length_ = head.content_length;
  continue_due_ = head.expect_continue;
  grace_due_ = answered_ = awaited_ = false;
  rate_bytes_ = 0;
}

size_t RequestContent::feed(std::span<const std::byte> bytes) {
  const size_t before = window_.size();
  const size_t room = limits::kSpillBytes - held_bytes();
  const size_t used = reader_.read_body(bytes.first(std::min(bytes.size(), room)), window_);
  rate_bytes_ += window_.size() - before;
  if (reader_.body_done()) grace_due_ = false;
  return used;
}

void RequestContent::notify() {
  if (std::exchange(awaited_, false)) wake();
}

bool RequestContent::take_grace() { return std::exchange(grace_due_, false); }

bool RequestContent::is_slow(int64_t least) {
  // The peer is not to blame while it waits for a 100, or while its reader lets the window stand
  // full.
  const bool ours = continue_due_ || grace_due_ || !has_room();
  return static_cast<int64_t>(std::exchange(rate_bytes_, 0)) < least && !ours;
}

void RequestContent::end() {
  window_begin_ = 0;
  if (window_.capacity() > kWindowKept) std::string().swap(window_);
  window_.clear();
}

Chunk RequestContent::peek(size_t max) {
  if (std::exchange(continue_due_, false) && !reader_.body_done() && !answered_) {
    // The rate is asked for from here on: the next pump knows what time that is.
    grace_due_ = true;
    if (window_.empty()) context_.out.copy("HTTP/1.1 100 Continue\r\n\r\n");
    context_.waker.wake();
  }
  const size_t held = held_bytes();
  const size_t n = std::min(max, held);
  const auto* data = reinterpret_cast<const std::byte*>(window_.data() + window_begin_);
  if (n == held && reader_.body_done()) return {{data, n}, Chunk::kEnd};
  awaited_ = n == 0;
  return {{data, n}, n == 0 ? Chunk::kLater : Chunk::kMore};
}

void RequestContent::advance(size_t n) {
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

}  // namespace perigee::http

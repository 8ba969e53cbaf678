#include "http/exchange/out_queue.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/limits.h"

namespace perigee::http {

namespace limits = base::limits;

/// Before bytes are added: borrows a buffer, or drops the front that was taken once it is the
/// larger part, so that a queue that never runs empty does not grow.
void OutQueue::make_room() {
  if (copied_.capacity() == 0) {
    copied_ = buffers_.take();
  } else if (taken_ > copied_bytes()) {
    copied_.erase(copied_.begin(), copied_.begin() + static_cast<ptrdiff_t>(taken_));
    taken_ = 0;
  }
}

bool OutQueue::has_room() {
  if (copied_bytes() >= limits::kOutHighBytes) full_ = true;
  if (copied_bytes() < limits::kOutLowBytes) full_ = false;
  return !full_;
}

void OutQueue::copy(std::string_view bytes) {
  CHECK(lent_.size == 0);
  make_room();
  copied_.insert(copied_.end(), bytes.begin(), bytes.end());
}

std::span<char> OutQueue::reserve(size_t n) {
  CHECK(lent_.size == 0);
  make_room();
  reserved_at_ = copied_.size();
  copied_.resize(reserved_at_ + n);
  return {copied_.data() + reserved_at_, n};
}

void OutQueue::commit(size_t n) {
  CHECK(reserved_at_ + n <= copied_.size());
  copied_.resize(reserved_at_ + n);
}

void OutQueue::lend(const base::Piece& piece, BodySource& source) {
  CHECK(lent_.size == 0);
  lent_ = piece;
  source_ = &source;
}

void OutQueue::withdraw() {
  lent_ = {};
  source_ = nullptr;
}

OutQueue::Flushed OutQueue::flush(base::Channel& channel) {
  const size_t copied = copied_bytes();
  base::Piece pieces[2];
  size_t count = 0;
  if (copied > 0) {
    pieces[count++] = {reinterpret_cast<const std::byte*>(copied_.data() + taken_), copied};
  }
  if (lent_.size > 0) {
    pieces[count] = lent_;
    pieces[count++].size = std::min(lent_.size, limits::kSendBytes);
  }
  if (count == 0) return {};
  const base::Io io = channel.send({pieces, count});
  if (io.state == base::Io::kFail || io.state == base::Io::kEof) {
    return {base::Io::kFail, io.error};
  }
  const size_t n = io.state == base::Io::kOk ? io.n : 0;
  total_ += n;
  const size_t from_copied = std::min(n, copied);
  taken_ += from_copied;
  if (copied > 0 && taken_ == copied_.size()) {
    taken_ = 0;
    buffers_.give_back(std::exchange(copied_, std::vector<char>()));
  }
  const size_t offered = copied + (lent_.size > 0 ? pieces[count - 1].size : 0);
  if (lent_.size > 0) {
    lent_ = {};
    BodySource* source = std::exchange(source_, nullptr);
    if (n > from_copied) source->advance(n - from_copied);
  }
  return {n < offered ? base::Io::kAgain : base::Io::kOk, 0};
}

void OutQueue::clear() {
  buffers_.give_back(std::exchange(copied_, std::vector<char>()));
  taken_ = 0;
  full_ = false;
  withdraw();
}

}  // namespace perigee::http

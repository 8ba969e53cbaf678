#include "http/out_queue.h"

#include <algorithm>
#include <cstring>

#include "base/check.h"
#include "base/limits.h"

namespace perigee::http {

namespace limits = base::limits;

void OutQueue::copy(std::string_view bytes) {
  CHECK(lent_.size == 0);
  borrow();
  copied_.insert(copied_.end(), bytes.begin(), bytes.end());
}

std::span<char> OutQueue::reserve(size_t n) {
  CHECK(lent_.size == 0);
  borrow();
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
  if (taken_ == copied_.size()) {
    taken_ = 0;
    buffers_.give_back(std::move(copied_));
    copied_ = {};
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
  buffers_.give_back(std::move(copied_));
  copied_ = {};
  taken_ = 0;
  lent_ = {};
  source_ = nullptr;
}

}  // namespace perigee::http

// What one connection sends next: copied heads and small bodies, and pieces lent by body sources.
//
// Only copied memory is owned. A lent piece lives for one turn: what the channel did not take stays at
// its source's cursor, so that no queue holds a map address over a turn and a slow reader can be parked.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "base/channel.h"
#include "http/exchange.h"

namespace perigee::http {

class OutQueue {
 public:
  /// What came of a flush.
  struct Flushed {
    base::Io::State state = base::Io::kOk;  ///< kAgain: wait for writable; kFail: the peer is gone
    int error = 0;
  };
  /// Bytes that go out in order: copied.
  void copy(std::string_view bytes);
  /// Room for `n` bytes to be written in place by the caller, who says with commit() how many were.
  std::span<char> reserve(size_t n);
  void commit(size_t n);
  /// Lends what `source` peeked; at flush the source is advanced by what the channel took. At most one
  /// lent piece stands in the queue, and nothing can be added behind it before the flush.
  void lend(const base::Piece& piece, BodySource& source);

  bool empty() const { return copied_.size() == taken_ && lent_.size == 0; }
  /// Copied bytes that the channel has not taken.
  size_t copied_bytes() const { return copied_.size() - taken_; }
  bool lending() const { return lent_.size != 0; }
  /// All bytes that channels took from this queue so far.
  uint64_t total_taken() const { return total_; }

  /// Hands all to the channel with as few calls as possible, at most kSendBytes a turn. What was lent and
  /// not taken is forgotten (it is peeked again).
  Flushed flush(base::Channel& channel);
  /// Drops everything, frees the memory of a long queue.
  void clear();

 private:
  std::vector<char> copied_;
  size_t taken_ = 0;
  base::Piece lent_{};
  BodySource* source_ = nullptr;
  uint64_t total_ = 0;
};

}  // namespace perigee::http

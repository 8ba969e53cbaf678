// What one connection sends next: copied heads and small bodies, and pieces lent by body sources.
//
// Only copied memory is owned. A lent piece lives for one turn: what the channel did not take stays
// at its source's cursor, so that no queue holds a map address over a turn and a slow reader can be
// parked.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "base/channel.h"
#include "base/limits.h"
#include "http/exchange/exchange.h"

namespace perigee::http {

/// Buffers that the connections of a loop lend one another, so that an idle one holds none and a
/// busy one allocates none.
class OutBuffers {
 public:
  static constexpr size_t kKept = 64;  ///< more are freed
  std::vector<char> take() {
    if (free_.empty()) return {};
    std::vector<char> buffer = std::move(free_.back());
    free_.pop_back();
    return buffer;
  }
  void give_back(std::vector<char> buffer) {
    if (buffer.capacity() == 0 || buffer.capacity() > base::limits::kOutLowBytes) return;
    if (free_.size() == kKept) return;
    buffer.clear();
    if (free_.capacity() == 0) free_.reserve(kKept);
    free_.push_back(std::move(buffer));
  }

 private:
  std::vector<std::vector<char>> free_;
};

class OutQueue {
 public:
  explicit OutQueue(OutBuffers& buffers) : buffers_(buffers) {}
  ~OutQueue() { clear(); }
  OutQueue(const OutQueue&) = delete;
  OutQueue& operator=(const OutQueue&) = delete;

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
  /// Lends what `source` peeked; at flush the source is advanced by what the channel took. At most
  /// one lent piece stands in the queue, and nothing can be added behind it before the flush.
  void lend(const base::Piece& piece, BodySource& source);
  /// Forgets what is lent: its source is about to go, or the turn ends without a flush.
  void withdraw();

  bool empty() const { return copied_.size() == taken_ && lent_.size == 0; }
  /// Copied bytes that the channel has not taken.
  size_t copied_bytes() const { return copied_.size() - taken_; }
  bool lending() const { return lent_.size != 0; }
  /// Memory that the queue owns now.
  size_t held_bytes() const { return copied_.capacity(); }
  /// False from kOutHighBytes of copied memory on, until the channel has taken all but
  /// kOutLowBytes.
  bool has_room();
  /// All bytes that channels took from this queue so far.
  uint64_t total_taken() const { return total_; }

  /// Hands all to the channel with as few calls as possible, at most kSendBytes per turn. What
  /// was lent and not taken is forgotten (it is peeked again).
  Flushed flush(base::Channel& channel);
  /// Drops everything.
  void clear();

 private:
  void make_room();

  OutBuffers& buffers_;
  std::vector<char> copied_;
  size_t taken_ = 0;
  base::Piece lent_{};
  BodySource* source_ = nullptr;
  size_t reserved_at_ = 0;
  uint64_t total_ = 0;
  bool full_ = false;  ///< kOutHighBytes were reached, and not yet taken
};

}  // namespace perigee::http

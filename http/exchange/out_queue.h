// What one connection sends next: copied heads, frame heads and small bodies, and between them
// pieces that body sources lend.
//
// Only copied memory is owned. A lent piece lives for one turn: what the channel did not take of it
// stays at its source's cursor, or is copied where its beginning is promised already. So no queue
// holds a map address over a turn.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "base/channel.h"
#include "base/limits.h"
#include "http/exchange/exchange.h"

namespace perigee::http {

/// A piece that stands in a queue, between copied bytes.
struct LentPiece {
  size_t at = 0;  ///< the place in the copied bytes that it stands before
  base::Piece piece;
  BodySource* source = nullptr;
  bool promised = false;  ///< what is left of it after a flush is copied, not forgotten
};

/// The memory of a queue that holds something.
struct OutBuffer {
  std::vector<char> copied;
  std::vector<LentPiece> lent;
};

/// Buffers that the connections of a loop lend one another, so that an idle one holds none and a
/// busy one allocates none.
class OutBuffers {
 public:
  static constexpr size_t kKept = 64;  ///< more are freed
  OutBuffer take() {
    if (free_.empty()) return {};
    OutBuffer buffer = std::move(free_.back());
    free_.pop_back();
    return buffer;
  }
  void give_back(OutBuffer buffer) {
    if (buffer.copied.capacity() == 0 || buffer.copied.capacity() > base::limits::kOutLowBytes) {
      return;
    }
    if (free_.size() == kKept) return;
    buffer.copied.clear();
    buffer.lent.clear();
    if (free_.capacity() == 0) free_.reserve(kKept);
    free_.push_back(std::move(buffer));
  }

 private:
  std::vector<OutBuffer> free_;
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
    bool more = false;  ///< all that was offered was taken, and something is left: flush again
  };
  /// What becomes of the part of a lent piece that a flush leaves.
  enum class Rest : uint8_t {
    kForgotten,  ///< its source gives it again; nothing may stand behind the piece
    kPromised,   ///< it is copied: a frame that announces it is on its way
  };
  /// Bytes that go out in order: copied.
  void copy(std::string_view bytes);
  /// Room for `n` bytes to be written in place by the caller, who says with commit() how many were.
  std::span<char> reserve(size_t n);
  void commit(size_t n);
  /// Lends what `source` peeked; at flush the source is advanced by what the channel took.
  void lend(const base::Piece& piece, BodySource& source, Rest rest = Rest::kForgotten);
  /// Forgets what is lent, and copies what of it is promised: its source is about to go, or the
  /// turn ends.
  void withdraw();

  bool empty() const { return buffer_.copied.size() == taken_ && buffer_.lent.empty(); }
  /// Copied bytes that the channel has not taken.
  size_t copied_bytes() const { return buffer_.copied.size() - taken_; }
  bool lending() const { return !buffer_.lent.empty(); }
  /// Memory that the queue owns now.
  size_t held_bytes() const {
    return buffer_.copied.capacity() + buffer_.lent.capacity() * sizeof(LentPiece);
  }
  /// False from kOutHighBytes of copied memory on, until the channel has taken all but
  /// kOutLowBytes.
  bool has_room();
  /// All bytes that channels took from this queue so far.
  uint64_t total_taken() const { return total_; }

  /// Hands copied and lent bytes to the channel in one call, at most kSendBytes of lent ones; a
  /// piece that a file may be sent for ends the call. What is left of a lent piece is forgotten (it
  /// is peeked again), or copied where it is promised.
  Flushed flush(base::Channel& channel);
  /// Drops everything.
  void clear();

 private:
  struct Offer;
  struct Taken;

  void make_room();
  Offer make_offer() const;
  Taken take(const Offer& offer, size_t n);
  void release_if_empty();

  OutBuffers& buffers_;
  OutBuffer buffer_;
  size_t taken_ = 0;  ///< copied bytes that the channel has taken
  size_t reserved_at_ = 0;
  uint64_t total_ = 0;
  bool full_ = false;  ///< kOutHighBytes were reached, and not yet taken
};

}  // namespace perigee::http

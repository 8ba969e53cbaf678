// The bytes of one fill: written by the loop that owns it, read by any, at each reader's own pace.
//
// One mutex. A reader that finds nothing is counted under it, so that no wake-up is lost. What is
// to be stored keeps all its bytes; what is not keeps a window, and its slowest reader paces the
// origin.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <span>
#include <utility>
#include <vector>

#include "base/limits.h"

namespace perigee::origin {

struct FillChunk {
  size_t size = 0;
  std::byte bytes[base::limits::kFillChunkBytes];
};
using ChunkRef = std::shared_ptr<FillChunk>;

class FillBody {
 public:
  enum class Got : uint8_t {
    kHave,    ///< bytes at the cursor
    kWait,    ///< none yet: this reader's loop is told when there are
    kBehind,  ///< they were dropped: the reader was too slow
    kEnd,     ///< there are no more
    kFail,    ///< there will be no more, and the body is not whole
  };
  struct View {
    Got got = Got::kWait;
    ChunkRef chunk;  ///< keeps `bytes` alive
    std::span<const std::byte> bytes;
    bool last = false;  ///< the body ends behind these bytes
  };

  /// Owner only. Copies bytes in; the loops to wake are returned.
  [[nodiscard]] std::set<unsigned> append(std::span<const std::byte> bytes);
  [[nodiscard]] std::set<unsigned> finish(bool whole);
  /// Owner only. From now on only `window_bytes` are kept; 0: everything.
  void set_window(size_t window_bytes);
  /// True when the window is full: the origin waits for the slowest reader.
  bool full() const;
  /// Lets go of the slowest readers' bytes when another reader waits for new ones. True: something
  /// moved.
  bool drop_laggards();

  /// Readers. `attach` gives an id; a body whose first bytes are gone cannot be attached to from
  /// its start.
  uint64_t attach(uint64_t at);
  /// True: the owner was paused and may go on.
  bool move(uint64_t reader, uint64_t at);
  bool detach(uint64_t reader);
  View take(uint64_t at, unsigned loop);
  /// Keeps the first bytes while somebody is about to attach.
  void hold();
  bool release();
  bool from_start() const;

  uint64_t size() const;
  bool complete() const;
  size_t readers() const;
  /// All chunks of a complete body, for its put.
  std::vector<ChunkRef> chunks() const;

 private:
  struct Reader {
    uint64_t id;
    uint64_t at;
  };
  bool drop_passed_locked();
  bool full_locked() const { return window_ != 0 && end_ - begin_ >= window_; }

  mutable std::mutex mutex_;
  std::deque<ChunkRef> chunks_;
  std::vector<Reader> readers_;
  std::set<unsigned> waiting_;  ///< loops with a reader that found nothing
  uint64_t begin_ = 0;          ///< of the first chunk kept
  uint64_t end_ = 0;
  size_t window_ = 0;
  uint64_t next_reader_ = 1;
  int holds_ = 0;
  bool done_ = false;
  bool whole_ = false;
};

}  // namespace perigee::origin

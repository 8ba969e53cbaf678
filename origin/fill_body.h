// The bytes of one fill: written by the loop that owns it, read by any, at each reader's own pace.
//
// One mutex. A reader that finds nothing is counted under it, so that no wake-up is lost. What is
// stored as one record keeps all its bytes until that stands, where readers go on, as they do from
// the start when a 304 says that the record is good. What is stored
// in fragments keeps the bytes that no fragment holds yet; the puts pace the origin, and a reader
// behind them reads the fragments. What is not stored keeps a window, and its slowest reader paces
// the origin.
#pragma once

#include <bitset>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "base/limits.h"
#include "base/mutex.h"
#include "cache_store/store.h"
#include "origin/fragmented_object.h"

namespace perigee::origin {

/// Loops of the process, by their number.
using LoopSet = std::bitset<base::limits::kLoops>;

struct FillChunk {
  explicit FillChunk(size_t bytes_most) : capacity(bytes_most), bytes(new std::byte[bytes_most]) {}
  const size_t capacity;
  size_t size = 0;
  const std::unique_ptr<std::byte[]> bytes;
};
using ChunkRef = std::shared_ptr<FillChunk>;

/// The bytes of one fill, any number of readers.
class FillBody {
 public:
  enum class Got : uint8_t {
    kHave,    ///< bytes at the cursor
    kWait,    ///< none yet: this reader's loop is told when there are
    kBehind,  ///< they were dropped: the reader was too slow
    kStored,  ///< they lie in fragments: of `object`, which ends at `object.size` for now
    kRecord,  ///< the whole body lies in a record, at `place`
    kEnd,     ///< there are no more
    kFail,    ///< there will be no more, and the body is not whole
  };
  struct View {
    Got got = Got::kWait;
    ChunkRef chunk;  ///< keeps `bytes` alive
    std::span<const std::byte> bytes;
    bool last = false;  ///< the body ends behind these bytes
    std::optional<cache_store::ParkedRecord> place;
    cache_store::Pin pin;  ///< of the record; empty: a reader rests
    FragmentedObject object;
  };

  /// Owner only, before the first append(): how many bytes will come.
  void expect(uint64_t bytes);
  /// Owner only. Copies bytes in.
  void append(std::span<const std::byte> bytes);
  /// Owner only. No more will come.
  void finish(bool whole);
  /// Owner only. The body was stored: the chunks go, and readers go on from `record` (pinned).
  void hand_over(const cache_store::RecordView& record);
  /// Owner only, in place of any append(): the body is that of `record` (pinned).
  /// Of a shell nobody reads it: those who want the body look its codings up.
  void borrow(const cache_store::RecordView& record);
  /// A reader is blocked for long: the slab of the record is not held for the others either, who
  /// find it as long as it is not used again.
  void rest();
  /// Owner only. The loops with readers that found nothing and now would find something.
  [[nodiscard]] LoopSet take_waiting();
  /// Owner only. From now on at most `window_bytes` are kept.
  void set_window(size_t window_bytes);
  /// Owner only. From now on bytes are kept until they are stored, `window_bytes` of them at most.
  void keep_until_stored(size_t window_bytes);
  /// Owner only. All before `end` lies in fragments of the object `rid`.
  void stored_up_to(uint64_t end, uint64_t rid);
  /// What lies in fragments so far; `size` 0: nothing.
  FragmentedObject object() const;
  /// Owner only. The chunks with the bytes from `begin` to `end`, and how many bytes of the first
  /// come before them. They are kept.
  struct Cut {
    std::vector<ChunkRef> chunks;
    size_t skipped = 0;
    size_t size = 0;
  };
  Cut cut(uint64_t begin, uint64_t end) const;
  /// True: there is no room in the window, and the origin waits for the slowest reader.
  bool full() const;
  /// Lets go of the slowest readers' bytes when another reader waits for new ones. True: there is
  /// room.
  bool drop_laggards();

  /// Readers: each says where it stands. `move` and `detach`: true when there is room in a window
  /// that was full.
  void attach(uint64_t at);
  bool move(uint64_t from, uint64_t to);
  bool detach(uint64_t at);
  View take(uint64_t at, unsigned loop);
  /// Keeps the first bytes while somebody is about to attach.
  void hold();
  /// As move().
  bool release();
  /// A new reader would find the body from its start.
  bool from_start() const;

  uint64_t size() const;
  /// In memory.
  size_t kept_bytes() const;
  bool complete() const;
  size_t readers() const;
  /// All chunks of a complete body, for its put.
  std::vector<ChunkRef> chunks() const;

 private:
  /// The size of the first chunk while nobody has said how many bytes will come.
  static constexpr size_t kFirstChunkBytes = 4 * base::limits::kKiB;

  FillChunk& room_locked() REQUIRES(mutex_);
  void count_locked(uint64_t at, bool in) REQUIRES(mutex_);
  void lie_in_locked(const cache_store::RecordView& record) REQUIRES(mutex_);
  bool drop_passed_locked() REQUIRES(mutex_);
  /// Nobody needs the bytes before.
  uint64_t passed_locked() const REQUIRES(mutex_);
  bool full_locked() const REQUIRES(mutex_) {
    return window_ != 0 && end_ - begin_ + base::limits::kFillChunkBytes > window_;
  }

  mutable base::Mutex mutex_{base::LockRank::kFillBody};
  /// All of kFillChunkBytes, but for the last (or only) one.
  std::deque<ChunkRef> chunks_ GUARDED_BY(mutex_);
  /// Readers by the chunk in which they stand, of the whole body's, also while they read fragments;
  /// those that were cut loose are in none.
  std::map<uint64_t, size_t> standing_ GUARDED_BY(mutex_);
  size_t readers_ GUARDED_BY(mutex_) = 0;
  LoopSet waiting_ GUARDED_BY(mutex_);     ///< loops with a reader that found nothing
  uint64_t begin_ GUARDED_BY(mutex_) = 0;  ///< of the first chunk kept
  uint64_t end_ GUARDED_BY(mutex_) = 0;
  size_t window_ GUARDED_BY(mutex_) = 0;  ///< 0: all is kept
  bool until_stored_ GUARDED_BY(mutex_) = false;
  FragmentedObject object_ GUARDED_BY(mutex_);  ///< as far as it is stored
  size_t first_bytes_ GUARDED_BY(mutex_) = kFirstChunkBytes;
  int holds_ GUARDED_BY(mutex_) = 0;
  bool done_ GUARDED_BY(mutex_) = false;
  bool whole_ GUARDED_BY(mutex_) = false;
  bool in_store_ GUARDED_BY(mutex_) = false;  ///< all of it: at `place_`, else in `object_`
  std::optional<cache_store::ParkedRecord> place_ GUARDED_BY(mutex_);
  cache_store::Pin pin_ GUARDED_BY(mutex_);  ///< of the record at `place_`, until a reader rests
};

}  // namespace perigee::origin

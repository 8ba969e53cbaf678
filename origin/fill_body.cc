// Chunks behind one mutex: a take costs some tens of nanoseconds, and nothing is shared without it.
#include "origin/fill_body.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/check.h"
#include "origin/stored_body.h"

namespace perigee::origin {

namespace limits = base::limits;

void FillBody::expect(uint64_t bytes) {
  const base::MutexLock lock(mutex_);
  first_bytes_ =
      static_cast<size_t>(std::clamp<uint64_t>(bytes, 1, uint64_t{limits::kFillChunkBytes}));
}

void FillBody::append(std::span<const std::byte> bytes) {
  const base::MutexLock lock(mutex_);
  CHECK(!done_);
  while (!bytes.empty()) {
    // A chunk that is not full is only ever written behind what readers were shown.
    FillChunk& chunk = room_locked();
    const size_t n = std::min(bytes.size(), chunk.capacity - chunk.size);
    CHECK(n > 0);
    std::memcpy(chunk.bytes.get() + chunk.size, bytes.data(), n);
    chunk.size += n;
    end_ += n;
    bytes = bytes.subspan(n);
  }
  // Readers of a part that is still to come have passed what has come.
  drop_passed_locked();
}

FillChunk& FillBody::room_locked() {
  if (chunks_.empty()) {
    const bool first = begin_ == 0;
    chunks_.push_back(std::make_shared<FillChunk>(first ? first_bytes_ : limits::kFillChunkBytes));
  } else if (chunks_.back()->size == limits::kFillChunkBytes) {
    chunks_.push_back(std::make_shared<FillChunk>(limits::kFillChunkBytes));
  } else if (chunks_.back()->size == chunks_.back()->capacity) {
    // The first one was made small and more came. Whoever reads the old one keeps it.
    const ChunkRef small = std::move(chunks_.back());
    chunks_.back() = std::make_shared<FillChunk>(limits::kFillChunkBytes);
    std::memcpy(chunks_.back()->bytes.get(), small->bytes.get(), small->size);
    chunks_.back()->size = small->size;
  }
  return *chunks_.back();
}

void FillBody::finish(bool whole) {
  const base::MutexLock lock(mutex_);
  CHECK(!in_store_);
  done_ = true;
  whole_ = whole;
}

void FillBody::hand_over(const cache_store::RecordView& record) {
  const base::MutexLock lock(mutex_);
  CHECK(done_ && whole_ && !in_store_);
  // What is stored has kept all its bytes, here or in fragments.
  CHECK(object_.size == 0 ? begin_ == 0 : object_.size == end_);
  CHECK(body_size_of(record) == end_);
  lie_in_locked(record);
}

void FillBody::borrow(const cache_store::RecordView& record) {
  const base::MutexLock lock(mutex_);
  CHECK(!done_ && end_ == 0);
  done_ = whole_ = true;
  lie_in_locked(record);
}

void FillBody::lie_in_locked(const cache_store::RecordView& record) {
  in_store_ = true;
  chunks_.clear();
  begin_ = end_ = body_size_of(record);
  if (record.kind == cache_store::RecordKind::kHead) {
    object_ = fragmented_object(record);
  } else if (record.kind != cache_store::RecordKind::kShell) {
    place_ = place_of(record, record.pin);
    pin_ = record.pin.another();
  }
}

void FillBody::rest() {
  const base::MutexLock lock(mutex_);
  pin_.reset();
}

LoopSet FillBody::take_waiting() {
  const base::MutexLock lock(mutex_);
  return std::exchange(waiting_, {});
}

void FillBody::set_window(size_t window_bytes) {
  // Room for a chunk that is read while the next one is written: with less, neither could move.
  CHECK(window_bytes >= 2 * limits::kFillChunkBytes);
  const base::MutexLock lock(mutex_);
  window_ = window_bytes;
  until_stored_ = false;
  drop_passed_locked();
}

void FillBody::keep_until_stored(size_t window_bytes) {
  const base::MutexLock lock(mutex_);
  CHECK(begin_ == 0 && object_.size == 0);
  window_ = window_bytes;
  until_stored_ = true;
}

void FillBody::stored_up_to(uint64_t end, uint64_t rid) {
  const base::MutexLock lock(mutex_);
  CHECK(end > object_.size && end <= end_ && (object_.rid == 0 || object_.rid == rid));
  object_ = {rid, end};
  drop_passed_locked();
}

FragmentedObject FillBody::object() const {
  const base::MutexLock lock(mutex_);
  return object_;
}

FillBody::Cut FillBody::cut(uint64_t begin, uint64_t end) const {
  const base::MutexLock lock(mutex_);
  CHECK(begin_ <= begin && begin < end && end <= end_);
  const auto index = [kept = begin_](uint64_t at) {
    return static_cast<ptrdiff_t>((at - kept) / limits::kFillChunkBytes);
  };
  Cut cut;
  cut.skipped = static_cast<size_t>((begin - begin_) % limits::kFillChunkBytes);
  cut.size = static_cast<size_t>(end - begin);
  cut.chunks.assign(chunks_.begin() + index(begin), chunks_.begin() + index(end - 1) + 1);
  return cut;
}

bool FillBody::full() const {
  const base::MutexLock lock(mutex_);
  return full_locked();
}

bool FillBody::drop_passed_locked() {
  if (window_ == 0) return false;
  const bool was_full = full_locked();
  const uint64_t passed = passed_locked();
  while (!chunks_.empty() && chunks_.front()->size == limits::kFillChunkBytes &&
         begin_ + limits::kFillChunkBytes <= passed) {
    begin_ += limits::kFillChunkBytes;
    chunks_.pop_front();
  }
  CHECK(begin_ <= end_);
  return was_full && !full_locked();
}

uint64_t FillBody::passed_locked() const {
  if (until_stored_) return object_.size;
  if (holds_ > 0) return begin_;
  if (standing_.empty()) return end_;
  // A reader needs all of the chunk in which it stands, or the first behind the fragments.
  return std::max(standing_.begin()->first * limits::kFillChunkBytes, object_.size);
}

bool FillBody::drop_laggards() {
  const base::MutexLock lock(mutex_);
  if (until_stored_ || !full_locked() || holds_ > 0 || waiting_.none()) return false;
  // Those too who still read fragments, since they need what lies behind them.
  standing_.erase(standing_.begin(), standing_.upper_bound(begin_ / limits::kFillChunkBytes));
  return drop_passed_locked();
}

void FillBody::count_locked(uint64_t at, bool in) {
  const uint64_t chunk = at / limits::kFillChunkBytes;
  if (in) {
    const bool in_fragments = at < object_.size && begin_ <= object_.size;
    if (at >= begin_ || in_fragments) ++standing_[chunk];
    return;
  }
  const auto it = standing_.find(chunk);
  if (it != standing_.end() && --it->second == 0) standing_.erase(it);
}

void FillBody::attach(uint64_t at) {
  const base::MutexLock lock(mutex_);
  ++readers_;
  count_locked(at, true);
}

bool FillBody::move(uint64_t from, uint64_t to) {
  if (from / limits::kFillChunkBytes == to / limits::kFillChunkBytes) return false;
  const base::MutexLock lock(mutex_);
  count_locked(from, false);
  count_locked(to, true);
  return drop_passed_locked();
}

bool FillBody::detach(uint64_t at) {
  const base::MutexLock lock(mutex_);
  CHECK(readers_ > 0);
  --readers_;
  count_locked(at, false);
  return drop_passed_locked();
}

FillBody::View FillBody::take(uint64_t at, unsigned loop) {
  const base::MutexLock lock(mutex_);
  if (place_) return {.got = Got::kRecord, .place = place_, .pin = pin_.another()};
  if (at < begin_ && at < object_.size) return {.got = Got::kStored, .object = object_};
  if (at < begin_) return {.got = Got::kBehind};
  if (at >= end_) {
    if (done_) return {.got = whole_ ? Got::kEnd : Got::kFail, .last = whole_};
    waiting_.set(loop);
    return {.got = Got::kWait};
  }
  const size_t index = static_cast<size_t>((at - begin_) / limits::kFillChunkBytes);
  CHECK(index < chunks_.size());
  const ChunkRef& chunk = chunks_[index];
  const size_t offset = static_cast<size_t>((at - begin_) % limits::kFillChunkBytes);
  CHECK(offset < chunk->size);
  const std::span<const std::byte> bytes(chunk->bytes.get() + offset, chunk->size - offset);
  const bool last = done_ && whole_ && at + bytes.size() == end_;
  return {.got = Got::kHave, .chunk = chunk, .bytes = bytes, .last = last};
}

void FillBody::hold() {
  const base::MutexLock lock(mutex_);
  ++holds_;
}

bool FillBody::release() {
  const base::MutexLock lock(mutex_);
  CHECK(holds_ > 0);
  --holds_;
  return drop_passed_locked();
}

bool FillBody::from_start() const {
  const base::MutexLock lock(mutex_);
  return begin_ == 0 || until_stored_ || in_store_;
}

uint64_t FillBody::size() const {
  const base::MutexLock lock(mutex_);
  return end_;
}

size_t FillBody::kept_bytes() const {
  const base::MutexLock lock(mutex_);
  return static_cast<size_t>(end_ - begin_);
}

bool FillBody::complete() const {
  const base::MutexLock lock(mutex_);
  return done_ && whole_;
}

size_t FillBody::readers() const {
  const base::MutexLock lock(mutex_);
  return readers_;
}

std::vector<ChunkRef> FillBody::chunks() const {
  const base::MutexLock lock(mutex_);
  return {chunks_.begin(), chunks_.end()};
}

}  // namespace perigee::origin

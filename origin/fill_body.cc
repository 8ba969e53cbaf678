#include "origin/fill_body.h"

#include <algorithm>
#include <cstring>

#include "base/check.h"

namespace perigee::origin {

namespace limits = base::limits;

std::set<unsigned> FillBody::append(std::span<const std::byte> bytes) {
  const std::lock_guard lock(mutex_);
  CHECK(!done_);
  while (!bytes.empty()) {
    // A chunk that is not full is only ever written behind what readers were shown.
    if (chunks_.empty() || chunks_.back()->size == limits::kFillChunkBytes) {
      chunks_.push_back(ChunkRef(new FillChunk));
    }
    FillChunk& chunk = *chunks_.back();
    const size_t n = std::min(bytes.size(), limits::kFillChunkBytes - chunk.size);
    std::memcpy(chunk.bytes + chunk.size, bytes.data(), n);
    chunk.size += n;
    end_ += n;
    bytes = bytes.subspan(n);
  }
  // Readers of a part that is still to come have passed what has come.
  drop_passed_locked();
  return std::exchange(waiting_, {});
}

std::set<unsigned> FillBody::finish(bool whole) {
  const std::lock_guard lock(mutex_);
  done_ = true;
  whole_ = whole;
  return std::exchange(waiting_, {});
}

void FillBody::set_window(size_t window_bytes) {
  const std::lock_guard lock(mutex_);
  window_ = window_bytes;
  drop_passed_locked();
}

bool FillBody::full() const {
  const std::lock_guard lock(mutex_);
  return full_locked();
}

bool FillBody::drop_passed_locked() {
  if (window_ == 0 || holds_ > 0) return false;
  uint64_t slowest = end_;
  for (const Reader& reader : readers_) slowest = std::min(slowest, reader.at);
  const bool was_full = full_locked();
  while (!chunks_.empty() && begin_ + chunks_.front()->size <= slowest &&
         chunks_.front()->size == limits::kFillChunkBytes) {
    begin_ += chunks_.front()->size;
    chunks_.pop_front();
  }
  return was_full && !full_locked();
}

bool FillBody::drop_laggards() {
  const std::lock_guard lock(mutex_);
  if (!full_locked() || holds_ > 0) return false;
  const bool somebody_waits =
      std::any_of(readers_.begin(), readers_.end(), [&](const Reader& r) { return r.at >= end_; });
  if (!somebody_waits) return false;
  const uint64_t cut = begin_ + chunks_.front()->size;
  std::erase_if(readers_, [&](const Reader& reader) { return reader.at < cut; });
  return drop_passed_locked();
}

uint64_t FillBody::attach(uint64_t at) {
  const std::lock_guard lock(mutex_);
  const uint64_t id = next_reader_++;
  readers_.push_back({id, at});
  return id;
}

bool FillBody::move(uint64_t reader, uint64_t at) {
  const std::lock_guard lock(mutex_);
  for (Reader& known : readers_) {
    if (known.id == reader) known.at = at;
  }
  return drop_passed_locked();
}

bool FillBody::detach(uint64_t reader) {
  const std::lock_guard lock(mutex_);
  std::erase_if(readers_, [&](const Reader& known) { return known.id == reader; });
  return drop_passed_locked();
}

FillBody::View FillBody::take(uint64_t at, unsigned loop) {
  const std::lock_guard lock(mutex_);
  if (at < begin_) return {Got::kBehind, nullptr, {}, false};
  if (at >= end_) {
    if (done_) return {whole_ ? Got::kEnd : Got::kFail, nullptr, {}, whole_};
    waiting_.insert(loop);
    return {Got::kWait, nullptr, {}, false};
  }
  // Every chunk but the last is full.
  const size_t index = static_cast<size_t>((at - begin_) / limits::kFillChunkBytes);
  const ChunkRef& chunk = chunks_[index];
  const size_t offset = static_cast<size_t>((at - begin_) % limits::kFillChunkBytes);
  const std::span<const std::byte> bytes(chunk->bytes + offset, chunk->size - offset);
  return {Got::kHave, chunk, bytes, done_ && whole_ && at + bytes.size() == end_};
}

void FillBody::hold() {
  const std::lock_guard lock(mutex_);
  ++holds_;
}

bool FillBody::release() {
  const std::lock_guard lock(mutex_);
  CHECK(holds_ > 0);
  --holds_;
  return drop_passed_locked();
}

bool FillBody::from_start() const {
  const std::lock_guard lock(mutex_);
  return begin_ == 0;
}

uint64_t FillBody::size() const {
  const std::lock_guard lock(mutex_);
  return end_;
}

bool FillBody::complete() const {
  const std::lock_guard lock(mutex_);
  return done_ && whole_;
}

size_t FillBody::readers() const {
  const std::lock_guard lock(mutex_);
  return readers_.size();
}

std::vector<ChunkRef> FillBody::chunks() const {
  const std::lock_guard lock(mutex_);
  return {chunks_.begin(), chunks_.end()};
}

}  // namespace perigee::origin

// Bodies for tests; BodyReader also holds sources to "one kLater, exactly one wake".
#include "tests/support/bodies.h"

#include <algorithm>

namespace perigee::test {

void FedBody::wake_if_waiting() {
  if (!std::exchange(waiting_, false)) return;
  wake();
}

void FedBody::feed(std::string_view text) {
  bytes_ += text;
  wake_if_waiting();
}

void FedBody::end() {
  ended_ = true;
  wake_if_waiting();
}

void FedBody::fail(http::Chunk::State as) {
  failed_ = as;
  wake_if_waiting();
}

http::Chunk FedBody::peek(size_t max) {
  ++peeks;
  http::Chunk chunk;
  if (failed_) {
    chunk.state = *failed_;
    return chunk;
  }
  if (bytes_.empty() && !ended_) {
    waiting_ = true;
    chunk.state = http::Chunk::kLater;
    return chunk;
  }
  const size_t n = std::min(max, bytes_.size());
  chunk.piece.data = reinterpret_cast<const std::byte*>(bytes_.data());
  chunk.piece.size = n;
  chunk.state = ended_ && n == bytes_.size() ? http::Chunk::kEnd : http::Chunk::kMore;
  return chunk;
}

void FedBody::advance(size_t n) {
  CHECK(n <= bytes_.size());
  bytes_.erase(0, n);
  taken_ += n;
}

BodyReader::BodyReader(FakeEnv& env, http::BodySource& source) : env_(env), source_(&source) {
  source.set_waker(this);
}

BodyReader::~BodyReader() {
  if (source_ != nullptr) source_->set_waker(nullptr);
}

void BodyReader::wake() {
  ++wakes;
  CHECK(awaited_);
  awaited_ = false;
  env_.soon(pull_);
}

void BodyReader::pull() {
  while (source_ != nullptr && !done() && !awaited_) {
    const size_t want = std::min(piece, budget);
    if (want == 0) return;
    const http::Chunk chunk = source_->peek(want);
    if (chunk.state == http::Chunk::kLater) {
      awaited_ = true;
      return;
    }
    if (chunk.state == http::Chunk::kFail || chunk.state == http::Chunk::kBad) {
      failed_ = true;
      return;
    }
    CHECK(chunk.piece.size <= want);
    text.append(reinterpret_cast<const char*>(chunk.piece.data), chunk.piece.size);
    budget -= chunk.piece.size;
    if (chunk.piece.size > 0) source_->advance(chunk.piece.size);
    if (chunk.state == http::Chunk::kEnd) ended_ = true;
  }
}

}  // namespace perigee::test

// A cursor over the body of a fill, at the pace of one client.
#pragma once

#include <memory>
#include <optional>

#include "http/multipart.h"
#include "origin/fill_progress.h"

namespace perigee::origin {

class LoopFills;

/// Over [begin, end) of the body (`end` nullopt: to its end). Belongs to the loop of `fills`; made
/// while a waiter is told of the head, so that no byte is dropped before it is attached.
class FillReader final : public http::SpanSource {
 public:
  FillReader(std::shared_ptr<FillSession> session, Fills& fills, uint64_t begin,
             std::optional<uint64_t> end);
  ~FillReader() override;
  FillReader(const FillReader&) = delete;
  FillReader& operator=(const FillReader&) = delete;

  /// Backwards only in a body that is kept whole (stored, or the stored one after a 304).
  void seek(const http::ByteSpan& span) override;
  http::Chunk peek(size_t max) override;
  void advance(size_t n) override;
  void park() override { chunk_.reset(); }
  std::optional<uint64_t> size() const override;

  /// New bytes are there.
  void notify() { wake(); }

 private:
  friend class LoopFills;
  http::Chunk peek_record(size_t max);

  std::shared_ptr<FillProgress> progress_;
  LoopFills& fills_;
  uint64_t begin_;
  std::optional<uint64_t> end_;
  uint64_t at_;
  uint64_t id_ = 0;
  ChunkRef chunk_;
  bool waiting_ = false;
};

}  // namespace perigee::origin

// A cursor over the body of a fill, at the pace of one client.
#pragma once

#include <list>
#include <memory>
#include <optional>

#include "http/exchange/multipart_body.h"
#include "origin/fill.h"
#include "origin/fragment_body.h"
#include "origin/missing_fragments.h"
#include "origin/stored_body.h"

namespace perigee::origin {

class Fills;

/// Over [begin, end) of the body (`end` nullopt: to its end). Belongs to the loop of `fills`, which
/// outlives it; made while a waiter is told of the head, so that no byte is dropped before it is
/// attached. It reads from the record once there is one.
class FillReader final : public http::SpanSource {
 public:
  /// `maker` makes the request for fragments that are gone when they are read; null: they are not
  /// asked for. It outlives the reader.
  FillReader(std::shared_ptr<Fill> fill, Fills& fills, uint64_t begin, std::optional<uint64_t> end,
             RequestMaker* maker = nullptr);
  ~FillReader() override;
  FillReader(const FillReader&) = delete;
  FillReader& operator=(const FillReader&) = delete;

  /// Backwards only in a body that is kept whole (being stored, or the stored one after a 304).
  void seek(const http::ByteSpan& span) override;
  http::Chunk peek(size_t max) override;
  void advance(size_t n) override;
  std::optional<uint64_t> size() const override;
  void rest() override;

 private:
  friend class Fills;
  void move_to(uint64_t at);
  bool read_record(const cache_store::ParkedRecord& place, cache_store::Pin pin);
  http::Chunk peek_chunks(size_t max);
  http::Chunk peek_fragments(size_t max);
  MissingFragments* missing_of(const FragmentedObject& object);
  void read_fragments(const FragmentedObject& object, uint64_t end);

  std::shared_ptr<Fill> fill_;
  Fills& fills_;
  uint64_t begin_;
  std::optional<uint64_t> end_;
  uint64_t at_;  ///< in the chunks
  ChunkRef chunk_;
  RequestMaker* const maker_;
  std::optional<MissingFragments> missing_;
  std::optional<StoredBody> stored_;       ///< read instead of the chunks
  std::optional<FragmentBody> fragments_;  ///< the same, up to `fragments_end_`
  uint64_t fragments_end_ = 0;
  PassOn pass_on_{*this};
  bool waiting_ = false;  ///< in the loop's list, at `place_`
  std::list<FillReader*>::iterator place_;
};

}  // namespace perigee::origin

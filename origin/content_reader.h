// The content of a body, from its front to its end, for a job of the pool: as it lies in fragments
// or in memory, or decoded from that. One fragment and one step of the decoder are held at a time.
//
// So one loop decodes for all jobs, and knows what is cut, too long or followed by something else.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "base/fn.h"
#include "cache_store/store.h"
#include "http/coding/decoder.h"
#include "http/content_coding.h"
#include "origin/fragmented_object.h"

namespace perigee::origin {

/// One pass over one body. One thread at a time; blocking.
class ContentReader {
 public:
  enum class State : uint8_t {
    kPiece,    ///< there is one, perhaps an empty one
    kEnd,      ///< the one before was the last
    kGone,     ///< a fragment is not there, or cannot be read
    kBad,      ///< what is stored is not of its coding, or stands for nothing
    kCut,      ///< it ends before its coding does
    kTooLong,  ///< it stands for more than it may
  };

  /// Of a body that lies in fragments in this coding, in as many members as `members` says.
  /// `store` outlives it.
  ContentReader(cache_store::Store& store, const FragmentedObject& stored, http::Coding coding,
                uint64_t most, http::Members members = http::Members::kAny);
  /// Of a body in memory, which outlives it.
  ContentReader(std::span<const std::byte> stored, http::Coding coding, uint64_t most,
                http::Members members = http::Members::kAny);

  /// `piece`: the next bytes, at most limits::kCodingStepBytes, good until the next call. Not
  /// called again after another state than kPiece.
  State next(std::span<const std::byte>& piece);
  /// Bytes of the content that were given so far.
  uint64_t given() const { return given_; }

 private:
  /// Sees to it that `stored_` has bytes. kEnd: there are no more.
  State read();
  State decode(std::span<const std::byte>& piece);

  cache_store::Store* const store_ = nullptr;
  const FragmentedObject object_;
  const bool coded_;
  const uint64_t most_;
  const std::unique_ptr<http::Decoder> decoder_;
  uint64_t read_ = 0;  ///< of what is stored
  std::optional<cache_store::RecordView> fragment_;
  std::span<const std::byte> stored_;  ///< that was read and not given yet
  std::vector<std::byte> buffer_;      ///< of the decoder
  uint64_t given_ = 0;
  bool between_members_ = false;  ///< the content may end here
};

/// Asked before each step of limits::kCodingStepBytes. False: no more is to be done.
using GoOn = base::Fn<bool()>;

/// Whether the two give the same, up to the end of both.
enum class Compared : uint8_t {
  kSame,
  kDifferent,
  kGone,  ///< a fragment of one of them is
  kLeft,  ///< it was not to go on
};
Compared compare(ContentReader& a, ContentReader& b, GoOn& go_on);

}  // namespace perigee::origin

// From coded bytes to what they stand for, piece by piece, into memory of the caller: so what a
// small body may blow up to is the caller's to bound.
#pragma once

#include <cstddef>
#include <memory>
#include <span>

#include "http/content_coding.h"

namespace perigee::http {

/// What one content is made of. In gzip members (RFC 1952 §2.2), in zstd frames, those to be
/// skipped among them (RFC 8878 §3); br has one stream.
enum class Members : uint8_t {
  kAny,
  kOne,  ///< what every client decodes: some stop behind the first one
};

/// One content. One thread at a time.
class Decoder {
 public:
  enum class State : uint8_t {
    kMore,  ///< give more of `in`, or more room
    kEnd,   ///< the content is whole if nothing follows: all of `in` was taken
    kBad,   ///< these bytes are not of that coding, or need a window above 8 MiB (RFC 9659)
  };
  /// What one call did.
  struct Step {
    size_t taken = 0;  ///< of `in`
    size_t made = 0;   ///< of `out`
    State state = State::kMore;
  };

  /// Null: no memory, or the identity.
  static std::unique_ptr<Decoder> make(Coding coding, Members members = Members::kAny);
  virtual ~Decoder() = default;

  /// Decodes from the front of `in` to the front of `out`. However the two are cut, the state at
  /// the end is the same, and so are the bytes, but for those before a kBad. Not called again after
  /// kBad; after kEnd with what follows, if anything does.
  virtual Step decode(std::span<const std::byte> in, std::span<std::byte> out) = 0;
};

}  // namespace perigee::http

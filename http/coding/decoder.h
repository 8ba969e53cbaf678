// From coded bytes to what they stand for, piece by piece, into memory of the caller: so what a
// small body may blow up to is the caller's to bound.
#pragma once

#include <cstddef>
#include <memory>
#include <span>

#include "http/content_coding.h"

namespace perigee::http {

/// One content. One thread at a time.
class Decoder {
 public:
  enum class State : uint8_t {
    kMore,  ///< give more of `in`, or more room
    kEnd,   ///< the content is whole
    kBad,   ///< these bytes are not of that coding, or need a window above 8 MiB (RFC 9659)
  };
  /// What one call did.
  struct Step {
    size_t taken = 0;  ///< of `in`
    size_t made = 0;   ///< of `out`
    State state = State::kMore;
  };

  /// Null: no memory, or the identity.
  static std::unique_ptr<Decoder> make(Coding coding);
  virtual ~Decoder() = default;

  /// Decodes from the front of `in` to the front of `out`. Not called again after kEnd or kBad.
  virtual Step decode(std::span<const std::byte> in, std::span<std::byte> out) = 0;
};

}  // namespace perigee::http

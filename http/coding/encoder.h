// From bytes to coded bytes, piece by piece: zstd, br, gzip. For jobs of the pool; a loop never
// encodes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "http/content_coding.h"

namespace perigee::http {

/// What an encoder spends. Coded records on disk hold it, so no value changes its meaning.
enum class Effort : uint8_t {
  kFast = 1,  ///< soon after a fill
  kBest = 2,  ///< for what is asked for again and again: many times the CPU
};

/// One content. One thread at a time.
class Encoder {
 public:
  /// Of a content of `size` bytes. Null: no memory, or not a coding that is made. A zstd frame says
  /// its size and a checksum, and needs a window of 8 MiB at most (RFC 9659).
  static std::unique_ptr<Encoder> make(Coding coding, Effort effort, uint64_t size);
  virtual ~Encoder() = default;

  /// Appends what comes of `in`; `last`: the content ends with it. False: the library failed, and
  /// what was appended is of no use.
  virtual bool encode(std::span<const std::byte> in, bool last, std::vector<std::byte>& out) = 0;
};

}  // namespace perigee::http

// A body in a coding, in memory: encoded, decoded again and compared. For jobs of the pool.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "base/fn.h"
#include "http/coding/encoder.h"
#include "http/content_coding.h"
#include "origin/content_reader.h"

namespace perigee::origin {

/// What came of it.
enum class Verified : uint8_t {
  kMade,
  kNotWorthIt,  ///< not shorter by the share that is worth a record
  kFailed,      ///< the library failed, or what it made does not decode to the body
  kCut,         ///< it ends before its coding does
  kTooLong,     ///< it stands for more than it may
  kLeft,        ///< it was not to go on
};

/// What it means for a body how reading its content ended.
Verified verified_of(ContentReader::State state);

/// What a coding of a body of so many bytes must stay below, to be worth a record.
uint64_t most_coded_bytes(uint64_t body_bytes);

/// `coded` is of that coding, one member of it, and what it stands for is `body`, all of it and no
/// more. No longer body is ever decoded.
bool decodes_to(http::Coding coding, std::span<const std::byte> coded,
                std::span<const std::byte> body);

/// kMade: `out` is `body` in this coding.
Verified encode_verified(http::Coding coding, http::Effort effort, std::span<const std::byte> body,
                         GoOn& go_on, std::vector<std::byte>& out);

/// kMade: `out` is what `coded` stands for, all of it and no more, at most `most` bytes. kFailed:
/// it is not of that coding, or stands for nothing.
Verified decode_whole(http::Coding coding, std::span<const std::byte> coded, uint64_t most,
                      GoOn& go_on, std::vector<std::byte>& out);

}  // namespace perigee::origin

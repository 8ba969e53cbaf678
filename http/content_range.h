// Parts of a representation on their way from an origin (RFC 9110 §14): what is asked for, and
// whether a 206 brings it.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "http/arena.h"
#include "http/message.h"
#include "http/range.h"

namespace perigee::http {

/// What a Content-Range line says of the content (RFC 9110 §14.4).
struct ContentRange {
  ByteSpan span;                 ///< never empty
  std::optional<uint64_t> size;  ///< of the whole; nullopt: `*`
};
/// nullopt: it does not parse, or names no bytes.
std::optional<ContentRange> parse_content_range(std::string_view value);

/// The part of `object_size` bytes under `etag` that is asked for.
struct Part {
  ByteSpan span;
  uint64_t object_size = 0;
  std::string_view etag;  ///< strong
};
/// The Range value for a span, "bytes=0-99", in memory of the arena; data() is null without room.
std::string_view range_of(const ByteSpan& span, Arena& arena);

/// Adds Range, and the If-Range that makes the answer a 206 of this representation or a whole
/// other one (RFC 9110 §13.1.5). The fields view `part.etag` and the arena. False: no room.
bool add_part_fields(const Part& part, Arena& arena, HeaderList& fields);

/// How many bytes from `part.span.begin` on a response brings: a 206 of the same representation
/// may end early (RFC 9110 §15.3.7). 0: none of them, or it may be of another one.
uint64_t bytes_brought(const ReceivedResponse& response, const Part& part);

/// The first of the bytes that a Range field asks of a body of which nothing is known.
struct FirstWanted {
  bool from_end = false;  ///< the last `at` bytes
  uint64_t at = 0;
  bool to_end = false;  ///< all from `at` on
};
/// nullopt: the field is to be ignored.
std::optional<FirstWanted> first_wanted(std::string_view range_field);
/// What is asked for instead: of the pieces of `each` bytes that a body of `size` is cut into the
/// one with that byte, or the last `each` bytes, among which the last piece is.
ByteSpan aligned_span(const FirstWanted& wanted, uint64_t each, uint64_t size);
/// The Range value for it, of a body of any size; data() is null without room.
std::string_view aligned_range(const FirstWanted& wanted, uint64_t each, Arena& arena);

/// A 206 that can stand for its whole representation: one part, whose size, length and strong
/// ETag are known. nullopt: it cannot.
std::optional<ContentRange> usable_part(const ReceivedResponse& response);
/// The head of that whole. Its fields lie in `storage`.
ReceivedResponse whole_of(const ReceivedResponse& part, uint64_t size, std::vector<Field>& storage);

}  // namespace perigee::http

// Range requests (RFC 9110 §14): which bytes of a body a Range field asks for.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace perigee::http {

/// The bytes [begin, end) of a body.
struct ByteSpan {
  uint64_t begin = 0;
  uint64_t end = 0;
  uint64_t size() const { return end - begin; }
  bool operator==(const ByteSpan&) const = default;
};

/// Spans in the order in which they were first asked for. No two of them overlap or touch:
/// those that would are one (RFC 9110 §15.3.7.2), so no byte is ever sent twice.
class ByteSpans {
 public:
  /// Adds a span that is not empty, joined with those that it overlaps or touches.
  void add(ByteSpan span);
  bool empty() const { return count_ == 0; }
  size_t size() const { return count_; }
  const ByteSpan& operator[](size_t i) const { return begin()[i]; }
  const ByteSpan* begin() const { return count_ == 1 ? &only_ : several_.data(); }
  const ByteSpan* end() const { return begin() + count_; }
  /// Each span lies behind the one before it: a body can be read through once to send them.
  bool ascending() const;

 private:
  size_t count_ = 0;
  ByteSpan only_;  ///< while there is one, so that a single range allocates nothing
  std::vector<ByteSpan> several_;
};

/// What a Range field asks of a body of a certain size.
struct RangeRequest {
  enum Kind : uint8_t {
    /// The whole: an unknown unit, bad syntax, too many ranges, the last bytes of an empty body.
    kNone,
    kSatisfiable,    ///< `spans`, at least one, each within the body; what lies outside was skipped
    kUnsatisfiable,  ///< 416: every range lies behind the body's end, as all but the last bytes do
                     ///< where it is empty
  } kind = kNone;
  ByteSpans spans;
};
/// `range_field` is the value of the one Range line, `size` that of the body in bytes.
RangeRequest parse_range(std::string_view range_field, uint64_t size);

}  // namespace perigee::http

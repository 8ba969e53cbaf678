// Where the head of an HTTP/1 message ends, found as its bytes arrive, in both directions.
//
// A head is parsed only when it is whole. So the scanner looks at nothing but line ends: each line
// must end in CRLF, and every bound is judged at the byte that exceeds it, however the bytes came.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace perigee::http {

class HeadScanner {
 public:
  /// What a head may have. Bytes of lines are counted without their CRLF.
  struct Bounds {
    size_t first_line_bytes = 0;
    size_t line_bytes = 0;          ///< of each other line
    size_t head_bytes = 0;          ///< in all, line ends and an empty line before it included
    bool empty_line_first = false;  ///< one empty line before the head is ignored (RFC 9112 §2.2)
  };
  enum class State : uint8_t {
    kMore,              ///< the head goes on
    kWhole,             ///< its empty line has come
    kBareLf,            ///< a line ends in LF without CR
    kEmpty,             ///< more empty lines before the head than are ignored
    kFirstLineTooLong,  ///< beyond first_line_bytes
    kTooLarge,          ///< beyond line_bytes or head_bytes
  };

  explicit HeadScanner(const Bounds& bounds) : bounds_(bounds) {}

  /// Takes the bytes that follow those of earlier calls. Returns how many of them belong to the
  /// head; all of them unless the state is kWhole or an error.
  size_t take(std::string_view input);
  State state() const { return state_; }
  /// Bytes taken so far, an empty line before the head included.
  size_t bytes() const { return bytes_; }
  /// Bytes of the ignored empty line: 2 or 0.
  size_t skipped() const { return skipped_; }
  /// Some byte of the head itself has come.
  bool started() const { return bytes_ > skipped_; }
  /// Whole lines of the head, its empty line apart.
  size_t lines() const { return lines_; }
  /// Ready for the next head.
  void reset() { *this = HeadScanner(bounds_); }

 private:
  State judge_length(size_t line_bytes) const;
  State end_line();

  Bounds bounds_;
  size_t bytes_ = 0;
  size_t line_bytes_ = 0;  ///< of the present line so far, without its LF
  size_t skipped_ = 0;
  size_t lines_ = 0;
  char last_ = '\0';  ///< the byte before the next one
  State state_ = State::kMore;
};

}  // namespace perigee::http

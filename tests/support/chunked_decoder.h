// The chunked transfer coding (RFC 9112 §7.1), written by hand: a second opinion on what the
// product's parser makes of chunked content.
//
// Lines end in CRLF and nothing else. Extensions are read and dropped, and so are trailers; both
// are bounded. Whatever another implementation might read differently is an error.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace perigee::test {

class ChunkedDecoder {
 public:
  enum class Error : uint8_t { kNone, kMalformed, kTrailersTooLarge };
  struct Step {
    size_t consumed = 0;
    std::span<const std::byte> content;  ///< a view into the input; may be empty
  };

  /// Ready for the first chunk of a message.
  void begin() { *this = ChunkedDecoder(); }
  /// Decodes `input` up to the end of the next run of content, or all of it. Call it again with
  /// what follows until done(); an error() is final.
  Step next(std::span<const std::byte> input);
  /// The last chunk and the trailers were consumed. What follows is another message.
  bool done() const { return state_ == State::kDone; }
  Error error() const { return error_; }

 private:
  /// Where in the message the next byte stands; kXxLf: an LF must come.
  enum class State : uint8_t {
    kSize,
    kExtension,  ///< behind a semicolon: a name must come
    kExtensionName,
    kExtensionNameEnd,
    kExtensionEquals,  ///< a value must come
    kExtensionToken,
    kExtensionQuoted,
    kExtensionEscape,
    kExtensionValueEnd,
    kSizeLf,
    kData,
    kDataCr,
    kDataLf,
    kTrailer,
    kTrailerName,
    kTrailerValue,
    kTrailerLf,
    kLastLf,
    kDone,
    kFailed,
  };
  State take(char c);
  State take_size(char c);
  State take_extension(char c);
  State next_extension(char c) const;
  State take_trailer(char c);
  State fail(Error error);

  uint64_t left_ = 0;  ///< of the chunk
  uint32_t trailer_bytes_ = 0;
  uint16_t extension_bytes_ = 0;   ///< of the chunk line
  uint16_t extensions_bytes_ = 0;  ///< of the message
  uint8_t digits_ = 0;             ///< of the chunk's size
  State state_ = State::kSize;
  Error error_ = Error::kNone;
};

}  // namespace perigee::test

// The syntax of one HTTP/1 message, in both directions: read by llhttp in strict mode, and guarded.
//
// The only file that knows llhttp. It is fed whole heads, and chunked content line by line; it
// never sees content of a known length, nor a byte behind a head or a message. What llhttp accepts
// is then held against the bytes: the guards, one for each Fault, keep what is promised whatever
// version of llhttp was built in.
#pragma once

#include <llhttp.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "http/h1/framing.h"
#include "http/headers.h"

namespace perigee::http {

/// What is wrong with a message.
enum class Fault : uint8_t {
  kNone,
  kSyntax,            ///< llhttp refuses it, and no guard has a name for it
  kStartLine,         ///< not three words with one space between them, or a malformed one
  kMethod,            ///< llhttp does not know the method
  kVersion,           ///< well-formed, but neither HTTP/1.0 nor HTTP/1.1
  kFieldLine,         ///< no `token: value` on one line, or a byte that no value may hold
  kTooManyFields,     ///< more than the list has room for
  kChunkLine,         ///< no hexadecimal size with extensions of the grammar, or beyond its bounds
  kChunkEnd,          ///< other bytes than CRLF behind a chunk's content
  kTrailerLine,       ///< no `token: value` on one line
  kTrailersTooLarge,  ///< beyond limits::kTrailerBytes
};

/// The first line of a message. Views into the head.
struct StartLine {
  std::string_view method;
  std::string_view target;
  std::string_view reason;  ///< may be empty
  uint16_t status = 0;      ///< three digits, 100 or more
  uint8_t version_minor = 1;
};

/// One message at a time; allocates nothing.
class MessageParser {
 public:
  enum class Side : uint8_t { kRequest, kResponse };

  /// Reads a whole head as HeadScanner found it: lines that end in CRLF, the last one empty. Fills
  /// `start` and `fields` with views into it. After a fault they hold what had been read by then;
  /// `start.method` is there whenever the line is well-formed.
  Fault read_head(Side side, std::string_view head, StartLine& start, HeaderList& fields);
  /// llhttp, which saw the same field lines, ends the content in the same way.
  bool agrees(Framing framing, uint64_t length) const;

  /// What one call of read_chunked() found.
  struct Step {
    size_t consumed = 0;
    std::span<const std::byte> content;  ///< a view into the input; may be empty
  };
  /// Decodes content in the chunked coding behind a head whose framing is kChunked (RFC 9112 §7.1):
  /// up to the end of the next run of content, or all of the input. Call it again with what follows
  /// until done(); a fault() is final. Extensions and trailers are checked and dropped.
  Step read_chunked(std::span<const std::byte> input);
  /// The last chunk and the trailers were consumed. What follows is another message.
  bool done() const { return part_ == Part::kDone; }
  Fault fault() const { return fault_; }

 private:
  struct Callbacks;
  struct HeadReading;
  /// What of chunked content the next byte belongs to.
  enum class Part : uint8_t { kChunkLine, kContent, kChunkEnd, kTrailers, kDone };
  /// Where in a chunk line the next byte stands.
  enum class ChunkLine : uint8_t { kSize, kExtension, kQuoted, kQuotedPair, kLf };
  /// Where in a trailer line the next byte stands.
  enum class TrailerLine : uint8_t { kBegin, kName, kValue, kLf, kLastLf };

  void begin_content();
  bool execute(std::string_view bytes);
  size_t read_chunk_line(std::string_view input);
  Step read_content(std::string_view input);
  size_t read_chunk_end(std::string_view input);
  size_t read_trailers(std::string_view input);
  bool guard_chunk_byte(char c);
  bool guard_extension_byte(char c);
  Fault guard_trailer_byte(char c);
  size_t fail(Fault fault);

  llhttp_t llhttp_{};
  uint64_t left_ = 0;        ///< of the chunk's content
  uint64_t body_bytes_ = 0;  ///< that llhttp took for content in the present call
  uint32_t trailer_bytes_ = 0;
  uint16_t extension_bytes_ = 0;   ///< of the chunk line
  uint16_t extensions_bytes_ = 0;  ///< of the message
  uint8_t digits_ = 0;             ///< of the chunk's size
  char before_ = '\0';             ///< the last byte of an extension that is no blank
  uint8_t end_bytes_ = 0;          ///< of the CRLF behind the content
  Part part_ = Part::kChunkLine;
  ChunkLine chunk_line_ = ChunkLine::kSize;
  TrailerLine trailer_line_ = TrailerLine::kBegin;
  bool header_told_ = false;   ///< llhttp took a chunk line for whole
  bool chunk_told_ = false;    ///< and a chunk
  bool message_told_ = false;  ///< and the message
  Fault fault_ = Fault::kNone;
};

}  // namespace perigee::http

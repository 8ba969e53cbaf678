// One HTTP/1 request from bytes: finds the whole head, checks every byte of it once, decodes the
// body.
//
// Nothing of a request is acted on before all of its head is there, so the head is read in one pass
// over contiguous lines. Whatever another implementation might read differently is refused.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "http/chunked_decoder.h"
#include "http/http1_codec.h"
#include "http/http1_fields.h"
#include "http/message.h"

namespace perigee::http {

/// Memory that is dead when on_request() returns; shared by the connections of a loop.
class Http1Scratch {
 public:
  Http1Scratch() : arena_(memory_) {}
  ~Http1Scratch() { unpoison(); }
  Http1Scratch(const Http1Scratch&) = delete;
  Http1Scratch& operator=(const Http1Scratch&) = delete;
  HeaderList fields() { return HeaderList(storage_); }
  /// For what answers a request at once. Reset for each request.
  Arena& arena() { return arena_; }
  /// canonical_authority() into a string whose memory is kept.
  bool valid_authority(std::string_view authority, std::string_view scheme);
  /// "/?x" for the "?x" behind the authority of an absolute-form.
  std::string_view with_slash(std::string_view query);
  /// Under AddressSanitizer a view that was kept too long is a report.
  void poison();
  void unpoison();

 private:
  std::array<Field, base::limits::kRequestFields> storage_;
  alignas(std::max_align_t) std::array<std::byte, 32 * base::limits::kKiB> memory_{};
  Arena arena_;
  std::string authority_;
  std::string target_;
};

/// Why a request is refused; status 0: it is not.
struct Refusal {
  uint16_t status = 0;
  std::string_view why;
  explicit operator bool() const { return status != 0; }
};

/// How a request's body ends.
enum class BodyFraming : uint8_t { kNone, kLength, kChunked };

class Http1RequestReader {
 public:
  explicit Http1RequestReader(const Http1Options& options);

  enum class Progress : uint8_t { kNeedMore, kHead, kRefused };
  /// Looks for a whole head at the start of `bytes`, continuing where the last call stopped when
  /// the bytes before are the same. kHead: `head` is filled and head_bytes() were used.
  Progress read_head(std::span<const std::byte> bytes, Http1Scratch& scratch, RequestHead& head);
  size_t head_bytes() const { return head_bytes_; }
  /// Some byte of a head was seen, other than an empty line before it.
  bool started() const { return scanned_ > head_begin_; }
  /// The head that was refused asked for HEAD: the refusal has no content.
  bool is_head_request() const { return is_head_request_; }
  const Refusal& refusal() const { return refusal_; }
  bool keep_alive() const { return keep_alive_; }
  BodyFraming framing() const { return framing_; }

  /// Decodes content, appending it to `content`. The number of input bytes used; look at refusal().
  size_t read_body(std::span<const std::byte> bytes, std::string& content);
  bool body_done() const { return body_done_; }
  /// Ready for the next request.
  void reset();

 private:
  struct Marks;
  bool find_end(std::string_view bytes);
  bool parse(std::string_view text, Http1Scratch& scratch, RequestHead& head);
  bool parse_request_line(std::string_view line, RequestHead& head);
  bool parse_fields(std::string_view lines, RequestHead& head, Marks& marks);
  bool take_framing(const Marks& marks, RequestHead& head);
  bool take_options(const Marks& marks, RequestHead& head);
  bool take_host(const Marks& marks, Http1Scratch& scratch, RequestHead& head);
  bool take_target(Http1Scratch& scratch, RequestHead& head);
  bool refuse(uint16_t status, std::string_view why);
  size_t read_chunked(std::span<const std::byte> bytes, std::string& content);

  const Http1Options& options_;
  ChunkedDecoder chunks_;
  size_t scanned_ = 0;     ///< bytes known to hold no end of head
  size_t line_begin_ = 0;  ///< where the line being scanned begins
  size_t head_begin_ = 0;  ///< behind one leading CRLF
  size_t head_bytes_ = 0;
  uint64_t left_ = 0;  ///< of a declared Content-Length
  bool body_done_ = false;
  bool keep_alive_ = true;
  bool is_head_request_ = false;
  BodyFraming framing_ = BodyFraming::kNone;
  Refusal refusal_;
};

}  // namespace perigee::http
